/**
 * The records of the metadata feed: Index (block 0), Node (every other block) and, inside a Node,
 * Stat. They are protocol buffers without outer framing: one record is one block.
 *
 * What is decoded and encoded again gives the same bytes, for everything that other programs are
 * known to write.
 *
 * Source: spec of the drive, section 1.
 */
import { EMPTY_BYTES, toUtf8 } from "../../base/bytes.ts";
import { LocalProtocolError } from "../../base/errors.ts";
import { readVarint, varintSize, writeVarint } from "../../base/varint.ts";
import { ArchiveError } from "./archive_error.ts";

/** The only kind of archive there is here; its newer generations have other names. */
export const ARCHIVE_TYPE = "hyperdrive";
const KEY_BYTES = 32;

/** The fields of a Stat; each has its place, counted from 1, as its number. */
export const STAT_FIELDS = [
  "mode",
  "uid",
  "gid",
  "size",
  "blocks",
  "offset",
  "byteOffset",
  "mtime",
  "ctime",
] as const;
export type StatField = typeof STAT_FIELDS[number];

/** What an entry says about a file. All numbers are integers from 0 to 2^53 - 1. */
export interface Stat {
  /** POSIX type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  /** Number of content blocks. */
  readonly blocks: number;
  /** First content block. */
  readonly offset: number;
  /** Byte of the content feed at which the file begins. */
  readonly byteOffset: number;
  /** Milliseconds since 1970. */
  readonly mtime: number;
  /** Milliseconds since 1970. */
  readonly ctime: number;
  /** Fields that were not in the record, and are not written. They read as 0. */
  readonly absent?: readonly StatField[];
}

/** One block of the metadata feed past the first: a path was put, or deleted. */
export interface Entry {
  /** Sequence number: its block in the metadata feed, and the version it made. */
  readonly seq: number;
  /** The name as its writer had it. Not to be trusted near a disk: see safe_path.ts. */
  readonly path: string;
  /** Undefined in a delete. */
  readonly stat?: Stat;
  /** The encoded child index; see children.ts. Shares memory with the block. */
  readonly paths: Uint8Array;
}

export type FileKind = "file" | "directory" | "other";

const MODE_TYPE = 0o170000;
const MODE_FILE = 0o100000;
export const MODE_DIRECTORY = 0o040000;

const WIRE_VARINT = 0;
const WIRE_64_BIT = 1;
const WIRE_DELIMITED = 2;
const WIRE_32_BIT = 5;

/** A name that is not UTF-8 gets U+FFFD in place of the bad bytes, as in every JavaScript reader. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** What the type bits of `mode` say. Some writers leave them out, and mean a file. */
export function kindOfMode(mode: number): FileKind {
  const type = mode & MODE_TYPE;
  if (type === MODE_DIRECTORY) return "directory";
  return type === MODE_FILE || type === 0 ? "file" : "other";
}

/** Metadata block 0 of an archive whose content feed has this 32-byte key. */
export function encodeIndex(contentKey: Uint8Array): Uint8Array {
  if (contentKey.length !== KEY_BYTES) {
    throw new LocalProtocolError(`Cannot name a content key of ${contentKey.length} bytes`);
  }
  return encodeFields([[1, toUtf8(ARCHIVE_TYPE)], [2, contentKey]]);
}

/**
 * The content feed's key, 32 bytes, from metadata block 0. Shares memory with `block`.
 *
 * @throws {ArchiveError} If the block is not the Index of an archive of this kind.
 */
export function decodeIndex(block: Uint8Array): { readonly contentKey: Uint8Array } {
  let type: string | undefined;
  let content: Uint8Array | undefined;
  const reader = new Reader(block);
  while (reader.pos < reader.len) {
    const tag = readTag(reader);
    if (fieldOf(tag) === 1) type = utf8.decode(readBytes(reader, tag));
    else if (fieldOf(tag) === 2) content = readBytes(reader, tag);
    else skip(reader, tag);
  }
  if (type !== ARCHIVE_TYPE) {
    throw new ArchiveError(`Cannot read archive: its type is ${quoted(type)}`, {
      hint: `only archives of type "${ARCHIVE_TYPE}" can be read`,
    });
  }
  if (content?.length !== KEY_BYTES) {
    const found = content === undefined ? "no" : `a ${content.length}-byte`;
    throw new ArchiveError(`Cannot read archive: it names ${found} content key, not 32 bytes`);
  }
  return { contentKey: content };
}

/**
 * The block of an entry.
 *
 * @throws {LocalProtocolError} If a number or the name cannot be written.
 */
export function encodeEntry(entry: Omit<Entry, "seq">): Uint8Array {
  if (!entry.path.isWellFormed()) {
    throw new LocalProtocolError(`Cannot write name ${quoted(entry.path)}: half a character in it`);
  }
  const { path, stat, paths } = entry;
  const fields: FieldToWrite[] = [[1, toUtf8(path)]];
  if (stat !== undefined) fields.push([2, encodeStat(stat)]);
  fields.push([3, paths]);
  return encodeFields(fields);
}

/**
 * The entry in metadata block `seq`. Its child index is not looked at.
 *
 * @throws {ArchiveError} If the block is not a Node record.
 */
export function decodeEntry(block: Uint8Array, seq: number): Entry {
  let path: string | undefined;
  let stat: Stat | undefined;
  let paths: Uint8Array = EMPTY_BYTES;
  const reader = new Reader(block);
  while (reader.pos < reader.len) {
    const tag = readTag(reader);
    const field = fieldOf(tag);
    if (field === 1) path = utf8.decode(readBytes(reader, tag));
    else if (field === 2) stat = decodeStat(readBytes(reader, tag));
    else if (field === 3) paths = readBytes(reader, tag);
    else skip(reader, tag);
  }
  if (path === undefined) throw new ArchiveError(`Cannot read metadata entry ${seq}: no name`);
  return { seq, path, stat, paths };
}

/** @throws {LocalProtocolError} If a number is not an integer from 0 to 2^53 - 1. */
export function encodeStat(stat: Stat): Uint8Array {
  const fields: FieldToWrite[] = [];
  for (let i = 0; i < STAT_FIELDS.length; i++) {
    const name = STAT_FIELDS[i];
    const value = stat[name];
    if (stat.absent?.includes(name)) continue;
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new LocalProtocolError(`Cannot write ${value} as the ${name} of a file`);
    }
    // Zeros are written like any other value: leaving them out would give other bytes.
    fields.push([i + 1, value]);
  }
  return encodeFields(fields);
}

/** @throws {ArchiveError} If the bytes are not a Stat record. */
export function decodeStat(bytes: Uint8Array): Stat {
  const values = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  let present = 0;
  const reader = new Reader(bytes);
  while (reader.pos < reader.len) {
    const tag = readTag(reader);
    const place = fieldOf(tag) - 1;
    if (place >= STAT_FIELDS.length) {
      skip(reader, tag);
    } else {
      expectWire(tag, WIRE_VARINT);
      values[place] = readNumber(reader);
      present |= 1 << place;
    }
  }
  const [mode, uid, gid, size, blocks, offset, byteOffset, mtime, ctime] = values;
  const stat = { mode, uid, gid, size, blocks, offset, byteOffset, mtime, ctime };
  if (present === (1 << STAT_FIELDS.length) - 1) return stat;
  return { ...stat, absent: STAT_FIELDS.filter((_, place) => (present & (1 << place)) === 0) };
}

/** A field's number, and an integer or bytes. */
type FieldToWrite = readonly [field: number, value: number | Uint8Array];

/** A record, in a buffer of just its size. */
function encodeFields(fields: readonly FieldToWrite[]): Uint8Array {
  let size = 0;
  for (const [field, value] of fields) {
    const isNumber = typeof value === "number";
    size += varintSize(field * 8) + varintSize(isNumber ? value : value.length);
    if (!isNumber) size += value.length;
  }
  const record = new Uint8Array(size);
  let at = 0;
  for (const [field, value] of fields) {
    if (typeof value === "number") {
      at = writeVarint(record, at, field * 8 + WIRE_VARINT);
      at = writeVarint(record, at, value);
    } else {
      at = writeVarint(record, at, field * 8 + WIRE_DELIMITED);
      at = writeVarint(record, at, value.length);
      record.set(value, at);
      at += value.length;
    }
  }
  return record;
}

/** Where in a record the next field begins. */
class Reader {
  readonly buf: Uint8Array;
  readonly len: number;
  pos = 0;

  constructor(record: Uint8Array) {
    this.buf = record;
    this.len = record.length;
  }
}

function readTag(reader: Reader): number {
  const tag = readNumber(reader);
  if (tag < 8 || tag > 0xffff_ffff) throw new ArchiveError(`Cannot read metadata: tag ${tag}`);
  return tag;
}

function fieldOf(tag: number): number {
  return tag >>> 3;
}

function readNumber(reader: Reader): number {
  const value = readVarint(reader.buf, reader, reader.len);
  if (value < 0) {
    throw new ArchiveError(`Cannot read metadata: number cut off or too large at ${reader.pos}`);
  }
  return value;
}

function readBytes(reader: Reader, tag: number): Uint8Array {
  expectWire(tag, WIRE_DELIMITED);
  const length = readNumber(reader);
  if (length > reader.len - reader.pos) {
    throw new ArchiveError(
      `Cannot read metadata: field of ${length} bytes where ${reader.len - reader.pos} are left`,
    );
  }
  const start = reader.pos;
  reader.pos += length;
  return reader.buf.subarray(start, reader.pos);
}

function expectWire(tag: number, wire: number): void {
  if ((tag & 7) !== wire) {
    throw new ArchiveError(`Cannot read metadata: field ${fieldOf(tag)} has wire type ${tag & 7}`);
  }
}

/** Pass over an unknown field. Groups could nest without end, and nobody writes them. */
function skip(reader: Reader, tag: number): void {
  const wire = tag & 7;
  if (wire === WIRE_DELIMITED) {
    readBytes(reader, tag);
    return;
  }
  const left = reader.len - reader.pos;
  let size = 0;
  if (wire === WIRE_64_BIT) size = 8;
  else if (wire === WIRE_32_BIT) size = 4;
  else if (wire === WIRE_VARINT) size = varintEnd(reader) - reader.pos;
  else throw new ArchiveError(`Cannot read metadata: wire type ${wire}`);
  if (size > left) throw new ArchiveError(`Cannot read metadata: field cut off at ${reader.pos}`);
  reader.pos += size;
}

/** Where an integer ends that may use all 64 bits; past the end of the record if it does not. */
function varintEnd(reader: Reader): number {
  let end = reader.pos;
  while (end < reader.len && reader.buf[end] >= 0x80) end++;
  return end + 1;
}

function quoted(text: string | undefined): string {
  return text === undefined ? "missing" : JSON.stringify(text.slice(0, 100));
}
