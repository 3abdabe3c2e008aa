/**
 * Writing into a feed's SLEEP files what an audit found out: headers, nodes, signatures and bits.
 * Only what follows from signed or consistent parts is written; what is wrong and not known is not
 * marked as held any more, so that a peer's proof can bring it again.
 */
import type { RandomAccess } from "../base/random_access.ts";
import { equalBytes } from "../base/bytes.ts";
import { blocksUpTo, fullRoots, parent } from "../core/feed/flat_tree.ts";
import { NODE_BYTES, type TreeNode } from "../core/feed/node.ts";
import { encodeHeader, type SleepKind } from "../core/sleep/header.ts";
import {
  entryCount,
  entryOffset,
  HEADER_BYTES,
  SIGNATURE_ENTRY_BYTES,
  TREE_ENTRY_BYTES,
} from "../core/sleep/layout.ts";
import { PAGE_BYTES } from "../core/sleep/bitfield_page.ts";
import { PageSummary } from "../core/sleep/page_summary.ts";
import { rootHash } from "../crypto/hash.ts";
import { sign, SIGNATURE_BYTES } from "../crypto/sign.ts";
import { slotOf } from "./audit_nodes.ts";
import { BitfieldFile } from "./bitfield_file.ts";
import { indexCorrections } from "./bitfield_index.ts";
import type { FeedAudit } from "./feed_audit.ts";
import { RawFeed, type SleepFileName } from "./raw_feed.ts";
import type { SleepAccess } from "./sleep_files.ts";

export interface MendOptions {
  readonly audit: FeedAudit;
  /** 64 bytes, where the feed is ours: damaged signatures are made again. */
  readonly secretKey?: Uint8Array;
  /** Whether these roots of so many blocks are known to have been signed with that key. */
  readonly wasSigned: (length: number, roots: readonly TreeNode[]) => boolean;
  /** Bad blocks whose bytes were put right or are about to be: they stay marked. */
  readonly mended: ReadonlySet<number>;
  /** Called before a file is changed for the first time. */
  readonly keep: (file: SleepFileName) => void;
}

/** A slot with so few bits set was blank: a signature has 256 of them, give or take some. */
const MAX_BLANK_BITS = 32;

/** Opened for writing. Answers whether anything was changed. */
export function mendFeed(access: SleepAccess, options: MendOptions): boolean {
  return new Mender(access, options).run();
}

class Mender {
  readonly #access: SleepAccess;
  readonly #options: MendOptions;
  #changed = false;

  constructor(access: SleepAccess, options: MendOptions) {
    this.#access = access;
    this.#options = options;
  }

  run(): boolean {
    const { pageBytes } = new RawFeed(this.#access);
    this.#mendHeaders(pageBytes);
    this.#mendNodes();
    this.#mendSignatures();
    this.#access.tree.sync();
    this.#access.signatures.sync();
    this.#mendBits(pageBytes);
    this.#access.bitfield.sync();
    return this.#changed;
  }

  #write(file: SleepFileName, bytes: Uint8Array, offset: number): void {
    const access: RandomAccess = this.#access[file]!;
    const before = new Uint8Array(bytes.length);
    if (access.readInto(before, offset) === bytes.length && equalBytes(before, bytes)) return;
    this.#options.keep(file);
    access.write(bytes, offset);
    this.#changed = true;
  }

  #mendHeaders(pageBytes: number): void {
    for (const { file } of this.#options.audit.faults) {
      // Private bits of ours: without a header there are none.
      if (file === "staged") {
        this.#options.keep(file);
        this.#access.staged!.truncate(0);
        this.#changed = true;
        continue;
      }
      const kind: SleepKind = file;
      const header = encodeHeader(kind);
      if (file === "bitfield") {
        header[5] = pageBytes >> 8;
        header[6] = pageBytes & 0xff;
      }
      this.#write(file, header, 0);
    }
  }

  #mendNodes(): void {
    for (const node of this.#options.audit.fixes.values()) {
      this.#write("tree", slotOf(node), entryOffset(node.index, TREE_ENTRY_BYTES));
    }
  }

  #mendSignatures(): void {
    const { audit, secretKey } = this.#options;
    const raw = new RawFeed(this.#access);
    const put = (length: number, signature: Uint8Array) =>
      this.#write("signatures", signature, entryOffset(length - 1, SIGNATURE_ENTRY_BYTES));
    for (const { start, end } of audit.badSignatures) {
      for (let length = start; length < end; length++) {
        const turned = audit.turnedSignatures.get(length);
        if (turned !== undefined) put(length, turned);
        else if (length < audit.length && audit.proven) {
          // Below a proven length every root is proven, too: the same bytes are signed again.
          const wasSigned = bitsIn(raw.signature(length)) > MAX_BLANK_BITS;
          const roots = secretKey && wasSigned ? raw.roots(length) : undefined;
          const blank = new Uint8Array(SIGNATURE_BYTES);
          put(length, roots === undefined ? blank : sign(rootHash(roots), secretKey!));
        }
      }
    }
    if (secretKey === undefined || !this.#mayResign(raw)) return;
    const roots = raw.roots(audit.bitsLength)!;
    put(audit.bitsLength, sign(rootHash(roots), secretKey));
  }

  /**
   * Whether the length that the bits tell may be signed anew. Its bits were written after its
   * signature, so it was signed once; if every node and block of it is here and fits, it was signed
   * for exactly these roots, and signing them again gives the same bytes. Whoever signed something
   * else for this length would split the feed for ever.
   */
  #mayResign(raw: RawFeed): boolean {
    const { audit } = this.#options;
    const { bitsLength, claimedLength, length, proven } = audit;
    if (bitsLength === 0 || proven && length >= bitsLength || claimedLength > bitsLength) {
      return false;
    }
    if (!audit.resignable) return false;
    const roots = raw.roots(bitsLength);
    if (roots === undefined) return false;
    // Files of another archive may have got here: something has to tie the tree to the key.
    return proven || this.#options.wasSigned(bitsLength, roots);
  }

  #mendBits(pageBytes: number): void {
    const { audit, mended } = this.#options;
    const { bitfield: file, staged: stagedFile } = this.#access;
    const bitfield = new BitfieldFile(file, { pageBytes, ownTree: false });
    const holds = stagedFile !== undefined && stagedFile.size() >= HEADER_BYTES;
    const staged = holds
      ? new BitfieldFile(stagedFile, { pageBytes: PAGE_BYTES, ownTree: false })
      : undefined;
    for (const index of numbersIn(audit.badNodes)) {
      const known = audit.fixes.has(index);
      bitfield.setNode(index, known);
      if (!known && index % 2 === 0) bitfield.setBlock(index / 2, false);
    }
    for (const index of numbersIn(audit.unmarkedNodes)) bitfield.setNode(index, true);
    for (const block of numbersIn(audit.badBlocks)) {
      if (mended.has(block)) continue;
      bitfield.setBlock(block, false);
      staged?.setBlock(block, false);
    }
    for (const block of numbersIn(audit.unmarkedBlocks)) bitfield.setBlock(block, true);
    // Where more was signed than is proven now, the bits of a feed of ours are what tells of it.
    const isClaimed = this.#options.secretKey !== undefined && audit.bitsLength > audit.length;
    if (audit.proven && !isClaimed) {
      for (const index of numbersIn(audit.strayNodes)) bitfield.setNode(index, false);
      for (const block of numbersIn(audit.strayBlocks)) bitfield.setBlock(block, false);
    }
    if (bitfield.dirty) {
      this.#options.keep("bitfield");
      bitfield.flush();
      this.#changed = true;
    } else {
      this.#mendIndex(pageBytes);
    }
    if (staged?.dirty) {
      this.#options.keep("staged");
      staged.flush();
      this.#changed = true;
    }
  }

  #mendIndex(pageBytes: number): void {
    if (pageBytes !== PAGE_BYTES) return;
    const file = this.#access.bitfield;
    const pages = entryCount(file.size(), pageBytes);
    const options = { pageBytes, ownTree: false };
    for (const fix of indexCorrections(file, options, pages, new PageSummary(pages))) {
      this.#write("bitfield", fix.bytes.slice(), fix.offset);
    }
  }
}

function bitsIn(bytes: Uint8Array = new Uint8Array(0)): number {
  let bits = 0;
  for (const byte of bytes) for (let rest = byte; rest > 0; rest &= rest - 1) bits++;
  return bits;
}

function* numbersIn(set: Iterable<{ start: number; end: number }>): Generator<number> {
  for (const { start, end } of set) for (let at = start; at < end; at++) yield at;
}

/**
 * Unmark what leads from a block to the roots, and the left edge of the tree: for a copy whose
 * newest signature is lost. The feed then counts as empty, and the proof of that block brings the
 * signature again. Everything else stays marked.
 */
export function forgetPath(access: SleepAccess, block: number, length: number): void {
  const bitfield = openBits(access);
  const forget = (index: number) => {
    bitfield.setNode(index, false);
    if (index % 2 === 0) bitfield.setBlock(index / 2, false);
  };
  for (let index = 2 * block, width = 1; width <= length; width *= 2) {
    forget(index);
    index = parent(index);
  }
  for (let index = 0; index < 2 * length; index = 2 * index + 1) forget(index);
  bitfield.flush();
  access.bitfield.sync();
}

/**
 * Make sure that a feed of ours is known to have been signed up to `claimed` blocks, of which only
 * `proven` can be proven now, whatever becomes of its bits: a signature without the roots that it is
 * about is what no crash leaves behind. A peer's proof brings both again.
 */
export function keepClaim(
  access: SleepAccess,
  { claimed, proven }: { claimed: number; proven: number },
): void {
  const raw = new RawFeed(access);
  if (raw.signature(claimed) === undefined) {
    const mark = new Uint8Array(SIGNATURE_BYTES).fill(0xff);
    access.signatures.write(mark, entryOffset(claimed - 1, SIGNATURE_ENTRY_BYTES));
    access.signatures.sync();
  }
  const beyond = fullRoots(claimed).filter((index) => blocksUpTo(index) > proven).at(-1);
  if (beyond === undefined || raw.node(beyond) === undefined) return;
  access.tree.write(new Uint8Array(NODE_BYTES), entryOffset(beyond, TREE_ENTRY_BYTES));
  access.tree.sync();
}

/** Unmark everything: for a copy of which nothing can be proven. The bytes stay where they are. */
export function forgetAll(access: SleepAccess): void {
  const bitfield = openBits(access);
  bitfield.clearFrom(0);
  bitfield.flush();
  access.bitfield.sync();
}

function openBits(access: SleepAccess): BitfieldFile {
  const { pageBytes } = new RawFeed(access);
  return new BitfieldFile(access.bitfield, { pageBytes, ownTree: false });
}
