/**
 * One core and scripted remotes: a test says what each remote sends and sees what the core answers.
 * Loads, stores and flushes are done at once, as a machine with a quick disk would.
 */
import { requestDigest } from "../../src/core/feed/digest.ts";
import { prove } from "../../src/core/feed/prove.ts";
import type { FeedReader } from "../../src/core/feed/reader.ts";
import type { Effect, FeedId, Input, PeerId, Report } from "../../src/core/sync/inputs.ts";
import { TICK_MS } from "../../src/core/sync/limits.ts";
import { SyncCore } from "../../src/core/sync/sync_core.ts";
import type { Data, Message } from "../../src/core/wire/messages.ts";
import { MemoryFeed } from "./memory_feed.ts";
import { Random } from "./random.ts";

/** A feed of our own with blocks of a few bytes. */
export function ownFeed(blocks: number, seed = 1): MemoryFeed {
  const random = new Random(`feed ${seed}`);
  const feed = MemoryFeed.owned(seed);
  if (blocks === 0) return feed;
  return feed.append(...Array.from({ length: blocks }, () => random.bytes(1 + random.below(40))));
}

/** A feed with the same key and nothing in it. */
export function emptyCopy(feed: MemoryFeed): MemoryFeed {
  return new MemoryFeed(feed.publicKey);
}

/** The answer of somebody with the feed `from` to a request of somebody with the feed `to`. */
export function answerFor(from: MemoryFeed, to: FeedReader, index: number): Data {
  const request = { block: index, hashOnly: false, digest: requestDigest(to, index) };
  return { type: "data", index, value: from.block(index), ...prove(from, request)! };
}

export interface DriverOptions {
  readonly live?: boolean;
  readonly persistent?: boolean;
  /** Fetch everything of feed 0. */
  readonly follow?: boolean;
  /** The system takes nothing of what is sent, until `flush`. */
  readonly stuck?: boolean;
  /** See `SyncOptions`. */
  readonly ack?: boolean;
  readonly uploads?: boolean;
  readonly maxPeers?: number;
  readonly maxPerHost?: number;
}

/** How a remote greets us. */
export interface RemoteOptions {
  readonly live?: boolean;
  readonly address?: string;
  /** The feed it links for; 0 without it. */
  readonly feed?: FeedId;
  /** What its process goes by; different for each peer without it. */
  readonly id?: Uint8Array;
}

/** 32 bytes, by which ids are in the order of their peers; ours comes between 99 and 100. */
export function idOf(peer: number): Uint8Array {
  const id = new Uint8Array(32);
  new DataView(id.buffer).setUint32(0, peer < 100 ? peer : 0x0a000000 + peer);
  return id;
}

export interface Sent {
  readonly peer: PeerId;
  readonly channel: number;
  readonly message: Message;
}

export class CoreDriver {
  readonly core: SyncCore;
  readonly id: Uint8Array;
  readonly feeds = new Map<FeedId, MemoryFeed>();
  readonly reports: Report[] = [];
  readonly sent: Sent[] = [];
  /** Why the core ended each link. */
  readonly ended = new Map<PeerId, unknown>();
  readonly dials: string[] = [];
  readonly keepalives: PeerId[] = [];
  now = 0;
  /** Bytes of each peer that wait for the system. */
  readonly waiting = new Map<PeerId, number>();
  readonly #stuck: boolean;
  #seen = 0;

  constructor(feed: MemoryFeed, options: DriverOptions = {}) {
    const { live = true, persistent = false, follow = false, stuck = false } = options;
    this.id = new Uint8Array(32).fill(9);
    const { maxPeers, maxPerHost, ack, uploads } = options;
    this.core = new SyncCore({ id: this.id, live, persistent, maxPeers, maxPerHost, ack, uploads });
    this.#stuck = stuck;
    this.join(0, feed, 0);
    if (follow) this.give({ kind: "follow", feed: 0 });
  }

  join(id: FeedId, feed: MemoryFeed, primary: FeedId): void {
    this.feeds.set(id, feed);
    this.give({ kind: "join", feed: id, reader: feed, primary });
  }

  /** One step, and then those that follow from its effects. Gives all effects. */
  give(input: Input): Effect[] {
    const all: Effect[] = [];
    const inputs = [input];
    for (let next = inputs.shift(); next !== undefined; next = inputs.shift()) {
      for (const effect of this.core.step(next, this.now)) {
        all.push(effect);
        const result = this.#perform(effect);
        if (result !== undefined) inputs.push(result);
      }
    }
    return all;
  }

  /** A remote that dialled us, named feed 0 on channel 0, and shook hands. */
  open(peer: PeerId, options: RemoteOptions & { ack?: boolean } = {}): void {
    const { address = `peer ${peer}` } = options;
    this.give({ kind: "linked", peer, address });
    this.greet(peer, options);
  }

  /** We dialled the remote, and it greets us. */
  dial(peer: PeerId, options: RemoteOptions = {}): void {
    const { address = `peer ${peer}` } = options;
    this.give({ kind: "linked", peer, address, primary: options.feed ?? 0 });
    this.greet(peer, options);
  }

  greet(peer: PeerId, options: RemoteOptions & { ack?: boolean }): void {
    const { live = true, ack = false, feed = 0, id = idOf(peer) } = options;
    this.name(peer, 0, feed);
    this.say(peer, { type: "handshake", id, live, extensions: [], ack });
  }

  /** The remote names a feed on a channel of its own. */
  name(peer: PeerId, channel: number, feed: FeedId | Uint8Array): void {
    const discoveryKey = typeof feed === "number" ? this.feeds.get(feed)!.discoveryKey : feed;
    this.say(peer, { type: "feed", discoveryKey }, channel);
  }

  say(peer: PeerId, message: Message, channel = 0): void {
    this.give({ kind: "message", peer, channel, message });
    this.give({ kind: "heard", peer, partialBytes: 0 });
  }

  have(peer: PeerId, start: number, length = 1, channel = 0): void {
    this.say(peer, { type: "have", start, length, ack: false }, channel);
  }

  ask(peer: PeerId, index: number, rest: { bytes?: number; hash?: boolean; nodes?: number } = {}) {
    const { bytes = 0, hash = false, nodes = 0 } = rest;
    this.say(peer, { type: "request", index, bytes, hash, nodes });
  }

  unlinked(peer: PeerId): void {
    this.give({ kind: "unlinked", peer, reason: "closed" });
  }

  /** Time passes, second by second; the remotes named are heard of meanwhile. */
  pass(ms: number, ...heard: readonly PeerId[]): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now = Math.min(end, this.now + TICK_MS);
      for (const peer of heard) this.give({ kind: "heard", peer, partialBytes: 0 });
      this.give({ kind: "tick" });
    }
  }

  /** The system takes all that waits. */
  flush(peer: PeerId): void {
    const bytes = this.waiting.get(peer) ?? 0;
    this.waiting.delete(peer);
    this.give({ kind: "flushed", peer, bytes });
  }

  /** What was sent since the last call, in order. */
  news(): Sent[] {
    const news = this.sent.slice(this.#seen);
    this.#seen = this.sent.length;
    return news;
  }

  /** The messages of one type that went to a peer since the last call of `news`. */
  newsOf<T extends Message["type"]>(peer: PeerId, type: T): Extract<Message, { type: T }>[] {
    return this.sent.slice(this.#seen)
      .filter((sent) => sent.peer === peer && sent.message.type === type)
      .map(({ message }) => message as Extract<Message, { type: T }>);
  }

  requested(peer: PeerId): number[] {
    return this.newsOf(peer, "request").map(({ index }) => index);
  }

  reportsOf<K extends Report["kind"]>(kind: K): Extract<Report, { kind: K }>[] {
    return this.reports.filter((report) => report.kind === kind) as Extract<Report, { kind: K }>[];
  }

  #perform(effect: Effect): Input | undefined {
    switch (effect.kind) {
      case "send": {
        const { peer, channel, message, bytes } = effect;
        this.sent.push({ peer, channel, message });
        if (!this.#stuck) return { kind: "flushed", peer, bytes };
        this.waiting.set(peer, (this.waiting.get(peer) ?? 0) + bytes);
        return undefined;
      }
      case "keepalive":
        this.keepalives.push(effect.peer);
        return undefined;
      case "unlink":
        if (!this.ended.has(effect.peer)) this.ended.set(effect.peer, effect.reason);
        return undefined;
      case "load": {
        const { peer, feed, request } = effect;
        const value = this.feeds.get(feed)!.block(request.block);
        return { kind: "loaded", peer, feed, request, value };
      }
      case "store":
        this.feeds.get(effect.feed)!.store(effect.block);
        return { kind: "stored", feed: effect.feed, blocks: [effect.block.block] };
      case "dial":
        this.dials.push(effect.address);
        return undefined;
      case "report":
        this.reports.push(effect.report);
        return undefined;
    }
  }
}
