import assert from "node:assert/strict";
import fc from "fast-check";
import { addKnownNodes, requestDigest } from "../../../src/core/feed/digest.ts";
import { verifyData } from "../../../src/core/feed/verify.ts";
import { MemoryFeed } from "../../support/memory_feed.ts";
import { proofSessions } from "../../support/proof_vectors.ts";

function holding(nodes: readonly number[], length = 1000) {
  const held = new Set(nodes);
  return { length, hasNode: (index: number) => held.has(index) };
}

// known nodes, block, digest. Source: spec of replication, section 6.
const DIGESTS: [number[], number, number][] = [
  [[], 0, 0],
  [[], 77, 0],
  [[0], 0, 1],
  [[4, 3], 3, 0b1011],
  [[4, 1], 3, 0b110],
  [[1], 3, 0b100],
  [[3], 0, 0b1001],
  [[3], 3, 0b1001],
  [[1, 4], 0, 0b101],
  [[2, 1], 0, 1],
  [[4], 3, 0b10],
  [[0, 1, 2, 3, 4, 5, 6], 4, 0b1000],
  [[7], 8, 0b10000],
  [[7, 16], 9, 0b10010],
];
for (const [nodes, block, digest] of DIGESTS) {
  Deno.test(`requestDigest() of block ${block} is ${digest.toString(2)} if nodes [${nodes}] are held`, () => {
    assert.equal(requestDigest(holding(nodes), block), digest);
  });
}

for (const recorded of proofSessions()) {
  Deno.test(`requestDigest() is what the recorded reader sent: ${recorded.name}`, () => {
    const reader = new MemoryFeed(recorded.publicKey);
    for (const { request, data } of recorded.exchanges) {
      assert.equal(requestDigest(reader, request.block), request.digest);
      reader.store(verifyData(reader, data));
    }
  });
}

Deno.test("requestDigest() ends where the feed can hold nothing more", () => {
  let asked = 0;
  const feed = { length: 5, hasNode: (_: number) => (asked++, false) };
  assert.equal(requestDigest(feed, 4), 0);
  assert.ok(asked < 10, `asked for ${asked} nodes`);
});

Deno.test("requestDigest() stays a safe integer in the tallest trees", () => {
  const everySibling = { length: 2 ** 52, hasNode: (index: number) => index % 4 === 2 };
  assert.ok(Number.isSafeInteger(requestDigest(everySibling, 2 ** 51 + 12345)));
  const topmost = 2 ** 51 - 1; // the parent of every block below 2^51
  assert.equal(requestDigest(holding([topmost], 2 ** 52), 1), 2 ** 52 + 1);
  const left = 2 ** 40 - 1; // the root of the 2^40 blocks before block 2^40
  assert.equal(requestDigest(holding([left], 2 ** 41), 2 ** 40), 2 ** 41);
});

/** What a digest says, read straight off its bits in integers of any size. */
function siblingsNamed(block: number, digest: number): number[] {
  const bits = BigInt(digest).toString(2).split("").reverse().map(Number);
  const top = bits.length - 1;
  const named: number[] = [];
  for (let bit = 1; bit < bits.length; bit++) {
    if (bits[bit] === 0 || (bit === top && bits[0] === 1)) continue;
    const height = BigInt(bit - 1);
    const position = (BigInt(block) >> height) ^ 1n;
    named.push(Number(((2n * position + 1n) << height) - 1n));
  }
  return named;
}

Deno.test("addKnownNodes() reads back every sibling that a digest names", () => {
  const digests = fc.tuple(fc.nat(2 ** 20 - 1), fc.nat(2 ** 21 - 1));
  fc.assert(
    fc.property(digests, ([block, digest]) => {
      const known = new Set<number>();
      addKnownNodes(known, holding([], 2 ** 20), { block, digest });
      for (const index of siblingsNamed(block, digest)) assert.ok(known.has(index), `${index}`);
    }),
    { seed: 5, numRuns: 1000 },
  );
});

/** What `addKnownNodes` makes of digests for blocks, one after the other. */
function known(held: readonly number[], ...requests: { block: number; digest: number }[]) {
  const nodes = new Set<number>();
  for (const request of requests) addKnownNodes(nodes, holding(held, 8), request);
  return nodes;
}

Deno.test("addKnownNodes() takes the roots left of a known path node for known", () => {
  // Block 6 of 8: its leaf 12 is held, and so the roots of 7 blocks are: 3 and 9.
  assert.deepEqual(known([3, 9, 12], { block: 6, digest: 0b11 }), new Set([12, 3, 9]));
  // Those we do not have ourselves are none of our business.
  assert.deepEqual(known([3, 12], { block: 6, digest: 0b11 }), new Set([12, 3]));
});

Deno.test("addKnownNodes() looks for roots left of the pair when the path node is a right child", () => {
  // Block 3: its path node 5 is held; the roots before it are those of 2 blocks: 1.
  assert.deepEqual(known([1, 3, 5], { block: 3, digest: 0b101 }), new Set([5, 1, 3]));
});

Deno.test("addKnownNodes() takes the parent of two known siblings for known", () => {
  const both = known([], { block: 3, digest: 0b10 }, { block: 2, digest: 0b10 });
  assert.deepEqual(both, new Set([4, 6, 5]));
});

Deno.test("addKnownNodes() goes no higher than the tree, whatever the digest", () => {
  for (const digest of [Number.MAX_SAFE_INTEGER, 2 ** 52, 2 ** 52 + 1, 2 ** 31, 2 ** 32 + 1]) {
    const known = new Set<number>();
    addKnownNodes(known, holding([], 9), { block: 4, digest });
    for (const index of known) assert.ok(index < 64, `node ${index} of 9 blocks`);
  }
});
