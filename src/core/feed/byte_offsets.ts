/** Between block numbers and positions in a feed's bytes. Source: spec of storage, section 7. */
import { fullRoots, leftChild, rightChild } from "./flat_tree.ts";
import type { FeedReader } from "./reader.ts";

type Nodes = Pick<FeedReader, "node">;

/**
 * Where `block` begins, counted in bytes from the start of the feed: the size of the full roots
 * before it. They are held for every proven block, and for the feed's length.
 *
 * @returns undefined if one of those roots is not held.
 */
export function byteOffsetOf(feed: Nodes, block: number): number | undefined {
  let offset = 0;
  for (const root of fullRoots(block)) {
    const node = feed.node(root);
    if (node === undefined) return undefined;
    offset += node.size;
  }
  return offset;
}

/**
 * `byteOffsetOf` for many blocks of one feed: going from a block to the next costs one node. To be
 * asked about blocks that are here; what it remembers stays true, for nothing before them changes.
 */
export class ByteOffsets {
  readonly #feed: Nodes;
  #block = 0;
  #offset = 0;

  constructor(feed: Nodes) {
    this.#feed = feed;
  }

  /** As `byteOffsetOf`. */
  of(block: number): number | undefined {
    if (block === this.#block) return this.#offset;
    const offset = this.#fromLast(block) ?? byteOffsetOf(this.#feed, block);
    if (offset !== undefined) {
      this.#block = block;
      this.#offset = offset;
    }
    return offset;
  }

  #fromLast(block: number): number | undefined {
    if (block !== this.#block + 1) return undefined;
    const leaf = this.#feed.node(2 * this.#block);
    return leaf === undefined ? undefined : this.#offset + leaf.size;
  }
}

/** A block, and a position in it. */
export interface BytePosition {
  readonly block: number;
  /** Bytes from the start of the block. */
  readonly offset: number;
}

/**
 * Which block holds the feed's byte `byteOffset`.
 *
 * @returns undefined at and beyond the end of the feed, and where the nodes held here do not reach
 * down to the leaf.
 */
export function blockAtByte(
  feed: Pick<FeedReader, "node" | "length">,
  byteOffset: number,
): BytePosition | undefined {
  // Even if block 0 is empty and byte 0 belongs to a later one.
  if (byteOffset === 0 && feed.length > 0) return { block: 0, offset: 0 };
  let rest = byteOffset;
  for (const root of fullRoots(feed.length)) {
    const node = feed.node(root);
    if (node === undefined) return undefined;
    if (rest < node.size) return descend(feed, root, rest);
    rest -= node.size;
  }
  return undefined;
}

function descend(feed: Nodes, root: number, offset: number): BytePosition | undefined {
  let index = root;
  let rest = offset;
  while (true) {
    const left = leftChild(index);
    const right = rightChild(index);
    if (left === undefined || right === undefined) return { block: index / 2, offset: rest };
    const node = feed.node(left);
    if (node === undefined) return undefined;
    if (rest < node.size) {
      index = left;
    } else {
      rest -= node.size;
      index = right;
    }
  }
}
