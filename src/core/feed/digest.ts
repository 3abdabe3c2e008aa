/**
 * The `nodes` digest of a Request: which nodes on the way from a block to the roots the requester
 * holds already, so that the answer can leave them out. Source: spec of replication, sections 6, 7.
 *
 * Bit 0: the highest bit names a node of the path itself (1) or a sibling of the path (0).
 * Bits 1, 2, 3 …: "I hold the sibling of the path's node at depth 0, 1, 2 …".
 *
 * 0 is "I hold nothing"; 1 is "I need nothing but the value". A digest has up to 53 bits and is a
 * plain number, so none of this uses 32-bit operators.
 */
import { blocksUpTo, fullRoots, isLeft, leftSpan, parent, sibling } from "./flat_tree.ts";
import type { FeedReader } from "./reader.ts";

/** What a digest is made from and read against. */
type HeldNodes = Pick<FeedReader, "hasNode" | "length">;

/** The highest bit a digest may have as a safe integer. */
const TOP_BIT = 2 ** 52;

/** The digest to send with a Request for `block`. */
export function requestDigest(feed: HeldNodes, block: number): number {
  let node = 2 * block;
  if (feed.hasNode(node)) return 1;
  let digest = 0;
  for (let bit = 2; bit < TOP_BIT; bit *= 2) {
    if (feed.hasNode(sibling(node))) digest += bit;
    node = parent(node);
    if (feed.hasNode(node)) {
      digest += 2 * bit + 1;
      // Every bit set: each step up to a trusted node can be taken with what is here.
      return digest + 1 === 4 * bit ? 1 : digest;
    }
    if (reachesBeyond(node, feed.length)) break;
  }
  return digest;
}

/**
 * The nodes that `digest`, sent for `block`, says the remote holds; those above the top of our own
 * tree are left out. Added to `known`, which may remember earlier digests of the same remote.
 */
export function addKnownNodes(
  known: Set<number>,
  feed: HeldNodes,
  request: { readonly block: number; readonly digest: number },
): void {
  const endsInPath = request.digest % 2 === 1;
  let rest = Math.floor(request.digest / 2);
  let node = 2 * request.block;
  while (rest > 0 && !reachesBeyond(node, feed.length)) {
    if (rest === 1 && endsInPath) {
      addWithParents(known, node);
      // Whoever verified this node has verified the roots to its left as well.
      const left = isLeft(node) ? node : sibling(node);
      for (const root of fullRoots(blocksUpTo(left))) {
        if (feed.hasNode(root)) addWithParents(known, root);
      }
      return;
    }
    if (rest % 2 === 1) addWithParents(known, sibling(node));
    node = parent(node);
    rest = Math.floor(rest / 2);
  }
}

/** Whoever holds two siblings holds their parent. */
function addWithParents(known: Set<number>, index: number): void {
  known.add(index);
  while (known.has(sibling(index))) {
    index = parent(index);
    known.add(index);
  }
}

/** Whether the node covers the whole feed and more: nothing on its path is complete. */
function reachesBeyond(index: number, length: number): boolean {
  return leftSpan(index) === 0 && blocksUpTo(index) > length;
}
