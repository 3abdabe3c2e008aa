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

/** What a file held while it was read. */
export interface ReadFile {
  /** Bytes. */
  readonly size: number;
  readonly leaves: readonly Hashed[];
  /** The blocks themselves, when they were asked for. */
  readonly blocks: readonly Uint8Array[];
  /** Whether size and modification time were the same before and after. */
  readonly stable: boolean;
}

/** Reads files one after the other through one buffer. */
export class FileReader {
  readonly #buffer = new Uint8Array(READ_BYTES);

  /**
   * Hash a file block by block.
   *
   * @param options.keepBlocks Give the bytes as well: for archives that keep them a second time.
   * @param options.onBytes Told of every piece; awaited, so that it may let other work in.
   * @throws {StorageError} If it cannot be read, is no regular file, or vanished.
   * @throws {TroveError} What `onBytes` throws.
   */
  async read(
    path: string,
    options: { keepBlocks: boolean; onBytes: (bytes: number) => Promise<void> | void },
  ): Promise<ReadFile> {
    try {
      // Asked before it is opened: opening a FIFO would wait for its writer.
      const before = Deno.statSync(path);
      if (!before.isFile) throw new Error("it is not a regular file");
      using file = Deno.openSync(path, { read: true });
      const leaves: Hashed[] = [];
      const blocks: Uint8Array[] = [];
      let size = 0;
      for (let filled = this.#fill(file); filled > 0; filled = this.#fill(file)) {
        for (let at = 0; at < filled; at += BLOCK_BYTES) {
          const block = this.#buffer.subarray(at, Math.min(at + BLOCK_BYTES, filled));
          leaves.push({ hash: leafHash(block), size: block.length });
          if (options.keepBlocks) blocks.push(block.slice());
        }
        size += filled;
        await options.onBytes(filled);
        if (filled < READ_BYTES) break;
      }
      const after = Deno.statSync(path);
      const stable = before.mtime?.getTime() === after.mtime?.getTime() &&
        before.ino === after.ino && after.size === size;
      return { size, leaves, blocks, stable };
    } catch (error) {
      if (error instanceof TroveError) throw error; // of `onBytes`: somebody wants us to stop
      throw storageError(`Cannot read "${path}"`, error);
    }
  }

  /** Fill the buffer as far as the file goes; blocks must not depend on how reads are cut. */
  #fill(file: Deno.FsFile): number {
    let filled = 0;
    while (filled < READ_BYTES) {
      const count = file.readSync(this.#buffer.subarray(filled));
      if (count === null || count === 0) break;
      filled += count;
    }
    return filled;
  }
}

/**
 * Whether a file on disk has exactly these blocks. `leaf` gives the expected hash of the n-th.
 *
 * @param onBytes As for `FileReader.read`.
 * @throws {StorageError} If the file cannot be read.
 */
export async function fileMatches(
  path: string,
  expected: { size: number; blocks: number; leaf: (n: number) => Hashed | undefined },
  onBytes: (bytes: number) => Promise<void> | void = () => {},
): Promise<boolean> {
  const info = lookAt(path);
  if (info === undefined || !info.isFile || info.size !== expected.size) return false;
  const read = await new FileReader().read(path, { keepBlocks: false, onBytes });
  if (read.size !== expected.size || read.leaves.length !== expected.blocks) return false;
  return read.leaves.every((leaf, n) => {
    const wanted = expected.leaf(n);
    return wanted !== undefined && wanted.size === leaf.size && equalBytes(wanted.hash, leaf.hash);
  });
}
