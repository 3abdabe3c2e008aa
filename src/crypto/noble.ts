/** The backend made of @noble packages: pure JavaScript, always correct, the oracle for others. */
import { blake2b } from "@noble/hashes/blake2.js";
import { xsalsa20 } from "@noble/ciphers/salsa.js";
import type { CryptoBackend, HashOptions, Keystream } from "./backend.ts";

const HASH_BYTES = 32;
const BLOCK_BYTES = 64;

class NobleKeystream implements Keystream {
  readonly #key: Uint8Array;
  readonly #nonce: Uint8Array;
  #offset = 0;
  /** The keystream block that the last call stopped inside of. */
  readonly #partial = new Uint8Array(BLOCK_BYTES);

  constructor(key: Uint8Array, nonce: Uint8Array) {
    this.#key = key.slice();
    this.#nonce = nonce.slice();
  }

  apply(bytes: Uint8Array): void {
    let at = 0;
    const inside = this.#offset % BLOCK_BYTES;
    if (inside > 0) {
      const count = Math.min(BLOCK_BYTES - inside, bytes.length);
      for (let i = 0; i < count; i++) bytes[i] ^= this.#partial[inside + i];
      at = count;
    }
    const whole = bytes.length - at - (bytes.length - at) % BLOCK_BYTES;
    if (whole > 0) {
      const part = bytes.subarray(at, at + whole);
      xsalsa20(this.#key, this.#nonce, part, part, (this.#offset + at) / BLOCK_BYTES);
      at += whole;
    }
    if (at < bytes.length) {
      this.#partial.fill(0);
      const block = (this.#offset + at) / BLOCK_BYTES;
      xsalsa20(this.#key, this.#nonce, this.#partial, this.#partial, block);
      for (let i = 0; at + i < bytes.length; i++) bytes[at + i] ^= this.#partial[i];
    }
    this.#offset += bytes.length;
  }
}

export const nobleBackend: CryptoBackend = {
  name: "noble",

  hash(pieces: readonly Uint8Array[], options: HashOptions = {}): Uint8Array {
    const hasher = blake2b.create({
      dkLen: HASH_BYTES,
      key: options.key,
      salt: options.salt,
      personalization: options.personal,
    });
    for (const piece of pieces) hasher.update(piece);
    return hasher.digest();
  },

  keystream(key: Uint8Array, nonce: Uint8Array): Keystream {
    return new NobleKeystream(key, nonce);
  },
};
