/**
 * How many bytes the files of an archive have to take on disk, worked out from the written format
 * for files that are imported once, in order.
 *
 * Source: spec of storage, sections 1 to 8; of the drive, sections 1, 4, 7 and 10.
 */

/** A file: the names of its folders and its own, and how many bytes it has. */
export interface FileSize {
  readonly names: readonly string[];
  readonly size: number;
}

const HEADER = 32;
const KEY = 32;
const TREE_NODE = 40;
const SIGNATURE = 64;
const BITFIELD_PAGE = 3584;
const BLOCKS_PER_PAGE = 8192;
const CONTENT_BLOCK = 65_536;
/** Block 0 of the metadata: type and content key. */
const INDEX = 46;
/** 0o100644. */
const MODE = 33_188;
/** Milliseconds since 1970, as a varint in this century. */
const TIME = 2 ** 40;

/** `metadata.ogd` says that the archive began here, `metadata.latest` which version a clone has. */
const ORIGIN_NOTE = 1;
const LATEST_NOTE = 8;

/** What all of `.dat` has to take where the working files are the content. */
export function demandOf(files: readonly FileSize[], side: "sharer" | "cloner"): number {
  let contentBlocks = 0;
  for (const { size } of files) contentBlocks += Math.ceil(size / CONTENT_BLOCK);
  const metadata = feedDemand(files.length + 1) + entriesDemand(files);
  return metadata + feedDemand(contentBlocks) + (side === "sharer" ? ORIGIN_NOTE : LATEST_NOTE);
}

/** Key, tree, signatures and bitfield. Every slot up to the last one has its place in the file. */
function feedDemand(blocks: number): number {
  const tree = HEADER + TREE_NODE * Math.max(0, 2 * blocks - 1);
  const signatures = HEADER + SIGNATURE * blocks;
  const bitfield = HEADER + BITFIELD_PAGE * Math.ceil(blocks / BLOCKS_PER_PAGE);
  return KEY + tree + signatures + bitfield;
}

interface Folder {
  /** The newest entry through each name, the names in the order of these. */
  readonly newest: Map<string, number>;
  readonly folders: Map<string, Folder>;
}

/** The blocks of the metadata feed. */
function entriesDemand(files: readonly FileSize[]): number {
  const root: Folder = { newest: new Map(), folders: new Map() };
  let bytes = INDEX;
  let offset = 0;
  let byteOffset = 0;
  for (const [n, { names, size }] of files.entries()) {
    const blocks = Math.ceil(size / CONTENT_BLOCK);
    const path = new TextEncoder().encode(`/${names.join("/")}`).length;
    const stat = [MODE, 0, 0, size, blocks, offset, byteOffset, TIME, TIME]
      .reduce((sum, value) => sum + 1 + varint(value), 0);
    const lists = 1 + listsDemand(root, names, n + 1);
    for (const length of [path, stat, lists]) bytes += 1 + varint(length) + length;
    offset += blocks;
    byteOffset += size;
  }
  return bytes;
}

/** The lists of children that an entry carries, and itself in them from now on. */
function listsDemand(root: Folder, names: readonly string[], seq: number): number {
  let bytes = 0;
  let folder: Folder | undefined = root;
  for (const name of names) {
    folder!.newest.delete(name);
    bytes += varint(folder!.newest.size);
    let before = 0;
    for (const child of folder!.newest.values()) {
      bytes += varint(child - before);
      before = child;
    }
    folder!.newest.set(name, seq);
    folder = folder!.folders.getOrInsertComputed(name, () => ({
      newest: new Map(),
      folders: new Map(),
    }));
  }
  // The last list is that of the file itself: nothing is below it.
  return bytes + varint(0);
}

function varint(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
