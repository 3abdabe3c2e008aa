// deno-fmt-ignore-file -- a line is half a quarter round
/**
 * The keystream of Salsa20, four blocks at once in the lanes of vectors. AssemblyScript, not Deno's
 * TypeScript. Source: D. J. Bernstein, "Salsa20 specification".
 */

/** The sixteen words that go into a block; the block's number is put in here. */
export const WORDS: usize = memory.data(64, 16);

/** XOR the bytes from `at` up to `end` with the blocks from number `block` on, four at a time. */
export function apply(at: usize, end: usize, block: u64): void {
  for (; at < end; at += 256) {
    const low = i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(
      i32x4.splat(<u32>block), 1, <u32>(block + 1)), 2, <u32>(block + 2)), 3, <u32>(block + 3));
    const high = i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(
      i32x4.splat(upper(block)), 1, upper(block + 1)), 2, upper(block + 2)), 3, upper(block + 3));
    block += 4;
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
}

function upper(block: u64): u32 {
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
