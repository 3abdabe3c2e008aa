import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, fromHex } from "../../../src/base/bytes.ts";
import { RemoteProtocolError } from "../../../src/base/errors.ts";
import { varintSize, writeVarint } from "../../../src/base/varint.ts";
import { FrameReader, MAX_FRAME_BYTES, splitFrame } from "../../../src/core/wire/frame.ts";
import { largestAllocation } from "../../support/allocations.ts";
import { cutIntoChunks } from "../../support/wire_vectors.ts";

function framed(body: Uint8Array): Uint8Array {
  const length = new Uint8Array(varintSize(body.length));
  writeVarint(length, 0, body.length);
  return concat([length, body]);
}

function readAll(reader: FrameReader, chunks: readonly Uint8Array[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
  }
  return frames;
}

Deno.test("FrameReader gives the same frames for every split", () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });
  const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(bodies, cuts, (sent, at) => {
      const reader = new FrameReader(MAX_FRAME_BYTES);
      const chunks = cutIntoChunks(concat(sent.map(framed)), at);
      assert.deepEqual(readAll(reader, chunks), sent);
      assert.equal(reader.partialBytes, 0);
    }),
    { seed: 1, numRuns: 500 },
  );
});

Deno.test("FrameReader puts together a frame of several buffers' size", () => {
  const body = new Uint8Array(1_000_003).map((_, i) => i * 7);
  const chunks = cutIntoChunks(framed(body), [65_536, 1000, 1]);
  assert.deepEqual(readAll(new FrameReader(MAX_FRAME_BYTES), chunks), [body]);
});

Deno.test("FrameReader does not copy a frame that lies inside one chunk", () => {
  const chunk = concat([framed(fromHex("0102")), framed(fromHex("030405"))]);
  const frames = readAll(new FrameReader(MAX_FRAME_BYTES), [chunk]);
  assert.deepEqual(frames.map((frame) => frame.buffer === chunk.buffer), [true, true]);
});

Deno.test("FrameReader gives a frame that stays as it is when later ones come", () => {
  const reader = new FrameReader(MAX_FRAME_BYTES);
  const [first] = readAll(reader, cutIntoChunks(framed(new Uint8Array(100).fill(1)), [33]));
  readAll(reader, cutIntoChunks(framed(new Uint8Array(100).fill(2)), [33]));
  assert.deepEqual(first, new Uint8Array(100).fill(1));
});

Deno.test("FrameReader gives an empty frame for a keepalive", () => {
  const frames = readAll(new FrameReader(MAX_FRAME_BYTES), [fromHex("00"), fromHex("800000")]);
  assert.deepEqual(frames.map((frame) => frame.length), [0, 0, 0]);
});

Deno.test("FrameReader counts the bytes of an unfinished frame, its length included", () => {
  const reader = new FrameReader(MAX_FRAME_BYTES);
  const counts = [...framed(new Uint8Array(130))].map((byte) => {
    readAll(reader, [new Uint8Array([byte])]);
    return reader.partialBytes;
  });
  assert.deepEqual(counts, [...Array.from({ length: 131 }, (_, i) => i + 1), 0]);
});

Deno.test("FrameReader leaves what it has not read yet to whoever wants to change it", () => {
  const reader = new FrameReader(MAX_FRAME_BYTES);
  reader.push(concat([framed(fromHex("01")), fromHex("fdfe")]));
  assert.deepEqual(reader.next(), fromHex("01"));
  reader.unread.forEach((byte, i, unread) => unread[i] = byte ^ 0xff);
  reader.push(concat([reader.unread, fromHex("03")]));
  assert.deepEqual(reader.next(), fromHex("0103"));
});

Deno.test("FrameReader accepts a frame of exactly the limit", () => {
  const reader = new FrameReader(10);
  assert.equal(readAll(reader, [framed(new Uint8Array(10))]).length, 1);
  assert.throws(() => readAll(reader, [framed(new Uint8Array(11))]), RemoteProtocolError);
});

Deno.test("FrameReader uses a new limit from the next length on", () => {
  const reader = new FrameReader(10);
  reader.push(concat([framed(new Uint8Array(10)), framed(new Uint8Array(20))]));
  assert.equal(reader.next()?.length, 10);
  reader.limit = 20;
  assert.equal(reader.next()?.length, 20);
});

const TOO_LONG: [what: string, hex: string][] = [
  ["8 MiB and one byte", "81808004"],
  ["the largest length of four bytes", "ffffff7f"],
  ["a length of five bytes", "8080808000"],
];

for (const [what, hex] of TOO_LONG) {
  Deno.test(`FrameReader refuses ${what} before it reserves memory`, () => {
    const reader = new FrameReader(MAX_FRAME_BYTES);
    const bytes = fromHex(hex + "00");
    const largest = largestAllocation(() => {
      assert.throws(() => readAll(reader, cutIntoChunks(bytes, [1])), RemoteProtocolError);
    });
    assert.ok(largest <= 16, `${largest} bytes`);
  });
}

Deno.test("FrameReader reserves little for 8 MiB that are only announced", () => {
  const reader = new FrameReader(MAX_FRAME_BYTES);
  const announced = fromHex("80808004");
  const received = new Uint8Array(500_000);
  assert.equal(largestAllocation(() => readAll(reader, [announced])), 0);
  assert.ok(largestAllocation(() => readAll(reader, [received.subarray(0, 1)])) <= 131_072);
  const largest = largestAllocation(() => readAll(reader, cutIntoChunks(received, [10_000])));
  assert.ok(largest <= 2 * received.length, `${largest} bytes`);
  assert.equal(reader.partialBytes, 4 + 1 + received.length);
});

const HEADERS: [hex: string, channel: number, type: number, payload: string][] = [
  ["0308", 0, 3, "08"],
  ["7f", 7, 15, ""],
  ["8f1f00", 248, 15, "00"],
  ["ff1f0102", 255, 15, "0102"],
  ["830005", 0, 3, "05"],
];

for (const [hex, channel, type, payload] of HEADERS) {
  Deno.test(`splitFrame() finds channel ${channel} and type ${type} in ${hex}`, () => {
    assert.deepEqual(splitFrame(fromHex(hex)), { channel, type, payload: fromHex(payload) });
  });
}

const BAD_HEADERS: [what: string, hex: string][] = [
  ["no header", ""],
  ["a header past the end", "80"],
  ["a longer header past the end", "ff80"],
  ["channel 256", "802000"],
  ["a header above 2^31", "ffffffff0f00"],
  ["a header of eleven bytes", "8080808080808080808000"],
];

for (const [what, hex] of BAD_HEADERS) {
  Deno.test(`splitFrame() refuses ${what}`, () => {
    assert.throws(() => splitFrame(fromHex(hex)), RemoteProtocolError);
  });
}
