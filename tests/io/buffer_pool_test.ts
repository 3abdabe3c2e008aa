import assert from "node:assert/strict";
import fc from "fast-check";
import { BufferPool } from "../../src/io/buffer_pool.ts";

Deno.test("BufferPool gives a returned buffer again, in the size asked for", () => {
  const pool = new BufferPool(100, 2);
  const first = pool.take(40);
  assert.equal(first.length, 40);
  pool.give(first);
  const second = pool.take(100);
  assert.equal(second.buffer, first.buffer);
  assert.equal(second.length, 100);
  assert.notEqual(pool.take(90).buffer, first.buffer, "not while it is in use");
});

Deno.test("BufferPool keeps small buffers beside the large ones", () => {
  const pool = new BufferPool(1600, 1);
  const lengths = [1600, 401, 400, 101, 100, 0];
  const taken = lengths.map((length) => pool.take(length));
  assert.deepEqual(
    taken.map(({ buffer }) => buffer.byteLength),
    [1600, 1600, 400, 400, 100, 100],
  );
  for (const bytes of taken) pool.give(bytes);
  const again = [1600, 1600, 400, 400, 100, 100].map((length) => pool.take(length).buffer);
  const old = new Set(taken.map(({ buffer }) => buffer));
  assert.deepEqual(again.map((buffer) => old.has(buffer)), [true, false, true, true, true, true]);
});

Deno.test("BufferPool takes back parts of what it gave", () => {
  const pool = new BufferPool(100, 2);
  const whole = pool.take(50);
  pool.give(whole.subarray(20, 30));
  assert.equal(pool.take(50).buffer, whole.buffer);
});

Deno.test("BufferPool takes a buffer back once, however often it is given", () => {
  const pool = new BufferPool(100, 9);
  const bytes = pool.take(50);
  pool.give(bytes);
  pool.give(bytes);
  const [one, other] = [pool.take(50), pool.take(50)];
  assert.notEqual(one.buffer, other.buffer);
});

Deno.test("BufferPool takes nothing that is not its own", () => {
  const pool = new BufferPool(100, 9);
  const strangers = [new Uint8Array(100), new Uint8Array(0), pool.take(101)];
  for (const bytes of strangers) pool.give(bytes);
  const given = [pool.take(100), pool.take(100), pool.take(100)];
  for (const { buffer } of given) {
    assert.ok(strangers.every((bytes) => bytes.buffer !== buffer));
  }
});

Deno.test("BufferPool keeps no more free buffers than it was told to", () => {
  const pool = new BufferPool(100, 2);
  const taken = Array.from({ length: 5 }, () => pool.take(100));
  for (const bytes of taken) pool.give(bytes);
  const old = new Set(taken.map(({ buffer }) => buffer));
  const again = Array.from({ length: 5 }, () => pool.take(100));
  assert.equal(again.filter(({ buffer }) => old.has(buffer)).length, 2);
});

Deno.test("BufferPool never lends a buffer to two at once", () => {
  const step = fc.record({ give: fc.boolean(), which: fc.nat(20), length: fc.nat(150) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const pool = new BufferPool(100, 3);
      const out: Uint8Array<ArrayBuffer>[] = [];
      for (const { give, which, length } of steps) {
        if (give && out.length > 0) {
          const [bytes] = out.splice(which % out.length, 1);
          pool.give(bytes);
          if (which % 3 === 0) pool.give(bytes);
        } else {
          const bytes = pool.take(length);
          assert.equal(bytes.length, length);
          assert.ok(out.every(({ buffer }) => buffer !== bytes.buffer));
          out.push(bytes);
        }
      }
    }),
    { seed: 3, numRuns: 200 },
  );
});
