// deno-fmt-ignore-file -- a line is half a step of a round, of two columns or diagonals
/**
 * The compression of BLAKE2b, RFC 7693 section 3.2. AssemblyScript, not Deno's TypeScript.
 *
 * The twelve rounds are written out: a loop that looks up which word of the message comes next takes
 * half as long again. Two messages at once in the lanes of vectors were no faster than this. What is
 * added last is what was known last, and two columns go side by side: that is 0.86 of the time.
 */

/** The chain value, eight words. */
const CHAIN: usize = memory.data(64, 16);

/** How many bytes of the message went in. */
let total: u64 = 0;

/**
 * Start the hash of a message, for 32 bytes of output. A message with a key of some bytes begins with
 * that key in a block of its own, filled up with zeros.
 */
export function begin(keyBytes: u32): void {
  total = 0;
  store<u64>(CHAIN, 0x6a09e667f3bcc908 ^ 0x01010020 ^ (<u64> keyBytes << 8), 0);
  store<u64>(CHAIN, 0xbb67ae8584caa73b, 8);
  store<u64>(CHAIN, 0x3c6ef372fe94f82b, 16);
  store<u64>(CHAIN, 0xa54ff53a5f1d36f1, 24);
  store<u64>(CHAIN, 0x510e527fade682d1, 32);
  store<u64>(CHAIN, 0x9b05688c2b3e6c1f, 40);
  store<u64>(CHAIN, 0x1f83d9abfb41bd6b, 48);
  store<u64>(CHAIN, 0x5be0cd19137e2179, 56);
}

/** Take in the blocks of 128 bytes from `at` up to `end`, none of which is the message's last. */
export function absorb(at: usize, end: usize): void {
  compress(at, end, 128, 0);
}

/** Take in the rest of the message, write the hash to `into`, and zeros behind the rest. */
export function finish(at: usize, length: usize, into: usize): void {
  const last = (max<usize>(length, 1) - 1) & ~127;
  compress(at, at + last, 128, 0);
  memory.fill(at + length, 0, 128 + last - length);
  compress(at + last, at + last + 128, length - last, ~0);
  memory.copy(into, CHAIN, 32);
}

/** Each block counts for `step` bytes; `final` is all ones for the last one. */
function compress(at: usize, end: usize, step: u64, final: u64): void {
  let h0 = load<u64>(CHAIN, 0), h1 = load<u64>(CHAIN, 8);
  let h2 = load<u64>(CHAIN, 16), h3 = load<u64>(CHAIN, 24);
  let h4 = load<u64>(CHAIN, 32), h5 = load<u64>(CHAIN, 40);
  let h6 = load<u64>(CHAIN, 48), h7 = load<u64>(CHAIN, 56);
  for (; at < end; at += 128) {
    total += step;
    let v0 = h0, v1 = h1, v2 = h2, v3 = h3, v4 = h4, v5 = h5, v6 = h6, v7 = h7;
    let v8: u64 = 0x6a09e667f3bcc908, v9: u64 = 0xbb67ae8584caa73b;
    let v10: u64 = 0x3c6ef372fe94f82b, v11: u64 = 0xa54ff53a5f1d36f1;
    let v12: u64 = 0x510e527fade682d1 ^ total, v13: u64 = 0x9b05688c2b3e6c1f;
    let v14: u64 = 0x1f83d9abfb41bd6b ^ final, v15: u64 = 0x5be0cd19137e2179;
    // Round 1: words 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15.
    v0 = v0 + load<u64>(at, 0) + v4; v1 = v1 + load<u64>(at, 16) + v5; v12 = rotr<u64>(v12 ^ v0, 32); v13 = rotr<u64>(v13 ^ v1, 32);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 24); v5 = rotr<u64>(v5 ^ v9, 24);
    v0 = v0 + load<u64>(at, 8) + v4; v1 = v1 + load<u64>(at, 24) + v5; v12 = rotr<u64>(v12 ^ v0, 16); v13 = rotr<u64>(v13 ^ v1, 16);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 63); v5 = rotr<u64>(v5 ^ v9, 63);
    v2 = v2 + load<u64>(at, 32) + v6; v3 = v3 + load<u64>(at, 48) + v7; v14 = rotr<u64>(v14 ^ v2, 32); v15 = rotr<u64>(v15 ^ v3, 32);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 24); v7 = rotr<u64>(v7 ^ v11, 24);
    v2 = v2 + load<u64>(at, 40) + v6; v3 = v3 + load<u64>(at, 56) + v7; v14 = rotr<u64>(v14 ^ v2, 16); v15 = rotr<u64>(v15 ^ v3, 16);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 63); v7 = rotr<u64>(v7 ^ v11, 63);
    v0 = v0 + load<u64>(at, 64) + v5; v1 = v1 + load<u64>(at, 80) + v6; v15 = rotr<u64>(v15 ^ v0, 32); v12 = rotr<u64>(v12 ^ v1, 32);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 24); v6 = rotr<u64>(v6 ^ v11, 24);
    v0 = v0 + load<u64>(at, 72) + v5; v1 = v1 + load<u64>(at, 88) + v6; v15 = rotr<u64>(v15 ^ v0, 16); v12 = rotr<u64>(v12 ^ v1, 16);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 63); v6 = rotr<u64>(v6 ^ v11, 63);
    v2 = v2 + load<u64>(at, 96) + v7; v3 = v3 + load<u64>(at, 112) + v4; v13 = rotr<u64>(v13 ^ v2, 32); v14 = rotr<u64>(v14 ^ v3, 32);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 24); v4 = rotr<u64>(v4 ^ v9, 24);
    v2 = v2 + load<u64>(at, 104) + v7; v3 = v3 + load<u64>(at, 120) + v4; v13 = rotr<u64>(v13 ^ v2, 16); v14 = rotr<u64>(v14 ^ v3, 16);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 63); v4 = rotr<u64>(v4 ^ v9, 63);
    // Round 2: words 14 10 4 8 9 15 13 6 1 12 0 2 11 7 5 3.
    v0 = v0 + load<u64>(at, 112) + v4; v1 = v1 + load<u64>(at, 32) + v5; v12 = rotr<u64>(v12 ^ v0, 32); v13 = rotr<u64>(v13 ^ v1, 32);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 24); v5 = rotr<u64>(v5 ^ v9, 24);
    v0 = v0 + load<u64>(at, 80) + v4; v1 = v1 + load<u64>(at, 64) + v5; v12 = rotr<u64>(v12 ^ v0, 16); v13 = rotr<u64>(v13 ^ v1, 16);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 63); v5 = rotr<u64>(v5 ^ v9, 63);
    v2 = v2 + load<u64>(at, 72) + v6; v3 = v3 + load<u64>(at, 104) + v7; v14 = rotr<u64>(v14 ^ v2, 32); v15 = rotr<u64>(v15 ^ v3, 32);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 24); v7 = rotr<u64>(v7 ^ v11, 24);
    v2 = v2 + load<u64>(at, 120) + v6; v3 = v3 + load<u64>(at, 48) + v7; v14 = rotr<u64>(v14 ^ v2, 16); v15 = rotr<u64>(v15 ^ v3, 16);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 63); v7 = rotr<u64>(v7 ^ v11, 63);
    v0 = v0 + load<u64>(at, 8) + v5; v1 = v1 + load<u64>(at, 0) + v6; v15 = rotr<u64>(v15 ^ v0, 32); v12 = rotr<u64>(v12 ^ v1, 32);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 24); v6 = rotr<u64>(v6 ^ v11, 24);
    v0 = v0 + load<u64>(at, 96) + v5; v1 = v1 + load<u64>(at, 16) + v6; v15 = rotr<u64>(v15 ^ v0, 16); v12 = rotr<u64>(v12 ^ v1, 16);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 63); v6 = rotr<u64>(v6 ^ v11, 63);
    v2 = v2 + load<u64>(at, 88) + v7; v3 = v3 + load<u64>(at, 40) + v4; v13 = rotr<u64>(v13 ^ v2, 32); v14 = rotr<u64>(v14 ^ v3, 32);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 24); v4 = rotr<u64>(v4 ^ v9, 24);
    v2 = v2 + load<u64>(at, 56) + v7; v3 = v3 + load<u64>(at, 24) + v4; v13 = rotr<u64>(v13 ^ v2, 16); v14 = rotr<u64>(v14 ^ v3, 16);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 63); v4 = rotr<u64>(v4 ^ v9, 63);
    // Round 3: words 11 8 12 0 5 2 15 13 10 14 3 6 7 1 9 4.
    v0 = v0 + load<u64>(at, 88) + v4; v1 = v1 + load<u64>(at, 96) + v5; v12 = rotr<u64>(v12 ^ v0, 32); v13 = rotr<u64>(v13 ^ v1, 32);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 24); v5 = rotr<u64>(v5 ^ v9, 24);
    v0 = v0 + load<u64>(at, 64) + v4; v1 = v1 + load<u64>(at, 0) + v5; v12 = rotr<u64>(v12 ^ v0, 16); v13 = rotr<u64>(v13 ^ v1, 16);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 63); v5 = rotr<u64>(v5 ^ v9, 63);
    v2 = v2 + load<u64>(at, 40) + v6; v3 = v3 + load<u64>(at, 120) + v7; v14 = rotr<u64>(v14 ^ v2, 32); v15 = rotr<u64>(v15 ^ v3, 32);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 24); v7 = rotr<u64>(v7 ^ v11, 24);
    v2 = v2 + load<u64>(at, 16) + v6; v3 = v3 + load<u64>(at, 104) + v7; v14 = rotr<u64>(v14 ^ v2, 16); v15 = rotr<u64>(v15 ^ v3, 16);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 63); v7 = rotr<u64>(v7 ^ v11, 63);
    v0 = v0 + load<u64>(at, 80) + v5; v1 = v1 + load<u64>(at, 24) + v6; v15 = rotr<u64>(v15 ^ v0, 32); v12 = rotr<u64>(v12 ^ v1, 32);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 24); v6 = rotr<u64>(v6 ^ v11, 24);
    v0 = v0 + load<u64>(at, 112) + v5; v1 = v1 + load<u64>(at, 48) + v6; v15 = rotr<u64>(v15 ^ v0, 16); v12 = rotr<u64>(v12 ^ v1, 16);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 63); v6 = rotr<u64>(v6 ^ v11, 63);
    v2 = v2 + load<u64>(at, 56) + v7; v3 = v3 + load<u64>(at, 72) + v4; v13 = rotr<u64>(v13 ^ v2, 32); v14 = rotr<u64>(v14 ^ v3, 32);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 24); v4 = rotr<u64>(v4 ^ v9, 24);
    v2 = v2 + load<u64>(at, 8) + v7; v3 = v3 + load<u64>(at, 32) + v4; v13 = rotr<u64>(v13 ^ v2, 16); v14 = rotr<u64>(v14 ^ v3, 16);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 63); v4 = rotr<u64>(v4 ^ v9, 63);
    // Round 4: words 7 9 3 1 13 12 11 14 2 6 5 10 4 0 15 8.
    v0 = v0 + load<u64>(at, 56) + v4; v1 = v1 + load<u64>(at, 24) + v5; v12 = rotr<u64>(v12 ^ v0, 32); v13 = rotr<u64>(v13 ^ v1, 32);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 24); v5 = rotr<u64>(v5 ^ v9, 24);
    v0 = v0 + load<u64>(at, 72) + v4; v1 = v1 + load<u64>(at, 8) + v5; v12 = rotr<u64>(v12 ^ v0, 16); v13 = rotr<u64>(v13 ^ v1, 16);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 63); v5 = rotr<u64>(v5 ^ v9, 63);
    v2 = v2 + load<u64>(at, 104) + v6; v3 = v3 + load<u64>(at, 88) + v7; v14 = rotr<u64>(v14 ^ v2, 32); v15 = rotr<u64>(v15 ^ v3, 32);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 24); v7 = rotr<u64>(v7 ^ v11, 24);
    v2 = v2 + load<u64>(at, 96) + v6; v3 = v3 + load<u64>(at, 112) + v7; v14 = rotr<u64>(v14 ^ v2, 16); v15 = rotr<u64>(v15 ^ v3, 16);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 63); v7 = rotr<u64>(v7 ^ v11, 63);
    v0 = v0 + load<u64>(at, 16) + v5; v1 = v1 + load<u64>(at, 40) + v6; v15 = rotr<u64>(v15 ^ v0, 32); v12 = rotr<u64>(v12 ^ v1, 32);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 24); v6 = rotr<u64>(v6 ^ v11, 24);
    v0 = v0 + load<u64>(at, 48) + v5; v1 = v1 + load<u64>(at, 80) + v6; v15 = rotr<u64>(v15 ^ v0, 16); v12 = rotr<u64>(v12 ^ v1, 16);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 63); v6 = rotr<u64>(v6 ^ v11, 63);
    v2 = v2 + load<u64>(at, 32) + v7; v3 = v3 + load<u64>(at, 120) + v4; v13 = rotr<u64>(v13 ^ v2, 32); v14 = rotr<u64>(v14 ^ v3, 32);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 24); v4 = rotr<u64>(v4 ^ v9, 24);
    v2 = v2 + load<u64>(at, 0) + v7; v3 = v3 + load<u64>(at, 64) + v4; v13 = rotr<u64>(v13 ^ v2, 16); v14 = rotr<u64>(v14 ^ v3, 16);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 63); v4 = rotr<u64>(v4 ^ v9, 63);
    // Round 5: words 9 0 5 7 2 4 10 15 14 1 11 12 6 8 3 13.
    v0 = v0 + load<u64>(at, 72) + v4; v1 = v1 + load<u64>(at, 40) + v5; v12 = rotr<u64>(v12 ^ v0, 32); v13 = rotr<u64>(v13 ^ v1, 32);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 24); v5 = rotr<u64>(v5 ^ v9, 24);
    v0 = v0 + load<u64>(at, 0) + v4; v1 = v1 + load<u64>(at, 56) + v5; v12 = rotr<u64>(v12 ^ v0, 16); v13 = rotr<u64>(v13 ^ v1, 16);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 63); v5 = rotr<u64>(v5 ^ v9, 63);
    v2 = v2 + load<u64>(at, 16) + v6; v3 = v3 + load<u64>(at, 80) + v7; v14 = rotr<u64>(v14 ^ v2, 32); v15 = rotr<u64>(v15 ^ v3, 32);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 24); v7 = rotr<u64>(v7 ^ v11, 24);
    v2 = v2 + load<u64>(at, 32) + v6; v3 = v3 + load<u64>(at, 120) + v7; v14 = rotr<u64>(v14 ^ v2, 16); v15 = rotr<u64>(v15 ^ v3, 16);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 63); v7 = rotr<u64>(v7 ^ v11, 63);
    v0 = v0 + load<u64>(at, 112) + v5; v1 = v1 + load<u64>(at, 88) + v6; v15 = rotr<u64>(v15 ^ v0, 32); v12 = rotr<u64>(v12 ^ v1, 32);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 24); v6 = rotr<u64>(v6 ^ v11, 24);
    v0 = v0 + load<u64>(at, 8) + v5; v1 = v1 + load<u64>(at, 96) + v6; v15 = rotr<u64>(v15 ^ v0, 16); v12 = rotr<u64>(v12 ^ v1, 16);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 63); v6 = rotr<u64>(v6 ^ v11, 63);
    v2 = v2 + load<u64>(at, 48) + v7; v3 = v3 + load<u64>(at, 24) + v4; v13 = rotr<u64>(v13 ^ v2, 32); v14 = rotr<u64>(v14 ^ v3, 32);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 24); v4 = rotr<u64>(v4 ^ v9, 24);
    v2 = v2 + load<u64>(at, 64) + v7; v3 = v3 + load<u64>(at, 104) + v4; v13 = rotr<u64>(v13 ^ v2, 16); v14 = rotr<u64>(v14 ^ v3, 16);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 63); v4 = rotr<u64>(v4 ^ v9, 63);
    // Round 6: words 2 12 6 10 0 11 8 3 4 13 7 5 15 14 1 9.
    v0 = v0 + load<u64>(at, 16) + v4; v1 = v1 + load<u64>(at, 48) + v5; v12 = rotr<u64>(v12 ^ v0, 32); v13 = rotr<u64>(v13 ^ v1, 32);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 24); v5 = rotr<u64>(v5 ^ v9, 24);
    v0 = v0 + load<u64>(at, 96) + v4; v1 = v1 + load<u64>(at, 80) + v5; v12 = rotr<u64>(v12 ^ v0, 16); v13 = rotr<u64>(v13 ^ v1, 16);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 63); v5 = rotr<u64>(v5 ^ v9, 63);
    v2 = v2 + load<u64>(at, 0) + v6; v3 = v3 + load<u64>(at, 64) + v7; v14 = rotr<u64>(v14 ^ v2, 32); v15 = rotr<u64>(v15 ^ v3, 32);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 24); v7 = rotr<u64>(v7 ^ v11, 24);
    v2 = v2 + load<u64>(at, 88) + v6; v3 = v3 + load<u64>(at, 24) + v7; v14 = rotr<u64>(v14 ^ v2, 16); v15 = rotr<u64>(v15 ^ v3, 16);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 63); v7 = rotr<u64>(v7 ^ v11, 63);
    v0 = v0 + load<u64>(at, 32) + v5; v1 = v1 + load<u64>(at, 56) + v6; v15 = rotr<u64>(v15 ^ v0, 32); v12 = rotr<u64>(v12 ^ v1, 32);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 24); v6 = rotr<u64>(v6 ^ v11, 24);
    v0 = v0 + load<u64>(at, 104) + v5; v1 = v1 + load<u64>(at, 40) + v6; v15 = rotr<u64>(v15 ^ v0, 16); v12 = rotr<u64>(v12 ^ v1, 16);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 63); v6 = rotr<u64>(v6 ^ v11, 63);
    v2 = v2 + load<u64>(at, 120) + v7; v3 = v3 + load<u64>(at, 8) + v4; v13 = rotr<u64>(v13 ^ v2, 32); v14 = rotr<u64>(v14 ^ v3, 32);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 24); v4 = rotr<u64>(v4 ^ v9, 24);
    v2 = v2 + load<u64>(at, 112) + v7; v3 = v3 + load<u64>(at, 72) + v4; v13 = rotr<u64>(v13 ^ v2, 16); v14 = rotr<u64>(v14 ^ v3, 16);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 63); v4 = rotr<u64>(v4 ^ v9, 63);
    // Round 7: words 12 5 1 15 14 13 4 10 0 7 6 3 9 2 8 11.
    v0 = v0 + load<u64>(at, 96) + v4; v1 = v1 + load<u64>(at, 8) + v5; v12 = rotr<u64>(v12 ^ v0, 32); v13 = rotr<u64>(v13 ^ v1, 32);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 24); v5 = rotr<u64>(v5 ^ v9, 24);
    v0 = v0 + load<u64>(at, 40) + v4; v1 = v1 + load<u64>(at, 120) + v5; v12 = rotr<u64>(v12 ^ v0, 16); v13 = rotr<u64>(v13 ^ v1, 16);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 63); v5 = rotr<u64>(v5 ^ v9, 63);
    v2 = v2 + load<u64>(at, 112) + v6; v3 = v3 + load<u64>(at, 32) + v7; v14 = rotr<u64>(v14 ^ v2, 32); v15 = rotr<u64>(v15 ^ v3, 32);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 24); v7 = rotr<u64>(v7 ^ v11, 24);
    v2 = v2 + load<u64>(at, 104) + v6; v3 = v3 + load<u64>(at, 80) + v7; v14 = rotr<u64>(v14 ^ v2, 16); v15 = rotr<u64>(v15 ^ v3, 16);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 63); v7 = rotr<u64>(v7 ^ v11, 63);
    v0 = v0 + load<u64>(at, 0) + v5; v1 = v1 + load<u64>(at, 48) + v6; v15 = rotr<u64>(v15 ^ v0, 32); v12 = rotr<u64>(v12 ^ v1, 32);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 24); v6 = rotr<u64>(v6 ^ v11, 24);
    v0 = v0 + load<u64>(at, 56) + v5; v1 = v1 + load<u64>(at, 24) + v6; v15 = rotr<u64>(v15 ^ v0, 16); v12 = rotr<u64>(v12 ^ v1, 16);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 63); v6 = rotr<u64>(v6 ^ v11, 63);
    v2 = v2 + load<u64>(at, 72) + v7; v3 = v3 + load<u64>(at, 64) + v4; v13 = rotr<u64>(v13 ^ v2, 32); v14 = rotr<u64>(v14 ^ v3, 32);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 24); v4 = rotr<u64>(v4 ^ v9, 24);
    v2 = v2 + load<u64>(at, 16) + v7; v3 = v3 + load<u64>(at, 88) + v4; v13 = rotr<u64>(v13 ^ v2, 16); v14 = rotr<u64>(v14 ^ v3, 16);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 63); v4 = rotr<u64>(v4 ^ v9, 63);
    // Round 8: words 13 11 7 14 12 1 3 9 5 0 15 4 8 6 2 10.
    v0 = v0 + load<u64>(at, 104) + v4; v1 = v1 + load<u64>(at, 56) + v5; v12 = rotr<u64>(v12 ^ v0, 32); v13 = rotr<u64>(v13 ^ v1, 32);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 24); v5 = rotr<u64>(v5 ^ v9, 24);
    v0 = v0 + load<u64>(at, 88) + v4; v1 = v1 + load<u64>(at, 112) + v5; v12 = rotr<u64>(v12 ^ v0, 16); v13 = rotr<u64>(v13 ^ v1, 16);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 63); v5 = rotr<u64>(v5 ^ v9, 63);
    v2 = v2 + load<u64>(at, 96) + v6; v3 = v3 + load<u64>(at, 24) + v7; v14 = rotr<u64>(v14 ^ v2, 32); v15 = rotr<u64>(v15 ^ v3, 32);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 24); v7 = rotr<u64>(v7 ^ v11, 24);
    v2 = v2 + load<u64>(at, 8) + v6; v3 = v3 + load<u64>(at, 72) + v7; v14 = rotr<u64>(v14 ^ v2, 16); v15 = rotr<u64>(v15 ^ v3, 16);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 63); v7 = rotr<u64>(v7 ^ v11, 63);
    v0 = v0 + load<u64>(at, 40) + v5; v1 = v1 + load<u64>(at, 120) + v6; v15 = rotr<u64>(v15 ^ v0, 32); v12 = rotr<u64>(v12 ^ v1, 32);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 24); v6 = rotr<u64>(v6 ^ v11, 24);
    v0 = v0 + load<u64>(at, 0) + v5; v1 = v1 + load<u64>(at, 32) + v6; v15 = rotr<u64>(v15 ^ v0, 16); v12 = rotr<u64>(v12 ^ v1, 16);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 63); v6 = rotr<u64>(v6 ^ v11, 63);
    v2 = v2 + load<u64>(at, 64) + v7; v3 = v3 + load<u64>(at, 16) + v4; v13 = rotr<u64>(v13 ^ v2, 32); v14 = rotr<u64>(v14 ^ v3, 32);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 24); v4 = rotr<u64>(v4 ^ v9, 24);
    v2 = v2 + load<u64>(at, 48) + v7; v3 = v3 + load<u64>(at, 80) + v4; v13 = rotr<u64>(v13 ^ v2, 16); v14 = rotr<u64>(v14 ^ v3, 16);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 63); v4 = rotr<u64>(v4 ^ v9, 63);
    // Round 9: words 6 15 14 9 11 3 0 8 12 2 13 7 1 4 10 5.
    v0 = v0 + load<u64>(at, 48) + v4; v1 = v1 + load<u64>(at, 112) + v5; v12 = rotr<u64>(v12 ^ v0, 32); v13 = rotr<u64>(v13 ^ v1, 32);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 24); v5 = rotr<u64>(v5 ^ v9, 24);
    v0 = v0 + load<u64>(at, 120) + v4; v1 = v1 + load<u64>(at, 72) + v5; v12 = rotr<u64>(v12 ^ v0, 16); v13 = rotr<u64>(v13 ^ v1, 16);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 63); v5 = rotr<u64>(v5 ^ v9, 63);
    v2 = v2 + load<u64>(at, 88) + v6; v3 = v3 + load<u64>(at, 0) + v7; v14 = rotr<u64>(v14 ^ v2, 32); v15 = rotr<u64>(v15 ^ v3, 32);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 24); v7 = rotr<u64>(v7 ^ v11, 24);
    v2 = v2 + load<u64>(at, 24) + v6; v3 = v3 + load<u64>(at, 64) + v7; v14 = rotr<u64>(v14 ^ v2, 16); v15 = rotr<u64>(v15 ^ v3, 16);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 63); v7 = rotr<u64>(v7 ^ v11, 63);
    v0 = v0 + load<u64>(at, 96) + v5; v1 = v1 + load<u64>(at, 104) + v6; v15 = rotr<u64>(v15 ^ v0, 32); v12 = rotr<u64>(v12 ^ v1, 32);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 24); v6 = rotr<u64>(v6 ^ v11, 24);
    v0 = v0 + load<u64>(at, 16) + v5; v1 = v1 + load<u64>(at, 56) + v6; v15 = rotr<u64>(v15 ^ v0, 16); v12 = rotr<u64>(v12 ^ v1, 16);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 63); v6 = rotr<u64>(v6 ^ v11, 63);
    v2 = v2 + load<u64>(at, 8) + v7; v3 = v3 + load<u64>(at, 80) + v4; v13 = rotr<u64>(v13 ^ v2, 32); v14 = rotr<u64>(v14 ^ v3, 32);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 24); v4 = rotr<u64>(v4 ^ v9, 24);
    v2 = v2 + load<u64>(at, 32) + v7; v3 = v3 + load<u64>(at, 40) + v4; v13 = rotr<u64>(v13 ^ v2, 16); v14 = rotr<u64>(v14 ^ v3, 16);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 63); v4 = rotr<u64>(v4 ^ v9, 63);
    // Round 10: words 10 2 8 4 7 6 1 5 15 11 9 14 3 12 13 0.
    v0 = v0 + load<u64>(at, 80) + v4; v1 = v1 + load<u64>(at, 64) + v5; v12 = rotr<u64>(v12 ^ v0, 32); v13 = rotr<u64>(v13 ^ v1, 32);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 24); v5 = rotr<u64>(v5 ^ v9, 24);
    v0 = v0 + load<u64>(at, 16) + v4; v1 = v1 + load<u64>(at, 32) + v5; v12 = rotr<u64>(v12 ^ v0, 16); v13 = rotr<u64>(v13 ^ v1, 16);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 63); v5 = rotr<u64>(v5 ^ v9, 63);
    v2 = v2 + load<u64>(at, 56) + v6; v3 = v3 + load<u64>(at, 8) + v7; v14 = rotr<u64>(v14 ^ v2, 32); v15 = rotr<u64>(v15 ^ v3, 32);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 24); v7 = rotr<u64>(v7 ^ v11, 24);
    v2 = v2 + load<u64>(at, 48) + v6; v3 = v3 + load<u64>(at, 40) + v7; v14 = rotr<u64>(v14 ^ v2, 16); v15 = rotr<u64>(v15 ^ v3, 16);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 63); v7 = rotr<u64>(v7 ^ v11, 63);
    v0 = v0 + load<u64>(at, 120) + v5; v1 = v1 + load<u64>(at, 72) + v6; v15 = rotr<u64>(v15 ^ v0, 32); v12 = rotr<u64>(v12 ^ v1, 32);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 24); v6 = rotr<u64>(v6 ^ v11, 24);
    v0 = v0 + load<u64>(at, 88) + v5; v1 = v1 + load<u64>(at, 112) + v6; v15 = rotr<u64>(v15 ^ v0, 16); v12 = rotr<u64>(v12 ^ v1, 16);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 63); v6 = rotr<u64>(v6 ^ v11, 63);
    v2 = v2 + load<u64>(at, 24) + v7; v3 = v3 + load<u64>(at, 104) + v4; v13 = rotr<u64>(v13 ^ v2, 32); v14 = rotr<u64>(v14 ^ v3, 32);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 24); v4 = rotr<u64>(v4 ^ v9, 24);
    v2 = v2 + load<u64>(at, 96) + v7; v3 = v3 + load<u64>(at, 0) + v4; v13 = rotr<u64>(v13 ^ v2, 16); v14 = rotr<u64>(v14 ^ v3, 16);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 63); v4 = rotr<u64>(v4 ^ v9, 63);
    // Round 11: words 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15.
    v0 = v0 + load<u64>(at, 0) + v4; v1 = v1 + load<u64>(at, 16) + v5; v12 = rotr<u64>(v12 ^ v0, 32); v13 = rotr<u64>(v13 ^ v1, 32);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 24); v5 = rotr<u64>(v5 ^ v9, 24);
    v0 = v0 + load<u64>(at, 8) + v4; v1 = v1 + load<u64>(at, 24) + v5; v12 = rotr<u64>(v12 ^ v0, 16); v13 = rotr<u64>(v13 ^ v1, 16);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 63); v5 = rotr<u64>(v5 ^ v9, 63);
    v2 = v2 + load<u64>(at, 32) + v6; v3 = v3 + load<u64>(at, 48) + v7; v14 = rotr<u64>(v14 ^ v2, 32); v15 = rotr<u64>(v15 ^ v3, 32);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 24); v7 = rotr<u64>(v7 ^ v11, 24);
    v2 = v2 + load<u64>(at, 40) + v6; v3 = v3 + load<u64>(at, 56) + v7; v14 = rotr<u64>(v14 ^ v2, 16); v15 = rotr<u64>(v15 ^ v3, 16);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 63); v7 = rotr<u64>(v7 ^ v11, 63);
    v0 = v0 + load<u64>(at, 64) + v5; v1 = v1 + load<u64>(at, 80) + v6; v15 = rotr<u64>(v15 ^ v0, 32); v12 = rotr<u64>(v12 ^ v1, 32);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 24); v6 = rotr<u64>(v6 ^ v11, 24);
    v0 = v0 + load<u64>(at, 72) + v5; v1 = v1 + load<u64>(at, 88) + v6; v15 = rotr<u64>(v15 ^ v0, 16); v12 = rotr<u64>(v12 ^ v1, 16);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 63); v6 = rotr<u64>(v6 ^ v11, 63);
    v2 = v2 + load<u64>(at, 96) + v7; v3 = v3 + load<u64>(at, 112) + v4; v13 = rotr<u64>(v13 ^ v2, 32); v14 = rotr<u64>(v14 ^ v3, 32);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 24); v4 = rotr<u64>(v4 ^ v9, 24);
    v2 = v2 + load<u64>(at, 104) + v7; v3 = v3 + load<u64>(at, 120) + v4; v13 = rotr<u64>(v13 ^ v2, 16); v14 = rotr<u64>(v14 ^ v3, 16);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 63); v4 = rotr<u64>(v4 ^ v9, 63);
    // Round 12: words 14 10 4 8 9 15 13 6 1 12 0 2 11 7 5 3.
    v0 = v0 + load<u64>(at, 112) + v4; v1 = v1 + load<u64>(at, 32) + v5; v12 = rotr<u64>(v12 ^ v0, 32); v13 = rotr<u64>(v13 ^ v1, 32);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 24); v5 = rotr<u64>(v5 ^ v9, 24);
    v0 = v0 + load<u64>(at, 80) + v4; v1 = v1 + load<u64>(at, 64) + v5; v12 = rotr<u64>(v12 ^ v0, 16); v13 = rotr<u64>(v13 ^ v1, 16);
    v8 += v12; v9 += v13; v4 = rotr<u64>(v4 ^ v8, 63); v5 = rotr<u64>(v5 ^ v9, 63);
    v2 = v2 + load<u64>(at, 72) + v6; v3 = v3 + load<u64>(at, 104) + v7; v14 = rotr<u64>(v14 ^ v2, 32); v15 = rotr<u64>(v15 ^ v3, 32);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 24); v7 = rotr<u64>(v7 ^ v11, 24);
    v2 = v2 + load<u64>(at, 120) + v6; v3 = v3 + load<u64>(at, 48) + v7; v14 = rotr<u64>(v14 ^ v2, 16); v15 = rotr<u64>(v15 ^ v3, 16);
    v10 += v14; v11 += v15; v6 = rotr<u64>(v6 ^ v10, 63); v7 = rotr<u64>(v7 ^ v11, 63);
    v0 = v0 + load<u64>(at, 8) + v5; v1 = v1 + load<u64>(at, 0) + v6; v15 = rotr<u64>(v15 ^ v0, 32); v12 = rotr<u64>(v12 ^ v1, 32);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 24); v6 = rotr<u64>(v6 ^ v11, 24);
    v0 = v0 + load<u64>(at, 96) + v5; v1 = v1 + load<u64>(at, 16) + v6; v15 = rotr<u64>(v15 ^ v0, 16); v12 = rotr<u64>(v12 ^ v1, 16);
    v10 += v15; v11 += v12; v5 = rotr<u64>(v5 ^ v10, 63); v6 = rotr<u64>(v6 ^ v11, 63);
    v2 = v2 + load<u64>(at, 88) + v7; v3 = v3 + load<u64>(at, 40) + v4; v13 = rotr<u64>(v13 ^ v2, 32); v14 = rotr<u64>(v14 ^ v3, 32);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 24); v4 = rotr<u64>(v4 ^ v9, 24);
    v2 = v2 + load<u64>(at, 56) + v7; v3 = v3 + load<u64>(at, 24) + v4; v13 = rotr<u64>(v13 ^ v2, 16); v14 = rotr<u64>(v14 ^ v3, 16);
    v8 += v13; v9 += v14; v7 = rotr<u64>(v7 ^ v8, 63); v4 = rotr<u64>(v4 ^ v9, 63);
    h0 ^= v0 ^ v8; h1 ^= v1 ^ v9; h2 ^= v2 ^ v10; h3 ^= v3 ^ v11;
    h4 ^= v4 ^ v12; h5 ^= v5 ^ v13; h6 ^= v6 ^ v14; h7 ^= v7 ^ v15;
  }
  store<u64>(CHAIN, h0, 0); store<u64>(CHAIN, h1, 8);
  store<u64>(CHAIN, h2, 16); store<u64>(CHAIN, h3, 24);
  store<u64>(CHAIN, h4, 32); store<u64>(CHAIN, h5, 40);
  store<u64>(CHAIN, h6, 48); store<u64>(CHAIN, h7, 56);
}
