/** Feeds against plain arrays, and a feed much larger than what it may take of memory. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { writeUint64BE } from "../../src/base/bytes.ts";
import { fullRoots } from "../../src/core/feed/flat_tree.ts";
import { encodeHeader } from "../../src/core/sleep/header.ts";
import { entryOffset } from "../../src/core/sleep/layout.ts";
import { rootHash } from "../../src/crypto/hash.ts";
import { sign } from "../../src/crypto/sign.ts";
import type { FeedStore } from "../../src/io/feed_store.ts";
import { indexOf, pagesOf, storedIndexOf } from "../support/bitfield_index.ts";
import { MemoryDisk } from "../support/memory_access.ts";
import { MemoryFeed } from "../support/memory_feed.ts";
import { fetchBlock, openIn, openOn, openOwn, TEST_KEYS } from "../support/open_feed.ts";
import { tempFolder } from "../support/temp.ts";

/** What a feed should hold: the bytes of each block, or undefined where they are not here. */
type Model = (Uint8Array | undefined)[];

function checkModel(feed: FeedStore, model: Model, byteLength: number): void {
  assert.equal(feed.length, model.length);
  assert.equal(feed.byteLength, byteLength);
  assert.equal(feed.countHeld(0, model.length + 10), model.filter((bytes) => bytes).length);
  for (const [block, bytes] of model.entries()) {
    assert.equal(feed.hasBlock(block), bytes !== undefined);
    assert.deepEqual(feed.readVerified(block), bytes);
  }
}

function checkSearch(feed: FeedStore, model: Model, from: number, to: number): void {
  const blocks = Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at);
  const held = blocks.filter((block) => model[block] !== undefined);
  assert.equal(feed.nextHeld(from, to), held[0] ?? -1);
  assert.equal(feed.nextMissing(from, to), blocks.find((block) => !held.includes(block)) ?? -1);
  assert.equal(feed.countHeld(from, to), held.length);
}

function checkIndex(disk: MemoryDisk): void {
  const bitfield = disk.open("bitfield").bytes();
  assert.deepEqual(storedIndexOf(bitfield), indexOf(pagesOf(bitfield)));
}

const blocks = fc.array(fc.uint8Array({ maxLength: 6 }), { minLength: 1, maxLength: 8 });
const range = fc.record({ start: fc.nat(60), end: fc.nat(60) });

Deno.test("a feed of our own agrees with an array through appends, clears and reopenings", () => {
  const action = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("append" as const), blocks }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("clear" as const), range }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("search" as const), range }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constantFrom("commit" as const, "reopen" as const) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("mark" as const), block: fc.nat(60) }) },
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
      const disk = new MemoryDisk();
      let feed = openOwn(disk);
      const model: Model = [];
      const bytes: Uint8Array[] = [];
      const byteLength = () => bytes.reduce((sum, { length }) => sum + length, 0);
      for (const action of [...actions, { kind: "reopen" as const }]) {
        switch (action.kind) {
          case "append":
            feed.append(action.blocks);
            model.push(...action.blocks);
            bytes.push(...action.blocks);
            break;
          case "clear":
            feed.clear(action.range);
            for (let block = action.range.start; block < action.range.end; block++) {
              if (block < model.length) model[block] = undefined;
            }
            break;
          case "mark":
            // As if the bytes had been put back where they belong.
            if (action.block < model.length) {
              feed.put({ block: action.block, nodes: [], value: bytes[action.block] });
              model[action.block] = bytes[action.block];
            }
            break;
          case "search":
            checkSearch(feed, model, action.range.start, action.range.end);
            break;
          case "commit":
            feed.commit();
            break;
          case "reopen":
            feed.close();
            checkIndex(disk);
            feed = openOwn(disk);
            assert.equal(feed.recovery.kind, "none");
            checkModel(feed, model, byteLength());
            break;
        }
      }
    }),
    { seed: 3, numRuns: 150 },
  );
});

Deno.test("a copy agrees with an array through blocks in any order, clears and reopenings", () => {
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("fetch" as const), block: fc.nat(60) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("hash" as const), block: fc.nat(60) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("grow" as const), blocks }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const), range }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("search" as const), range }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom("commit" as const, "reopen" as const, "stop" as const),
      }),
    },
  );
  fc.assert(
    fc.property(blocks, fc.array(action, { maxLength: 40 }), (first, actions) => {
      const owner = MemoryFeed.owned().append(...first);
      const disk = new MemoryDisk();
      let feed = openOn(disk);
      let model: Model = [];
      let byteLength = 0;
      let committed: { model: Model; byteLength: number } = { model: [], byteLength: 0 };
      const commit = () => {
        committed = { model: [...model], byteLength };
      };
      for (const action of [...actions, { kind: "reopen" as const }]) {
        switch (action.kind) {
          case "fetch":
          case "hash": {
            const block = action.block % owner.length;
            if (feed.hasBlock(block)) break;
            const value = action.kind === "fetch" ? owner.block(block) : undefined;
            const verified = fetchBlock(owner, feed, { block, value });
            feed.put(verified);
            if (verified.signed !== undefined && verified.signed.length > model.length) {
              while (model.length < verified.signed.length) model.push(undefined);
              byteLength = owner.byteLength;
            }
            model[block] = value;
            break;
          }
          case "grow":
            owner.append(...action.blocks);
            break;
          case "clear":
            feed.clear(action.range);
            for (let block = action.range.start; block < action.range.end; block++) {
              if (block < model.length) model[block] = undefined;
            }
            break;
          case "search":
            checkSearch(feed, model, action.range.start, action.range.end);
            break;
          case "commit":
            feed.commit();
            commit();
            break;
          case "reopen":
            feed.close();
            commit();
            checkIndex(disk);
            feed = openOn(disk);
            checkModel(feed, model, byteLength);
            break;
          case "stop":
            // The program ends here and takes along what it did not commit.
            feed = openOn(disk);
            ({ byteLength } = committed);
            model = [...committed.model];
            checkModel(feed, model, byteLength);
            break;
        }
        for (let index = 0; index < 2 * owner.length; index++) {
          if (feed.hasNode(index)) assert.deepEqual(feed.node(index), owner.node(index));
        }
      }
    }),
    { seed: 4, numRuns: 150 },
  );
});

Deno.test("a feed of a million blocks opens and is searched with little memory", () => {
  using temp = tempFolder();
  const length = 1_000_000;
  const pages = Math.ceil(length / 8192);
  // Everything is held, but for one block in every tenth page.
  const missing = Array.from({ length: 12 }, (_, at) => (10 * at + 3) * 8192 + 1000 + at);
  const bitfield = new Uint8Array(32 + 3584 * pages);
  bitfield.set(encodeHeader("bitfield"));
  for (let block = 0; block < length; block++) {
    const at = 32 + 3584 * Math.floor(block / 8192);
    const inside = block % 8192;
    bitfield[at + (inside >> 3)] |= 0x80 >> (inside & 7);
    bitfield[at + 1024 + (inside >> 2)] |= 0x80 >> (2 * inside & 7);
  }
  const setNode = (index: number) => {
    const at = 32 + 3584 * Math.floor(index / 16384) + 1024 + (index % 16384 >> 3);
    bitfield[at] |= 0x80 >> (index & 7);
  };
  fullRoots(length).forEach(setNode);
  for (const block of missing) {
    bitfield[32 + 3584 * Math.floor(block / 8192) + (block % 8192 >> 3)] &= ~(0x80 >> (block & 7));
  }
  Deno.writeFileSync(temp.join("bitfield"), bitfield);

  // Leaves of one byte, each its own; of the other nodes only the roots, for they are signed.
  const roots = fullRoots(length).map((index) => ({
    index,
    hash: new Uint8Array(32).fill(index % 251 + 1),
    size: index % 2 === 0 ? 1 : 2 ** (Math.log2(~index & (index + 1))),
  }));
  {
    using file = Deno.openSync(temp.join("tree"), { write: true, create: true });
    file.writeSync(encodeHeader("tree"));
    const chunk = new Uint8Array(40 * 20_000);
    for (let first = 0; first < 2 * length; first += 20_000) {
      chunk.fill(0);
      for (let at = 0; at < 20_000; at += 2) {
        chunk[40 * at] = 1;
        writeUint64BE(chunk, 40 * at + 32, 1);
      }
      file.writeSync(chunk);
    }
    for (const root of roots) {
      const slot = new Uint8Array(40);
      slot.set(root.hash);
      writeUint64BE(slot, 32, root.size);
      file.seekSync(entryOffset(root.index, 40), Deno.SeekMode.Start);
      file.writeSync(slot);
    }
  }
  {
    using file = Deno.openSync(temp.join("signatures"), { write: true, create: true });
    file.writeSync(encodeHeader("signatures"));
    file.seekSync(entryOffset(length - 1, 64), Deno.SeekMode.Start);
    file.writeSync(sign(rootHash(roots), TEST_KEYS.secretKey));
  }

  const before = Deno.memoryUsage().external;
  using feed = openIn(temp.path);
  assert.deepEqual(feed.recovery, { kind: "none" });
  assert.equal(feed.length, length);
  assert.equal(feed.byteLength, length);
  assert.equal(feed.countHeld(0, length), length - missing.length);
  const found: number[] = [];
  for (let at = feed.nextMissing(0, length); at !== -1; at = feed.nextMissing(at + 1, length)) {
    found.push(at);
  }
  assert.deepEqual(found, missing);
  for (let block = 0; block < length; block += 128) {
    assert.equal(feed.node(2 * block)?.size, 1); // each in another part of the tree file
  }
  // The tree file alone has 80 MB.
  const used = Deno.memoryUsage().external - before;
  assert.ok(used < 16 * 1024 * 1024, `${used} bytes`);
});
