/**
 * Messages to payload bytes: the table of `fields.ts` over protobufjs' Writer.
 *
 * Source: spec of the wire, sections 4.1 and 4.2.
 */
import type { Writer } from "protobufjs/minimal";
import { toUtf8 } from "../../base/bytes.ts";
import { LocalProtocolError, unreachable } from "../../base/errors.ts";
import { varintSize } from "../../base/varint.ts";
import {
  ANY_FIELDS,
  ANY_NODE_FIELDS,
  type AnyField,
  type FieldValues,
  MESSAGE_TYPES,
  WIRE_DELIMITED,
  WIRE_VARINT,
} from "./fields.ts";
import type { DataNode, Message } from "./messages.ts";

/** The type's number in the frame header. */
export function messageNumber(message: Message): number {
  return MESSAGE_TYPES.indexOf(message.type);
}

/**
 * Size of the payload in bytes, without frame length and header.
 *
 * @throws {LocalProtocolError} If a field holds what the wire cannot carry.
 */
export function encodedSize(message: Message): number {
  if (message.type === "extension") {
    return integerSize(message.id, "id") + message.payload.length;
  }
  return fieldsSize(ANY_FIELDS[message.type], message as unknown as FieldValues);
}

/** Append the payload. `encodedSize` has been asked before, so the message is known to be legal. */
export function writeMessage(writer: Writer, message: Message): void {
  if (message.type === "extension") {
    writeInteger(writer, message.id);
    writer.raw(message.payload);
  } else {
    writeFields(writer, ANY_FIELDS[message.type], message as unknown as FieldValues);
  }
}

function fieldsSize(fields: readonly AnyField[], message: FieldValues): number {
  let size = 0;
  for (const field of fields) {
    const value = message[field.name];
    if (value === undefined || field.isWritten?.(message) === false) continue;
    switch (field.kind) {
      case "integer":
        size += 1 + integerSize(value as number, field.name);
        break;
      case "boolean":
        size += 2;
        break;
      case "bytes":
        size += 1 + delimitedSize(checkedLength(field, value as Uint8Array));
        break;
      case "names":
        for (const name of value as string[]) size += 1 + delimitedSize(toUtf8(name).length);
        break;
      case "nodes":
        for (const node of value as DataNode[]) size += 1 + delimitedSize(nodeSize(node));
        break;
      default:
        return unreachable(field.kind);
    }
  }
  return size;
}

function writeFields(writer: Writer, fields: readonly AnyField[], message: FieldValues): void {
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i];
    const value = message[field.name];
    if (value === undefined || field.isWritten?.(message) === false) continue;
    const number = i + 1;
    switch (field.kind) {
      case "integer":
        writeInteger(writer.uint32(number * 8 + WIRE_VARINT), value as number);
        break;
      case "boolean":
        writer.uint32(number * 8 + WIRE_VARINT).bool(value as boolean);
        break;
      case "bytes":
        // The one copy of a block on its way out.
        writer.uint32(number * 8 + WIRE_DELIMITED).bytes(value as Uint8Array);
        break;
      case "names":
        for (const name of value as string[]) {
          writer.uint32(number * 8 + WIRE_DELIMITED).bytes(toUtf8(name));
        }
        break;
      case "nodes":
        for (const node of value as DataNode[]) {
          writer.uint32(number * 8 + WIRE_DELIMITED).uint32(nodeSize(node));
          writeFields(writer, ANY_NODE_FIELDS, node as unknown as FieldValues);
        }
        break;
      default:
        unreachable(field.kind);
    }
  }
}

function nodeSize(node: DataNode): number {
  return fieldsSize(ANY_NODE_FIELDS, node as unknown as FieldValues);
}

function delimitedSize(length: number): number {
  return varintSize(length) + length;
}

function integerSize(value: number, name: string): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new LocalProtocolError(`Cannot send ${name} ${value}: not a whole number below 2^53`);
  }
  return varintSize(value);
}

function checkedLength({ name, byteLength }: AnyField, value: Uint8Array): number {
  if (byteLength !== undefined && value.length !== byteLength) {
    throw new LocalProtocolError(
      `Cannot send ${name} of ${value.length} bytes, need ${byteLength}`,
    );
  }
  return value.length;
}

function writeInteger(writer: Writer, value: number): void {
  if (value <= 0xffff_ffff) writer.uint32(value);
  else writer.uint64(value);
}
