/** The length of a feed, which is stored nowhere. Source: spec of storage, section 8. */
import { depth, rightSpan } from "../feed/flat_tree.ts";

/**
 * How many blocks a feed has, from the tree nodes held: those below the highest node held on the
 * left edge of the tree, and below the chain of roots that goes on at its right.
 *
 * The spec says to walk the edge as long as a node's right end lies within the bits there are. The
 * working programs look one node further, and so do we: node 16383 is the last bit of the first
 * page, and the leaves on its right need no page of their own in a sparse copy.
 *
 * @param nodeCount Bits there are: no node with this index or a higher one is held.
 */
export function lengthFromTreeBits(
  hasNode: (treeIndex: number) => boolean,
  nodeCount: number,
): number {
  let top = -1;
  for (let index = 0; index < nodeCount; index = 2 * index + 1) {
    if (hasNode(index)) top = index;
  }
  if (top === -1) return 0;
  let end = rightSpan(top) + 2; // tree index of the first leaf not covered so far
  for (let height = depth(top) - 1; height >= 0; height--) {
    const root = end + 2 ** height - 1;
    if (root < nodeCount && hasNode(root)) end = root + 2 ** height + 1;
  }
  return end / 2;
}
