/**
 * Buffers that are used again. A fresh one of 64 KiB costs more than reading the file into it: its
 * pages are mapped and zeroed, and the garbage collector has to find out that it is free.
 */
export class BufferPool {
  readonly #bytes: number;
  /** Largest first. */
  readonly #sizes: readonly Size[];
  /** Buffers in use, so that only what came from here is taken back, and only once. */
  readonly #lent = new WeakSet<ArrayBufferLike>();

  /**
   * @param bytes Size of the largest buffers; there are some of a quarter and of a sixteenth as well,
   *   for small files have small blocks.
   * @param limit How many free ones of the largest size are kept, and as many bytes of each other.
   */
  constructor(bytes: number, limit: number) {
    this.#bytes = bytes;
    this.#sizes = [1, 4, 16].map((part) => ({
      bytes: Math.ceil(bytes / part),
      limit: limit * part,
      free: [],
    }));
  }

  /** An array of `length` bytes, which may hold anything. Longer ones than the pool's are new. */
  take(length: number): Uint8Array<ArrayBuffer> {
    if (length > this.#bytes) return new Uint8Array(length);
    const size = this.#sizes.findLast(({ bytes }) => length <= bytes)!;
    const buffer = size.free.pop() ?? new ArrayBuffer(size.bytes);
    this.#lent.add(buffer);
    return new Uint8Array(buffer, 0, length);
  }

  /** Take back what `take` gave, whole or in part; nobody may read or write it any more. */
  give(bytes: Uint8Array): void {
    const { buffer } = bytes;
    if (!this.#lent.delete(buffer)) return;
    const size = this.#sizes.find((size) => size.bytes === buffer.byteLength)!;
    if (size.free.length < size.limit) size.free.push(buffer as ArrayBuffer);
  }
}

interface Size {
  /** Of each buffer. */
  readonly bytes: number;
  /** How many free ones are kept. */
  readonly limit: number;
  readonly free: ArrayBuffer[];
}
