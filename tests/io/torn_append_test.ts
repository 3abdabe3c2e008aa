/** A disk that fails in the middle of an append: what comes to disk afterwards is whole. */
import assert from "node:assert/strict";
import { StorageError } from "../../src/base/errors.ts";
import { MemoryDisk } from "../support/memory_access.ts";
import { openOwn } from "../support/open_feed.ts";

const blocks = (count: number) => Array.from({ length: count }, (_, n) => Uint8Array.of(n, 7));

const CASES = [0, 1, 5].flatMap((before) => [1, 2].map((attempts) => ({ before, attempts })));

Deno.test("FeedStore.append() that fails at any read leaves a feed that opens, and goes on", () => {
  for (const { before, attempts } of CASES) {
    for (let reads = 0, failed = true; failed; reads++) {
      const disk = new MemoryDisk();
      openOwn(disk).close();
      {
        using feed = openOwn(disk);
        if (before > 0) feed.append(blocks(before));
      }
      failed = false;
      let length = before;
      {
        using feed = openOwn(disk);
        disk.failAtRead(reads);
        for (let attempt = 0; attempt < attempts; attempt++) {
          try {
            feed.append(blocks(3));
            length += 3;
          } catch (error) {
            assert.ok(error instanceof StorageError);
            failed = true;
          }
        }
        disk.failAtRead(-1);
      }
      using again = openOwn(disk);
      const name = `${before} blocks, read ${reads}`;
      assert.deepEqual([again.recovery.kind, again.length], ["none", length], name);
      assert.deepEqual(again.audit(), { valid: length, invalid: [] }, name);
    }
  }
});

Deno.test("FeedStore takes and writes nothing more after an append that was torn", () => {
  const disk = new MemoryDisk();
  const feed = openOwn(disk);
  feed.append(blocks(2));
  feed.commit();
  const whole = disk.state();
  // So far away that the nodes between do not fit into memory, and the disk takes none of them.
  disk.failAfter(0);
  const many = Array.from({ length: 110_000 }, () => ({ hash: new Uint8Array(32), size: 1 }));
  assert.throws(() => feed.appendLeaves(many), StorageError);
  disk.failAfter(Infinity);
  assert.throws(() => feed.append(blocks(1)), /failed halfway/);
  feed.close();
  for (const name of ["bitfield", "signatures"]) {
    assert.deepEqual(disk.state().get(name), whole.get(name), name);
  }
  using again = openOwn(disk);
  assert.equal(again.length, 2);
});
