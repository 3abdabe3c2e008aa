/** One feed, block, node, proof or entry, as far as the files can be read. */
import { equalBytes, toHex } from "../base/bytes.ts";
import { NotFoundError, TroveError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { decodeChildren } from "../core/archive/children.ts";
import { decodeEntry, decodeIndex, type Stat } from "../core/archive/entry.ts";
import { parentOf } from "../core/feed/append.ts";
import { byteOffsetOf } from "../core/feed/byte_offsets.ts";
import {
  depth,
  fullRoots,
  leftChild,
  leftSpan,
  parent,
  rightChild,
  rightSpan,
  sibling,
} from "../core/feed/flat_tree.ts";
import type { TreeNode } from "../core/feed/node.ts";
import { prove } from "../core/feed/prove.ts";
import { verifyData } from "../core/feed/verify.ts";
import { BlankFeed } from "../core/sync/probe.ts";
import { discoveryKey, leafHash } from "../crypto/hash.ts";
import { openFile } from "../io/random_access.ts";
import { lookAt } from "../io/folder.ts";
import { mapWorkingFiles } from "./checkout.ts";
import type { RawFeed } from "./inspect_feed.ts";
import { describeSleepFile, type SleepFile } from "./inspect_sleep.ts";
import { openArchive } from "./open_archive.ts";

/** A tree node for people and programs: the hash in hex, the size in bytes. */
export interface ShownNode {
  readonly node: number;
  readonly hash: string;
  readonly size: number;
}

function shown({ index, hash, size }: TreeNode): ShownNode {
  return { node: index, hash: toHex(hash), size };
}

export interface ShownFeed {
  readonly feed: string;
  /** Hex; absent if the file with it is missing or damaged. */
  readonly key?: string;
  readonly discoveryKey?: string;
  /** Blocks, as the bits say, and bytes, as the roots of that length say. */
  readonly length: number;
  readonly byteLength?: number;
  /** Blocks that are marked as held. */
  readonly held: number;
  readonly roots: readonly ShownNode[];
  /** The newest signature; `good` is absent if there is nothing to check it with. */
  readonly signature?: { readonly length: number; readonly hex: string; readonly good?: boolean };
  readonly files: readonly SleepFile[];
  /** Bytes of the `data` file, if there is one. */
  readonly dataSize?: number;
}

export function describeFeed(feed: RawFeed): ShownFeed {
  const { place, publicKey, length, byteLength } = feed;
  const signed = feed.newestSignature();
  const good = feed.isSigned(signed);
  const dataSize = lookAt(place.path("data"))?.size;
  return {
    feed: place.name,
    ...(publicKey !== undefined && {
      key: toHex(publicKey),
      discoveryKey: toHex(discoveryKey(publicKey)),
    }),
    length,
    ...(byteLength !== undefined && { byteLength }),
    held: feed.countHeld(),
    roots: fullRoots(length).flatMap((index) => {
      const root = feed.storedNode(index);
      return root === undefined ? [] : shown(root);
    }),
    ...(signed > 0 && {
      signature: {
        length: signed,
        hex: toHex(feed.signature(signed)!),
        ...(good !== undefined && { good }),
      },
    }),
    files: (["tree", "signatures", "bitfield"] as const).map((file) =>
      describeSleepFile(place.path(file))
    ),
    ...(dataSize !== undefined && { dataSize }),
  };
}

export interface ShownBlock {
  readonly feed: string;
  readonly block: number;
  /** Bytes, as the leaf says, and where they begin in the feed. */
  readonly size?: number;
  readonly offset?: number;
  readonly leafHash?: string;
  /** Whether its bit says that it is here. */
  readonly held: boolean;
  /** Whether the bytes are there and match the leaf; why not, in `problem`. */
  readonly matches?: boolean;
  readonly problem?: string;
}

/** What the tree says of a block, and its bytes if they can be read, right or wrong. */
export function describeBlock(
  feed: RawFeed,
  block: number,
  world: World,
): { shown: ShownBlock; bytes?: Uint8Array } {
  const leaf = feed.storedNode(2 * block);
  const offset = byteOffsetOf({ node: (index) => feed.storedNode(index) }, block);
  const base = {
    feed: feed.place.name,
    block,
    ...(leaf !== undefined && { size: leaf.size, leafHash: toHex(leaf.hash) }),
    ...(offset !== undefined && { offset }),
    held: feed.hasBlock(block),
  };
  if (leaf === undefined || offset === undefined) {
    return { shown: { ...base, problem: "the tree does not say where it lies" } };
  }
  const read = readBytes(feed, { block, offset, size: leaf.size }, world);
  if (typeof read === "string") return { shown: { ...base, problem: read } };
  const matches = equalBytes(leafHash(read), leaf.hash);
  return { shown: { ...base, matches }, bytes: read };
}

/** The bytes of a block as they lie there, or why they cannot be had. */
function readBytes(
  feed: RawFeed,
  { block, offset, size }: { block: number; offset: number; size: number },
  world: World,
): Uint8Array | string {
  const { place } = feed;
  const path = place.path("data");
  try {
    if (lookAt(path) !== undefined) {
      using opened = new DisposableStack();
      const file = openFile(path, { access: "read" });
      opened.defer(() => file.close());
      const bytes = new Uint8Array(Math.min(size, Math.max(0, file.size() - offset)));
      const found = file.readInto(bytes, offset);
      if (found === size) return bytes;
      return `its file ends ${size - found} bytes before it does`;
    }
    if (place.name !== "content" || place.archive === undefined) return "there is no data file";
    // The bytes are those of a working file: which one, the metadata says.
    using archive = openArchive(place.archive.dir, { world, access: "read" });
    mapWorkingFiles(archive);
    return archive.content?.readBlock(block)?.slice() ?? "no working file has it";
  } catch (error) {
    if (error instanceof TroveError) return error.message;
    throw error;
  }
}

export interface ShownTreeNode {
  readonly feed: string;
  readonly node: number;
  readonly hash?: string;
  readonly size?: number;
  /** Whether its bit says that it is here. */
  readonly held: boolean;
  readonly depth: number;
  /** First and last of the blocks below it. */
  readonly blocks: readonly [number, number];
  readonly parent: number;
  readonly sibling: number;
  readonly children?: readonly [number, number];
  /** Whether it is one of the roots of the feed's length. */
  readonly root: boolean;
  /** Whether it is the parent of its children; absent if one of them is not here. */
  readonly matchesChildren?: boolean;
}

export function describeNode(feed: RawFeed, index: number): ShownTreeNode {
  const node = feed.storedNode(index);
  const [left, right] = [leftChild(index), rightChild(index)];
  const [a, b] = [left, right].map((child) => child === undefined ? child : feed.storedNode(child));
  const above = a === undefined || b === undefined ? undefined : parentOf(a, b);
  return {
    feed: feed.place.name,
    node: index,
    ...(node !== undefined && { hash: toHex(node.hash), size: node.size }),
    held: feed.hasNode(index),
    depth: depth(index),
    blocks: [leftSpan(index) / 2, rightSpan(index) / 2],
    parent: parent(index),
    sibling: sibling(index),
    ...(left !== undefined && right !== undefined && { children: [left, right] as const }),
    root: fullRoots(feed.length).includes(index),
    ...(node !== undefined && above !== undefined &&
      { matchesChildren: equalBytes(above.hash, node.hash) && above.size === node.size }),
  };
}

export interface ShownProof {
  readonly feed: string;
  readonly block: number;
  readonly digest: number;
  /** Whether hashes alone were asked for. */
  readonly hash: boolean;
  readonly nodes: readonly ShownNode[];
  /** Hex; absent if the proof ends at a node that the peer has. */
  readonly signature?: string;
  /** Whether it proves the hash of the block, where that can be told: for digest 0. */
  readonly verifies?: boolean;
  readonly problem?: string;
}

/**
 * What a peer would be sent that asks for a block with this digest.
 *
 * @throws {NotFoundError} If there is no proof.
 */
export function describeProof(
  feed: RawFeed,
  request: { block: number; digest: number; hash: boolean },
): ShownProof {
  const { block, digest, hash } = request;
  const proof = prove(feed, { block, digest, hashOnly: hash });
  if (proof === undefined) {
    throw new NotFoundError(
      `Cannot prove block ${block}: its node, its roots or their signature are not here`,
    );
  }
  const { nodes, signature } = proof;
  const base = {
    feed: feed.place.name,
    ...request,
    nodes: nodes.map(shown),
    ...(signature !== undefined && { signature: toHex(signature) }),
  };
  const leaf = feed.node(2 * block);
  if (digest !== 0 || leaf === undefined || feed.publicKey === undefined) return base;
  try {
    // Without the bytes, which are another matter: see `describeBlock`.
    const data = { index: block, nodes: hash ? nodes : [leaf, ...nodes], signature };
    verifyData(new BlankFeed(feed.publicKey), data);
    return { ...base, verifies: true };
  } catch (error) {
    if (!(error instanceof TroveError)) throw error;
    return { ...base, verifies: false, problem: error.message };
  }
}

export interface ShownEntry {
  readonly version: number;
  readonly type: "index" | "put" | "del";
  /** Of the Index: the content feed's key, in hex. */
  readonly contentKey?: string;
  readonly path?: string;
  readonly stat?: Stat;
  /** For each folder on the way: the newest entry through each of its children. */
  readonly children?: readonly { readonly folder: string; readonly versions: readonly number[] }[];
  /** Bytes of the block, and whether they match the tree. */
  readonly size: number;
  readonly matches: boolean;
}

/**
 * A metadata entry, decoded.
 *
 * @throws {NotFoundError} If its bytes are not here.
 * @throws {ArchiveError} If they are no entry.
 */
export function describeEntry(feed: RawFeed, version: number, world: World): ShownEntry {
  const { shown, bytes } = describeBlock(feed, version, world);
  if (bytes === undefined) {
    throw new NotFoundError(`Cannot read metadata entry ${version}: ${shown.problem}`);
  }
  const base = { version, size: bytes.length, matches: shown.matches === true };
  if (version === 0) {
    return { ...base, type: "index", contentKey: toHex(decodeIndex(bytes).contentKey) };
  }
  const { path, stat, paths } = decodeEntry(bytes, version);
  const names = path.split("/").filter((name) => name !== "");
  const lists = decodeChildren(paths, version);
  return {
    ...base,
    type: stat === undefined ? "del" : "put",
    path,
    ...(stat !== undefined && { stat }),
    children: lists.map((versions, level) => ({
      folder: `/${names.slice(0, level).join("/")}`,
      versions,
    })),
  };
}
