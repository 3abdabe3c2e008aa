/**
 * One feed on disk: its tree, signatures, bits and blocks, and the order in which they are written.
 *
 * Everything new is in memory first and visible at once; `commit` writes it: bytes, then nodes and
 * signatures, then the bits. A program killed between any two writes leaves a feed that opens and
 * verifies, short of the newest blocks at most. Source: spec of storage, sections 8 to 15.
 */
import { equalBytes, toHex } from "../base/bytes.ts";
import { LocalProtocolError, StorageError } from "../base/errors.ts";
import { totalSize } from "../core/feed/append.ts";
import type { BlockRange, BlockSpan, BlockStore } from "../core/feed/block_store.ts";
import type { TreeNode } from "../core/feed/node.ts";
import type { FeedReader, VerifiedBlock } from "../core/feed/reader.ts";
import { discoveryKey, type Hashed, leafHash } from "../crypto/hash.ts";
import { BlockPlaces } from "./block_places.ts";
import { BlockSpans } from "./block_spans.ts";
import { ClearedBlocks } from "./cleared_blocks.ts";
import { checkKeys, closeFiles, type FeedFiles, type OpenFeedOptions } from "./feed_files.ts";
import { recoverFeed, type Recovery } from "./feed_recovery.ts";
import { checkLength, signAppended, type Signed } from "./signed_append.ts";
import { SleepFiles } from "./sleep_files.ts";

export type { FeedFiles, OpenFeedOptions } from "./feed_files.ts";
export type { Recovery } from "./feed_recovery.ts";
export { MAX_BLOCK_BYTES } from "./signed_append.ts";

export class FeedStore implements FeedReader {
  readonly publicKey: Uint8Array;
  readonly discoveryKey: Uint8Array;
  /** What opening had to put in order. After `back`, see `acceptRollback`. */
  readonly recovery: Recovery;

  readonly #opened: FeedFiles;
  readonly #files: SleepFiles;
  readonly #places: BlockPlaces;
  readonly #spans: BlockSpans;
  readonly #blocks: BlockStore;
  readonly #secretKey?: Uint8Array;
  readonly #access: "read" | "write";
  #length: number;
  #byteLength: number;
  /** The full roots of `#length`, or undefined until somebody asks. */
  #roots?: readonly TreeNode[];
  readonly #cleared: ClearedBlocks;
  /** Told of blocks that are given up. */
  onCleared: ((range: BlockRange) => void) | undefined;
  #needsConsent: boolean;
  #closed = false;
  /** An append failed between its nodes and its signature: nothing of it may come to disk. */
  #isTorn = false;

  /**
   * Open a feed, or begin an empty one where there are no files. After a crash the newest commit is
   * completed; see `recovery`. The files are the store's from here on, even if this fails.
   *
   * @throws {StorageError} If the files are damaged beyond what signatures can prove.
   * @throws {UsageError} If the keys do not belong together.
   */
  static open(options: OpenFeedOptions): FeedStore {
    try {
      return new FeedStore(options);
    } catch (error) {
      closeFiles(options.files);
      throw error;
    }
  }

  private constructor({ files, publicKey, secretKey, access = "read" }: OpenFeedOptions) {
    checkKeys(publicKey, secretKey);
    this.publicKey = publicKey.slice();
    this.discoveryKey = discoveryKey(publicKey);
    this.#secretKey = access === "write" ? secretKey?.slice() : undefined;
    this.#access = access;
    this.#opened = files;
    this.#blocks = files.blocks;
    this.#files = new SleepFiles(files, access);
    this.#places = new BlockPlaces(this.#files.bitfield, this.#files.staged);
    this.#spans = new BlockSpans(this.#files);
    this.#cleared = new ClearedBlocks(this.#places, (block) => this.spanOf(block));
    if (access === "write") {
      const found = recoverFeed({
        name: files.tree.name,
        files: this.#files,
        blocks: files.blocks,
        publicKey,
        writable: this.#secretKey !== undefined,
      });
      this.#length = found.length;
      this.recovery = found.recovery;
    } else {
      this.#length = this.#files.lengthFromBits();
      this.recovery = { kind: "none" };
    }
    this.#places.tidy();
    this.#byteLength = totalSize(this.#loadRoots(files.tree.name));
    this.#needsConsent = this.recovery.kind === "back" && this.#secretKey !== undefined;
    if (access === "write" && !this.#needsConsent) this.#settleRecovery();
  }

  get length(): number {
    return this.#length;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  get writable(): boolean {
    return this.#secretKey !== undefined;
  }

  /** The nodes that together cover the feed, left to right. Their `rootHash` is what is signed. */
  get roots(): readonly TreeNode[] {
    return this.#roots ??= this.#loadRoots(toHex(this.publicKey));
  }

  hasBlock(block: number): boolean {
    return this.#places.has(block);
  }

  /** Whether the block's bytes lie where every Dat program looks for them. */
  hasFinal(block: number): boolean {
    return this.#places.hasFinal(block);
  }

  /** Whether the block's bytes lie in a private place. */
  hasStaged(block: number): boolean {
    return this.#places.hasStaged(block);
  }

  nextMissing(from: number, to: number): number {
    return this.#places.nextMissing(from, to);
  }

  nextHeld(from: number, to: number): number {
    return this.#places.nextHeld(from, to);
  }

  countHeld(from: number, to: number): number {
    return this.#places.count(from, to);
  }

  hasNode(treeIndex: number): boolean {
    return this.#files.bitfield.hasNode(treeIndex);
  }

  node(treeIndex: number): TreeNode | undefined {
    return this.#files.node(treeIndex);
  }

  signature(length: number): Uint8Array | undefined {
    return this.#files.signature(length);
  }

  /**
   * Where a block lies in the feed's data.
   *
   * @throws {StorageError} If the tree does not say: the block was never verified.
   */
  spanOf(block: number): BlockSpan {
    const span = this.#spans.of(block);
    if (span === undefined) {
      throw new StorageError(`Cannot tell where block ${block} lies: its tree nodes are missing`);
    }
    return span;
  }

  /** The bytes of a block that is held, unverified; undefined if they cannot be read in full. */
  readBlock(block: number): Uint8Array | undefined {
    if (!this.hasBlock(block)) return undefined;
    const span = this.#spans.of(block);
    return span === undefined ? undefined : this.#blocks.read(span);
  }

  /** The bytes of a block that is held and match its hash, or undefined. Changes nothing. */
  readMatching(block: number): Uint8Array | undefined {
    const bytes = this.readBlock(block);
    const leaf = this.#files.node(2 * block);
    if (bytes === undefined || leaf === undefined) return undefined;
    return equalBytes(leafHash(bytes), leaf.hash) ? bytes : undefined;
  }

  /** The bytes of a block that still match its hash. If they do not, the block is missing now. */
  readVerified(block: number): Uint8Array | undefined {
    if (!this.hasBlock(block)) return undefined;
    const bytes = this.readMatching(block);
    if (bytes === undefined) this.#places.drop(block);
    return bytes;
  }

  /** Give back bytes that `readBlock` or `readVerified` gave, so that they may be used again. */
  recycle(bytes: Uint8Array): void {
    this.#blocks.recycle?.(bytes);
  }

  /**
   * Append blocks and sign once, for the length after them. No blocks is no change.
   *
   * @param leaves Their hashes, where somebody has them already.
   * @throws {LocalProtocolError} If we do not hold the key, or a block is larger than
   * `MAX_BLOCK_BYTES`.
   */
  append(
    blocks: readonly Uint8Array[],
    leaves: readonly Hashed[] = blocks.map((b) => ({ hash: leafHash(b), size: b.length })),
  ): void {
    this.#checkWritable();
    const grown = signAppended(this, leaves, this.#secretKey!);
    const first = this.#length;
    let byteOffset = this.#byteLength;
    const places = blocks.map((bytes, i) => {
      const place = this.#blocks.write({ block: first + i, byteOffset, size: bytes.length }, bytes);
      byteOffset += bytes.length;
      return place;
    });
    this.#grow(grown, places);
  }

  /** The same for blocks whose bytes already lie in their final place. */
  appendLeaves(leaves: readonly Hashed[]): void {
    this.#checkWritable();
    this.#grow(signAppended(this, leaves, this.#secretKey!));
  }

  /**
   * Take a verified block, or verified nodes only. Its value is kept, not copied, until `commit`.
   *
   * @throws {LocalProtocolError} If the value's size is not what its leaf says.
   */
  put({ block, value, nodes, signed }: VerifiedBlock): void {
    this.#checkChangeable();
    if (signed !== undefined) checkLength(signed.length);
    for (const node of nodes) {
      // A leaf held before may come again with its size put right; see `verifyData`.
      if (this.#files.bitfield.hasNode(node.index)) this.#spans.forget();
      this.#files.putNode(node);
    }
    if (signed !== undefined) {
      this.#files.putSignature(signed.length, signed.signature);
      if (signed.length > this.#length) {
        this.#length = signed.length;
        this.#byteLength = signed.byteLength;
        this.#roots = undefined;
      }
    }
    if (value === undefined || this.hasBlock(block)) return;
    const span = this.spanOf(block);
    if (span.size !== value.length) {
      throw new LocalProtocolError(
        `Cannot store block ${block}: ${value.length} bytes, its leaf says ${span.size}`,
      );
    }
    this.#places.set(block, this.#blocks.write(span, value));
  }

  /** The block's bytes were found in their final place and match its hash. */
  markHeld(block: number): void {
    this.#checkChangeable();
    if (!this.hasNode(2 * block)) {
      throw new LocalProtocolError(`Cannot mark block ${block} as held: its hash is not known`);
    }
    this.#places.set(block, "final");
  }

  /** Give up blocks. Their nodes and the signatures stay, so that they can be had again. */
  clear(range: BlockRange): void {
    this.#checkChangeable();
    const cleared = this.#cleared.drop(range);
    if (cleared !== undefined) this.onCleared?.(cleared);
  }

  /**
   * Write everything that is new. Where blocks became final, their bits change place only after
   * their bytes did.
   *
   * @param options.durable Return only when the disk has it. A writer does this before it tells
   *   anybody of a new length: two signed histories cannot be undone.
   * After an append that failed halfway nothing is written any more, as if the process had ended there.
   *
   * @throws {StorageError} What could not be written stays in memory, for the next commit.
   */
  commit(options: { durable?: boolean } = {}): void {
    if (this.#access === "read" || this.#needsConsent || this.#isTorn) return;
    const durable = options.durable === true;
    this.#blocks.flush();
    this.#files.flushNodes();
    if (durable && this.#files.unsynced) {
      this.#blocks.sync();
      this.#files.syncNodes();
    }
    this.#files.flushBits();
    const settled = this.#blocks.settle();
    if (settled.length > 0) {
      if (durable) this.#blocks.sync();
      this.#places.settle(settled);
      this.#files.flushBits();
    }
    if (durable && this.#files.unsynced) this.#files.syncBits();
    this.#cleared.free(this.#blocks);
  }

  /**
   * Go on with the proven part after `recovery` said `back`. Until then a feed of our own takes no
   * changes: blocks after `recovery.to` were signed once and may be known to others, and signing
   * different ones in their place would split the feed for ever.
   */
  acceptRollback(): void {
    if (!this.#needsConsent) return;
    this.#needsConsent = false;
    this.#settleRecovery();
  }

  /** Compare every held block with its hash. Changes nothing. */
  audit(): { valid: number; invalid: number[] } {
    let valid = 0;
    const invalid: number[] = [];
    const end = this.#length;
    for (let block = this.nextHeld(0, end); block !== -1; block = this.nextHeld(block + 1, end)) {
      if (this.readMatching(block) === undefined) invalid.push(block);
      else valid++;
    }
    return { valid, invalid };
  }

  /** Commit, and let go of the files. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.commit();
    } finally {
      closeFiles(this.#opened);
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #loadRoots(name: string): readonly TreeNode[] {
    const roots = this.#files.storedRoots(this.#length);
    if (roots !== undefined) return roots;
    throw new StorageError(`Cannot read the tree of "${name}": roots of ${this.#length} blocks`, {
      hint: "run trove verify to see what is wrong, and trove repair to mend it",
    });
  }

  #settleRecovery(): void {
    this.#files.flushBits();
    // What an interrupted append left would stand in the way of the signatures to come.
    if (this.writable) this.#files.dropSignaturesAfter(this.#length);
  }

  /** @param places Where the new blocks lie; final unless said otherwise. */
  #grow(grown: Signed, places: readonly ("final" | "staged")[] = []): void {
    if (grown.nodes.length === 0) return;
    const first = this.#length;
    this.#files.prepare(grown.nodes, grown.length);
    this.#isTorn = true;
    for (const node of grown.nodes) this.#files.putNode(node);
    this.#files.putSignature(grown.length, grown.signature);
    this.#isTorn = false;
    for (let block = first; block < grown.length; block++) {
      this.#places.set(block, places[block - first] ?? "final");
    }
    this.#length = grown.length;
    this.#byteLength = grown.byteLength;
    this.#roots = grown.roots;
  }

  #checkChangeable(): void {
    if (this.#access === "read") {
      throw new LocalProtocolError("Cannot change a feed that was opened for reading");
    }
    if (this.#isTorn) {
      throw new StorageError("Cannot change this feed: an append to it failed halfway", {
        hint: "run the command again",
      });
    }
    if (this.#needsConsent && this.recovery.kind === "back") {
      const { from, to } = this.recovery;
      throw new StorageError(
        `Cannot change this feed: ${from} blocks were signed, only ${to} can be proven`,
        {
          hint:
            "run trove repair --peer to get them back, or trove repair --discard to give them up",
        },
      );
    }
  }

  #checkWritable(): void {
    this.#checkChangeable();
    if (!this.writable) throw new LocalProtocolError("Cannot append without the secret key");
  }
}
