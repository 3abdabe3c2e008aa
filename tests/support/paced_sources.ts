/**
 * One core that downloads from sources of given pace and distance, under virtual time. Each source
 * answers in order, as the reference does.
 */
import type { FeedReader } from "../../src/core/feed/reader.ts";
import { REQUEST_COST, TICK_MS } from "../../src/core/sync/limits.ts";
import { answerFor, CoreDriver, emptyCopy } from "./core_driver.ts";
import type { MemoryFeed } from "./memory_feed.ts";

export interface SourceOptions {
  /** Bytes in a millisecond, `REQUEST_COST` for each answer among them. */
  readonly pace: number;
  readonly rttMs: number;
  /** It answers nothing from then on. */
  readonly stallsAt?: number;
  /** And goes on then. */
  readonly resumesAt?: number;
  /** It does nothing but this often, and then as much as it should have done meanwhile. */
  readonly burstMs?: number;
  /** Runs of blocks it has; all without it. */
  readonly has?: readonly { start: number; end: number }[];
  /** The reference ignores a Cancel. */
  readonly ignoresCancel?: boolean;
}

interface Waiting {
  readonly index: number;
  readonly arrivesAt: number;
}

class Source {
  readonly queue: Waiting[] = [];
  /** When it is done with what it answered last. */
  freeAt = 0;
  answered = 0;
  /** The most that waited here. */
  longest = 0;

  constructor(readonly options: SourceOptions) {}

  /** When the answer to the first request is at the core; Infinity if nothing is asked. */
  nextAt(bytes: number): { doneAt: number; at: number } {
    const [first] = this.queue;
    if (first === undefined) return { doneAt: Infinity, at: Infinity };
    const { pace, rttMs, stallsAt = Infinity, resumesAt = Infinity, burstMs = 0 } = this.options;
    const startsAt = Math.max(first.arrivesAt, this.freeAt);
    let doneAt = startsAt + (bytes + REQUEST_COST) / pace;
    if (doneAt >= stallsAt) doneAt = Math.max(doneAt, resumesAt);
    const sentAt = burstMs === 0 ? doneAt : Math.ceil(doneAt / burstMs) * burstMs;
    return { doneAt, at: sentAt + rttMs / 2 };
  }
}

export class PacedDownload extends CoreDriver {
  readonly source: MemoryFeed;
  readonly copy: MemoryFeed;
  readonly sources = new Map<number, Source>();
  /** Blocks that came when they were here already. */
  wasted = 0;
  cancels = 0;
  #tickAt = TICK_MS;

  /** Peers get the numbers 1, 2 and so on. */
  constructor(
    source: MemoryFeed,
    sources: readonly SourceOptions[],
    options: { maxPeers?: number } = {},
  ) {
    const copy = emptyCopy(source);
    super(copy, { ...options, follow: true });
    this.source = source;
    this.copy = copy;
    for (const [at, options] of sources.entries()) this.addSource(at + 1, options);
  }

  addSource(peer: number, options: SourceOptions): void {
    this.sources.set(peer, new Source(options));
    this.open(peer);
    const { has = [{ start: 0, end: this.source.length }] } = options;
    for (const { start, end } of has) this.have(peer, start, end - start);
    const [{ end }] = has.slice(-1);
    // The answer to a Want says as well that this is all.
    const bitfield = Uint8Array.of();
    const start = Math.ceil(end / 8192) * 8192;
    this.say(peer, { type: "have", start, length: 8192, bitfield, ack: false });
  }

  /** Run until the copy is complete or the time is over. Gives the virtual time. */
  run(maxMs: number, until: () => boolean = () => this.isComplete): number {
    while (!until() && this.now < maxMs) {
      this.#carry();
      const [peer, source] = this.#next();
      const { at, doneAt } = source.nextAt(this.#bytes(source));
      if (this.#tickAt <= at) {
        this.now = this.#tickAt;
        this.#tickAt += TICK_MS;
        for (const heard of this.sources.keys()) {
          if (!this.ended.has(heard)) this.give({ kind: "heard", peer: heard, partialBytes: 0 });
        }
        this.give({ kind: "tick" });
        continue;
      }
      this.now = Math.max(this.now, at);
      source.freeAt = doneAt;
      const { index } = source.queue.shift()!;
      source.answered++;
      if (this.copy.hasBlock(index)) this.wasted++;
      this.say(peer, answerFor(this.source, this.copy as FeedReader, index));
    }
    return this.now;
  }

  get isComplete(): boolean {
    return this.copy.blocks.size === this.source.length;
  }

  /** Hand over what the core asked since the last time. */
  #carry(): void {
    for (const { peer, message } of this.news()) {
      const source = this.sources.get(peer)!;
      if (message.type === "request") {
        const arrivesAt = this.now + source.options.rttMs / 2;
        source.queue.push({ index: message.index, arrivesAt });
        source.longest = Math.max(source.longest, source.queue.length);
      } else if (message.type === "cancel") {
        this.cancels++;
        if (source.options.ignoresCancel) continue;
        const at = source.queue.findIndex(({ index }) => index === message.index);
        if (at !== -1) source.queue.splice(at, 1);
      }
    }
  }

  /** Whose answer comes next. */
  #next(): [number, Source] {
    let next: [number, Source] | undefined;
    let first = Infinity;
    for (const [peer, source] of this.sources) {
      const at = this.ended.has(peer) ? Infinity : source.nextAt(this.#bytes(source)).at;
      if (next === undefined || at < first) {
        next = [peer, source];
        first = at;
      }
    }
    return next!;
  }

  #bytes({ queue: [first] }: Source): number {
    return first === undefined ? 0 : this.source.block(first.index)!.length;
  }
}
