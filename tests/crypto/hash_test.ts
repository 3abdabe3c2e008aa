import assert from "node:assert/strict";
import { fromHex, toHex } from "../../src/base/bytes.ts";
import {
  contentSeed,
  discoveryKey,
  leafHash,
  parentHash,
  rootHash,
} from "../../src/crypto/hash.ts";
import { keyPair } from "../../src/crypto/sign.ts";
import { readVector } from "../support/vectors.ts";

interface CryptoVectors {
  readonly keys: readonly { publicKey: string; discoveryKey: string }[];
  readonly contentKeys: readonly {
    metadataSecretKey: string;
    derivedSeed: string;
    contentPublicKey: string;
    contentSecretKey: string;
    contentDiscoveryKey: string;
  }[];
  readonly leaves: readonly { data: string; hash: string }[];
  readonly trees: readonly {
    nodes: readonly { index: number; size: number; hash: string }[];
    roots: readonly number[];
    rootHash: string;
  }[];
}

const vectors = readVector<CryptoVectors>("crypto.json");

Deno.test("discoveryKey() is as recorded", () => {
  assert.ok(vectors.keys.length > 0);
  for (const key of vectors.keys) {
    assert.equal(toHex(discoveryKey(fromHex(key.publicKey))), key.discoveryKey);
  }
});

Deno.test("discoveryKey() refuses what is no public key", () => {
  assert.throws(() => discoveryKey(new Uint8Array(31)), RangeError);
});

Deno.test("the content feed's keys follow from the metadata feed's as recorded", () => {
  assert.ok(vectors.contentKeys.length > 0);
  for (const recorded of vectors.contentKeys) {
    const seed = contentSeed(fromHex(recorded.metadataSecretKey));
    assert.equal(toHex(seed), recorded.derivedSeed);
    const { publicKey, secretKey } = keyPair(seed);
    assert.equal(toHex(publicKey), recorded.contentPublicKey);
    assert.equal(toHex(secretKey), recorded.contentSecretKey);
    assert.equal(toHex(discoveryKey(publicKey)), recorded.contentDiscoveryKey);
  }
});

Deno.test("leafHash() is as recorded", () => {
  assert.ok(vectors.leaves.length > 0);
  for (const { data, hash } of vectors.leaves) assert.equal(toHex(leafHash(fromHex(data))), hash);
});

Deno.test("parentHash() and rootHash() are as recorded", () => {
  let parents = 0;
  for (const tree of vectors.trees) {
    const nodes = new Map(
      tree.nodes.map((node) => [node.index, { ...node, hash: fromHex(node.hash) }]),
    );
    for (const node of nodes.values()) {
      if (node.index % 2 === 0) continue;
      let below = 1;
      while (Math.floor(node.index / (2 * below)) % 2 === 1) below *= 2;
      const left = nodes.get(node.index - below)!;
      const right = nodes.get(node.index + below)!;
      assert.deepEqual(parentHash(left, right), node.hash);
      assert.deepEqual(parentHash(right, left), node.hash);
      parents++;
    }
    assert.equal(toHex(rootHash(tree.roots.map((index) => nodes.get(index)!))), tree.rootHash);
  }
  assert.ok(parents > 0);
});
