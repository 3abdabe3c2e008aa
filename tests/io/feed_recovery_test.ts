/** Feeds whose files were left in the middle of a commit, or damaged later. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../src/base/bytes.ts";
import { LocalProtocolError, StorageError } from "../../src/base/errors.ts";
import { fullRoots, rightSpan } from "../../src/core/feed/flat_tree.ts";
import type { FeedReader } from "../../src/core/feed/reader.ts";
import { leafHash } from "../../src/crypto/hash.ts";
import type { FeedStore } from "../../src/io/feed_store.ts";
import { indexOf, pagesOf, storedIndexOf } from "../support/bitfield_index.ts";
import { type DiskState, MemoryDisk } from "../support/memory_access.ts";
import { MemoryFeed } from "../support/memory_feed.ts";
import { fetchBlock, openOn, openOwn, TEST_KEYS } from "../support/open_feed.ts";
import { StagingBlocks } from "../support/staging_blocks.ts";

/** Shares of the next write that are on disk when the program stops. */
const TORN = [0, 0.3, 0.5, 0.9];
const EMPTY = new Uint8Array(0);
const EMPTY_LEAF = { hash: leafHash(EMPTY), size: 0 };

/** Block number `block` of the feeds made here: 0 to 6 bytes. */
function blockOf(block: number): Uint8Array {
  return new Uint8Array(block % 7).fill(block);
}

function blocksOf(start: number, end: number): Uint8Array[] {
  return Array.from({ length: end - start }, (_, at) => blockOf(start + at));
}

/** Every state that a disk went through after its first `from` changes, torn writes included. */
function* statesOf(
  disk: MemoryDisk,
  from: number,
  shares = TORN,
): Generator<[name: string, DiskState, changes: number]> {
  for (let changes = from; changes <= disk.changes; changes++) {
    for (const torn of shares) {
      yield [
        `${changes} writes and ${torn} of the next`,
        disk.stateAfter(changes, torn),
        changes,
      ];
    }
  }
}

/** Everything that has to be true of a feed in any state. */
function checkFeed(feed: FeedStore, name: string): void {
  assert.deepEqual(feed.audit().invalid, [], name);
  const held = Array.from({ length: feed.length }, (_, b) => b).filter((b) => feed.hasBlock(b));
  assert.equal(feed.countHeld(0, feed.length), held.length, name);
  assert.equal(feed.nextHeld(feed.length, feed.length + 20_000), -1, name);
  for (const block of held) {
    assert.ok(feed.hasNode(2 * block), `${name}: leaf of block ${block}`);
    assert.deepEqual(feed.readBlock(block), blockOf(block), name);
  }
  for (let index = 0; index < 2 * feed.length; index++) {
    if (feed.hasNode(index)) assert.ok(feed.node(index), `${name}: node ${index}`);
  }
}

function checkIndex(disk: MemoryDisk, name: string): void {
  const bitfield = disk.open("bitfield").bytes();
  assert.deepEqual(storedIndexOf(bitfield), indexOf(pagesOf(bitfield)), name);
}

/** Whatever was lost is appended again; then the feed must be what it would have been. */
function checkOwnFeedGoesOn(state: DiskState, length: number, name: string): void {
  const disk = new MemoryDisk(state);
  const feed = openOwn(disk);
  assert.notEqual(feed.recovery.kind, "back", name);
  assert.ok(feed.length <= length, name);
  // A feed of our own has no holes: nobody else could fill them.
  assert.equal(feed.countHeld(0, feed.length), feed.length, name);
  checkFeed(feed, name);
  feed.append(blocksOf(feed.length, length + 3));
  feed.close();
  const again = openOwn(new MemoryDisk(disk.state()));
  assert.equal(again.length, length + 3, name);
  assert.equal(again.countHeld(0, again.length), again.length, name);
  checkFeed(again, name);
  checkIndex(disk, name);
}

Deno.test("a feed of our own opens and goes on after stopping at any write of its commits", () => {
  const batches = fc.array(
    fc.record({ blocks: fc.integer({ min: 1, max: 9 }), commit: fc.boolean() }),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(
    fc.property(batches, (batches) => {
      const disk = new MemoryDisk();
      const feed = openOwn(disk);
      for (const { blocks, commit } of batches) {
        feed.append(blocksOf(feed.length, feed.length + blocks));
        if (commit) feed.commit();
      }
      feed.close();
      for (const [name, state] of statesOf(disk, 0)) checkOwnFeedGoesOn(state, feed.length, name);
    }),
    { seed: 1, numRuns: 15 },
  );
});

Deno.test("a feed of our own loses no block that a durable commit wrote", () => {
  const disk = new MemoryDisk();
  const feed = openOwn(disk);
  feed.append(blocksOf(0, 5));
  feed.commit({ durable: true });
  const kept = disk.changes;
  feed.append(blocksOf(5, 9));
  feed.commit({ durable: true });
  for (const [name, state] of statesOf(disk, kept)) {
    const again = openOwn(new MemoryDisk(state));
    assert.ok(again.length === 5 || again.length === 9, name);
  }
});

/** Empty blocks up to `length`, written in one go. */
function emptyFeed(length: number): DiskState {
  const disk = new MemoryDisk();
  const feed = openOwn(disk);
  feed.appendLeaves(Array(length).fill(EMPTY_LEAF));
  feed.close();
  return disk.state();
}

// Lengths around those where a commit touches many pages and the node that decides on the length
// lies in an early one: node 16383 is the last of page 0, node 32767 the last of page 1.
for (const [from, to] of [[8180, 8200], [16370, 16384], [16370, 16400], [32760, 32768]]) {
  for (const batch of [1, to - from]) {
    Deno.test(`a feed of our own grows from ${from} to ${to} blocks by ${batch}, stopping anywhere`, () => {
      const start = emptyFeed(from);
      const disk = new MemoryDisk(start);
      const feed = openOwn(disk);
      for (let block = from; block < to; block += batch) {
        feed.appendLeaves(Array(batch).fill(EMPTY_LEAF));
      }
      feed.close();
      for (const [name, state] of statesOf(disk, 0)) {
        const again = openOwn(new MemoryDisk(state));
        assert.notEqual(again.recovery.kind, "back", name);
        assert.ok(again.length === from || (again.length > from && again.length <= to), name);
        assert.equal(again.countHeld(0, again.length), again.length, name);
        for (const root of again.roots) assert.ok(again.hasNode(root.index), name);
        assert.equal(again.hasNode(2 * again.length), false, name);
      }
      checkIndex(disk, "at the end");
    });
  }
}

Deno.test("a feed of our own grows over several pages in one batch, stopping at their bits", () => {
  const disk = new MemoryDisk(emptyFeed(8180));
  const feed = openOwn(disk);
  const length = 3 * 8192;
  feed.appendLeaves(Array(length - 8180).fill(EMPTY_LEAF));
  feed.close();
  const nodes = Array.from({ length: 2 * length - 1 }, (_, index) => index);
  const roots = new Set(fullRoots(length));
  const complete = nodes.filter((index) => roots.has(index) || rightSpan(index) < 2 * length);
  for (const [name, state] of statesOf(disk, disk.changes - 3, [0, 0.5])) {
    const again = openOwn(new MemoryDisk(state));
    assert.equal(again.length, length, name);
    assert.equal(again.countHeld(0, length), length, name);
    assert.equal(complete.find((index) => !again.hasNode(index)), undefined, name);
  }
});

/** Take blocks from a full feed in this order, committing after each of `every`. */
function download(
  from: FeedReader,
  to: FeedStore,
  order: readonly number[],
  options: { every?: number; committed?: () => void } = {},
): void {
  const { every = 1, committed = () => {} } = options;
  for (const [at, block] of order.entries()) {
    if (!to.hasBlock(block)) to.put(fetchBlock(from, to, { block, value: blockOf(block) }));
    if (at % every < every - 1 && at < order.length - 1) continue;
    to.commit();
    committed();
  }
}

/** Notes down which blocks were committed by when, to tell what may not be lost. */
class Commits {
  readonly #disk: MemoryDisk;
  readonly #commits: { readonly changes: number; readonly held: readonly number[] }[] = [];

  constructor(disk: MemoryDisk) {
    this.#disk = disk;
  }

  add(feed: FeedStore): void {
    const all = Array.from({ length: feed.length }, (_, block) => block);
    this.#commits.push({
      changes: this.#disk.changes,
      held: all.filter((block) => feed.hasBlock(block)),
    });
  }

  /** The feed as it was found after so many changes has everything committed before. */
  check(feed: FeedStore, changes: number, name: string): void {
    const held = this.#commits.findLast((commit) => commit.changes <= changes)?.held ?? [];
    assert.deepEqual(held.filter((block) => !feed.hasBlock(block)), [], `${name}: lost`);
  }
}

Deno.test("a copy opens and goes on after stopping at any write of its commits", () => {
  const scenario = fc.integer({ min: 1, max: 40 }).chain((length) =>
    fc.record({
      owner: fc.constant(length).map((n) => MemoryFeed.owned().append(...blocksOf(0, n))),
      order: fc.shuffledSubarray(Array.from({ length }, (_, block) => block), { minLength: 1 }),
      every: fc.integer({ min: 1, max: 5 }),
      grow: fc.integer({ min: 0, max: 10 }),
    })
  );
  fc.assert(
    fc.property(scenario, ({ owner, order, every, grow }) => {
      const disk = new MemoryDisk();
      const feed = openOn(disk);
      const commits = new Commits(disk);
      const committed = () => commits.add(feed);
      download(owner, feed, order, { every, committed });
      if (grow > 0) {
        const length = owner.length;
        owner.append(...blocksOf(length, length + grow));
        download(owner, feed, [length + grow - 1, length], { committed });
      }
      feed.close();
      const all = Array.from({ length: owner.length }, (_, block) => block);
      for (const [name, state, changes] of statesOf(disk, 0)) {
        const again = new MemoryDisk(state);
        const copy = openOn(again);
        assert.ok(copy.length <= owner.length, name);
        checkFeed(copy, name);
        commits.check(copy, changes, name);
        download(owner, copy, all, { every: 7 });
        assert.equal(copy.length, owner.length, name);
        assert.deepEqual(copy.audit(), { valid: owner.length, invalid: [] }, name);
        copy.close();
        checkIndex(again, name);
      }
    }),
    { seed: 2, numRuns: 12 },
  );
});

Deno.test("a copy whose blocks are staged first opens and goes on after stopping at any write", () => {
  const owner = MemoryFeed.owned().append(...blocksOf(0, 14));
  const disk = new MemoryDisk();
  const open = (on: MemoryDisk): FeedStore => {
    const blocks = new StagingBlocks(on);
    const feed = openOn(on, { blocks, staged: true });
    blocks.feed = feed;
    return feed;
  };
  const order = [1, 0, 5, 2, 3, 13, 12, 7, 6, 4, 8];
  const feed = open(disk);
  const commits = new Commits(disk);
  download(owner, feed, order, { every: 2, committed: () => commits.add(feed) });
  const all = Array.from({ length: 14 }, (_, block) => block);
  for (const [name, state, changes] of statesOf(disk, 0)) {
    const again = new MemoryDisk(state);
    const copy = open(again);
    checkFeed(copy, name);
    commits.check(copy, changes, name);
    for (const block of all) assert.ok(!(copy.hasFinal(block) && copy.hasStaged(block)), name);
    // Other programs trust the final bits, and find the bytes in the final place.
    const others = openOn(new MemoryDisk(state), { access: "read" });
    assert.deepEqual(others.audit().invalid, [], name);
    download(owner, copy, all, { every: 3 });
    assert.deepEqual(copy.audit(), { valid: 14, invalid: [] }, name);
    const finished = openOn(new MemoryDisk(again.state()), { access: "read" });
    assert.deepEqual(finished.audit(), { valid: 14, invalid: [] }, name);
  }
});

/** The files of a feed of our own with 13 blocks, in batches of 5, 4 and 4. */
function ownFiles(): Map<string, Uint8Array> {
  const disk = new MemoryDisk();
  const feed = openOwn(disk);
  for (const [start, end] of [[0, 5], [5, 9], [9, 13]]) feed.append(blocksOf(start, end));
  feed.close();
  return new Map(disk.state());
}

/** The same with some file changed. */
function damaged(
  name: string,
  change: (bytes: Uint8Array) => Uint8Array,
): MemoryDisk {
  const files = ownFiles();
  files.set(name, change(files.get(name)!));
  return new MemoryDisk(files);
}

const LOST_BITS: readonly (readonly [string, (bytes: Uint8Array) => Uint8Array])[] = [
  ["missing", () => EMPTY],
  ["only a header", (bytes) => bytes.subarray(0, 32)],
  ["shorter than a page", (bytes) => bytes.subarray(0, 2000)],
  ["blank", (bytes) => concat([bytes.subarray(0, 32), new Uint8Array(bytes.length - 32)])],
];
for (const [what, change] of LOST_BITS) {
  for (const open of [openOwn, openOn]) {
    const whose = open === openOwn ? "a feed of our own" : "a copy";
    Deno.test(`${whose} is rebuilt from tree, signatures and data when its bitfield is ${what}`, () => {
      const disk = damaged("bitfield", change);
      const feed = open(disk);
      assert.deepEqual(feed.recovery, { kind: "forward", from: 0, to: 13 });
      assert.equal(feed.length, 13);
      assert.deepEqual(feed.audit(), { valid: 13, invalid: [] });
      feed.close();
      assert.deepEqual(disk.state().get("bitfield"), ownFiles().get("bitfield"));
    });
  }
}

Deno.test("a rebuilt feed does not count blocks whose bytes are gone or changed", () => {
  const files = ownFiles();
  files.set("bitfield", EMPTY);
  const data = files.get("data")!;
  data[3] ^= 1; // blocks 0 to 3 have 0, 1, 2 and 3 bytes
  files.set("data", data.subarray(0, data.length - 1));
  const feed = openOwn(new MemoryDisk(files));
  assert.equal(feed.length, 13);
  assert.deepEqual([2, 3, 4, 12].map((block) => feed.hasBlock(block)), [true, false, true, false]);
  assert.equal(feed.countHeld(0, 13), 11);
});

Deno.test("a rebuilt feed does not trust nodes that do not add up to a signed root", () => {
  const files = ownFiles();
  files.set("bitfield", EMPTY);
  files.get("tree")![32 + 40 * 8] ^= 1; // the leaf of block 4; its sibling is that of block 5
  const feed = openOwn(new MemoryDisk(files));
  assert.equal(feed.length, 13);
  assert.deepEqual([3, 4, 5, 6].map((block) => feed.hasBlock(block)), [true, false, false, true]);
  assert.deepEqual([7, 9, 8, 10].map((node) => feed.hasNode(node)), [true, true, false, false]);
});

Deno.test("a sparse copy is rebuilt from what it had when its bitfield is gone", () => {
  const owner = MemoryFeed.owned().append(...blocksOf(0, 100));
  const disk = new MemoryDisk();
  const feed = openOn(disk);
  download(owner, feed, [50, 3, 96, 51]);
  const state = new Map(disk.state());
  const before = state.get("bitfield");
  state.set("bitfield", EMPTY);
  const again = new MemoryDisk(state);
  const copy = openOn(again);
  assert.equal(copy.length, 100);
  assert.equal(copy.countHeld(0, 100), 4);
  checkFeed(copy, "rebuilt");
  copy.close();
  assert.deepEqual(again.state().get("bitfield"), before);
});

Deno.test("a feed of our own never starts over when nothing of it is proven", () => {
  const files = ownFiles();
  files.set("bitfield", EMPTY);
  files.set("tree", files.get("tree")!.subarray(0, 32));
  for (const open of [openOwn, openOn]) {
    const disk = new MemoryDisk(files);
    if (open === openOn) {
      // A copy can be had again; there is nothing to lose but the bits, which are gone.
      assert.equal(open(disk).length, 0);
      continue;
    }
    assert.throws(() => open(disk), (error) => {
      assert.ok(error instanceof StorageError);
      assert.match(error.message, /"tree": it held 13 blocks and no signature proves any/);
      assert.ok(error.hint);
      return true;
    });
    assert.deepEqual(disk.state().get("signatures"), files.get("signatures"));
  }
});

for (
  const [what, name, size, to] of [
    ["its tree is cut short", "tree", 32 + 40 * 20, 9],
    ["its newest signature is missing", "signatures", 32 + 64 * 12, 9],
    ["signatures from the middle on are missing", "signatures", 32 + 64 * 8, 5],
  ] as const
) {
  Deno.test(`a feed of our own keeps what is proven and takes no changes when ${what}`, () => {
    const disk = damaged(name, (bytes) => bytes.subarray(0, size));
    const before = disk.state();
    const feed = openOwn(disk);
    assert.deepEqual(feed.recovery, { kind: "back", from: 13, to });
    assert.equal(feed.length, to);
    assert.deepEqual(feed.audit(), { valid: to, invalid: [] });
    assert.equal(feed.hasBlock(to), false);
    assert.equal(feed.hasNode(2 * to), false);
    assert.throws(() => feed.append([blockOf(to)]), StorageError);
    assert.throws(() => feed.appendLeaves([EMPTY_LEAF]), StorageError);
    assert.throws(() => feed.clear({ start: 0, end: 1 }), StorageError);
    assert.throws(() => feed.put({ block: 0, nodes: [] }), StorageError);
    feed.close();
    // So the next opening comes to the same result.
    assert.deepEqual(disk.state(), before);
    assert.equal(openOwn(disk).recovery.kind, "back");
  });

  Deno.test(`a feed of our own goes on from what is proven, once told to, when ${what}`, () => {
    const disk = damaged(name, (bytes) => bytes.subarray(0, size));
    const feed = openOwn(disk);
    feed.acceptRollback();
    feed.append(blocksOf(to, 11));
    feed.close();
    const again = openOwn(new MemoryDisk(disk.state()));
    assert.deepEqual(again.recovery, { kind: "none" });
    assert.equal(again.length, Math.max(to, 11));
    checkFeed(again, what);
    checkIndex(disk, what);
  });

  Deno.test(`a feed of our own stays what is proven, once told to, when ${what}`, () => {
    const disk = damaged(name, (bytes) => bytes.subarray(0, size));
    const feed = openOwn(disk);
    feed.acceptRollback();
    feed.close();
    const again = openOwn(disk);
    assert.deepEqual(again.recovery, { kind: "none" });
    assert.equal(again.length, to);
    assert.equal(disk.open("signatures").size(), 32 + 64 * to);
    checkIndex(disk, what);
  });

  Deno.test(`a copy goes on from what is proven when ${what}`, () => {
    const disk = damaged(name, (bytes) => bytes.subarray(0, size));
    const feed = openOn(disk);
    assert.deepEqual(feed.recovery, { kind: "back", from: 13, to });
    checkFeed(feed, what);
    download(MemoryFeed.owned().append(...blocksOf(0, 13)), feed, [12, 11, 10, 9, 8, 7, 6, 5]);
    assert.equal(feed.length, 13);
    assert.deepEqual(openOn(new MemoryDisk(disk.state())).audit(), { valid: 13, invalid: [] });
  });
}

Deno.test("a feed of our own takes no changes when something was signed that is gone", () => {
  // The bits agree with 9 blocks, but there is a signature for 13 and no nodes for it.
  const short = new MemoryDisk();
  const feed = openOwn(short);
  for (const [start, end] of [[0, 5], [5, 9]]) feed.append(blocksOf(start, end));
  feed.close();
  const files = new Map(short.state());
  files.set("signatures", ownFiles().get("signatures")!);
  const disk = new MemoryDisk(files);
  const again = openOwn(disk);
  assert.deepEqual(again.recovery, { kind: "back", from: 13, to: 9 });
  assert.throws(() => again.append([EMPTY]), StorageError);
  again.acceptRollback();
  again.append([EMPTY]);
  again.close();
  assert.deepEqual(openOwn(new MemoryDisk(disk.state())).recovery, { kind: "none" });
});

Deno.test("a feed of our own forgets a signature that was cut off", () => {
  const files = ownFiles();
  const whole = openOwn(new MemoryDisk(files));
  const disk = new MemoryDisk(files);
  const feed = openOwn(disk);
  feed.append(blocksOf(13, 20));
  feed.close();
  // Data and tree of the last batch are there, half of its signature, and none of its bits.
  const state = new Map(disk.state());
  const signatures = state.get("signatures")!;
  signatures.fill(0, signatures.length - 32);
  state.set("bitfield", files.get("bitfield")!);
  const again = new MemoryDisk(state);
  assert.equal(openOwn(again).length, whole.length);
  assert.equal(again.open("signatures").size(), files.get("signatures")!.length);
});

Deno.test("a feed opened for reading trusts its bits and changes nothing", () => {
  const disk = damaged("bitfield", () => EMPTY);
  assert.equal(openOwn(disk, { access: "read" }).length, 0);
  const newer = damaged("signatures", (bytes) => bytes.subarray(0, 32 + 64 * 8));
  const feed = openOwn(newer, { access: "read" });
  assert.equal(feed.length, 13);
  assert.deepEqual(feed.recovery, { kind: "none" });
  feed.close();
  assert.equal(disk.changes + newer.changes, 0);
  const cut = damaged("tree", (bytes) => bytes.subarray(0, 32 + 40 * 20));
  assert.throws(() => openOwn(cut, { access: "read" }), StorageError);
});

Deno.test("a feed of another key is not taken for ours", () => {
  const other = new Uint8Array(TEST_KEYS.publicKey);
  other[0] ^= 1;
  assert.throws(() => openOn(new MemoryDisk(ownFiles()), { publicKey: other }), StorageError);
});

Deno.test("a feed with bits of blocks whose leaves are not held counts them as missing", () => {
  const disk = damaged("bitfield", (bytes) => {
    bytes[32] = 0xff;
    bytes[33] = 0xff; // 13 blocks, of which bit 13 to 15 were never there
    return bytes;
  });
  const feed = openOn(disk);
  assert.equal(feed.countHeld(0, 16), 13);
  assert.throws(() => feed.markHeld(13), LocalProtocolError);
});
