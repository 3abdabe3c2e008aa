import assert from "node:assert/strict";
import { ForkError, ProofError, RemoteProtocolError } from "../../../src/base/errors.ts";
import {
  MAX_BITFIELD_BYTES,
  MAX_REQUESTS,
  MAX_STRIKES,
  MAX_WANTS,
  REQUEST_MS,
  RESCUE_MS,
  START_REQUESTS,
  WANT_BLOCKS,
} from "../../../src/core/sync/limits.ts";
import { encodeHaveRuns } from "../../../src/core/wire/have_bitfield.ts";
import type { Data } from "../../../src/core/wire/messages.ts";
import { answerFor, CoreDriver, emptyCopy, ownFeed } from "../../support/core_driver.ts";
import { Following } from "../../support/following.ts";
import { MemoryFeed } from "../../support/memory_feed.ts";

const [A, B, C] = [1, 2, 3];
const HUGE = Number.MAX_SAFE_INTEGER;

/** `count` numbers from `start` on. */
function run(start: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => start + i);
}

Deno.test("a follower asks what a peer has, then for all of it, once, and is complete", () => {
  const driver = new Following(ownFeed(100), A);
  assert.deepEqual(driver.newsOf(A, "want"), [{ type: "want", start: 0, length: WANT_BLOCKS }]);
  driver.tellAll(A);
  const atFirst = driver.requested(A);
  assert.deepEqual(atFirst, run(0, atFirst.length));
  driver.answerAll(A);
  assert.equal(driver.reportsOf("downloaded").length, 100);
  assert.equal(driver.reportsOf("complete").length, 1);
  assert.deepEqual(driver.copy.block(99), driver.source.block(99));
});

Deno.test("nothing is asked for before the peer tells what it has, nor what it does not have", () => {
  const driver = new Following(ownFeed(100), A);
  assert.deepEqual(driver.requested(A), []);
  driver.tell(A, [{ start: 7, end: 9 }]);
  assert.deepEqual(driver.requested(A), [7, 8]);
});

Deno.test("a Have goes out before the first Request, claiming nothing", () => {
  const driver = new Following(ownFeed(3), A);
  driver.news();
  driver.tellAll(A);
  const types = driver.news().map(({ message }) => message);
  assert.deepEqual(types[0], {
    type: "have",
    start: 0,
    length: WANT_BLOCKS,
    bitfield: new Uint8Array(0),
    ack: false,
  });
  assert.deepEqual(types.slice(1).map(({ type }) => type), ["request", "request", "request"]);
});

Deno.test("requests of one peer are limited, over all feeds of its link", () => {
  const driver = new Following(ownFeed(500), A);
  const other = ownFeed(500, 2);
  driver.join(1, emptyCopy(other), 0);
  driver.give({ kind: "follow", feed: 1 });
  driver.name(A, 1, 1);
  driver.tellAll(A);
  driver.have(A, 0, 500, 1);
  const open = new Set(driver.requested(A));
  assert.equal(open.size, START_REQUESTS, "before the first answer");
  // The more it answers at once, the more it is asked for.
  let most = 0;
  for (let answered = 0; answered < 300; answered++) {
    const asked = driver.requested(A);
    driver.answer(A, asked[answered]);
    most = Math.max(most, driver.requested(A).length - answered - 1);
  }
  assert.equal(most, MAX_REQUESTS);
});

Deno.test("a block is asked of one peer only, until that one is gone", () => {
  const driver = new Following(ownFeed(START_REQUESTS), A, B);
  driver.tellAll(A);
  driver.tellAll(B);
  assert.equal(driver.requested(A).length, START_REQUESTS);
  assert.deepEqual(driver.requested(B), []);
  driver.unlinked(A);
  assert.deepEqual(driver.requested(B), run(0, START_REQUESTS));
});

Deno.test("regions are asked for as far as this peer's claims and the signed length go", () => {
  const driver = new Following(ownFeed(3), A, B);
  driver.news();
  driver.have(A, HUGE - 10);
  driver.have(A, 5 * WANT_BLOCKS);
  assert.equal(driver.newsOf(A, "want").length, 5, "up to the last block that is claimed");
  assert.deepEqual(driver.newsOf(B, "want"), [], "and nothing of the other peer");
});

Deno.test("so many Wants and no more wait for their answers", () => {
  const driver = new Following(ownFeed(3), A);
  driver.have(A, 0, HUGE);
  const wants = driver.newsOf(A, "want");
  assert.deepEqual(wants.map(({ start }) => start), run(0, MAX_WANTS).map((i) => i * WANT_BLOCKS));
  driver.news();
  driver.tell(A, [{ start: 0, end: 3 }]);
  driver.tell(A, [], WANT_BLOCKS);
  assert.equal(driver.newsOf(A, "want").length, 2, "one for each answer");
});

Deno.test("an answer without a length, as hypercore gave it up to 6.22, ends the asking", () => {
  for (const length of [0, 1]) {
    const driver = new Following(ownFeed(14), A);
    driver.news();
    const bitfield = encodeHaveRuns([{ start: 0, end: 14 }], 1000);
    driver.say(A, { type: "have", start: 0, length, bitfield, ack: false });
    driver.have(A, 3 * WANT_BLOCKS);
    assert.deepEqual(driver.newsOf(A, "want"), []);
    assert.deepEqual(driver.requested(A).slice(0, 14), run(0, 14));
  }
});

Deno.test("a bitfield replaces what was told of its range, and shows how long the claim is", () => {
  const driver = new Following(ownFeed(30), A);
  driver.tell(A, [{ start: 10, end: 12 }]);
  driver.tell(A, [{ start: 20, end: 22 }]);
  assert.deepEqual(driver.requested(A), [10, 11, 20, 21]);
  driver.unlinked(A);
  driver.open(B);
  driver.have(B, 1000);
  driver.tell(B, []);
  assert.equal(driver.reportsOf("complete").length, 1, "nobody claims anything any more");
});

Deno.test("useless bitfields are counted, and too many end the link", () => {
  const useless: [string, number, Uint8Array][] = [
    ["a run of gigabytes", WANT_BLOCKS, Uint8Array.of(0xf7, 0xff, 0xff, 0xff, 0x0f)],
    ["a run of gigabytes without a length", 1, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0x0f)],
    ["a literal that is cut off", WANT_BLOCKS, Uint8Array.of(0x20, 1, 2)],
    ["a chunk without an end", WANT_BLOCKS, Uint8Array.of(0x80)],
    ["too many bytes", HUGE - 1, new Uint8Array(MAX_BITFIELD_BYTES + 1)],
  ];
  for (const [what, length, bitfield] of useless) {
    const driver = new Following(ownFeed(3), A);
    const have = { type: "have", start: 0, length, bitfield, ack: false } as const;
    for (let i = 0; i < MAX_STRIKES; i++) driver.say(A, have);
    assert.equal(driver.ended.has(A), false, what);
    driver.say(A, have);
    assert.ok(driver.ended.get(A) instanceof RemoteProtocolError, what);
  }
});

Deno.test("claims at the end of all numbers are cut, and one beyond is a breach", () => {
  const driver = new Following(ownFeed(3), A);
  driver.have(A, 0, HUGE);
  driver.have(A, HUGE - 1, 1);
  const bitfield = Uint8Array.of(0x13);
  driver.say(A, { type: "have", start: HUGE - 8, length: 8, bitfield, ack: false });
  driver.say(A, { type: "unhave", start: 1, length: HUGE });
  driver.say(A, { type: "unhave", start: HUGE, length: HUGE });
  assert.equal(driver.ended.has(A), false);
  for (let i = 0; i <= MAX_STRIKES; i++) driver.have(A, HUGE, HUGE);
  assert.ok(driver.ended.get(A) instanceof RemoteProtocolError);
});

Deno.test("an Unhave releases what was asked for in its range, for others to answer", () => {
  const driver = new Following(ownFeed(15), A);
  driver.tellAll(A);
  driver.open(B);
  driver.tellAll(B);
  driver.news();
  driver.say(A, { type: "unhave", start: 5, length: 10 });
  assert.deepEqual(driver.requested(B), run(5, 10));
  assert.deepEqual(driver.requested(A), []);
  // What was on its way all the same comes unasked now, and is no reason to part.
  driver.answer(A, 5);
  assert.equal(driver.copy.hasBlock(5), false);
  assert.equal(driver.ended.has(A), false);
});

Deno.test("blocks that nobody asked for are not stored, and too many end the link", () => {
  const driver = new Following(ownFeed(40), A);
  for (let index = 0; index < MAX_STRIKES; index++) driver.answer(A, index);
  assert.equal(driver.ended.has(A), false);
  assert.deepEqual(driver.newsOf(A, "unhave"), [], "to a peer that wants nothing");
  assert.equal(driver.copy.blocks.size, 0);
  assert.equal(driver.copy.length, 0);
  driver.say(A, { type: "want", start: 0, length: WANT_BLOCKS });
  driver.news();
  driver.answer(A, 20, { value: undefined });
  assert.equal(driver.ended.has(A), false, "hashes alone are what a refusal may end with");
  driver.answer(A, 20);
  assert.ok(driver.ended.get(A) instanceof RemoteProtocolError);
});

Deno.test("a block that was not asked for is answered with Unhave where the remote wants news", () => {
  const driver = new Following(ownFeed(5), A);
  driver.say(A, { type: "want", start: 0, length: WANT_BLOCKS });
  driver.news();
  driver.answer(A, 3);
  assert.deepEqual(driver.newsOf(A, "unhave"), [{ type: "unhave", start: 3, length: 1 }]);
  driver.answer(A, 3, { value: undefined });
  assert.equal(driver.newsOf(A, "unhave").length, 1, "but not one of hashes alone");
});

Deno.test("a block that is here already is passed over, however often it comes", () => {
  const driver = new Following(ownFeed(5), A);
  driver.tellAll(A);
  const answer = answerFor(driver.source, driver.copy, 0);
  for (let i = 0; i < 100; i++) driver.say(A, answer);
  assert.equal(driver.reportsOf("downloaded").length, 1);
  assert.equal(driver.ended.has(A), false);
});

const BAD_ANSWERS: [string, (data: Data) => Data][] = [
  ["another value", (data) => ({ ...data, value: new Uint8Array(3) })],
  ["no value", (data) => ({ ...data, value: undefined })],
  ["no signature", (data) => ({ ...data, signature: undefined })],
  ["a wrong signature", (data) => ({ ...data, signature: new Uint8Array(64) })],
  ["a short signature", (data) => ({ ...data, signature: data.signature!.slice(1) })],
  ["nodes in another order", (data) => ({ ...data, nodes: [...data.nodes].reverse() })],
  ["a node twice", (data) => ({ ...data, nodes: [data.nodes[0], ...data.nodes] })],
  ["a short hash", (data) => ({ ...data, nodes: data.nodes.map(shortened) })],
  ["a huge size", (data) => ({ ...data, nodes: data.nodes.map((n) => ({ ...n, size: HUGE })) })],
];

function shortened(node: Data["nodes"][number]): Data["nodes"][number] {
  return { ...node, hash: node.hash.slice(1) };
}

for (const [what, spoil] of BAD_ANSWERS) {
  Deno.test(`an answer with ${what} ends the link, and its blocks are asked of others`, () => {
    const driver = new Following(ownFeed(5), A);
    driver.tellAll(A);
    driver.open(B);
    driver.tellAll(B);
    driver.news();
    driver.say(A, spoil(answerFor(driver.source, driver.copy, 0)));
    assert.ok(driver.ended.get(A) instanceof ProofError);
    assert.equal(driver.copy.blocks.size, 0);
    assert.equal(driver.copy.nodes.size, 0);
    assert.deepEqual(driver.requested(B), run(0, 5));
    driver.answerAll(B);
    assert.equal(driver.reportsOf("complete").length, 1);
  });
}

Deno.test("two signed histories end the feed's part in everything, and keep what is here", () => {
  const one = ownFeed(4, 1);
  const other = MemoryFeed.owned(1).append(...run(0, 6).map((i) => Uint8Array.of(i)));
  const driver = new Following(one, A);
  driver.tellAll(A);
  driver.answerAll(A);
  const copy = driver.copy;
  driver.open(B);
  driver.say(B, { type: "want", start: 0, length: WANT_BLOCKS });
  driver.have(B, 4, 2);
  driver.news();
  const proof = answerFor(other, emptyCopy(other), 4);
  driver.say(B, proof);
  const [{ error }] = driver.reportsOf("forked");
  assert.ok(error instanceof ForkError);
  assert.equal(driver.ended.has(B), false, "it is the owner who is to blame");
  assert.deepEqual(copy.block(0), one.block(0));
  assert.equal(copy.length, 4);
  driver.have(B, 0, 100);
  driver.pass(5000, A, B);
  assert.deepEqual(driver.requested(B), [], "nothing is asked for any more");
  driver.news();
  driver.ask(A, 1);
  assert.deepEqual(driver.newsOf(A, "data"), [], "nor served");
  assert.equal(driver.newsOf(A, "unhave").length, 1);
});

Deno.test("blocks are announced once they are on disk, to all who sent a Want but their source", () => {
  const source = ownFeed(3);
  const driver = new Following(source, A, B, C);
  for (const peer of [A, B]) driver.say(peer, { type: "want", start: 0, length: WANT_BLOCKS });
  driver.tellAll(A);
  driver.news();
  driver.answer(A, 1);
  assert.deepEqual(driver.newsOf(B, "have"), [{ type: "have", start: 1, length: 1, ack: false }]);
  assert.deepEqual(driver.newsOf(A, "have"), []);
  assert.deepEqual(driver.newsOf(C, "have"), [], "it never sent a Want");
});

Deno.test("several blocks stored together are announced as runs", () => {
  const source = ownFeed(9);
  const driver = new CoreDriver(source);
  driver.open(A);
  driver.say(A, { type: "want", start: 0, length: WANT_BLOCKS });
  driver.news();
  driver.give({ kind: "stored", feed: 0, blocks: [7, 2, 3, 1, 8, 5] });
  assert.deepEqual(driver.newsOf(A, "have").map(({ start, length }) => [start, length]), [
    [1, 3],
    [5, 1],
    [7, 2],
  ]);
});

Deno.test("a peer that asked for acknowledgements gets one for each of its blocks", () => {
  const driver = new Following(ownFeed(2));
  driver.open(A, { ack: true });
  driver.open(B, { ack: true });
  driver.tellAll(A);
  driver.news();
  driver.answer(A, 1);
  assert.deepEqual(driver.newsOf(A, "have"), [{ type: "have", start: 1, length: 1, ack: true }]);
  assert.deepEqual(driver.newsOf(B, "have"), []);
});

Deno.test("blocks wanted by range are fetched without regard to anybody's length", () => {
  const source = ownFeed(50);
  const copy = emptyCopy(source);
  const driver = new CoreDriver(copy);
  driver.open(A);
  assert.deepEqual(driver.newsOf(A, "want"), [], "who fetches nothing asks nothing");
  driver.give({ kind: "want", feed: 0, ranges: [{ start: 40, end: 42 }, { start: 3, end: 4 }] });
  assert.equal(driver.newsOf(A, "want").length, 1);
  driver.have(A, 0, 1000);
  assert.deepEqual(driver.requested(A), [3, 40, 41]);
  for (const index of [40, 3, 41]) driver.say(A, answerFor(source, copy, index));
  assert.equal(driver.reportsOf("complete").length, 1);
  driver.give({ kind: "want", feed: 0, ranges: [{ start: 3, end: 4 }] });
  assert.equal(driver.reportsOf("complete").length, 2, "told again when asked again");
});

Deno.test("a block that is not wanted any more is let go when it comes, and had when it is again", () => {
  const source = ownFeed(8);
  const copy = emptyCopy(source);
  const driver = new CoreDriver(copy);
  driver.open(A);
  driver.give({ kind: "want", feed: 0, ranges: [{ start: 2, end: 4 }] });
  driver.have(A, 0, 8);
  driver.give({ kind: "want", feed: 0, ranges: [{ start: 3, end: 4 }] });
  for (const index of [2, 3]) driver.say(A, answerFor(source, copy, index));
  assert.deepEqual([...copy.blocks.keys()], [3]);
  assert.equal(driver.reportsOf("complete").length, 1);
  driver.news();
  driver.give({ kind: "want", feed: 0, ranges: [{ start: 2, end: 4 }] });
  assert.deepEqual(driver.requested(A), [2]);
});

Deno.test("a follower is not complete before anybody answered, nor when its peers are gone", () => {
  const driver = new Following(ownFeed(10), A);
  driver.pass(3000, A);
  driver.unlinked(A);
  driver.pass(3000);
  assert.deepEqual(driver.reportsOf("complete"), []);
});

Deno.test("an idle peer takes over what another does not answer, and whoever is first counts", () => {
  const driver = new Following(ownFeed(10), A);
  driver.tellAll(A);
  driver.open(B);
  driver.tellAll(B);
  driver.pass(RESCUE_MS - 1000, A, B);
  assert.deepEqual(driver.requested(B), []);
  driver.pass(1000, A, B);
  assert.deepEqual(driver.requested(B), run(0, 10));
  driver.news();
  for (const index of run(0, 5)) driver.answer(B, index);
  for (const index of run(0, 10)) driver.answer(A, index);
  for (const index of run(5, 5)) driver.answer(B, index);
  assert.equal(driver.reportsOf("downloaded").length, 10, "each once");
  assert.equal(driver.reportsOf("complete").length, 1);
  driver.pass(2 * REQUEST_MS, A, B);
  assert.deepEqual(driver.ended, new Map());
});

Deno.test("a withheld block is fetched from another, though its peer answers all the rest", () => {
  const driver = new Following(ownFeed(300), A);
  driver.tellAll(A);
  driver.open(B);
  driver.tell(B, [{ start: 0, end: 1 }]);
  for (let second = 0; second < 60 && driver.copy.blocks.size < 300; second++) {
    const open = driver.requested(A).filter((index) => index > 0 && !driver.copy.hasBlock(index));
    for (const index of open.slice(0, 20)) driver.answer(A, index);
    if (driver.requested(B).includes(0) && !driver.copy.hasBlock(0)) driver.answer(B, 0);
    driver.pass(1000, A, B);
  }
  assert.equal(driver.copy.blocks.size, 300);
  assert.equal(driver.reportsOf("complete").length, 1);
});

Deno.test("content is asked for when the entries that the peer has are here, and not before", () => {
  const driver = new Following(ownFeed(2), A);
  const content = ownFeed(3, 2);
  driver.join(1, emptyCopy(content), 0);
  driver.give({ kind: "want", feed: 1, ranges: [{ start: 0, end: 3 }] });
  driver.name(A, 1, 1);
  driver.news();
  driver.have(A, 0, 3, 1);
  assert.deepEqual(driver.requested(A), [], "it has not told of its entries");
  driver.tellAll(A);
  assert.equal(driver.newsOf(A, "request").length, 2, "the entries alone");
  driver.news();
  for (const block of [1, 0]) driver.answer(A, block);
  const asked = driver.news().filter(({ message }) => message.type === "request");
  assert.deepEqual(asked.map(({ channel }) => channel), [1, 1, 1]);
});

Deno.test("a feed on hold is asked of nobody, and takes what was asked for before", () => {
  const driver = new Following(ownFeed(MAX_REQUESTS + 2), A);
  driver.tellAll(A);
  const asked = driver.requested(A);
  driver.news();
  driver.give({ kind: "hold", feed: 0, held: true });
  for (const block of asked) driver.answer(A, block);
  driver.pass(3000, A);
  assert.equal(driver.copy.countHeld(0, MAX_REQUESTS + 2), asked.length);
  assert.deepEqual(driver.requested(A), []);
  driver.give({ kind: "hold", feed: 0, held: false });
  assert.equal(driver.requested(A).length, MAX_REQUESTS + 2 - asked.length);
});
