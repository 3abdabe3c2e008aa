/**
 * The SLEEP files of one feed, seen as nodes, signatures and bits. What they mean together (length,
 * blocks, appends) is the business of `feed_store.ts`.
 */
import { isZero, readUint64BE } from "../base/bytes.ts";
import type { RandomAccess } from "../base/random_access.ts";
import { fullRoots, parent, sibling } from "../core/feed/flat_tree.ts";
import { readNode, type TreeNode, writeNode } from "../core/feed/node.ts";
import { PAGE_BYTES } from "../core/sleep/bitfield_page.ts";
import { encodeHeader, parseHeader, type SleepKind } from "../core/sleep/header.ts";
import { HEADER_BYTES, SIGNATURE_ENTRY_BYTES, TREE_ENTRY_BYTES } from "../core/sleep/layout.ts";
import { lengthFromTreeBits } from "../core/sleep/length.ts";
import { HASH_BYTES } from "../crypto/hash.ts";
import { BitfieldFile } from "./bitfield_file.ts";
import { EntryFile } from "./entry_file.ts";

/** The files themselves. */
export interface SleepAccess {
  readonly tree: RandomAccess;
  readonly signatures: RandomAccess;
  readonly bitfield: RandomAccess;
  /**
   * Private bits, laid out like `bitfield`, for blocks that lie in a staging place; absent when
   * blocks are always final.
   */
  readonly staged?: RandomAccess;
}

export class SleepFiles {
  readonly #access: SleepAccess;
  /** 20 KiB chunks, 5 MiB at most. */
  readonly #tree: EntryFile;
  /** 16 KiB chunks, 1 MiB at most. */
  readonly #signatures: EntryFile;
  readonly bitfield: BitfieldFile;
  readonly staged?: BitfieldFile;
  /** Whether something was written that no `sync` covers. */
  #unsynced = false;

  /**
   * Check the headers, and with access `write` write those that are missing. Missing files are
   * empty ones.
   *
   * @throws {StorageError} If a file is there and is not of its kind.
   */
  constructor(access: SleepAccess, mode: "read" | "write") {
    this.#access = access;
    if (mode === "write") {
      writeHeader(access.tree, "tree");
      writeHeader(access.signatures, "signatures");
    }
    readHeader(access.tree, "tree");
    readHeader(access.signatures, "signatures");
    this.#tree = new EntryFile(access.tree, {
      entryBytes: TREE_ENTRY_BYTES,
      entriesPerChunk: 512,
      maxChunks: 256,
    });
    this.#signatures = new EntryFile(access.signatures, {
      entryBytes: SIGNATURE_ENTRY_BYTES,
      entriesPerChunk: 256,
      maxChunks: 64,
    });
    if (mode === "write") writeHeader(access.bitfield, "bitfield");
    this.bitfield = openBitfield(access.bitfield, true);
    // No header for the staged bits until there are any: the file may never be needed.
    if (access.staged !== undefined) this.staged = openBitfield(access.staged, false);
  }

  /** Blocks of the feed, as the tree bits say. */
  lengthFromBits(): number {
    return lengthFromTreeBits((index) => this.bitfield.hasNode(index), this.bitfield.nodeCount);
  }

  /** The node if its bit is set. */
  node(treeIndex: number): TreeNode | undefined {
    return this.bitfield.hasNode(treeIndex) ? this.storedNode(treeIndex) : undefined;
  }

  /** What lies in the node's slot, whether or not its bit is set. */
  storedNode(treeIndex: number): TreeNode | undefined {
    return readNode(this.#tree.view(treeIndex), 0, treeIndex);
  }

  /** Bytes below the node in the slot, or undefined if it is blank. */
  storedSize(treeIndex: number): number | undefined {
    const slot = this.#tree.view(treeIndex);
    const size = readUint64BE(slot, HASH_BYTES);
    return size === 0 && isZero(slot) || !Number.isSafeInteger(size) ? undefined : size;
  }

  /** The full roots of a length, or undefined if one of their slots is blank. */
  storedRoots(length: number): TreeNode[] | undefined {
    const roots: TreeNode[] = [];
    for (const index of fullRoots(length)) {
      const root = this.storedNode(index);
      if (root === undefined) return undefined;
      roots.push(root);
    }
    return roots;
  }

  /**
   * Store a node and set its bit, and those of the parents that follow from it: a parent whose
   * children are both held is held. Source: spec of storage, section 8.
   */
  putNode(node: TreeNode): void {
    writeNode(this.#tree.edit(node.index), 0, node);
    let index = node.index;
    while (this.bitfield.setNode(index, true) && this.bitfield.hasNode(sibling(index))) {
      index = parent(index);
      // A bit without bytes would be worse than a bit too few: the parent may come next.
      if (this.#tree.isBlank(index)) return;
    }
  }

  /**
   * Read whatever `putNode` of these and `putSignature` need, so that these do not fail halfway.
   *
   * @throws {StorageError}
   */
  prepare(nodes: readonly TreeNode[], length: number): void {
    for (const { index } of nodes) {
      this.#tree.view(index);
      this.bitfield.hasNode(index);
    }
    this.#signatures.view(length - 1);
  }

  /** The 64-byte signature in the slot for `length` blocks, copied, or undefined if blank. */
  signature(length: number): Uint8Array | undefined {
    if (length < 1) return undefined;
    const slot = this.#signatures.view(length - 1);
    return isZero(slot) ? undefined : slot.slice();
  }

  putSignature(length: number, signature: Uint8Array): void {
    this.#signatures.edit(length - 1).set(signature);
  }

  /** The longest length that has a place for a signature in the file. */
  signatureSlots(): number {
    return this.#signatures.count();
  }

  /** Forget the signatures of lengths above `length`. */
  dropSignaturesAfter(length: number): void {
    if (this.#signatures.count() > length) this.#unsynced = true;
    this.#signatures.truncate(length);
  }

  /** Write nodes and signatures. Bits that speak of them come later, by `flushBits`. */
  flushNodes(): void {
    this.#unsynced ||= this.#tree.dirty || this.#signatures.dirty || this.bitfield.dirty;
    this.#tree.flush();
    this.#signatures.flush();
  }

  syncNodes(): void {
    this.#access.tree.sync();
    this.#access.signatures.sync();
  }

  /** Write the bits, those of final blocks before those of staged ones. */
  flushBits(): void {
    if (this.bitfield.dirty || this.staged?.dirty) this.#unsynced = true;
    this.bitfield.flush();
    this.staged?.flush();
  }

  syncBits(): void {
    this.#access.bitfield.sync();
    this.#access.staged?.sync();
    this.#unsynced = false;
  }

  /** Whether anything was written, or waits to be, since the last `syncBits`. */
  get unsynced(): boolean {
    return this.#unsynced || this.#tree.dirty || this.#signatures.dirty || this.bitfield.dirty ||
      this.staged?.dirty === true;
  }
}

function writeHeader(file: RandomAccess, kind: SleepKind): void {
  const header = new Uint8Array(HEADER_BYTES);
  // After a power cut a new file may have zeros where its header was to be.
  if (file.readInto(header, 0) < HEADER_BYTES || isZero(header)) file.write(encodeHeader(kind), 0);
}

/** The entry size, or undefined if the file has no header yet. */
function readHeader(file: RandomAccess, kind: SleepKind): number | undefined {
  const header = new Uint8Array(HEADER_BYTES);
  if (file.readInto(header, 0) < HEADER_BYTES || isZero(header)) return undefined;
  return parseHeader(header, kind, file.name);
}

function openBitfield(file: RandomAccess, ownTree: boolean): BitfieldFile {
  const pageBytes = readHeader(file, "bitfield") ?? PAGE_BYTES;
  return new BitfieldFile(file, { pageBytes, ownTree });
}
