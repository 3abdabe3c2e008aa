import assert from "node:assert/strict";
import * as fc from "fast-check";
import { concat, fromHex, toHex } from "../../../src/base/bytes.ts";
import { ArchiveError } from "../../../src/core/archive/archive_error.ts";
import {
  childList,
  decodeChildren,
  encodeChildren,
  endsInEmptyList,
} from "../../../src/core/archive/children.ts";
import { recordedEntries, recordedMetadata } from "./recorded.ts";

// Entry number, lists, encoded. Source: spec of the drive, sections 4 and 6.
const EXAMPLES: readonly [number, number[][], string][] = [
  [1, [[1], [1]], "010000"],
  [2, [[1, 2], [2], [2]], "0101010000"],
  [3, [[1, 3], [2, 3], [3], [3]], "01010101020000"],
  [4, [[1, 4], [3, 4], [4]], "010101010300"],
  [5, [[1, 4, 5], [5]], "0102010300"],
  [6, [[1, 4, 6], [5, 6], [6]], "01020103010500"],
  [7, [[1, 6, 7], [4]], "0003010501" + "0104"],
  [8, [[1, 6]], "00020105"],
  [10, [[1, 6, 10], [10], [10]], "010201050000"],
  [11, [[1, 10, 11], [5]], "00030109010105"],
  [12, [[1, 10]], "00020109"],
  [4, [[]], "0000"],
  [1000, [[1, 999, 1000], [1000]], "010201e60700"],
];
for (const [seq, lists, hex] of EXAMPLES) {
  Deno.test(`encodeChildren(${JSON.stringify(lists)}, ${seq}) is ${hex}, and back`, () => {
    assert.equal(toHex(encodeChildren(lists, seq)), hex);
    assert.deepEqual(decodeChildren(fromHex(hex), seq), lists);
  });
}

for (const recorded of recordedMetadata()) {
  Deno.test(`the child lists of ${recorded.name} are read as recorded and written again`, () => {
    for (const { seq, name, paths } of recordedEntries(recorded)) {
      const bytes = fromHex(paths.bytes);
      assert.deepEqual(decodeChildren(bytes, seq), paths.lists, `entry ${seq} ${name}`);
      assert.equal(toHex(encodeChildren(paths.lists, seq)), paths.bytes, `entry ${seq} ${name}`);
      for (let depth = 0; depth <= paths.lists.length; depth++) {
        assert.deepEqual(childList(bytes, seq, depth), paths.lists[depth]);
      }
      const last = paths.lists.at(-1)!;
      assert.equal(endsInEmptyList(bytes), paths.endsWithSelf && last.length === 1);
    }
  });
}

/** Lists an honest writer may write for entry `seq`. */
const lists = fc.integer({ min: 1, max: 2 ** 40 }).chain((seq) => {
  const list = fc.uniqueArray(fc.integer({ min: 1, max: seq }), { maxLength: 20 })
    .map((numbers) => numbers.sort((a, b) => a - b));
  return fc.record({ seq: fc.constant(seq), lists: fc.array(list, { maxLength: 6 }) });
});

Deno.test("decodeChildren() undoes encodeChildren()", () => {
  fc.assert(
    fc.property(lists, ({ seq, lists }) => {
      const bytes = encodeChildren(lists, seq);
      assert.deepEqual(decodeChildren(bytes, seq), lists);
      lists.forEach((list, depth) => assert.deepEqual(childList(bytes, seq, depth), list));
      assert.equal(childList(bytes, seq, lists.length), undefined);
    }),
    { seed: 1 },
  );
});

Deno.test("endsInEmptyList() says yes only if the last list is the entry alone", () => {
  fc.assert(
    fc.property(lists, ({ seq, lists }) => {
      const complete = lists.map((list) => [...list.filter((child) => child < seq), seq]);
      const bytes = encodeChildren(complete, seq);
      assert.equal(endsInEmptyList(bytes), complete.at(-1)?.length === 1);
    }),
    { seed: 2 },
  );
  assert.equal(endsInEmptyList(fromHex("01" + "8000")), false, "a count in two bytes");
  assert.equal(endsInEmptyList(fromHex("0000")), false, "a delete");
  assert.equal(endsInEmptyList(fromHex("01")), false, "no lists");
  assert.equal(endsInEmptyList(new Uint8Array(0)), false);
});

const MALFORMED: readonly [string, number, string][] = [
  ["a count beyond the bytes", 9, "010501"],
  ["a count of 2^53 - 1", 9, "01" + "ffffffffffffff0f" + "01"],
  ["a count past 2^53", 9, "01" + "ffffffffffffffffff01" + "01"],
  ["a header that is cut off", 9, "81"],
  ["a count that is cut off", 9, "0180"],
  ["a number that is cut off", 9, "010180"],
  ["child 0", 9, "010100"],
  ["a child twice", 9, "01020300"],
  ["its own number before the end", 9, "010109"],
  ["a child above its own number", 9, "01010a"],
  ["in a delete, a child above its own number", 9, "00010a"],
  ["numbers that add up past its own", 9, "0003050302"],
];
for (const [what, seq, hex] of MALFORMED) {
  Deno.test(`an index with ${what} is refused`, () => {
    assert.throws(() => decodeChildren(fromHex(hex), seq), ArchiveError);
    assert.throws(() => childList(fromHex(hex), seq, 0), ArchiveError);
  });
}

Deno.test("other bits of the header are ignored, and a missing index has no lists", () => {
  assert.deepEqual(decodeChildren(fromHex("ff7e" + "0103"), 5), [[3, 5]]);
  assert.deepEqual(decodeChildren(fromHex("fe7e" + "0103"), 5), [[3]]);
  assert.deepEqual(decodeChildren(new Uint8Array(0), 5), []);
  assert.equal(childList(new Uint8Array(0), 5, 0), undefined);
});

Deno.test("reading an index throws nothing but ArchiveError, whatever the bytes", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.array(fc.nat(6), { maxLength: 40 }).map((list) => Uint8Array.from(list)),
    lists.map(({ seq, lists }) => encodeChildren(lists, seq).slice(0, -1)),
    lists.map(({ seq, lists }) => concat([encodeChildren(lists, seq), fromHex("05")])),
  );
  fc.assert(
    fc.property(bytes, fc.integer({ min: 1, max: 40 }), fc.nat(5), (index, seq, depth) => {
      for (const read of [() => decodeChildren(index, seq), () => [childList(index, seq, depth)]]) {
        try {
          for (const list of read()) {
            assert.ok(
              list?.every((n, i) => n >= 1 && n <= seq && (i === 0 || n > list[i - 1])) ?? true,
            );
          }
        } catch (error) {
          assert.ok(error instanceof ArchiveError, String(error));
        }
      }
    }),
    { seed: 3, numRuns: 2000 },
  );
});
