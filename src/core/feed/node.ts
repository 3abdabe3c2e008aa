/** One node of a feed's Merkle tree, and its form in a `tree` file. */
import { readUint64BE, writeUint64BE } from "../../base/bytes.ts";
import { HASH_BYTES } from "../../crypto/hash.ts";

/**
 * A node, named by its flat-tree `index` (block n is node 2n). `size` is the number of bytes of
 * data below it; `hash` is 32 bytes.
 */
export interface TreeNode {
  readonly index: number;
  readonly hash: Uint8Array;
  readonly size: number;
}

/**
 * Bytes of a stored node: hash (32), size (uint64, most significant byte first). All zero means
 * there is no node; an empty block has size 0 and a hash. Source: spec of storage, section 5.
 */
export const NODE_BYTES = HASH_BYTES + 8;

/** Write the `NODE_BYTES` of a node at `at`. */
export function writeNode(into: Uint8Array, at: number, node: TreeNode): void {
  into.set(node.hash, at);
  writeUint64BE(into, at + HASH_BYTES, node.size);
}

/**
 * Read node `index` from its `NODE_BYTES` at `at`, or undefined if the slot is blank, cut short, or
 * damaged so that its size is none. The hash is a copy.
 */
export function readNode(from: Uint8Array, at: number, index: number): TreeNode | undefined {
  const end = at + NODE_BYTES;
  if (end > from.length) return undefined;
  let used = at;
  while (used < end && from[used] === 0) used++;
  if (used === end) return undefined;
  const size = readUint64BE(from, at + HASH_BYTES);
  // No feed has so many bytes: the slot is damaged, and as good as blank.
  if (!Number.isSafeInteger(size)) return undefined;
  return { index, hash: new Uint8Array(from.subarray(at, at + HASH_BYTES)), size };
}
