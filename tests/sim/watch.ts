/**
 * What must hold after every step of every core of a swarm, whatever the others do: nothing
 * unproven is kept, and nothing grows without bound.
 */
import assert from "node:assert/strict";
import { equalBytes } from "../../src/base/bytes.ts";
import type { VerifiedBlock } from "../../src/core/feed/reader.ts";
import type { Effect, FeedId } from "../../src/core/sync/inputs.ts";
import {
  MAX_ADDRESSES,
  MAX_DIALS,
  MAX_EARLY_BYTES,
  MAX_EARLY_MESSAGES,
  MAX_OUTBOX_BYTES,
  MAX_QUEUED_BYTES,
  MAX_QUEUED_REQUESTS,
  MAX_REQUESTS,
  MAX_UNKNOWN_CHANNELS,
  MAX_WANT_MEMORY,
  MAX_WANTS,
} from "../../src/core/sync/limits.ts";
import type { SyncSizes } from "../../src/core/sync/sizes.ts";
import { MAX_CHANNELS } from "../../src/core/wire/frame.ts";
import type { MemoryFeed } from "../support/memory_feed.ts";
import type { Node, Swarm } from "../support/swarm.ts";

const MINUTE = 60_000;

/** An address is dialled at most so often in a minute: a wait of a second, then longer ones. */
const MAX_DIALS_A_MINUTE = 30;

/** Sizes are looked at in one step of so many. */
const STEPS_A_LOOK = 37;

export class Watch {
  readonly #swarm: Swarm;
  /** What is true, by feed number. */
  readonly #truth: ReadonlyMap<FeedId, MemoryFeed>;
  /** Dials of each node within the minute at hand. */
  readonly #dialsOfAll = new Map<string, number>();
  #minute = 0;
  /** Times of dials within the last minute, by node and address. */
  readonly #dials = new Map<string, number[]>();
  /** How long a node's feed was when it last said that it had everything. */
  readonly #complete = new WeakMap<Node, number>();
  #steps = 0;
  /** The largest value each size ever had. */
  readonly most: Record<string, number> = {};
  /** The most effects that one step had. */
  mostEffects = 0;
  /** The most dials of one address by one node in a minute, and of all addresses. */
  mostDials = 0;
  mostDialsOfAll = 0;

  constructor(swarm: Swarm, truth: ReadonlyMap<FeedId, MemoryFeed>) {
    this.#swarm = swarm;
    this.#truth = truth;
    swarm.watch = (node, _input, effects) => this.#see(node, effects);
  }

  get steps(): number {
    return this.#steps;
  }

  /** Whether a node says that it has everything, and there was no more since. */
  isComplete(node: Node): boolean {
    return this.#complete.get(node) === node.feed.length;
  }

  #see(node: Node, effects: readonly Effect[]): void {
    this.#steps++;
    if (effects.length > 0) this.#checkEffects(node, effects);
    if (this.#steps % STEPS_A_LOOK === 0) this.#note(checkSizes(node.core.sizes()));
  }

  #checkEffects(node: Node, effects: readonly Effect[]): void {
    this.mostEffects = Math.max(this.mostEffects, effects.length);
    const { peers, feeds } = node.core.sizes();
    const most = mostEffects({ peers, feeds });
    assert.ok(effects.length <= most, `${node.name}: ${effects.length} effects, not ${most}`);
    for (const effect of effects) {
      if (effect.kind === "store") this.#checkStored(node, effect.feed, effect.block);
      if (effect.kind === "report" && effect.report.kind === "complete") {
        this.#complete.set(node, node.feed.length);
      }
      if (effect.kind === "dial") this.#checkDials(node, effect.address);
    }
  }

  #checkStored(node: Node, feed: FeedId, { block, value, nodes }: VerifiedBlock): void {
    const truth = this.#truth.get(feed)!;
    assert.deepEqual(value, truth.block(block), `${node.name} keeps another block ${block}`);
    for (const { index, hash, size } of nodes) {
      const real = truth.node(index);
      const isSame = real !== undefined && equalBytes(real.hash, hash) && real.size === size;
      assert.ok(isSame, `${node.name} keeps another tree node ${index}`);
    }
  }

  #checkDials(node: Node, address: string): void {
    const { now } = this.#swarm;
    if (now - this.#minute >= MINUTE) this.#startMinute(now);
    const all = (this.#dialsOfAll.get(node.name) ?? 0) + 1;
    this.#dialsOfAll.set(node.name, all);
    this.mostDialsOfAll = Math.max(this.mostDialsOfAll, all);
    const name = `${node.name} to ${address}`;
    const times = this.#dials.get(name) ?? [];
    while (times.length > 0 && times[0] <= now - MINUTE) times.shift();
    times.push(now);
    this.#dials.set(name, times);
    this.mostDials = Math.max(this.mostDials, times.length);
    assert.ok(times.length <= MAX_DIALS_A_MINUTE, `${name}: ${times.length} dials in a minute`);
  }

  /** Forget what is older than a minute. */
  #startMinute(now: number): void {
    this.#minute = now;
    this.#dialsOfAll.clear();
    for (const [name, times] of this.#dials) {
      if (times[times.length - 1] <= now - MINUTE) this.#dials.delete(name);
    }
  }

  #note(sizes: SyncSizes): void {
    for (const [what, size] of Object.entries(sizes)) {
      this.most[what] = Math.max(this.most[what] ?? 0, size);
    }
  }
}

/** Each link may be asked for its share and told a run of news; dials and ends come on top. */
export function mostEffects({ peers, feeds }: { peers: number; feeds: number }): number {
  const aLink = MAX_REQUESTS + MAX_WANTS + 2 * MAX_QUEUED_REQUESTS + 16;
  return MAX_DIALS + (peers + 1) * (feeds + 1) * aLink;
}

/** Fail if a core holds more than its limits say. Gives the sizes back. */
export function checkSizes(sizes: SyncSizes): SyncSizes {
  // One message may pass the limit of an outbox: that is what ends the link.
  const outbox = MAX_OUTBOX_BYTES + MAX_QUEUED_BYTES;
  atMost(sizes, "mostInFlight", MAX_REQUESTS);
  atMost(sizes, "mostQueuedBytes", outbox);
  atMost(sizes, "mostQueuedRequests", MAX_QUEUED_REQUESTS);
  atMost(sizes, "mostAddresses", MAX_ADDRESSES);
  atMost(sizes, "mostEarlyBytes", MAX_EARLY_BYTES);
  atMost(sizes, "earlyMessages", sizes.peers * MAX_CHANNELS * MAX_EARLY_MESSAGES);
  atMost(sizes, "unknownFeeds", sizes.peers * MAX_UNKNOWN_CHANNELS);
  atMost(sizes, "channels", sizes.peers * MAX_CHANNELS);
  atMost(sizes, "mostWantAnswers", MAX_WANT_MEMORY);
  atMost(sizes, "links", sizes.peers * sizes.feeds);
  atMost(sizes, "reserved", sizes.inFlight);
  for (const [what, size] of Object.entries(sizes)) assert.ok(size >= 0, `${what}: ${size}`);
  return sizes;
}

function atMost(sizes: SyncSizes, what: keyof SyncSizes, limit: number): void {
  assert.ok(sizes[what] <= limit, `${what}: ${sizes[what]}, at most ${limit} are fine`);
}
