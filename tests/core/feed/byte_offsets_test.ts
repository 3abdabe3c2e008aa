import assert from "node:assert/strict";
import fc from "fast-check";
import { blockAtByte, byteOffsetOf, ByteOffsets } from "../../../src/core/feed/byte_offsets.ts";
import { fullRoots } from "../../../src/core/feed/flat_tree.ts";
import { MemoryFeed } from "../../support/memory_feed.ts";

function feedOf(sizes: readonly number[]): MemoryFeed {
  return MemoryFeed.owned().append(...sizes.map((size) => new Uint8Array(size)));
}

const someSizes = fc.array(fc.nat(9), { minLength: 1, maxLength: 40 });

Deno.test("byteOffsetOf() is the sum of the sizes before a block", () => {
  fc.assert(
    fc.property(someSizes, (sizes) => {
      const feed = feedOf(sizes);
      let offset = 0;
      for (const [block, size] of sizes.entries()) {
        assert.equal(byteOffsetOf(feed, block), offset);
        offset += size;
      }
      assert.equal(byteOffsetOf(feed, sizes.length), offset);
    }),
    { seed: 7, numRuns: 50 },
  );
});

Deno.test("byteOffsetOf() is unknown where a root before the block is", () => {
  const feed = feedOf([1, 2, 3, 4]);
  feed.nodes.delete(1);
  assert.equal(byteOffsetOf(feed, 3), undefined);
  assert.equal(byteOffsetOf(feed, 4), 10);
});

Deno.test("ByteOffsets agrees with byteOffsetOf() for any order of blocks", () => {
  fc.assert(
    fc.property(someSizes, fc.array(fc.nat(40), { maxLength: 60 }), (sizes, blocks) => {
      const feed = feedOf(sizes);
      const offsets = new ByteOffsets(feed);
      for (const block of blocks) assert.equal(offsets.of(block), byteOffsetOf(feed, block));
    }),
    { seed: 8, numRuns: 200 },
  );
});

Deno.test("ByteOffsets knows as much as byteOffsetOf() where nodes are missing, and no lies", () => {
  const orders = fc.array(fc.nat(40), { maxLength: 60 });
  fc.assert(
    fc.property(someSizes, orders, fc.nat(), (sizes, blocks, pick) => {
      const whole = feedOf(sizes);
      const sparse = feedOf(sizes);
      const roots = fullRoots(sizes.length);
      sparse.nodes.delete(roots[pick % roots.length]);
      const offsets = new ByteOffsets(sparse);
      for (const block of blocks) {
        const offset = offsets.of(block);
        if (offset === undefined) assert.equal(byteOffsetOf(sparse, block), undefined);
        else assert.equal(offset, byteOffsetOf(whole, block));
      }
    }),
    { seed: 8, numRuns: 200 },
  );
});

Deno.test("ByteOffsets reads one node per step forward", () => {
  const feed = feedOf(new Array(64).fill(3));
  let read = 0;
  const offsets = new ByteOffsets({ node: (index) => (read++, feed.node(index)) });
  for (let block = 0; block < 64; block++) assert.equal(offsets.of(block), 3 * block);
  assert.equal(read, 63);
});

Deno.test("blockAtByte() finds the block of every byte", () => {
  fc.assert(
    fc.property(someSizes, (sizes) => {
      const feed = feedOf(sizes);
      const owners = sizes.flatMap((size, block) =>
        Array.from({ length: size }, (_, offset) => ({ block, offset }))
      );
      for (const [byte, owner] of owners.entries()) {
        if (byte > 0) assert.deepEqual(blockAtByte(feed, byte), owner);
      }
      assert.deepEqual(blockAtByte(feed, 0), { block: 0, offset: 0 });
      if (owners.length > 0) assert.equal(blockAtByte(feed, owners.length), undefined);
      assert.equal(blockAtByte(feed, Number.MAX_SAFE_INTEGER), undefined);
    }),
    { seed: 9, numRuns: 50 },
  );
});

Deno.test("blockAtByte() finds nothing in an empty feed or below nodes that are not held", () => {
  assert.equal(blockAtByte(feedOf([]), 0), undefined);
  const feed = feedOf([5, 5, 5, 5, 5]);
  feed.nodes.delete(4);
  assert.equal(blockAtByte(feed, 12), undefined);
  assert.deepEqual(blockAtByte(feed, 7), { block: 1, offset: 2 });
  feed.nodes.delete(8);
  assert.equal(blockAtByte(feed, 21), undefined);
});
