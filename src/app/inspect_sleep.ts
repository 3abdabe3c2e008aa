/**
 * SLEEP files as they are: what their headers say and what lies in a slot, whether or not it makes
 * sense. Source: spec of storage, sections 2, 5, 6 and 8.
 */
import { isZero, toHex } from "../base/bytes.ts";
import { StorageError } from "../base/errors.ts";
import { BLOCKS_PER_PAGE, countBlockBits } from "../core/sleep/bitfield_page.ts";
import { parseHeader, type SleepKind } from "../core/sleep/header.ts";
import { entryCount, entryOffset, HEADER_BYTES, TREE_ENTRY_BYTES } from "../core/sleep/layout.ts";
import { lookAt } from "../io/folder.ts";
import { openFile } from "../io/random_access.ts";
import { readAnyNode } from "./inspect_feed.ts";

/** By the type byte. Source: spec of storage, section 2. */
const KINDS: readonly SleepKind[] = ["bitfield", "signatures", "tree"];

/** A SLEEP file. Sizes in bytes. */
export interface SleepFile {
  readonly path: string;
  readonly size: number;
  /** First four bytes in hex; the last of them is the type. Absent in a file without a header. */
  readonly magic?: string;
  /** What the type byte stands for, if it is one of the three. */
  readonly type?: SleepKind;
  readonly version?: number;
  readonly entrySize?: number;
  readonly algorithm?: string;
  /** Whole entries. */
  readonly entries?: number;
  /** Bytes behind the last whole entry. */
  readonly rest?: number;
  /** Why other programs would not take it, if they would not. */
  readonly problem?: string;
}

/** One entry of a SLEEP file. */
export interface SleepSlot {
  readonly path: string;
  readonly slot: number;
  /** Position in the file, and how many bytes there are: fewer at its end. */
  readonly offset: number;
  readonly size: number;
  /** Nothing was ever written there. */
  readonly blank: boolean;
  readonly hex: string;
  /** In a `tree` file: the node. */
  readonly node?: { readonly hash: string; readonly size: number };
  /** In a `bitfield` file: how many of the page's blocks are held. */
  readonly held?: number;
}

/** @throws {StorageError} If the file cannot be read. */
export function describeSleepFile(path: string): SleepFile {
  const info = lookAt(path);
  if (info === undefined) return { path, size: 0, problem: "there is no such file" };
  using opened = new DisposableStack();
  const file = openFile(path, { access: "read" });
  opened.defer(() => file.close());
  const size = file.size();
  const header = new Uint8Array(HEADER_BYTES);
  const found = file.readInto(header, 0);
  if (found < HEADER_BYTES) {
    return { path, size, problem: `it has ${found} bytes, and a header takes ${HEADER_BYTES}` };
  }
  const type: SleepKind | undefined = KINDS[header[3]];
  const entrySize = header[5] * 256 + header[6];
  const entries = entrySize === 0 ? 0 : entryCount(size, entrySize);
  return {
    path,
    size,
    magic: toHex(header.subarray(0, 4)),
    ...(type !== undefined && { type }),
    version: header[4],
    entrySize,
    algorithm: String.fromCharCode(...header.subarray(8, 8 + Math.min(header[7], 24))),
    entries,
    rest: size - HEADER_BYTES - entries * entrySize,
    ...problemOf(header, type, path),
  };
}

function problemOf(
  header: Uint8Array,
  type: SleepKind | undefined,
  path: string,
): { problem?: string } {
  try {
    // Any kind will do to hear what is wrong with a header of none.
    parseHeader(header, type ?? "tree", path);
    return {};
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return { problem: error.message.replace(/^.*? file: /, "") };
  }
}

/**
 * What lies in a slot, counted from 0, by the entry size of the file's own header.
 *
 * @throws {StorageError} If the file has no header that says how large an entry is.
 */
export function readSlot(path: string, slot: number): SleepSlot {
  const { entrySize = 0, type, problem } = describeSleepFile(path);
  if (entrySize === 0) {
    throw new StorageError(`Cannot find slot ${slot} of "${path}": ${problem ?? "no entry size"}`);
  }
  using opened = new DisposableStack();
  const file = openFile(path, { access: "read" });
  opened.defer(() => file.close());
  const offset = entryOffset(slot, entrySize);
  const into = new Uint8Array(entrySize);
  const size = file.readInto(into, offset);
  const bytes = into.subarray(0, size);
  const node = type === "tree" && size === TREE_ENTRY_BYTES ? readAnyNode(bytes, slot) : undefined;
  return {
    path,
    slot,
    offset,
    size,
    blank: isZero(bytes),
    hex: toHex(bytes),
    ...(node !== undefined && { node: { hash: toHex(node.hash), size: node.size } }),
    ...(type === "bitfield" && size === entrySize &&
      { held: countBlockBits(bytes, 0, BLOCKS_PER_PAGE) }),
  };
}
