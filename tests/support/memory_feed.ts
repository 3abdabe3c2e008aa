/** A feed in memory: the real tree logic over Maps, for tests and simulations. */
import { toHex } from "../../src/base/bytes.ts";
import { appendBlocks, totalSize } from "../../src/core/feed/append.ts";
import { fullRoots } from "../../src/core/feed/flat_tree.ts";
import type { TreeNode } from "../../src/core/feed/node.ts";
import type { FeedReader, VerifiedBlock } from "../../src/core/feed/reader.ts";
import { discoveryKey, rootHash } from "../../src/crypto/hash.ts";
import { keyPair, sign } from "../../src/crypto/sign.ts";

export class MemoryFeed implements FeedReader {
  readonly publicKey: Uint8Array;
  readonly discoveryKey: Uint8Array;
  readonly nodes = new Map<number, TreeNode>();
  readonly blocks = new Map<number, Uint8Array>();
  readonly signatures = new Map<number, Uint8Array>();
  readonly #secretKey?: Uint8Array;
  #length = 0;

  /** A feed that learns its blocks from others. */
  constructor(publicKey: Uint8Array, secretKey?: Uint8Array) {
    this.publicKey = publicKey;
    this.#secretKey = secretKey;
    this.discoveryKey = discoveryKey(publicKey);
  }

  /** A feed of our own, its key made from one number. */
  static owned(seed = 1): MemoryFeed {
    const { publicKey, secretKey } = keyPair(new Uint8Array(32).fill(seed));
    return new MemoryFeed(publicKey, secretKey);
  }

  get length(): number {
    return this.#length;
  }

  get byteLength(): number {
    return totalSize(this.#roots());
  }

  get writable(): boolean {
    return this.#secretKey !== undefined;
  }

  /** Append a batch of blocks under one signature. */
  append(...blocks: Uint8Array[]): this {
    if (this.#secretKey === undefined) throw new Error(`Cannot append to ${toHex(this.publicKey)}`);
    const { nodes, roots, length } = appendBlocks(this.#roots(), this.#length, blocks);
    for (const node of nodes) this.nodes.set(node.index, node);
    for (const [at, block] of blocks.entries()) this.blocks.set(this.#length + at, block);
    this.signatures.set(length, sign(rootHash(roots), this.#secretKey));
    this.#length = length;
    return this;
  }

  /** Take what `verifyData` proved. */
  store({ block, value, nodes, signed }: VerifiedBlock): void {
    for (const node of nodes) this.nodes.set(node.index, node);
    if (value !== undefined) this.blocks.set(block, value);
    if (signed === undefined) return;
    this.signatures.set(signed.length, signed.signature);
    this.#length = Math.max(this.#length, signed.length);
  }

  /** Forget the bytes of a block; its hash stays. */
  clear(block: number): void {
    this.blocks.delete(block);
  }

  block(block: number): Uint8Array | undefined {
    return this.blocks.get(block);
  }

  hasBlock(block: number): boolean {
    return this.blocks.has(block);
  }

  nextMissing(from: number, to: number): number {
    for (let block = from; block < to; block++) if (!this.blocks.has(block)) return block;
    return -1;
  }

  nextHeld(from: number, to: number): number {
    for (let block = from; block < to; block++) if (this.blocks.has(block)) return block;
    return -1;
  }

  countHeld(from: number, to: number): number {
    let count = 0;
    for (const block of this.blocks.keys()) if (block >= from && block < to) count++;
    return count;
  }

  hasNode(treeIndex: number): boolean {
    return this.nodes.has(treeIndex);
  }

  node(treeIndex: number): TreeNode | undefined {
    return this.nodes.get(treeIndex);
  }

  signature(length: number): Uint8Array | undefined {
    return this.signatures.get(length);
  }

  #roots(): TreeNode[] {
    return fullRoots(this.#length).map((index) => this.nodes.get(index)!);
  }
}
