/**
 * Growing the tree by new blocks at its end. Only complete parents exist, so a feed is summed up by
 * its full roots, and appending needs nothing else of it. Source: spec of storage, sections 3 and 11.
 */
import { type Hashed, leafHash, parentHash } from "../../crypto/hash.ts";
import { parent } from "./flat_tree.ts";
import type { TreeNode } from "./node.ts";

/** What an append adds to a feed, and the feed's new measure. */
export interface Appended {
  /** Every new node: each leaf, followed by the parents it completed. */
  readonly nodes: readonly TreeNode[];
  /** The full roots of the new length, left to right. Their `rootHash` is what gets signed. */
  readonly roots: readonly TreeNode[];
  /** Blocks. */
  readonly length: number;
  /** Bytes. */
  readonly byteLength: number;
}

/**
 * Append leaves, given as their hashes and sizes, to a feed of `length` blocks with these full
 * roots. Pure: the result's `roots` and `length` are the input of the next call, so a large import
 * can go on in pieces and be signed once at its end.
 */
export function appendLeaves(
  roots: readonly TreeNode[],
  length: number,
  leaves: readonly Hashed[],
): Appended {
  const nodes: TreeNode[] = [];
  const stack = roots.slice();
  let index = 2 * length;
  for (const { hash, size } of leaves) {
    let top: TreeNode = { index, hash, size };
    nodes.push(top);
    let left = stack[stack.length - 1];
    while (left !== undefined && parent(left.index) === parent(top.index)) {
      stack.pop();
      top = parentOf(left, top);
      nodes.push(top);
      left = stack[stack.length - 1];
    }
    stack.push(top);
    index += 2;
  }
  return { nodes, roots: stack, length: length + leaves.length, byteLength: totalSize(stack) };
}

/** The same for the blocks themselves. */
export function appendBlocks(
  roots: readonly TreeNode[],
  length: number,
  blocks: readonly Uint8Array[],
): Appended {
  const leaves = blocks.map((block) => ({ hash: leafHash(block), size: block.length }));
  return appendLeaves(roots, length, leaves);
}

/** The node above two siblings, given in any order. */
export function parentOf(a: TreeNode, b: TreeNode): TreeNode {
  return { index: parent(a.index), hash: parentHash(a, b), size: a.size + b.size };
}

/** Bytes below all of the nodes together. */
export function totalSize(nodes: readonly TreeNode[]): number {
  let size = 0;
  for (const node of nodes) size += node.size;
  return size;
}
