/**
 * When a DHT is gone through for which topic. A round asks some 80 nodes and announces at 20: about
 * 100 packets out and as many in. With one round in 12.5 minutes (BitTorrent; 7.5 for hyperswarm)
 * that is 8 packets (14) a minute out for each archive.
 */
import type { Timers } from "../io/timers.ts";
import type { Candidate, Interest } from "./source.ts";
import { within } from "./time_limit.ts";
import type { Topic } from "./topic.ts";

/** One way through the DHT for one topic. */
export interface Round {
  readonly topic: Topic;
  readonly interest: Interest;
  readonly signal: AbortSignal;
  onAnswer(): void;
  onAddress(candidate: Candidate, from: string): void;
}

/** What came of the last round, or of the first one so far. */
export interface Counts {
  /** Nodes that answered. */
  readonly answers: number;
  /** Addresses that they named. */
  readonly addresses: number;
}

export interface RoundsOptions {
  readonly timers: Timers;
  readonly random: () => number;
  /** From the end of a round to the next of its topic: at least, and what chance adds, in ms. */
  readonly period: { readonly least: number; readonly spread: number };
  /** Ends soon after the round's signal, and does not reject. */
  readonly run: (round: Round) => Promise<void>;
  readonly found: (topic: Topic, candidate: Candidate, from: string) => void;
  readonly changed: (topic: Topic) => void;
  /** Nobody answered a round. */
  readonly silent: () => void;
}

/**
 * Topics that are gone through at once. A round takes 5 to 10 seconds, mostly spent on nodes that
 * are gone, so a thousand topics take 10 to 20 minutes; with more at once they would get in each
 * other's way.
 */
const AT_ONCE = 8;

/** An ordinary round has ended long before. */
const ROUND_MS = 60_000;

/**
 * The first rounds follow each other sooner: who starts at the same moment as we do has announced
 * himself right after we looked. Only where few topics are served, for which somebody may wait.
 */
const EARLY_MS = [60_000, 180_000];
const EARLY_TOPICS = 32;

/** Rounds of a topic whose peers are gone are so far from each other at least. */
const HASTE_MS = 20_000;

interface Entry {
  readonly topic: Topic;
  interest: Interest;
  due: number;
  /** When its last round ended. */
  endedAt: number;
  rounds: number;
  answers: number;
  addresses: number;
  /** The port that nodes may have been told. */
  announced: number | undefined;
  /** Ends the round that is on its way. */
  abort: AbortController | undefined;
}

export class TopicRounds {
  readonly #options: RoundsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #running = new Set<Promise<void>>();
  #isOn = false;
  #cancel = () => {};

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /** Take up a topic, or change what is done for it: its next round begins now. */
  set(topic: Topic, interest: Interest): void {
    const entry = this.#entries.get(topic.name);
    const due = this.#options.timers.now();
    if (entry !== undefined) Object.assign(entry, { interest, due });
    else {
      this.#entries.set(topic.name, {
        ...{ topic, interest, due, endedAt: -Infinity, rounds: 0, answers: 0, addresses: 0 },
        ...{ announced: undefined, abort: undefined },
      });
    }
    this.#pump();
  }

  /** The next round of a topic begins now, if the last one is not just over. */
  hasten({ name }: Topic): void {
    const entry = this.#entries.get(name);
    const now = this.#options.timers.now();
    if (entry === undefined || entry.abort !== undefined || now - entry.endedAt < HASTE_MS) return;
    entry.due = Math.min(entry.due, now);
    this.#pump();
  }

  /** Gives the port that may have been announced. */
  remove({ name }: Topic): number | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    this.#entries.delete(name);
    entry.abort?.abort();
    return entry.announced;
  }

  /** Undefined if no round of the topic has begun yet. */
  countsOf({ name }: Topic): Counts | undefined {
    const entry = this.#entries.get(name);
    return entry?.rounds === 0 && entry.abort === undefined ? undefined : entry;
  }

  /** There is somebody to ask. */
  resume(): void {
    this.#isOn = true;
    this.#pump();
  }

  /** Begin no more rounds. */
  pause(): void {
    this.#isOn = false;
    this.#cancel();
  }

  /** End all rounds; `settled` waits for them. Gives what was announced, the latest first. */
  close(): { topic: Topic; port: number }[] {
    this.pause();
    const announced = [...this.#entries.values()].flatMap(({ topic, announced: port }) =>
      port === undefined ? [] : [{ topic, port }]
    );
    for (const { abort } of this.#entries.values()) abort?.abort();
    this.#entries.clear();
    return announced.reverse();
  }

  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  #pump(): void {
    this.#cancel();
    if (!this.#isOn) return;
    const { timers } = this.#options;
    while (this.#running.size < AT_ONCE) {
      const next = this.#next();
      if (next === undefined) return;
      const wait = next.due - timers.now();
      if (wait > 0) {
        this.#cancel = timers.after(wait, () => this.#pump());
        return;
      }
      this.#start(next);
    }
  }

  /** The topic whose turn it is next. */
  #next(): Entry | undefined {
    let next: Entry | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.abort === undefined && (next === undefined || entry.due < next.due)) next = entry;
    }
    return next;
  }

  #start(entry: Entry): void {
    entry.abort = new AbortController();
    const round = this.#round(entry, entry.abort.signal);
    this.#running.add(round);
    round.then(() => {
      this.#running.delete(round);
      this.#pump();
    });
  }

  async #round(entry: Entry, signal: AbortSignal): Promise<void> {
    const { timers, run, found, changed, silent } = this.#options;
    const { topic, interest } = entry;
    if (interest.announce !== undefined) entry.announced = interest.announce;
    let answers = 0;
    const addresses = new Set<string>();
    const show = () => {
      Object.assign(entry, { answers, addresses: addresses.size });
      changed(topic);
    };
    await within(ROUND_MS, { timers, signal }, (signal) =>
      run({
        topic,
        interest,
        signal,
        onAnswer: () => {
          if (++answers === 1 && entry.rounds === 0) show();
        },
        onAddress: (candidate, from) => {
          if (signal.aborted) return;
          addresses.add(`${candidate.host} ${candidate.port}`);
          if (addresses.size === 1 && entry.rounds === 0) show();
          found(topic, candidate, from);
        },
      }));
    entry.abort = undefined;
    if (signal.aborted) return;
    if (answers === 0) return silent();
    entry.rounds++;
    entry.endedAt = timers.now();
    // What it is to do may have changed on the way: then its next round is due already.
    if (entry.interest === interest) entry.due = timers.now() + this.#pauseAfter(entry);
    show();
  }

  #pauseAfter({ rounds }: Entry): number {
    const { period, random } = this.#options;
    const early = this.#entries.size <= EARLY_TOPICS ? EARLY_MS[rounds - 1] : undefined;
    if (early !== undefined) return early * (1 + random() / 2);
    return period.least + period.spread * random();
  }
}
