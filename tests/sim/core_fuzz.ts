/**
 * Random sequences of inputs for one core: remotes that say anything, links that come and go, disks
 * and sockets that answer late and out of order, clocks that jump. Whatever comes, the core goes on,
 * and afterwards it still fetches and serves everything.
 */
import type { FeedId } from "../../src/core/sync/inputs.ts";
import { ownFeed } from "../support/core_driver.ts";
import { BlankFeed } from "../../src/core/sync/probe.ts";
import { Random } from "../support/random.ts";
import { anyFeed, anyFlood, anyMessage, LARGE_BLOCK, number } from "./fuzz_messages.ts";
import { recover, stop } from "./fuzz_recovery.ts";
import { FuzzWorld, type Remote, say } from "./fuzz_world.ts";

const MAX_REMOTES = 8;

/** A block so large that a few of them fill an outbox. */
const LARGE_BYTES = 300 * 1024;

/** What time does between two inputs, in milliseconds. */
const JUMPS = [0, 1, 10, 500, 1000, 1000, 1000, 5000, 30_000, 3_600_000, -5000];

export interface CoreFuzzed {
  readonly steps: number;
  readonly mostEffects: number;
  readonly mostLooks: number;
}

/**
 * One sequence of so many moves; a move is one input or a few.
 *
 * @throws {AssertionError} If anything that must hold does not.
 */
export function fuzzCore(seed: string, moves: number): CoreFuzzed {
  const random = new Random(`core ${seed}`);
  const world = new FuzzWorld(random);
  try {
    new CoreFuzz(world).run(moves);
  } catch (error) {
    throw new Error(`Seed "${seed}", step ${world.steps}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const { steps, mostEffects, mostLooks } = world;
  return { steps, mostEffects, mostLooks };
}

class CoreFuzz {
  readonly #world: FuzzWorld;
  readonly #random: Random;
  readonly #content = ownFeed(60, 2);

  constructor(world: FuzzWorld) {
    this.#world = world;
    this.#random = world.random;
  }

  run(moves: number): void {
    const world = this.#world;
    // Another history ends a feed, so not every sequence has one.
    const other = this.#below(4) === 0 ? ownFeed(0, 1).append(...blocks(50)) : undefined;
    world.join(0, { source: ownFeed(40, 1), primary: 0, other });
    const large = new Uint8Array(LARGE_BYTES);
    const own = ownFeed(LARGE_BLOCK, 3).append(large);
    const longer = this.#below(4) === 0
      ? ownFeed(LARGE_BLOCK, 3).append(large).append(...blocks(5))
      : undefined;
    world.join(2, { source: own, copy: own, primary: 2, other: longer });
    if (this.#below(2) === 0) world.join(1, { source: this.#content, primary: 0 });
    this.#choose(0);
    if (this.#below(3) === 0) this.#compare();
    for (let move = 0; move < moves; move++) this.#move();
    if (!world.archives.has(1)) world.join(1, { source: this.#content, primary: 0 });
    recover(world);
    stop(world);
  }

  /** Compare what peers hold with a copy that is behind, ahead or another one. */
  #compare(): void {
    const world = this.#world;
    const source = ownFeed(25, 4);
    world.join(3, { source, copy: new BlankFeed(source.publicKey), primary: 3 });
    const against = this.#pick([
      ownFeed(0, 4),
      source,
      ownFeed(25, 4).append(...blocks(3)),
      ownFeed(0, 4).append(...blocks(9)),
    ]);
    world.give({ kind: "probe", feed: 3, against });
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)];
  }

  #move(): void {
    const world = this.#world;
    const remotes = [...world.remotes.values()];
    const remote = this.#pick(remotes);
    const roll = this.#below(1000);
    if (remote === undefined || (roll < 40 && remotes.length < MAX_REMOTES)) this.#link();
    else if (roll < 60) world.unlink(remote.peer);
    else if (roll < 110) this.#pass();
    else if (roll < 130) this.#meet();
    else if (roll < 150) this.#choose(this.#below(2) as FeedId);
    else if (roll < 160) this.#append();
    else if (roll < 230) this.#flush(remote);
    else if (roll < 290) this.#load();
    else if (roll < 350) this.#store();
    else if (roll < 370) this.#strange();
    else if (roll < 400) this.#hear(remote);
    else if (roll < 440) this.#greet(remote);
    else if (roll < 460) this.#flood(remote);
    else if (roll < 640) this.#answer(remote);
    else this.#say(remote);
  }

  #link(): void {
    const world = this.#world;
    const dial = this.#below(2) === 0 ? world.dials.shift() : undefined;
    const primary = this.#below(4) > 0 ? 0 : this.#pick(world.archives.has(3) ? [2, 3] : [2]);
    const remote = dial === undefined
      ? world.link(`10.0.0.${this.#below(12)}:${this.#below(9)}`, primary, this.#below(8) === 0)
      : world.link(dial.address, dial.primary, true);
    if (this.#below(3) > 0) this.#greet(remote);
  }

  /** What an honest remote says first; now and then in part only. */
  #greet({ peer, primary }: Remote): void {
    const world = this.#world;
    const { discoveryKey } = world.archives.get(primary)!.source;
    if (this.#below(9) > 0) say(this.#world, peer, 0, { type: "feed", discoveryKey });
    const flag = this.#below(2) === 0;
    const id = this.#random.bytes(32);
    const shake = { type: "handshake", id, live: flag, extensions: [], ack: flag } as const;
    if (this.#below(9) > 0) say(this.#world, peer, 0, shake);
    if (this.#below(2) === 0) {
      const discoveryKey = this.#content.discoveryKey;
      say(this.#world, peer, 1, { type: "feed", discoveryKey });
    }
  }

  #say(remote: Remote): void {
    const channel = this.#below(8) > 0 ? this.#below(2) : this.#below(256);
    const message = anyMessage(this.#world, remote);
    say(this.#world, remote.peer, channel, message);
  }

  /** A true answer to something that was asked, or a refusal. */
  #answer(remote: Remote): void {
    const world = this.#world;
    const [asked] = remote.asked.splice(this.#below(remote.asked.length), 1);
    if (asked === undefined) return this.#say(remote);
    const { feed, block } = asked;
    const channel = feed === remote.primary ? 0 : 1;
    const answer = world.answer(asked, world.historyOf(feed, this.#below(20) === 0));
    const refused = answer === undefined || this.#below(6) === 0;
    say(
      this.#world,
      remote.peer,
      channel,
      refused ? { type: "unhave", start: block, length: 1 } : answer,
    );
  }

  #flood(remote: Remote): void {
    const { count, channel, message, isUnread } = anyFlood(this.#world, remote);
    for (let n = 0; n < count && this.#world.remotes.has(remote.peer); n++) {
      const next = message(n);
      say(this.#world, remote.peer, next.type === "feed" ? (channel + n) % 256 : channel, next);
      if (isUnread) this.#world.loadAll(remote.peer);
    }
  }

  #hear({ peer }: Remote): void {
    const partialBytes = this.#pick([0, 1, 5000, this.#below(9_000_000)]);
    this.#world.give({ kind: "heard", peer, partialBytes });
  }

  /** The clock goes on, or jumps, or was set back. */
  #pass(): void {
    const world = this.#world;
    world.now = Math.max(0, world.now + this.#pick(JUMPS));
    world.give({ kind: "tick" });
    if (this.#below(20) > 0) return;
    // For a while nobody does anything, except that some are still there.
    const heard = [...world.remotes.keys()].filter(() => this.#below(2) === 0);
    const partialBytes = this.#below(2) * this.#below(9000);
    for (let left = this.#below(70); left > 0; left--) {
      world.now += 1000;
      for (const peer of heard) world.give({ kind: "heard", peer, partialBytes });
      world.give({ kind: "tick" });
    }
  }

  /** News of addresses. */
  #meet(): void {
    const world = this.#world;
    const address = `10.0.0.${this.#below(40)}:${this.#below(9)}`;
    const roll = this.#below(60);
    const many = roll === 59 ? 1500 : 0;
    for (let n = 0; n < many; n++) {
      world.give({ kind: "found", address: `10.9.${n >> 8}.${n & 255}:1`, primary: 0 });
    }
    for (const feed of [0, 1, 2]) world.core.obtainable(feed);
    if (roll < 30) world.give({ kind: "found", address, primary: this.#pick([0, 2]) });
    const failed = world.dials.splice(0, this.#below(3));
    for (const dial of failed) {
      world.give({ kind: "unreachable", address: dial.address, primary: 0, reason: "refused" });
    }
    if (roll >= 50) world.give({ kind: "unreachable", address, primary: 0, reason: "refused" });
  }

  /** Which blocks are fetched. */
  #choose(feed: FeedId): void {
    const world = this.#world;
    if (!world.archives.has(feed)) return world.join(1, { source: this.#content, primary: 0 });
    if (this.#below(3) > 0) return world.give({ kind: "follow", feed });
    const start = this.#below(40);
    const ranges = [{ start, end: start + this.#below(40) }, {
      start: 90,
      end: number(this.#random),
    }];
    world.give({ kind: "want", feed, ranges: ranges.filter(({ start, end }) => start < end) });
  }

  #append(): void {
    const { source } = this.#world.archives.get(2)!;
    if (source.length > 200) return;
    const start = source.length;
    source.append(...Array.from({ length: 1 + this.#below(5) }, () => this.#random.bytes(9)));
    this.#world.give({ kind: "appended", feed: 2, start });
  }

  /** The system takes some of what was sent, in its order. */
  #flush(remote: Remote): void {
    let bytes = 0;
    for (let left = this.#below(2 * remote.waiting.length + 2); left > 0; left--) {
      bytes += remote.waiting.shift() ?? 0;
    }
    remote.waitingBytes -= bytes;
    this.#world.give({ kind: "flushed", peer: remote.peer, bytes });
  }

  /** Some disk reads are done, in any order, and some fail. */
  #load(): void {
    const world = this.#world;
    for (let left = this.#below(9); left > 0 && world.loads.length > 0; left--) {
      world.load(this.#pick(world.loads), this.#below(20) === 0);
    }
  }

  /** Some disk writes are done, in any order. */
  #store(): void {
    const world = this.#world;
    const feed = this.#below(2) as FeedId;
    const done = world.stores.filter((store) => store.feed === feed && this.#below(3) > 0);
    if (done.length === 0) return;
    for (const store of done) world.stores.splice(world.stores.indexOf(store), 1);
    const blocks = done.map(({ block }) => block);
    if (this.#below(2) === 0) blocks.reverse();
    world.give({ kind: "stored", feed, blocks });
  }

  /** Inputs of links that are gone, or never were. */
  #strange(): void {
    const peer = 1_000_000 + this.#below(9);
    const request = { block: 1, hashOnly: false, digest: 0 };
    this.#world.give(this.#pick([
      { kind: "message", peer, channel: 0, message: anyFeed(this.#world) },
      { kind: "heard", peer, partialBytes: 7 },
      { kind: "flushed", peer, bytes: 64 },
      { kind: "unlinked", peer, reason: "closed" },
      { kind: "loaded", peer, feed: 0, request, value: new Uint8Array(3) },
    ]));
  }
}

/** Small blocks that no feed of another seed has. */
function blocks(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, n) => Uint8Array.of(n, 77));
}
