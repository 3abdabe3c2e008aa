/** An archive of a folder, opened to be read by another program. */
import type { World } from "../base/world.ts";
import { NotFoundError } from "../base/errors.ts";
import { kindOfMode } from "../core/archive/entry.ts";
import { normalizePath } from "../core/archive/tree_path.ts";
import type { WalkedFile } from "../core/archive/walk.ts";
import { ArchiveView } from "./archive_view.ts";
import { type Archive, openArchive } from "./open_archive.ts";

/** A file of a version. */
export interface ArchiveFile {
  /** As the archive has it, with a slash before it. A stranger chose it: see `safePath`. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Permission bits and kind, as a file system has them. */
  readonly mode: number;
  readonly mtime: Date;
  /** The version that put it. */
  readonly version: number;
}

/** Whatever is read was verified against the signed tree. */
export class OpenArchive implements Disposable {
  readonly #archive: Archive;

  /** @throws {NotFoundError} If there is no archive in the folder. */
  constructor(dir: string, world: World) {
    this.#archive = openArchive(dir, { world, access: "read" });
  }

  /** `dat://` and 64 hex digits. */
  get link(): string {
    return this.#archive.link;
  }

  /** 64 hex digits. */
  get discoveryKey(): string {
    return this.#archive.discoveryKey;
  }

  /** The folder that the archive is in. */
  get dir(): string {
    return this.#archive.paths.dir;
  }

  /** Whether its secret key is here. */
  get writable(): boolean {
    return this.#archive.owned;
  }

  /** The newest version known here: how many changes there were. */
  get version(): number {
    return this.#archive.version;
  }

  /**
   * The files of a version at and below a path, folder by folder.
   *
   * @param options.version The newest one if left out.
   * @throws {IncompleteError} If it takes metadata that is not here.
   * @throws {NotFoundError} If there is no such version.
   */
  *files(
    options: { readonly path?: string; readonly version?: number } = {},
  ): Generator<ArchiveFile, void, void> {
    const view = new ArchiveView(this.#archive, options.version);
    for (const file of view.files(options.path)) {
      if (kindOfMode(file.stat.mode) === "file") yield describe(file);
    }
  }

  /**
   * The bytes of a file, block by block. What was yielded before it throws was right.
   *
   * @throws {NotFoundError} If the version has no such file, or not all of it is here: before anything
   *   is yielded.
   * @throws {ProofError} If bytes on disk are not what was signed.
   */
  *read(
    path: string,
    options: { readonly version?: number } = {},
  ): Generator<Uint8Array, void, void> {
    const view = new ArchiveView(this.#archive, options.version);
    const file = view.find(normalizePath(path));
    if (file === undefined || kindOfMode(file.stat.mode) !== "file") {
      throw new NotFoundError(`Cannot find the file "${path}" in version ${view.version}`);
    }
    yield* view.read(file);
  }

  [Symbol.dispose](): void {
    this.#archive[Symbol.dispose]();
  }
}

function describe({ path, stat: { size, mode, mtime }, seq }: WalkedFile): ArchiveFile {
  return { path, size, mode, mtime: new Date(mtime), version: seq };
}
