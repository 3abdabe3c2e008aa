/** Feeds that other programs wrote: opened, read, and written again byte for byte. */
import assert from "node:assert/strict";
import { equalBytes, toHex } from "../../src/base/bytes.ts";
import type { TreeNode } from "../../src/core/feed/node.ts";
import type { VerifiedBlock } from "../../src/core/feed/reader.ts";
import { leafHash, rootHash } from "../../src/crypto/hash.ts";
import { verify } from "../../src/crypto/sign.ts";
import type { FeedStore } from "../../src/io/feed_store.ts";
import { type DiskState, MemoryDisk } from "../support/memory_access.ts";
import { openIn, openOn } from "../support/open_feed.ts";
import { allFeeds, blocksIn, FILE_NAMES, type StoredFeed } from "../support/stored_feeds.ts";
import { tempFolder } from "../support/temp.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

function filesOf(feed: StoredFeed): DiskState {
  const files = new Map<string, Uint8Array>();
  for (const name of FILE_NAMES) {
    const bytes = feed.file(name);
    if (bytes !== undefined) files.set(name, bytes);
  }
  return files;
}

function checkContents(store: FeedStore, feed: StoredFeed): void {
  assert.equal(store.length, feed.length);
  assert.equal(store.byteLength, feed.byteLength);
  assert.deepEqual(store.discoveryKey, feed.discoveryKey);
  assert.equal(store.recovery.kind, "none");
  if (feed.length > 0) {
    const signature = store.signature(feed.length);
    assert.ok(signature && verify(rootHash(store.roots), signature, feed.publicKey));
  }
  if (feed.rootHash !== undefined) assert.equal(toHex(rootHash(store.roots)), feed.rootHash);
  if (feed.roots !== undefined) {
    const roots = store.roots.map((root) => ({ ...root, hash: toHex(root.hash) }));
    assert.deepEqual(roots, feed.roots);
  }

  const present = new Set(blocksIn(feed.present));
  assert.equal(store.countHeld(0, feed.length), present.size);
  for (let block = 0; block < feed.length + 10; block++) {
    assert.equal(store.hasBlock(block), present.has(block), `block ${block}`);
  }
  for (const [start, end] of feed.present) {
    assert.equal(store.nextHeld(start, feed.length), start);
    assert.equal(store.nextMissing(start, end), -1);
    assert.equal(store.nextMissing(start, end + 1), end);
  }
  let byteOffset = 0;
  for (const [block, size] of (feed.blockSizes ?? []).entries()) {
    if (size === null) break; // from the first hole on, offsets are not known to this test
    assert.deepEqual(store.spanOf(block), { block, byteOffset, size });
    byteOffset += size;
  }
}

function checkBlocks(store: FeedStore, feed: StoredFeed): void {
  const present = blocksIn(feed.present);
  assert.deepEqual(store.audit(), { valid: present.length, invalid: [] });
  for (const block of present) {
    const bytes = store.readBlock(block);
    assert.ok(bytes);
    assert.deepEqual(store.readVerified(block), bytes);
    assert.deepEqual(store.node(2 * block)?.hash, leafHash(bytes));
    const expected = feed.knownBlocks.get(block);
    if (expected !== undefined) assert.equal(toHex(bytes), expected);
    const size = feed.blockSizes?.[block];
    if (size !== undefined && size !== null) assert.equal(bytes.length, size);
  }
}

/** The lengths that have a signature: where the batches ended that the owner appended. */
function signedLengths(store: FeedStore): number[] {
  const lengths = Array.from({ length: store.length }, (_, at) => at + 1);
  return lengths.filter((length) => store.signature(length) !== undefined);
}

/** The bytes where a block should be, if they are right, held or not. */
function bytesAt(feed: StoredFeed, store: FeedStore, block: number): Uint8Array | undefined {
  const { byteOffset, size } = store.spanOf(block);
  const bytes = feed.file("data")?.subarray(byteOffset, byteOffset + size);
  const matches = bytes?.length === size &&
    equalBytes(leafHash(bytes), store.node(2 * block)!.hash);
  return matches ? bytes : undefined;
}

/** Do again what the owner did: append batches, then clear. */
function appendAll(feed: StoredFeed, from: FeedStore, into: FeedStore): void {
  let first = 0;
  for (const length of signedLengths(from)) {
    const blocks = Array.from({ length: length - first }, (_, at) => first + at);
    const bytes = blocks.map((block) => bytesAt(feed, from, block));
    if (bytes.every((found) => found !== undefined)) into.append(bytes);
    else into.appendLeaves(blocks.map((block) => from.node(2 * block)!));
    first = length;
  }
  const end = from.length;
  for (let start = from.nextMissing(0, end); start !== -1;) {
    const next = from.nextHeld(start, end);
    into.clear({ start, end: next === -1 ? end : next });
    start = next === -1 ? -1 : from.nextMissing(next, end);
  }
}

/** Do again what a reader did: take all nodes and signatures, then the blocks. */
function putAll(feed: StoredFeed, from: FeedStore, into: FeedStore): void {
  const nodes: TreeNode[] = [];
  for (let index = 0; index < 2 * from.length; index++) {
    const node = from.node(index);
    if (node !== undefined) nodes.push(node);
  }
  for (const length of signedLengths(from)) {
    const signed: VerifiedBlock["signed"] = {
      length,
      byteLength: length === from.length ? from.byteLength : 0,
      signature: from.signature(length)!,
    };
    into.put({ block: 0, nodes: length === from.length ? nodes : [], signed });
  }
  for (const block of blocksIn(feed.present).reverse()) {
    const value = from.readBlock(block);
    if (value === undefined) into.markHeld(block); // it lies among the files of the archive
    else into.put({ block, nodes: [], value });
  }
}

for (const feed of allFeeds()) {
  for (const access of ["read", "write"] as const) {
    Deno.test(`FeedStore opens ${feed.name} as it was left, access ${access}`, () => {
      using temp = tempFolder();
      const files = filesOf(feed);
      for (const [name, bytes] of files) Deno.writeFileSync(temp.join(name), bytes);
      {
        using store = openIn(temp.path, { ...feed, access });
        assert.equal(store.writable, access === "write" && feed.secretKey !== undefined);
        checkContents(store, feed);
        // The blocks of most content feeds are the files of the archive.
        if (files.has("data")) checkBlocks(store, feed);
      }
      for (const [name, bytes] of files) {
        assertSameBytes(Deno.readFileSync(temp.join(name)), new Uint8Array(bytes), name);
      }
      assert.equal([...Deno.readDirSync(temp.path)].length, files.size);
    });
  }

  const verb = feed.secretKey === undefined ? "putting" : "appending";
  Deno.test(`FeedStore writes ${feed.name} again, byte for byte, by ${verb} its blocks`, () => {
    const original = filesOf(feed);
    const from = openOn(new MemoryDisk(original), { ...feed, access: "read" });
    const disk = new MemoryDisk();
    const into = openOn(disk, feed);
    if (feed.secretKey === undefined) putAll(feed, from, into);
    else appendAll(feed, from, into);
    into.close();
    const written = disk.state();
    for (const name of FILE_NAMES) {
      assert.deepEqual(written.get(name), original.get(name), `${name} file`);
    }
    checkContents(openOn(new MemoryDisk(written), { ...feed, access: "read" }), feed);
  });
}
