/**
 * Index arithmetic of the flat in-order tree: leaves (blocks) are the even numbers, block b is node
 * 2b; parents are odd and lie between their children. Source: spec of storage, section 3.
 *
 * ```
 *                 7
 *         3               11
 *     1       5       9        13
 *   0   2   4   6   8   10   12   14      <- tree indexes
 *   0   1   2   3   4    5    6    7      <- blocks
 * ```
 *
 * Every function takes indexes up to 2^53 - 1. Those below 2^30 go through 32-bit operators, the
 * others through arithmetic on doubles, which is exact as long as the result is a safe integer.
 */

/** Most blocks a feed may have, so that every index inside its tree is a safe integer. */
export const MAX_BLOCKS = 2 ** 52;

const FAST = 0x4000_0000;

/** Height above the leaves: the number of trailing one bits. */
export function depth(index: number): number {
  if (index < FAST) return 31 - Math.clz32(~index & (index + 1));
  const low = index % FAST;
  return low === FAST - 1 ? 30 + depth(Math.floor(index / FAST)) : depth(low);
}

/** Position among the nodes of the same depth, from the left. */
export function offset(index: number): number {
  return Math.floor(index / (2 * 2 ** depth(index)));
}

/** The node at a depth and offset. */
export function indexAt(depth: number, offset: number): number {
  return (1 + 2 * offset) * 2 ** depth - 1;
}

/** Whether the node is the left child of its parent. */
export function isLeft(index: number): boolean {
  return offset(index) % 2 === 0;
}

/** The node above. */
export function parent(index: number): number {
  if (index < FAST) {
    const step = ~index & (index + 1); // 2^depth: the lowest zero bit
    return (index & (2 * step)) === 0 ? index + step : index - step;
  }
  const step = 2 ** depth(index);
  return Math.floor(index / (2 * step)) % 2 === 0 ? index + step : index - step;
}

/** The other child of the node's parent. */
export function sibling(index: number): number {
  if (index < FAST) {
    const step = ~index & (index + 1);
    return (index & (2 * step)) === 0 ? index + 2 * step : index - 2 * step;
  }
  const step = 2 ** depth(index);
  return Math.floor(index / (2 * step)) % 2 === 0 ? index + 2 * step : index - 2 * step;
}

/** The child on the left, or undefined for a leaf. */
export function leftChild(index: number): number | undefined {
  const height = depth(index);
  return height === 0 ? undefined : index - 2 ** (height - 1);
}

/** The child on the right, or undefined for a leaf. */
export function rightChild(index: number): number | undefined {
  const height = depth(index);
  return height === 0 ? undefined : index + 2 ** (height - 1);
}

/** Tree index of the leftmost leaf below the node. */
export function leftSpan(index: number): number {
  return index - (2 ** depth(index) - 1);
}

/** Tree index of the rightmost leaf below the node. */
export function rightSpan(index: number): number {
  return index + (2 ** depth(index) - 1);
}

/** How many blocks lie below the node. */
export function blocksBelow(index: number): number {
  return 2 ** depth(index);
}

/** How many blocks a feed needs for the node to be complete, with all of its leaves there. */
export function blocksUpTo(index: number): number {
  return rightSpan(index) / 2 + 1;
}

/**
 * The roots of the largest complete subtrees that together cover a feed of `length` blocks, from
 * left to right: the order in which they are hashed.
 */
export function fullRoots(length: number): number[] {
  const roots: number[] = [];
  let start = 0; // in blocks
  let rest = length;
  let power = largestPowerOf2(rest);
  while (rest > 0) {
    if (power <= rest) {
      roots.push(2 * start + power - 1);
      start += power;
      rest -= power;
    }
    power /= 2;
  }
  return roots;
}

/** The largest power of two that is at most `count`; 1 for 0. */
function largestPowerOf2(count: number): number {
  if (count < FAST) return 1 << (31 - Math.clz32(count | 1));
  let power = FAST;
  while (2 * power <= count) power *= 2;
  return power;
}
