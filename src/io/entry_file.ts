/**
 * A SLEEP file of small entries (`tree`, `signatures`) behind a bounded cache.
 *
 * Entries are read and written in chunks: a write of 40 bytes costs as much as one of 20 KiB, so
 * what changed in a chunk since the last flush goes out as one run. The gaps in it hold what the
 * file holds there.
 */
import type { RandomAccess } from "../base/random_access.ts";
import { isZero } from "../base/bytes.ts";
import { entryCount, entryOffset } from "../core/sleep/layout.ts";

export interface EntryFileOptions {
  readonly entryBytes: number;
  readonly entriesPerChunk: number;
  /** Most chunks in memory. */
  readonly maxChunks: number;
}

interface Chunk {
  number: number;
  readonly bytes: Uint8Array;
  /** Changed entries lie in [dirtyStart, dirtyEnd), counted within the chunk. */
  dirtyStart: number;
  dirtyEnd: number;
  /** When it was used last, in loads. */
  used: number;
}

export class EntryFile {
  readonly #file: RandomAccess;
  readonly #entryBytes: number;
  readonly #perChunk: number;
  readonly #maxChunks: number;
  readonly #chunks = new Map<number, Chunk>();
  readonly #dirty = new Set<Chunk>();
  #latest?: Chunk;
  #clock = 0;

  constructor(file: RandomAccess, options: EntryFileOptions) {
    this.#file = file;
    this.#entryBytes = options.entryBytes;
    this.#perChunk = options.entriesPerChunk;
    this.#maxChunks = options.maxChunks;
  }

  /** Whether something waits for `flush`. */
  get dirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** Whole entries in the file, without what waits for `flush`. */
  count(): number {
    return entryCount(this.#file.size(), this.#entryBytes);
  }

  /** The bytes of an entry, shared with the cache and good until the next call; zeros if blank. */
  view(entry: number): Uint8Array {
    const chunk = this.#chunkOf(entry);
    const at = (entry - chunk.number * this.#perChunk) * this.#entryBytes;
    return chunk.bytes.subarray(at, at + this.#entryBytes);
  }

  isBlank(entry: number): boolean {
    return isZero(this.view(entry));
  }

  /** The same as `view`, to be written into before the next call. */
  edit(entry: number): Uint8Array {
    const chunk = this.#chunkOf(entry);
    const inside = entry - chunk.number * this.#perChunk;
    if (chunk.dirtyStart >= chunk.dirtyEnd) {
      chunk.dirtyStart = inside;
      chunk.dirtyEnd = inside + 1;
      this.#dirty.add(chunk);
    } else {
      if (inside < chunk.dirtyStart) chunk.dirtyStart = inside;
      if (inside >= chunk.dirtyEnd) chunk.dirtyEnd = inside + 1;
    }
    const at = inside * this.#entryBytes;
    return chunk.bytes.subarray(at, at + this.#entryBytes);
  }

  /** Write what changed. @throws {StorageError} What could not be written is kept for next time. */
  flush(): void {
    for (const chunk of this.#dirty) this.#write(chunk);
  }

  /** Flush, then make the file end after `entries` entries if it is longer. */
  truncate(entries: number): void {
    this.flush();
    if (this.count() > entries) this.#file.truncate(entryOffset(entries, this.#entryBytes));
    this.#chunks.clear();
    this.#latest = undefined;
  }

  #chunkOf(entry: number): Chunk {
    const number = Math.floor(entry / this.#perChunk);
    if (this.#latest?.number === number) return this.#latest;
    const chunk = this.#chunks.get(number) ?? this.#load(number);
    chunk.used = this.#clock;
    this.#latest = chunk;
    return chunk;
  }

  #load(number: number): Chunk {
    const offset = entryOffset(number * this.#perChunk, this.#entryBytes);
    entryOffset((number + 1) * this.#perChunk, this.#entryBytes); // its end must exist as well
    this.#clock++;
    const spare = this.#chunks.size >= this.#maxChunks ? this.#evict() : undefined;
    const bytes = spare ?? new Uint8Array(this.#perChunk * this.#entryBytes);
    const count = this.#file.readInto(bytes, offset);
    // A fragment of an entry at the end is an interrupted write.
    bytes.fill(0, count - count % this.#entryBytes);
    const chunk = { number, bytes, dirtyStart: 0, dirtyEnd: 0, used: this.#clock };
    this.#chunks.set(number, chunk);
    return chunk;
  }

  /** Give up the chunk not used for longest; writing nodes early does no harm, their bits wait. */
  #evict(): Uint8Array | undefined {
    let oldest: Chunk | undefined;
    for (const chunk of this.#chunks.values()) {
      if (oldest === undefined || chunk.used < oldest.used) oldest = chunk;
    }
    if (oldest === undefined) return undefined;
    if (this.#dirty.has(oldest)) this.#write(oldest);
    this.#chunks.delete(oldest.number);
    if (this.#latest === oldest) this.#latest = undefined;
    return oldest.bytes;
  }

  #write(chunk: Chunk): void {
    const run = chunk.bytes.subarray(
      chunk.dirtyStart * this.#entryBytes,
      chunk.dirtyEnd * this.#entryBytes,
    );
    const first = chunk.number * this.#perChunk + chunk.dirtyStart;
    this.#file.write(run, entryOffset(first, this.#entryBytes));
    chunk.dirtyStart = chunk.dirtyEnd = 0;
    this.#dirty.delete(chunk);
  }
}
