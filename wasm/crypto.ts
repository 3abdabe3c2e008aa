/**
 * The fast hash and the fast keystream, as one module; `src/crypto/wasm.ts` says how it is used.
 * AssemblyScript, not Deno's TypeScript: `deno task wasm` compiles it.
 */
import { absorb as absorbBlocks, begin, finish as finishHash } from "./blake2b";
import { apply, WORDS } from "./salsa20";

export { begin };

/** Bytes worked on at once: a block of 64 KiB and what is hashed in front of it, in 512s. */
const DATA_BYTES: i32 = 66048;

const DATA: usize = memory.data(DATA_BYTES, 16);
const HASH: usize = memory.data(32, 16);

/** Where callers put what is hashed, encrypted or decrypted, and how much of it. */
export function dataAt(): usize {
  return DATA;
}

export function dataBytes(): i32 {
  return DATA_BYTES;
}

/** Where `finish` leaves the hash. */
export function hashAt(): usize {
  return HASH;
}

/** Where callers put the sixteen words of Salsa20 before `keystream`. */
export function wordsAt(): usize {
  return WORDS;
}

/** Hash the bytes from `at` up to `end`, a multiple of 128; more follows. */
export function absorb(at: usize, end: usize): void {
  absorbBlocks(at, end);
}

/** Hash the first `length` bytes of the data; there is no more. */
export function finish(length: i32): void {
  finishHash(DATA, length, HASH);
}

/**
 * XOR the bytes from `at` up to `end`, and others behind them up to a multiple of 256, with the
 * keystream from the start of a block on, whose number is given in two halves.
 */
export function keystream(at: usize, end: usize, low: u32, high: u32): void {
  apply(at, end, (<u64> high << 32) | <u64> low);
}
