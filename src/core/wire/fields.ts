/**
 * The payloads of the messages as one table: which fields there are, how they look on the wire and
 * when they are written. `encode.ts` and `decode.ts` do what it says.
 *
 * Source: spec of the wire, sections 4.1 (fields, defaults) and 4.2 (what existing peers write).
 */
import type { DataNode, Message } from "./messages.ts";

/**
 * `names` is a repeated string and `nodes` a repeated nested message; all else occurs once, and of
 * several the last one counts.
 */
export type FieldKind = "integer" | "boolean" | "bytes" | "names" | "nodes";

/** One field of `M`. Its number is its place in the list, counted from 1. */
export interface Field<M> {
  readonly name: Exclude<keyof M & string, "type">;
  readonly kind: FieldKind;
  /** Without it the message is malformed. */
  readonly required?: true;
  /** What is decoded when the field is not there; without this, nothing. Lists: no items. */
  readonly absent?: number | boolean;
  /** The only legal size, in bytes. */
  readonly byteLength?: number;
  /** Whether to write a value that is set. Default: always, even if it equals `absent`. */
  isWritten?(message: M): boolean;
}

/** The message of the union that has this `type`. */
export type MessageOf<T extends Message["type"]> = Extract<Message, { type: T }>;

/** The messages whose payload is a protocol buffer: all but Extension. */
export type ProtobufType = Exclude<Message["type"], "extension">;

/** Message types by their number on the wire; 10 to 14 are unassigned. */
export const MESSAGE_TYPES: readonly (Message["type"] | undefined)[] = [
  "feed",
  "handshake",
  "info",
  "have",
  "unhave",
  "want",
  "unwant",
  "request",
  "cancel",
  "data",
  undefined,
  undefined,
  undefined,
  undefined,
  undefined,
  "extension",
];

const FIELDS: { readonly [T in ProtobufType]: readonly Field<MessageOf<T>>[] } = {
  feed: [
    { name: "discoveryKey", kind: "bytes", required: true, byteLength: 32 },
    { name: "nonce", kind: "bytes", byteLength: 24 },
  ],
  handshake: [
    { name: "id", kind: "bytes" },
    { name: "live", kind: "boolean", absent: false },
    { name: "userData", kind: "bytes" },
    { name: "extensions", kind: "names" },
    { name: "ack", kind: "boolean", absent: false },
  ],
  // Both are always written: an Info without fields is a frame of length 1, which peers ignore.
  info: [
    { name: "uploading", kind: "boolean", absent: false },
    { name: "downloading", kind: "boolean", absent: false },
  ],
  // A new block is announced by `start` alone; the answer to a Want and an acknowledgement carry
  // the length even if it is 1; `ack` is written only if true.
  have: [
    { name: "start", kind: "integer", required: true },
    {
      name: "length",
      kind: "integer",
      absent: 1,
      isWritten: (have) => have.length !== 1 || have.bitfield !== undefined || have.ack,
    },
    { name: "bitfield", kind: "bytes" },
    { name: "ack", kind: "boolean", absent: false, isWritten: (have) => have.ack },
  ],
  unhave: [
    { name: "start", kind: "integer", required: true },
    { name: "length", kind: "integer", absent: 1, isWritten: (unhave) => unhave.length !== 1 },
  ],
  want: [
    { name: "start", kind: "integer", required: true },
    { name: "length", kind: "integer", absent: 0 },
  ],
  unwant: [
    { name: "start", kind: "integer", required: true },
    { name: "length", kind: "integer", absent: 0 },
  ],
  request: [
    { name: "index", kind: "integer", required: true },
    { name: "bytes", kind: "integer", absent: 0 },
    { name: "hash", kind: "boolean", absent: false },
    { name: "nodes", kind: "integer", absent: 0 },
  ],
  cancel: [
    { name: "index", kind: "integer", required: true },
    { name: "bytes", kind: "integer", absent: 0 },
    { name: "hash", kind: "boolean", absent: false },
  ],
  data: [
    { name: "index", kind: "integer", required: true },
    { name: "value", kind: "bytes" },
    { name: "nodes", kind: "nodes" },
    { name: "signature", kind: "bytes" },
  ],
};

/** The nested message of `Data.nodes`. */
const NODE_FIELDS: readonly Field<DataNode>[] = [
  { name: "index", kind: "integer", required: true },
  { name: "hash", kind: "bytes", required: true },
  { name: "size", kind: "integer", required: true },
];

/** A field of any message and what it may hold: what the loops that read and write see. */
export type AnyField = Field<Record<string, unknown>>;
export type FieldValue = number | boolean | string | Uint8Array | string[] | DataNode[] | undefined;
export type FieldValues = Record<string, FieldValue>;

// Those loops know kinds of fields and no message: here the types above end.
export const ANY_FIELDS = FIELDS as unknown as Readonly<Record<ProtobufType, readonly AnyField[]>>;
export const ANY_NODE_FIELDS = NODE_FIELDS as unknown as readonly AnyField[];

/** The low three bits of a tag. */
export const WIRE_VARINT = 0;
export const WIRE_64_BIT = 1;
export const WIRE_DELIMITED = 2;
export const WIRE_32_BIT = 5;
