/**
 * What peers see of a feed of one archive among many: should its files fail, it holds nothing any
 * more and its owner is told, and the other archives go on.
 */
import { LocalProtocolError } from "../base/errors.ts";
import type { TreeNode } from "../core/feed/node.ts";
import type { FeedReader } from "../core/feed/reader.ts";

export interface GuardedReaderOptions {
  /**
   * Whether the feed is one of our own, although it was not opened for writing: peers who have more
   * of it are then told of as for any owner.
   */
  readonly owned?: boolean;
  /** Whether its blocks can be read yet; until then none is here. */
  readonly isReady?: () => boolean;
  /** Called when its files cannot be read. May be called in the middle of a step of the core. */
  readonly onFailure: (error: unknown) => void;
}

export class GuardedReader implements FeedReader {
  readonly publicKey: Uint8Array;
  readonly discoveryKey: Uint8Array;
  readonly writable: boolean;
  readonly #feed: FeedReader;
  readonly #options: GuardedReaderOptions;
  #failed = false;

  constructor(feed: FeedReader, options: GuardedReaderOptions) {
    this.publicKey = feed.publicKey;
    this.discoveryKey = feed.discoveryKey;
    this.writable = options.owned === true || feed.writable;
    this.#feed = feed;
    this.#options = options;
  }

  get length(): number {
    return this.#feed.length;
  }

  get byteLength(): number {
    return this.#feed.byteLength;
  }

  hasBlock(block: number): boolean {
    return this.#holds && this.#ask(() => this.#feed.hasBlock(block), false);
  }

  nextMissing(from: number, to: number): number {
    const none = from < to ? from : -1;
    return this.#holds ? this.#ask(() => this.#feed.nextMissing(from, to), none) : none;
  }

  nextHeld(from: number, to: number): number {
    return this.#holds ? this.#ask(() => this.#feed.nextHeld(from, to), -1) : -1;
  }

  countHeld(from: number, to: number): number {
    return this.#holds ? this.#ask(() => this.#feed.countHeld(from, to), 0) : 0;
  }

  hasNode(treeIndex: number): boolean {
    return this.#ask(() => this.#feed.hasNode(treeIndex), false);
  }

  node(treeIndex: number): TreeNode | undefined {
    return this.#ask(() => this.#feed.node(treeIndex), undefined);
  }

  signature(length: number): Uint8Array | undefined {
    return this.#ask(() => this.#feed.signature(length), undefined);
  }

  get #holds(): boolean {
    return !this.#failed && this.#options.isReady?.() !== false;
  }

  #ask<T>(question: () => T, otherwise: T): T {
    if (this.#failed) return otherwise;
    try {
      return question();
    } catch (error) {
      if (error instanceof LocalProtocolError) throw error;
      this.#failed = true;
      this.#options.onFailure(error);
      return otherwise;
    }
  }
}
