import assert from "node:assert/strict";
import { CancelRecord, HEEDS_CANCEL } from "../../../src/core/sync/cancels.ts";
import { FeedLink } from "../../../src/core/sync/peer_state.ts";
import { Window } from "../../../src/core/sync/window.ts";
import { MemoryFeed } from "../../support/memory_feed.ts";
import { answerFor, CoreDriver, emptyCopy } from "../../support/core_driver.ts";

const COST = 2000;

/** A link on which blocks 0 to 9 were asked for. */
function asking(): FeedLink {
  const link = new FeedLink(0, 0, new Window());
  for (let block = 0; block < 10; block++) link.expect(block, 0, COST);
  return link;
}

Deno.test("nothing is expected of a Cancel before it is known what comes of it", () => {
  assert.equal(new CancelRecord().areHeeded, false);
});

Deno.test("a peer that leaves out what was cancelled heeds it; one that sends it does not", () => {
  const [good, bad] = [asking(), asking()];
  for (const link of [good, bad]) {
    for (const block of [3, 4, 5]) link.cancel(block, 10);
    assert.equal(link.window.count, 10, "they are owed yet");
    for (const block of [0, 1, 2]) link.answer(block, 20, COST);
    assert.equal(link.window.cancels.areHeeded, false, "those were asked for before");
  }
  for (const block of [3, 4, 5]) assert.ok(bad.answer(block, 30, COST));
  for (const link of [good, bad]) link.answer(6, 40, COST);
  assert.equal(good.window.cancels.areHeeded, true);
  assert.equal(bad.window.cancels.areHeeded, false);
  for (const link of [good, bad]) assert.equal(link.window.count, 3);
});

Deno.test("a block that comes after a later one was not left out", () => {
  const link = asking();
  link.cancel(3, 10);
  link.answer(4, 20, COST);
  assert.equal(link.window.cancels.areHeeded, true);
  assert.ok(link.answer(3, 30, COST), "no breach");
  assert.equal(link.window.cancels.areHeeded, false);
});

Deno.test("a block that is cancelled twice is owed once", () => {
  const link = asking();
  link.cancel(3, 10);
  link.expect(3, 20, COST);
  link.cancel(3, 30);
  assert.equal(link.window.count, 10);
  link.expireCancelled(1e6);
  for (const block of [...link.inFlight.keys()]) link.settle(block, 1e6);
  assert.deepEqual([link.window.count, link.window.owed], [0, 0]);
});

Deno.test("what was cancelled at a peer that says that it heeds it is not owed any more", () => {
  const link = asking();
  link.window.cancels.isPromised = true;
  for (let block = 5; block < 10; block++) link.cancel(block, 10);
  assert.equal(link.window.count, 5);
  link.answer(0, 20, COST);
  assert.equal(link.window.count, 4);
  assert.ok(link.answer(7, 30, COST), "one may be on its way already");
  assert.equal(link.window.count, 4);
  for (const block of [5, 6]) link.answer(block, 40, COST);
  assert.equal(link.window.cancels.areHeeded, false, "but not most of them");
});

Deno.test("we say in the Handshake that we heed a Cancel, and do", () => {
  const feed = MemoryFeed.owned(1).append(
    ...[5, 6, 7].map((byte) => new Uint8Array(5000).fill(byte)),
  );
  const driver = new CoreDriver(feed, { stuck: true });
  driver.open(1);
  const [{ extensions }] = driver.newsOf(1, "handshake");
  assert.deepEqual(extensions, [HEEDS_CANCEL]);
  for (const index of [0, 1, 2]) driver.ask(1, index);
  assert.deepEqual(driver.newsOf(1, "data").map(({ index }) => index), [0], "the others wait");
  driver.news();
  driver.say(1, { type: "cancel", index: 1, bytes: 0, hash: false });
  driver.flush(1);
  assert.deepEqual(driver.newsOf(1, "data").map(({ index }) => index), [2]);
});

/** What is cancelled, and asked of another peer, that gets all while one answers a block in half a second. */
function movedFrom(extensions: readonly string[]): { cancelled: number[]; asked: number[] } {
  const source = MemoryFeed.owned(1);
  for (let n = 0; n < 12; n++) source.append(new Uint8Array(65_536).fill(n));
  const driver = new CoreDriver(emptyCopy(source), { follow: true });
  const copy = driver.feeds.get(0)!;
  for (const peer of [1, 2]) driver.open(peer, { extensions });
  driver.have(2, 11);
  driver.pass(1000, 1, 2);
  driver.say(2, answerFor(source, copy, 11));
  driver.have(1, 0, 8);
  for (let answers = 0; answers < 2; answers++) {
    driver.now += 500;
    const [block] = driver.requested(1).filter((block) => !copy.hasBlock(block));
    driver.say(1, answerFor(source, copy, block));
  }
  driver.news();
  driver.have(2, 0, 8);
  const cancelled = driver.newsOf(1, "cancel").map(({ index }) => index);
  return { cancelled, asked: driver.requested(2) };
}

Deno.test("what waits at a slow peer is asked of another instead, where a Cancel is heeded", () => {
  const { cancelled, asked } = movedFrom([HEEDS_CANCEL]);
  assert.ok(cancelled.length >= 2, `${cancelled}`);
  assert.deepEqual(asked.slice(-cancelled.length), cancelled);
  const unheeded = movedFrom([]);
  assert.deepEqual(unheeded.cancelled, [], "it would come twice");
  assert.ok(unheeded.asked.length > 0 && unheeded.asked.length < asked.length);
});
