import assert from "node:assert/strict";
import fc from "fast-check";
import { Writer } from "protobufjs/minimal";
import { concat, fromHex, toHex, toUtf8 } from "../../../src/base/bytes.ts";
import { RemoteProtocolError } from "../../../src/base/errors.ts";
import {
  decodeMessage,
  MAX_DATA_NODES,
  MAX_EXTENSION_NAME_BYTES,
  MAX_EXTENSIONS,
  MAX_PEER_ID_BYTES,
  MAX_USER_DATA_BYTES,
} from "../../../src/core/wire/decode.ts";
import { messageNumber, writeMessage } from "../../../src/core/wire/encode.ts";
import type { Data, Handshake, Message } from "../../../src/core/wire/messages.ts";
import { MESSAGE_TYPE_NAMES, messageOfType } from "../../support/messages.ts";

const [FEED, HANDSHAKE, INFO, HAVE, UNHAVE, WANT, UNWANT, REQUEST, CANCEL, DATA] = Array(10).keys();
const EXTENSION = 15;

function decode(type: number, hex: string): Message | undefined {
  return decodeMessage(type, fromHex(hex));
}

for (const type of MESSAGE_TYPE_NAMES) {
  Deno.test(`decodeMessage() undoes the encoding of every ${type}`, () => {
    fc.assert(
      fc.property(messageOfType(type), (message) => {
        const writer = new Writer();
        writeMessage(writer, message);
        const decoded = decodeMessage(messageNumber(message), writer.finish());
        assert.deepEqual(decoded, message);
      }),
      { seed: 1 },
    );
  });
}

// Source: spec of the wire, sections 4.1 and 4.3.
const DECODED: [what: string, type: number, hex: string, Message | undefined][] = [
  ["an Info without fields", INFO, "", { type: "info", uploading: false, downloading: false }],
  ["a Have of one block", HAVE, "0802", { type: "have", start: 2, length: 1, ack: false }],
  ["an Unhave of one block", UNHAVE, "0802", { type: "unhave", start: 2, length: 1 }],
  ["a Want of everything", WANT, "0800", { type: "want", start: 0, length: 0 }],
  ["an Unwant of everything", UNWANT, "0800", { type: "unwant", start: 0, length: 0 }],
  ["a Request of an index alone", REQUEST, "0807", {
    type: "request",
    index: 7,
    bytes: 0,
    hash: false,
    nodes: 0,
  }],
  ["a Cancel of an index alone", CANCEL, "0807", {
    type: "cancel",
    index: 7,
    bytes: 0,
    hash: false,
  }],
  ["Data with hashes only", DATA, "0807", { type: "data", index: 7, nodes: [] }],
  ["Data with an empty block", DATA, "08071200", {
    type: "data",
    index: 7,
    nodes: [],
    value: new Uint8Array(0),
  }],
  ["fields in any order", WANT, "10030802", { type: "want", start: 2, length: 3 }],
  ["the last of several values", WANT, "080108021003", { type: "want", start: 2, length: 3 }],
  ["a longer form of a number", WANT, "08828000", { type: "want", start: 2, length: 0 }],
  ["any number but zero as true", INFO, "08051000", {
    type: "info",
    uploading: true,
    downloading: false,
  }],
  [
    "a message among unknown fields",
    WANT,
    "28ff01" + "310102030405060708" + "3a020304" +
    "4501020304" + "0802" + "f8ffffff0f00",
    { type: "want", start: 2, length: 0 },
  ],
  ["an unknown number of 64 bits", WANT, "28ffffffffffffffffff010802", {
    type: "want",
    start: 2,
    length: 0,
  }],
  ["the largest number", WANT, "08ffffffffffffff0f", {
    type: "want",
    start: Number.MAX_SAFE_INTEGER,
    length: 0,
  }],
  ["nothing for an unassigned type", 12, "0802", undefined],
  ["nothing for an Extension without an id", EXTENSION, "", undefined],
  ["nothing for an Extension whose id does not end", EXTENSION, "8080", undefined],
  ["an Extension without payload", EXTENSION, "05", {
    type: "extension",
    id: 5,
    payload: new Uint8Array(0),
  }],
];

for (const [what, type, hex, expected] of DECODED) {
  Deno.test(`decodeMessage() reads ${what}`, () => {
    assert.deepEqual(decode(type, hex), expected);
  });
}

const NODE = "0801" + "1220" + "44".repeat(32) + "1802";

// Source: limits, section 5.
const MALFORMED: [what: string, type: number, hex: string][] = [
  ["a Feed without key", FEED, "1218" + "11".repeat(24)],
  ["a Feed with a short key", FEED, "0a1f" + "11".repeat(31)],
  ["a Feed with a long nonce", FEED, "0a20" + "11".repeat(32) + "1219" + "11".repeat(25)],
  ["a Have without start", HAVE, "1002"],
  ["an empty Want", WANT, ""],
  ["Data without index", DATA, "120163"],
  ["a node without size", DATA, "0801" + "1a24" + NODE.slice(0, -4)],
  ["a node without hash", DATA, "0801" + "1a04" + "08011802"],
  ["a node that is cut off", DATA, "0801" + "1a26" + NODE.slice(0, -2)],
  ["a node whose hash runs into the next field", DATA, "0801" + "1a04" + "08011220" + NODE],
  ["a number where bytes belong", DATA, "08011001"],
  ["bytes where a number belongs", WANT, "0a0100"],
  ["32 bits where a number belongs", WANT, "0d00000000"],
  ["a boolean of bytes", INFO, "0a0100"],
  ["bytes past the end", DATA, "0801120563"],
  ["unknown bytes past the end", WANT, "08013a0500"],
  ["unknown 64 bits past the end", WANT, "08013100"],
  ["unknown 32 bits past the end", WANT, "08014500"],
  ["a number past the end", WANT, "0880"],
  ["a tag without a value", WANT, "080110"],
  ["an unknown number without an end", WANT, "080128" + "80".repeat(10) + "00"],
  ["a group", WANT, "08012b2c"],
  ["the end of a group", WANT, "08012c"],
  ["wire type 6", WANT, "08012e"],
  ["wire type 7", WANT, "08012f"],
  ["field number 0", WANT, "08010000"],
  ["a field number above 2^29 - 1", WANT, "0801" + "80808080" + "1000"],
  ["a start of 2^53", WANT, "08" + "80808080808080" + "10"],
  ["a start of eleven bytes", WANT, "08" + "80".repeat(10) + "00"],
  ["a size above 2^53 - 1", DATA, "08011a2d" + NODE.slice(0, -2) + "ffffffffffffffff7f"],
  ["a length above 2^53 - 1", DATA, "0801" + "12" + "ffffffffffffffffff01"],
];

for (const [what, type, hex] of MALFORMED) {
  Deno.test(`decodeMessage() refuses ${what}`, () => {
    assert.throws(() => decode(type, hex), RemoteProtocolError);
  });
}

Deno.test("decodeMessage() shares the memory of the payload", () => {
  const payload = fromHex("0801120263641a26" + NODE);
  const { value, nodes } = decodeMessage(DATA, payload) as Data;
  payload.fill(0xee);
  assert.deepEqual(value, fromHex("eeee"));
  assert.deepEqual(nodes[0].hash, new Uint8Array(32).fill(0xee));
});

Deno.test("decodeMessage() reads a payload that lies inside a larger buffer", () => {
  const buffer = fromHex("ffff" + "08021003" + "ffff");
  assert.deepEqual(decodeMessage(WANT, buffer.subarray(2, -2)), {
    type: "want",
    start: 2,
    length: 3,
  });
});

Deno.test("decodeMessage() keeps as many nodes as a proof can need and refuses more", () => {
  const nodes = (count: number) => fromHex("0801" + ("1a26" + NODE).repeat(count));
  assert.equal((decodeMessage(DATA, nodes(MAX_DATA_NODES)) as Data).nodes.length, MAX_DATA_NODES);
  assert.throws(() => decodeMessage(DATA, nodes(MAX_DATA_NODES + 1)), RemoteProtocolError);
});

function delimited(number: number, value: Uint8Array): Uint8Array {
  return new Writer().uint32(number * 8 + 2).bytes(value).finish();
}

function handshake(...fields: Uint8Array[]): Handshake {
  return decodeMessage(HANDSHAKE, concat(fields)) as Handshake;
}

Deno.test("decodeMessage() drops the id of a Handshake that is empty or too long", () => {
  const id = (bytes: number) => handshake(delimited(1, new Uint8Array(bytes).fill(1))).id?.length;
  assert.equal(id(0), undefined);
  assert.equal(id(1), 1);
  assert.equal(id(MAX_PEER_ID_BYTES), MAX_PEER_ID_BYTES);
  assert.equal(id(MAX_PEER_ID_BYTES + 1), undefined);
});

Deno.test("decodeMessage() drops user data that is too long", () => {
  const kept = (bytes: number) => handshake(delimited(3, new Uint8Array(bytes))).userData?.length;
  assert.equal(kept(MAX_USER_DATA_BYTES), MAX_USER_DATA_BYTES);
  assert.equal(kept(MAX_USER_DATA_BYTES + 1), undefined);
});

Deno.test("decodeMessage() keeps a place for extension names that cannot be used", () => {
  const fits = "n".repeat(MAX_EXTENSION_NAME_BYTES);
  const names = [toUtf8("a"), fromHex("ff"), toUtf8(fits + "n"), toUtf8(fits)];
  const { extensions } = handshake(...names.map((name) => delimited(4, name)));
  assert.deepEqual(extensions, ["a", "", "", fits]);
});

Deno.test("decodeMessage() keeps no more extension names than the limit", () => {
  const names = Array.from({ length: MAX_EXTENSIONS + 10 }, (_, i) => `name ${i}`);
  const { extensions } = handshake(...names.map((name) => delimited(4, toUtf8(name))));
  assert.deepEqual(extensions, names.slice(0, MAX_EXTENSIONS));
});

Deno.test("decodeMessage() never fails with anything but RemoteProtocolError", () => {
  fc.assert(
    fc.property(fc.nat(15), fc.uint8Array({ maxLength: 60 }), (type, payload) => {
      const before = toHex(payload);
      try {
        decodeMessage(type, payload);
      } catch (error) {
        assert.ok(error instanceof RemoteProtocolError, String(error));
      }
      assert.equal(toHex(payload), before);
    }),
    { seed: 3, numRuns: 5000 },
  );
});
