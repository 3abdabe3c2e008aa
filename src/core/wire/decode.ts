/**
 * Payload bytes to messages: the table of `fields.ts` over protobufjs' Reader.
 *
 * The Reader is cursor and buffer; numbers are read by our own `readVarint`, because the peer
 * chooses the bytes and the Reader lets numbers past 2^53 - 1 and past 64 bits through.
 *
 * Source: spec of the wire, sections 4.1 and 4.3; limits, sections 3 to 5.
 */
import { Reader } from "protobufjs/minimal";
import { EMPTY_BYTES, fromUtf8 } from "../../base/bytes.ts";
import { RemoteProtocolError, unreachable } from "../../base/errors.ts";
import { MAX_VARINT_BYTES, readVarint, VARINT_INCOMPLETE } from "../../base/varint.ts";
import {
  ANY_FIELDS,
  ANY_NODE_FIELDS,
  type AnyField,
  type FieldValues,
  MESSAGE_TYPES,
  WIRE_32_BIT,
  WIRE_64_BIT,
  WIRE_DELIMITED,
  WIRE_VARINT,
} from "./fields.ts";
import type { DataNode, Extension, Handshake, Message } from "./messages.ts";

/** Nodes kept of one Data. A proof over 2^53 blocks needs fewer. Source: limits, section 5. */
export const MAX_DATA_NODES = 128;

/** What is kept of a Handshake; more is dropped. Source: limits, section 3. */
export const MAX_EXTENSIONS = 64;
export const MAX_EXTENSION_NAME_BYTES = 64;
export const MAX_USER_DATA_BYTES = 16 * 1024;
export const MAX_PEER_ID_BYTES = 64;

/** Tags are 32 bits: a field number up to 2^29 - 1 and three bits of wire type. */
const MAX_TAG = 0xffff_ffff;

/**
 * The message in `payload`, or undefined if frames like it are skipped: unassigned types, and an
 * Extension without an id. Byte fields share memory with `payload`.
 *
 * @throws {RemoteProtocolError} If the payload is malformed.
 */
export function decodeMessage(type: number, payload: Uint8Array): Message | undefined {
  const name = MESSAGE_TYPES[type];
  if (name === undefined) return undefined;
  if (name === "extension") return decodeExtension(payload);
  const message: FieldValues = { type: name };
  readFields(new Reader(payload), ANY_FIELDS[name], message);
  const decoded = message as unknown as Message;
  return decoded.type === "handshake" ? sanitized(decoded) : decoded;
}

function decodeExtension(payload: Uint8Array): Extension | undefined {
  const cursor = { pos: 0 };
  const id = readVarint(payload, cursor, payload.length);
  if (id < 0) return undefined;
  return { type: "extension", id, payload: payload.subarray(cursor.pos) };
}

/** Drop what is too large to keep. Names beyond `MAX_EXTENSIONS` were not read at all. */
function sanitized(handshake: Handshake): Handshake {
  const { id, userData, ...rest } = handshake;
  const usableId = id !== undefined && id.length > 0 && id.length <= MAX_PEER_ID_BYTES;
  const usableData = userData !== undefined && userData.length <= MAX_USER_DATA_BYTES;
  return { ...rest, ...(usableId ? { id } : {}), ...(usableData ? { userData } : {}) };
}

/** Read fields up to `reader.len` into `message`. */
function readFields(reader: Reader, fields: readonly AnyField[], message: FieldValues): void {
  for (const { name, kind, absent } of fields) {
    if (kind === "names" || kind === "nodes") message[name] = [];
    else if (absent !== undefined) message[name] = absent;
  }
  let seen = 0;
  while (reader.pos < reader.len) {
    const tag = readInteger(reader);
    const wireType = tag % 8;
    const number = (tag - wireType) / 8;
    if (number === 0 || tag > MAX_TAG) throw malformed(`field number ${number}`);
    const field = fields[number - 1];
    if (field === undefined) {
      skipField(reader, wireType);
    } else {
      const expected = isVarint(field) ? WIRE_VARINT : WIRE_DELIMITED;
      if (wireType !== expected) throw malformed(`${field.name} with wire type ${wireType}`);
      readField(reader, field, message);
      seen |= 1 << number;
    }
  }
  for (let i = 0; i < fields.length; i++) {
    if (fields[i].required && (seen & (1 << (i + 1))) === 0) {
      throw malformed(`no ${fields[i].name}`);
    }
  }
}

function isVarint({ kind }: AnyField): boolean {
  return kind === "integer" || kind === "boolean";
}

function readField(reader: Reader, field: AnyField, message: FieldValues): void {
  switch (field.kind) {
    case "integer":
      message[field.name] = readInteger(reader);
      break;
    case "boolean":
      message[field.name] = readInteger(reader) !== 0;
      break;
    case "bytes":
      message[field.name] = readExactBytes(reader, field);
      break;
    case "names":
      readName(reader, message[field.name] as string[]);
      break;
    case "nodes":
      readNode(reader, message[field.name] as DataNode[]);
      break;
    default:
      unreachable(field.kind);
  }
}

function readInteger(reader: Reader): number {
  const value = readVarint(reader.buf, reader, reader.len);
  if (value >= 0) return value;
  throw malformed(value === VARINT_INCOMPLETE ? "number past its end" : "number above 2^53 - 1");
}

function readLength(reader: Reader): number {
  const length = readInteger(reader);
  const left = reader.len - reader.pos;
  if (length > left) throw malformed(`field of ${length} bytes where ${left} are left`);
  return length;
}

function readBytes(reader: Reader): Uint8Array {
  const length = readLength(reader);
  const start = reader.pos;
  reader.pos += length;
  return length === 0 ? EMPTY_BYTES : reader.raw(start, reader.pos);
}

function readExactBytes(reader: Reader, { name, byteLength }: AnyField): Uint8Array {
  const bytes = readBytes(reader);
  if (byteLength !== undefined && bytes.length !== byteLength) {
    throw malformed(`${name} of ${bytes.length} bytes, need ${byteLength}`);
  }
  return bytes;
}

/** The place in the list is the name's id, so a name nobody can use leaves an empty one behind. */
function readName(reader: Reader, names: string[]): void {
  const bytes = readBytes(reader);
  if (names.length === MAX_EXTENSIONS) return;
  names.push(bytes.length <= MAX_EXTENSION_NAME_BYTES ? textOrNothing(bytes) : "");
}

function textOrNothing(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch {
    return "";
  }
}

function readNode(reader: Reader, nodes: DataNode[]): void {
  const length = readLength(reader);
  if (nodes.length === MAX_DATA_NODES) throw malformed(`more than ${MAX_DATA_NODES} nodes`);
  const outerEnd = reader.len;
  reader.len = reader.pos + length;
  const node: FieldValues = {};
  readFields(reader, ANY_NODE_FIELDS, node);
  nodes.push(node as unknown as DataNode);
  reader.len = outerEnd;
}

function skipField(reader: Reader, wireType: number): void {
  switch (wireType) {
    case WIRE_VARINT:
      return skipVarint(reader);
    case WIRE_64_BIT:
      return skipBytes(reader, 8);
    case WIRE_DELIMITED:
      return skipBytes(reader, readLength(reader));
    case WIRE_32_BIT:
      return skipBytes(reader, 4);
    default:
      throw malformed(`wire type ${wireType}`);
  }
}

/** An unknown number may use all 64 bits; nobody looks at it. */
function skipVarint(reader: Reader): void {
  const last = Math.min(reader.len, reader.pos + MAX_VARINT_BYTES);
  for (let at = reader.pos; at < last; at++) {
    if (reader.buf[at] < 0x80) return skipBytes(reader, at + 1 - reader.pos);
  }
  throw malformed("number without an end");
}

function skipBytes(reader: Reader, count: number): void {
  const left = reader.len - reader.pos;
  if (count > left) throw malformed(`field of ${count} bytes where ${left} are left`);
  reader.skip(count);
}

function malformed(found: string): RemoteProtocolError {
  return new RemoteProtocolError(`Cannot read message: found ${found}`);
}
