/**
 * Putting a feed's files in order after a crash or damage. Source: spec of storage, section 14.
 *
 * A commit writes bytes, nodes, signature and bits, in this order. So bits may lag behind what they
 * speak of, and a signature above the length is a commit that was cut off: rolling forward
 * completes it. Bits that say more than any signature proves are damage: rolling back gives up what
 * cannot be proven.
 */
import { equalBytes } from "../base/bytes.ts";
import { StorageError } from "../base/errors.ts";
import { parentOf } from "../core/feed/append.ts";
import type { BlockStore } from "../core/feed/block_store.ts";
import {
  blocksBelow,
  depth,
  leftChild,
  leftSpan,
  parent,
  rightChild,
} from "../core/feed/flat_tree.ts";
import type { TreeNode } from "../core/feed/node.ts";
import { BLOCKS_PER_PAGE } from "../core/sleep/bitfield_page.ts";
import { leafHash, rootHash } from "../crypto/hash.ts";
import { verify } from "../crypto/sign.ts";
import type { SleepFiles } from "./sleep_files.ts";

/** What opening a feed had to do. Lengths in blocks. */
export type Recovery =
  /** The files agreed. */
  | { readonly kind: "none" }
  /** The newest commit was completed: the bits had `from`, signatures prove `to`. */
  | { readonly kind: "forward"; readonly from: number; readonly to: number }
  /** The files once held `from` blocks, of which signatures prove `to`. */
  | { readonly kind: "back"; readonly from: number; readonly to: number };

interface Damaged {
  readonly name: string;
  readonly files: SleepFiles;
  readonly blocks: BlockStore;
  readonly publicKey: Uint8Array;
  /** Whether we hold the secret key, so that two histories could come of this. */
  readonly writable: boolean;
}

const HINT = "run trove repair, restore the archive's files from a copy, or clone it again";

/**
 * Find the length that is proven, and make the bits in memory agree with it. Nothing is written.
 *
 * @throws {StorageError} If the files hold more than an empty feed and nothing of it is proven.
 */
export function recoverFeed(feed: Damaged): { length: number; recovery: Recovery } {
  const { files, writable } = feed;
  const length = files.lengthFromBits();
  const proven = length === 0 || proves(feed, length);
  // A reader may trust its bits. Who could append must know of everything ever signed.
  const newest = writable || !proven || length === 0
    ? newestSignature(feed, length)
    : { proven: 0, claimed: 0 };

  if (newest.proven > length) {
    const to = newest.proven;
    mendFeed(feed, to);
    const recovery: Recovery = writable && newest.claimed > to
      ? { kind: "back", from: newest.claimed, to }
      : { kind: "forward", from: length, to };
    return { length: to, recovery };
  }
  if (proven) {
    if (writable && newest.claimed > 0) {
      if (length === 0) throw unproven(feed.name, newest.claimed);
      return { length, recovery: { kind: "back", from: newest.claimed, to: length } };
    }
    if (!isWhole(feed, length)) mendFeed(feed, length);
    return { length, recovery: { kind: "none" } };
  }
  let to = Math.min(length - 1, files.signatureSlots());
  while (to > 0 && !proves(feed, to)) to--;
  if (to === 0) throw unproven(feed.name, length);
  dropAfter(files, to);
  if (!isWhole(feed, to)) mendFeed(feed, to);
  return { length: to, recovery: { kind: "back", from: Math.max(length, newest.claimed), to } };
}

function unproven(name: string, blocks: number): StorageError {
  return new StorageError(
    `Cannot open the feed in "${name}": it held ${blocks} blocks and no signature proves any`,
    { hint: HINT },
  );
}

/** Whether the signature of a length is there and good for the roots that are there. */
function proves({ files, publicKey }: Damaged, length: number): boolean {
  const signature = files.signature(length);
  if (signature === undefined) return false;
  const roots = files.storedRoots(length);
  return roots !== undefined && verify(rootHash(roots), signature, publicKey);
}

/**
 * The largest length above `length` that a signature proves, or 0; and the largest whose signature
 * is there without the nodes it is about, or 0. A signature is written after its nodes, so the
 * second cannot come from a crash, while a bad signature over good nodes is one that was cut off.
 */
function newestSignature(feed: Damaged, length: number): { proven: number; claimed: number } {
  let claimed = 0;
  for (let at = feed.files.signatureSlots(); at > length; at--) {
    if (feed.files.signature(at) === undefined) continue;
    if (proves(feed, at)) return { proven: at, claimed };
    if (claimed === 0 && feed.files.storedRoots(at) === undefined) claimed = at;
  }
  return { proven: 0, claimed };
}

/**
 * Whether no bit is missing below a proven length. Asked of a feed of our own only: its tree has no
 * holes, and the bit of its last leaf is written after all others.
 */
function isWhole({ files, writable }: Damaged, length: number): boolean {
  return !writable || length === 0 || files.bitfield.hasNode(2 * (length - 1));
}

/** Set the bits of everything that hangs together with the roots of a proven length. */
function mendFeed({ files, blocks }: Damaged, length: number): void {
  let byteOffset = 0;
  for (const root of files.storedRoots(length) ?? []) {
    mendBelow(files, blocks, root, byteOffset);
    byteOffset += root.size;
  }
}

/** `node` is trusted and begins at `byteOffset` of the feed's data. */
function mendBelow(
  files: SleepFiles,
  blocks: BlockStore,
  node: TreeNode,
  byteOffset: number,
): void {
  const { bitfield } = files;
  const first = leftSpan(node.index) / 2;
  // Data bits come before tree bits in a page, so a leaf that has its bit needs no second look.
  const inOnePage = blocksBelow(node.index) <= BLOCKS_PER_PAGE;
  const settled = inOnePage && bitfield.hasLeaves(first, first + blocksBelow(node.index));
  bitfield.setNode(node.index, true);
  if (settled) return;
  if (depth(node.index) === 0) {
    // Where blocks may be staged, finding bytes does not tell in which place they lie. The block
    // stays missing, until somebody who knows calls `FeedStore.markHeld`.
    if (files.staged !== undefined) return;
    const bytes = blocks.read({ block: first, byteOffset, size: node.size });
    if (bytes !== undefined && equalBytes(leafHash(bytes), node.hash)) {
      bitfield.setBlock(first, true);
    }
    return;
  }
  const left = files.storedNode(leftChild(node.index)!);
  const right = files.storedNode(rightChild(node.index)!);
  if (left === undefined || right === undefined) return;
  if (!equalBytes(parentOf(left, right).hash, node.hash)) return;
  mendBelow(files, blocks, left, byteOffset);
  mendBelow(files, blocks, right, byteOffset + left.size);
}

/** Clear the bits of everything that is not below the roots of `length` blocks. */
function dropAfter({ bitfield }: SleepFiles, length: number): void {
  bitfield.clearFrom(length);
  // Nodes left of the cut that reach across it are the parents of the first leaf beyond it.
  let index = 2 * length;
  while (leftSpan(index) > 0 || index < bitfield.nodeCount) {
    bitfield.setNode(index, false);
    index = parent(index);
  }
}
