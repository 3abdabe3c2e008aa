import assert from "node:assert/strict";
import { decodeHaveRuns, encodeHaveRuns } from "../../../src/core/wire/have_bitfield.ts";
import type { Have } from "../../../src/core/wire/messages.ts";
import {
  MAX_OUTBOX_BYTES,
  MAX_QUEUED_BYTES,
  MAX_QUEUED_REQUESTS,
  MAX_STRIKES,
  MAX_WANT_MEMORY,
  SMALL_MESSAGE_BYTES,
  WANT_BLOCKS,
  WANT_REPEAT_MS,
} from "../../../src/core/sync/limits.ts";
import { verifyData } from "../../../src/core/feed/verify.ts";
import { CoreDriver, emptyCopy, ownFeed } from "../../support/core_driver.ts";
import { MemoryFeed } from "../../support/memory_feed.ts";

const PEER = 1;

/** Somebody with a feed, and a remote that has shaken hands. */
function serving(
  feed: MemoryFeed,
  options: { stuck?: boolean; uploads?: boolean } = {},
): CoreDriver {
  const driver = new CoreDriver(feed, options);
  driver.open(PEER);
  driver.flush(PEER);
  driver.news();
  return driver;
}

function want(driver: CoreDriver, start: number, length: number): Have[] {
  driver.news();
  driver.say(PEER, { type: "want", start, length });
  return driver.newsOf(PEER, "have");
}

/** The blocks that a Have with a bitfield tells of. */
function blocksOf(have: Have, maxBits = 1000): number[] {
  const blocks: number[] = [];
  for (const { start, end } of decodeHaveRuns(have.bitfield!, { maxBits })) {
    for (let at = start; at < end; at++) blocks.push(have.start + at);
  }
  return blocks;
}

Deno.test("a Want is answered with its own start and length, the length of the feed before it", () => {
  const feed = ownFeed(11);
  feed.clear(3);
  const driver = serving(feed);
  const [hint, answer, ...rest] = want(driver, 0, WANT_BLOCKS);
  assert.deepEqual(rest, []);
  assert.deepEqual(hint, { type: "have", start: 10, length: 1, ack: false });
  assert.equal(answer.start, 0);
  assert.equal(answer.length, WANT_BLOCKS);
  assert.deepEqual(blocksOf(answer), [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]);
  const [again, ...more] = want(driver, WANT_BLOCKS, WANT_BLOCKS);
  assert.deepEqual(more, [], "the hint comes once");
  assert.equal(again.start, WANT_BLOCKS);
  assert.deepEqual(again.bitfield, new Uint8Array(0));
});

Deno.test("who gives nothing away tells of nothing, now or later, and refuses what is asked for", () => {
  const feed = ownFeed(11);
  const driver = serving(feed, { uploads: false });
  const [answer, ...rest] = want(driver, 0, WANT_BLOCKS);
  assert.deepEqual([rest, answer.bitfield], [[], new Uint8Array(0)]);
  driver.news();
  feed.append(new Uint8Array(5));
  driver.give({ kind: "appended", feed: 0, start: 11 });
  assert.deepEqual(driver.newsOf(PEER, "have"), []);
  driver.ask(PEER, 3);
  assert.deepEqual(driver.newsOf(PEER, "data"), []);
  assert.deepEqual(driver.newsOf(PEER, "unhave"), [{ type: "unhave", start: 3, length: 1 }]);
});

Deno.test("a Want of an empty feed gets an empty bitfield, not silence", () => {
  const driver = serving(ownFeed(0));
  const [answer, ...rest] = want(driver, 0, WANT_BLOCKS);
  assert.deepEqual(rest, []);
  assert.deepEqual(answer.bitfield, new Uint8Array(0));
});

Deno.test("a Want that is not aligned is ignored, and not remembered", () => {
  const feed = ownFeed(3);
  const driver = serving(feed);
  for (const [start, length] of [[1, 8192], [0, 8191], [8192, 1], [4096, 8192]]) {
    assert.deepEqual(want(driver, start, length), [], `${start}+${length}`);
  }
  feed.append(new Uint8Array(1));
  driver.give({ kind: "appended", feed: 0, start: 3 });
  assert.deepEqual(driver.news(), [], "it wants nothing so far");
});

Deno.test("a Want of everything is answered in its size, however large, from what is here", () => {
  const driver = serving(ownFeed(20));
  const length = 2 ** 53 - 8192;
  const [, answer] = want(driver, 0, length);
  assert.equal(answer.length, length);
  assert.deepEqual(answer.bitfield, encodeHaveRuns([{ start: 0, end: 20 }], 24));
  const [far] = want(driver, 2 ** 52, 2 ** 52);
  assert.deepEqual(far.bitfield, new Uint8Array(0));
});

Deno.test("a Want without a length, as hypercore sent it up to 6.22, is answered likewise", () => {
  const driver = serving(ownFeed(9));
  const [, answer] = want(driver, 0, 0);
  assert.equal(answer.length, 0);
  assert.deepEqual(blocksOf(answer), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const [empty] = want(driver, 8192, 0);
  assert.deepEqual(empty.bitfield, new Uint8Array(0));
});

Deno.test("the same Want is answered once a second, and many different ones not without end", () => {
  const driver = serving(ownFeed(9));
  assert.equal(want(driver, 0, WANT_BLOCKS).length, 2);
  for (let i = 0; i < 100; i++) assert.deepEqual(want(driver, 0, WANT_BLOCKS), []);
  driver.now += WANT_REPEAT_MS;
  assert.equal(want(driver, 0, WANT_BLOCKS).length, 1);

  let answers = 0;
  for (let i = 0; i < 3 * MAX_WANT_MEMORY; i++) answers += want(driver, 8192 * i, 8192).length;
  assert.equal(answers, MAX_WANT_MEMORY - 1);
  assert.deepEqual(want(driver, 0, WANT_BLOCKS), [], "what was answered is still remembered");
  driver.now += WANT_REPEAT_MS;
  assert.equal(want(driver, 8192 * 2 * MAX_WANT_MEMORY, 8192).length, 1);
});

Deno.test("blocks that were appended are told as one run, to those who sent a Want", () => {
  const feed = ownFeed(2);
  const driver = serving(feed);
  driver.open(2);
  want(driver, 0, WANT_BLOCKS);
  driver.news();
  feed.append(...Array.from({ length: 5000 }, () => new Uint8Array(1)));
  driver.give({ kind: "appended", feed: 0, start: 2 });
  assert.deepEqual(driver.news().map(({ peer, message }) => [peer, message]), [
    [PEER, { type: "have", start: 2, length: 5000, ack: false }],
  ]);
  driver.give({ kind: "appended", feed: 0, start: feed.length });
  assert.deepEqual(driver.news(), [], "nothing was appended");
});

Deno.test("requests are answered in their order with proofs that verify", () => {
  const feed = ownFeed(13);
  const driver = serving(feed);
  const copy = emptyCopy(feed);
  const order = [12, 0, 7, 7, 3, 12, 1, 2];
  for (const index of order) driver.ask(PEER, index);
  const answers = driver.newsOf(PEER, "data");
  assert.deepEqual(answers.map(({ index }) => index), order, "twice where asked twice");
  for (const answer of answers) copy.store(verifyData(copy, answer));
  assert.deepEqual(copy.block(7), feed.block(7));
  assert.equal(driver.reportsOf("uploaded").length, order.length);
});

Deno.test("a request for hashes gets no block, and counts as no upload", () => {
  const feed = ownFeed(5);
  feed.clear(2);
  const driver = serving(feed);
  driver.ask(PEER, 2, { hash: true });
  const [answer] = driver.newsOf(PEER, "data");
  assert.equal(answer.value, undefined);
  assert.equal(answer.nodes[0].index, 4);
  assert.deepEqual(driver.reportsOf("uploaded"), []);
});

Deno.test("a request by byte offset is answered for the block that holds it", () => {
  const feed = MemoryFeed.owned(3).append(...[3, 1, 4].map((size) => new Uint8Array(size)));
  const driver = serving(feed);
  driver.ask(PEER, 0, { bytes: 4, nodes: 1 });
  driver.ask(PEER, 1, { bytes: 1000 });
  const [found, beyond] = driver.newsOf(PEER, "data");
  assert.equal(found.index, 2);
  assert.ok(found.signature !== undefined, "with the whole proof, whatever the digest says");
  assert.equal(beyond.index, 1, "past the end: for the index");
});

Deno.test("a request for a block that is gone gets an Unhave, and the peer stays", () => {
  const feed = ownFeed(5);
  feed.clear(2);
  const driver = serving(feed);
  for (let i = 0; i < 100; i++) driver.ask(PEER, 2);
  assert.equal(driver.newsOf(PEER, "unhave").length, 100);
  assert.deepEqual(driver.ended, new Map());
  // hypercore waits for a Data, whatever is in it.
  const answers = driver.newsOf(PEER, "data");
  assert.equal(answers.length, 100);
  for (const answer of answers) {
    assert.equal(answer.value, undefined);
    assert.equal(verifyData(emptyCopy(feed), answer).block, 2);
  }
});

Deno.test("of blocks that were appended those that are here are told", () => {
  const feed = ownFeed(2);
  const driver = serving(feed);
  want(driver, 0, WANT_BLOCKS);
  driver.news();
  feed.append(...Array.from({ length: 6 }, (_, n) => Uint8Array.of(n)));
  for (const gone of [2, 5]) feed.clear(gone);
  driver.give({ kind: "appended", feed: 0, start: 2 });
  assert.deepEqual(driver.newsOf(PEER, "have").map(({ start, length }) => [start, length]), [
    [3, 2],
    [6, 2],
  ]);
});

Deno.test("a block that cannot be read gets an Unhave, and is told as damaged", () => {
  const feed = ownFeed(5);
  const driver = serving(feed);
  // It is gone by the time it is read.
  feed.block = () => undefined;
  driver.ask(PEER, 2);
  assert.deepEqual(driver.newsOf(PEER, "unhave"), [{ type: "unhave", start: 2, length: 1 }]);
  assert.deepEqual(driver.reportsOf("damaged"), [{ kind: "damaged", feed: 0, block: 2 }]);
  driver.ask(PEER, 3);
  assert.equal(driver.newsOf(PEER, "unhave").length, 2, "the next one is served");
});

Deno.test("a block without a proof gets an Unhave", () => {
  const feed = ownFeed(5);
  feed.signatures.clear();
  const driver = serving(feed);
  driver.ask(PEER, 2);
  assert.deepEqual(driver.newsOf(PEER, "unhave"), [{ type: "unhave", start: 2, length: 1 }]);
  driver.ask(PEER, 2, { nodes: 1 });
  assert.equal(driver.newsOf(PEER, "data").length, 1, "who needs no proof can have it");
});

Deno.test("a block that fits no frame together with its proof gets an Unhave", () => {
  const feed = MemoryFeed.owned(4)
    .append(
      new Uint8Array(8 * 1024 * 1024 - 80),
      ...Array.from({ length: 7 }, () => Uint8Array.of(1)),
    );
  const driver = serving(feed);
  driver.ask(PEER, 0);
  assert.deepEqual(driver.newsOf(PEER, "unhave"), [{ type: "unhave", start: 0, length: 1 }]);
  assert.deepEqual(driver.newsOf(PEER, "data"), []);
});

Deno.test("requests for blocks that never were are refused, and too many end the link", () => {
  for (const index of [5, 2 ** 40, 2 ** 52, Number.MAX_SAFE_INTEGER]) {
    const driver = serving(ownFeed(5));
    for (let i = 0; i < MAX_STRIKES; i++) driver.ask(PEER, index, { nodes: i });
    assert.equal(driver.newsOf(PEER, "unhave").length, MAX_STRIKES);
    assert.equal(driver.ended.has(PEER), false);
    driver.ask(PEER, index);
    assert.equal(driver.ended.has(PEER), true, `${index}`);
  }
});

Deno.test("a digest with absurd bits is answered like any other", () => {
  const driver = serving(ownFeed(5));
  for (const nodes of [Number.MAX_SAFE_INTEGER, 2 ** 52, 2 ** 52 + 1, 2 ** 33 + 3]) {
    driver.ask(PEER, 3, { nodes });
  }
  assert.equal(driver.newsOf(PEER, "data").length, 4);
});

Deno.test("a peer that takes nothing is served up to a limit, and from there on as it takes", () => {
  const block = new Uint8Array(64 * 1024);
  const feed = MemoryFeed.owned(5).append(...Array.from({ length: 64 }, () => block));
  const driver = serving(feed, { stuck: true });
  for (let index = 0; index < 64; index++) driver.ask(PEER, index);
  const atFirst = driver.newsOf(PEER, "data").length;
  assert.equal(atFirst, MAX_QUEUED_BYTES / block.length);
  assert.ok(driver.waiting.get(PEER)! <= MAX_QUEUED_BYTES + block.length);
  driver.flush(PEER);
  assert.equal(driver.newsOf(PEER, "data").length, 2 * atFirst);
  for (let i = 0; i < 4; i++) driver.flush(PEER);
  assert.deepEqual(
    driver.newsOf(PEER, "data").map(({ index }) => index),
    Array.from({ length: 64 }, (_, index) => index),
  );
});

Deno.test("a flood of requests is queued up to a limit, and then ends the link", () => {
  const block = new Uint8Array(MAX_QUEUED_BYTES);
  const driver = serving(MemoryFeed.owned(6).append(block, block), { stuck: true });
  driver.ask(PEER, 0);
  for (let i = 0; i < MAX_QUEUED_REQUESTS + MAX_STRIKES; i++) driver.ask(PEER, 1);
  assert.equal(driver.ended.has(PEER), false);
  driver.ask(PEER, 1);
  assert.equal(driver.ended.has(PEER), true);
  assert.equal(driver.newsOf(PEER, "data").length, 1);
});

Deno.test("a Cancel takes one waiting request back, if it is the same", () => {
  const block = new Uint8Array(MAX_QUEUED_BYTES);
  const small = Uint8Array.of(1);
  const feed = MemoryFeed.owned(7).append(block, small, small, small);
  const driver = serving(feed, { stuck: true });
  driver.ask(PEER, 0);
  driver.ask(PEER, 1);
  driver.ask(PEER, 2);
  driver.ask(PEER, 2);
  driver.ask(PEER, 3, { hash: true });
  for (const [index, hash] of [[2, false], [3, false], [9, false], [1, true]] as const) {
    driver.say(PEER, { type: "cancel", index, bytes: 0, hash });
  }
  driver.flush(PEER);
  assert.deepEqual(driver.newsOf(PEER, "data").map(({ index }) => index), [0, 1, 2, 3]);
});

Deno.test("a peer that reads nothing is dropped when its news fill the outbox", () => {
  const feed = ownFeed(1);
  const driver = serving(feed, { stuck: true });
  want(driver, 0, WANT_BLOCKS);
  for (let i = 0; i < MAX_OUTBOX_BYTES / SMALL_MESSAGE_BYTES; i++) {
    driver.give({ kind: "appended", feed: 0, start: 0 });
    if (driver.ended.has(PEER)) break;
  }
  assert.equal(driver.ended.has(PEER), true);
  assert.ok(driver.waiting.get(PEER)! <= MAX_OUTBOX_BYTES + 2 * SMALL_MESSAGE_BYTES);
});
