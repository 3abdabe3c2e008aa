/** Two links to one peer: which one stays, and what becomes of the addresses. */
import assert from "node:assert/strict";
import { ProofError } from "../../../src/base/errors.ts";
import {
  BAN_MS,
  REPLACE_MS,
  RETRY_MS,
  SILENT_MS,
  START_REQUESTS,
} from "../../../src/core/sync/limits.ts";
import { answerFor, CoreDriver, emptyCopy, idOf, ownFeed } from "../../support/core_driver.ts";

const [A, B, C] = [1, 2, 3];
/** Ids that sort before and after ours. */
const SMALLER = idOf(5);
const LARGER = idOf(200);

Deno.test("links opened by the side with the smaller id stay, whichever came first", () => {
  const cases = [
    { id: SMALLER, first: "dial", second: "open", stays: B },
    { id: SMALLER, first: "open", second: "dial", stays: A },
    { id: LARGER, first: "dial", second: "open", stays: A },
    { id: LARGER, first: "open", second: "dial", stays: B },
    // Both opened by the same side: as discovery-swarm has it.
    { id: SMALLER, first: "dial", second: "dial", stays: A },
    { id: SMALLER, first: "open", second: "open", stays: B },
    { id: LARGER, first: "dial", second: "dial", stays: B },
    { id: LARGER, first: "open", second: "open", stays: A },
  ] as const;
  for (const { id, first, second, stays } of cases) {
    const driver = new CoreDriver(ownFeed(3));
    driver[first](A, { id });
    driver[second](B, { id });
    assert.deepEqual([...driver.ended], [[stays === A ? B : A, "closed"]], `${first} ${second}`);
    assert.equal(driver.core.openPeers, 1);
    driver.ask(stays, 1);
    assert.equal(driver.newsOf(stays, "data").length, 1, "the other is served");
  }
});

Deno.test("both ends choose the same link", () => {
  for (const order of [[A, B], [B, A]]) {
    // The end with the smaller id dialled A, and was dialled on B.
    const kept = [LARGER, SMALLER].map((remote) => {
      const driver = new CoreDriver(ownFeed(3));
      for (const link of order) {
        const isDialled = (link === A) === (remote === LARGER);
        driver[isDialled ? "dial" : "open"](link, { id: remote });
      }
      return order.filter((link) => !driver.ended.has(link));
    });
    assert.deepEqual(kept, [[A], [A]]);
  }
});

Deno.test("links for different archives, or without an id, are no duplicates", () => {
  const driver = new CoreDriver(ownFeed(3));
  driver.join(4, ownFeed(3, 2), 4);
  driver.dial(A, { id: LARGER });
  driver.dial(B, { id: LARGER, feed: 4 });
  for (const peer of [C, 4]) {
    driver.give({ kind: "linked", peer, address: `peer ${peer}` });
    driver.name(peer, 0, 0);
    driver.say(peer, { type: "handshake", live: true, extensions: [], ack: false });
  }
  assert.equal(driver.ended.size, 0);
  assert.equal(driver.core.openPeers, 4);
});

Deno.test("the loser's requests go to the survivor, and its own stay", () => {
  const source = ownFeed(START_REQUESTS);
  const driver = new CoreDriver(emptyCopy(source), { follow: true });
  driver.dial(A, { id: LARGER });
  driver.have(A, 0, START_REQUESTS);
  assert.equal(driver.requested(A).length, START_REQUESTS);
  driver.dial(B, { id: LARGER });
  assert.deepEqual([...driver.ended.keys()], [A]);
  driver.have(B, 0, START_REQUESTS);
  assert.equal(driver.requested(B).length, START_REQUESTS);
  driver.unlinked(A);
  driver.news();
  driver.pass(1000, B);
  assert.deepEqual(driver.requested(B), [], "what it owes, it owes");
  const copy = driver.feeds.get(0)!;
  for (let i = 0; i < START_REQUESTS; i++) driver.say(B, answerFor(source, copy, i));
  assert.equal(driver.reportsOf("downloaded").length, START_REQUESTS);
});

Deno.test("an address that leads to a linked peer is left alone until that link is gone", () => {
  for (const id of [SMALLER, LARGER]) {
    const driver = new CoreDriver(ownFeed(3), { persistent: true });
    driver.open(A, { id });
    driver.give({ kind: "found", address: "there:1", primary: 0 });
    driver.dial(B, { id, address: "there:1" });
    const [loser] = driver.ended.keys();
    const survivor = loser === A ? B : A;
    driver.unlinked(loser);
    driver.pass(60_000, survivor);
    assert.equal(driver.dials.length, 1);
    assert.deepEqual(driver.reportsOf("peer-failed"), []);
    assert.deepEqual(driver.reportsOf("alone"), []);
    driver.unlinked(survivor);
    driver.pass(2 * RETRY_MS[0]);
    assert.equal(driver.dials.length, 2, "and dialled again then");
  }
});

Deno.test("a link that fell silent gives way to a second one, whatever the ids say", () => {
  for (const id of [SMALLER, LARGER]) {
    const driver = new CoreDriver(ownFeed(3));
    driver.open(A, { id });
    driver.pass(SILENT_MS);
    driver.open(B, { id });
    assert.deepEqual([...driver.ended.keys()], [A]);
    driver.pass(1000, B);
    driver.open(C, { id: LARGER });
    assert.equal(driver.ended.has(B), false, "one that speaks stays");
  }
});

Deno.test("the remote may end the one that must go first", () => {
  const driver = new CoreDriver(ownFeed(3), { persistent: true });
  driver.give({ kind: "found", address: "there:1", primary: 0 });
  driver.dial(A, { id: SMALLER, address: "there:1" });
  driver.open(B, { id: SMALLER });
  driver.unlinked(A);
  driver.pass(60_000, B);
  assert.equal(driver.dials.length, 1);
});

Deno.test("a stranger with a known id cannot push out link after link", () => {
  const driver = new CoreDriver(ownFeed(3));
  driver.open(A, { id: SMALLER });
  driver.open(B, { id: SMALLER });
  driver.open(C, { id: SMALLER });
  assert.deepEqual([...driver.ended.keys()], [A, C]);
  driver.pass(REPLACE_MS, B);
  driver.open(4, { id: SMALLER });
  assert.deepEqual([...driver.ended.keys()], [A, C, B]);
});

Deno.test("a peer that breaks the rules is not dialled again because it has another link", () => {
  const source = ownFeed(3);
  const driver = new CoreDriver(emptyCopy(source), { follow: true, persistent: true });
  driver.give({ kind: "found", address: "there:1", primary: 0 });
  driver.dial(A, { id: LARGER, address: "there:1" });
  driver.have(A, 0, 3);
  driver.say(A, { ...answerFor(source, driver.feeds.get(0)!, 0), value: new Uint8Array(9) });
  assert.ok(driver.ended.get(A) instanceof ProofError);
  driver.open(B, { id: LARGER });
  driver.unlinked(A);
  driver.unlinked(B);
  driver.pass(BAN_MS - 1000);
  assert.equal(driver.dials.length, 1);
});
