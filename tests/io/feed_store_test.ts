import assert from "node:assert/strict";
import { toUtf8 } from "../../src/base/bytes.ts";
import { LocalProtocolError, StorageError, UsageError } from "../../src/base/errors.ts";
import { encodeHeader } from "../../src/core/sleep/header.ts";
import { leafHash, rootHash } from "../../src/crypto/hash.ts";
import { keyPair, sign } from "../../src/crypto/sign.ts";
import { MAX_BLOCK_BYTES } from "../../src/io/feed_store.ts";
import { pagesOf } from "../support/bitfield_index.ts";
import { MemoryDisk } from "../support/memory_access.ts";
import { MemoryFeed } from "../support/memory_feed.ts";
import { fetchBlock, openIn, openOn, openOwn, TEST_KEYS } from "../support/open_feed.ts";
import { GROUP_BLOCKS, StagingBlocks } from "../support/staging_blocks.ts";
import { blocksIn, sleepFeeds } from "../support/stored_feeds.ts";
import { tempFolder } from "../support/temp.ts";

const LETTERS = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff"].map(toUtf8);

/** Somebody else's feed of six blocks, under one signature. */
function letters(): MemoryFeed {
  return MemoryFeed.owned().append(...LETTERS);
}

Deno.test("FeedStore begins an empty feed with headers alone", () => {
  using temp = tempFolder();
  {
    using feed = openIn(temp.path);
    assert.equal(feed.length, 0);
    assert.equal(feed.byteLength, 0);
    assert.deepEqual(feed.roots, []);
    assert.equal(feed.hasBlock(0), false);
    assert.equal(feed.nextMissing(0, 5), 0);
    assert.equal(feed.signature(0), undefined);
    assert.equal(feed.readBlock(0), undefined);
  }
  const sizes = [...Deno.readDirSync(temp.path)].map(({ name }) => [
    name,
    Deno.statSync(temp.join(name)).size,
  ]).sort();
  assert.deepEqual(sizes, [["bitfield", 32], ["signatures", 32], ["tree", 32]]);
});

Deno.test("FeedStore makes no files when it only reads", () => {
  using temp = tempFolder();
  {
    using feed = openIn(temp.path, { access: "read" });
    assert.equal(feed.length, 0);
  }
  assert.deepEqual([...Deno.readDirSync(temp.path)], []);
});

Deno.test("FeedStore replaces a header that was cut off", () => {
  const disk = new MemoryDisk(new Map([["tree", encodeHeader("tree").subarray(0, 10)]]));
  openOwn(disk).close();
  assert.deepEqual(disk.state().get("tree"), encodeHeader("tree"));
});

Deno.test("FeedStore refuses files of another kind", () => {
  for (const name of ["tree", "signatures", "bitfield"]) {
    const disk = new MemoryDisk(new Map([[name, new Uint8Array(100).fill(7)]]));
    for (const access of ["read", "write"] as const) {
      assert.throws(() => openOn(disk, { access }), StorageError);
    }
    assert.deepEqual(disk.state().get(name), new Uint8Array(100).fill(7));
  }
});

Deno.test("FeedStore lets go of its files when it cannot open them", () => {
  using temp = tempFolder();
  Deno.writeFileSync(temp.join("bitfield"), new Uint8Array(100).fill(7));
  assert.throws(() => openIn(temp.path), StorageError); // the test fails if a handle is left
  assert.deepEqual([...Deno.readDirSync(temp.path)].map(({ name }) => name).sort(), [
    "bitfield",
    "signatures",
    "tree",
  ]);
});

Deno.test("FeedStore.commit() makes blocks that were settled durable as well", () => {
  const disk = new MemoryDisk();
  const blocks = new StagingBlocks(disk);
  const feed = openOn(disk, { blocks, staged: true });
  blocks.feed = feed;
  const owner = letters();
  for (const block of [0, 1, 2, 3]) {
    feed.put(fetchBlock(owner, feed, { block, value: LETTERS[block] }));
  }
  feed.commit({ durable: true });
  assert.equal(feed.hasFinal(3), true);
  const syncs = Object.fromEntries(disk.syncs);
  assert.ok(syncs.data > 0 && syncs.bitfield > 0 && syncs.staged > 0);
  feed.commit({ durable: true });
  assert.deepEqual(Object.fromEntries(disk.syncs), syncs);
});

Deno.test("FeedStore refuses keys that do not belong together", () => {
  const other = keyPair(new Uint8Array(32).fill(2));
  const open = (options: { publicKey?: Uint8Array; secretKey?: Uint8Array }) => () =>
    openOn(new MemoryDisk(), options);
  assert.throws(open({ secretKey: other.secretKey }), UsageError);
  assert.throws(open({ secretKey: TEST_KEYS.secretKey.subarray(0, 32) }), UsageError);
  assert.throws(open({ publicKey: TEST_KEYS.publicKey.subarray(1) }), UsageError);
});

Deno.test("FeedStore.append() is visible at once and on disk after commit()", () => {
  const disk = new MemoryDisk();
  const feed = openOwn(disk);
  const before = disk.changes;
  feed.append(LETTERS.slice(0, 2));
  feed.append([]);
  feed.append(LETTERS.slice(2));
  assert.equal(disk.changes, before);
  assert.equal(feed.length, 6);
  assert.equal(feed.byteLength, 21);
  for (const [block, bytes] of LETTERS.entries()) {
    assert.deepEqual(feed.readBlock(block), bytes);
    assert.deepEqual(feed.readVerified(block), bytes);
  }
  assert.equal(openOn(new MemoryDisk(disk.state())).length, 0);

  feed.commit();
  const again = openOn(new MemoryDisk(disk.state()), { access: "read" });
  assert.equal(again.length, 6);
  assert.deepEqual(LETTERS.map((_, block) => again.readBlock(block)), LETTERS);
  assert.deepEqual(again.roots, feed.roots);
  // One signature for each batch that was not empty.
  const signed = [1, 2, 3, 4, 5, 6].filter((length) => again.signature(length) !== undefined);
  assert.deepEqual(signed, [2, 6]);
  assert.deepEqual(again.signature(6), sign(rootHash(feed.roots), TEST_KEYS.secretKey));
});

Deno.test("FeedStore.appendLeaves() writes everything but the bytes", () => {
  const [appended, indexed] = [new MemoryDisk(), new MemoryDisk()];
  const whole = openOwn(appended);
  whole.append(LETTERS);
  whole.close();
  const feed = openOwn(indexed);
  feed.appendLeaves(LETTERS.map((bytes) => ({ hash: leafHash(bytes), size: bytes.length })));
  feed.close();
  assert.equal(indexed.state().has("data"), false);
  for (const name of ["tree", "signatures", "bitfield"]) {
    assert.deepEqual(indexed.state().get(name), appended.state().get(name));
  }
});

Deno.test("FeedStore refuses to append without the key, or more than a message can carry", () => {
  assert.throws(() => openOn(new MemoryDisk()).append(LETTERS), LocalProtocolError);
  const feed = openOwn(new MemoryDisk());
  const tooMuch = new Uint8Array(MAX_BLOCK_BYTES + 1);
  assert.throws(() => feed.append([tooMuch]), LocalProtocolError);
  assert.equal(feed.length, 0);
  const reader = openOwn(new MemoryDisk(), { access: "read" });
  assert.equal(reader.writable, false);
  assert.throws(() => reader.append(LETTERS), LocalProtocolError);
});

Deno.test("FeedStore.put() leaves the bytes of the spec's worked example", () => {
  // Storage, section 12: blocks 2, 3 and 5, then clearing block 2.
  const disk = new MemoryDisk();
  const feed = openOn(disk);
  const owner = letters();
  const take = (block: number) => {
    feed.put(fetchBlock(owner, feed, { block, value: LETTERS[block] }));
    feed.commit();
    return pagesOf(disk.open("bitfield").bytes())[0];
  };
  let page = take(2);
  assert.equal(feed.length, 6);
  assert.equal(feed.byteLength, 21);
  assert.deepEqual([...page.subarray(0, 2)], [0x20, 0]);
  assert.deepEqual([...page.subarray(1024, 1027)], [0x5e, 0x40, 0]);
  assert.equal(disk.open("tree").size(), 432);
  assert.equal(disk.open("signatures").size(), 32 + 6 * 64);
  assert.deepEqual([...disk.open("data").bytes()], [0, 0, 0, 0x63, 0x63, 0x63]);

  page = take(3);
  assert.equal(page[0], 0x30);
  page = take(5);
  assert.deepEqual([page[0], page[1024], page[1025]], [0x34, 0x5e, 0xe0]);
  feed.clear({ start: 2, end: 3 });
  feed.commit();
  page = pagesOf(disk.open("bitfield").bytes())[0];
  assert.deepEqual([page[0], page[1024], page[1025]], [0x14, 0x5e, 0xe0]);
});

Deno.test("FeedStore.put() takes hashes without bytes, and the bytes later", () => {
  const feed = openOn(new MemoryDisk());
  feed.put(fetchBlock(letters(), feed, { block: 4 }));
  assert.equal(feed.hasNode(8), true);
  assert.equal(feed.hasBlock(4), false);
  assert.deepEqual(feed.spanOf(4), { block: 4, byteOffset: 10, size: 5 });
  assert.throws(() => feed.spanOf(0), StorageError);
  feed.put({ block: 4, nodes: [], value: LETTERS[4] });
  assert.deepEqual(feed.readBlock(4), LETTERS[4]);
});

Deno.test("FeedStore holds a parent of two held nodes only once it has the parent's bytes", () => {
  const owner = letters();
  const feed = openOn(new MemoryDisk());
  const [left, right, above] = [0, 2, 1].map((index) => owner.node(index)!);
  feed.put({ block: 0, nodes: [left, right] });
  assert.deepEqual([0, 2, 1].map((index) => feed.hasNode(index)), [true, true, false]);
  feed.put({ block: 0, nodes: [above, owner.node(5)!] });
  assert.deepEqual([1, 5, 3].map((index) => feed.hasNode(index)), [true, true, false]);
});

Deno.test("FeedStore.put() refuses bytes of another size than the leaf's", () => {
  const feed = openOn(new MemoryDisk());
  feed.put(fetchBlock(letters(), feed, { block: 4 }));
  assert.throws(
    () => feed.put({ block: 4, nodes: [], value: LETTERS[5] }),
    /Cannot store block 4: 6 bytes, its leaf says 5/,
  );
  assert.equal(feed.hasBlock(4), false);
});

Deno.test("FeedStore.put() refuses a length that no file has room for, and stays as it was", () => {
  const feed = openOn(new MemoryDisk());
  const signed = { length: 2 ** 50, byteLength: 1, signature: new Uint8Array(64).fill(1) };
  const node = { index: 2 ** 50 - 1, hash: new Uint8Array(32).fill(1), size: 1 };
  assert.throws(() => feed.put({ block: 0, nodes: [node], signed }), StorageError);
  assert.equal(feed.length, 0);
  assert.equal(feed.hasNode(node.index), false);
});

Deno.test("FeedStore places blocks right after the size of a leaf was put right", () => {
  // Blocks 2 and 3 are known by hash, with a byte moved from one to the other.
  const feed = openOn(new MemoryDisk());
  const owner = letters();
  feed.put(fetchBlock(owner, feed, { block: 2 }));
  const [third, fourth] = [owner.node(4)!, owner.node(6)!];
  feed.put({ block: 2, nodes: [{ ...third, size: 2 }, { ...fourth, size: 5 }] });
  assert.equal(feed.spanOf(2).size, 2);
  feed.put({ block: 2, nodes: [third, fourth], value: LETTERS[2] });
  feed.put({ block: 3, nodes: [], value: LETTERS[3] });
  assert.deepEqual(feed.spanOf(3), { block: 3, byteOffset: 6, size: 4 });
  assert.deepEqual(feed.audit(), { valid: 2, invalid: [] });
});

Deno.test("FeedStore.put() keeps the length when an older signature arrives", () => {
  const owner = MemoryFeed.owned().append(...LETTERS.slice(0, 3));
  const feed = openOn(new MemoryDisk());
  const early = fetchBlock(owner, feed, { block: 0, value: LETTERS[0] });
  owner.append(...LETTERS.slice(3));
  feed.put(fetchBlock(owner, feed, { block: 5, value: LETTERS[5] }));
  feed.put(early);
  assert.equal(feed.length, 6);
  assert.equal(feed.byteLength, 21);
  assert.deepEqual(feed.signature(3), owner.signature(3));
  assert.deepEqual(feed.readVerified(0), LETTERS[0]);
});

Deno.test("FeedStore.clear() of an empty range, or of what is not held, changes nothing", () => {
  const disk = new MemoryDisk();
  const feed = openOwn(disk);
  feed.append(LETTERS);
  feed.commit();
  const before = disk.changes;
  feed.clear({ start: 0, end: 0 });
  feed.clear({ start: 3, end: 3 });
  feed.clear({ start: 6, end: 100 });
  feed.commit();
  assert.equal(disk.changes, before);
  assert.equal(feed.countHeld(0, 6), 6);
});

Deno.test("FeedStore.clear() frees the end of the file, after the bits are on disk", () => {
  const disk = new MemoryDisk();
  const feed = openOwn(disk);
  feed.append(LETTERS);
  feed.commit();
  feed.clear({ start: 1, end: 3 });
  feed.clear({ start: 4, end: 6 });
  assert.equal(disk.open("data").size(), 21);
  feed.commit();
  assert.equal(disk.open("data").size(), 10);
  assert.equal(openOn(new MemoryDisk(disk.stateAfter(disk.changes - 1))).countHeld(0, 6), 2);
  assert.deepEqual([0, 1, 2, 3, 4, 5].map((block) => feed.hasBlock(block)), [
    true,
    false,
    false,
    true,
    false,
    false,
  ]);
  assert.equal(feed.hasNode(2), true);
  assert.deepEqual(feed.audit(), { valid: 2, invalid: [] });
});

Deno.test("FeedStore keeps the bytes of a block that came back before its clearing was written", () => {
  const disk = new MemoryDisk();
  const feed = openOwn(disk);
  feed.append(LETTERS);
  feed.commit();
  feed.clear({ start: 4, end: 6 });
  feed.put({ block: 5, nodes: [], value: LETTERS[5] });
  feed.commit();
  const again = openOn(new MemoryDisk(disk.state()));
  assert.deepEqual(again.readVerified(5), LETTERS[5]);
  assert.equal(again.hasBlock(4), false);
});

Deno.test("FeedStore.readVerified() gives up a block whose bytes changed, audit() only tells", () => {
  const disk = new MemoryDisk();
  const feed = openOwn(disk);
  feed.append(LETTERS);
  feed.commit();
  disk.open("data").write(toUtf8("X"), 4);
  disk.open("data").truncate(18);
  assert.deepEqual(feed.audit(), { valid: 4, invalid: [2, 5] });
  assert.equal(feed.countHeld(0, 6), 6);
  assert.deepEqual(feed.readVerified(1), LETTERS[1]);
  assert.equal(feed.readVerified(2), undefined);
  assert.equal(feed.hasBlock(2), false);
  assert.equal(feed.readBlock(5), undefined);
  assert.equal(feed.readVerified(5), undefined);
  feed.close();
  const again = openOn(new MemoryDisk(disk.state()));
  assert.equal(again.countHeld(0, 6), 4);
  assert.equal(again.nextMissing(0, 6), 2);
});

Deno.test("FeedStore opened for reading forgets a damaged block in memory only", () => {
  const disk = new MemoryDisk();
  const owner = openOwn(disk);
  owner.append(LETTERS);
  owner.close();
  disk.open("data").write(toUtf8("X"), 0);
  const before = disk.changes;
  const feed = openOn(disk, { access: "read" });
  assert.equal(feed.readVerified(0), undefined);
  assert.equal(feed.hasBlock(0), false);
  feed.close();
  assert.equal(disk.changes, before);
});

Deno.test("FeedStore.markHeld() takes blocks whose hash is known", () => {
  const feed = openOn(new MemoryDisk());
  feed.put(fetchBlock(letters(), feed, { block: 1 }));
  feed.markHeld(1);
  assert.equal(feed.hasBlock(1), true);
  assert.throws(() => feed.markHeld(5), LocalProtocolError);
});

Deno.test("FeedStore.commit() writes bytes, nodes, signature and bits, in this order", () => {
  const disk = new MemoryDisk();
  const feed = openOwn(disk);
  const start = disk.changes;
  feed.append(LETTERS);
  feed.commit();
  const sizes = (after: number) => {
    const state = disk.stateAfter(start + after);
    return ["data", "tree", "signatures", "bitfield"].map((name) => state.get(name)?.length ?? 0);
  };
  assert.deepEqual(sizes(0), [0, 32, 32, 32]);
  assert.deepEqual(sizes(1), [21, 32, 32, 32]);
  assert.deepEqual(sizes(2), [21, 472, 32, 32]);
  assert.deepEqual(sizes(3), [21, 472, 416, 32]);
  assert.deepEqual(sizes(4), [21, 472, 416, 3616]);
  assert.equal(disk.changes, start + 4);
});

Deno.test("FeedStore.commit() reaches the disk only when asked to, and once", () => {
  const disk = new MemoryDisk();
  const feed = openOwn(disk);
  feed.append(LETTERS);
  feed.commit();
  assert.equal(disk.syncs.size, 0);
  feed.commit({ durable: true });
  assert.deepEqual(
    Object.fromEntries(disk.syncs),
    { data: 1, tree: 1, signatures: 1, bitfield: 1 },
  );
  feed.commit({ durable: true });
  assert.equal(disk.syncs.get("bitfield"), 1);
  feed.clear({ start: 0, end: 1 });
  feed.commit({ durable: true });
  assert.equal(disk.syncs.get("bitfield"), 2);
});

Deno.test("FeedStore.commit() can be tried again after the disk failed, at any write", () => {
  for (let failing = 0; failing < 5; failing++) {
    const disk = new MemoryDisk();
    const feed = openOwn(disk);
    feed.append(LETTERS);
    disk.failAfter(failing);
    if (failing < 4) assert.throws(() => feed.commit(), StorageError);
    else feed.commit();
    assert.deepEqual(feed.readBlock(3), LETTERS[3]);
    disk.failAfter(Infinity);
    feed.commit();
    const again = openOwn(new MemoryDisk(disk.state()));
    assert.deepEqual(again.audit(), { valid: 6, invalid: [] });
    assert.equal(again.length, 6);
  }
});

Deno.test("FeedStore treats staged and final blocks alike, and settles complete groups", () => {
  const disk = new MemoryDisk();
  const owner = letters();
  const blocks = new StagingBlocks(disk);
  const feed = openOn(disk, { blocks, staged: true });
  blocks.feed = feed;
  for (const block of [0, 2, 3, 5]) {
    feed.put(fetchBlock(owner, feed, { block, value: LETTERS[block] }));
  }
  feed.commit();
  assert.equal(feed.hasFinal(0), false);
  assert.equal(feed.hasStaged(0), true);
  assert.deepEqual([feed.nextMissing(0, 6), feed.nextMissing(2, 6), feed.nextHeld(1, 6)], [
    1,
    4,
    2,
  ]);
  assert.equal(feed.countHeld(0, 6), 4);
  assert.deepEqual(feed.readVerified(2), LETTERS[2]);
  // Other programs see none of them.
  assert.equal(openOn(new MemoryDisk(disk.state()), { access: "read" }).countHeld(0, 6), 0);

  feed.put(fetchBlock(owner, feed, { block: 1, value: LETTERS[1] }));
  feed.commit();
  assert.deepEqual([0, 1, 2, 3, 5].map((block) => feed.hasFinal(block)), [
    true,
    true,
    true,
    true,
    false,
  ]);
  assert.equal(feed.hasStaged(0), false);
  assert.equal(feed.countHeld(0, 6), 5);
  const others = openOn(new MemoryDisk(disk.state()), { access: "read" });
  assert.deepEqual(others.audit(), { valid: GROUP_BLOCKS, invalid: [] });
  feed.clear({ start: 4, end: 6 });
  assert.equal(feed.hasBlock(5), false);
});

Deno.test("FeedStore refuses to stage blocks without a file for their bits", () => {
  const disk = new MemoryDisk();
  const feed = openOn(disk, { blocks: new StagingBlocks(disk) });
  const verified = fetchBlock(letters(), feed, { block: 0, value: LETTERS[0] });
  assert.throws(() => feed.put(verified), LocalProtocolError);
});

/** The same bitfield as old versions wrote it: pages of 3328 bytes, with half of an index. */
function withOldPages(bitfield: Uint8Array): Uint8Array {
  const pages = pagesOf(bitfield).filter((page) => page.length === 3584);
  const old = new Uint8Array(32 + pages.length * 3328);
  old.set(bitfield.subarray(0, 32));
  old.set([3328 >> 8, 3328 & 0xff], 5);
  for (const [number, page] of pages.entries()) old.set(page.subarray(0, 3328), 32 + number * 3328);
  return old;
}

for (const stored of sleepFeeds().filter((feed) => feed.secretKey && feed.file("data"))) {
  Deno.test(`FeedStore opens and extends ${stored.name} with the pages of old versions`, () => {
    const disk = new MemoryDisk();
    for (const name of ["tree", "signatures", "data"] as const) {
      disk.open(name).fill(stored.file(name)!);
    }
    disk.open("bitfield").fill(withOldPages(stored.file("bitfield")!));
    const before = disk.state().get("bitfield")!;

    const feed = openOn(disk, stored);
    assert.equal(feed.length, stored.length);
    const present = blocksIn(stored.present);
    assert.deepEqual(feed.audit(), { valid: present.length, invalid: [] });
    assert.deepEqual(disk.state().get("bitfield"), before);

    const empty = { hash: leafHash(new Uint8Array(0)), size: 0 };
    feed.appendLeaves(Array(8200).fill(empty));
    feed.close();
    const bitfield = disk.state().get("bitfield")!;
    assert.deepEqual(bitfield.subarray(0, 32), before.subarray(0, 32));
    assert.equal((bitfield.length - 32) % 3328, 0);
    assert.equal(pagesOf(bitfield).length, Math.ceil((stored.length + 8200) / 8192));
    const again = openOn(new MemoryDisk(disk.state()), { ...stored, access: "read" });
    assert.equal(again.length, stored.length + 8200);
    assert.equal(again.countHeld(0, again.length), present.length + 8200);
    assert.deepEqual(again.readVerified(again.length - 1), new Uint8Array(0));
  });
}
