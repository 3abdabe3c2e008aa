/**
 * One version of an archive as it can be read from what is here: its files, its folders, and their
 * bytes, every block of which is checked against the signed tree before it is handed out.
 *
 * Source: spec of the drive, sections 3, 5, 7 and 9.
 */
import { NotFoundError, ProofError } from "../base/errors.ts";
import { count, formatBytes } from "../base/format.ts";
import type { Range } from "../base/ranges.ts";
import type { Stat } from "../core/archive/entry.ts";
import { findFile, type FolderItem, readFolder } from "../core/archive/lookup.ts";
import { runItems, runLookup } from "../core/archive/steps.ts";
import { normalizePath } from "../core/archive/tree_path.ts";
import { type WalkedFile, walkFiles } from "../core/archive/walk.ts";
import { mapWorkingFiles } from "./checkout.ts";
import type { Archive } from "./open_archive.ts";

/** A file's place in an archive: what it takes to read it. */
export interface ViewedFile {
  readonly path: string;
  readonly stat: Stat;
}

/**
 * That an archive has a version, as far as is known here.
 *
 * @throws {NotFoundError} If not.
 */
export function checkVersion(archive: Archive, version: number): void {
  if (version <= archive.version) return;
  throw new NotFoundError(
    `Cannot find version ${version}: the newest known here is ${archive.version}`,
  );
}

export class ArchiveView {
  readonly archive: Archive;
  readonly version: number;
  #mapped = false;

  /**
   * @param version The newest one if left out.
   * @throws {NotFoundError} If the archive has no such version, as far as is known here.
   */
  constructor(archive: Archive, version: number = archive.version) {
    checkVersion(archive, version);
    this.archive = archive;
    this.version = version;
  }

  /**
   * What was put and is live below a path, the path itself included: see `walkFiles`.
   *
   * @throws {IncompleteError} If the metadata is not complete.
   */
  *files(below = "/"): Generator<WalkedFile, void, void> {
    const top = normalizePath(below);
    const prefix = top === "/" ? "/" : `${top}/`;
    for (const file of runItems(walkFiles(this.version), this.archive.entry)) {
      if (file.path === top || file.path.startsWith(prefix)) yield file;
    }
  }

  /** The children of a folder, by name; undefined if there is no such folder. */
  folder(path: string): readonly FolderItem[] | undefined {
    return runLookup(readFolder(this.version, path), this.archive.entry);
  }

  /** What was put at a path, or undefined. */
  find(path: string): WalkedFile | undefined {
    const entry = runLookup(findFile(this.version, path), this.archive.entry);
    if (entry?.stat === undefined) return undefined;
    return { path: entry.path, stat: entry.stat, seq: entry.seq };
  }

  /** How many content blocks of a file are here. */
  countHeld({ stat }: ViewedFile): number {
    return this.archive.content?.countHeld(stat.offset, stat.offset + stat.blocks) ?? 0;
  }

  /** The content blocks of a file that are not here. */
  missing({ stat }: ViewedFile): Range[] {
    const { content } = this.archive;
    const end = stat.offset + stat.blocks;
    if (content === undefined) return stat.blocks === 0 ? [] : [{ start: stat.offset, end }];
    const ranges: Range[] = [];
    let start = content.nextMissing(stat.offset, end);
    while (start !== -1) {
      const held = content.nextHeld(start, end);
      ranges.push({ start, end: held === -1 ? end : held });
      start = held === -1 ? -1 : content.nextMissing(held, end);
    }
    return ranges;
  }

  /**
   * The bytes of a file, block by block. What was yielded before it throws was right.
   *
   * @throws {NotFoundError} If a block is not here; before anything is yielded.
   * @throws {ProofError} If a block's bytes do not match the signed tree, or the blocks the entry.
   */
  *read(file: ViewedFile): Generator<Uint8Array, void, void> {
    this.checkHeld(file);
    const { path, stat } = file;
    let size = 0;
    for (let block = stat.offset; block < stat.offset + stat.blocks; block++) {
      const bytes = this.readBlock(file, block);
      size += bytes.length;
      if (size > stat.size) break;
      yield bytes;
    }
    if (size !== stat.size) {
      throw new ProofError(
        `Cannot read "${path.slice(1)}": its blocks do not add up to ${stat.size} bytes`,
      );
    }
  }

  /**
   * One content block of a file.
   *
   * @throws {ProofError} If it is not here, or its bytes do not match the signed tree.
   */
  readBlock({ path }: ViewedFile, block: number): Uint8Array {
    this.#mapFiles();
    const bytes = this.archive.content!.readMatching(block);
    if (bytes !== undefined) return bytes;
    throw new ProofError(
      `Cannot read "${path.slice(1)}": content block ${block} does not match the signed tree`,
      { hint: "the file on disk was changed or damaged; see trove diff and trove verify" },
    );
  }

  /** @throws {NotFoundError} If a block of the file is not here: which, and how much that is. */
  checkHeld(file: ViewedFile): void {
    const missing = this.missing(file);
    if (missing.length === 0) return;
    const blocks = missing.reduce((sum, { start, end }) => sum + end - start, 0);
    const listed = missing.slice(0, 3)
      .map(({ start, end }) => end - start === 1 ? `${start}` : `${start}-${end - 1}`);
    if (missing.length > listed.length) listed.push("…");
    throw new NotFoundError(
      `Cannot read "${file.path.slice(1)}" (${
        formatBytes(file.stat.size)
      }) of version ${this.version}: ` +
        `${count(blocks, "content block")} of it ${blocks === 1 ? "is" : "are"} not here ` +
        `(${listed.join(", ")})`,
      { hint: "a folder keeps the newest files only, unless it was made with --history" },
    );
  }

  /** Put off until bytes are wanted: it goes through all files, which a look at one must not. */
  #mapFiles(): void {
    if (this.#mapped) return;
    // A block lies where the newest version has it, whichever version is looked at.
    mapWorkingFiles(this.archive);
    this.#mapped = true;
  }
}
