/**
 * Large buffers in the memory of the crypto module: what lies in one is hashed, encrypted and
 * decrypted where it is, without being copied in and out.
 */

/** Bytes of each: what is read at once of a connection that is fast, some sixteen blocks. */
export const ROOM_BYTES = 1024 * 1024;

export class Rooms {
  readonly #memory: ArrayBufferLike;
  readonly #from: number;
  /** Where the free ones begin, the one that was used last at the end. */
  readonly #free: number[] = [];

  /** @param from Where in the memory they begin; they reach to its end. */
  constructor(memory: ArrayBufferLike, from: number) {
    this.#memory = memory;
    this.#from = from;
    for (let at = memory.byteLength - ROOM_BYTES; at >= from; at -= ROOM_BYTES) this.#free.push(at);
  }

  /** Whether these bytes lie in one of them. */
  holds(bytes: Uint8Array): boolean {
    return bytes.buffer === this.#memory && bytes.byteOffset >= this.#from;
  }

  /** A buffer of `ROOM_BYTES` that may hold anything, or undefined if all are in use. */
  take(): Uint8Array | undefined {
    const at = this.#free.pop();
    return at === undefined ? undefined : new Uint8Array(this.#memory, at, ROOM_BYTES);
  }

  /** Take back what `take` gave, whole or in part. Answers false if it is from elsewhere. */
  give(bytes: Uint8Array): boolean {
    if (!this.holds(bytes)) return false;
    const at = bytes.byteOffset - (bytes.byteOffset - this.#from) % ROOM_BYTES;
    if (!this.#free.includes(at)) this.#free.push(at);
    return true;
  }
}
