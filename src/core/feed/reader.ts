/**
 * What the core may ask of a feed that lies in storage. All answers are about verified data: a node
 * or block counts as held once it was proven against the feed's key and stored.
 */
import type { TreeNode } from "./node.ts";

export interface FeedReader {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 32 bytes. */
  readonly discoveryKey: Uint8Array;
  /** Blocks covered by the newest signature we hold. Never shrinks. */
  readonly length: number;
  /** Bytes covered by the newest signature we hold. */
  readonly byteLength: number;
  /** Whether we hold the secret key. */
  readonly writable: boolean;

  /** Whether the bytes of `block` are here. */
  hasBlock(block: number): boolean;
  /** The first block in [from, to) whose bytes are not here, or -1. `to` may exceed `length`. */
  nextMissing(from: number, to: number): number;
  /** The first block in [from, to) whose bytes are here, or -1. */
  nextHeld(from: number, to: number): number;
  /** How many blocks in [from, to) are here. */
  countHeld(from: number, to: number): number;

  /** Whether the tree node is held. Cheaper than `node`. */
  hasNode(treeIndex: number): boolean;
  /** The tree node, or undefined if it is not held. */
  node(treeIndex: number): TreeNode | undefined;
  /** The 64-byte signature made when the feed had `length` blocks, or undefined. */
  signature(length: number): Uint8Array | undefined;
}

/** The part of `FeedReader` that proofs need; tests give a Map. */
export type TreeReader = Pick<FeedReader, "hasNode" | "node">;

/** A block, hash or byte range proven against the feed's key, ready to be stored. */
export interface VerifiedBlock {
  readonly block: number;
  /** Absent when only hashes were asked for. Shares memory with the message it came in. */
  readonly value?: Uint8Array;
  /** Every node to store, the leaf included; none that was held before. */
  readonly nodes: readonly TreeNode[];
  /** Present when the proof went up to signed roots. */
  readonly signed?: {
    /** Blocks covered by the signature. */
    readonly length: number;
    /** Bytes covered by the signature. */
    readonly byteLength: number;
    /** 64 bytes. */
    readonly signature: Uint8Array;
  };
}

/** A Request, as far as proofs care. Source: replication spec, sections 6 and 7. */
export interface BlockRequest {
  readonly block: number;
  /** Only hashes, no block data. */
  readonly hashOnly: boolean;
  /** The `nodes` digest; up to 53 bits are meaningful. */
  readonly digest: number;
}

/** Nodes in the order they are sent, and the signature if the proof goes up to the roots. */
export interface Proof {
  readonly nodes: readonly TreeNode[];
  readonly signature?: Uint8Array;
}
