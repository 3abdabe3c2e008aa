/**
 * The backend of one small WebAssembly module, many times as fast as JavaScript: `wasm/` is its
 * source. What is rare is left to noble: hashes with a salt, and the step from XSalsa20 to Salsa20.
 */
import { equalBytes, fromHex } from "../base/bytes.ts";
import type { CryptoBackend, HashOptions, Keystream } from "./backend.ts";
import { CRYPTO_MODULE } from "./crypto_module.ts";
import { nobleBackend, subkey } from "./noble.ts";
import { Rooms } from "./rooms.ts";
import { SALSA20_BLOCK_BYTES, salsa20State } from "./salsa20.ts";

/** What `wasm/crypto.ts` exports. */
interface CryptoModule {
  readonly memory: WebAssembly.Memory;
  /** Where bytes go in and come out, and how many of them. */
  dataAt(): number;
  dataBytes(): number;
  /** Where the hash comes out. */
  hashAt(): number;
  /** Where the state of a keystream goes in. */
  wordsAt(): number;
  begin(keyBytes: number): void;
  absorb(at: number, end: number): void;
  finish(bytes: number): void;
  keystream(at: number, end: number, blockLow: number, blockHigh: number): void;
}

const HASH_BYTES = 32;
const BLAKE2B_BLOCK_BYTES = 128;
const MAX_KEY_BYTES = 64;
const NO_OPTIONS: HashOptions = {};

/** Blocks of the keystream that the module makes at once, in bytes. */
const KEYSTREAM_STEP = 4 * SALSA20_BLOCK_BYTES;

/** What the module itself uses of its memory: two pages. */
const OWN_BYTES = 128 * 1024;

/** BLAKE2b-256 of `proof`, as noble makes both: it comes out only if hash and keystream are right. */
const PROOF_HASH = fromHex("0db5bbaaa705b50aded060b015293faf77c31abbd01a069970e1c44d3e9f86e0");

/**
 * The backend, or undefined where the module does not run or does not compute what it should: an
 * old processor without vectors, a runtime without WebAssembly.
 */
export function openWasmBackend(): CryptoBackend | undefined {
  try {
    const backend = new WasmBackend(openModule());
    return equalBytes(backend.hash([proof(backend)]), PROOF_HASH) ? backend : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The module, ready to run. It is text in the program and compiled at once, in about a millisecond:
 * imported as a module of its own it would make everything that hashes wait for it.
 *
 * @throws {WebAssembly.CompileError} If this machine cannot run it.
 */
export function openModule(): CryptoModule {
  const compiled = new WebAssembly.Module(Uint8Array.fromBase64(CRYPTO_MODULE));
  return new WebAssembly.Instance(compiled).exports as unknown as CryptoModule;
}

/** The first 1,000 bytes of a Salsa20 keystream, in three pieces. */
function proof(backend: WasmBackend): Uint8Array {
  const numbers = Uint8Array.from({ length: 40 }, (_, at) => at);
  const keystream = backend.salsa20(numbers.subarray(0, 32), numbers.subarray(32), 0);
  const bytes = new Uint8Array(1000);
  keystream.apply(bytes.subarray(0, 1));
  keystream.apply(bytes.subarray(1, 300));
  keystream.apply(bytes.subarray(300));
  return bytes;
}

export class WasmBackend implements CryptoBackend {
  readonly name = "wasm";
  readonly rooms: Rooms;
  readonly #module: CryptoModule;
  /** What the module works on. Its memory does not grow, so that these views stay good. */
  readonly #data: Uint8Array;
  readonly #dataAt: number;
  readonly #hash: Uint8Array;
  readonly #words: Uint32Array;

  constructor(module: CryptoModule) {
    this.#module = module;
    const { buffer } = module.memory;
    this.#data = new Uint8Array(buffer, module.dataAt(), module.dataBytes());
    this.#hash = new Uint8Array(buffer, module.hashAt(), HASH_BYTES);
    this.#words = new Uint32Array(buffer, module.wordsAt(), 16);
    this.#dataAt = module.dataAt();
    this.rooms = new Rooms(buffer, OWN_BYTES);
  }

  hash(pieces: readonly Uint8Array[], options?: HashOptions): Uint8Array {
    const { key, salt, personal } = options ?? NO_OPTIONS;
    const keyBytes = key?.length ?? 0;
    if (salt !== undefined || personal !== undefined || keyBytes > MAX_KEY_BYTES) {
      return nobleBackend.hash(pieces, options);
    }
    const module = this.#module;
    const data = this.#data;
    module.begin(keyBytes);
    let filled = 0;
    if (key !== undefined && keyBytes > 0) {
      data.fill(0, key.length, BLAKE2B_BLOCK_BYTES);
      data.set(key);
      filled = BLAKE2B_BLOCK_BYTES;
    }
    for (const piece of pieces) {
      let rest = piece;
      if (rest.length > 2 * BLAKE2B_BLOCK_BYTES && this.rooms.holds(rest)) {
        rest = this.#absorbInPlace(rest, filled);
        filled = 0;
      }
      // What just fits waits for more: the last of it is hashed in another way.
      while (rest.length > data.length - filled) {
        const room = data.length - filled;
        data.set(rest.subarray(0, room), filled);
        module.absorb(this.#dataAt, this.#dataAt + data.length);
        rest = rest.subarray(room);
        filled = 0;
      }
      data.set(rest, filled);
      filled += rest.length;
    }
    module.finish(filled);
    return this.#hash.slice();
  }

  /**
   * Hash what waits in the data, and these bytes where they lie, but for a rest that is not empty.
   *
   * @returns The rest.
   */
  #absorbInPlace(bytes: Uint8Array, filled: number): Uint8Array {
    const gap = (BLAKE2B_BLOCK_BYTES - filled % BLAKE2B_BLOCK_BYTES) % BLAKE2B_BLOCK_BYTES;
    this.#data.set(bytes.subarray(0, gap), filled);
    this.#module.absorb(this.#dataAt, this.#dataAt + filled + gap);
    const left = bytes.length - gap - 1;
    const end = gap + left - left % BLAKE2B_BLOCK_BYTES;
    this.#module.absorb(bytes.byteOffset + gap, bytes.byteOffset + end);
    return bytes.subarray(end);
  }

  keystream(key: Uint8Array, nonce: Uint8Array): Keystream {
    return this.keystreamAt(key, nonce, 0);
  }

  /** As `keystream`, from the start of a later block on. */
  keystreamAt(key: Uint8Array, nonce: Uint8Array, block: number): Keystream {
    return this.salsa20(subkey(key, nonce), nonce.subarray(16), block);
  }

  /** The keystream under a key made from those: `key` 32 bytes, `nonce` 8 bytes. */
  salsa20(key: Uint8Array, nonce: Uint8Array, block: number): Keystream {
    const state = salsa20State(key, nonce);
    let at = block * SALSA20_BLOCK_BYTES;
    const apply = (bytes: Uint8Array) => {
      for (let rest = bytes; rest.length > 0;) {
        const count = this.#xor(rest, state, at);
        at += count;
        rest = rest.subarray(count);
      }
    };
    return { apply };
  }

  /** XOR as much as fits into the module with the keystream from its byte `at` on. */
  #xor(bytes: Uint8Array, state: Uint32Array, at: number): number {
    const used = at % SALSA20_BLOCK_BYTES;
    const block = (at - used) / SALSA20_BLOCK_BYTES;
    this.#words.set(state);
    let room = this.#data.length - used;
    if (bytes.length >= KEYSTREAM_STEP && this.rooms.holds(bytes)) {
      if (used === 0) return this.#xorInPlace(bytes, block);
      room = SALSA20_BLOCK_BYTES - used;
    }
    const count = Math.min(bytes.length, room);
    // The module starts at a block: the used part of the first one falls on bytes of no meaning.
    this.#data.set(count === bytes.length ? bytes : bytes.subarray(0, count), used);
    this.#module.keystream(this.#dataAt, this.#dataAt + used + count, block, block / 2 ** 32);
    bytes.set(this.#data.subarray(used, used + count));
    return count;
  }

  #xorInPlace(bytes: Uint8Array, block: number): number {
    const count = bytes.length - bytes.length % KEYSTREAM_STEP;
    const at = bytes.byteOffset;
    this.#module.keystream(at, at + count, block, block / 2 ** 32);
    return count;
  }
}
