/**
 * The one place that chooses who hashes and who makes the keystream.
 *
 * Every backend gives the same bytes; they differ in speed alone. noble is always correct and is
 * the oracle the others are tested against. Callers import `hash.ts` and `keystream.ts` and never
 * learn which backend answers.
 */
import { nobleBackend } from "./noble.ts";
import type { Rooms } from "./rooms.ts";
import { openWasmBackend } from "./wasm.ts";

/** XORs a stream with the XSalsa20 keystream, from byte 0 on, across calls of any length. */
export interface Keystream {
  /** XOR `bytes` in place and advance by their length. */
  apply(bytes: Uint8Array): void;
}

/** Extra inputs of BLAKE2b, each absent or of the length BLAKE2b wants. */
export interface HashOptions {
  /** Up to 64 bytes. */
  readonly key?: Uint8Array;
  /** 16 bytes. */
  readonly salt?: Uint8Array;
  /** 16 bytes. */
  readonly personal?: Uint8Array;
}

export interface CryptoBackend {
  readonly name: string;
  /** Buffers that it works in without copies, if it has any. */
  readonly rooms?: Rooms;
  /** BLAKE2b with 32-byte output over the pieces in order, without joining or keeping them. */
  hash(pieces: readonly Uint8Array[], options?: HashOptions): Uint8Array;
  /** `key` 32 bytes, `nonce` 24 bytes. */
  keystream(key: Uint8Array, nonce: Uint8Array): Keystream;
}

/** Chosen when something is to be hashed for the first time: whoever hashes nothing need not wait. */
let current: CryptoBackend | undefined;

/** The backend in use. */
export function cryptoBackend(): CryptoBackend {
  return current ??= openWasmBackend() ?? nobleBackend;
}

/** Use `backend` from here on. Called once at start, before any feed is opened. */
export function selectBackend(backend: CryptoBackend): void {
  current = backend;
}
