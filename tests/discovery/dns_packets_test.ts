import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import packet from "dns-packet";
import fc from "fast-check";
import { fromHex, toHex } from "../../src/base/bytes.ts";
import {
  decodePacket,
  decodePeers,
  encodeProbe,
  encodeReceipt,
  encodeRequest,
  valuesOf,
} from "../../src/discovery/dns_packets.ts";

const ID = "e4bbed90872ba99de7f01f3bd05cd8c94127a4dd";
const NAME = `${ID}.dat.local`;

Deno.test("a probe has the bytes that dns-discovery sends", () => {
  assert.equal(
    toHex(encodeProbe(1, "dat.local")),
    "000101000001000000000000" + "03646174056c6f63616c00" + "00100001",
  );
});

Deno.test("a request names the archive twice, and has what is wanted in the record", () => {
  const bytes = encodeRequest(0x1234, {
    name: NAME,
    ...{ token: "abc=", subscribe: true, announce: 3282 },
  });
  const name = "28" + toHex(new TextEncoder().encode(ID)) + "03646174056c6f63616c00";
  const strings = ["subscribe=true", "token=abc=", "announce=3282"]
    .map((text) => new TextEncoder().encode(text))
    .map((text) => text.length.toString(16).padStart(2, "0") + toHex(text)).join("");
  assert.equal(
    toHex(bytes),
    "123401000001000000000001" + name + "00100001" + name + "0010000100000000" +
      (strings.length / 2).toString(16).padStart(4, "0") + strings,
  );
  const decoded = decodePacket(bytes)!;
  assert.equal(decoded.type, "query");
  const [record] = decoded.additionals;
  assert.ok(record.type === "TXT");
  assert.deepEqual([...valuesOf(record.strings)], [
    ["subscribe", "true"],
    ["token", "abc="],
    ["announce", "3282"],
  ]);
});

Deno.test("what withdraws an announcement does not subscribe", () => {
  const bytes = encodeRequest(7, { name: NAME, token: "t", subscribe: false, unannounce: 3282 });
  const [record] = decodePacket(bytes)!.additionals;
  assert.ok(record.type === "TXT");
  assert.deepEqual([...valuesOf(record.strings)], [["token", "t"], ["unannounce", "3282"]]);
});

Deno.test("the receipt of a push is an empty response", () => {
  assert.equal(toHex(encodeReceipt(258)), "010280000000000000000000");
});

Deno.test("a push names a peer in an SRV record", () => {
  const bytes = new Uint8Array(packet.encode({
    type: "query",
    id: 9,
    additionals: [{
      type: "SRV",
      name: NAME.toUpperCase(),
      data: { port: 3282, target: "10.1.2.3" },
    }],
  }));
  assert.deepEqual(decodePacket(bytes)?.additionals, [
    { type: "SRV", name: NAME, port: 3282, target: "10.1.2.3" },
  ]);
});

const answerWith = (strings: readonly string[]) =>
  new Uint8Array(packet.encode({
    type: "response",
    id: 1,
    questions: [{ type: "TXT", name: NAME }],
    answers: [
      { type: "A", name: NAME, data: "10.0.0.1" },
      { type: "TXT", name: NAME, data: strings.map((text) => Buffer.from(text)) },
    ],
  }));

function firstValues(bytes: Uint8Array): [string, string][] | undefined {
  const record = decodePacket(bytes)?.answers.find(({ type }) => type === "TXT");
  return record?.type === "TXT" ? [...valuesOf(record.strings)] : undefined;
}

Deno.test("more peers than a string can have are read as dns-discovery writes them", () => {
  for (const count of [1, 31, 32, 43, 100]) {
    const peers = Buffer.alloc(6 * count, 7).toString("base64");
    const values = firstValues(answerWith(["token=t", `peers=${peers}`]));
    assert.deepEqual(values, [["token", "t"], ["peers", peers]], `${count}`);
  }
});

Deno.test("of the strings of a record, those without a value say nothing, and the first counts", () => {
  const values = firstValues(answerWith(["subscribe", "", "=x", "a=1", "a=2", "b="]));
  assert.deepEqual(values, [["a", "1"], ["b", ""]]);
});

Deno.test("whole entries of a list of peers are taken, a hundred at most", () => {
  assert.deepEqual(decodePeers("AAAAAAzS"), [{ host: "0.0.0.0", port: 3282 }]);
  assert.deepEqual(decodePeers("CgAAAQzSCgAA"), [{ host: "10.0.0.1", port: 3282 }]);
  assert.deepEqual(decodePeers(""), []);
  assert.deepEqual(decodePeers("!!"), []);
  assert.equal(decodePeers(Buffer.alloc(6 * 500, 9).toString("base64")).length, 100);
});

const HEADER = "000180000000000100000000";
const MALFORMED = {
  "nothing": "",
  "half a header": "0001800000",
  "a count of records that are not there": HEADER,
  "a count of questions that are not there": "000180000001000000000000",
  "more records than any answer has": "000180000000ffffffffffff",
  "a name that points to itself": `${HEADER}c00c00100001000000000000`,
  "a name that points ahead": `${HEADER}c01000100001000000000000`,
  "two names that point at each other": `${HEADER}c00ec00c00100001000000000000`,
  "a name that is cut off": `${HEADER}3f6161`,
  "a label of an unknown kind": `${HEADER}8061`,
  "a record that is cut off": `${HEADER}0161000010000100000000ffff0161`,
};
for (const [what, hex] of Object.entries(MALFORMED)) {
  Deno.test(`${what} is no packet`, () => assert.equal(decodePacket(fromHex(hex)), undefined));
}

Deno.test("a packet larger than any of theirs is none", () => {
  const bytes = new Uint8Array(5000);
  bytes.set(encodeProbe(1, "dat.local"));
  assert.equal(decodePacket(bytes), undefined);
  assert.notEqual(decodePacket(bytes.subarray(0, 27)), undefined);
});

Deno.test("no bytes make decodePacket() throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    decodePacket(bytes);
  }));
});

Deno.test("no change to a real answer makes decodePacket() throw", () => {
  const answer = answerWith(["token=t", `peers=${Buffer.alloc(60, 7).toString("base64")}`]);
  const changes = fc.array(fc.tuple(fc.nat(answer.length - 1), fc.nat(255)), { maxLength: 6 });
  fc.assert(fc.property(changes, fc.nat(answer.length), (changed, length) => {
    const bytes = answer.slice(0, length);
    for (const [at, value] of changed) if (at < length) bytes[at] = value;
    const packet = decodePacket(bytes);
    for (const record of packet?.answers ?? []) {
      if (record.type === "TXT") decodePeers(valuesOf(record.strings).get("peers") ?? "");
    }
  }));
});
