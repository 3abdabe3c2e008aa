import assert from "node:assert/strict";
import { GuardedReader } from "../../src/app/guarded_reader.ts";
import { LocalProtocolError, StorageError } from "../../src/base/errors.ts";
import { MemoryFeed } from "../support/memory_feed.ts";
import { TEST_KEYS } from "../support/open_feed.ts";

function someFeed(): MemoryFeed {
  const feed = new MemoryFeed(TEST_KEYS.publicKey, TEST_KEYS.secretKey);
  feed.append(Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3));
  return feed;
}

Deno.test("a guarded feed is the feed, and holds nothing before it is ready", () => {
  let isReady = false;
  const failures: unknown[] = [];
  const feed = someFeed();
  const reader = new GuardedReader(feed, {
    owned: false,
    isReady: () => isReady,
    onFailure: (error) => failures.push(error),
  });
  assert.deepEqual([reader.hasBlock(0), reader.nextHeld(0, 3), reader.countHeld(0, 3)], [
    false,
    -1,
    0,
  ]);
  assert.deepEqual([reader.nextMissing(1, 3), reader.nextMissing(3, 3)], [1, -1]);
  isReady = true;
  assert.deepEqual([reader.hasBlock(0), reader.nextHeld(0, 3), reader.countHeld(0, 3)], [
    true,
    0,
    3,
  ]);
  assert.equal(reader.nextMissing(0, 3), -1);
  assert.deepEqual(reader.node(0), feed.node(0));
  assert.deepEqual(reader.signature(3), feed.signature(3));
  assert.deepEqual([reader.length, reader.byteLength], [3, 3]);
  assert.deepEqual(failures, []);
});

Deno.test("a feed whose files fail holds nothing any more, and that is told once", () => {
  const failures: unknown[] = [];
  const failure = new StorageError("Cannot read");
  const feed = someFeed();
  feed.node = () => {
    throw failure;
  };
  const reader = new GuardedReader(feed, {
    owned: true,
    isReady: () => true,
    onFailure: (error) => failures.push(error),
  });
  assert.ok(reader.writable);
  assert.ok(reader.hasBlock(1));
  assert.equal(reader.node(0), undefined);
  assert.equal(reader.node(2), undefined);
  assert.equal(reader.hasBlock(1), false);
  assert.equal(reader.nextMissing(0, 3), 0);
  assert.deepEqual(failures, [failure]);
});

Deno.test("a bug behind a guarded feed is no failure of its files", () => {
  const feed = someFeed();
  feed.node = () => {
    throw new LocalProtocolError("Cannot be");
  };
  const reader = new GuardedReader(feed, { owned: false, isReady: () => true, onFailure() {} });
  assert.throws(() => reader.node(0), LocalProtocolError);
});
