/**
 * The SLEEP files of a feed as they lie on disk, for whoever has to look at damaged ones: nothing is
 * taken for granted, nothing is changed, and a header that makes no sense is noted, not thrown.
 */
import { isZero } from "../base/bytes.ts";
import { StorageError } from "../base/errors.ts";
import type { RandomAccess } from "../base/random_access.ts";
import { fullRoots } from "../core/feed/flat_tree.ts";
import { readNode, type TreeNode } from "../core/feed/node.ts";
import { OLD_PAGE_BYTES, PAGE_BYTES } from "../core/sleep/bitfield_page.ts";
import { encodeHeader, parseHeader, type SleepKind } from "../core/sleep/header.ts";
import { HEADER_BYTES, SIGNATURE_ENTRY_BYTES, TREE_ENTRY_BYTES } from "../core/sleep/layout.ts";
import { lengthFromTreeBits } from "../core/sleep/length.ts";
import { BitfieldFile } from "./bitfield_file.ts";
import { EntryFile } from "./entry_file.ts";
import type { SleepAccess } from "./sleep_files.ts";

/** A file of a feed that has a header. */
export type SleepFileName = keyof SleepAccess;

/** Something about a file's header. */
export interface HeaderFault {
  readonly file: SleepFileName;
  readonly message: string;
  /** Every reader passes over it. */
  readonly harmless: boolean;
}

const KINDS: Readonly<Record<SleepFileName, SleepKind>> = {
  tree: "tree",
  signatures: "signatures",
  bitfield: "bitfield",
  staged: "bitfield",
};

export class RawFeed {
  readonly faults: readonly HeaderFault[];
  readonly bitfield: BitfieldFile;
  readonly staged?: BitfieldFile;
  /** Bytes of a page in `bitfield`; a guess from the file's size where the header does not say. */
  readonly pageBytes: number;
  readonly #tree: EntryFile;
  readonly #signatures: EntryFile;

  constructor(access: SleepAccess) {
    const faults: HeaderFault[] = [];
    const check = (file: SleepFileName) => checkHeader(access[file]!, file, faults);
    check("tree");
    check("signatures");
    this.pageBytes = check("bitfield") ?? guessPageBytes(access.bitfield.size());
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
    this.bitfield = new BitfieldFile(access.bitfield, {
      pageBytes: this.pageBytes,
      ownTree: false,
    });
    // Made only when it is needed: a missing one is no fault.
    if (access.staged !== undefined && access.staged.size() > 0) {
      const pageBytes = check("staged") ?? PAGE_BYTES;
      this.staged = new BitfieldFile(access.staged, { pageBytes, ownTree: false });
    }
    this.faults = faults;
  }

  /** Blocks of the feed, as the tree bits say. */
  lengthFromBits(): number {
    return lengthFromTreeBits((index) => this.bitfield.hasNode(index), this.bitfield.nodeCount);
  }

  /** Places for nodes in the tree file. */
  get nodeSlots(): number {
    return this.#tree.count();
  }

  /** What the node's slot holds; undefined if it is blank or its size is none. */
  node(index: number): TreeNode | undefined {
    try {
      return readNode(this.slot(index), 0, index);
    } catch (error) {
      if (error instanceof StorageError) return undefined;
      throw error;
    }
  }

  /** The bytes of a node's slot, good until the next call. */
  slot(index: number): Uint8Array {
    return this.#tree.view(index);
  }

  /** The roots of a length in their slots, or undefined if one of them is blank. */
  roots(length: number): TreeNode[] | undefined {
    const roots: TreeNode[] = [];
    for (const index of fullRoots(length)) {
      const root = this.node(index);
      if (root === undefined) return undefined;
      roots.push(root);
    }
    return roots;
  }

  /** The bytes in the slot for a length, copied; undefined if it is blank. */
  signature(length: number): Uint8Array | undefined {
    const slot = this.#signatures.view(length - 1);
    return isZero(slot) ? undefined : slot.slice();
  }

  /** The newest length, up to `limit`, whose slot is not blank; 0 if there is none. */
  newestSignature(limit = Infinity): number {
    for (let length = Math.min(this.#signatures.count(), limit); length > 0; length--) {
      if (!isZero(this.#signatures.view(length - 1))) return length;
    }
    return 0;
  }
}

/** The entry size that the header says, or undefined if there is no header or a wrong one. */
function checkHeader(
  file: RandomAccess,
  name: SleepFileName,
  faults: HeaderFault[],
): number | undefined {
  const header = new Uint8Array(HEADER_BYTES);
  const size = file.readInto(header, 0);
  const kind = KINDS[name];
  if (size < HEADER_BYTES) {
    const message = size === 0 ? "it is missing or empty" : `it is cut off after ${size} bytes`;
    faults.push({ file: name, message, harmless: false });
    return undefined;
  }
  try {
    const entryBytes = parseHeader(header, kind, file.name);
    const usual = encodeHeader(kind);
    const odd = header.findIndex((byte, at) => at >= 7 && byte !== usual[at]);
    if (odd !== -1) {
      const message = `byte ${odd} of its header is not the usual one, which nobody reads`;
      faults.push({ file: name, message, harmless: true });
    }
    return entryBytes;
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const message = error.message.slice(error.message.lastIndexOf(": ") + 2);
    faults.push({ file: name, message: `its header is wrong: ${message}`, harmless: false });
    return undefined;
  }
}

function guessPageBytes(fileBytes: number): number {
  const pages = fileBytes - HEADER_BYTES;
  return pages % PAGE_BYTES !== 0 && pages % OLD_PAGE_BYTES === 0 ? OLD_PAGE_BYTES : PAGE_BYTES;
}
