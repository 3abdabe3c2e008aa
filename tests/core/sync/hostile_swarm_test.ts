/** Peers that lie, flood, stall and change their minds, among others that do not. */
import assert from "node:assert/strict";
import type { Message } from "../../../src/core/wire/messages.ts";
import { MAX_OUTBOX_BYTES, WANT_BLOCKS } from "../../../src/core/sync/limits.ts";
import { encodeHaveRuns } from "../../../src/core/wire/have_bitfield.ts";
import { emptyCopy, ownFeed } from "../../support/core_driver.ts";
import { MemoryFeed } from "../../support/memory_feed.ts";
import { type Node, Swarm } from "../../support/swarm.ts";

const HUGE = Number.MAX_SAFE_INTEGER;

function assertComplete(swarm: Swarm, cloner: Node, source: MemoryFeed, ms: number): void {
  const done = () => cloner.isComplete && cloner.feed.blocks.size === source.blocks.size;
  assert.ok(swarm.run(ms, done), `${cloner.feed.blocks.size} blocks`);
  assert.equal(cloner.feed.length, source.length);
  for (const [block, value] of source.blocks) assert.deepEqual(cloner.feed.block(block), value);
}

/** Send a message from one node to another, as if its core had wanted to. */
function inject(swarm: Swarm, from: Node, to: Node, message: Message): void {
  for (const end of from.ends.values()) {
    if (end.remote !== to) continue;
    swarm.give(to, { kind: "message", peer: end.remotePeer, channel: 0, message });
    swarm.give(to, { kind: "heard", peer: end.remotePeer, partialBytes: 0 });
  }
}

/** What a peer may claim of itself, in place of the truth. */
const LIES: [string, Partial<Extract<Message, { type: "have" }>>][] = [
  ["all blocks there can be", { start: 0, length: HUGE, bitfield: undefined }],
  ["one block at the end of all numbers", { start: HUGE - 1, length: 1, bitfield: undefined }],
  ["a million blocks", { bitfield: encodeHaveRuns([{ start: 0, end: WANT_BLOCKS }], WANT_BLOCKS) }],
  ["every second block of a million", {
    bitfield: encodeHaveRuns(
      Array.from({ length: WANT_BLOCKS / 2 }, (_, i) => ({ start: 2 * i, end: 2 * i + 1 })),
      WANT_BLOCKS,
    ),
  }],
];

for (const [what, lie] of LIES) {
  for (const answers of [true, false]) {
    const how = answers ? "refuses what it is asked for" : "answers nothing";
    Deno.test(`a peer that claims ${what} and ${how} cannot keep a clone from its end`, () => {
      const source = ownFeed(60);
      const swarm = new Swarm(what);
      const tamper = (message: Message) => {
        if (message.type === "have") return { ...message, ...lie };
        return message.type === "data" || (message.type === "unhave" && !answers)
          ? undefined
          : message;
      };
      const liar = swarm.add("liar", { feed: emptyCopy(source), live: true, tamper });
      const honest = swarm.add("honest", { feed: source, live: true });
      const cloner = swarm.add("cloner", { feed: emptyCopy(source), follow: true });
      swarm.give(cloner, { kind: "found", address: liar.name, primary: 0 });
      swarm.connect(cloner, honest, 40);
      assertComplete(swarm, cloner, source, 50_000);
      assert.equal(cloner.count("downloaded"), 60);
      assert.ok(honest.sentOf("have") < 10, "nobody else is bothered with the claim");
      swarm.run(600_000);
      assert.ok(cloner.sent.length < 20_000, `${cloner.sent.length} messages`);
    });
  }
}

Deno.test("a peer that only answers now and then holds a clone up for seconds, not for hours", () => {
  const source = ownFeed(100);
  const swarm = new Swarm("slow answers");
  let answeredAt = 0;
  const tamper = (message: Message) => {
    if (message.type !== "data") return message;
    if (swarm.now - answeredAt < 15_000) return undefined;
    answeredAt = swarm.now;
    return message;
  };
  const slow = swarm.add("slow", { feed: source, live: true, tamper });
  const honest = swarm.add("honest", { feed: source, live: true });
  const cloner = swarm.add("cloner", { feed: emptyCopy(source), follow: true });
  swarm.connect(cloner, slow, 1);
  swarm.connect(cloner, honest, 50);
  assertComplete(swarm, cloner, source, 15_000);
});

Deno.test("a peer that serves others' blocks under wrong numbers is dropped", () => {
  const source = ownFeed(30);
  const swarm = new Swarm("wrong numbers");
  const tamper = (message: Message) =>
    message.type === "data" ? { ...message, index: (message.index + 1) % 30 } : message;
  const wrong = swarm.add("wrong", { feed: source, live: true, tamper });
  const honest = swarm.add("honest", { feed: source, live: true });
  const cloner = swarm.add("cloner", { feed: emptyCopy(source), follow: true });
  swarm.give(cloner, { kind: "found", address: wrong.name, primary: 0 });
  swarm.connect(cloner, honest, 100);
  assertComplete(swarm, cloner, source, 60_000);
  assert.equal(cloner.count("peer-closed"), 1);
});

Deno.test("a feed with cleared blocks is served as far as it goes, and the rest by others", () => {
  const source = ownFeed(50);
  const swarm = new Swarm("cleared");
  const parts = [0, 1, 2].map((part) => {
    const feed = MemoryFeed.owned(1);
    const copy = new MemoryFeed(feed.publicKey);
    for (const node of source.nodes.values()) copy.nodes.set(node.index, node);
    const signature = source.signature(50)!;
    const signed = { length: 50, byteLength: source.byteLength, signature };
    copy.store({ block: part, value: source.block(part), nodes: [], signed });
    for (let block = part; block < 50; block += 3) copy.blocks.set(block, source.block(block)!);
    return swarm.add(`part ${part}`, { feed: copy, live: true });
  });
  const cloner = swarm.add("cloner", { feed: emptyCopy(source), follow: true });
  swarm.connect(cloner, parts[0], 5);
  swarm.run(5000);
  assert.equal(cloner.feed.blocks.size, 17);
  assert.equal(cloner.isComplete, false, "not even of the blocks that nobody here has");
  swarm.connect(cloner, parts[1], 5);
  swarm.connect(cloner, parts[2], 5);
  assertComplete(swarm, cloner, source, 5000);
  assert.deepEqual(parts.map((part) => part.count("uploaded")), [17, 17, 16]);
});

Deno.test("a second history of the same owner changes nothing of the first", () => {
  const one = ownFeed(20, 1);
  const other = MemoryFeed.owned(1)
    .append(...Array.from({ length: 25 }, (_, i) => Uint8Array.of(i)));
  const swarm = new Swarm("fork");
  const [a, b] = [one, other].map((feed, i) => swarm.add(`history ${i}`, { feed, live: true }));
  const reader = swarm.add("reader", { feed: emptyCopy(one), live: true, follow: true });
  const friend = swarm.add("friend", { feed: emptyCopy(one), live: true, follow: true });
  swarm.connect(reader, a, 5);
  assert.ok(swarm.run(10_000, () => reader.isComplete));
  swarm.connect(reader, b, 5);
  swarm.connect(friend, reader, 5);
  swarm.run(60_000);
  // It asks for no more nodes than it lacks, so what it sees is a proof that does not fit.
  assert.equal(reader.count("forked") + reader.count("peer-closed"), 1);
  for (const node of [reader, friend]) {
    assert.equal(node.feed.length, 20);
    for (const [block, value] of one.blocks) assert.deepEqual(node.feed.block(block), value);
  }
  const requests = reader.sentOf("request");
  swarm.run(60_000);
  assert.equal(reader.sentOf("request"), requests);
});

const FLOODS: [string, (i: number) => Message][] = [
  ["Have", (i) => ({ type: "have", start: i * 16384, length: 8192, ack: false })],
  [
    "backward Have",
    (i) => ({ type: "have", start: 2 ** 32 - i * 16384, length: 8192, ack: false }),
  ],
  ["scattered Have", (i) => ({ type: "have", start: i * 8209, length: 1, ack: i % 2 === 0 })],
  ["Unhave", (i) => ({ type: "unhave", start: i % 3, length: HUGE })],
  ["Want", (i) => ({ type: "want", start: i * 8192, length: HUGE - (HUGE % 8192) })],
  ["Unwant", (i) => ({ type: "unwant", start: i, length: HUGE })],
  ["Cancel", (i) => ({ type: "cancel", index: i, bytes: 0, hash: false })],
  ["Info", (i) => ({ type: "info", uploading: true, downloading: i % 2 === 0 })],
  ["Request", (i) => ({ type: "request", index: i % 40, bytes: 0, hash: false, nodes: 0 })],
  ["byte Request", (i) => ({ type: "request", index: 0, bytes: i, hash: true, nodes: HUGE })],
  ["Data", (i) => ({ type: "data", index: i, value: new Uint8Array(9), nodes: [] })],
  ["Extension", (i) => ({ type: "extension", id: i, payload: new Uint8Array(9) })],
];

for (const [what, message] of FLOODS) {
  Deno.test(`a flood of ${what} does not keep others from their blocks`, () => {
    const source = ownFeed(80);
    const swarm = new Swarm(`flood of ${what}`);
    const sharer = swarm.add("sharer", { feed: source, live: true });
    const flooder = swarm.add("flooder", { feed: emptyCopy(source), live: true });
    const cloner = swarm.add("cloner", { feed: emptyCopy(source), follow: true });
    for (const victim of [sharer, cloner]) swarm.connect(flooder, victim, 1);
    swarm.connect(cloner, sharer, 20);
    swarm.run(10);
    for (let i = 0; i < 5000; i++) {
      for (const victim of [sharer, cloner]) inject(swarm, flooder, victim, message(i));
      if (i % 50 === 0) swarm.run(1);
    }
    assertComplete(swarm, cloner, source, 60_000);
    for (const victim of [sharer, cloner]) {
      const sent = victim.sent.filter(({ peer }) => victim.ends.get(peer)?.remote === flooder);
      assert.ok(sent.length <= 5600, `${sent.length} messages to the flooder`);
    }
  });
}

Deno.test("a remote that reads nothing is given up, and holds no more than its share", () => {
  const block = new Uint8Array(64 * 1024);
  const source = MemoryFeed.owned(1).append(...Array.from({ length: 200 }, () => block));
  const swarm = new Swarm("no reader");
  const sharer = swarm.add("sharer", { feed: source, live: true, stuck: true });
  const greedy = swarm.add("greedy", { feed: emptyCopy(source), live: true, follow: true });
  swarm.connect(greedy, sharer, 1);
  swarm.run(5000);
  for (let i = 0; i < 200; i++) {
    inject(swarm, greedy, sharer, {
      type: "request",
      index: i,
      bytes: 0,
      hash: false,
      nodes: 0,
    });
  }
  const bytes = sharer.sent.reduce(
    (sum, { message }) => sum + (message.type === "data" ? message.value!.length : 64),
    0,
  );
  assert.ok(bytes <= MAX_OUTBOX_BYTES, `${bytes} bytes`);
  swarm.run(60_000);
  assert.equal(sharer.count("peer-closed"), 1);
});

Deno.test("a peer of the old kind, which answers a Want without a length, serves everything", () => {
  const source = ownFeed(70);
  const swarm = new Swarm("old");
  const tamper = (message: Message): Message =>
    message.type === "have" && message.bitfield !== undefined ? { ...message, length: 1 } : message;
  const old = swarm.add("old", { feed: source, live: true, tamper });
  const cloner = swarm.add("cloner", { feed: emptyCopy(source), live: true, follow: true });
  swarm.connect(cloner, old, 5);
  assertComplete(swarm, cloner, source, 10_000);
  source.append(Uint8Array.of(1), Uint8Array.of(2));
  swarm.give(old, { kind: "appended", feed: 0, start: 70 });
  assert.ok(swarm.run(10_000, () => cloner.feed.length === 72));
  assert.equal(cloner.sentOf("want"), 1);
});
