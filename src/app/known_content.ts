/**
 * Content that the archive has already, for a file that was renamed, touched, or given other
 * permissions: its entry then names the old blocks, and nothing is appended again.
 *
 * Where the working files are the content, this is not for everybody. dat finds the file of a
 * content byte by a search that halves the log and trusts that `byteOffset` never decreases along
 * it (dat-storage 1.1.2, `find`). An entry that goes back breaks that: a clone made by dat then
 * writes the renamed file's bytes under the old name, and finds no place at all for others. So there
 * content is reused only where the owner asks for it.
 *
 * Source: spec of the drive, sections 6, 7 and 10.
 */
import { join } from "node:path";
import { toHex } from "../base/bytes.ts";
import { kindOfMode, type Stat } from "../core/archive/entry.ts";
import type { FolderTable } from "../core/archive/folder_table.ts";
import type { Hashed } from "../crypto/hash.ts";
import { type FileReader, isLeaf } from "../io/file_blocks.ts";
import { lookAt } from "../io/folder.ts";
import { holdsBytes, type PlacedContent } from "./import_batch.ts";
import type { Archive } from "./open_archive.ts";

/** Files with the same first block that are compared with a new one, at most. */
const MAX_CANDIDATES = 16;

/** A path of the archive as it was before the import, and where its content lies. */
interface KnownFile {
  readonly path: string;
  readonly seq: number;
  readonly stat: Stat;
}

/** Blocks that hold a file's bytes. `gone` is the path that had them and is not on disk any more. */
export interface FoundContent {
  readonly content: PlacedContent;
  readonly gone?: string;
}

export class KnownContent {
  readonly #archive: Archive;
  readonly #table: FolderTable;
  readonly #isLeftOut: (relative: string) => boolean;
  /** Where the working files are the content, blocks can be those of one path only. */
  readonly #exclusive: boolean;
  readonly #taken = new Set<number>();
  readonly #sizes = new Set<number>();
  /** By size and the hash of the first block. */
  #files?: Map<string, KnownFile[]>;

  /**
   * @param options.table What is live; the import's own, which changes as it goes on.
   * @param options.isLeftOut Whether the import leaves a name alone that is gone from the disk.
   */
  constructor(
    archive: Archive,
    options: { table: FolderTable; isLeftOut: (relative: string) => boolean },
  ) {
    this.#archive = archive;
    this.#table = options.table;
    this.#isLeftOut = options.isLeftOut;
    this.#exclusive = archive.contentFiles !== undefined;
  }

  /** Learn what is live, once. Call it before the first change to the table. */
  prepare(): void {
    if (this.#files !== undefined) return;
    this.#files = new Map();
    for (const path of this.#table.filesBelow("/")) {
      const seq = this.#table.file(path)!;
      const stat = this.#archive.entry(seq)?.stat;
      if (stat === undefined || stat.blocks === 0 || kindOfMode(stat.mode) !== "file") continue;
      const leaf = this.#leafOf(stat, 0);
      if (leaf === undefined) continue;
      this.#sizes.add(stat.size);
      const key = keyOf(stat.size, leaf);
      const same = this.#files.get(key);
      if (same === undefined) this.#files.set(key, [{ path, seq, stat }]);
      else same.push({ path, seq, stat });
    }
  }

  /**
   * The blocks that hold exactly what a file on disk holds; undefined if there are none, or the file
   * changes meanwhile.
   *
   * @throws {StorageError} If the file cannot be read.
   */
  async find(
    path: string,
    file: { target: string; size: number },
    options: { reader: FileReader; onBytes: (bytes: number) => Promise<void> },
  ): Promise<FoundContent | undefined> {
    if (!this.#sizes.has(file.size)) return undefined;
    let left: readonly KnownFile[] = [];
    let block = 0;
    const content = this.#archive.openContent();
    const onBlock = (leaf: Hashed, bytes: Uint8Array) => {
      if (block === 0) left = this.#candidates(path, keyOf(file.size, leaf));
      left = left.filter(({ stat }) =>
        isLeaf(leaf, this.#leafOf(stat, block)) &&
        (this.#exclusive || holdsBytes(content, stat.offset + block, bytes))
      );
      block++;
      return left.length > 0;
    };
    const { reader, onBytes } = options;
    const { stable, size } = await reader.stream(file.target, { onBlock, onBytes });
    const match = left.find(({ stat }) => stat.size === size && stat.blocks === block);
    if (!stable || match === undefined) return undefined;
    const { offset, byteOffset, blocks } = match.stat;
    this.#taken.add(offset);
    const gone = this.#exclusive && match.path !== path && this.#isCurrent(match);
    return {
      content: { offset, byteOffset, blocks, size },
      gone: gone ? match.path : undefined,
    };
  }

  /** What the path itself had comes first. */
  #candidates(path: string, key: string): KnownFile[] {
    const found: KnownFile[] = [];
    for (const file of this.#files?.get(key) ?? []) {
      if (file.path === path && this.#isUsable(path, file)) found.unshift(file);
      else if (found.length < MAX_CANDIDATES && this.#isUsable(path, file)) found.push(file);
    }
    return found;
  }

  #isUsable(path: string, file: KnownFile): boolean {
    const { offset, blocks } = file.stat;
    const content = this.#archive.openContent();
    if (offset + blocks > content.length) return false;
    // The archive has the bytes itself: they have to be there, and are good for any number of paths.
    if (!this.#exclusive) return content.nextMissing(offset, offset + blocks) === -1;
    if (this.#taken.has(offset)) return false;
    return file.path === path || !this.#isCurrent(file) || this.#isGone(file.path);
  }

  /** Whether the path still has this content, as far as the import has come. */
  #isCurrent({ path, seq }: KnownFile): boolean {
    return this.#table.file(path) === seq;
  }

  #isGone(path: string): boolean {
    const relative = path.slice(1);
    if (this.#isLeftOut(relative)) return false;
    try {
      return lookAt(join(this.#archive.paths.dir, relative)) === undefined;
    } catch {
      return false; // nobody can tell
    }
  }

  #leafOf({ offset, blocks }: Stat, block: number): Hashed | undefined {
    if (block >= blocks) return undefined;
    return this.#archive.openContent().node(2 * (offset + block));
  }
}

/** Eight bytes of the hash tell blocks apart well enough for a first choice. */
function keyOf(size: number, { hash }: Hashed): string {
  return `${size} ${toHex(hash.subarray(0, 8))}`;
}
