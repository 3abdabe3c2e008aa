import assert from "node:assert/strict";
import fc from "fast-check";
import {
  concat,
  equalBytes,
  fromHex,
  fromUtf8,
  isZero,
  readUint64BE,
  toHex,
  toUtf8,
  writeUint64BE,
} from "../../src/base/bytes.ts";

const bytes = () => fc.uint8Array({ maxLength: 64 });

Deno.test("concat() joins the pieces in order into memory of its own", () => {
  const piece = Uint8Array.of(1, 2);
  const joined = concat([piece, new Uint8Array(), Uint8Array.of(3)]);
  assert.deepEqual(joined, Uint8Array.of(1, 2, 3));
  piece[0] = 9;
  assert.equal(joined[0], 1);
  assert.equal(concat([]).length, 0);
});

Deno.test("equalBytes() compares length and bytes, wherever they lie", () => {
  fc.assert(
    fc.property(bytes(), bytes(), (a, b) => {
      assert.equal(equalBytes(a, b), toHex(a) === toHex(b));
      const moved = concat([Uint8Array.of(7), a]).subarray(1);
      assert.ok(equalBytes(a, moved));
      if (a.length === 0) return;
      moved[a.length - 1] ^= 1;
      assert.ok(!equalBytes(a, moved));
    }),
    { seed: 1 },
  );
});

Deno.test("isZero() is about every byte", () => {
  assert.ok(isZero(new Uint8Array(5)));
  assert.ok(isZero(new Uint8Array()));
  for (let at = 0; at < 5; at++) {
    const one = new Uint8Array(5);
    one[at] = 1;
    assert.ok(!isZero(one), `byte ${at}`);
  }
});

Deno.test("fromHex() undoes toHex(), in either case", () => {
  assert.equal(toHex(Uint8Array.of(0, 1, 0x9f, 0xff)), "00019fff");
  fc.assert(
    fc.property(bytes(), (value) => {
      assert.deepEqual(fromHex(toHex(value)), value);
      assert.deepEqual(fromHex(toHex(value).toUpperCase()), value);
    }),
    { seed: 2 },
  );
});

for (const text of ["a", "0g", "0x00", " 00", "00 ", "\u0660\u0660"]) {
  Deno.test(`fromHex() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => fromHex(text), RangeError);
  });
}

Deno.test("fromUtf8() undoes toUtf8() and refuses what is not UTF-8", () => {
  for (const text of ["", "caf\u00e9", "\ufeffbom", "\u{1F980}"]) {
    assert.equal(fromUtf8(toUtf8(text)), text);
  }
  assert.throws(() => fromUtf8(Uint8Array.of(0xff)), TypeError);
  assert.throws(() => fromUtf8(Uint8Array.of(0xc0, 0x80)), TypeError);
});

Deno.test("readUint64BE() undoes writeUint64BE() up to 2^53 - 1 and touches 8 bytes only", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(8), (value, offset) => {
      const into = new Uint8Array(20).fill(0xaa);
      writeUint64BE(into, offset, value);
      assert.equal(readUint64BE(into, offset), value);
      const view = new DataView(into.buffer);
      assert.equal(view.getBigUint64(offset), BigInt(value));
      const around = concat([into.subarray(0, offset), into.subarray(offset + 8)]);
      assert.ok(around.every((byte) => byte === 0xaa));
    }),
    { seed: 3, examples: [[0, 0], [2 ** 32 - 1, 0], [2 ** 32, 1], [Number.MAX_SAFE_INTEGER, 8]] },
  );
});

Deno.test("readUint64BE() of more than 2^53 - 1 is not a safe integer", () => {
  const large = new Uint8Array(8);
  large[1] = 0x20;
  assert.equal(readUint64BE(large, 0), 2 ** 53);
  assert.ok(!Number.isSafeInteger(readUint64BE(new Uint8Array(8).fill(0xff), 0)));
});
