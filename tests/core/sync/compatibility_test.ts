/**
 * Peers of the reference, old and new, and peers that are in an unusual state: what each of them does
 * that a plain peer would not.
 *
 * Covered elsewhere: no Request before a Have, and answers to a Want without a length (hypercore up
 * to 6.22) in `downloads_test.ts` and `uploads_test.ts`; Info, late and reordered Feed and Handshake,
 * and unknown extensions in `conversation_test.ts`; late Data after a Cancel in `scheduler_test.ts`.
 */
import assert from "node:assert/strict";
import { prove } from "../../../src/core/feed/prove.ts";
import { WANT_BLOCKS } from "../../../src/core/sync/limits.ts";
import { encodeHaveRuns } from "../../../src/core/wire/have_bitfield.ts";
import { answerFor, CoreDriver, emptyCopy, ownFeed } from "../../support/core_driver.ts";
import { MemoryFeed } from "../../support/memory_feed.ts";

const [A, B] = [1, 2];
const WANT = { type: "want", start: 0, length: WANT_BLOCKS } as const;

function tell(driver: CoreDriver, peer: number, end: number): void {
  const bitfield = encodeHaveRuns(end > 0 ? [{ start: 0, end }] : [], WANT_BLOCKS);
  driver.say(peer, { type: "have", start: 0, length: WANT_BLOCKS, bitfield, ack: false });
}

/** Answer all that is asked of a peer, again and again. */
function serve(driver: CoreDriver, peer: number, source: MemoryFeed): void {
  const copy = driver.feeds.get(0)!;
  for (let asked = driver.requested(peer); asked.length > 0; asked = driver.requested(peer)) {
    driver.news();
    for (const index of asked) driver.say(peer, answerFor(source, copy, index));
  }
}

Deno.test("a peer that has nothing yet is told of each block, and gives some when it has them", () => {
  const source = ownFeed(6);
  const driver = new CoreDriver(emptyCopy(source), { follow: true });
  driver.open(A);
  driver.open(B);
  driver.say(B, WANT);
  tell(driver, B, 0);
  assert.deepEqual(driver.requested(B), []);
  driver.news();
  tell(driver, A, 5);
  serve(driver, A, source);
  assert.equal(driver.reportsOf("complete").length, 1);
  const told = driver.sent.filter(({ peer, message }) => peer === B && message.type === "have");
  assert.equal(told.length, 1 + 5, "the answer to its Want, and each block");
  driver.news();
  driver.have(B, 5);
  assert.deepEqual(driver.requested(B), [5]);
});

Deno.test("a holder of a few blocks proves them under an older length than ours", () => {
  const source = MemoryFeed.owned(4).append(Uint8Array.of(1));
  const sparse = emptyCopy(source);
  const early = answerFor(source, sparse, 0);
  sparse.store({
    block: 0,
    value: source.block(0),
    nodes: [source.node(0)!],
    signed: { length: 1, byteLength: 1, signature: early.signature! },
  });
  source.append(Uint8Array.of(2), Uint8Array.of(3), Uint8Array.of(4));
  const driver = new CoreDriver(emptyCopy(source), { follow: true });
  driver.open(A);
  driver.open(B);
  tell(driver, B, 1);
  const [asked] = driver.newsOf(B, "request");
  assert.equal(asked.index, 0);
  // Meanwhile the owner's last block made the feed four blocks long here.
  const copy = driver.feeds.get(0)!;
  driver.have(A, 3);
  driver.pass(1000, A, B);
  driver.say(A, answerFor(source, copy, 3));
  assert.equal(copy.length, 4);
  const proof = prove(sparse, { block: 0, hashOnly: false, digest: asked.nodes })!;
  assert.deepEqual(proof.signature, early.signature, "for a length of one");
  driver.say(B, { type: "data", index: 0, value: sparse.block(0), ...proof });
  assert.deepEqual(driver.ended, new Map());
  assert.deepEqual(copy.block(0), source.block(0));
  assert.equal(copy.length, 4);
});

Deno.test("an owner that asks what nobody has is told of nothing and left alone", () => {
  const source = ownFeed(4);
  const driver = new CoreDriver(emptyCopy(source), { follow: true });
  driver.open(A);
  // hypercore's owner sends no Want, so it hears of no block that it gave away.
  tell(driver, A, 4);
  serve(driver, A, source);
  assert.equal(driver.reportsOf("complete").length, 1);
  driver.news();
  driver.pass(60_000, A);
  assert.deepEqual(driver.news(), []);
});

Deno.test("an Unhave of everything, as hypercore 7 sends it, takes the length back as well", () => {
  const source = ownFeed(9);
  const driver = new CoreDriver(emptyCopy(source), { follow: true });
  driver.open(A);
  tell(driver, A, 9);
  driver.say(A, { type: "unhave", start: 0, length: WANT_BLOCKS });
  assert.equal(driver.reportsOf("complete").length, 1, "nobody has anything");
  driver.have(A, 0, 9);
  serve(driver, A, source);
  assert.equal(driver.feeds.get(0)!.blocks.size, 9);
});

Deno.test("blocks that the store lost are told of, and fetched again", () => {
  const source = ownFeed(9);
  const copy = emptyCopy(source);
  const driver = new CoreDriver(copy, { follow: true });
  driver.open(A);
  driver.open(B);
  driver.say(B, WANT);
  tell(driver, A, 9);
  serve(driver, A, source);
  assert.equal(driver.reportsOf("complete").length, 1);
  driver.news();
  for (const block of [2, 3, 7]) copy.clear(block);
  const ranges = [{ start: 2, end: 4 }, { start: 7, end: 8 }, { start: 9, end: 9 }];
  driver.give({ kind: "cleared", feed: 0, ranges });
  assert.deepEqual(driver.newsOf(B, "unhave"), [
    { type: "unhave", start: 2, length: 2 },
    { type: "unhave", start: 7, length: 1 },
  ]);
  assert.deepEqual(driver.newsOf(A, "unhave"), [], "it never sent a Want");
  assert.deepEqual(driver.requested(A), [2, 3, 7]);
  serve(driver, A, source);
  assert.equal(driver.reportsOf("complete").length, 2);
  driver.give({ kind: "cleared", feed: 77, ranges });
});

Deno.test("an Unhave never covers all that a peer may know of", () => {
  const unhaves = (length: number) => {
    const driver = new CoreDriver(ownFeed(length));
    driver.open(A);
    driver.say(A, WANT);
    driver.news();
    driver.give({ kind: "cleared", feed: 0, ranges: [{ start: 0, end: length }] });
    return driver.newsOf(A, "unhave").map(({ start, length }) => [start, length]);
  };
  assert.deepEqual(unhaves(9), [[0, 1], [1, 8]]);
  assert.deepEqual(unhaves(2), [[0, 1], [1, 1]]);
  assert.deepEqual(unhaves(1), []);
});

Deno.test("an append is fetched in one round trip, however many there were", () => {
  const source = ownFeed(2);
  const driver = new CoreDriver(emptyCopy(source), { follow: true });
  driver.open(A);
  tell(driver, A, 2);
  serve(driver, A, source);
  for (let block = 2; block < 300; block++) {
    source.append(Uint8Array.of(block & 255));
    driver.news();
    driver.have(A, block);
    assert.deepEqual(driver.news().map(({ message }) => message.type), ["request"]);
    driver.say(A, answerFor(source, driver.feeds.get(0)!, block));
  }
  assert.equal(driver.feeds.get(0)!.blocks.size, 300);
});

Deno.test("blocks that are not wanted any more are cancelled, and harmless when they come", () => {
  const source = ownFeed(40);
  const copy = emptyCopy(source);
  const driver = new CoreDriver(copy);
  driver.open(A);
  driver.give({ kind: "want", feed: 0, ranges: [{ start: 0, end: 10 }] });
  driver.have(A, 0, 40);
  assert.equal(driver.requested(A).length, 10);
  driver.news();
  driver.give({ kind: "want", feed: 0, ranges: [{ start: 5, end: 12 }] });
  assert.deepEqual(driver.newsOf(A, "cancel").map(({ index }) => index), [0, 1, 2, 3, 4]);
  assert.deepEqual(driver.requested(A), [10, 11]);
  // The reference ignores a Cancel: what comes is let go, and no breach.
  for (let block = 0; block < 40 && block < 12; block++) {
    driver.say(A, answerFor(source, copy, block));
  }
  assert.deepEqual([...copy.blocks.keys()], [5, 6, 7, 8, 9, 10, 11]);
  assert.equal(driver.reportsOf("complete").length, 1);
  assert.equal(driver.core.sizes().inFlight, 0);
  driver.news();
  driver.give({ kind: "want", feed: 0, ranges: [{ start: 3, end: 4 }] });
  assert.deepEqual(driver.requested(A), [3], "asked again when wanted again");
});

Deno.test("wants that change all the time for thousands of ranges cost little", () => {
  const source = ownFeed(10);
  const copy = emptyCopy(source);
  const driver = new CoreDriver(copy);
  for (let peer = 1; peer <= 20; peer++) driver.open(peer);
  const ranges = Array.from({ length: 5000 }, (_, i) => ({ start: 20 * i, end: 20 * i + 3 }));
  let looks = 0;
  const { nextMissing } = copy;
  copy.nextMissing = function (from, to) {
    looks++;
    return nextMissing.call(this, from, to);
  };
  for (let peer = 1; peer <= 10; peer++) driver.have(peer, 0, 1000);
  for (let change = 0; change < 100; change++) {
    driver.give({ kind: "want", feed: 0, ranges: ranges.slice(change % 3) });
  }
  assert.ok(looks < 100 * 200, `${looks} looks at the store`);
});
