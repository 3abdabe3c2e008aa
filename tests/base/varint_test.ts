import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex } from "../../src/base/bytes.ts";
import {
  MAX_VARINT_BYTES,
  readVarint,
  VARINT_INCOMPLETE,
  VARINT_UNSAFE,
  varintSize,
  writeVarint,
} from "../../src/base/varint.ts";

// Source: spec of the wire, section 2; the last rows are plain arithmetic.
const WRITTEN: [value: number, hex: string][] = [
  [0, "00"],
  [127, "7f"],
  [128, "8001"],
  [300, "ac02"],
  [1_048_576, "808040"],
  [8_388_608, "80808004"],
  [2 ** 32 - 1, "ffffffff0f"],
  [2 ** 35, "808080808001"],
  [Number.MAX_SAFE_INTEGER, "ffffffffffffff0f"],
];

for (const [value, hex] of WRITTEN) {
  Deno.test(`${value} is written as ${hex}, and read from it`, () => {
    const bytes = fromHex(hex);
    const into = new Uint8Array(bytes.length + 2);
    assert.equal(varintSize(value), bytes.length);
    assert.equal(writeVarint(into, 1, value), 1 + bytes.length);
    assert.deepEqual(into.slice(1, -1), bytes);
    const cursor = { pos: 1 };
    assert.equal(readVarint(into, cursor, into.length), value);
    assert.equal(cursor.pos, 1 + bytes.length);
  });
}

const READ: [hex: string, value: number, why: string][] = [
  ["8000", 0, "a longer form of zero"],
  ["ff808080808080808000", 127, "the longest form that is read"],
  ["", VARINT_INCOMPLETE, "nothing"],
  ["80", VARINT_INCOMPLETE, "a number that goes on"],
  ["808080808080808080", VARINT_INCOMPLETE, "nine bytes that go on"],
  ["8080808080808010", VARINT_UNSAFE, "2^53"],
  ["ffffffffffffffffff01", VARINT_UNSAFE, "2^64 - 1"],
  ["ffffffffffffffffff7f", VARINT_UNSAFE, "more than 64 bits"],
  ["8080808080808080808000", VARINT_UNSAFE, "eleven bytes"],
];

for (const [hex, value, why] of READ) {
  Deno.test(`readVarint() gives ${value} for ${why}`, () => {
    const cursor = { pos: 0 };
    assert.equal(readVarint(fromHex(hex), cursor, hex.length / 2), value);
    assert.equal(cursor.pos, value < 0 ? 0 : hex.length / 2);
  });
}

Deno.test("readVarint() undoes writeVarint() and needs every byte of it", () => {
  const anyLength = fc.bigInt({ min: 0n, max: 53n }).chain((bits) =>
    fc.bigInt({ min: 0n, max: (1n << bits) - 1n }).map(Number)
  );
  fc.assert(
    fc.property(anyLength, (value) => {
      const bytes = new Uint8Array(MAX_VARINT_BYTES);
      const end = writeVarint(bytes, 0, value);
      assert.equal(end, varintSize(value));
      for (let shorter = 0; shorter < end; shorter++) {
        assert.equal(readVarint(bytes, { pos: 0 }, shorter), VARINT_INCOMPLETE);
      }
      assert.equal(readVarint(bytes, { pos: 0 }, end), value);
    }),
    { seed: 1 },
  );
});

Deno.test("readVarint() agrees with big integers on any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      const last = bytes.findIndex((byte) => byte < 0x80);
      const length = last === -1 ? bytes.length : last + 1;
      let expected = 0n;
      for (let i = 0; i < length; i++) expected |= BigInt(bytes[i] & 0x7f) << BigInt(7 * i);
      const actual = readVarint(bytes, { pos: 0 }, bytes.length);
      if (last === -1 && length < MAX_VARINT_BYTES) assert.equal(actual, VARINT_INCOMPLETE);
      else if (length > MAX_VARINT_BYTES || last === -1) assert.equal(actual, VARINT_UNSAFE);
      else if (expected > BigInt(Number.MAX_SAFE_INTEGER)) assert.equal(actual, VARINT_UNSAFE);
      else assert.equal(actual, Number(expected));
    }),
    { seed: 2, numRuns: 2000 },
  );
});
