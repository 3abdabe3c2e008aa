import assert from "node:assert/strict";
import fc from "fast-check";
import {
  BLOCKS_PER_PAGE,
  clearBitsFrom,
  countBlockBits,
  dropUnproven,
  halvesOfPage,
  hasBlockBit,
  hasLeafBits,
  hasNodeBit,
  INDEX_OFFSET,
  nextBlockBit,
  NODES_PER_PAGE,
  OLD_PAGE_BYTES,
  PAGE_BYTES,
  setBlockBit,
  setNodeBit,
  writeIndex,
} from "../../../src/core/sleep/bitfield_page.ts";
import { PageSummary } from "../../../src/core/sleep/page_summary.ts";
import { indexOf, pagesOf } from "../../support/bitfield_index.ts";
import { allFeeds } from "../../support/stored_feeds.ts";

/** Blocks of a page, some alone and some in runs. */
function blocks(): fc.Arbitrary<Set<number>> {
  const run = fc.tuple(fc.nat(BLOCKS_PER_PAGE - 1), fc.oneof(fc.nat(20), fc.nat(BLOCKS_PER_PAGE)));
  return fc.array(run, { maxLength: 12 }).map((runs) => {
    const held = new Set<number>();
    for (const [start, count] of runs) {
      for (let at = start; at < Math.min(start + count, BLOCKS_PER_PAGE); at++) held.add(at);
    }
    return held;
  });
}

function pageOf(held: Iterable<number>, pageBytes = PAGE_BYTES): Uint8Array {
  const page = new Uint8Array(pageBytes);
  for (const at of held) setBlockBit(page, at, true);
  return page;
}

Deno.test("block and node bits begin at the most significant bit of their part", () => {
  const page = new Uint8Array(PAGE_BYTES);
  assert.equal(setBlockBit(page, 0, true), true);
  assert.equal(setBlockBit(page, 8191, true), true);
  assert.equal(setNodeBit(page, 1, true), true);
  assert.equal(setNodeBit(page, NODES_PER_PAGE - 1, true), true);
  assert.deepEqual([page[0], page[1023], page[1024], page[3071]], [0x80, 0x01, 0x40, 0x01]);
  assert.equal(setBlockBit(page, 0, true), false);
  assert.equal(hasBlockBit(page, 0), true);
  assert.equal(hasNodeBit(page, 1), true);
  assert.equal(setNodeBit(page, 1, false), true);
  assert.equal(hasNodeBit(page, 1), false);
});

Deno.test("countBlockBits() and nextBlockBit() agree with a plain set", () => {
  const range = fc.tuple(fc.nat(BLOCKS_PER_PAGE), fc.nat(BLOCKS_PER_PAGE));
  fc.assert(
    fc.property(blocks(), range, (held, [a, b]) => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      const page = pageOf(held);
      const within = Array.from({ length: to - from }, (_, i) => from + i);
      assert.equal(countBlockBits(page, from, to), within.filter((at) => held.has(at)).length);
      const firstHeld = within.find((at) => held.has(at)) ?? -1;
      const firstMissing = within.find((at) => !held.has(at)) ?? -1;
      assert.equal(nextBlockBit(page, from, to, true), firstHeld);
      assert.equal(nextBlockBit(page, from, to, false), firstMissing);
    }),
    { seed: 1, numRuns: 200 },
  );
});

Deno.test("hasLeafBits() asks for the leaves of exactly its blocks", () => {
  const page = new Uint8Array(PAGE_BYTES);
  for (let block = 5; block < 30; block++) setNodeBit(page, 2 * block, true);
  for (let from = 0; from < 40; from++) {
    for (let to = from; to < 40; to++) {
      const all = from === to || (from >= 5 && to <= 30);
      assert.equal(hasLeafBits(page, from, to), all, `${from} to ${to}`);
    }
  }
});

Deno.test("dropUnproven() keeps blocks whose leaf is held", () => {
  fc.assert(
    fc.property(blocks(), blocks(), blocks(), (held, proven, except) => {
      const page = pageOf(held);
      const tree = pageOf(except);
      for (const at of proven) setNodeBit(tree, 2 * at, true);
      for (const at of held) setNodeBit(tree, 2 * at + 1, true); // parents say nothing

      const kept = [...held].filter((at) => proven.has(at));
      const first = page.slice();
      assert.equal(dropUnproven(first, tree), kept.length < held.size);
      assert.deepEqual(first, pageOf(kept));

      const waiting = kept.filter((at) => !except.has(at));
      assert.equal(dropUnproven(page, tree, tree), waiting.length < held.size);
      assert.deepEqual(page, pageOf(waiting));
    }),
    { seed: 2, numRuns: 100 },
  );
});

Deno.test("clearBitsFrom() clears blocks and nodes at and after a place", () => {
  for (const at of [0, 1, 7, 8, 4095, 8191]) {
    const page = new Uint8Array(PAGE_BYTES).fill(0xff);
    clearBitsFrom(page, at);
    assert.equal(countBlockBits(page, 0, BLOCKS_PER_PAGE), at);
    assert.equal(nextBlockBit(page, 0, BLOCKS_PER_PAGE, false), at);
    for (let node = 0; node < NODES_PER_PAGE; node++) {
      assert.equal(hasNodeBit(page, node), node < 2 * at);
    }
    assert.ok(page.subarray(INDEX_OFFSET).every((byte) => byte === 0xff));
  }
});

for (const feed of allFeeds()) {
  const pages = pagesOf(feed.file("bitfield")!).filter((page) => page.length === PAGE_BYTES);
  if (pages.length === 0) continue;

  Deno.test(`writeIndex() reproduces the index of ${feed.name}`, () => {
    const summary = new PageSummary(pages.length);
    for (const [number, page] of pages.entries()) {
      const half = BLOCKS_PER_PAGE / 2;
      const low = countBlockBits(page, 0, half);
      summary.setHeld(number, low, countBlockBits(page, half, BLOCKS_PER_PAGE));
    }
    summary.joinAll(pages.length);
    for (const [number, page] of pages.entries()) {
      const rewritten = page.slice();
      rewritten.fill(0x55, INDEX_OFFSET);
      writeIndex(rewritten, summary.joint(number));
      assert.deepEqual(rewritten, page, `page ${number}`);
    }
  });
}

Deno.test("writeIndex() agrees with the rule of the spec for any page", () => {
  fc.assert(
    fc.property(blocks(), (held) => {
      const page = pageOf(held);
      page.fill(0x55, INDEX_OFFSET);
      const expected = indexOf([page]);
      writeIndex(page, expected[511]);
      assert.deepEqual(page.slice(INDEX_OFFSET), expected);
    }),
    { seed: 3, numRuns: 100 },
  );
});

Deno.test("writeIndex() leaves the index of old pages empty", () => {
  const page = pageOf([0, 1, 2], OLD_PAGE_BYTES);
  page.fill(0x55, INDEX_OFFSET);
  writeIndex(page, 0x40);
  assert.deepEqual(page, pageOf([0, 1, 2], OLD_PAGE_BYTES));
});

Deno.test("halvesOfPage() tells full, empty and other halves apart", () => {
  assert.equal(halvesOfPage(0, 0), 0b0000);
  assert.equal(halvesOfPage(4096, 0), 0b1100);
  assert.equal(halvesOfPage(4095, 1), 0b0101);
  assert.equal(halvesOfPage(4096, 4096), 0b1111);
});
