/** Arbitrary messages for properties: everything that may be put on the wire. */
import fc from "fast-check";
import type { Message } from "../../src/core/wire/messages.ts";

const integer = fc.oneof(fc.nat(300), fc.maxSafeNat());
const flag = fc.boolean();

function bytes(maxLength: number) {
  return fc.uint8Array({ maxLength });
}

function exactly(length: number) {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

/** A record whose `optional` fields may be missing. */
function record<T>(required: { [K in keyof T]: fc.Arbitrary<T[K]> }, optional: (keyof T)[] = []) {
  const requiredKeys = (Object.keys(required) as (keyof T)[]).filter((k) => !optional.includes(k));
  return fc.record(required, { requiredKeys, noNullPrototype: true });
}

const node = record({ index: integer, hash: exactly(32), size: integer });

const ARBITRARIES: Record<Message["type"], fc.Arbitrary<unknown>> = {
  feed: record(
    { type: fc.constant("feed"), discoveryKey: exactly(32), nonce: exactly(24) },
    ["nonce"],
  ),
  handshake: record({
    type: fc.constant("handshake"),
    id: fc.uint8Array({ minLength: 1, maxLength: 64 }),
    live: flag,
    userData: bytes(100),
    extensions: fc.uniqueArray(fc.string({ maxLength: 16, unit: "binary" }), { maxLength: 8 })
      .map((names) => names.filter((name) => name.isWellFormed()).sort()),
    ack: flag,
  }, ["id", "userData"]),
  info: record({ type: fc.constant("info"), uploading: flag, downloading: flag }),
  have: record(
    { type: fc.constant("have"), start: integer, length: integer, bitfield: bytes(40), ack: flag },
    ["bitfield"],
  ),
  unhave: record({ type: fc.constant("unhave"), start: integer, length: integer }),
  want: record({ type: fc.constant("want"), start: integer, length: integer }),
  unwant: record({ type: fc.constant("unwant"), start: integer, length: integer }),
  request: record({
    type: fc.constant("request"),
    index: integer,
    bytes: integer,
    hash: flag,
    nodes: integer,
  }),
  cancel: record({ type: fc.constant("cancel"), index: integer, bytes: integer, hash: flag }),
  data: record({
    type: fc.constant("data"),
    index: integer,
    value: bytes(300),
    nodes: fc.array(node, { maxLength: 12 }),
    signature: exactly(64),
  }, ["value", "signature"]),
  extension: record({ type: fc.constant("extension"), id: integer, payload: bytes(50) }),
};

export const MESSAGE_TYPE_NAMES = Object.keys(ARBITRARIES) as Message["type"][];

export function messageOfType(type: Message["type"]): fc.Arbitrary<Message> {
  return ARBITRARIES[type] as fc.Arbitrary<Message>;
}

export function anyMessage(): fc.Arbitrary<Message> {
  return fc.oneof(...MESSAGE_TYPE_NAMES.map(messageOfType));
}
