/**
 * A feed of our own as peers get to see it: up to the length that was published last. What was
 * appended since may not be on disk yet, and who heard of it would be told something else if it got
 * lost. Source: spec of storage, section 14.
 */
import { blocksUpTo } from "../core/feed/flat_tree.ts";
import type { TreeNode } from "../core/feed/node.ts";
import type { FeedReader } from "../core/feed/reader.ts";

export class PublishedFeed implements FeedReader {
  readonly #feed: FeedReader;
  #length = 0;
  #byteLength = 0;

  /** @param feed The whole feed; nothing of it is published at first. */
  constructor(feed: FeedReader) {
    this.#feed = feed;
  }

  /** All that the feed has by now is on disk and may be known. */
  publish(): void {
    this.#length = this.#feed.length;
    this.#byteLength = this.#feed.byteLength;
  }

  get publicKey(): Uint8Array {
    return this.#feed.publicKey;
  }

  get discoveryKey(): Uint8Array {
    return this.#feed.discoveryKey;
  }

  get length(): number {
    return this.#length;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  get writable(): boolean {
    return this.#feed.writable;
  }

  hasBlock(block: number): boolean {
    return block < this.#length && this.#feed.hasBlock(block);
  }

  nextMissing(from: number, to: number): number {
    const end = Math.min(to, this.#length);
    const missing = from < end ? this.#feed.nextMissing(from, end) : -1;
    if (missing !== -1) return missing;
    const beyond = Math.max(from, end);
    return beyond < to ? beyond : -1;
  }

  nextHeld(from: number, to: number): number {
    const end = Math.min(to, this.#length);
    return from < end ? this.#feed.nextHeld(from, end) : -1;
  }

  countHeld(from: number, to: number): number {
    const end = Math.min(to, this.#length);
    return from < end ? this.#feed.countHeld(from, end) : 0;
  }

  hasNode(treeIndex: number): boolean {
    return this.#covers(treeIndex) && this.#feed.hasNode(treeIndex);
  }

  node(treeIndex: number): TreeNode | undefined {
    return this.#covers(treeIndex) ? this.#feed.node(treeIndex) : undefined;
  }

  signature(length: number): Uint8Array | undefined {
    return length <= this.#length ? this.#feed.signature(length) : undefined;
  }

  /** Whether every block below the node is published. */
  #covers(treeIndex: number): boolean {
    return blocksUpTo(treeIndex) <= this.#length;
  }
}
