/**
 * A feed's files read as they are, without putting anything in order: damage shows up where it is
 * and hides nothing else. Source: spec of storage, sections 5 to 8.
 */
import { join } from "node:path";
import { isZero } from "../base/bytes.ts";
import { NotFoundError, StorageError, UsageError } from "../base/errors.ts";
import type { RandomAccess } from "../base/random_access.ts";
import { fullRoots } from "../core/feed/flat_tree.ts";
import { readNode, type TreeNode } from "../core/feed/node.ts";
import {
  BLOCKS_PER_PAGE,
  countBlockBits,
  hasBlockBit,
  hasNodeBit,
  NODES_PER_PAGE,
  OLD_PAGE_BYTES,
  PAGE_BYTES,
} from "../core/sleep/bitfield_page.ts";
import {
  entryCount,
  entryOffset,
  HEADER_BYTES,
  SIGNATURE_ENTRY_BYTES,
  TREE_ENTRY_BYTES,
} from "../core/sleep/layout.ts";
import { lengthFromTreeBits } from "../core/sleep/length.ts";
import { rootHash } from "../crypto/hash.ts";
import { PUBLIC_KEY_BYTES, verify } from "../crypto/sign.ts";
import { lookAt } from "../io/folder.ts";
import { openFile } from "../io/random_access.ts";
import {
  archiveIn,
  type ArchivePaths,
  archivePaths,
  type FeedFile,
  findArchive,
  readSmallFile,
} from "./archive_folder.ts";

/** The feeds of an archive; `feed` is one that lies in a folder by itself, as hypercore makes it. */
export type FeedName = "metadata" | "content" | "feed";

/** Where a feed's files lie. */
export interface FeedPlace {
  readonly name: FeedName;
  /** The archive that it is of, if any. */
  readonly archive?: ArchivePaths;
  path(file: FeedFile): string;
}

/**
 * The feeds that are in a folder, or in the archive around it. An archive counts as one even
 * without its key, so that what is left can be looked at.
 *
 * @throws {NotFoundError} If there is none.
 */
export function findFeeds(dir: string): FeedPlace[] {
  const paths = archiveAt(dir);
  if (paths !== undefined) {
    return (["metadata", "content"] as const).map((name) => ({
      name,
      archive: paths,
      path: (file) => paths.feed(name, file),
    }));
  }
  if (lookAt(join(dir, "tree"))?.isFile || lookAt(join(dir, "bitfield"))?.isFile) {
    return [{ name: "feed", path: (file) => join(dir, file) }];
  }
  throw new NotFoundError(`Cannot find an archive or a feed in "${dir}"`, {
    hint: "name a folder with one, or with a feed's files",
  });
}

function archiveAt(dir: string): ArchivePaths | undefined {
  const here = archiveIn(dir);
  if (here !== undefined) return here;
  // Without its key: more than a folder that is called so.
  const damaged = archivePaths(dir);
  if (lookAt(damaged.feed("metadata", "tree"))?.isFile) return damaged;
  if (lookAt(join(dir, "tree"))?.isFile) return undefined;
  try {
    return findArchive(dir);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** The feed that a person means: the first one if none is named. */
export function chooseFeed(feeds: readonly FeedPlace[], name?: string): FeedPlace {
  const feed = name === undefined ? feeds[0] : feeds.find((feed) => feed.name === name);
  if (feed !== undefined) return feed;
  const names = feeds.map((feed) => feed.name).join(" or ");
  throw new UsageError(`Cannot find a feed called "${name}" here: it would be ${names}`);
}

/** Open a feed of which anything may be missing or damaged. */
export class RawFeed implements Disposable {
  readonly place: FeedPlace;
  /** 32 bytes, unless the file with it is missing or damaged. */
  readonly publicKey?: Uint8Array;
  readonly #tree: RandomAccess;
  readonly #signatures: RandomAccess;
  readonly #bitfield: RandomAccess;
  readonly #pageBytes: number;
  #page?: { readonly number: number; readonly bytes: Uint8Array };
  #length?: number;

  constructor(place: FeedPlace) {
    this.place = place;
    const key = readSmallFile(place.path("key"));
    if (key?.length === PUBLIC_KEY_BYTES) this.publicKey = key;
    const open = (file: FeedFile) => openFile(place.path(file), { access: "read" });
    this.#tree = open("tree");
    this.#signatures = open("signatures");
    this.#bitfield = open("bitfield");
    const header = readFrom(this.#bitfield, 0, HEADER_BYTES);
    this.#pageBytes = header[5] * 256 + header[6] === OLD_PAGE_BYTES ? OLD_PAGE_BYTES : PAGE_BYTES;
  }

  /** Blocks, as the bits of the tree say. */
  get length(): number {
    return this.#length ??= lengthFromTreeBits(
      (index) => this.hasNode(index),
      this.#pages() * NODES_PER_PAGE,
    );
  }

  /** Bytes below the roots of the length; undefined if one of them is missing. */
  get byteLength(): number | undefined {
    return this.roots(this.length)?.reduce((sum, root) => sum + root.size, 0);
  }

  hasBlock(block: number): boolean {
    const page = this.#pageOf(Math.floor(block / BLOCKS_PER_PAGE));
    return page !== undefined && hasBlockBit(page, block % BLOCKS_PER_PAGE);
  }

  /** How many blocks are marked as held. */
  countHeld(): number {
    let held = 0;
    for (let number = 0; number < this.#pages(); number++) {
      held += countBlockBits(this.#pageOf(number)!, 0, BLOCKS_PER_PAGE);
    }
    return held;
  }

  hasNode(treeIndex: number): boolean {
    const page = this.#pageOf(Math.floor(treeIndex / NODES_PER_PAGE));
    return page !== undefined && hasNodeBit(page, treeIndex % NODES_PER_PAGE);
  }

  /** The node if its bit is set and its slot is filled: what other programs go by. */
  node(treeIndex: number): TreeNode | undefined {
    return this.hasNode(treeIndex) ? this.storedNode(treeIndex) : undefined;
  }

  /** The node in the slot, whether or not its bit is set; undefined if no node can be in it. */
  storedNode(treeIndex: number): TreeNode | undefined {
    const at = entryOffset(treeIndex, TREE_ENTRY_BYTES);
    return readAnyNode(readFrom(this.#tree, at, TREE_ENTRY_BYTES), treeIndex);
  }

  /** The full roots of a length, or undefined if the slot of one is blank. */
  roots(length: number): TreeNode[] | undefined {
    const roots = fullRoots(length).map((index) => this.storedNode(index));
    return roots.every((root) => root !== undefined) ? roots : undefined;
  }

  /** The 64 bytes of the signature for a length, or undefined if its slot is blank. */
  signature(length: number): Uint8Array | undefined {
    if (length < 1) return undefined;
    const at = entryOffset(length - 1, SIGNATURE_ENTRY_BYTES);
    const bytes = readFrom(this.#signatures, at, SIGNATURE_ENTRY_BYTES);
    return isZero(bytes) ? undefined : bytes;
  }

  /** The longest length that has a signature, or 0. */
  newestSignature(): number {
    let length = entryCount(this.#signatures.size(), SIGNATURE_ENTRY_BYTES);
    while (length > 0 && this.signature(length) === undefined) length--;
    return length;
  }

  /** Whether the roots of a length are the ones that its signature is for; undefined: no telling. */
  isSigned(length: number): boolean | undefined {
    const [roots, signature] = [this.roots(length), this.signature(length)];
    if (roots === undefined || signature === undefined || this.publicKey === undefined) {
      return undefined;
    }
    return verify(rootHash(roots), signature, this.publicKey);
  }

  [Symbol.dispose](): void {
    for (const file of [this.#tree, this.#signatures, this.#bitfield]) file.close();
  }

  #pages(): number {
    return entryCount(this.#bitfield.size(), this.#pageBytes);
  }

  #pageOf(number: number): Uint8Array | undefined {
    if (number >= this.#pages()) return undefined;
    if (this.#page?.number !== number) {
      const at = entryOffset(number, this.#pageBytes);
      this.#page = { number, bytes: readFrom(this.#bitfield, at, this.#pageBytes) };
    }
    return this.#page.bytes;
  }
}

/** So many bytes; zeros where the file has none. */
function readFrom(file: RandomAccess, offset: number, size: number): Uint8Array {
  const into = new Uint8Array(size);
  file.readInto(into, offset);
  return into;
}

/** The node in a slot; undefined if it is blank, or damaged so that its size is beyond all files. */
export function readAnyNode(slot: Uint8Array, treeIndex: number): TreeNode | undefined {
  try {
    return readNode(slot, 0, treeIndex);
  } catch (error) {
    if (error instanceof StorageError) return undefined;
    throw error;
  }
}
