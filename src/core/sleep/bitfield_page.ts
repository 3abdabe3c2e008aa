/**
 * One page of a `bitfield` file: which blocks and which tree nodes are held. Bit i of a part is bit
 * i mod 8, from the most significant, of its byte i / 8.
 *
 * ```
 *   0              1024                          3072           3584 (3328 in old files)
 *   data           tree                          index
 *   8192 blocks    16384 tree nodes              summary of the data part
 * ```
 *
 * Source: spec of storage, section 8.
 */

/** Page size of new files. */
export const PAGE_BYTES = 3584;
/** Page size in files by old versions, which stays as it is. */
export const OLD_PAGE_BYTES = 3328;

export const BLOCKS_PER_PAGE = 8192;
export const NODES_PER_PAGE = 16384;

const DATA_BYTES = BLOCKS_PER_PAGE / 8;
const TREE_START = DATA_BYTES;
const INDEX_START = TREE_START + NODES_PER_PAGE / 8;
/** Bytes of the index part, apart from the last, which sums up several pages. */
const OWN_INDEX_BYTES = PAGE_BYTES - INDEX_START - 1;
const JOINT_AT = PAGE_BYTES - 1;

/** How many bits of a byte are set. */
const COUNT = new Uint8Array(256);
/** The bits at even places of a byte, as four bits. */
const EVEN_BITS = new Uint8Array(256);
/** An index byte as the four bits that go into its parent: the states of its two halves. */
const HALVES = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  COUNT[byte] = (byte & 1) + COUNT[byte >> 1];
  EVEN_BITS[byte] = (byte >> 4 & 8) | (byte >> 3 & 4) | (byte >> 2 & 2) | (byte >> 1 & 1);
  HALVES[byte] = (stateOf(byte >> 4, 15) << 2) | stateOf(byte & 15, 15);
}

/** 3: all of it is there; 0: nothing; 1: something else. */
function stateOf(part: number, whole: number): number {
  return part === 0 ? 0 : part === whole ? 3 : 1;
}

/** Whether block `at` of the page is held. */
export function hasBlockBit(page: Uint8Array, at: number): boolean {
  return (page[at >> 3] & (0x80 >> (at & 7))) !== 0;
}

/** Set or clear the bit of block `at` of the page. Answers whether that changed it. */
export function setBlockBit(page: Uint8Array, at: number, value: boolean): boolean {
  return setBit(page, at >> 3, 0x80 >> (at & 7), value);
}

/** Whether tree node `at` of the page is held. */
export function hasNodeBit(page: Uint8Array, at: number): boolean {
  return (page[TREE_START + (at >> 3)] & (0x80 >> (at & 7))) !== 0;
}

/** Set or clear the bit of tree node `at` of the page. Answers whether that changed it. */
export function setNodeBit(page: Uint8Array, at: number, value: boolean): boolean {
  return setBit(page, TREE_START + (at >> 3), 0x80 >> (at & 7), value);
}

function setBit(page: Uint8Array, byte: number, mask: number, value: boolean): boolean {
  if (((page[byte] & mask) !== 0) === value) return false;
  page[byte] ^= mask;
  return true;
}

/** Clear the bits of every block from `at` on, and of every tree node from `2 * at` on. */
export function clearBitsFrom(page: Uint8Array, at: number): void {
  clearPart(page, 0, DATA_BYTES, at);
  clearPart(page, TREE_START, INDEX_START, 2 * at);
}

function clearPart(page: Uint8Array, start: number, end: number, at: number): void {
  const byte = start + (at >> 3);
  page[byte] &= ~(0xff >> (at & 7));
  page.fill(0, byte + 1, end);
}

/** How many of the page's blocks [from, to) are held. */
export function countBlockBits(page: Uint8Array, from: number, to: number): number {
  let count = 0;
  let at = from;
  while (at < to && (at & 7) !== 0) count += hasBlockBit(page, at++) ? 1 : 0;
  for (; at + 8 <= to; at += 8) count += COUNT[page[at >> 3]];
  while (at < to) count += hasBlockBit(page, at++) ? 1 : 0;
  return count;
}

/** The first of the page's blocks [from, to) whose bit is `value`, or -1. */
export function nextBlockBit(
  page: Uint8Array,
  from: number,
  to: number,
  value: boolean,
): number {
  if (from >= to) return -1;
  const flip = value ? 0 : 0xff;
  let byte = from >> 3;
  let wanted = (page[byte] ^ flip) & (0xff >> (from & 7));
  const end = (to + 7) >> 3;
  while (wanted === 0) {
    if (++byte >= end) return -1;
    wanted = page[byte] ^ flip;
  }
  const found = 8 * byte + Math.clz32(wanted) - 24;
  return found < to ? found : -1;
}

/** The leaves of blocks 8i to 8i + 7 as eight bits: whether their tree nodes are held. */
function leafBits(page: Uint8Array, i: number): number {
  return EVEN_BITS[page[TREE_START + 2 * i]] << 4 | EVEN_BITS[page[TREE_START + 2 * i + 1]];
}

/** Whether the tree nodes of all of the page's blocks [from, to) are held. */
export function hasLeafBits(page: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at = (at | 7) + 1) {
    const rest = 0xff >> (at & 7);
    const asked = (at | 7) < to ? rest : rest & ~(0xff >> (to & 7));
    if ((leafBits(page, at >> 3) & asked) !== asked) return false;
  }
  return true;
}

/**
 * Drop the blocks whose tree node is not held in `proven` (which may be the page itself): they are
 * left from a page that was only written in part, and nothing says what they are. With `except`,
 * drop the blocks held there as well. Answers whether there were any.
 */
export function dropUnproven(
  page: Uint8Array,
  proven: Uint8Array,
  except?: Uint8Array,
): boolean {
  let dropped = false;
  for (let i = 0; i < DATA_BYTES; i++) {
    const held = page[i];
    if (held === 0) continue;
    const keep = held & leafBits(proven, i) & ~(except === undefined ? 0 : except[i]);
    if (keep === held) continue;
    page[i] = keep;
    dropped = true;
  }
  return dropped;
}

/**
 * Write the index part from the data part. Index bytes form a flat tree of bytes over all pages:
 * the even ones hold four 2-bit states of data bytes, the odd ones four states of their children's
 * halves. A page's first 511 bytes are one subtree; its last byte, `joint`, joins pages.
 *
 * In old pages the index is too short for its data; it counts as absent there and is left zero,
 * which readers take as "something may be missing here".
 */
export function writeIndex(page: Uint8Array, joint: number): void {
  if (page.length !== PAGE_BYTES) {
    page.fill(0, INDEX_START);
    return;
  }
  for (let at = 0; at < DATA_BYTES; at += 4) {
    page[INDEX_START + at / 2] = stateOf(page[at], 0xff) << 6 | stateOf(page[at + 1], 0xff) << 4 |
      stateOf(page[at + 2], 0xff) << 2 | stateOf(page[at + 3], 0xff);
  }
  for (let step = 1; step < OWN_INDEX_BYTES; step = 2 * step + 1) {
    const half = (step + 1) / 2;
    for (let at = INDEX_START + step; at < JOINT_AT; at += 2 * (step + 1)) {
      page[at] = joinIndex(HALVES[page[at - half]], HALVES[page[at + half]]);
    }
  }
  page[JOINT_AT] = joint;
}

/** An odd index byte, from the halves of its two children. */
export function joinIndex(left: number, right: number): number {
  return left << 4 | right;
}

/** What an index byte gives to its parent. */
export function halvesOf(indexByte: number): number {
  return HALVES[indexByte];
}

/** What a page gives to the byte that joins it to its sibling, from the blocks held in each half. */
export function halvesOfPage(low: number, high: number): number {
  return stateOf(low, BLOCKS_PER_PAGE / 2) << 2 | stateOf(high, BLOCKS_PER_PAGE / 2);
}

/** The index part of a page, sharing its memory. */
export function indexPart(page: Uint8Array): Uint8Array {
  return page.subarray(INDEX_START);
}

/** Where the index part of a page begins, in bytes from the page's first. */
export const INDEX_OFFSET = INDEX_START;
