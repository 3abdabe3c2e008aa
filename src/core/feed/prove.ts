/**
 * Answering a Request: which nodes, and whether a signature, tie a block to the feed's key for a
 * remote that holds what its digest says. Source: spec of replication, section 7.
 */
import { addKnownNodes } from "./digest.ts";
import { blocksUpTo, depth, fullRoots, indexAt, isLeft, parent, sibling } from "./flat_tree.ts";
import type { TreeNode } from "./node.ts";
import type { BlockRequest, FeedReader, Proof } from "./reader.ts";

/** The part of a feed that proofs are made from. */
export type ProofSource = Pick<FeedReader, "hasNode" | "node" | "length" | "signature">;

/**
 * The nodes in the order a verifier consumes them: the leaf if only hashes were asked for, the
 * siblings from the leaf upwards, then the other full roots from left to right.
 *
 * @param knownByRemote Nodes the remote's earlier digests spoke of; grows by this one. Without it
 * every Request stands for itself.
 * @returns undefined if the feed cannot answer: no such leaf here, or no signature that covers it.
 */
export function prove(
  feed: ProofSource,
  request: BlockRequest,
  knownByRemote: Set<number> = new Set(),
): Proof | undefined {
  let node = 2 * request.block;
  const leaf = feed.node(node);
  if (leaf === undefined) return undefined;
  const nodes: TreeNode[] = request.hashOnly ? [leaf] : [];
  if (request.digest === 1) return { nodes };

  addKnownNodes(knownByRemote, feed, request);
  while (!knownByRemote.has(node)) {
    const beside = sibling(node);
    if (!knownByRemote.has(beside)) {
      const held = feed.node(beside);
      if (held === undefined) return proveRoot(feed, node, { nodes, knownByRemote });
      nodes.push(held);
    } else if (!feed.hasNode(beside)) {
      return proveRoot(feed, node, { nodes, knownByRemote });
    }
    node = parent(node);
  }
  return { nodes };
}

/** Finish a proof whose climb ended at `top`, a node without a sibling here. */
function proveRoot(
  feed: ProofSource,
  top: number,
  { nodes, knownByRemote }: { nodes: TreeNode[]; knownByRemote: ReadonlySet<number> },
): Proof | undefined {
  // A right child is never a root. To hold one without its left sibling is a damaged tree.
  if (!isLeft(top)) return undefined;
  const length = verifyingLength(feed, top);
  const signature = feed.signature(length);
  if (signature === undefined) return undefined;
  for (const root of fullRoots(length)) {
    if (root === top || knownByRemote.has(root)) continue;
    const held = feed.node(root);
    if (held === undefined) return undefined;
    nodes.push(held);
  }
  return { nodes, signature };
}

/**
 * The length, in blocks, of the tree that has `root` among its full roots, as far as the nodes held
 * here reach. The feed's length if every node is here; maybe an older length in a sparse copy.
 */
function verifyingLength(feed: ProofSource, root: number): number {
  let length = blocksUpTo(root);
  for (let height = depth(root) - 1; height >= 0; height--) {
    const width = 2 ** height;
    if (feed.hasNode(indexAt(height, length / width))) length += width;
  }
  return length;
}
