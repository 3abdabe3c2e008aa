import assert from "node:assert/strict";
import fc from "fast-check";
import { StorageError } from "../../src/base/errors.ts";
import { encodeHeader } from "../../src/core/sleep/header.ts";
import { BitfieldFile } from "../../src/io/bitfield_file.ts";
import { indexOf, pagesOf, storedIndexOf } from "../support/bitfield_index.ts";
import { MemoryDisk } from "../support/memory_access.ts";

const OPTIONS = { pageBytes: 3584, ownTree: false };

function openOn(disk: MemoryDisk, options = OPTIONS): BitfieldFile {
  return new BitfieldFile(disk.open("bitfield"), options);
}

/** Blocks of up to twelve pages, close together and far apart. */
function block(): fc.Arbitrary<number> {
  return fc.oneof(fc.nat(100), fc.nat(12 * 8192 - 1));
}

Deno.test("BitfieldFile agrees with plain sets, and its index with the rule of the spec", () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant("block" as const), at: block(), value: fc.boolean() }),
    fc.record({ kind: fc.constant("run" as const), at: block(), count: fc.nat(20_000) }),
    fc.record({ kind: fc.constant("node" as const), at: block(), value: fc.boolean() }),
    fc.record({ kind: fc.constantFrom("flush" as const, "reopen" as const) }),
    fc.record({ kind: fc.constant("clearFrom" as const), at: block() }),
    fc.record({ kind: fc.constant("search" as const), at: block(), to: block() }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 25 }), (actions) => {
      const disk = new MemoryDisk();
      const options = { ...OPTIONS, maxPages: 2 };
      let bits = openOn(disk, options);
      const blocks = new Set<number>();
      const nodes = new Set<number>();
      for (const action of [...actions, { kind: "reopen" as const }]) {
        switch (action.kind) {
          case "block": {
            const changes = blocks.has(action.at) !== action.value;
            assert.equal(bits.setBlock(action.at, action.value), changes);
            if (action.value) blocks.add(action.at);
            else blocks.delete(action.at);
            break;
          }
          case "run":
            for (let at = action.at; at < action.at + action.count; at++) {
              bits.setBlock(at, true);
              blocks.add(at);
            }
            break;
          case "node":
            bits.setNode(action.at, action.value);
            if (action.value) nodes.add(action.at);
            else nodes.delete(action.at);
            break;
          case "clearFrom":
            bits.clearFrom(action.at);
            for (const at of blocks) if (at >= action.at) blocks.delete(at);
            for (const at of nodes) if (at >= 2 * action.at) nodes.delete(at);
            break;
          case "search": {
            const [from, to] = [Math.min(action.at, action.to), Math.max(action.at, action.to)];
            const within = Array.from({ length: to - from }, (_, i) => from + i);
            const held = within.filter((at) => blocks.has(at));
            assert.equal(bits.countBlocks(from, to), held.length);
            assert.equal(bits.nextBlock(from, to, true), held[0] ?? -1);
            const missing = within.find((at) => !blocks.has(at)) ?? -1;
            assert.equal(bits.nextBlock(from, to, false), missing);
            assert.equal(bits.hasBlock(from), blocks.has(from));
            break;
          }
          case "flush":
          case "reopen": {
            bits.flush();
            assert.equal(bits.dirty, false);
            const file = disk.open("bitfield").bytes();
            assert.deepEqual(storedIndexOf(file), indexOf(pagesOf(file)));
            if (action.kind === "reopen") bits = openOn(disk, options);
            break;
          }
        }
      }
      assert.equal(bits.countBlocks(0, bits.pageCount * 8192), blocks.size);
      for (const at of blocks) assert.equal(bits.hasBlock(at), true);
      for (const at of nodes) assert.equal(bits.hasNode(at), true);
    }),
    { seed: 1, numRuns: 100 },
  );
});

Deno.test("BitfieldFile has nothing to say about blocks and nodes beyond its last page", () => {
  const bits = openOn(new MemoryDisk());
  assert.equal(bits.hasBlock(2 ** 50), false);
  assert.equal(bits.hasNode(2 ** 50), false);
  assert.equal(bits.setBlock(2 ** 40, false), false);
  assert.equal(bits.nextBlock(5, 2 ** 52, true), -1);
  assert.equal(bits.nextBlock(5, 2 ** 52, false), 5);
  assert.equal(bits.countBlocks(0, 2 ** 52), 0);
  assert.equal(bits.pageCount, 0);
});

Deno.test("BitfieldFile writes nothing before flush(), and then only what changed", () => {
  const disk = new MemoryDisk();
  const bits = openOn(disk);
  for (let block = 0; block < 10 * 8192; block++) bits.setBlock(block, true);
  assert.equal(disk.changes, 0);
  bits.flush();
  const before = disk.changes;
  bits.setBlock(3, false);
  bits.flush();
  // Page 0 has the block; pages 1, 3 and 7 end with bytes that sum up page 0 and their neighbours.
  assert.equal(disk.changes, before + 4);
  bits.flush();
  assert.equal(disk.changes, before + 4);
});

Deno.test("BitfieldFile writes pages in order", () => {
  const disk = new MemoryDisk();
  const bits = openOn(disk);
  for (const page of [3, 0, 2, 1]) bits.setNode(16384 * page, true);
  bits.flush();
  for (let pages = 0; pages <= 4; pages++) {
    const before = disk.stateAfter(disk.changes - 4 + pages).get("bitfield")!;
    assert.equal(pagesOf(before).length, pages);
  }
});

Deno.test("BitfieldFile searches full and empty pages without reading them again", () => {
  const disk = new MemoryDisk();
  const pages = 1000;
  const file = new Uint8Array(32 + pages * 3584);
  file.set(encodeHeader("bitfield"));
  for (let page = 0; page < pages / 2; page++) {
    file.fill(0xff, 32 + page * 3584, 32 + page * 3584 + 1024);
  }
  disk.open("bitfield").fill(file);
  const bits = openOn(disk);
  const end = pages * 8192;
  assert.equal(bits.countBlocks(0, end), end / 2);
  const reads = disk.reads;
  assert.equal(reads, pages);
  assert.equal(bits.countBlocks(0, end), end / 2);
  assert.equal(bits.nextBlock(0, end, false), end / 2);
  assert.equal(bits.nextBlock(end / 2, end, true), -1);
  assert.equal(disk.reads, reads);
});

Deno.test("BitfieldFile corrects an index that hides missing blocks", () => {
  const disk = new MemoryDisk();
  const bits = openOn(disk);
  for (let block = 0; block < 40_000; block++) if (block % 9000 !== 0) bits.setBlock(block, true);
  bits.flush();
  const sound = disk.open("bitfield").bytes();
  const stale = sound.slice();
  for (const page of pagesOf(stale)) page.fill(0xff, 3072);
  disk.open("bitfield").fill(stale);
  const again = openOn(disk);
  again.setBlock(5, false);
  again.flush();
  again.setBlock(5, true);
  again.flush();
  assert.deepEqual(disk.open("bitfield").bytes(), sound);
});

Deno.test("BitfieldFile counts only blocks whose leaf is held, where the tree is its own", () => {
  const disk = new MemoryDisk();
  const bits = openOn(disk);
  for (const block of [0, 1, 9000]) bits.setBlock(block, true);
  bits.setNode(2, true);
  bits.flush();
  const own = openOn(disk, { ...OPTIONS, ownTree: true });
  assert.deepEqual([0, 1, 9000].map((block) => own.hasBlock(block)), [false, true, false]);
  assert.equal(own.countBlocks(0, 20_000), 1);
  own.flush();
  assert.equal(openOn(disk).countBlocks(0, 20_000), 1);
});

Deno.test("BitfieldFile.keepOnlyWaiting() keeps proven blocks that are not held elsewhere", () => {
  const staged = openOn(new MemoryDisk());
  const final = openOn(new MemoryDisk());
  for (const block of [1, 2, 3, 8200, 30_000]) staged.setBlock(block, true);
  for (const block of [1, 2, 8200]) final.setNode(2 * block, true);
  final.setBlock(2, true);
  staged.keepOnlyWaiting(final);
  assert.deepEqual(
    [1, 2, 3, 8200, 30_000].map((block) => staged.hasBlock(block)),
    [true, false, false, true, false],
  );
  assert.equal(staged.countBlocks(0, 40_000), 2);
});

Deno.test("BitfieldFile ignores a page that was only written in part", () => {
  const disk = new MemoryDisk();
  const bits = openOn(disk);
  bits.setBlock(0, true);
  bits.setBlock(8192, true);
  bits.flush();
  disk.open("bitfield").truncate(32 + 3584 + 2000);
  const again = openOn(disk);
  assert.equal(again.pageCount, 1);
  assert.equal(again.hasBlock(8192), false);
  again.setBlock(8193, true);
  assert.equal(again.hasBlock(8192), false);
  again.flush();
  assert.equal(openOn(disk).countBlocks(0, 20_000), 2);
});

Deno.test("BitfieldFile keeps changes that could not be written", () => {
  const disk = new MemoryDisk();
  const bits = openOn(disk);
  for (const block of [1, 9000, 17_000]) bits.setBlock(block, true);
  disk.failAfter(2);
  assert.throws(() => bits.flush(), StorageError);
  disk.failAfter(Infinity);
  bits.flush();
  const again = openOn(disk);
  assert.deepEqual([1, 9000, 17_000].map((block) => again.hasBlock(block)), [true, true, true]);
});

Deno.test("BitfieldFile leaves old pages their size and no index", () => {
  const disk = new MemoryDisk();
  const old = { pageBytes: 3328, ownTree: false };
  const file = new Uint8Array(32 + 3 * 3328).fill(0xff);
  file.set(encodeHeader("bitfield"));
  file.set([3328 >> 8, 3328 & 0xff], 5);
  disk.open("bitfield").fill(file);
  const bits = openOn(disk, old);
  assert.equal(bits.countBlocks(0, 100_000), 3 * 8192);
  bits.setBlock(100, false);
  bits.setBlock(4 * 8192, true);
  bits.flush();
  const pages = pagesOf(disk.open("bitfield").bytes());
  assert.equal(pages.length, 5);
  for (const page of pages) assert.ok(page.subarray(3072).every((byte) => byte === 0));
  const again = openOn(disk, old);
  assert.equal(again.countBlocks(0, 100_000), 3 * 8192);
  assert.equal(again.nextBlock(0, 100_000, false), 100);
  assert.equal(again.hasBlock(4 * 8192), true);
});
