/**
 * Where the entries of a SLEEP file lie: a 32-byte header, then entries of one size, back to back.
 * Source: spec of storage, sections 2, 5, 6 and 8.
 */
import { StorageError } from "../../base/errors.ts";
import { SIGNATURE_BYTES } from "../../crypto/sign.ts";
import { NODE_BYTES } from "../feed/node.ts";

/** Bytes before the first entry of every SLEEP file. */
export const HEADER_BYTES = 32;

/** Bytes of a `tree` entry; entry i is the node with flat-tree index i. */
export const TREE_ENTRY_BYTES = NODE_BYTES;

/** Bytes of a `signatures` entry; entry n - 1 is the signature made at length n. */
export const SIGNATURE_ENTRY_BYTES = SIGNATURE_BYTES;

/**
 * Byte position of an entry.
 *
 * @throws {StorageError} If the entry's end is beyond 2^53 - 1 bytes.
 */
export function entryOffset(entry: number, entryBytes: number): number {
  const offset = HEADER_BYTES + entry * entryBytes;
  if (!Number.isSafeInteger(offset + entryBytes)) {
    throw new StorageError(`Cannot place entry ${entry} of ${entryBytes} bytes: beyond 2^53 - 1`);
  }
  return offset;
}

/** How many whole entries a file of `fileBytes` holds. A fragment at the end does not count. */
export function entryCount(fileBytes: number, entryBytes: number): number {
  return Math.max(0, Math.floor((fileBytes - HEADER_BYTES) / entryBytes));
}
