import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { ForkError, ProofError } from "../../../src/base/errors.ts";
import { requestDigest } from "../../../src/core/feed/digest.ts";
import type { TreeNode } from "../../../src/core/feed/node.ts";
import { prove } from "../../../src/core/feed/prove.ts";
import { type BlockData, MAX_PROOF_NODES, verifyData } from "../../../src/core/feed/verify.ts";
import { leafHash, parentHash, rootHash } from "../../../src/crypto/hash.ts";
import { keyPair, sign } from "../../../src/crypto/sign.ts";
import { MemoryFeed } from "../../support/memory_feed.ts";
import { proofSessions, singleProofs } from "../../support/proof_vectors.ts";

/** Block number `block` of a feed made by `feedOf`: 1 to 5 bytes. */
function blockOf(block: number): Uint8Array {
  return new Uint8Array(1 + block % 5).fill(block);
}

function feedOf(length: number, seed = 1): MemoryFeed {
  return MemoryFeed.owned(seed).append(...Array.from({ length }, (_, at) => blockOf(at)));
}

/** What `owner` answers a reader who asks for a block, or for its hash. */
function answer(
  owner: MemoryFeed,
  reader: MemoryFeed,
  { block, hashOnly = false }: { block: number; hashOnly?: boolean },
): BlockData {
  const proof = prove(owner, { block, digest: requestDigest(reader, block), hashOnly });
  assert.ok(proof);
  return { index: block, ...(!hashOnly && { value: owner.block(block) }), ...proof };
}

function readerOf(owner: MemoryFeed, ...blocks: number[]): MemoryFeed {
  const reader = new MemoryFeed(owner.publicKey);
  for (const block of blocks) reader.store(verifyData(reader, answer(owner, reader, { block })));
  return reader;
}

for (const recorded of singleProofs()) {
  Deno.test(`verifyData() proves recorded hashes to a reader without anything: ${recorded.name}`, () => {
    for (const { request, data } of recorded.exchanges.filter((e) => e.request.hashOnly)) {
      const reader = new MemoryFeed(recorded.publicKey);
      const verified = verifyData(reader, data);
      assert.equal(verified.block, request.block);
      assert.equal(verified.value, undefined);
      assert.deepEqual(verified.signed, {
        length: recorded.length,
        byteLength: recorded.byteLength,
        signature: data.signature,
      });
    }
  });
}

for (const recorded of proofSessions()) {
  Deno.test(`verifyData() proves every step of ${recorded.name}`, () => {
    const reader = new MemoryFeed(recorded.publicKey);
    for (const { data } of recorded.exchanges) {
      const held = new Set(reader.nodes.keys());
      const verified = verifyData(reader, data);
      assert.equal(verified.value, data.value);
      assert.equal(verified.signed === undefined, data.signature === undefined);
      for (const { index } of verified.nodes) assert.ok(!held.has(index), `node ${index} again`);
      reader.store(verified);
      assert.ok(reader.hasNode(2 * data.index));
    }
    assert.equal(reader.length, recorded.length);
  });

  Deno.test(`verifyData() refuses each step of ${recorded.name} with a bit flipped`, () => {
    const reader = new MemoryFeed(recorded.publicKey);
    for (const [step, { data }] of recorded.exchanges.entries()) {
      for (const [what, bad] of flips(data, step)) {
        assert.throws(() => verifyData(reader, bad), ProofError, `step ${step}, ${what}`);
      }
      reader.store(verifyData(reader, data));
    }
  });
}

/** The data with one bit flipped in each place where that matters; `pick` chooses which bit. */
function* flips(data: BlockData, pick: number): Generator<[string, BlockData]> {
  const flip = (bytes: Uint8Array) => {
    const copy = bytes.slice();
    const bit = (pick * 7919) % (8 * bytes.length);
    copy[bit >> 3] ^= 1 << (bit & 7);
    return copy;
  };
  const { value, signature, nodes } = data;
  if (value !== undefined && value.length > 0) yield ["value", { ...data, value: flip(value) }];
  if (signature !== undefined) yield ["signature", { ...data, signature: flip(signature) }];
  for (const [at, node] of nodes.entries()) {
    const change = { hash: flip(node.hash), size: node.size ^ 1, index: node.index ^ 2 };
    for (const field of ["hash", "size", "index"] as const) {
      const bad = nodes.with(at, { ...node, [field]: change[field] });
      yield [`${field} of node ${node.index}`, { ...data, nodes: bad }];
    }
  }
}

Deno.test("verifyData() refuses any flipped bit in any block's proof", () => {
  const cases = fc.record({
    length: fc.integer({ min: 1, max: 40 }),
    order: fc.array(fc.nat(), { minLength: 1, maxLength: 5 }),
    pick: fc.nat(10_000),
  });
  fc.assert(
    fc.property(cases, ({ length, order, pick }) => {
      const owner = feedOf(length);
      const reader = new MemoryFeed(owner.publicKey);
      for (const at of order) {
        const data = answer(owner, reader, { block: at % length });
        for (const [what, bad] of flips(data, pick)) {
          assert.throws(() => verifyData(reader, bad), ProofError, what);
        }
        reader.store(verifyData(reader, data));
      }
    }),
    { seed: 10, numRuns: 60 },
  );
});

Deno.test("verifyData() refuses a value that another block of the feed has", () => {
  const owner = feedOf(8);
  const reader = readerOf(owner, 2);
  const data = answer(owner, reader, { block: 3 });
  assert.throws(() => verifyData(reader, { ...data, value: owner.block(2) }), ProofError);
});

Deno.test("verifyData() proves blocks against what a proof before them brought", () => {
  const owner = feedOf(6);
  const reader = readerOf(owner, 2);
  assert.deepEqual([reader.length, reader.byteLength], [6, owner.byteLength]);
  assert.deepEqual([...reader.nodes.keys()].sort((a, b) => a - b), [1, 3, 4, 5, 6, 9]);
  // Source: spec of storage, section 12, "Worked example".
  const third = answer(owner, reader, { block: 3 });
  assert.deepEqual(third.nodes, []);
  assert.deepEqual(verifyData(reader, third), { block: 3, value: owner.block(3), nodes: [] });
  const last = answer(owner, reader, { block: 5 });
  assert.deepEqual(last.nodes.map(({ index }) => index), [8]);
  assert.deepEqual(verifyData(reader, last).nodes.map(({ index }) => index), [10, 8]);
});

Deno.test("verifyData() keeps nothing of the message but the value, and that uncopied", () => {
  const owner = feedOf(5);
  const reader = new MemoryFeed(owner.publicKey);
  const { nodes, signature, value, index } = answer(owner, reader, { block: 1 });
  // As on arrival: all of it lies in one chunk. A Buffer, because its `slice` does not copy.
  const chunk = Buffer.concat([...nodes.map((node) => node.hash), signature!]);
  const message = {
    index,
    value,
    nodes: nodes.map((node, at) => ({ ...node, hash: chunk.subarray(32 * at, 32 * at + 32) })),
    signature: chunk.subarray(-64),
  };
  const verified = verifyData(reader, message);
  chunk.fill(0);
  assert.equal(verified.value, value);
  assert.deepEqual(verified.signed?.signature, signature);
  for (const node of verified.nodes) assert.deepEqual(node, owner.node(node.index));
});

Deno.test("verifyData() takes a zero-length block for a block", () => {
  const owner = MemoryFeed.owned().append(new Uint8Array(0), Uint8Array.of(1), new Uint8Array(0));
  const reader = readerOf(owner, 0, 2, 1);
  assert.deepEqual(reader.blocks, owner.blocks);
  assert.deepEqual([reader.length, reader.byteLength], [3, 1]);
});

Deno.test("verifyData() proves hashes alone, and then the block without a proof", () => {
  const owner = feedOf(7);
  const reader = new MemoryFeed(owner.publicKey);
  reader.store(verifyData(reader, answer(owner, reader, { block: 4, hashOnly: true })));
  assert.ok(reader.hasNode(8) && !reader.hasBlock(4));
  assert.equal(requestDigest(reader, 4), 1);
  const data = answer(owner, reader, { block: 4 });
  assert.deepEqual(verifyData(reader, data), { block: 4, value: owner.block(4), nodes: [] });
});

Deno.test("sizes moved between two hashes are mended by either block", () => {
  const owner = feedOf(4);
  for (const block of [0, 1]) {
    const reader = new MemoryFeed(owner.publicKey);
    const data = answer(owner, reader, { block: 0, hashOnly: true });
    const [leaf, beside, ...rest] = data.nodes;
    const nodes = [{ ...leaf, size: leaf.size + 1 }, { ...beside, size: beside.size - 1 }, ...rest];
    reader.store(verifyData(reader, { ...data, nodes })); // no hash covers either size by itself
    assert.notEqual(reader.node(0)?.size, owner.node(0)?.size);
    // Asking for the hash again cannot mend it.
    assert.deepEqual(verifyData(reader, { index: 0, nodes: [leaf] }).nodes, []);
    reader.store(verifyData(reader, answer(owner, reader, { block })));
    assert.deepEqual(reader.node(0), owner.node(0));
    assert.deepEqual(reader.node(2), owner.node(2));
  }
});

Deno.test("verifyData() grows the feed by the signature of a longer one, never shrinks it", () => {
  const owner = feedOf(3);
  const reader = readerOf(owner, 0);
  const early = prove(owner, { block: 2, digest: 0, hashOnly: false })!;
  owner.append(blockOf(3), blockOf(4));
  reader.store(verifyData(reader, answer(owner, reader, { block: 4 })));
  assert.equal(reader.length, 5);
  // A late answer, from when the feed was shorter, is as good as ever.
  const late = verifyData(reader, { index: 2, value: owner.block(2), ...early });
  reader.store(late);
  assert.deepEqual([reader.length, reader.byteLength], [5, owner.byteLength]);
  assert.deepEqual(late.nodes, []);
});

const OWNER = feedOf(5);
const GOOD = answer(OWNER, new MemoryFeed(OWNER.publicKey), { block: 0 });
const HASHES = answer(OWNER, new MemoryFeed(OWNER.publicKey), { block: 0, hashOnly: true });
const NODE = GOOD.nodes[0];

/** The first node, or the one at `at`, replaced. */
function withNode(change: Partial<TreeNode>, at = 0): BlockData {
  return { ...GOOD, nodes: GOOD.nodes.with(at, { ...GOOD.nodes.at(at)!, ...change }) };
}

const ROOTS = [OWNER.node(3)!, OWNER.node(8)!];
const MAX = Number.MAX_SAFE_INTEGER;

// What is wrong, what the error says of it, the data. Most of these would fail anyhow, at the hash
// or signature; the message shows that they fail before anything is computed from them.
const REFUSED: [string, RegExp, BlockData][] = [
  ["no signature", /held node or a signature/, { ...GOOD, signature: undefined }],
  ["a signature of 63 bytes", /of 63 bytes/, { ...GOOD, signature: new Uint8Array(63) }],
  ["a signature of 65 bytes", /of 65 bytes/, { ...GOOD, signature: new Uint8Array(65) }],
  ["no nodes", /do not match the signature/, { ...GOOD, nodes: [] }],
  ["a node missing", /root 3 is missing/, { ...GOOD, nodes: GOOD.nodes.slice(1) }],
  ["a root missing", /do not match the signature/, { ...GOOD, nodes: GOOD.nodes.slice(0, -1) }],
  ["its nodes reversed", /root 1 is missing/, { ...GOOD, nodes: GOOD.nodes.toReversed() }],
  ["a node sent twice", /root 3 is missing/, { ...GOOD, nodes: [NODE, ...GOOD.nodes] }],
  ["its last root sent twice", /lead nowhere/, {
    ...GOOD,
    nodes: [...GOOD.nodes, GOOD.nodes.at(-1)!],
  }],
  ["a node too many", /lead nowhere/, {
    ...GOOD,
    nodes: [...GOOD.nodes, { ...NODE, index: 1 }],
  }],
  ["a root too many", /root 9 is missing/, {
    ...GOOD,
    nodes: [...GOOD.nodes, { ...NODE, index: 10 }],
  }],
  // The signature is good, and the roots are its own: only the block is not below any of them.
  ["the signed roots but no way up to them", /no root of 5 blocks/, { ...GOOD, nodes: ROOTS }],
  ["a hash of 31 bytes", /hash of 31 bytes/, withNode({ hash: new Uint8Array(31) })],
  ["a hash of 33 bytes", /hash of 33 bytes/, withNode({ hash: new Uint8Array(33) })],
  ["a negative size", /size -1/, withNode({ size: -1 })],
  ["a broken size", /size 0.5/, withNode({ size: 0.5 })],
  ["a size of 2^53", /size 9007199254740992/, withNode({ size: 2 ** 53 })],
  ["sizes that add up to 2^53", /add up to more/, withNode({ size: MAX })],
  ["roots that add up to 2^53", /add up to more/, withNode({ size: MAX }, -1)],
  ["a negative node", /node -2/, withNode({ index: -2 })],
  ["node 2^53", /node 9007199254740992/, withNode({ index: 2 ** 53 })],
  ["a root of too large a tree", /more than 2\^52 blocks/, {
    ...GOOD,
    nodes: [...GOOD.nodes, { ...NODE, index: MAX }],
  }],
  ["129 nodes", /129 proof nodes/, { ...GOOD, nodes: new Array(MAX_PROOF_NODES + 1).fill(NODE) }],
  ["128 times one node", /lead nowhere/, { ...GOOD, nodes: new Array(MAX_PROOF_NODES).fill(NODE) }],
  ["block number 2^52", /below 2\^52/, { ...GOOD, index: 2 ** 52 }],
  ["the last block number", /is missing/, { ...GOOD, index: 2 ** 52 - 1 }],
  ["a negative block number", /block -1/, { ...GOOD, index: -1 }],
  ["another block number", /root 3 is missing/, { ...GOOD, index: 1 }],
  ["nothing to start from", /neither its bytes nor its hash/, { ...HASHES, nodes: [] }],
  ["another leaf to start from", /neither its bytes nor its hash/, {
    ...HASHES,
    nodes: HASHES.nodes.slice(1),
  }],
  ["the hashes of another block", /neither its bytes nor its hash/, { ...HASHES, index: 1 }],
  ["a leaf's hash under another size", /do not match the signature/, {
    ...HASHES,
    nodes: HASHES.nodes.with(0, { ...HASHES.nodes[0], size: 77 }),
  }],
];
for (const [what, why, data] of REFUSED) {
  Deno.test(`verifyData() refuses a proof with ${what}`, () => {
    const check = () => verifyData(new MemoryFeed(OWNER.publicKey), data);
    assert.throws(check, (error) => {
      assert.ok(error instanceof ProofError);
      assert.match(error.message, why);
      return true;
    });
  });
}

Deno.test("verifyData() refuses what adds up to another size than the owner gave the node above", () => {
  const { publicKey, secretKey } = keyPair(new Uint8Array(32).fill(1));
  const blocks = [1, 2, 3].map((byte) => Uint8Array.of(byte));
  const [first, second, third] = blocks.map((block, at) => ({
    index: 2 * at,
    hash: leafHash(block),
    size: 1,
  }));
  for (const size of [4, Number.MAX_SAFE_INTEGER]) {
    const swollen = { ...second, size };
    const above = { index: 1, hash: parentHash(first, swollen), size: 2 };
    const signature = sign(rootHash([above, third]), secretKey);
    const reader = new MemoryFeed(publicKey);
    reader.store(verifyData(reader, { index: 2, value: blocks[2], nodes: [above], signature }));
    const data = { index: 0, value: blocks[0], nodes: [swollen] };
    assert.throws(() => verifyData(reader, data), ProofError);
  }
});

Deno.test("verifyData() refuses a block of another size than the owner gave its leaf", () => {
  const { publicKey, secretKey } = keyPair(new Uint8Array(32).fill(1));
  const block = Uint8Array.of(1, 2, 3);
  const leaf = { index: 0, hash: leafHash(block), size: 2 };
  const beside = { index: 2, hash: leafHash(block), size: 0 };
  const above = { index: 1, hash: parentHash(leaf, beside), size: 2 };
  for (const [nodes, root] of [[[leaf], leaf], [[leaf, beside], above]] as const) {
    const reader = new MemoryFeed(publicKey);
    const signature = sign(rootHash([root]), secretKey);
    reader.store(verifyData(reader, { index: 0, nodes, signature }));
    assert.throws(
      () => verifyData(reader, { index: 0, value: block, nodes: [] }),
      /size of 3 bytes/,
    );
  }
});

Deno.test("verifyData() refuses a proof of another feed", () => {
  const reader = new MemoryFeed(feedOf(1, 2).publicKey);
  assert.throws(() => verifyData(reader, GOOD), ProofError);
});

Deno.test("hostile data only ever throws ProofError or ForkError", () => {
  const number = fc.oneof(
    fc.nat(20),
    fc.maxSafeNat(),
    fc.constantFrom(-1, 0.5, NaN, Infinity, 2 ** 53, 2 ** 52 - 1, 2 ** 53 - 2),
  );
  const hash = fc.oneof(
    fc.uint8Array({ minLength: 31, maxLength: 33 }),
    fc.constantFrom(...[...OWNER.nodes.values()].map((node) => node.hash)),
  );
  const node = fc.oneof(
    fc.record({ index: number, size: number, hash }),
    fc.constantFrom(...OWNER.nodes.values()),
  );
  const data = fc.record({
    index: number,
    value: fc.option(fc.uint8Array({ maxLength: 9 }), { nil: undefined }),
    nodes: fc.array(node, { maxLength: 6 }),
    signature: fc.option(
      fc.oneof(fc.uint8Array({ maxLength: 65 }), fc.constant(OWNER.signature(5)!)),
      { nil: undefined },
    ),
  });
  fc.assert(
    fc.property(data, fc.boolean(), (data, empty) => {
      const reader = empty ? new MemoryFeed(OWNER.publicKey) : readerOf(OWNER, 3);
      try {
        for (const node of verifyData(reader, data).nodes) {
          assert.deepEqual(node.hash, OWNER.node(node.index)?.hash);
        }
      } catch (error) {
        if (!(error instanceof ProofError) && !(error instanceof ForkError)) throw error;
      }
    }),
    { seed: 11, numRuns: 1500 },
  );
});

/** Two feeds under one key that differ from block `from` on. */
function forkedAt(from: number, length: number): [MemoryFeed, MemoryFeed] {
  const other = MemoryFeed.owned();
  for (let at = 0; at < length; at++) other.append(at < from ? blockOf(at) : Uint8Array.of(99));
  const owner = MemoryFeed.owned();
  for (let at = 0; at < length; at++) owner.append(blockOf(at));
  return [owner, other];
}

Deno.test("a good signature over other roots of a signed length is a fork", () => {
  const [owner, other] = forkedAt(4, 6);
  const reader = readerOf(owner, 0);
  const held = new Map(reader.nodes);
  const data = answer(other, new MemoryFeed(owner.publicKey), { block: 5 });
  assert.throws(() => verifyData(reader, data), ForkError);
  assert.deepEqual(reader.nodes, held);
});

Deno.test("a good signature over a longer feed with another node below it is a fork", () => {
  const [, other] = forkedAt(2, 9);
  const early = feedOf(3);
  for (const block of [2, 3]) {
    const data = answer(other, new MemoryFeed(other.publicKey), { block });
    assert.throws(() => verifyData(readerOf(early, 2), data), ForkError, `block ${block}`);
  }
});

Deno.test("a held node that contradicts a trusted one above it is a fork", () => {
  const [, other] = forkedAt(2, 5);
  const reader = readerOf(feedOf(3), 2);
  // Block 4 has no node in common with what is held, and brings node 3 of the other history.
  reader.store(verifyData(reader, answer(other, reader, { block: 4 })));
  const { signature: _, ...data } = answer(other, new MemoryFeed(other.publicKey), { block: 2 });
  assert.throws(() => verifyData(reader, data), ForkError);
});

Deno.test("a longer feed of fewer bytes, or a shorter one of more, is a fork", () => {
  const long = MemoryFeed.owned().append(...Array.from({ length: 5 }, () => Uint8Array.of(1)));
  const short = MemoryFeed.owned().append(new Uint8Array(100));
  const nobody = new MemoryFeed(long.publicKey);
  const ofLong = answer(long, nobody, { block: 4 });
  const ofShort = answer(short, nobody, { block: 0 });
  assert.throws(() => verifyData(readerOf(short, 0), ofLong), ForkError);
  assert.throws(() => verifyData(readerOf(long, 4), ofShort), ForkError);
});

Deno.test("a bad proof about a held block is no fork", () => {
  const owner = feedOf(6);
  const reader = readerOf(owner, 2);
  const data = answer(owner, new MemoryFeed(owner.publicKey), { block: 2 });
  const other = { ...data, value: Uint8Array.of(99) };
  assert.throws(() => verifyData(reader, other), ProofError);
});
