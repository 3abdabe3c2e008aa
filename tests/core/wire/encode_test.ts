import assert from "node:assert/strict";
import fc from "fast-check";
import { Writer } from "protobufjs/minimal";
import { toHex } from "../../../src/base/bytes.ts";
import { LocalProtocolError } from "../../../src/base/errors.ts";
import { encodedSize, messageNumber, writeMessage } from "../../../src/core/wire/encode.ts";
import type { Message } from "../../../src/core/wire/messages.ts";
import { anyMessage } from "../../support/messages.ts";

function encode(message: Message): string {
  const writer = new Writer();
  writeMessage(writer, message);
  return toHex(writer.finish());
}

// Source: spec of the wire, section 4.2; those it does not list follow from its rules.
const ENCODED: [Message, string][] = [
  [{ type: "want", start: 0, length: 1_048_576 }, "080010808040"],
  [{ type: "want", start: 8192, length: 0 }, "0880401000"],
  [{ type: "unwant", start: 1, length: 2 }, "08011002"],
  [{ type: "have", start: 2, length: 1, ack: false }, "0802"],
  [{ type: "have", start: 2, length: 3, ack: false }, "08021003"],
  [{ type: "have", start: 2, length: 1, ack: true }, "080210012001"],
  [
    {
      type: "have",
      start: 0,
      length: 1_048_576,
      bitfield: new Uint8Array([2, 0xe0]),
      ack: false,
    },
    "0800108080401a0202e0",
  ],
  [
    { type: "have", start: 0, length: 1, bitfield: new Uint8Array(0), ack: false },
    "080010011a00",
  ],
  [{ type: "unhave", start: 3, length: 1 }, "0803"],
  [{ type: "unhave", start: 1000, length: 10 }, "08e807100a"],
  [{ type: "request", index: 2, bytes: 0, hash: false, nodes: 0 }, "0802100018002000"],
  [{ type: "cancel", index: 2, bytes: 5, hash: true }, "080210051801"],
  [{ type: "info", uploading: true, downloading: false }, "08011000"],
  [{ type: "handshake", live: false, extensions: [], ack: false }, "10002800"],
  [
    { type: "handshake", live: true, extensions: ["a", "é"], ack: true, id: new Uint8Array([9]) },
    "0a010910012201612202c3a92801",
  ],
  [{ type: "data", index: 2, value: new Uint8Array(0), nodes: [] }, "08021200"],
  [{ type: "data", index: 2, nodes: [] }, "0802"],
  [{ type: "extension", id: 0, payload: new Uint8Array([0x68, 0x69]) }, "006869"],
  [
    { type: "request", index: 2 ** 40, bytes: 0, hash: false, nodes: 0 },
    "08808080808020100018002000",
  ],
];

for (const [message, hex] of ENCODED) {
  Deno.test(`${message.type} is encoded as ${hex}`, () => {
    assert.equal(encode(message), hex);
    assert.equal(encodedSize(message), hex.length / 2);
  });
}

Deno.test("Data is encoded with its nodes and signature in the order of their fields", () => {
  const message: Message = {
    type: "data",
    index: 2,
    signature: new Uint8Array(64).fill(0x55),
    nodes: [{ index: 1, hash: new Uint8Array(32).fill(0x44), size: 2 }],
    value: new Uint8Array([0x63]),
  };
  const node = "0801" + "1220" + "44".repeat(32) + "1802";
  assert.equal(encode(message), "0802" + "120163" + "1a26" + node + "2240" + "55".repeat(64));
  assert.equal(encodedSize(message), 111);
});

Deno.test("encodedSize() tells the number of bytes that writeMessage() writes", () => {
  fc.assert(
    fc.property(anyMessage(), (message) => {
      assert.equal(encodedSize(message), encode(message).length / 2);
    }),
    { seed: 1, numRuns: 500 },
  );
});

const NUMBERS: [Message["type"], number][] = [
  ["feed", 0],
  ["handshake", 1],
  ["info", 2],
  ["have", 3],
  ["unhave", 4],
  ["want", 5],
  ["unwant", 6],
  ["request", 7],
  ["cancel", 8],
  ["data", 9],
  ["extension", 15],
];

for (const [type, number] of NUMBERS) {
  Deno.test(`${type} has number ${number}`, () => {
    assert.equal(messageNumber({ type } as Message), number);
  });
}

const ILLEGAL: [string, Message][] = [
  ["a negative start", { type: "want", start: -1, length: 0 }],
  ["half a block", { type: "unhave", start: 0.5, length: 1 }],
  ["an index of 2^53", { type: "cancel", index: 2 ** 53, bytes: 0, hash: false }],
  ["not a number", { type: "extension", id: NaN, payload: new Uint8Array(0) }],
  ["a short discovery key", { type: "feed", discoveryKey: new Uint8Array(31) }],
  ["a short nonce", {
    type: "feed",
    discoveryKey: new Uint8Array(32),
    nonce: new Uint8Array(23),
  }],
  ["a node with a negative size", {
    type: "data",
    index: 0,
    nodes: [{ index: 0, hash: new Uint8Array(32), size: -1 }],
  }],
];

for (const [what, message] of ILLEGAL) {
  Deno.test(`encodedSize() refuses ${what}`, () => {
    assert.throws(() => encodedSize(message), LocalProtocolError);
  });
}
