import assert from "node:assert/strict";
import { NODE_BYTES, readNode, writeNode } from "../../../src/core/feed/node.ts";

const hash = new Uint8Array(32).map((_, at) => at);

Deno.test("readNode() undoes writeNode(), between other bytes", () => {
  const bytes = new Uint8Array(100).fill(0xee);
  for (const size of [0, 1, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER]) {
    writeNode(bytes, 7, { index: 12, hash, size });
    assert.deepEqual(readNode(bytes, 7, 12), { index: 12, hash, size });
  }
  assert.deepEqual(bytes.subarray(0, 7), new Uint8Array(7).fill(0xee));
  assert.deepEqual(bytes.subarray(47), new Uint8Array(53).fill(0xee));
});

Deno.test("a stored node is its hash and then its size, most significant byte first", () => {
  const bytes = new Uint8Array(NODE_BYTES);
  writeNode(bytes, 0, { index: 0, hash, size: 0x0102_0304_0506 });
  assert.deepEqual(bytes.subarray(0, 32), hash);
  assert.deepEqual([...bytes.subarray(32)], [0, 0, 1, 2, 3, 4, 5, 6]);
});

Deno.test("readNode() finds no node in a blank slot or one that is cut short", () => {
  assert.equal(readNode(new Uint8Array(NODE_BYTES), 0, 3), undefined);
  assert.equal(readNode(new Uint8Array(NODE_BYTES - 1).fill(1), 0, 3), undefined);
  assert.equal(readNode(new Uint8Array(0), 0, 3), undefined);
});

Deno.test("readNode() takes a node of size 0 with a hash for one", () => {
  const bytes = new Uint8Array(NODE_BYTES);
  bytes[31] = 1;
  assert.equal(readNode(bytes, 0, 3)?.size, 0);
});

Deno.test("readNode() copies the hash", () => {
  const bytes = new Uint8Array(NODE_BYTES).fill(1, 0, 32);
  const node = readNode(bytes, 0, 3);
  bytes.fill(9);
  assert.deepEqual(node?.hash, new Uint8Array(32).fill(1));
});

Deno.test("readNode() takes a slot for blank whose size is no safe integer", () => {
  const bytes = new Uint8Array(NODE_BYTES);
  bytes[32 + 1] = 0x20; // 2^53
  assert.equal(readNode(bytes, 0, 3), undefined);
  bytes[32] = 0xff;
  assert.equal(readNode(bytes, 0, 3), undefined);
});
