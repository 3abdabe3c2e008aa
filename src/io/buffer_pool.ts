/**
 * Buffers that are used again. A fresh one of 64 KiB costs more than reading the file into it: its
 * pages are mapped and zeroed, and the garbage collector has to find out that it is free.
 */
export class BufferPool {
  readonly #bytes: number;
  readonly #limit: number;
  readonly #free: ArrayBuffer[] = [];
  /** Buffers in use, so that only what came from here is taken back, and only once. */
  readonly #lent = new WeakSet<ArrayBufferLike>();

  /**
   * @param bytes Size of each buffer.
   * @param limit How many free ones are kept.
   */
  constructor(bytes: number, limit: number) {
    this.#bytes = bytes;
    this.#limit = limit;
  }

  /** An array of `length` bytes, which may hold anything. Longer ones than the pool's are new. */
  take(length: number): Uint8Array<ArrayBuffer> {
    if (length > this.#bytes) return new Uint8Array(length);
    const buffer = this.#free.pop() ?? new ArrayBuffer(this.#bytes);
    this.#lent.add(buffer);
    return new Uint8Array(buffer, 0, length);
  }

  /** Take back what `take` gave, whole or in part; nobody may read or write it any more. */
  give(bytes: Uint8Array): void {
    if (!this.#lent.delete(bytes.buffer) || this.#free.length >= this.#limit) return;
    this.#free.push(bytes.buffer as ArrayBuffer);
  }
}
