import assert from "node:assert/strict";
import { RemoteProtocolError } from "../../../src/base/errors.ts";
import {
  MAX_EARLY_BYTES,
  MAX_EARLY_MESSAGES,
  MAX_STRIKES,
  MAX_UNKNOWN_CHANNELS,
  WANT_BLOCKS,
} from "../../../src/core/sync/limits.ts";
import type { Message } from "../../../src/core/wire/messages.ts";
import { CoreDriver, emptyCopy, ownFeed } from "../../support/core_driver.ts";

const PEER = 1;
const WANT: Message = { type: "want", start: 0, length: WANT_BLOCKS };

function info(downloading: boolean): Message {
  return { type: "info", uploading: true, downloading };
}

/** A discovery key of nothing we have. */
function stranger(seed: number): Uint8Array {
  return new Uint8Array(32).fill(seed, 0, 1).fill(1, 1);
}

function typesTo(driver: CoreDriver, peer: number): [number, Message["type"]][] {
  return driver.news().filter((sent) => sent.peer === peer)
    .map(({ channel, message }) => [channel, message.type]);
}

Deno.test("who dials names the feed and shakes hands at once, then names the feeds beside it", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.join(1, ownFeed(2, 2), 0);
  driver.join(2, ownFeed(2, 3), 2);
  driver.give({ kind: "linked", peer: PEER, address: "there", primary: 0 });
  assert.deepEqual(typesTo(driver, PEER), [[0, "feed"], [0, "handshake"], [1, "feed"]]);
});

Deno.test("who is dialled says nothing before it is asked for a feed it has", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.give({ kind: "linked", peer: PEER, address: "there" });
  driver.pass(4000);
  assert.deepEqual(driver.news(), []);
  assert.deepEqual(driver.keepalives, []);
  driver.name(PEER, 0, 0);
  assert.deepEqual(typesTo(driver, PEER), [[0, "feed"], [0, "handshake"]]);
});

Deno.test("a first Feed for nothing we have ends the link without a word", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.give({ kind: "linked", peer: PEER, address: "there" });
  driver.name(PEER, 0, stranger(1));
  assert.deepEqual(driver.news(), []);
  assert.ok(driver.ended.get(PEER) instanceof RemoteProtocolError);
});

Deno.test("a feed of another archive is not served on this one's link", () => {
  const other = ownFeed(5, 2);
  const driver = new CoreDriver(ownFeed(2));
  driver.join(1, other, 1);
  driver.open(PEER);
  driver.name(PEER, 1, 1);
  driver.news();
  driver.say(PEER, WANT, 1);
  driver.say(PEER, { type: "request", index: 0, bytes: 0, hash: false, nodes: 0 }, 1);
  assert.deepEqual(driver.news(), []);
});

Deno.test("only the first Handshake counts", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.open(PEER);
  driver.greet(PEER, { live: false, ack: true });
  driver.say(PEER, { type: "handshake", id: driver.id, live: true, extensions: [], ack: false });
  assert.equal(driver.reportsOf("peer-opened").length, 1);
  assert.deepEqual(driver.ended, new Map());
});

Deno.test("a link to ourselves is ended by the side that dialled", () => {
  const driver = new CoreDriver(ownFeed(2));
  const hello: Message = {
    type: "handshake",
    id: driver.id,
    live: true,
    extensions: [],
    ack: false,
  };
  driver.give({ kind: "linked", peer: 1, address: "dialled", primary: 0 });
  driver.give({ kind: "linked", peer: 2, address: "accepted" });
  for (const peer of [1, 2]) {
    driver.name(peer, 0, 0);
    driver.say(peer, hello);
  }
  assert.deepEqual([...driver.ended.keys()], [1]);
  assert.deepEqual(driver.reportsOf("peer-opened"), []);
});

Deno.test("a feed that is joined later is named on the links of its archive", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.open(PEER);
  driver.open(2);
  driver.unlinked(2);
  driver.news();
  driver.join(1, ownFeed(3, 2), 0);
  driver.join(5, ownFeed(3, 3), 5);
  assert.deepEqual(
    driver.news().map(({ peer, channel, message }) => [peer, channel, message.type]),
    [
      [PEER, 1, "feed"],
    ],
  );
});

Deno.test("what a remote said of a feed before we knew it is taken up when we do", () => {
  const content = ownFeed(4, 2);
  const driver = new CoreDriver(ownFeed(2));
  driver.open(PEER);
  driver.name(PEER, 7, content.discoveryKey);
  driver.news();
  const bitfield = Uint8Array.of(0x02, 0xf0);
  driver.say(PEER, { type: "have", start: 0, length: 8192, bitfield, ack: false }, 7);
  driver.say(PEER, WANT, 7);
  driver.say(PEER, info(false), 7);
  bitfield.fill(0); // the buffer it came in is used for something else
  assert.deepEqual(driver.news(), []);
  const copy = emptyCopy(content);
  driver.join(1, copy, 0);
  assert.deepEqual(typesTo(driver, PEER), [[1, "feed"], [1, "have"]]);
  driver.give({ kind: "follow", feed: 1 });
  assert.deepEqual(driver.requested(PEER), [0, 1, 2, 3]);
});

Deno.test("what comes between Feed and Handshake is taken up after the Handshake", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.give({ kind: "linked", peer: PEER, address: "there" });
  driver.name(PEER, 0, 0);
  driver.say(PEER, WANT);
  driver.news();
  driver.say(PEER, { type: "handshake", live: true, extensions: [], ack: false });
  assert.deepEqual(typesTo(driver, PEER), [[0, "want"], [0, "have"], [0, "have"]]);
});

Deno.test("messages for a feed that is not open are kept up to a number and a size", () => {
  for (const message of [WANT, info(true)]) {
    const driver = new CoreDriver(ownFeed(2));
    driver.open(PEER);
    driver.name(PEER, 1, stranger(1));
    for (let i = 0; i < MAX_EARLY_MESSAGES + MAX_STRIKES; i++) driver.say(PEER, message, 1);
    assert.equal(driver.ended.has(PEER), false);
    driver.say(PEER, message, 1);
    assert.ok(driver.ended.get(PEER) instanceof RemoteProtocolError);
  }
  const driver = new CoreDriver(ownFeed(2));
  driver.open(PEER);
  const bitfield = new Uint8Array(MAX_EARLY_BYTES / 4);
  const have: Message = { type: "have", start: 0, length: 1, bitfield, ack: false };
  for (let channel = 1; channel <= 4; channel++) {
    driver.name(PEER, channel, stranger(channel));
    driver.say(PEER, have, channel);
  }
  for (let i = 0; i < MAX_STRIKES; i++) driver.say(PEER, have, 4);
  assert.equal(driver.ended.has(PEER), false);
  driver.say(PEER, have, 4);
  assert.equal(driver.ended.has(PEER), true, "all channels of a peer share the room");
});

Deno.test("blocks for a feed that is not open are not kept at all", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.open(PEER);
  driver.name(PEER, 1, stranger(1));
  const data: Message = { type: "data", index: 0, value: new Uint8Array(1e6), nodes: [] };
  for (let i = 0; i < 1000; i++) driver.say(PEER, data, 1);
  assert.deepEqual(driver.ended, new Map());
});

Deno.test("a remote may name so many feeds that we do not have, and no more", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.open(PEER);
  for (let i = 1; i <= MAX_UNKNOWN_CHANNELS; i++) driver.name(PEER, i, stranger(i));
  assert.deepEqual(driver.ended, new Map());
  driver.name(PEER, 200, stranger(200));
  assert.ok(driver.ended.get(PEER) instanceof RemoteProtocolError);
});

Deno.test("a channel number that is used for feed after feed costs the link", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.open(PEER);
  for (let i = 0; i <= MAX_STRIKES; i++) driver.name(PEER, 1, stranger(i));
  assert.equal(driver.ended.has(PEER), false);
  driver.name(PEER, 1, stranger(99));
  assert.equal(driver.ended.has(PEER), true);
});

Deno.test("a feed that is named on two channels has one state", () => {
  const feed = ownFeed(3);
  const driver = new CoreDriver(feed);
  driver.open(PEER);
  driver.name(PEER, 4, 0);
  driver.say(PEER, WANT, 0);
  driver.news();
  driver.say(PEER, WANT, 4);
  assert.deepEqual(driver.news(), [], "answered a moment ago");
  driver.say(PEER, { type: "request", index: 1, bytes: 0, hash: false, nodes: 0 }, 4);
  assert.deepEqual(typesTo(driver, PEER), [[0, "data"]], "on our one channel for it");
});

Deno.test("a sharer ends the link of a remote that does not stay and has all it wants", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.join(1, ownFeed(2, 2), 0);
  driver.open(PEER, { live: false });
  driver.news();
  driver.say(PEER, info(false));
  assert.deepEqual(driver.reportsOf("peer-finished"), [], "it has not named the second feed yet");
  assert.deepEqual(driver.ended, new Map());
  driver.name(PEER, 1, 1);
  driver.say(PEER, info(true), 1);
  assert.deepEqual(driver.ended, new Map());
  driver.say(PEER, info(false), 1);
  assert.equal(driver.reportsOf("peer-finished").length, 1);
  assert.equal(driver.ended.get(PEER), "done");
  assert.deepEqual(driver.news().map(({ message }) => message), [
    { type: "info", uploading: false, downloading: false },
    { type: "info", uploading: false, downloading: false },
  ]);
});

Deno.test("a remote that stays is left alone when it has all it wants", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.open(PEER, { live: true });
  driver.say(PEER, info(false));
  driver.say(PEER, info(false));
  assert.equal(driver.reportsOf("peer-finished").length, 1);
  assert.deepEqual(driver.ended, new Map());
});

Deno.test("one that fetches keeps the link of a remote that finished", () => {
  const source = ownFeed(9);
  // Between two feeds nothing is missing for a moment; whoever runs us knows that more will come.
  const driver = new CoreDriver(emptyCopy(source), { live: false, follow: true });
  driver.open(PEER, { live: false });
  driver.have(PEER, 0, 9);
  driver.say(PEER, info(false));
  assert.deepEqual(driver.ended, new Map());
  const idle = new CoreDriver(source, { live: false });
  idle.open(PEER, { live: false });
  idle.say(PEER, info(false));
  assert.deepEqual(idle.ended, new Map());
});

Deno.test("stop says goodbye on every feed, once, and ends links that are not open yet as well", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.open(PEER);
  driver.give({ kind: "linked", peer: 2, address: "half open" });
  driver.news();
  driver.give({ kind: "stop" });
  driver.give({ kind: "stop" });
  assert.deepEqual(typesTo(driver, PEER), [[0, "info"]]);
  assert.deepEqual([...driver.ended], [[PEER, "done"], [2, "closed"]]);
  assert.equal(driver.core.finished, false);
  driver.unlinked(PEER);
  driver.unlinked(2);
  assert.equal(driver.core.finished, true);
});

Deno.test("who comes after stop is sent away, dialled or not", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.give({ kind: "stop" });
  driver.give({ kind: "linked", peer: 1, address: "dialled", primary: 0 });
  driver.give({ kind: "linked", peer: 2, address: "accepted" });
  assert.deepEqual([...driver.ended], [[1, "closed"], [2, "closed"]]);
  assert.deepEqual(driver.news(), []);
  driver.unlinked(1);
  driver.unlinked(2);
  assert.equal(driver.core.finished, true);
});

Deno.test("what a link says after its end is heard by nobody", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.open(PEER);
  driver.give({ kind: "stop" });
  driver.news();
  const reports = driver.reports.length;
  driver.ask(PEER, 0);
  driver.say(PEER, WANT);
  driver.unlinked(PEER);
  driver.ask(PEER, 0);
  driver.give({ kind: "flushed", peer: PEER, bytes: 10 });
  driver.unlinked(PEER);
  assert.deepEqual(driver.news(), []);
  assert.deepEqual(driver.reports.slice(reports).map(({ kind }) => kind), ["peer-closed"]);
});
