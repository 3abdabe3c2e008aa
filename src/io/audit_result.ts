/** What a check of a feed on disk is given, and what comes of it. */
import type { RangeSet } from "../base/ranges.ts";
import type { BlockSpan } from "../core/feed/block_store.ts";
import type { TreeNode } from "../core/feed/node.ts";
import type { HeaderFault } from "./raw_feed.ts";

/** Where the bytes of a block are looked for. */
export type BlockPlace = "final" | "staged";

/** The bytes of a feed's blocks, as far as somebody knows where they should be. */
export interface AuditedBlocks {
  /** The bytes at a block's place, or undefined if they cannot be read in full. */
  read(span: BlockSpan, place: BlockPlace): Uint8Array | undefined;
  /**
   * Where the block lies by what else is known of it, should the tree not tell. `byteOffset` is where
   * the tree says it begins, if it says so.
   */
  hint?(block: number, byteOffset: number | undefined): BlockSpan | undefined;
  /** Whether a block that is not marked as held may be there all the same. */
  mayHold(block: number): boolean;
}

export interface AuditOptions {
  readonly publicKey: Uint8Array;
  readonly blocks: AuditedBlocks;
  /**
   * Told of every block whose bytes are known, in order. They are not kept. `turned`: one bit of
   * them is wrong on disk and was put right here.
   */
  readonly onBlock?: (
    block: number,
    bytes: Uint8Array,
    about: { readonly byteOffset: number; readonly turned: boolean },
  ) => void;
  /** Whether to try if a single bit turned in a small block that is bad, which takes a while. */
  readonly turnsBlocks: boolean;
  /** Told before block `block` where it begins, in bytes of the feed, if the tree knows. */
  readonly onOffset?: (block: number, byteOffset: number | undefined) => void;
  /** How many blocks of how many were looked at. */
  readonly onProgress?: (blocks: number, total: number) => void;
}

/** What is true of a feed, and what is wrong. Node and block numbers are below `length`. */
export interface FeedAudit {
  readonly faults: readonly HeaderFault[];
  /** Blocks that the newest good signature is for; what the bits say if no signature is good. */
  readonly length: number;
  /** Blocks, as the bits say. */
  readonly bitsLength: number;
  /** The newest length whose signature's slot is not blank. */
  readonly claimedLength: number;
  /** Whether a signature proves `length`, or there is nothing to prove. */
  readonly proven: boolean;
  /**
   * Whether everything up to what the bits say is known to be what it was, though maybe no signature
   * proves it: each node follows from those below, up to the roots.
   */
  readonly resignable: boolean;
  /** The roots of `length`, as they should be; undefined if one is not known. */
  readonly roots: readonly TreeNode[] | undefined;
  /** Held blocks and marked nodes that were looked at, and signatures that are not blank. */
  readonly counts: { blocks: number; nodes: number; signatures: number };
  /** Blocks that should be here and whose bytes are missing or wrong. */
  readonly badBlocks: RangeSet;
  /** Blocks that are here and not marked so. */
  readonly unmarkedBlocks: RangeSet;
  /** Of the bad blocks the right bytes, where the block is small and a single bit had turned. */
  readonly turnedBlocks: ReadonlyMap<number, Uint8Array>;
  /** Nodes whose slot is blank or wrong. Those in `fixes` have their right values there. */
  readonly badNodes: RangeSet;
  readonly fixes: ReadonlyMap<number, TreeNode>;
  readonly unmarkedNodes: RangeSet;
  /** Lengths whose signature is bad, or about roots that are not here. */
  readonly badSignatures: RangeSet;
  /** Of these the right ones, where a single bit had turned. */
  readonly turnedSignatures: ReadonlyMap<number, Uint8Array>;
  /** Marked as held beyond `length`, or in a part of the tree that does not exist. */
  readonly strayBlocks: RangeSet;
  readonly strayNodes: RangeSet;
}
