import assert from "node:assert/strict";
import fc from "fast-check";
import {
  blocksBelow,
  blocksUpTo,
  depth,
  fullRoots,
  indexAt,
  isLeft,
  leftChild,
  leftSpan,
  MAX_BLOCKS,
  offset,
  parent,
  rightChild,
  rightSpan,
  sibling,
} from "../../../src/core/feed/flat_tree.ts";

// index, depth, offset, parent, sibling, left span, right span. Source: spec of storage, section 3.
const NODES = [
  [0, 0, 0, 1, 2, 0, 0],
  [1, 1, 0, 3, 5, 0, 2],
  [2, 0, 1, 1, 0, 2, 2],
  [3, 2, 0, 7, 11, 0, 6],
  [4, 0, 2, 5, 6, 4, 4],
  [5, 1, 1, 3, 1, 4, 6],
  [7, 3, 0, 15, 23, 0, 14],
  [11, 2, 1, 7, 3, 8, 14],
  [23, 3, 1, 15, 7, 16, 30],
];
for (const [index, height, position, above, beside, first, last] of NODES) {
  Deno.test(`node ${index} has the relatives that the specification lists`, () => {
    assert.equal(depth(index), height);
    assert.equal(offset(index), position);
    assert.equal(parent(index), above);
    assert.equal(sibling(index), beside);
    assert.equal(leftSpan(index), first);
    assert.equal(rightSpan(index), last);
  });
}

// By length in blocks. Source: spec of storage, section 3.
const FULL_ROOTS: [number, number[]][] = [
  [0, []],
  [1, [0]],
  [2, [1]],
  [3, [1, 4]],
  [4, [3]],
  [5, [3, 8]],
  [6, [3, 9]],
  [7, [3, 9, 12]],
  [8, [7]],
  [10, [7, 17]],
  [13, [7, 19, 24]],
];
for (const [length, roots] of FULL_ROOTS) {
  Deno.test(`fullRoots(${length})`, () => assert.deepEqual(fullRoots(length), roots));
}

/** The same arithmetic in integers of any size. */
function exact(index: bigint): { depth: bigint; parent: bigint; sibling: bigint } {
  let height = 0n;
  while ((index >> height) & 1n) height++;
  const position = index >> (height + 1n);
  return {
    depth: height,
    parent: (((position >> 1n) * 2n + 1n) << (height + 1n)) - 1n,
    sibling: (((position ^ 1n) * 2n + 1n) << height) - 1n,
  };
}

/** Indexes of every magnitude, those around the powers of two among them. */
const indexes = fc.oneof(
  fc.nat(1000),
  fc.nat(2 ** 31),
  fc.maxSafeNat().map((n) => n % 2 ** 52),
  fc.tuple(fc.integer({ min: 1, max: 51 }), fc.integer({ min: -3, max: 3 }))
    .map(([power, off]) => Math.max(0, 2 ** power + off)),
);

Deno.test("depth, parent and sibling are exact for indexes of every magnitude", () => {
  fc.assert(
    fc.property(indexes, (index) => {
      const expected = exact(BigInt(index));
      assert.equal(depth(index), Number(expected.depth));
      assert.equal(offset(index), Number(BigInt(index) >> (expected.depth + 1n)));
      assert.equal(parent(index), Number(expected.parent));
      if (expected.sibling < 2n ** 53n) assert.equal(sibling(index), Number(expected.sibling));
    }),
    { seed: 1, numRuns: 2000 },
  );
});

Deno.test("a node and its relatives agree on one another", () => {
  fc.assert(
    fc.property(indexes.filter((index) => index < 2 ** 50), (index) => {
      const beside = sibling(index);
      const above = parent(index);
      assert.equal(sibling(beside), index);
      assert.equal(parent(beside), above);
      assert.equal(isLeft(index), index < beside);
      assert.equal(isLeft(index) ? leftChild(above) : rightChild(above), index);
      assert.equal(indexAt(depth(index), offset(index)), index);
      assert.equal(rightSpan(index) - leftSpan(index), 2 * blocksBelow(index) - 2);
      assert.equal(blocksUpTo(index), rightSpan(index) / 2 + 1);
    }),
    { seed: 2, numRuns: 2000 },
  );
});

Deno.test("a leaf has no children", () => {
  for (const leaf of [0, 2, 2 ** 40]) {
    assert.equal(leftChild(leaf), undefined);
    assert.equal(rightChild(leaf), undefined);
  }
});

Deno.test("fullRoots() covers a feed of any length without gaps by ever smaller trees", () => {
  const lengths = fc.oneof(fc.nat(5000), fc.maxSafeNat().map((n) => n % MAX_BLOCKS));
  fc.assert(
    fc.property(lengths, (length) => {
      let end = 0;
      let last = Infinity;
      for (const root of fullRoots(length)) {
        assert.equal(leftSpan(root), 2 * end);
        assert.ok(blocksBelow(root) < last);
        last = blocksBelow(root);
        end += last;
      }
      assert.equal(end, length);
    }),
    { seed: 3, numRuns: 2000 },
  );
});

Deno.test("fullRoots() of the longest feed is one safe integer", () => {
  assert.deepEqual(fullRoots(MAX_BLOCKS), [2 ** 52 - 1]);
});
