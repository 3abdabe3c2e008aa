/** Reading a file in the blocks in which an archive keeps it. */
import { equalBytes } from "../base/bytes.ts";
import { TroveError } from "../base/errors.ts";
import { type Hashed, leafHash } from "../crypto/hash.ts";
import { lookAt } from "./folder.ts";
import { storageError } from "./handle_cache.ts";

/** Bytes of a block; the last one of a file is shorter. Source: hyperdrive 9. */
export const BLOCK_BYTES = 64 * 1024;

/** Bytes read at once. */
const READ_BYTES = 16 * BLOCK_BYTES;

export interface StreamOptions {
  /** The first block to read; 0 if left out. */
  readonly from?: number;
  /**
   * Takes each block in order: its hash, and its bytes, which are good only until it returns.
   * Answers false to have no more.
   */
  readonly onBlock: (leaf: Hashed, bytes: Uint8Array) => boolean;
  /** Told of every piece after its blocks; awaited, so that it may let other work in. */
  readonly onBytes?: (bytes: number) => Promise<void> | void;
}

/** What became of a file while it was read. */
export interface StreamedFile {
  /** Where reading came to, in bytes from the file's start. */
  readonly size: number;
  /** Whether it was read to its end, and its size and time were the same before and after. */
  readonly stable: boolean;
}

/** What a file held while it was read. */
export interface ReadFile extends StreamedFile {
  readonly leaves: readonly Hashed[];
  /** The blocks themselves, when they were asked for. */
  readonly blocks: readonly Uint8Array[];
}

/** Reads files one after the other through one buffer. */
export class FileReader {
  readonly #buffer = new Uint8Array(READ_BYTES);

  /**
   * Hash a file of any size block by block.
   *
   * @throws {StorageError} If it cannot be read, is no regular file, or vanished.
   * @throws {TroveError} What the listeners throw.
   */
  async stream(
    path: string,
    { from = 0, onBlock, onBytes }: StreamOptions,
  ): Promise<StreamedFile> {
    try {
      // Asked before it is opened: opening a FIFO would wait for its writer.
      const before = Deno.statSync(path);
      if (!before.isFile) throw new Error("it is not a regular file");
      using file = Deno.openSync(path, { read: true });
      let size = from * BLOCK_BYTES;
      if (from > 0) file.seekSync(size, Deno.SeekMode.Start);
      // A short file is read up to the size it had, and the rest shows by its size afterwards.
      let wanted = Math.min(READ_BYTES, roundUp(before.size - size));
      for (;;) {
        const filled = this.#fill(file, wanted);
        for (let at = 0; at < filled; at += BLOCK_BYTES) {
          const block = this.#buffer.subarray(at, Math.min(at + BLOCK_BYTES, filled));
          if (!onBlock({ hash: leafHash(block), size: block.length }, block)) {
            return { size, stable: false };
          }
          size += block.length;
        }
        if (filled > 0) await onBytes?.(filled);
        if (filled < wanted || wanted === 0) break;
        wanted = Math.min(READ_BYTES, roundUp(before.size - size));
      }
      const after = Deno.statSync(path);
      const stable = before.mtime?.getTime() === after.mtime?.getTime() &&
        before.ino === after.ino && after.size === size;
      return { size, stable };
    } catch (error) {
      if (error instanceof TroveError) throw error; // of a listener: somebody wants us to stop
      throw storageError(`Cannot read "${path}"`, error);
    }
  }

  /**
   * Hash a file that is known to be small: all its hashes are in memory at the end.
   *
   * @param options.keepBlocks Give the bytes as well.
   * @throws As `stream`.
   */
  async read(
    path: string,
    { keepBlocks, onBytes }: {
      keepBlocks: boolean;
      onBytes: (bytes: number) => Promise<void> | void;
    },
  ): Promise<ReadFile> {
    const leaves: Hashed[] = [];
    const blocks: Uint8Array[] = [];
    const onBlock = (leaf: Hashed, bytes: Uint8Array) => {
      leaves.push(leaf);
      if (keepBlocks) blocks.push(bytes.slice());
      return true;
    };
    return { ...await this.stream(path, { onBlock, onBytes }), leaves, blocks };
  }

  /** Fill `wanted` bytes as far as the file goes; blocks must not depend on how reads are cut. */
  #fill(file: Deno.FsFile, wanted: number): number {
    let filled = 0;
    while (filled < wanted) {
      const count = file.readSync(this.#buffer.subarray(filled, wanted));
      if (count === null || count === 0) break;
      filled += count;
    }
    return filled;
  }
}

/** Whole blocks for so many bytes. */
function roundUp(bytes: number): number {
  return Math.max(0, Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES);
}

/**
 * Whether a file on disk has exactly these blocks, of whatever sizes: other programs cut files
 * differently. `leaf` gives the expected hash of the n-th. Reads no further than the first block
 * that differs.
 *
 * @param onBytes As for `FileReader.stream`.
 * @throws {StorageError} If the file cannot be read.
 */
export async function fileMatches(
  path: string,
  expected: { size: number; blocks: number; leaf: (n: number) => Hashed | undefined },
  onBytes: (bytes: number) => Promise<void> | void = () => {},
): Promise<boolean> {
  const before = lookAt(path);
  if (before === undefined || !before.isFile || before.size !== expected.size) return false;
  try {
    using file = Deno.openSync(path, { read: true });
    let buffer = new Uint8Array(Math.min(BLOCK_BYTES, expected.size));
    let left = expected.size;
    for (let n = 0; n < expected.blocks; n++) {
      const wanted = expected.leaf(n);
      if (wanted === undefined || wanted.size > left) return false;
      if (wanted.size > buffer.length) buffer = new Uint8Array(wanted.size);
      const block = buffer.subarray(0, wanted.size);
      if (!fill(file, block) || !equalBytes(leafHash(block), wanted.hash)) return false;
      left -= block.length;
      await onBytes(block.length);
    }
    const after = file.statSync();
    return left === 0 && after.size === before.size &&
      after.mtime?.getTime() === before.mtime?.getTime();
  } catch (error) {
    if (error instanceof TroveError) throw error; // of `onBytes`: somebody wants us to stop
    throw storageError(`Cannot read "${path}"`, error);
  }
}

/** Read until `buffer` is full; false if the file ends before. */
function fill(file: Deno.FsFile, buffer: Uint8Array): boolean {
  for (let filled = 0; filled < buffer.length;) {
    const count = file.readSync(buffer.subarray(filled));
    if (count === null || count === 0) return false;
    filled += count;
  }
  return true;
}

/** Whether a block's hash and size are those that were expected. */
export function isLeaf(leaf: Hashed, expected: Hashed | undefined): boolean {
  return expected !== undefined && expected.size === leaf.size &&
    equalBytes(expected.hash, leaf.hash);
}
