/** One node of a feed's Merkle tree. */

/**
 * A node, named by its flat-tree `index` (block n is node 2n). `size` is the number of bytes of
 * data below it; `hash` is 32 bytes.
 */
export interface TreeNode {
  readonly index: number;
  readonly hash: Uint8Array;
  readonly size: number;
}
