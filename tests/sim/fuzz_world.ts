/**
 * One core among scripted remotes, for sequences of inputs that no honest remote would cause. Loads,
 * stores and flushes are answered when the script says so, and every effect is checked.
 */
import assert from "node:assert/strict";
import { prove } from "../../src/core/feed/prove.ts";
import type { FeedReader } from "../../src/core/feed/reader.ts";
import type { Data, Message } from "../../src/core/wire/messages.ts";
import type { Effect, FeedId, Input, PeerId } from "../../src/core/sync/inputs.ts";
import {
  MAX_DIALS,
  MAX_OUTBOX_BYTES,
  MAX_QUEUED_BYTES,
  SMALL_MESSAGE_BYTES,
} from "../../src/core/sync/limits.ts";
import { SyncCore } from "../../src/core/sync/sync_core.ts";
import { frameSize } from "../../src/core/wire/frame_writer.ts";
import { MemoryFeed } from "../support/memory_feed.ts";
import type { Random } from "../support/random.ts";
import { checkSizes, mostEffects } from "./watch.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

/** How often a step may ask its feeds for something, per link and feed. */
const MOST_LOOKS = 20_000;

/** Sizes are looked at in one step of so many. */
const STEPS_A_LOOK = 16;

/** A feed that counts what it is asked: the work that a step makes. */
class CountedFeed extends MemoryFeed {
  looks = 0;

  override hasBlock(block: number): boolean {
    this.looks++;
    return super.hasBlock(block);
  }

  override nextMissing(from: number, to: number): number {
    this.looks++;
    return super.nextMissing(from, to);
  }

  override nextHeld(from: number, to: number): number {
    this.looks++;
    return super.nextHeld(from, to);
  }

  override hasNode(treeIndex: number): boolean {
    this.looks++;
    return super.hasNode(treeIndex);
  }
}

/** A feed as its owner has it, and what the core has of it. */
export interface Archive {
  readonly source: MemoryFeed;
  readonly copy: FeedReader;
  readonly primary: FeedId;
  /** Another history under the same key, which remotes may have. */
  readonly other?: MemoryFeed;
}

/** What the core asked a remote for. */
export interface Asked {
  readonly feed: FeedId;
  readonly block: number;
  readonly hashOnly: boolean;
  readonly digest: number;
}

/** What the script knows of a link. */
export interface Remote {
  readonly peer: PeerId;
  readonly address: string;
  /** Of the feed that the link is opened with. */
  readonly primary: FeedId;
  /** What the core calls its channels: the feeds in the order they were named. */
  readonly named: FeedId[];
  /** What it asked for and has not been answered. */
  readonly asked: Asked[];
  /** Bytes that wait for the system, by message. */
  readonly waiting: number[];
  waitingBytes: number;
}

export class FuzzWorld {
  readonly random: Random;
  readonly core: SyncCore;
  readonly id: Uint8Array;
  readonly archives = new Map<FeedId, Archive>();
  readonly remotes = new Map<PeerId, Remote>();
  readonly dials: { address: string; primary: FeedId }[] = [];
  readonly loads: Extract<Effect, { kind: "load" }>[] = [];
  readonly stores: { feed: FeedId; block: number }[] = [];
  /** Feeds that take no further part. */
  readonly forked = new Set<FeedId>();
  now = 1000;
  steps = 0;
  mostEffects = 0;
  mostLooks = 0;
  #nextPeer = 1;

  constructor(random: Random) {
    this.random = random;
    this.id = random.bytes(32);
    const [live, persistent] = [random.below(4) > 0, random.below(2) > 0];
    this.core = new SyncCore({ id: this.id, live, persistent });
  }

  /** Let a feed take part: empty to begin with, unless a reader is given. */
  join(feed: FeedId, archive: Omit<Archive, "copy"> & { copy?: FeedReader }): void {
    const { source, primary } = archive;
    const copy = archive.copy ?? new CountedFeed(source.publicKey);
    this.archives.set(feed, { ...archive, copy });
    this.give({ kind: "join", feed, reader: copy, primary });
  }

  link(address: string, primary: FeedId, dialled: boolean): Remote {
    const peer = this.#nextPeer++;
    const rest = { named: [], asked: [], waiting: [], waitingBytes: 0 };
    const remote: Remote = { peer, address, primary, ...rest };
    this.remotes.set(peer, remote);
    this.give({ kind: "linked", peer, address, ...(dialled && { primary }) });
    return remote;
  }

  unlink(peer: PeerId): void {
    this.remotes.delete(peer);
    this.give({ kind: "unlinked", peer, reason: "closed" });
  }

  /** The owner's history of a feed, or the other one: but what comes first is taken for true. */
  historyOf(feed: FeedId, other: boolean): MemoryFeed {
    const archive = this.archives.get(feed)!;
    return other && archive.copy.length > 0 ? archive.other ?? archive.source : archive.source;
  }

  /** What a remote answers that has everything there is in `from`; undefined if it has not this. */
  answer({ block, hashOnly, digest }: Asked, from: MemoryFeed): Data | undefined {
    const value = hashOnly ? undefined : from.block(block);
    if (!from.hasBlock(block)) return undefined;
    return { type: "data", index: block, value, ...prove(from, { block, hashOnly, digest })! };
  }

  /** The disk gives a block that was asked for, or cannot. */
  load(effect: Extract<Effect, { kind: "load" }>, fails = false): void {
    const { peer, feed, request } = effect;
    this.loads.splice(this.loads.indexOf(effect), 1);
    const value = fails ? undefined : this.archives.get(feed)!.source.block(request.block);
    this.give({ kind: "loaded", peer, feed, request, value });
  }

  /** The same for everything that one remote waits for. */
  loadAll(peer: PeerId): void {
    for (;;) {
      const effect = this.loads.find((load) => load.peer === peer);
      if (effect === undefined) return;
      this.load(effect);
    }
  }

  give(input: Input): void {
    this.steps++;
    for (const { copy } of this.archives.values()) {
      if (copy instanceof CountedFeed) copy.looks = 0;
    }
    const effects = this.core.step(input, this.now);
    this.#check(effects);
    const ended: PeerId[] = [];
    for (const effect of effects) this.#perform(effect, ended);
    for (const peer of ended) this.unlink(peer);
  }

  #check(effects: readonly Effect[]): void {
    const { peers, feeds } = this.core.sizes();
    const most = mostEffects({ peers, feeds });
    assert.ok(effects.length <= most, `${effects.length} effects of one step, not ${most}`);
    this.mostEffects = Math.max(this.mostEffects, effects.length);
    const dials = effects.filter(({ kind }) => kind === "dial").length;
    assert.ok(dials <= MAX_DIALS, `${dials} dials in one step`);
    for (const { copy } of this.archives.values()) {
      if (!(copy instanceof CountedFeed)) continue;
      this.mostLooks = Math.max(this.mostLooks, copy.looks);
      assert.ok(copy.looks <= MOST_LOOKS, `one step looked ${copy.looks} times into a feed`);
    }
    if (this.steps % STEPS_A_LOOK === 0) checkSizes(this.core.sizes());
  }

  #perform(effect: Effect, ended: PeerId[]): void {
    switch (effect.kind) {
      case "send": {
        const remote = this.remotes.get(effect.peer);
        assert.ok(remote !== undefined && !ended.includes(effect.peer), "a message to nobody");
        return this.#send(remote, effect);
      }
      case "keepalive":
        return assert.ok(this.remotes.has(effect.peer), "a keepalive to nobody");
      case "unlink":
        if (this.remotes.has(effect.peer)) ended.push(effect.peer);
        return;
      case "load": {
        const waiting = this.remotes.get(effect.peer)!.waitingBytes;
        assert.ok(waiting < MAX_QUEUED_BYTES, `a block is read although ${waiting} bytes wait`);
        assert.ok(!this.loads.some(({ peer }) => peer === effect.peer), "two loads at once");
        this.loads.push(effect);
        return;
      }
      case "store": {
        const { source, copy } = this.archives.get(effect.feed)!;
        const { block, value } = effect.block;
        assertSameBytes(value, source.block(block), `another block ${block} is kept`);
        assert.ok(copy instanceof MemoryFeed, "a block of a feed that is not fetched");
        copy.store(effect.block);
        this.stores.push({ feed: effect.feed, block });
        return;
      }
      case "dial":
        this.dials.push(effect);
        return;
      case "report":
        if (effect.report.kind === "forked") this.forked.add(effect.report.feed);
        return;
    }
  }

  #send(remote: Remote, { channel, message, bytes }: Extract<Effect, { kind: "send" }>): void {
    assert.ok(frameSize({ channel, message }) > 0, "a message that cannot be put on the wire");
    if (message.type === "feed") {
      for (const [feed, { source }] of this.archives) {
        if (source.discoveryKey.every((byte, at) => byte === message.discoveryKey[at])) {
          remote.named[channel] = feed;
        }
      }
    } else if (message.type === "request") {
      const { index: block, hash: hashOnly, nodes: digest } = message;
      remote.asked.push({ feed: remote.named[channel], block, hashOnly, digest });
      if (remote.asked.length > 500) remote.asked.shift();
    }
    remote.waiting.push(bytes);
    remote.waitingBytes += bytes;
    const most = MAX_OUTBOX_BYTES + MAX_QUEUED_BYTES + 2 * SMALL_MESSAGE_BYTES;
    assert.ok(remote.waitingBytes <= most, `${remote.waitingBytes} bytes wait for one peer`);
  }
}

/** A whole message came from a remote, on a channel of its own. */
export function say(world: FuzzWorld, peer: PeerId, channel: number, message: Message): void {
  world.give({ kind: "message", peer, channel, message });
  world.give({ kind: "heard", peer, partialBytes: 0 });
}
