import assert from "node:assert/strict";
import fc from "fast-check";
import { PackedRows } from "../../src/base/packed_rows.ts";

const NAMES = ["place", "size"] as const;

function records() {
  const number = fc.oneof(fc.nat(9), fc.constantFrom(2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER));
  const text = fc.string({ unit: "grapheme", maxLength: 12 }).filter((text) => text.isWellFormed());
  return fc.array(fc.record({ place: number, size: number, text }, { noNullPrototype: true }), {
    maxLength: 150,
  });
}

function packed(list: readonly { place: number; size: number; text: string }[]) {
  const rows = new PackedRows(NAMES);
  for (const { text, ...numbers } of list) rows.push(numbers, text);
  return rows;
}

function unpacked(rows: PackedRows<typeof NAMES[number]>) {
  return Array.from({ length: rows.count }, (_, row) => ({
    place: rows.get(row, "place"),
    size: rows.get(row, "size"),
    text: rows.text(row),
  }));
}

Deno.test("PackedRows gives back what was pushed, sealed or not", () => {
  fc.assert(fc.property(records(), (list) => {
    const rows = packed(list);
    assert.deepEqual(unpacked(rows), list);
    rows.seal();
    assert.deepEqual(unpacked(rows), list);
    rows.push({ place: 1, size: 2 }, "one more");
    assert.deepEqual(unpacked(rows), [...list, { place: 1, size: 2, text: "one more" }]);
  }));
});

Deno.test("PackedRows sorts as a stable sort does, and searches", () => {
  fc.assert(fc.property(records(), (list) => {
    const rows = packed(list);
    rows.seal();
    rows.sortBy("place");
    const sorted = list.toSorted((a, b) => a.place - b.place);
    assert.deepEqual(unpacked(rows), sorted);
    for (const { place } of list) {
      assert.equal(
        rows.upTo("place", place),
        sorted.findLastIndex((one) => one.place === place) + 1,
      );
    }
  }));
});

Deno.test("PackedRows changes one number and nothing else", () => {
  const rows = packed([{ place: 1, size: 2, text: "a" }, { place: 3, size: 4, text: "b" }]);
  rows.set(1, "size", 2 ** 50);
  assert.deepEqual(unpacked(rows), [
    { place: 1, size: 2, text: "a" },
    { place: 3, size: 2 ** 50, text: "b" },
  ]);
});

Deno.test("PackedRows has room for very many rows and for long texts, and sorts them", () => {
  const list = Array.from({ length: 10_001 }, (_, n) => ({
    place: n * 7919 % 10_001,
    size: n,
    text: n % 1000 === 0 ? "\u{1F980}".repeat(5_000 + n) : `file ${n}`,
  }));
  const rows = packed(list);
  rows.seal();
  rows.sortBy("place");
  assert.equal(rows.count, list.length);
  for (const one of list) {
    const row = rows.upTo("place", one.place) - 1;
    assert.deepEqual([rows.get(row, "size"), rows.text(row) === one.text], [one.size, true]);
  }
  assert.throws(() => rows.push({ place: 0, size: 0 }, "x".repeat(400_000)), RangeError);
});
