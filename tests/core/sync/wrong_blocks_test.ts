/**
 * Peers whose working files are not what they signed any more: their blocks are refused like any other
 * that do not match, but it takes more than one of them to end the link.
 */
import assert from "node:assert/strict";
import { ProofError } from "../../../src/base/errors.ts";
import {
  MAX_WRONG_PAUSES,
  REQUEST_MS,
  TICK_MS,
  WANT_BLOCKS,
  WRONG_MEMORY_MS,
  WRONG_PAUSE_MS,
} from "../../../src/core/sync/limits.ts";
import { encodeHaveRuns } from "../../../src/core/wire/have_bitfield.ts";
import { answerFor, CoreDriver, emptyCopy, ownFeed } from "../../support/core_driver.ts";
import type { MemoryFeed } from "../../support/memory_feed.ts";

const [A, B] = [1, 2];
const CONTENT = 1;
// As many as are asked for at once of a peer that has not answered yet.
const SOURCE = ownFeed(4, 2);
const ALL = [0, 1, 2, 3];

/** Somebody who fetches the content of an archive of which the entries are here. */
class Cloning extends CoreDriver {
  readonly source: MemoryFeed;
  readonly copy: MemoryFeed;

  constructor(source: MemoryFeed, ...peers: readonly number[]) {
    super(ownFeed(1));
    this.source = source;
    this.copy = emptyCopy(source);
    this.join(CONTENT, this.copy, 0);
    this.give({ kind: "want", feed: CONTENT, ranges: [{ start: 0, end: source.length }] });
    for (const peer of peers) this.link(peer);
  }

  /** A peer that has all of the content. */
  link(peer: number): void {
    this.open(peer);
    this.name(peer, 1, CONTENT);
    const bitfield = encodeHaveRuns([{ start: 0, end: this.source.length }], WANT_BLOCKS);
    this.say(peer, { type: "have", start: 0, length: WANT_BLOCKS, bitfield, ack: false }, 1);
  }

  right(peer: number, block: number): void {
    this.say(peer, answerFor(this.source, this.copy, block), 1);
  }

  /** The proof of a block, and the bytes that its file has now. */
  wrong(peer: number, block: number): void {
    const value = new Uint8Array(this.source.block(block)!.length).fill(7);
    this.say(peer, { ...answerFor(this.source, this.copy, block), value }, 1);
  }
}

Deno.test("a wrong block is not stored, and asked of the same peer again after a pause", () => {
  const driver = new Cloning(SOURCE, A);
  assert.deepEqual(driver.requested(A), ALL);
  driver.wrong(A, 2);
  const { blocks, nodes, length } = driver.copy;
  assert.deepEqual([blocks.size, nodes.size, length], [0, 0, 0]);
  driver.news();
  for (const block of ALL) if (block !== 2) driver.right(A, block);
  assert.equal(blocks.size, ALL.length - 1, "what was asked for before still comes");
  driver.now += WRONG_PAUSE_MS - 1;
  driver.have(A, 0, ALL.length, 1);
  assert.deepEqual(driver.requested(A), []);
  driver.pass(1, A);
  assert.deepEqual(driver.requested(A), [2]);
  driver.right(A, 2);
  assert.equal(driver.reportsOf("complete").length, 1);
  assert.deepEqual(driver.ended, new Map());
});

Deno.test("a wrong block is asked of another peer at once", () => {
  const driver = new Cloning(SOURCE, A, B);
  driver.news();
  driver.wrong(A, 2);
  assert.deepEqual([driver.requested(A), driver.requested(B)], [[], [2]]);
});

Deno.test("a peer that takes note in time that a file was changed is asked for nothing of it", () => {
  const driver = new Cloning(SOURCE, A);
  driver.right(A, 0);
  driver.wrong(A, 2);
  driver.say(A, { type: "unhave", start: 1, length: ALL.length - 1 }, 1);
  driver.news();
  driver.pass(3 * WRONG_PAUSE_MS, A);
  assert.deepEqual(driver.requested(A), []);
  assert.deepEqual(driver.ended, new Map());
});

Deno.test("the blocks of a changed file that were all on their way count once, however slow they come", () => {
  const driver = new Cloning(ownFeed(200, 2), A);
  for (let block = 0; block < 40; block++) driver.right(A, block);
  const onTheirWay = driver.requested(A).slice(40);
  assert.ok(onTheirWay.length > 2 * MAX_WRONG_PAUSES);
  for (const block of onTheirWay) {
    driver.wrong(A, block);
    driver.pass(WRONG_PAUSE_MS, A);
  }
  assert.deepEqual(driver.ended, new Map());
});

Deno.test("who sends one wrong block after the other is dropped, however slowly, and none is stored", () => {
  for (const delay of [0, REQUEST_MS - 2 * TICK_MS]) {
    const driver = new Cloning(SOURCE, A);
    driver.right(A, 0);
    let waves = 0;
    for (; !driver.ended.has(A) && waves < 100; waves++) {
      const asked = driver.requested(A).filter((block) => block > 0);
      assert.ok(asked.length > 0, `wave ${waves}`);
      driver.pass(delay, A);
      driver.news();
      for (const block of asked) driver.wrong(A, block);
      driver.pass(WRONG_PAUSE_MS, A);
    }
    assert.ok(driver.ended.get(A) instanceof ProofError);
    assert.equal(waves, MAX_WRONG_PAUSES + 1);
    assert.deepEqual([...driver.copy.blocks.keys()], [0]);
  }
});

Deno.test("good blocks in between do not make up for wrong ones", () => {
  const source = ownFeed(200, 2);
  const driver = new Cloning(source, A);
  let wrong = 0;
  while (!driver.ended.has(A) && driver.now < 60_000) {
    const asked = driver.requested(A);
    driver.news();
    for (const block of asked) {
      if (block % 3 === 0) driver.wrong(A, block);
      else driver.right(A, block);
    }
    wrong++;
    driver.pass(WRONG_PAUSE_MS, A);
  }
  assert.equal(wrong, MAX_WRONG_PAUSES + 1);
  assert.ok(driver.ended.get(A) instanceof ProofError);
});

Deno.test("a wrong block now and then is forgotten", () => {
  const blocks = 3 * MAX_WRONG_PAUSES;
  const driver = new Cloning(ownFeed(blocks, 2), A);
  for (let block = 0; block < blocks; block++) {
    driver.give({ kind: "want", feed: CONTENT, ranges: [{ start: block, end: block + 1 }] });
    driver.wrong(A, block);
    driver.pass(WRONG_PAUSE_MS, A);
    driver.right(A, block);
    assert.ok(driver.copy.hasBlock(block), `block ${block}`);
    driver.pass(WRONG_MEMORY_MS, A);
  }
  assert.deepEqual(driver.ended, new Map());
});

Deno.test("a wrong entry, and an answer without a block, have no excuse", () => {
  const entries = ownFeed(2);
  const driver = new CoreDriver(emptyCopy(entries), { follow: true });
  driver.open(A);
  driver.have(A, 0, 2);
  driver.say(A, { ...answerFor(entries, driver.feeds.get(0)!, 0), value: new Uint8Array(3) });
  assert.ok(driver.ended.get(A) instanceof ProofError);
  const cloning = new Cloning(SOURCE, A);
  cloning.say(A, { ...answerFor(SOURCE, cloning.copy, 2), value: undefined }, 1);
  assert.ok(cloning.ended.get(A) instanceof ProofError);
});
