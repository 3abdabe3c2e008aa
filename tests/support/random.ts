/**
 * A seeded source of bytes and numbers: the same everywhere for the same seed, and fast enough for
 * files of a gigabyte. The generator is sfc32 (Chris Doty-Humphrey, PractRand), its state the
 * first words of the seed's SHA-256.
 */
import { createHash } from "node:crypto";

export class Random {
  readonly #state: Uint32Array;

  constructor(seed: string) {
    const digest = new Uint8Array(createHash("sha256").update(seed).digest());
    this.#state = new Uint32Array(digest.buffer, 0, 4);
  }

  /** The next `count` bytes. */
  bytes(count: number): Uint8Array {
    const words = new Uint32Array(Math.ceil(count / 4));
    for (let at = 0; at < words.length; at++) words[at] = this.#next();
    return new Uint8Array(words.buffer, 0, count);
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.#next() >>> 0) / 0x1_0000_0000 * limit);
  }

  /** The next 32 bits. */
  #next(): number {
    const state = this.#state;
    const [a, b, c, counter] = [state[0], state[1], state[2], state[3]];
    const word = (a + b + counter) | 0;
    state[0] = b ^ (b >>> 9);
    state[1] = (c + (c << 3)) | 0;
    state[2] = ((c << 21) | (c >>> 11)) + word | 0;
    state[3] = (counter + 1) | 0;
    return word;
  }
}
