/** Frames of a WebSocket: taken apart wherever they are cut, and refused where they break a rule. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../src/base/bytes.ts";
import {
  applyMask,
  type Control,
  FrameDecoder,
  MAX_HEADER_BYTES,
  OPCODE,
  WebSocketError,
  writeHeader,
} from "../../src/io/ws_frames.ts";

const MASK = Uint8Array.of(1, 2, 3, 250);

function frame(opcode: number, payload: Uint8Array, mask?: Uint8Array): Uint8Array {
  const header = new Uint8Array(MAX_HEADER_BYTES);
  const size = writeHeader(header, opcode, payload.length, mask);
  const body = payload.slice();
  if (mask !== undefined) applyMask(body, mask);
  return concat([header.subarray(0, size), body]);
}

/** Everything that pieces of these lengths, and then the rest, bring. */
function decodeAll(bytes: Uint8Array, cuts: readonly number[], masked: boolean) {
  const decoder = new FrameDecoder({ masked });
  const controls: Control[] = [];
  const payload: Uint8Array[] = [];
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    const piece = bytes.slice(at, at + cut);
    at += piece.length;
    payload.push(piece.subarray(0, decoder.decode(piece, (control) => controls.push(control))));
  }
  return { payload: concat(payload), controls };
}

const frames = fc.array(fc.oneof(
  fc.record({
    opcode: fc.constant<number>(OPCODE.binary),
    payload: fc.uint8Array({ maxLength: 300 }),
  }),
  fc.record({
    opcode: fc.constantFrom<number>(OPCODE.ping, OPCODE.pong),
    payload: fc.uint8Array({ maxLength: 125 }),
  }),
));

Deno.test("payload and pings come out the same however the bytes are cut", () => {
  fc.assert(fc.property(frames, fc.array(fc.integer({ min: 0, max: 50 })), fc.boolean(), (
    sent,
    cuts,
    masked,
  ) => {
    const bytes = concat(
      sent.map(({ opcode, payload }) => frame(opcode, payload, masked ? MASK : undefined)),
    );
    const { payload, controls } = decodeAll(bytes, cuts, masked);
    const of = (opcode: number) => sent.filter((one) => one.opcode === opcode);
    assert.deepEqual(payload, concat(of(OPCODE.binary).map((one) => one.payload)));
    assert.deepEqual(
      controls,
      of(OPCODE.ping).map((one) => ({ kind: "ping", payload: one.payload })),
    );
  }));
});

for (const length of [0, 1, 125, 126, 65535, 65536, 200_000]) {
  Deno.test(`a frame of ${length} bytes has the shortest header there is`, () => {
    const payload = new Uint8Array(length).map((_, i) => i);
    for (const mask of [undefined, MASK]) {
      const bytes = frame(OPCODE.binary, payload, mask);
      const header = 2 + (length < 126 ? 0 : length < 65536 ? 2 : 8) + (mask === undefined ? 0 : 4);
      assert.equal(bytes.length, header + length);
      assert.deepEqual(decodeAll(bytes, [], mask !== undefined).payload, payload);
    }
  });
}

Deno.test("a message in pieces, with a ping between them, is one stream", () => {
  const bytes = Uint8Array.of(0x02, 1, 7, 0x89, 0, 0x00, 1, 8, 0x80, 1, 9, 0x82, 1, 10);
  const { payload, controls } = decodeAll(bytes, [], false);
  assert.deepEqual([...payload], [7, 8, 9, 10]);
  assert.deepEqual(controls, [{ kind: "ping", payload: new Uint8Array() }]);
});

const CLOSES: readonly (readonly [readonly number[], number])[] = [
  [[0x88, 0], 1005],
  [[0x88, 2, 3, 0xe8], 1000],
  [[0x88, 5, 3, 0xf3, 0x62, 0x79, 0x65], 1011],
];

for (const [bytes, code] of CLOSES) {
  Deno.test(`a Close with code ${code} ends the stream, whatever follows`, () => {
    const decoder = new FrameDecoder({ masked: false });
    const controls: Control[] = [];
    const chunk = Uint8Array.of(0x82, 1, 7, ...bytes, 0x82, 1, 8);
    assert.equal(decoder.decode(chunk, (control) => controls.push(control)), 1);
    assert.equal(decoder.decode(Uint8Array.of(0xff, 0xff), () => assert.fail()), 0);
    assert.deepEqual(controls, [{ kind: "close", code }]);
  });
}

const BREACHES: readonly (readonly [string, readonly number[], boolean, number])[] = [
  ["text", [0x81, 0], false, 1003],
  ["the start of text", [0x01, 0], false, 1003],
  ["a compressed frame", [0xc2, 0], false, 1002],
  ["a reserved bit", [0x92, 0], false, 1002],
  ["an unknown opcode", [0x83, 0], false, 1002],
  ["an unknown control opcode", [0x8b, 0], false, 1002],
  ["a masked frame of a server", [0x82, 0x80], false, 1002],
  ["a frame of a client without a mask", [0x82, 1, 0], true, 1002],
  ["a ping of 126 bytes", [0x89, 126, 0, 126], false, 1002],
  ["a ping in pieces", [0x09, 0], false, 1002],
  ["a Close of one byte", [0x88, 1, 3], false, 1002],
  ["a continuation of nothing", [0x80, 0], false, 1002],
  ["a message within a message", [0x02, 0, 0x82, 0], false, 1002],
  ["a length of 2^63", [0x82, 127, 128, 0, 0, 0, 0, 0, 0, 0], false, 1002],
  ["a length of 2^53", [0x82, 127, 0, 32, 0, 0, 0, 0, 0, 0], false, 1002],
];

for (const [what, bytes, masked, code] of BREACHES) {
  Deno.test(`${what} is refused with code ${code}`, () => {
    const decoder = new FrameDecoder({ masked });
    assert.throws(() => decoder.decode(Uint8Array.from(bytes), () => {}), (error) => {
      return error instanceof WebSocketError && error.closeCode === code;
    });
  });
}

Deno.test("a frame that announces a lot and brings nothing costs nothing", () => {
  const decoder = new FrameDecoder({ masked: false });
  const huge = Uint8Array.of(0x82, 127, 0, 31, 255, 255, 255, 255, 255, 255);
  assert.equal(decoder.decode(huge, () => {}), 0);
  assert.equal(decoder.decode(new Uint8Array(100), () => {}), 100);
});
