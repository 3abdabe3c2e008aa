/** Which peers are known to hold everything, and that nobody counts too early. */
import assert from "node:assert/strict";
import { toHex } from "../../../src/base/bytes.ts";
import { ASK_BUSY_MS, ASK_IDLE_MS } from "../../../src/core/sync/holdings.ts";
import { WANT_BLOCKS } from "../../../src/core/sync/limits.ts";
import { encodeHaveRuns } from "../../../src/core/wire/have_bitfield.ts";
import type { Message } from "../../../src/core/wire/messages.ts";
import { CoreDriver, emptyCopy, idOf, ownFeed } from "../../support/core_driver.ts";
import { type Node, Swarm } from "../../support/swarm.ts";

const PEER = 1;
const METADATA = 0;
const CONTENT = 1;

/** An owner with 3 entries and 10 blocks of content, of which the blocks 2 to 9 are of live files. */
class Owner extends CoreDriver {
  constructor() {
    super(ownFeed(3), { ack: true });
    this.join(CONTENT, ownFeed(10, 2), METADATA);
    this.watch();
  }

  watch(entries = 3): void {
    const feeds = [
      { feed: METADATA, ranges: [{ start: 0, end: entries }] },
      { feed: CONTENT, ranges: [{ start: 2, end: 4 }, { start: 4, end: 10 }] },
    ];
    this.give({ kind: "watch", primary: METADATA, feeds });
  }

  /** A reader that has both feeds on its channels 0 and 1. */
  reader(peer = PEER): void {
    this.open(peer);
    this.name(peer, 1, CONTENT);
  }

  tells(start: number, end: number, channel: number, peer = PEER): void {
    const bitfield = encodeHaveRuns([{ start, end }], WANT_BLOCKS);
    const have: Message = { type: "have", start: 0, length: WANT_BLOCKS, bitfield, ack: false };
    this.say(peer, have, channel);
  }

  acks(block: number, channel: number, peer = PEER): void {
    this.say(peer, { type: "have", start: block, length: 1, ack: true }, channel);
  }

  get holders(): string[] {
    return this.reportsOf("peer-holds").map(({ remoteId }) => remoteId!);
  }
}

Deno.test("acknowledgements are asked for, and what a peer has", () => {
  const owner = new Owner();
  owner.reader();
  assert.equal(owner.newsOf(PEER, "handshake")[0].ack, true);
  assert.deepEqual(owner.newsOf(PEER, "want"), [
    { type: "want", start: 0, length: WANT_BLOCKS },
    { type: "want", start: 0, length: WANT_BLOCKS },
  ]);
  assert.deepEqual(owner.requested(PEER), [], "and nothing is fetched");
});

Deno.test("a peer counts when it told of every block of both feeds, and once", () => {
  const owner = new Owner();
  owner.reader();
  owner.tells(0, 3, 0);
  assert.deepEqual(owner.holders, [], "entries without content");
  owner.tells(2, 9, 1);
  assert.deepEqual(owner.holders, [], "a block is missing");
  owner.acks(9, 1);
  assert.deepEqual(owner.holders, [toHex(idOf(PEER))]);
  owner.acks(9, 1);
  owner.tells(0, 10, 1);
  assert.equal(owner.holders.length, 1);
});

Deno.test("acknowledgements in any order are enough", () => {
  const owner = new Owner();
  owner.reader();
  for (const block of [5, 9, 2, 7, 3, 8, 4]) owner.acks(block, 1);
  for (const block of [2, 0, 1]) owner.acks(block, 0);
  assert.deepEqual(owner.holders, []);
  owner.acks(6, 1);
  assert.equal(owner.holders.length, 1);
});

Deno.test("that a peer wants nothing more is not enough, and it is asked what it has", () => {
  const owner = new Owner();
  owner.reader();
  owner.tells(0, 3, 0);
  owner.tells(2, 5, 1);
  owner.news();
  for (const channel of [0, 1]) {
    owner.say(PEER, { type: "info", uploading: true, downloading: false }, channel);
  }
  assert.equal(owner.reportsOf("peer-finished").length, 1);
  assert.deepEqual(owner.holders, []);
  assert.equal(owner.newsOf(PEER, "want").length, 1);
});

Deno.test("blocks that a peer gave up, or never told of any more, are missing again", () => {
  const owner = new Owner();
  owner.reader();
  owner.tells(2, 10, 1);
  owner.say(PEER, { type: "unhave", start: 4, length: 1 }, 1);
  owner.tells(0, 3, 0);
  assert.deepEqual(owner.holders, []);
  owner.tells(2, 4, 1);
  owner.acks(4, 1);
  assert.deepEqual(owner.holders, [], "its newest word counts");
  owner.tells(2, 10, 1);
  assert.equal(owner.holders.length, 1);
});

Deno.test("a peer without the content feed, or that is gone, does not count", () => {
  const owner = new Owner();
  owner.open(PEER);
  owner.tells(0, 3, 0);
  owner.tells(0, 10, 0);
  owner.reader(2);
  owner.tells(0, 3, 0, 2);
  owner.tells(2, 9, 1, 2);
  owner.unlinked(2);
  owner.acks(9, 1, 2);
  assert.deepEqual(owner.holders, []);
});

Deno.test("peers are asked again, sooner while blocks go to them, and not without end", () => {
  const owner = new Owner();
  owner.reader();
  owner.tells(0, 3, 0);
  owner.tells(2, 4, 1);
  owner.news();
  const wants = () => owner.newsOf(PEER, "want").length;
  owner.pass(ASK_IDLE_MS - 1000, PEER);
  assert.equal(wants(), 0);
  owner.pass(1000, PEER);
  assert.equal(wants(), 1);
  owner.tells(2, 4, 1);
  owner.say(PEER, { type: "want", start: 0, length: WANT_BLOCKS }, 1);
  owner.say(PEER, { type: "request", index: 5, bytes: 0, hash: false, nodes: 0 }, 1);
  owner.news();
  owner.pass(ASK_BUSY_MS, PEER);
  assert.equal(wants(), 1);
  owner.news();
  owner.pass(400_000, PEER); // it does not answer any more
  assert.ok(wants() <= 16, `${wants()} questions`);
});

Deno.test("when more is to be held, who held all before is looked at anew", () => {
  const owner = new Owner();
  owner.reader();
  owner.tells(0, 3, 0);
  owner.tells(2, 10, 1);
  assert.equal(owner.holders.length, 1);
  owner.feeds.get(METADATA)!.append(new Uint8Array(3));
  owner.watch(4);
  assert.equal(owner.holders.length, 1);
  owner.acks(3, 0);
  assert.equal(owner.holders.length, 2);
});

Deno.test("an archive that left, or never was, is watched no more", () => {
  const owner = new Owner();
  owner.reader();
  owner.give({ kind: "leave", primary: METADATA });
  owner.unlinked(PEER);
  owner.watch();
  owner.pass(10_000);
  assert.deepEqual(owner.holders, []);
});

/** A swarm of an owner and readers; `holders` are those that the owner knows to hold everything. */
class Watched {
  readonly swarm: Swarm;
  readonly owner: Node;
  readonly #sizes = { entries: 30, blocks: 120 };

  constructor(seed: string) {
    this.swarm = new Swarm(seed);
    const { entries, blocks } = this.#sizes;
    this.owner = this.swarm.add("owner", {
      ...{ feed: ownFeed(entries), content: ownFeed(blocks, 2), live: true, ack: true },
      upBytesPerSecond: 4000,
    });
    const feeds = [
      { feed: METADATA, ranges: [{ start: 0, end: entries }] },
      { feed: CONTENT, ranges: [{ start: 0, end: blocks }] },
    ];
    this.swarm.give(this.owner, { kind: "watch", primary: METADATA, feeds });
  }

  read(
    name: string,
    options: { onlyEntries?: boolean; tamper?: (message: Message) => Message | undefined } = {},
  ): Node {
    const { feed, options: { content } } = this.owner;
    const node = this.swarm.add(name, {
      ...{ feed: emptyCopy(feed), content: emptyCopy(content!), live: true, follow: true },
      tamper: options.tamper,
    });
    if (!options.onlyEntries) this.swarm.give(node, { kind: "follow", feed: CONTENT });
    this.swarm.connect(node, this.owner);
    return node;
  }

  get holders(): number {
    return this.owner.count("peer-holds");
  }

  isWhole({ feeds }: Node): boolean {
    const { entries, blocks } = this.#sizes;
    return feeds.get(METADATA)!.countHeld(0, entries) === entries &&
      feeds.get(CONTENT)!.countHeld(0, blocks) === blocks;
  }
}

/** What hypercore 6 does not say. */
const withoutAcks = (message: Message) =>
  message.type === "have" && message.ack ? undefined : message;

for (
  const [kind, tamper] of [["that acknowledge", undefined], ["that do not", withoutAcks]] as const
) {
  Deno.test(`readers ${kind} count when they hold everything, and not before`, () => {
    const watched = new Watched(`holdings ${kind}`);
    const readers = ["a", "b", "c"].map((name) => watched.read(name, { tamper }));
    watched.swarm.watch = () => {
      const whole = readers.filter((reader) => watched.isWhole(reader)).length;
      assert.ok(watched.holders <= whole, `${watched.holders} of ${whole}`);
    };
    assert.ok(watched.swarm.run(60_000, () => watched.holders === 3));
    const ids = watched.owner.reports.filter((report) => report.kind === "peer-holds")
      .map(({ remoteId }) => remoteId);
    assert.equal(new Set(ids).size, 3);
  });
}

Deno.test("a reader killed half-way and one that wants entries only never count", () => {
  const watched = new Watched("holdings partial");
  const killed = watched.read("killed");
  watched.read("entries", { onlyEntries: true });
  const half = () => killed.feeds.get(CONTENT)!.countHeld(0, 120) > 60;
  assert.ok(watched.swarm.run(60_000, half));
  watched.swarm.kill(killed);
  watched.swarm.run(60_000);
  assert.equal(watched.holders, 0);
  watched.swarm.restart(killed);
  watched.swarm.give(killed, { kind: "follow", feed: CONTENT });
  watched.swarm.connect(killed, watched.owner);
  assert.ok(watched.swarm.run(60_000, () => watched.holders === 1), "what it had before counts");
});
