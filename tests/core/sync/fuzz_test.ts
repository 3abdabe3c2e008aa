/**
 * Remotes that say anything that looks like a message, in any order, while links come and go: the
 * core never throws, takes nothing unproven, and answers no more than it was asked.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Message } from "../../../src/core/wire/messages.ts";
import {
  MAX_OUTBOX_BYTES,
  MAX_QUEUED_BYTES,
  MAX_REQUESTS,
  WANT_BLOCKS,
} from "../../../src/core/sync/limits.ts";
import { answerFor, CoreDriver, emptyCopy, ownFeed } from "../../support/core_driver.ts";
import { messageOfType } from "../../support/messages.ts";
import type { MemoryFeed } from "../../support/memory_feed.ts";
import { Random } from "../../support/random.ts";

const HUGE = Number.MAX_SAFE_INTEGER;
const STEPS = 3000;
const PEERS = 6;

/** Numbers that hit something, and numbers at the edges. */
function number(random: Random): number {
  const edges = [0, 1, 8192, WANT_BLOCKS, 2 ** 32, 2 ** 52, HUGE - 1, HUGE];
  const roll = random.below(10);
  if (roll < 6) return random.below(40);
  return roll < 8 ? 8192 * random.below(300) : edges[random.below(edges.length)];
}

/** A message with numbers that mean something here; now and then a true answer. */
function sensible(random: Random, source: MemoryFeed, copy: MemoryFeed): Message {
  const flag = random.below(2) === 0;
  const [start, length, index] = [number(random), number(random), number(random)];
  switch (random.below(10)) {
    case 0:
      return { type: "have", start, length, ack: flag };
    case 1: {
      const bitfield = random.bytes(random.below(40)).slice();
      const wanted = flag ? WANT_BLOCKS : length;
      return { type: "have", start: 0, length: wanted, bitfield, ack: false };
    }
    case 2:
      return { type: "unhave", start, length };
    case 3:
      return { type: "want", start, length };
    case 4:
      return { type: "request", index, bytes: flag ? 0 : start, hash: flag, nodes: length };
    case 5:
      return { type: "cancel", index, bytes: 0, hash: flag };
    case 6:
      return { type: "info", uploading: flag, downloading: !flag };
    case 7: {
      const answer = answerFor(source, copy, random.below(source.length));
      return flag ? answer : { ...answer, index };
    }
    case 8:
      return answerFor(source, copy, random.below(source.length));
    default:
      return { type: "feed", discoveryKey: flag ? source.discoveryKey : random.bytes(32).slice() };
  }
}

/** What must be true after every step. */
class Invariants {
  #sent = 0;
  #said = 0;

  constructor(
    readonly driver: CoreDriver,
    readonly source: MemoryFeed,
    readonly copy: MemoryFeed,
  ) {}

  said(): void {
    this.#said++;
  }

  check(): void {
    const { driver, source, copy } = this;
    for (const [peer, bytes] of driver.waiting) {
      assert.ok(bytes <= MAX_OUTBOX_BYTES + MAX_QUEUED_BYTES, `${bytes} bytes wait for ${peer}`);
    }
    assert.ok(copy.length <= source.length);
    // Each thing said may free a peer's worth of requests, and those of the others once.
    this.#sent = driver.sent.length;
    assert.ok(this.#sent <= (this.#said + 1) * (MAX_REQUESTS + 40), `${this.#sent} messages`);
  }

  checkContent(): void {
    for (const [block, value] of this.copy.blocks) {
      assert.deepEqual(value, this.source.block(block), `block ${block}`);
    }
    for (const [index, { hash }] of this.copy.nodes) {
      assert.deepEqual(hash, this.source.nodes.get(index)?.hash, `node ${index}`);
    }
  }
}

for (let seed = 0; seed < 8; seed++) {
  for (const stuck of [false, true]) {
    const how = stuck ? "and take nothing" : "and take all";
    Deno.test(`remotes that say anything ${how} do no harm (seed ${seed})`, () => {
      const random = new Random(`fuzz ${seed} ${stuck}`);
      const source = ownFeed(40);
      const copy = emptyCopy(source);
      const driver = new CoreDriver(copy, { follow: seed % 2 === 0, live: seed % 3 > 0, stuck });
      if (seed % 2 === 1) {
        driver.give({ kind: "want", feed: 0, ranges: [{ start: 3, end: 30 }] });
      }
      driver.join(1, emptyCopy(ownFeed(3, 2)), 0);
      const invariants = new Invariants(driver, source, copy);
      const linked = new Set<number>();
      let next = 1;
      for (let step = 0; step < STEPS; step++) {
        const peers = [...linked];
        const peer = peers[random.below(Math.max(1, peers.length))];
        const roll = random.below(100);
        if (linked.size < PEERS && (roll < 5 || peer === undefined)) {
          if (roll % 2 === 0) driver.open(next, { live: roll % 3 === 0, ack: roll % 4 === 0 });
          else driver.give({ kind: "linked", peer: next, address: `${next % 9}`, primary: 0 });
          linked.add(next++);
        } else if (roll < 7) {
          driver.unlinked(peer);
          linked.delete(peer);
        } else if (roll < 12) {
          driver.now += random.below(3000);
          driver.give({ kind: "tick" });
        } else if (roll < 14) {
          const partialBytes = random.below(70_000);
          driver.give({ kind: "heard", peer, partialBytes });
        } else if (roll < 16 && stuck) {
          driver.flush(peer);
        } else if (roll < 18) {
          driver.give({ kind: "found", address: `${random.below(12)}`, primary: 0 });
        } else if (roll < 20) {
          driver.give({
            kind: "unreachable",
            address: `${random.below(12)}`,
            primary: 0,
            reason: "no",
          });
        } else {
          driver.say(peer, sensible(random, source, copy), random.below(4));
        }
        invariants.said();
        for (const ended of driver.ended.keys()) {
          if (!linked.delete(ended)) continue;
          driver.unlinked(ended);
          driver.waiting.delete(ended);
        }
        invariants.check();
      }
      invariants.checkContent();
      driver.give({ kind: "stop" });
      for (const peer of linked) driver.unlinked(peer);
      assert.equal(driver.core.finished, true);
    });
  }
}

Deno.test("any messages in any order leave the core able to fetch and to serve", () => {
  const types = [
    "info",
    "have",
    "unhave",
    "want",
    "unwant",
    "request",
    "cancel",
    "data",
    "extension",
    "handshake",
    "feed",
  ] as const;
  const message = fc.oneof(...types.map((type) => messageOfType(type)));
  const said = fc.array(fc.tuple(fc.nat(3), message), { maxLength: 60 });
  const source = ownFeed(12);
  fc.assert(
    fc.property(said, (messages) => {
      const copy = emptyCopy(source);
      const driver = new CoreDriver(copy, { follow: true });
      driver.open(1);
      for (const [channel, message] of messages) driver.say(1, message, channel);
      driver.open(2);
      driver.have(2, 0, 12);
      driver.unlinked(1);
      for (let asked = driver.requested(2); asked.length > 0; asked = driver.requested(2)) {
        driver.news();
        for (const index of asked) driver.say(2, answerFor(source, copy, index));
      }
      assert.equal(copy.blocks.size, 12);
      driver.ask(2, 5);
      assert.deepEqual(driver.newsOf(2, "data")[0].value, source.block(5));
    }),
    { seed: 5, numRuns: 400 },
  );
});
