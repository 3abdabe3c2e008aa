/** What is at a path of a version: one file, the files and folders in it, or all below it. */
import { NotFoundError } from "../base/errors.ts";
import { kindOfMode, type Stat } from "../core/archive/entry.ts";
import type { Selection } from "../core/archive/selection.ts";
import { compareNames } from "../core/archive/tree_path.ts";
import type { ArchiveView } from "./archive_view.ts";
import { selectionOf } from "./selection_note.ts";

export interface ListedFile {
  readonly path: string;
  /** Absent for a folder that only exists by what is in it. */
  readonly stat?: Stat;
  /** The version that put it, or the newest that touched something in it. */
  readonly seq: number;
  /** Whether it is a folder: made on purpose, or by what is in it. */
  readonly folder: boolean;
  /** How many of its content blocks are here. */
  readonly held: number;
  /** Whether it is to be here. */
  readonly selected: boolean;
}

/**
 * In the order of names by UTF-16 code units, folder by folder; a file before what is below it.
 *
 * @throws {NotFoundError} If nothing is there in that version.
 * @throws {IncompleteError} If the metadata is not complete.
 */
export function* listFiles(
  view: ArchiveView,
  path: string,
  options: { recursive: boolean },
): Generator<ListedFile, void, void> {
  const selection = selectionOf(view.archive);
  const listed = (item: Item) => describe(view, item, selection);
  const own = path === "/" ? undefined : view.find(path);
  const items = view.folder(path) ?? [];
  if (items.length === 0 && own === undefined && path !== "/") {
    throw new NotFoundError(`Cannot find "${path.slice(1)}" in version ${view.version}`, {
      hint: "trove ls shows what is there, trove log what was there when",
    });
  }
  if (items.length === 0 && own !== undefined) {
    // An empty folder that was made on purpose has nothing to list.
    if (!isFolder(own.stat)) yield listed(own);
    return;
  }
  if (options.recursive) {
    for (const file of view.files(path)) yield listed(file);
    return;
  }
  const base = path === "/" ? "" : path;
  for (const item of [...items].sort((a, b) => compareNames(a.name, b.name))) {
    yield listed({ ...item, path: `${base}/${item.name}` });
  }
}

/** A file, or a folder that may exist only by what is in it. */
interface Item {
  readonly path: string;
  readonly stat?: Stat;
  readonly seq: number;
  readonly folder?: boolean;
}

function describe(view: ArchiveView, item: Item, selection: Selection): ListedFile {
  const { path, stat, seq } = item;
  const folder = stat === undefined || item.folder === true || isFolder(stat);
  const held = stat === undefined ? 0 : view.countHeld({ path, stat });
  return { path, stat, seq, folder, held, selected: selection.selects(path, { folder }) };
}

function isFolder(stat: Stat): boolean {
  return kindOfMode(stat.mode) === "directory";
}
