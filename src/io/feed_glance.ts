/** What can be said of a feed on disk without reading its blocks. */
import { RangeSet } from "../base/ranges.ts";
import { fullRoots, leftSpan, parent } from "../core/feed/flat_tree.ts";
import { BLOCKS_PER_PAGE } from "../core/sleep/bitfield_page.ts";
import { rootHash } from "../crypto/hash.ts";
import { verify } from "../crypto/sign.ts";
import type { FeedAudit } from "./audit_result.ts";
import type { RawFeed } from "./raw_feed.ts";

/**
 * A glance at a feed: its length by the bits, and whether the newest signature is good for the roots
 * of that length. No block is read.
 */
export function glanceAtFeed(raw: RawFeed, publicKey: Uint8Array): FeedAudit {
  const bitsLength = raw.lengthFromBits();
  const claimedLength = raw.newestSignature();
  const proves = (length: number) => {
    const signature = raw.signature(length);
    const roots = signature && raw.roots(length);
    return roots !== undefined && verify(rootHash(roots), signature!, publicKey);
  };
  const badSignatures = new RangeSet();
  let length = Math.max(bitsLength, claimedLength);
  while (length > 0 && !proves(length)) {
    if (raw.signature(length) !== undefined) badSignatures.add(length, length + 1);
    length--;
  }
  const badNodes = new RangeSet();
  for (const index of fullRoots(bitsLength)) {
    if (raw.node(index) === undefined) badNodes.add(index, index + 1);
  }
  const proven = length > 0 || bitsLength === 0 && claimedLength === 0;
  return {
    faults: raw.faults,
    length: length > 0 ? length : bitsLength,
    bitsLength,
    claimedLength,
    proven,
    resignable: false,
    roots: raw.roots(length),
    counts: {
      blocks: 0,
      nodes: fullRoots(length).length,
      signatures: claimedLength > 0 ? 1 : 0,
    },
    badBlocks: new RangeSet(),
    unmarkedBlocks: new RangeSet(),
    turnedBlocks: new Map(),
    badNodes,
    fixes: new Map(),
    unmarkedNodes: new RangeSet(),
    badSignatures,
    turnedSignatures: new Map(),
    strayBlocks: strayBlocks(raw, length),
    strayNodes: strayNodes(raw, length),
  };
}

/** Drop the nodes that a feed of this length has not. */
export function dropBeyond(set: RangeSet, length: number): void {
  set.remove(2 * length, Number.MAX_SAFE_INTEGER);
  for (const index of crossing(length)) set.remove(index, index + 1);
}

/** The nodes left of the end that reach across it: parents that are not complete. */
function* crossing(length: number): Generator<number> {
  for (let index = 2 * length; leftSpan(index) > 0 || index < 2 * length;) {
    index = parent(index);
    if (index < 2 * length) yield index;
    if (leftSpan(index) === 0) return;
  }
}

/** Blocks that are marked as held beyond the end. */
export function strayBlocks({ bitfield }: RawFeed, length: number): RangeSet {
  const found = new RangeSet();
  const end = bitfield.pageCount * BLOCKS_PER_PAGE;
  for (let at = bitfield.nextBlock(length, end, true); at !== -1;) {
    found.add(at, at + 1);
    at = bitfield.nextBlock(at + 1, end, true);
  }
  return found;
}

/** Nodes that are marked as held and that a feed of this length has not. */
export function strayNodes({ bitfield }: RawFeed, length: number): RangeSet {
  const found = new RangeSet();
  for (const index of crossing(length)) if (bitfield.hasNode(index)) found.add(index, index + 1);
  for (let page = Math.floor(length / BLOCKS_PER_PAGE); page < bitfield.pageCount; page++) {
    const from = Math.max(2 * length, 2 * page * BLOCKS_PER_PAGE);
    for (let index = from; index < 2 * (page + 1) * BLOCKS_PER_PAGE; index++) {
      if (bitfield.hasNode(index)) found.add(index, index + 1);
    }
  }
  return found;
}
