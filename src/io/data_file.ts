/** Blocks in a SLEEP `data` file: back to back, no header. Source: spec of storage, sections 7, 13. */
import { EMPTY_BYTES } from "../base/bytes.ts";
import { StorageError } from "../base/errors.ts";
import type { RandomAccess } from "../base/random_access.ts";
import type { BlockRange, BlockSpan, BlockStore } from "../core/feed/block_store.ts";

/**
 * Blocks of at least this many bytes are written by themselves. Smaller neighbours are copied
 * together first, for there a write costs more than the copy.
 */
const ALONE_BYTES = 8 * 1024;
/** Most bytes copied together into one write. */
const GATHER_BYTES = 1024 * 1024;
/** A block of this size is made room for at once, whether or not there is so much in the file. */
const USUAL_BYTES = 64 * 1024;
/** When this many bytes wait for `flush`, they are written at once. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

interface Waiting {
  readonly byteOffset: number;
  readonly bytes: Uint8Array;
}

export class DataFile implements BlockStore {
  readonly #file: RandomAccess;
  /** By block number. */
  readonly #waiting = new Map<number, Waiting>();
  #waitingBytes = 0;

  constructor(file: RandomAccess) {
    this.#file = file;
  }

  read({ block, byteOffset, size }: BlockSpan): Uint8Array | undefined {
    if (size === 0) return EMPTY_BYTES;
    const waiting = this.#waiting.get(block);
    if (waiting !== undefined) return waiting.bytes;
    // A size out of a damaged tree must not make us reserve memory for it.
    if (size > USUAL_BYTES && byteOffset + size > this.#file.size()) return undefined;
    const bytes = new Uint8Array(size);
    return this.#file.readInto(bytes, byteOffset) === size ? bytes : undefined;
  }

  write({ block, byteOffset }: BlockSpan, bytes: Uint8Array): "final" {
    if (bytes.length === 0) return "final";
    this.#waitingBytes += bytes.length - (this.#waiting.get(block)?.bytes.length ?? 0);
    this.#waiting.set(block, { byteOffset, bytes });
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#flushEarly();
    return "final";
  }

  flush(): void {
    if (this.#waiting.size === 0) return;
    const runs = [...this.#waiting.values()].sort((a, b) => a.byteOffset - b.byteOffset);
    let from = 0;
    while (from < runs.length) {
      let to = from + 1;
      let size = runs[from].bytes.length;
      while (
        size < GATHER_BYTES && to < runs.length && isSmall(runs[from]) && isSmall(runs[to]) &&
        runs[from].byteOffset + size === runs[to].byteOffset
      ) {
        size += runs[to++].bytes.length;
      }
      this.#writeRun(runs, from, to, size);
      from = to;
    }
    this.#waiting.clear();
    this.#waitingBytes = 0;
  }

  /** Nothing is ever staged. */
  settle(): readonly BlockRange[] {
    return [];
  }

  /**
   * Cuts the file off if the range reaches to its end; otherwise the bytes stay, for a file cannot
   * have its middle taken out.
   *
   * @param byteEnd Where the range ends in the feed's data.
   */
  clear(_range: BlockRange, byteOffset: number, byteEnd: number): void {
    if (byteEnd <= byteOffset) return;
    const size = this.#file.size();
    if (byteOffset < size && size <= byteEnd) this.#file.truncate(byteOffset);
  }

  sync(): void {
    this.#file.sync();
  }

  close(): void {
    this.#file.close();
  }

  /** Bytes ahead of everything else do no harm. A failure shows again at the next `flush`. */
  #flushEarly(): void {
    try {
      this.flush();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
    }
  }

  #writeRun(runs: readonly Waiting[], from: number, to: number, size: number): void {
    const { byteOffset, bytes } = runs[from];
    if (to - from === 1) {
      this.#file.write(bytes, byteOffset);
      return;
    }
    const joined = new Uint8Array(size);
    let at = 0;
    for (let i = from; i < to; i++) {
      joined.set(runs[i].bytes, at);
      at += runs[i].bytes.length;
    }
    this.#file.write(joined, byteOffset);
  }
}

function isSmall({ bytes }: Waiting): boolean {
  return bytes.length < ALONE_BYTES;
}
