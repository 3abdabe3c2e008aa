/**
 * Finding peers: topics go in, addresses come out. Works beside the synchronizer and never holds it
 * up; each source is on its own, and one that fails is news and nothing more.
 */
import type { Timers } from "../io/timers.ts";
import { isWorthATry } from "./candidates.ts";
import type {
  Candidate,
  DiscoverySource,
  Interest,
  SourceContext,
  SourceName,
  SourceState,
} from "./source.ts";
import { SOURCE_NAMES } from "./source.ts";
import type { Topic } from "./topic.ts";

/** An address that was found for a topic. */
export interface Found extends Candidate {
  readonly topic: Topic;
  readonly source: SourceName;
  /** It was not told before, as far as can be remembered. */
  readonly isNew: boolean;
  /** The host at that address said so itself. */
  readonly isOwn: boolean;
}

/** How a source fares with a topic. */
export interface SourceNews extends SourceState {
  readonly source: SourceName;
  /** How many addresses it named that were worth a try. */
  readonly found: number;
}

export interface DiscoveryOptions {
  readonly timers: Timers;
  readonly random: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
  /** How each source that is switched on is made. */
  readonly sources: Partial<Record<SourceName, (context: SourceContext) => DiscoverySource>>;
  /** Take private and loopback addresses from the DHTs too. */
  readonly allowPrivate?: boolean;
  /** Told of each address once in a while: see `REPEAT_MS`. */
  readonly onFound: (found: Found) => void;
  /** The state of a source changed. */
  readonly onNews?: (topic: Topic, news: SourceNews) => void;
}

/** Addresses of one topic that are kept in mind. Source: spec of errors and limits, section 8. */
const MAX_FOUND = 1000;

/** An address that is named again is told again after this time: whoever was there may be back. */
const REPEAT_MS = 15_000;

interface Joined {
  readonly topic: Topic;
  interest: Interest;
  /** When each address was told last, the longest ago first. */
  readonly told: Map<string, number>;
  /** Private addresses that each source named and that were left alone. */
  readonly refused: Map<SourceName, Set<string>>;
  /** Addresses that each source named. */
  readonly named: Map<SourceName, Set<string>>;
  /** What was told of each source. */
  readonly news: Map<SourceName, string>;
}

export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #sources: DiscoverySource[] = [];
  readonly #topics = new Map<string, Joined>();
  #publicPort: number | undefined;
  #closed = false;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    const { timers, random, randomBytes } = options;
    for (const name of SOURCE_NAMES) {
      const make = options.sources[name];
      if (make === undefined) continue;
      this.#sources.push(make({
        timers,
        random,
        randomBytes,
        found: (topic, candidate, from) => this.#found(name, topic, candidate, from),
        changed: (topic) => this.#changed(name, topic),
      }));
    }
  }

  /** Announce a topic, or look it up, or both; or change that. */
  join(topic: Topic, interest: Interest): void {
    if (this.#closed) return;
    const joined = this.#topics.get(topic.name);
    if (
      joined?.interest.lookup === interest.lookup &&
      joined.interest.announce === interest.announce
    ) return;
    if (joined !== undefined) joined.interest = interest;
    else {
      this.#topics.set(topic.name, {
        ...{ topic, interest },
        ...{ told: new Map(), named: new Map(), refused: new Map(), news: new Map() },
      });
    }
    for (const source of this.#sources) source.join(topic, this.#interestOf(source, interest));
  }

  /**
   * A router passes this port on to ours, or does not any more: beyond the local network that one is
   * announced.
   */
  setPublicPort(port: number | undefined): void {
    if (this.#closed || port === this.#publicPort) return;
    this.#publicPort = port;
    for (const { topic, interest } of this.#topics.values()) {
      if (interest.announce === undefined) continue;
      for (const source of this.#sources) {
        if (source.name !== "mdns") source.join(topic, this.#interestOf(source, interest));
      }
    }
  }

  #interestOf({ name }: DiscoverySource, interest: Interest): Interest {
    if (name === "mdns" || interest.announce === undefined) return interest;
    return { ...interest, announce: this.#publicPort ?? interest.announce };
  }

  /** Its last peer is gone: ask again, as far as sources would not do so soon anyway. */
  askAgain(topic: Topic): void {
    if (this.#closed || !this.#topics.has(topic.name)) return;
    for (const source of this.#sources) source.askAgain?.(topic);
  }

  leave(topic: Topic): void {
    if (!this.#topics.delete(topic.name)) return;
    for (const source of this.#sources) source.leave(topic);
  }

  /** How every source fares with a topic. */
  newsOf(topic: Topic): SourceNews[] {
    const joined = this.#topics.get(topic.name);
    if (joined === undefined) return [];
    return this.#sources.map((source) => newsOf(source, joined));
  }

  /** Withdraw what was announced and close every socket. Takes two seconds at most. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.#sources.map((source) => source.close()));
    this.#topics.clear();
  }

  #found(source: SourceName, { name }: Topic, candidate: Candidate, from: string): void {
    const joined = this.#topics.get(name);
    if (this.#closed || joined === undefined || !joined.interest.lookup) return;
    const { allowPrivate = false, onFound, timers } = this.#options;
    const { host, port } = candidate;
    const key = `${host} ${port}`;
    if (!isWorthATry(candidate, { source, from, allowPrivate })) {
      const wouldBe = isWorthATry(candidate, { source, from, allowPrivate: true });
      if (wouldBe) count(joined.refused, source, key);
      return;
    }
    count(joined.named, source, key);
    const now = timers.now();
    const before = joined.told.get(key);
    if (before !== undefined && now - before < REPEAT_MS) return;
    joined.told.delete(key);
    joined.told.set(key, now);
    if (joined.told.size > MAX_FOUND) joined.told.delete(joined.told.keys().next().value!);
    onFound({
      topic: joined.topic,
      source,
      host,
      port,
      isNew: before === undefined,
      isOwn: host === from,
    });
  }

  #changed(name: SourceName, topic: Topic | undefined): void {
    const { onNews } = this.#options;
    if (this.#closed || onNews === undefined) return;
    const source = this.#sources.find((source) => source.name === name);
    if (source === undefined) return; // it is being made
    const joined = topic === undefined
      ? [...this.#topics.values()]
      : [this.#topics.get(topic.name)];
    for (const one of joined) {
      if (one === undefined) continue;
      const news = newsOf(source, one);
      const text = `${news.state} ${news.message}`;
      if (one.news.get(name) === text) continue;
      one.news.set(name, text);
      onNews(one.topic, news);
    }
  }
}

function newsOf(source: DiscoverySource, { topic, named, refused }: Joined): SourceNews {
  const found = named.get(source.name)?.size ?? 0;
  const { state, message } = source.stateOf(topic);
  const left = refused.get(source.name)?.size ?? 0;
  const aside = left === 0
    ? ""
    : `, of which ${left} private and not tried (--allow-private tries them)`;
  return { source: source.name, state, message: message + aside, found };
}

function count(all: Map<SourceName, Set<string>>, source: SourceName, key: string): void {
  const known = all.get(source);
  if (known === undefined) all.set(source, new Set([key]));
  else if (known.size < MAX_FOUND) known.add(key);
}
