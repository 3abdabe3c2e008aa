/** The synchronizer's core against itself, under virtual time. */
import assert from "node:assert/strict";
import type { Message } from "../../../src/core/wire/messages.ts";
import { MemoryFeed } from "../../support/memory_feed.ts";
import { Random } from "../../support/random.ts";
import { type Node, Swarm } from "../../support/swarm.ts";

/** A feed of our own with blocks of a few bytes. */
function ownFeed(blocks: number, seed = 1): MemoryFeed {
  const random = new Random(`feed ${seed}`);
  const feed = MemoryFeed.owned(seed);
  for (let block = 0; block < blocks; block++) feed.append(random.bytes(1 + random.below(40)));
  return feed;
}

function emptyCopy(feed: MemoryFeed): MemoryFeed {
  return new MemoryFeed(feed.publicKey);
}

function assertSame(node: Node, source: MemoryFeed): void {
  assert.equal(node.feed.length, source.length, `${node.name} knows the length`);
  for (let block = 0; block < source.length; block++) {
    assert.deepEqual(node.feed.block(block), source.block(block), `${node.name}, block ${block}`);
  }
}

Deno.test("one sharer serves several cloners, each block to each of them once", () => {
  const swarm = new Swarm("one to many");
  const source = ownFeed(100);
  const sharer = swarm.add("sharer", { feed: source, live: true });
  const cloners = Array.from(
    { length: 5 },
    (_, i) => swarm.add(`cloner ${i}`, { feed: emptyCopy(source), follow: true }),
  );
  for (const cloner of cloners) swarm.connect(cloner, sharer);
  assert.ok(swarm.run(60_000, () => cloners.every((cloner) => cloner.isComplete)));
  for (const cloner of cloners) {
    assertSame(cloner, source);
    assert.equal(cloner.count("downloaded"), 100);
    assert.equal(cloner.sentOf("request"), 100);
  }
  assert.equal(sharer.count("uploaded"), 500);
  assert.equal(sharer.sentOf("want"), 5, "an owner asks what others have");
  assert.equal(sharer.sentOf("request"), 0, "and for nothing of it");
});

Deno.test("one cloner fetches each block once, and something from each of its peers", () => {
  const swarm = new Swarm("many to one");
  const source = ownFeed(200);
  const sharers = [0, 1, 2].map((i) => swarm.add(`sharer ${i}`, { feed: source, live: true }));
  const cloner = swarm.add("cloner", { feed: emptyCopy(source), follow: true });
  for (const sharer of sharers) swarm.connect(cloner, sharer, 10);
  assert.ok(swarm.run(60_000, () => cloner.isComplete));
  assertSame(cloner, source);
  assert.equal(cloner.count("downloaded"), 200);
  assert.equal(sharers.reduce((sum, sharer) => sum + sharer.count("uploaded"), 0), 200);
  for (const sharer of sharers) assert.ok(sharer.count("uploaded") > 20, sharer.name);
});

Deno.test("a cloner passes on what it has to others while it downloads", () => {
  const swarm = new Swarm("chain");
  const source = ownFeed(60);
  const sharer = swarm.add("sharer", { feed: source, live: true });
  const middle = swarm.add("middle", { feed: emptyCopy(source), live: true, follow: true });
  const last = swarm.add("last", { feed: emptyCopy(source), live: true, follow: true });
  swarm.connect(last, middle, 5);
  swarm.connect(middle, sharer, 5);
  assert.ok(swarm.run(60_000, () => last.feed.blocks.size === 60));
  assertSame(last, source);
});

Deno.test("links that break at random moments cost nothing but time", () => {
  for (let round = 0; round < 10; round++) {
    const swarm = new Swarm(`cuts ${round}`);
    const source = ownFeed(150);
    const sharer = swarm.add("sharer", { feed: source, live: true });
    const cloner = swarm.add("cloner", {
      feed: emptyCopy(source),
      follow: true,
      persistent: true,
    });
    swarm.give(cloner, { kind: "found", address: "sharer", primary: 0 });
    for (let i = 0; i < 20; i++) {
      swarm.after(swarm.random.below(20_000), () => swarm.cut(cloner, sharer));
    }
    assert.ok(swarm.run(600_000, () => cloner.isComplete), `round ${round}`);
    assertSame(cloner, source);
    assert.equal(cloner.count("downloaded"), 150, "no block is fetched twice");
  }
});

Deno.test("a peer that sends wrong bytes is dropped and its blocks come from another", () => {
  const source = ownFeed(40);
  const flip = (message: Message): Message => {
    if (message.type !== "data" || message.value === undefined || message.index % 7 !== 3) {
      return message;
    }
    const value = message.value.slice();
    value[0] ^= 1;
    return { ...message, value };
  };
  const swarm = new Swarm("liar");
  const liar = swarm.add("liar", { feed: source, live: true, tamper: flip });
  const honest = swarm.add("honest", { feed: source, live: true });
  const cloner = swarm.add("cloner", { feed: emptyCopy(source), follow: true });
  swarm.give(cloner, { kind: "found", address: liar.name, primary: 0 });
  swarm.connect(cloner, honest, 200);
  assert.ok(swarm.run(60_000, () => cloner.isComplete));
  assertSame(cloner, source);
  const closed = cloner.reports.filter((report) => report.kind === "peer-closed");
  assert.equal(closed.length, 1);
  const [{ address, reason }] = closed;
  assert.equal(address, liar.name);
  assert.ok(reason instanceof Error && reason.name === "ProofError");
  swarm.run(120_000);
  assert.equal(cloner.count("peer-opened"), 2, "the liar is not dialled again");
});

Deno.test("a peer that never answers is passed over, and dropped when there is no other", () => {
  const source = ownFeed(40);
  const swarm = new Swarm("stall");
  const tamper = (message: Message) => message.type === "data" ? undefined : message;
  const stalling = swarm.add("stalling", { feed: source, live: true, tamper });
  const honest = swarm.add("honest", { feed: source, live: true });
  const cloner = swarm.add("cloner", { feed: emptyCopy(source), follow: true });
  swarm.connect(cloner, stalling, 1);
  swarm.connect(cloner, honest, 30);
  assert.ok(swarm.run(60_000, () => cloner.isComplete));
  assertSame(cloner, source);
  assert.equal(cloner.count("downloaded"), 40);
  const alone = swarm.add("alone", { feed: emptyCopy(source), follow: true });
  swarm.connect(alone, stalling, 1);
  swarm.run(30_000);
  assert.equal(alone.count("peer-closed"), 1);
});

Deno.test("a peer that dies in the middle is replaced by another", () => {
  const source = ownFeed(200);
  const swarm = new Swarm("death");
  const dying = swarm.add("dying", { feed: source, live: true });
  const other = swarm.add("other", { feed: source, live: true });
  const cloner = swarm.add("cloner", { feed: emptyCopy(source), follow: true });
  swarm.connect(cloner, dying, 5);
  swarm.connect(cloner, other, 5);
  assert.ok(swarm.run(60_000, () => cloner.feed.blocks.size > 60));
  swarm.kill(dying);
  assert.ok(swarm.run(60_000, () => cloner.isComplete));
  assertSame(cloner, source);
  assert.equal(cloner.count("downloaded"), 200);
});

Deno.test("blocks that are given up are fetched from who still has them", () => {
  const source = ownFeed(30);
  const sparse = emptyCopy(source);
  const swarm = new Swarm("unhave");
  const full = swarm.add("full", { feed: source, live: true });
  const holder = swarm.add("holder", { feed: sparse, live: true, follow: true });
  swarm.connect(holder, full, 1);
  assert.ok(swarm.run(60_000, () => holder.isComplete));
  const cloner = swarm.add("cloner", { feed: emptyCopy(source), follow: true });
  swarm.connect(cloner, holder, 300);
  // The cloner heard of all 30 blocks; half of them are gone when its requests arrive.
  swarm.run(700);
  for (let block = 0; block < 15; block++) sparse.clear(block);
  swarm.connect(cloner, full, 300);
  assert.ok(swarm.run(60_000, () => cloner.isComplete));
  assertSame(cloner, source);
  assert.equal(cloner.count("peer-closed"), 0);
});

Deno.test("a live pair stays connected when idle, never silent for 5 seconds", () => {
  const source = ownFeed(3);
  const swarm = new Swarm("idle");
  const sharer = swarm.add("sharer", { feed: source, live: true });
  const reader = swarm.add("reader", { feed: emptyCopy(source), live: true, follow: true });
  swarm.connect(reader, sharer, 20);
  swarm.run(3_600_000);
  for (const node of [sharer, reader]) {
    assert.equal(node.count("peer-closed"), 0, node.name);
    const [times] = node.sentAt.values();
    assert.ok(times.length > 600);
    for (let i = 1; i < times.length; i++) assert.ok(times[i] - times[i - 1] <= 5000);
  }
});

Deno.test("an append reaches a live reader, block by block and in batches", () => {
  const source = ownFeed(3);
  const swarm = new Swarm("appends");
  const sharer = swarm.add("sharer", { feed: source, live: true });
  const reader = swarm.add("reader", { feed: emptyCopy(source), live: true, follow: true });
  swarm.connect(reader, sharer, 20);
  assert.ok(swarm.run(5000, () => reader.isComplete));
  for (const batch of [1, 7, 64, 1]) {
    const start = source.length;
    source.append(...Array.from({ length: batch }, () => swarm.random.bytes(10)));
    swarm.give(sharer, { kind: "appended", feed: 0, start });
    assert.ok(swarm.run(5000, () => reader.feed.blocks.size === source.length));
    assertSame(reader, source);
  }
});

Deno.test("a sharer ends the link of a one-shot reader that has everything", () => {
  const source = ownFeed(20);
  const swarm = new Swarm("one shot");
  const sharer = swarm.add("sharer", { feed: source, live: true });
  const reader = swarm.add("reader", { feed: emptyCopy(source), follow: true });
  swarm.connect(reader, sharer, 20);
  assert.ok(swarm.run(60_000, () => reader.isComplete));
  swarm.give(reader, { kind: "stop" });
  assert.ok(swarm.run(10_000, () => reader.core.finished));
  assert.equal(sharer.count("peer-finished"), 1);
  assert.equal(sharer.count("peer-closed"), 1);
  assert.equal(sharer.core.openPeers, 0);
});

Deno.test("a silent peer and one that never shakes hands are given up", () => {
  const source = ownFeed(3);
  const swarm = new Swarm("silence");
  const mute = swarm.add("mute", { feed: source, live: true, mute: true });
  const reader = swarm.add("reader", { feed: emptyCopy(source), follow: true });
  swarm.connect(reader, mute, 5);
  swarm.run(4000);
  assert.equal(reader.ends.size, 1);
  swarm.run(4000);
  assert.equal(reader.ends.size, 0, "no handshake within its time");

  let muted = false;
  const tamper = (message: Message) => muted ? undefined : message;
  const late = swarm.add("late", { feed: source, live: true, tamper });
  const other = swarm.add("other", { feed: emptyCopy(source), live: true, follow: true });
  swarm.connect(other, late, 5);
  assert.ok(swarm.run(10_000, () => other.isComplete));
  muted = true;
  late.up = false; // no keepalives either
  swarm.run(30_000);
  assert.equal(other.count("peer-closed"), 1);
});

Deno.test("nothing is sent to a stranger who says nothing", () => {
  const swarm = new Swarm("stranger");
  const sharer = swarm.add("sharer", { feed: ownFeed(3), live: true });
  swarm.give(sharer, { kind: "linked", peer: 999, address: "stranger" });
  swarm.run(4000);
  assert.deepEqual([...sharer.sentAt.keys()], []);
  assert.deepEqual(sharer.sent, []);
});

Deno.test("addresses that fail are tried again, for a while or for ever", () => {
  const source = ownFeed(3);
  const swarm = new Swarm("retries");
  const giving = swarm.add("giving up", { feed: emptyCopy(source), follow: true });
  const keen = swarm.add("keen", { feed: emptyCopy(source), follow: true, persistent: true });
  for (const node of [giving, keen]) {
    swarm.give(node, { kind: "found", address: "nobody", primary: 0 });
  }
  swarm.run(300_000);
  assert.equal(giving.count("peer-failed"), 5);
  assert.equal(giving.count("alone"), 1);
  assert.ok(keen.count("peer-failed") > 15);
  assert.equal(keen.count("alone"), 0);
  swarm.add("nobody", { feed: source, live: true });
  assert.ok(swarm.run(30_000, () => keen.isComplete));
});

Deno.test("a link to oneself is recognised and not tried again", () => {
  const source = ownFeed(3);
  const swarm = new Swarm("self");
  const node = swarm.add("self", { feed: source, live: true, persistent: true });
  swarm.give(node, { kind: "found", address: "self", primary: 0 });
  swarm.run(120_000);
  assert.equal(node.ends.size, 0);
  assert.equal(node.count("peer-opened"), 0);
  assert.equal(node.sentOf("handshake"), 2, "one from each end of the only link there was");
});

Deno.test("a reader whose peers have nothing is not complete", () => {
  const swarm = new Swarm("nothing");
  const source = ownFeed(3);
  const empty = swarm.add("empty", { feed: emptyCopy(source), live: true, follow: true });
  const reader = swarm.add("reader", { feed: emptyCopy(source), follow: true });
  swarm.connect(reader, empty, 5);
  swarm.run(60_000);
  assert.equal(reader.feed.length, 0);
  assert.equal(reader.count("peer-closed"), 0);
});
