/** The backend made of @noble packages: pure JavaScript, always correct, the oracle for others. */
import { blake2b } from "@noble/hashes/blake2.js";
import { hsalsa, salsa20 } from "@noble/ciphers/salsa.js";
import type { CryptoBackend, HashOptions, Keystream } from "./backend.ts";
import { SALSA20_BLOCK_BYTES, salsa20Block, salsa20State, SIGMA } from "./salsa20.ts";

const HASH_BYTES = 32;
const PLAIN = { dkLen: HASH_BYTES };

/** noble refuses blocks from this number on. */
const NOBLE_BLOCKS = 2 ** 32 - 1;

/** XSalsa20 is Salsa20 under a key made once from the key and the first 16 bytes of the nonce. */
class NobleKeystream implements Keystream {
  readonly #key: Uint8Array;
  readonly #nonce: Uint8Array;
  /** For the blocks beyond noble's. */
  readonly #state: Uint32Array;
  /** The next byte lies in this block. */
  #block: number;
  /** How many bytes of that block are used up. */
  #used = 0;
  /** The keystream block that the last call stopped inside of. */
  readonly #partial = new Uint8Array(SALSA20_BLOCK_BYTES);

  constructor(key: Uint8Array, nonce: Uint8Array, block: number) {
    this.#key = subkey(key, nonce);
    this.#nonce = new Uint8Array(nonce.subarray(16));
    this.#state = salsa20State(this.#key, this.#nonce);
    this.#block = block;
  }

  apply(bytes: Uint8Array): void {
    let at = 0;
    if (this.#used > 0) {
      at = Math.min(SALSA20_BLOCK_BYTES - this.#used, bytes.length);
      for (let i = 0; i < at; i++) bytes[i] ^= this.#partial[this.#used + i];
      this.#used += at;
      if (this.#used < SALSA20_BLOCK_BYTES) return;
      this.#used = 0;
      this.#block++;
    }
    const rest = (bytes.length - at) % SALSA20_BLOCK_BYTES;
    const end = bytes.length - rest;
    if (end > at) {
      this.#applyWhole(bytes.subarray(at, end));
      this.#block += (end - at) / SALSA20_BLOCK_BYTES;
    }
    if (rest > 0) {
      this.#partial.fill(0);
      this.#applyWhole(this.#partial);
      for (let i = 0; i < rest; i++) bytes[end + i] ^= this.#partial[i];
      this.#used = rest;
    }
  }

  /** XOR whole blocks, the first of which is `#block`. */
  #applyWhole(bytes: Uint8Array): void {
    const left = Math.max(0, NOBLE_BLOCKS - this.#block) * SALSA20_BLOCK_BYTES;
    const noble = bytes.subarray(0, left);
    if (noble.length > 0) salsa20(this.#key, this.#nonce, noble, noble, this.#block);
    if (noble.length === bytes.length) return;
    const block = new Uint8Array(SALSA20_BLOCK_BYTES);
    for (let at = noble.length; at < bytes.length; at += SALSA20_BLOCK_BYTES) {
      salsa20Block(this.#state, this.#block + at / SALSA20_BLOCK_BYTES, block);
      for (let i = 0; i < SALSA20_BLOCK_BYTES; i++) bytes[at + i] ^= block[i];
    }
  }
}

/** HSalsa20: the key for Salsa20 under the last 8 bytes of the 24-byte nonce. */
export function subkey(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const derived = new Uint32Array(8);
  hsalsa(SIGMA, words(key), words(nonce.subarray(0, 16)), derived);
  return new Uint8Array(derived.buffer);
}

/** The bytes as words in memory's own order, copied so that they are aligned. */
function words(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(new Uint8Array(bytes).buffer);
}

/** As `nobleBackend.keystream`, from the start of a later block on. */
export function nobleKeystreamAt(key: Uint8Array, nonce: Uint8Array, block: number): Keystream {
  return new NobleKeystream(key, nonce, block);
}

export const nobleBackend: CryptoBackend = {
  name: "noble",

  hash(pieces: readonly Uint8Array[], options?: HashOptions): Uint8Array {
    const hasher = blake2b.create(
      options === undefined ? PLAIN : {
        dkLen: HASH_BYTES,
        key: options.key,
        salt: options.salt,
        personalization: options.personal,
      },
    );
    for (const piece of pieces) hasher.update(piece);
    return hasher.digest();
  },

  keystream(key: Uint8Array, nonce: Uint8Array): Keystream {
    return new NobleKeystream(key, nonce, 0);
  },
};
