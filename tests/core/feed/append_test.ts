import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, toHex } from "../../../src/base/bytes.ts";
import { appendBlocks, appendLeaves } from "../../../src/core/feed/append.ts";
import { blocksUpTo, fullRoots } from "../../../src/core/feed/flat_tree.ts";
import type { TreeNode } from "../../../src/core/feed/node.ts";
import { leafHash, parentHash, rootHash } from "../../../src/crypto/hash.ts";
import { readVector } from "../../support/vectors.ts";

interface Trees {
  readonly trees: readonly {
    length: number;
    chunks: readonly string[];
    nodes: readonly { index: number; size: number; hash: string }[];
    roots: readonly number[];
    rootHash: string;
  }[];
}

const byIndex = (a: { index: number }, b: { index: number }) => a.index - b.index;

for (const [at, tree] of readVector<Trees>("crypto.json").trees.entries()) {
  Deno.test(`appendBlocks() builds the recorded tree ${at}, of ${tree.length} blocks`, () => {
    const { nodes, roots, length, byteLength } = appendBlocks([], 0, tree.chunks.map(fromHex));
    const printed = nodes.map(({ index, size, hash }) => ({ index, size, hash: toHex(hash) }));
    assert.deepEqual(printed.sort(byIndex), [...tree.nodes].sort(byIndex));
    assert.deepEqual(roots.map(({ index }) => index), tree.roots);
    assert.equal(toHex(rootHash(roots)), tree.rootHash);
    assert.equal(length, tree.length);
    assert.equal(byteLength, tree.chunks.join("").length / 2);
  });
}

/** The node at an index, from the blocks below it and nothing else. */
function naiveNode(index: number, height: number, blocks: readonly Uint8Array[]): TreeNode {
  if (height === 0) {
    const block = blocks[index / 2];
    return { index, hash: leafHash(block), size: block.length };
  }
  const left = naiveNode(index - 2 ** (height - 1), height - 1, blocks);
  const right = naiveNode(index + 2 ** (height - 1), height - 1, blocks);
  return { index, hash: parentHash(left, right), size: left.size + right.size };
}

function naiveTree(blocks: readonly Uint8Array[]): TreeNode[] {
  const nodes: TreeNode[] = [];
  for (let index = 0; index <= 2 * blocks.length - 2; index++) {
    let height = 0;
    while (Math.floor(index / 2 ** height) % 2 === 1) height++;
    if (blocksUpTo(index) <= blocks.length) nodes.push(naiveNode(index, height, blocks));
  }
  return nodes;
}

Deno.test("appending in any batches gives the tree of all blocks", () => {
  const batches = fc.array(fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 9 }), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(batches, (batches) => {
      let roots: readonly TreeNode[] = [];
      let length = 0;
      const nodes: TreeNode[] = [];
      for (const batch of batches) {
        const appended = appendBlocks(roots, length, batch);
        nodes.push(...appended.nodes);
        ({ roots, length } = appended);
        assert.deepEqual(roots.map(({ index }) => index), fullRoots(length));
      }
      assert.deepEqual(nodes.sort(byIndex), naiveTree(batches.flat()));
    }),
    { seed: 6, numRuns: 200 },
  );
});

Deno.test("appendLeaves() leaves its input as it was", () => {
  const leaf = { hash: leafHash(Uint8Array.of(1)), size: 1 };
  const { roots } = appendLeaves([], 0, [leaf]);
  appendLeaves(roots, 1, [leaf, leaf, leaf]);
  assert.deepEqual(roots, [{ index: 0, ...leaf }]);
});

Deno.test("appendLeaves() takes large batches and goes on from them", () => {
  const leaf = { hash: leafHash(new Uint8Array(0)), size: 0 };
  const first = appendLeaves([], 0, new Array(20_000).fill(leaf));
  assert.equal(first.nodes.length, 2 * 20_000 - first.roots.length);
  const second = appendLeaves(first.roots, first.length, [leaf]);
  assert.deepEqual(second.roots.map(({ index }) => index), fullRoots(20_001));
});

Deno.test("appendLeaves() works beyond 2^32 blocks", () => {
  const length = 2 ** 40 + 1;
  const hash = leafHash(new Uint8Array(0));
  const roots = fullRoots(length).map((index) => ({ index, hash, size: 2 ** 45 }));
  const grown = appendLeaves(roots, length, [{ hash, size: 7 }]);
  assert.deepEqual(grown.nodes.map(({ index }) => index), [2 ** 41 + 2, 2 ** 41 + 1]);
  assert.deepEqual(grown.roots.map(({ index }) => index), fullRoots(length + 1));
  assert.equal(grown.byteLength, 2 ** 46 + 7);
});
