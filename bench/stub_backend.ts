/**
 * A hash and a cipher that cost next to nothing, to measure everything else. The "hash" is a
 * function of lengths and a few sampled bytes: both sides agree on it, the Merkle bookkeeping and
 * the signatures run as ever, and nothing is protected. For the bench alone.
 */
import type { CryptoBackend, HashOptions, Keystream } from "../src/crypto/backend.ts";

/** Pieces up to this many bytes are read in full: prefixes, keys and child hashes. */
const SHORT_BYTES = 64;
/** Bytes sampled from a longer piece. */
const SAMPLES = 16;

/** Multiplier of FNV-1a, 32 bits. */
const FNV_PRIME = 0x01000193;

function mix(state: Uint32Array, word: number): void {
  for (let lane = 0; lane < state.length; lane++) {
    state[lane] = Math.imul(state[lane] ^ (word + lane), FNV_PRIME);
  }
}

function absorb(state: Uint32Array, piece: Uint8Array): void {
  mix(state, piece.length);
  const step = piece.length <= SHORT_BYTES ? 1 : Math.floor(piece.length / SAMPLES);
  for (let at = 0; at < piece.length; at += step) mix(state, piece[at]);
}

const KEYSTREAM: Keystream = { apply() {} };

export const stubBackend: CryptoBackend = {
  name: "stub",

  hash(pieces: readonly Uint8Array[], { key, salt, personal }: HashOptions = {}): Uint8Array {
    const state = new Uint32Array(8).fill(0x811c9dc5);
    for (const extra of [key, salt, personal]) if (extra) absorb(state, extra);
    for (const piece of pieces) absorb(state, piece);
    return new Uint8Array(state.buffer);
  },

  keystream: () => KEYSTREAM,
};
