/** What is at a path of a version: one file, the files and folders in it, or all below it. */
import { NotFoundError } from "../base/errors.ts";
import type { Stat } from "../core/archive/entry.ts";
import { compareNames } from "../core/archive/tree_path.ts";
import type { ArchiveView } from "./archive_view.ts";

export interface ListedFile {
  readonly path: string;
  /** Absent for a folder that only exists by what is in it. */
  readonly stat?: Stat;
  /** The version that put it, or the newest that touched something in it. */
  readonly seq: number;
  readonly folder: boolean;
}

/** @throws {NotFoundError} If nothing is there in that version. */
export function* listFiles(
  view: ArchiveView,
  path: string,
  options: { recursive: boolean },
): Generator<ListedFile, void, void> {
  const own = path === "/" ? undefined : view.find(path);
  const items = view.folder(path) ?? [];
  if (own !== undefined && items.length === 0) return yield { ...own, folder: false };
  if (items.length === 0 && path !== "/") {
    throw new NotFoundError(`Cannot find "${path.slice(1)}" in version ${view.version}`);
  }
  if (options.recursive) {
    for (const file of view.files(path)) yield { ...file, folder: false };
    return;
  }
  const base = path === "/" ? "" : path;
  for (const item of [...items].sort((a, b) => compareNames(a.name, b.name))) {
    yield { path: `${base}/${item.name}`, stat: item.stat, seq: item.seq, folder: item.folder };
  }
}
