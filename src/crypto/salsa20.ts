/**
 * One block of Salsa20 with its full 64-bit block counter. noble's Salsa20 ends at 32 bits, which is
 * 256 GiB into a connection; from there on `noble.ts` goes on with this. Source: D. J. Bernstein,
 * "Salsa20 specification"; HSalsa20 turns a 24-byte nonce into the key used here.
 */

/** Bytes of a keystream block. */
export const SALSA20_BLOCK_BYTES = 64;

/** "expand 32-byte k" as four little-endian words: the diagonal of the state. */
export const SIGMA = Uint32Array.of(0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574);

/** Which four words each quarter round mixes: first down the columns, then along the rows. */
const QUARTERS = [
  [0, 4, 8, 12],
  [5, 9, 13, 1],
  [10, 14, 2, 6],
  [15, 3, 7, 11],
  [0, 1, 2, 3],
  [5, 6, 7, 4],
  [10, 11, 8, 9],
  [15, 12, 13, 14],
] as const;

/** The 16 words that go into a block, but for its number: a 32-byte key and an 8-byte nonce. */
export function salsa20State(key: Uint8Array, nonce: Uint8Array): Uint32Array {
  const keyWords = new DataView(key.buffer, key.byteOffset, 32);
  const nonceWords = new DataView(nonce.buffer, nonce.byteOffset, 8);
  const state = new Uint32Array(16);
  for (let word = 0; word < 4; word++) {
    state[5 * word] = SIGMA[word];
    state[1 + word] = keyWords.getUint32(4 * word, true);
    state[11 + word] = keyWords.getUint32(16 + 4 * word, true);
  }
  state[6] = nonceWords.getUint32(0, true);
  state[7] = nonceWords.getUint32(4, true);
  return state;
}

/** Write keystream block number `block` (0 to 2^53 - 1) into the first 64 bytes of `into`. */
export function salsa20Block(state: Uint32Array, block: number, into: Uint8Array): void {
  state[8] = block >>> 0;
  state[9] = Math.floor(block / 0x1_0000_0000);
  const x = Int32Array.from(state);
  for (let round = 0; round < 20; round += 2) {
    for (const [a, b, c, d] of QUARTERS) {
      x[b] ^= rotateLeft(x[a] + x[d], 7);
      x[c] ^= rotateLeft(x[b] + x[a], 9);
      x[d] ^= rotateLeft(x[c] + x[b], 13);
      x[a] ^= rotateLeft(x[d] + x[c], 18);
    }
  }
  const words = new DataView(into.buffer, into.byteOffset, SALSA20_BLOCK_BYTES);
  for (let word = 0; word < 16; word++) words.setUint32(4 * word, x[word] + state[word], true);
}

function rotateLeft(value: number, bits: number): number {
  return value << bits | (value | 0) >>> (32 - bits);
}
