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
    let [a, b, c, counter] = this.#state;
    for (let at = 0; at < words.length; at++) {
      const word = (a + b + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = ((c << 21) | (c >>> 11)) + word | 0;
      words[at] = word;
    }
    this.#state.set([a, b, c, counter]);
    return new Uint8Array(words.buffer, 0, count);
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    const [word] = new Uint32Array(this.bytes(4).buffer);
    return Math.floor(word / 0x1_0000_0000 * limit);
  }
}
