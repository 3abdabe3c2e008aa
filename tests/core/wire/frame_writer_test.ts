import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, toHex } from "../../../src/base/bytes.ts";
import { LocalProtocolError } from "../../../src/base/errors.ts";
import { decodeMessage } from "../../../src/core/wire/decode.ts";
import { FrameReader, MAX_FRAME_BYTES, splitFrame } from "../../../src/core/wire/frame.ts";
import { frameSize, FrameWriter, type Outgoing } from "../../../src/core/wire/frame_writer.ts";
import type { Message } from "../../../src/core/wire/messages.ts";
import { anyMessage } from "../../support/messages.ts";
import { recordedDirections } from "../../support/wire_vectors.ts";

function readBack(bytes: Uint8Array): Outgoing[] {
  const reader = new FrameReader(MAX_FRAME_BYTES);
  reader.push(bytes);
  const items: Outgoing[] = [];
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    if (frame.length === 0) items.push("keepalive");
    else {
      const { channel, type, payload } = splitFrame(frame);
      items.push({ channel, message: decodeMessage(type, payload)! });
    }
  }
  assert.equal(reader.partialBytes, 0);
  return items;
}

for (const { name, frames, plain } of recordedDirections()) {
  Deno.test(`The frames of ${name} say what was recorded`, () => {
    assert.deepEqual(readBack(plain), frames.map(({ item }) => item));
  });

  Deno.test(`The messages of ${name} are encoded as they were sent`, () => {
    const writer = new FrameWriter();
    for (const { bytes, item } of frames) {
      assert.equal(toHex(writer.encode([item])), toHex(bytes));
      assert.equal(frameSize(item), bytes.length);
    }
    assert.deepEqual(writer.encode(frames.map(({ item }) => item)), plain);
  });
}

Deno.test("FrameWriter writes what FrameReader and decodeMessage() read", () => {
  const outgoing = fc.oneof(
    fc.constant<Outgoing>("keepalive"),
    fc.record({ channel: fc.nat(255), message: anyMessage() }, { noNullPrototype: true }),
  );
  const writer = new FrameWriter();
  fc.assert(
    fc.property(fc.array(outgoing, { maxLength: 12 }), (items) => {
      assert.deepEqual(readBack(writer.encode(items)), items);
    }),
    { seed: 1, numRuns: 300 },
  );
});

function dataOf(bytes: number): Outgoing {
  return {
    channel: 0,
    message: { type: "data", index: 0, value: new Uint8Array(bytes).fill(1), nodes: [] },
  };
}

Deno.test("FrameWriter sends a frame of exactly 8 MiB and refuses a larger one", () => {
  const overhead = fromHex("09" + "0800" + "12" + "f0ffff03").length;
  const writer = new FrameWriter();
  assert.equal(writer.encode([dataOf(MAX_FRAME_BYTES - overhead)]).length, 4 + MAX_FRAME_BYTES);
  assert.throws(() => writer.encode([dataOf(MAX_FRAME_BYTES - overhead + 1)]), LocalProtocolError);
});

for (const channel of [-1, 256, 0.5, NaN]) {
  Deno.test(`FrameWriter refuses channel ${channel}`, () => {
    const message: Message = { type: "want", start: 0, length: 0 };
    assert.throws(() => new FrameWriter().encode([{ channel, message }]), LocalProtocolError);
  });
}

Deno.test("FrameWriter uses one buffer for all batches of a size", () => {
  const writer = new FrameWriter();
  const first = writer.encode([dataOf(100_000)]).buffer;
  for (let i = 0; i < 100; i++) {
    assert.equal(writer.encode(["keepalive", dataOf(50_000)]).buffer, first);
  }
});

Deno.test("FrameWriter gives a large buffer back after many small batches", () => {
  const writer = new FrameWriter();
  const mebibyte = 1024 * 1024;
  writer.encode([dataOf(3 * mebibyte)]);
  for (let i = 0; i < 10; i++) writer.encode([dataOf(10)]);
  assert.ok(writer.capacity > 3 * mebibyte);
  for (let i = 0; i < 100; i++) writer.encode([dataOf(10)]);
  assert.ok(writer.capacity <= mebibyte, `${writer.capacity} bytes`);
  assert.deepEqual(readBack(writer.encode([dataOf(20)])), [dataOf(20)]);
});
