/** Where the bytes of a feed's blocks lie, seen from the feed: a `data` file, or working files. */

/** A block's place in the feed's data. */
export interface BlockSpan {
  readonly block: number;
  /** Where the block begins, counted from the first byte of the feed. */
  readonly byteOffset: number;
  /** Bytes. */
  readonly size: number;
}

/** Blocks [start, end). */
export interface BlockRange {
  readonly start: number;
  readonly end: number;
}

export interface BlockStore {
  /** The bytes of a block, or undefined if they cannot be read in full. Not yet verified. */
  read(span: BlockSpan): Uint8Array | undefined;

  /** Nobody uses bytes that `read` gave any more, so they may be read into again. */
  recycle?(bytes: Uint8Array): void;

  /**
   * Take verified bytes; they may wait in memory until `flush`. Answers where they will lie:
   * `final` is the place where every Dat program looks for them, `staged` is a private one.
   */
  write(span: BlockSpan, bytes: Uint8Array): "final" | "staged";

  /** Hand everything that `write` took to the operating system. */
  flush(): void;

  /**
   * Move what is complete from its private place to its final one. Returns the blocks that are
   * final from now on. Called after the tree and the staged bits of those blocks are on disk.
   */
  settle(): readonly BlockRange[];

  /** The feed gave up these blocks, bytes [byteOffset, byteEnd). May free their space. */
  clear(range: BlockRange, byteOffset: number, byteEnd: number): void;

  /** Return once everything flushed has reached the disk. */
  sync(): void;

  close(): void;
}
