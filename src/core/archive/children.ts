/**
 * The child index of a metadata entry: how every folder on an entry's path lists its children.
 *
 * List k is about the folder made of the first k components of the entry's own name. It names one
 * entry per live child, the newest whose name passes through that child, in ascending order:
 *
 *     entry 3 `/b/d/e`  lists [[1,3],[2,3],[3],[3]]
 *     bytes 01            bit 0: every list ends with the entry's own number, left out below
 *           01 01         list 0: one number, 1
 *           01 02         list 1: one number, 2
 *           00            list 2
 *           00            list 3
 *
 * A number after the first is written as the difference to its predecessor. There is no count of
 * lists. Source: spec of the drive, section 4; append-tree 2.4.4.
 */
import { readVarint, varintSize, writeVarint } from "../../base/varint.ts";
import { ArchiveError } from "./archive_error.ts";

const ENDS_WITH_SELF = 1;

/** A position in encoded lists, between two lists. */
export interface ListsCursor {
  pos: number;
}

/** Encode the lists of entry `seq`. Each is ascending and holds no number above `seq`. */
export function encodeChildren(lists: readonly (readonly number[])[], seq: number): Uint8Array {
  const endsWithSelf = lists.every((list) => list.length > 0 && list[list.length - 1] === seq);
  const trimmed = endsWithSelf ? 1 : 0;
  let size = 1;
  for (const list of lists) {
    const count = list.length - trimmed;
    size += varintSize(count);
    let previous = 0;
    for (let i = 0; i < count; i++) {
      const step = list[i] - previous;
      size += step < 0x80 ? 1 : varintSize(step);
      previous = list[i];
    }
  }
  const bytes = new Uint8Array(size);
  bytes[0] = endsWithSelf ? ENDS_WITH_SELF : 0;
  let at = 1;
  for (const list of lists) {
    const count = list.length - trimmed;
    at = writeVarint(bytes, at, count);
    let previous = 0;
    for (let i = 0; i < count; i++) {
      const step = list[i] - previous;
      if (step < 0x80) bytes[at++] = step;
      else at = writeVarint(bytes, at, step);
      previous = list[i];
    }
  }
  return bytes;
}

/** All lists of entry `seq`. @throws {ArchiveError} If they are malformed. */
export function decodeChildren(bytes: Uint8Array, seq: number): number[][] {
  const { cursor, endsWithSelf } = openLists(bytes, seq);
  const lists: number[][] = [];
  while (cursor.pos < bytes.length) lists.push(readList(bytes, cursor, { seq, endsWithSelf }));
  return lists;
}

/**
 * List `depth` of entry `seq`, or undefined if it has fewer lists. Lists before it are skipped.
 *
 * @throws {ArchiveError} If it is malformed.
 */
export function childList(bytes: Uint8Array, seq: number, depth: number): number[] | undefined {
  const { cursor, endsWithSelf } = openLists(bytes, seq);
  for (let k = 0; k < depth && cursor.pos < bytes.length; k++) skipList(bytes, cursor, seq);
  if (cursor.pos >= bytes.length) return undefined;
  return readList(bytes, cursor, { seq, endsWithSelf });
}

/** A cursor before the first list, and whether all lists end with the entry's own number. */
export function openLists(
  bytes: Uint8Array,
  seq: number,
): { readonly cursor: ListsCursor; readonly endsWithSelf: boolean } {
  const cursor = { pos: 0 };
  // A missing index reads as one without lists.
  const header = bytes.length === 0 ? 0 : readCount(bytes, cursor, seq);
  return { cursor, endsWithSelf: header % 2 === ENDS_WITH_SELF };
}

/**
 * The list at `cursor`, which moves past it. The numbers ascend strictly, from 1 to `seq` at most.
 *
 * @throws {ArchiveError} If they do not, or the bytes end before the list does.
 */
export function readList(
  bytes: Uint8Array,
  cursor: ListsCursor,
  entry: { readonly seq: number; readonly endsWithSelf: boolean },
): number[] {
  const { seq, endsWithSelf } = entry;
  const count = readCount(bytes, cursor, seq);
  // A number takes at least a byte, so a count beyond the bytes is refused before any work.
  if (count > bytes.length - cursor.pos) throw malformed(seq, `a list of ${count} children`);
  const limit = endsWithSelf ? seq - 1 : seq;
  const list: number[] = [];
  let last = 0;
  for (let i = 0; i < count; i++) {
    const byte = bytes[cursor.pos];
    let step = byte;
    if (byte < 0x80) cursor.pos++;
    else step = readCount(bytes, cursor, seq);
    if (step < 1 || step > limit - last) throw malformed(seq, `child ${last} + ${step}`);
    last += step;
    list.push(last);
  }
  if (endsWithSelf) list.push(seq);
  return list;
}

/** Move `cursor` past a list without looking at its numbers. @throws {ArchiveError} */
export function skipList(bytes: Uint8Array, cursor: ListsCursor, seq: number): void {
  let left = readCount(bytes, cursor, seq);
  let pos = cursor.pos;
  while (left > 0 && pos < bytes.length) if (bytes[pos++] < 0x80) left--;
  if (left > 0) throw malformed(seq, "a list that is cut off");
  cursor.pos = pos;
}

/**
 * Whether nothing but the entry itself is in its last list, told from the last bytes alone. So it
 * is for a file under which nothing lives. May answer no for indexes that no known program writes.
 */
export function endsInEmptyList(bytes: Uint8Array): boolean {
  // Differences are never zero, so a last number of zero is the count of an empty list.
  const end = bytes.length;
  return end > 1 && bytes[end - 1] === 0 && bytes[end - 2] < 0x80 && bytes[0] % 2 === 1;
}

function readCount(bytes: Uint8Array, cursor: ListsCursor, seq: number): number {
  const value = readVarint(bytes, cursor, bytes.length);
  if (value < 0) throw malformed(seq, "a number that is cut off or too large");
  return value;
}

function malformed(seq: number, found: string): ArchiveError {
  return new ArchiveError(`Cannot read the children of metadata entry ${seq}: ${found}`);
}
