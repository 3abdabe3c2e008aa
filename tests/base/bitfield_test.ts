import assert from "node:assert/strict";
import fc from "fast-check";
import { Bitfield } from "../../src/base/bitfield.ts";

const LIMIT = 40_000;
const position = fc.oneof(
  fc.integer({ min: 0, max: LIMIT }),
  fc.constantFrom(0, 1, 8191, 8192, 8193, 16384, 24576, LIMIT),
);
const change = fc.record({ value: fc.boolean(), a: position, b: position });

Deno.test("Bitfield agrees with a plain set after any sequence of changes", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), position, position, (changes, x, y) => {
      const bits = new Bitfield();
      const model = new Uint8Array(LIMIT);
      for (const { value, a, b } of changes) {
        const [start, end] = a < b ? [a, b] : [b, a];
        if (value) assert.equal(bits.add(start, end), true);
        else bits.remove(start, end);
        model.fill(value ? 1 : 0, start, end);
      }
      const [from, to] = x < y ? [x, y] : [y, x];
      for (const value of [1, 0]) {
        const found = model.subarray(0, to).indexOf(value, from);
        const next = value === 1 ? bits.nextSet(from, to) : bits.nextClear(from, to);
        assert.equal(next, found);
      }
      assert.equal(bits.end, model.lastIndexOf(1) + 1);
      const rebuilt = new Uint8Array(LIMIT);
      for (const run of bits.runs(0, LIMIT)) rebuilt.fill(1, run.start, run.end);
      assert.deepEqual(rebuilt, model);
      if (x < LIMIT) assert.equal(bits.has(x), model[x] === 1);
    }),
    { seed: 7, numRuns: 400 },
  );
});

Deno.test("Bitfield holds a claim of 2^53 - 1 blocks and gives it up again", () => {
  const bits = new Bitfield(2);
  assert.equal(bits.add(0, Number.MAX_SAFE_INTEGER), true);
  assert.equal(bits.has(2 ** 52), true);
  assert.equal(bits.nextClear(5, 2 ** 50), -1);
  bits.remove(0, Number.MAX_SAFE_INTEGER);
  assert.equal(bits.nextSet(0, Number.MAX_SAFE_INTEGER), -1);
  assert.equal(bits.end, 0);
});

Deno.test("Bitfield drops bits that would need more mixed pages than allowed", () => {
  const bits = new Bitfield(2);
  assert.equal(bits.add(1, 2), true);
  assert.equal(bits.add(8193, 8194), true);
  assert.equal(bits.add(16385, 16386), false);
  assert.equal(bits.has(16385), false);
  assert.equal(bits.has(8193), true);
});
