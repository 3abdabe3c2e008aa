import assert from "node:assert/strict";
import { appendLeaves } from "../../../src/core/feed/append.ts";
import { fullRoots } from "../../../src/core/feed/flat_tree.ts";
import { lengthFromTreeBits } from "../../../src/core/sleep/length.ts";

const NODES_PER_PAGE = 16384;

/** Bits that whole pages have for these nodes. */
function bitsFor(nodes: Iterable<number>): { has: (index: number) => boolean; count: number } {
  const held = new Set(nodes);
  const top = Math.max(-1, ...held);
  return {
    has: (index) => held.has(index),
    count: Math.ceil((top + 1) / NODES_PER_PAGE) * NODES_PER_PAGE,
  };
}

Deno.test("lengthFromTreeBits() finds every length when all nodes are held", () => {
  const leaf = { hash: new Uint8Array(32), size: 1 };
  const held: number[] = [];
  let feed = appendLeaves([], 0, []);
  for (let length = 0; length <= 600; length++) {
    const { has, count } = bitsFor(held);
    assert.equal(lengthFromTreeBits(has, count), length);
    feed = appendLeaves(feed.roots, length, [leaf]);
    held.push(...feed.nodes.map((node) => node.index));
  }
});

Deno.test("lengthFromTreeBits() finds every length when only the roots are held", () => {
  const around = [8191, 8192, 8193, 16383, 16384, 16385, 24576, 32768, 65536, 1_000_000, 2 ** 40];
  for (const length of [...Array(601).keys(), ...around]) {
    const { has, count } = bitsFor(fullRoots(length));
    assert.equal(lengthFromTreeBits(has, count), length);
  }
});

Deno.test("lengthFromTreeBits() ignores nodes from the middle of the feed", () => {
  const { has, count } = bitsFor([...fullRoots(6), 2, 4, 6]);
  assert.equal(lengthFromTreeBits(has, count), 6);
});
