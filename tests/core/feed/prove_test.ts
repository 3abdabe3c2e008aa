import assert from "node:assert/strict";
import fc from "fast-check";
import { prove } from "../../../src/core/feed/prove.ts";
import { requestDigest } from "../../../src/core/feed/digest.ts";
import { verifyData } from "../../../src/core/feed/verify.ts";
import { MemoryFeed } from "../../support/memory_feed.ts";
import { answeringFeed, proofSessions, singleProofs } from "../../support/proof_vectors.ts";

for (const recorded of singleProofs()) {
  Deno.test(`prove() answers as recorded for a reader without anything: ${recorded.name}`, () => {
    const feed = answeringFeed(recorded);
    for (const { request, data } of recorded.exchanges) {
      const proof = prove(feed, request);
      assert.deepEqual(proof?.nodes, data.nodes);
      assert.deepEqual(proof?.signature, data.signature);
    }
  });
}

for (const recorded of proofSessions()) {
  Deno.test(`prove() answers as recorded, from digests alone: ${recorded.name}`, () => {
    const feed = answeringFeed(recorded);
    for (const { request, data } of recorded.exchanges) {
      const proof = prove(feed, request);
      assert.deepEqual(proof?.nodes, data.nodes);
      assert.deepEqual(proof?.signature, data.signature);
    }
  });

  Deno.test(`prove() answers as recorded when it remembers digests: ${recorded.name}`, () => {
    const feed = answeringFeed(recorded);
    const known = new Set<number>();
    for (const { request, data } of recorded.exchanges) {
      const proof = prove(feed, request, known);
      assert.deepEqual(proof?.nodes, data.nodes);
      assert.deepEqual(proof?.signature, data.signature);
    }
  });
}

/** A feed of our own with blocks of growing size. */
function feedOf(length: number): MemoryFeed {
  const blocks = Array.from({ length }, (_, block) => new Uint8Array(block % 7).fill(block));
  return MemoryFeed.owned().append(...blocks);
}

// length, block, digest, hash only, nodes, signed. Source: spec of replication, section 7.
const ANSWERS: [number, number, number, boolean, number[], boolean][] = [
  [1, 0, 0, false, [], true],
  [3, 1, 0, false, [0, 4], true],
  [3, 2, 0, false, [1], true],
  [3, 0, 0b101, false, [2], false],
  [3, 1, 0, true, [2, 0, 4], true],
  [4, 0, 1, false, [], false],
  [4, 3, 0b110, false, [], true],
  [5, 4, 0, false, [3], true],
  [5, 4, 0, true, [8, 3], true],
  [5, 0, 0, false, [2, 5, 8], true],
  [6, 2, 0, false, [6, 1, 9], true],
  [7, 6, 0, false, [3, 9], true],
  [7, 0, 0, false, [2, 5, 9, 12], true],
  [8, 3, 0, false, [4, 1, 11], true],
  [8, 3, 0b1011, false, [1], false],
  [8, 3, 0b1101, false, [4], false],
];
for (const [length, block, digest, hashOnly, nodes, signed] of ANSWERS) {
  const asked = `${hashOnly ? "the hash of " : ""}block ${block}, digest ${digest.toString(2)}`;
  Deno.test(`prove() sends nodes [${nodes}] of ${length} blocks for ${asked}`, () => {
    const feed = feedOf(length);
    const proof = prove(feed, { block, digest, hashOnly });
    assert.deepEqual(proof?.nodes.map(({ index }) => index), nodes);
    assert.deepEqual(proof?.signature, signed ? feed.signature(length) : undefined);
  });
}

Deno.test("prove() signs with the older length that a sparse copy can prove", () => {
  const owner = MemoryFeed.owned();
  const reader = new MemoryFeed(owner.publicKey);
  const fetch = (block: number) => {
    const digest = requestDigest(reader, block);
    const proof = prove(owner, { block, digest, hashOnly: false });
    reader.store(verifyData(reader, { index: block, value: owner.block(block), ...proof! }));
  };
  owner.append(Uint8Array.of(1));
  fetch(0);
  owner.append(Uint8Array.of(2)).append(Uint8Array.of(3)).append(Uint8Array.of(4));
  fetch(3);
  assert.deepEqual([...reader.nodes.keys()].sort(), [0, 1, 3, 4, 5, 6]);

  const first = prove(reader, { block: 0, digest: 0, hashOnly: false });
  assert.deepEqual(first, { nodes: [], signature: owner.signature(1) });
  const last = prove(reader, { block: 3, digest: 0, hashOnly: false });
  assert.deepEqual(last?.nodes.map(({ index }) => index), [4, 1]);
  assert.deepEqual(last?.signature, owner.signature(4));
});

Deno.test("prove() has no answer without the leaf, its root's neighbours or the signature", () => {
  const whole = { block: 2, digest: 0, hashOnly: false };
  for (const missing of [4, 8, 3]) {
    const feed = feedOf(5);
    feed.nodes.delete(missing);
    const block = missing === 3 ? 4 : missing === 8 ? 4 : 2;
    assert.equal(prove(feed, { ...whole, block }), undefined, `without node ${missing}`);
  }
  const unsigned = feedOf(5);
  unsigned.signatures.clear();
  assert.equal(prove(unsigned, whole), undefined);
  assert.equal(prove(feedOf(5), { ...whole, block: 5 }), undefined);
  assert.equal(prove(feedOf(0), { ...whole, block: 0 }), undefined);
});

Deno.test("prove() has no answer from a tree that lacks the left one of two siblings", () => {
  const feed = feedOf(4);
  feed.nodes.delete(4);
  assert.equal(prove(feed, { block: 3, digest: 0, hashOnly: false }), undefined);
});

Deno.test("prove() leaves out nothing but what earlier digests named, if it remembers them", () => {
  const feed = feedOf(8);
  const known = new Set<number>();
  prove(feed, { block: 3, digest: 0b100, hashOnly: false }, known); // "I hold node 1"
  const proof = prove(feed, { block: 2, digest: 0, hashOnly: false }, known);
  assert.deepEqual(proof?.nodes.map(({ index }) => index), [6, 11]);
});

Deno.test("downloading every block in any order takes one proof node fewer than blocks", () => {
  const runs = fc.tuple(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(1000)), fc.nat());
  fc.assert(
    fc.property(runs, ([length, seed]) => {
      const owner = feedOf(length);
      for (const remembered of [undefined, new Set<number>()]) {
        const reader = new MemoryFeed(owner.publicKey);
        let sent = 0;
        for (const block of shuffled(length, seed)) {
          const digest = requestDigest(reader, block);
          const proof = prove(owner, { block, digest, hashOnly: false }, remembered)!;
          sent += proof.nodes.length;
          reader.store(verifyData(reader, { index: block, value: owner.block(block), ...proof }));
        }
        assert.equal(sent, length - 1);
        assert.deepEqual(new Set(reader.nodes.keys()), new Set(owner.nodes.keys()));
        assert.equal(reader.byteLength, owner.byteLength);
      }
    }),
    { seed: 4, numRuns: 25 },
  );
});

/** The numbers below `count` in an order that `seed` decides. */
function shuffled(count: number, seed: number): number[] {
  const order = Array.from({ length: count }, (_, at) => at);
  let state = seed | 1;
  for (let at = count - 1; at > 0; at--) {
    state = Math.imul(state, 0x9e37_79b1) + 0x7f4a_7c15 | 0;
    const other = (state >>> 8) % (at + 1);
    [order[at], order[other]] = [order[other], order[at]];
  }
  return order;
}
