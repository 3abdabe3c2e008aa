/** The files that a command line names, found in their archives before any byte of them is read. */
import { createHash } from "node:crypto";
import { NotFoundError, UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { kindOfMode } from "../core/archive/entry.ts";
import type { WalkedFile } from "../core/archive/walk.ts";
import { ArchiveView } from "./archive_view.ts";
import { locate } from "./locate.ts";
import { type Archive, openArchive } from "./open_archive.ts";

/** A file, and the version of an archive it is read from. */
export interface ChosenFile {
  readonly view: ArchiveView;
  readonly file: WalkedFile;
}

export class ChosenFiles implements Disposable {
  readonly files: readonly ChosenFile[];
  readonly #archives: DisposableStack;

  /**
   * Find the files. Each archive is opened once.
   *
   * @param options.version The newest of each archive if left out.
   * @param options.dir The archive that all paths are of; see `locate`.
   * @throws {NotFoundError} If one of them is not in that version, or not all of its bytes are here.
   * @throws {UsageError} If one of them is a folder.
   */
  constructor(
    texts: readonly string[],
    options: { world: World; dir?: string; version?: number },
  ) {
    const { world, dir, version } = options;
    using opened = new DisposableStack();
    const views = new Map<string, ArchiveView>();
    const viewOf = (folder: string): ArchiveView => {
      const known = views.get(folder);
      if (known !== undefined) return known;
      const archive: Archive = opened.use(openArchive(folder, { world, access: "read" }));
      const view = new ArchiveView(archive, version);
      views.set(folder, view);
      return view;
    };
    this.files = texts.map((text) => {
      const { paths, path } = locate(text, { world, dir });
      const view = viewOf(paths.dir);
      return { view, file: findFile(view, path) };
    });
    for (const { view, file } of this.files) view.checkHeld(file);
    this.#archives = opened.move();
  }

  [Symbol.dispose](): void {
    this.#archives[Symbol.dispose]();
  }
}

/**
 * The file at a path.
 *
 * @throws {NotFoundError} If nothing is there in that version.
 * @throws {UsageError} If it is a folder.
 */
export function findFile(view: ArchiveView, path: string): WalkedFile {
  const found = path === "/" ? undefined : view.find(path);
  if (found !== undefined && kindOfMode(found.stat.mode) !== "directory") return found;
  const name = path === "/" ? "/" : path.slice(1);
  if (path === "/" || found !== undefined || (view.folder(path) ?? []).length > 0) {
    throw new UsageError(`Cannot print "${name}": it is a folder`, {
      hint: "name a file in it; trove ls shows which there are",
    });
  }
  throw new NotFoundError(`Cannot find "${name}" in version ${view.version}`, {
    hint: "trove ls shows what is there, trove log what was there when",
  });
}

/** The SHA-256 of a file, in hex, every block verified. Throws as `ArchiveView.read`. */
export function hashFile({ view, file }: ChosenFile): string {
  const hash = createHash("sha256");
  for (const bytes of view.read(file)) hash.update(bytes);
  return hash.digest("hex");
}
