// deno-fmt-ignore-file -- a line is half a quarter round
/**
 * The keystream of Salsa20, four blocks at once in the lanes of vectors. AssemblyScript, not Deno's
 * TypeScript. Source: D. J. Bernstein, "Salsa20 specification".
 */

/** The sixteen words that go into a block; the block's number is put in here. */
export const WORDS: usize = memory.data(64, 16);

/** XOR the bytes from `at` up to `end` with the blocks from number `block` on, four or eight at a time. */
export function apply(at: usize, end: usize, block: u64): void {
  for (; at + 256 < end; at += 512) {
    applyEight(at, block);
    block += 8;
  }
  if (at < end) applyFour(at, block);
}

/** One vector waits for the one before: two groups of four blocks give the processor enough to do. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function applyEight(at: usize, block: u64): void {
  const low = lower(block), high = upper(block);
  const nextLow = lower(block + 4), nextHigh = upper(block + 4);
  let x0 = word(0), x1 = word(4), x2 = word(8), x3 = word(12);
  let x4 = word(16), x5 = word(20), x6 = word(24), x7 = word(28);
  let x8 = low, x9 = high, x10 = word(40), x11 = word(44);
  let x12 = word(48), x13 = word(52), x14 = word(56), x15 = word(60);
  let y0 = word(0), y1 = word(4), y2 = word(8), y3 = word(12);
  let y4 = word(16), y5 = word(20), y6 = word(24), y7 = word(28);
  let y8 = nextLow, y9 = nextHigh, y10 = word(40), y11 = word(44);
  let y12 = word(48), y13 = word(52), y14 = word(56), y15 = word(60);
  for (let round = 0; round < 20; round += 2) {
    // Columns, of one group and the other.
    x4 = mix(x4, x0, x12, 7); x8 = mix(x8, x4, x0, 9);
    x12 = mix(x12, x8, x4, 13); x0 = mix(x0, x12, x8, 18);
    x9 = mix(x9, x5, x1, 7); x13 = mix(x13, x9, x5, 9);
    x1 = mix(x1, x13, x9, 13); x5 = mix(x5, x1, x13, 18);
    x14 = mix(x14, x10, x6, 7); x2 = mix(x2, x14, x10, 9);
    x6 = mix(x6, x2, x14, 13); x10 = mix(x10, x6, x2, 18);
    x3 = mix(x3, x15, x11, 7); x7 = mix(x7, x3, x15, 9);
    x11 = mix(x11, x7, x3, 13); x15 = mix(x15, x11, x7, 18);
    y4 = mix(y4, y0, y12, 7); y8 = mix(y8, y4, y0, 9);
    y12 = mix(y12, y8, y4, 13); y0 = mix(y0, y12, y8, 18);
    y9 = mix(y9, y5, y1, 7); y13 = mix(y13, y9, y5, 9);
    y1 = mix(y1, y13, y9, 13); y5 = mix(y5, y1, y13, 18);
    y14 = mix(y14, y10, y6, 7); y2 = mix(y2, y14, y10, 9);
    y6 = mix(y6, y2, y14, 13); y10 = mix(y10, y6, y2, 18);
    y3 = mix(y3, y15, y11, 7); y7 = mix(y7, y3, y15, 9);
    y11 = mix(y11, y7, y3, 13); y15 = mix(y15, y11, y7, 18);
    // Rows.
    x1 = mix(x1, x0, x3, 7); x2 = mix(x2, x1, x0, 9);
    x3 = mix(x3, x2, x1, 13); x0 = mix(x0, x3, x2, 18);
    x6 = mix(x6, x5, x4, 7); x7 = mix(x7, x6, x5, 9);
    x4 = mix(x4, x7, x6, 13); x5 = mix(x5, x4, x7, 18);
    x11 = mix(x11, x10, x9, 7); x8 = mix(x8, x11, x10, 9);
    x9 = mix(x9, x8, x11, 13); x10 = mix(x10, x9, x8, 18);
    x12 = mix(x12, x15, x14, 7); x13 = mix(x13, x12, x15, 9);
    x14 = mix(x14, x13, x12, 13); x15 = mix(x15, x14, x13, 18);
    y1 = mix(y1, y0, y3, 7); y2 = mix(y2, y1, y0, 9);
    y3 = mix(y3, y2, y1, 13); y0 = mix(y0, y3, y2, 18);
    y6 = mix(y6, y5, y4, 7); y7 = mix(y7, y6, y5, 9);
    y4 = mix(y4, y7, y6, 13); y5 = mix(y5, y4, y7, 18);
    y11 = mix(y11, y10, y9, 7); y8 = mix(y8, y11, y10, 9);
    y9 = mix(y9, y8, y11, 13); y10 = mix(y10, y9, y8, 18);
    y12 = mix(y12, y15, y14, 7); y13 = mix(y13, y12, y15, 9);
    y14 = mix(y14, y13, y12, 13); y15 = mix(y15, y14, y13, 18);
  }
  put(at, plus(x0, 0), plus(x1, 4), plus(x2, 8), plus(x3, 12));
  put(at + 16, plus(x4, 16), plus(x5, 20), plus(x6, 24), plus(x7, 28));
  put(at + 32, i32x4.add(x8, low), i32x4.add(x9, high), plus(x10, 40), plus(x11, 44));
  put(at + 48, plus(x12, 48), plus(x13, 52), plus(x14, 56), plus(x15, 60));
  put(at + 256, plus(y0, 0), plus(y1, 4), plus(y2, 8), plus(y3, 12));
  put(at + 272, plus(y4, 16), plus(y5, 20), plus(y6, 24), plus(y7, 28));
  put(at + 288, i32x4.add(y8, nextLow), i32x4.add(y9, nextHigh), plus(y10, 40), plus(y11, 44));
  put(at + 304, plus(y12, 48), plus(y13, 52), plus(y14, 56), plus(y15, 60));
}

function applyFour(at: usize, block: u64): void {
  const low = lower(block), high = upper(block);
  let x0 = word(0), x1 = word(4), x2 = word(8), x3 = word(12);
  let x4 = word(16), x5 = word(20), x6 = word(24), x7 = word(28);
  let x8 = low, x9 = high, x10 = word(40), x11 = word(44);
  let x12 = word(48), x13 = word(52), x14 = word(56), x15 = word(60);
  for (let round = 0; round < 20; round += 2) {
    // Columns.
    x4 = mix(x4, x0, x12, 7); x8 = mix(x8, x4, x0, 9);
    x12 = mix(x12, x8, x4, 13); x0 = mix(x0, x12, x8, 18);
    x9 = mix(x9, x5, x1, 7); x13 = mix(x13, x9, x5, 9);
    x1 = mix(x1, x13, x9, 13); x5 = mix(x5, x1, x13, 18);
    x14 = mix(x14, x10, x6, 7); x2 = mix(x2, x14, x10, 9);
    x6 = mix(x6, x2, x14, 13); x10 = mix(x10, x6, x2, 18);
    x3 = mix(x3, x15, x11, 7); x7 = mix(x7, x3, x15, 9);
    x11 = mix(x11, x7, x3, 13); x15 = mix(x15, x11, x7, 18);
    // Rows.
    x1 = mix(x1, x0, x3, 7); x2 = mix(x2, x1, x0, 9);
    x3 = mix(x3, x2, x1, 13); x0 = mix(x0, x3, x2, 18);
    x6 = mix(x6, x5, x4, 7); x7 = mix(x7, x6, x5, 9);
    x4 = mix(x4, x7, x6, 13); x5 = mix(x5, x4, x7, 18);
    x11 = mix(x11, x10, x9, 7); x8 = mix(x8, x11, x10, 9);
    x9 = mix(x9, x8, x11, 13); x10 = mix(x10, x9, x8, 18);
    x12 = mix(x12, x15, x14, 7); x13 = mix(x13, x12, x15, 9);
    x14 = mix(x14, x13, x12, 13); x15 = mix(x15, x14, x13, 18);
  }
  put(at, plus(x0, 0), plus(x1, 4), plus(x2, 8), plus(x3, 12));
  put(at + 16, plus(x4, 16), plus(x5, 20), plus(x6, 24), plus(x7, 28));
  put(at + 32, i32x4.add(x8, low), i32x4.add(x9, high), plus(x10, 40), plus(x11, 44));
  put(at + 48, plus(x12, 48), plus(x13, 52), plus(x14, 56), plus(x15, 60));
}

/** The lower halves of the numbers of four blocks. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function lower(block: u64): v128 {
  return i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(
    i32x4.splat(<u32>block), 1, <u32>(block + 1)), 2, <u32>(block + 2)), 3, <u32>(block + 3));
}

/** And the upper ones. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function upper(block: u64): v128 {
  return i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(
    i32x4.splat(half(block)), 1, half(block + 1)), 2, half(block + 2)), 3, half(block + 3));
}

function half(block: u64): u32 {
  return <u32>(block >> 32);
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function word(at: usize): v128 {
  return v128.load32_splat(WORDS + at);
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function plus(x: v128, at: usize): v128 {
  return i32x4.add(x, word(at));
}

/** x XOR ((a + b) rotated left). */
// @ts-ignore: a decorator of AssemblyScript
@inline
function mix(x: v128, a: v128, b: v128, by: i32): v128 {
  const sum = i32x4.add(a, b);
  return v128.xor(v128.xor(x, i32x4.shl(sum, by)), i32x4.shr_u(sum, 32 - by));
}

/** XOR four neighbouring words of each of the four blocks; the lanes of a vector are the blocks. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function put(at: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab01 = i32x4.shuffle(a, b, 0, 4, 1, 5), ab23 = i32x4.shuffle(a, b, 2, 6, 3, 7);
  const cd01 = i32x4.shuffle(c, d, 0, 4, 1, 5), cd23 = i32x4.shuffle(c, d, 2, 6, 3, 7);
  xor(at, i64x2.shuffle(ab01, cd01, 0, 2));
  xor(at + 64, i64x2.shuffle(ab01, cd01, 1, 3));
  xor(at + 128, i64x2.shuffle(ab23, cd23, 0, 2));
  xor(at + 192, i64x2.shuffle(ab23, cd23, 1, 3));
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function xor(at: usize, x: v128): void {
  v128.store(at, v128.xor(v128.load(at), x));
}
