/** The memory of where peers may be: what to dial next, when to try again, when to give up. */
import type { FeedId, PeerAddress } from "./inputs.ts";
import {
  BAN_MS,
  EARLY_BREAK_MS,
  MAX_ADDRESSES,
  MAX_BAN_MS,
  MAX_DIALS,
  MAX_REST_MS,
  PROVEN_TRIES,
  REST_MS,
  RETRY_JITTER,
  RETRY_MS,
} from "./limits.ts";
import type { Breaks } from "./window.ts";

/**
 * `shared`: it leads to a peer that another link leads to as well, and is of no use while that one
 * is up.
 */
type AddressState = "waiting" | "dialling" | "linked" | "shared" | "given-up";

/** Where an address came from. */
export interface AddressOrigin {
  /**
   * Discovery named it, so most such lead nowhere: it is given up sooner, and tried again when it is
   * named again. Else a person gave it.
   */
  readonly discovered?: boolean;
  /** Of addresses that failed as often as each other, those of the lowest rank are dialled first. */
  readonly rank?: number;
}

interface Known {
  readonly address: PeerAddress;
  readonly primary: FeedId;
  discovered: boolean;
  rank: number;
  state: AddressState;
  /** When a waiting one is due; from when on one that was given up may be named again. */
  at: number;
  /** How often it was given up since it was of use. */
  rests: number;
  failures: number;
  /** Blocks went one way or the other there. */
  proven: boolean;
  /** How often whoever is there broke the protocol. */
  breaches: number;
  /** It led to a connection at some time. */
  wasLinked: boolean;
  /** A peer of the archive shook hands there. */
  hasAnswered: boolean;
  /** So many links in a row were lost early, and what they brought, on the average of late. */
  earlyBreaks: number;
  brought: number;
  /** The id of the peer that a shared one leads to. */
  remoteId?: string;
}

/** How many dials are under way, over all address books. */
export interface Dials {
  count: number;
}

export class AddressBook {
  readonly #known = new Map<PeerAddress, Known>();
  /** Try the last wait again and again instead of giving up. */
  readonly #persistent: boolean;
  /** At least 0 and less than 1. */
  readonly #random: () => number;
  readonly #dials: Dials;
  readonly #counts: Record<AddressState, number> = {
    waiting: 0,
    dialling: 0,
    linked: 0,
    shared: 0,
    "given-up": 0,
  };
  /** No waiting address is due before. */
  #nextAt = Infinity;

  /** @param options.random Spreads the tries of many over time; none without it. */
  constructor(options: { persistent: boolean; random?: () => number; dials?: Dials }) {
    this.#persistent = options.persistent;
    this.#random = options.random ?? (() => 0);
    this.#dials = options.dials ?? { count: 0 };
  }

  /** How many addresses are remembered, those given up included. */
  get size(): number {
    return this.#known.size;
  }

  /** Whether anything is dialled, linked or due later. */
  get hasProspects(): boolean {
    return this.#known.size > this.#counts["given-up"];
  }

  /** How many are being dialled. */
  get dialling(): number {
    return this.#counts.dialling;
  }

  /** Addresses where peers of the archive answered, and that did not fail again and again since. */
  get working(): PeerAddress[] {
    const working = [...this.#known.values()].filter(({ hasAnswered, failures }) =>
      hasAnswered && failures <= 1
    );
    return working.map(({ address }) => address);
  }

  add(address: PeerAddress, primary: FeedId, now: number, origin: AddressOrigin = {}): void {
    const { discovered = false, rank = 0 } = origin;
    const before = this.#known.get(address);
    if (before !== undefined) {
      before.discovered &&= discovered;
      before.rank = Math.min(before.rank, rank);
      if (before.state === "given-up" && before.at <= now) this.#wait(before, now);
      return;
    }
    if (this.#known.size >= MAX_ADDRESSES && !this.#forgetOne(rank)) return;
    const known: Known = {
      address,
      primary,
      discovered,
      rank,
      state: "waiting",
      at: now,
      rests: 0,
      failures: 0,
      proven: false,
      breaches: 0,
      wasLinked: false,
      hasAnswered: false,
      earlyBreaks: 0,
      brought: 0,
    };
    this.#known.set(address, known);
    this.#counts.waiting++;
    this.#nextAt = Math.min(this.#nextAt, now);
  }

  /**
   * Make room by the given up address that could be named again first, or else by the one that failed
   * most and never led anywhere, or else by an untried one of a rank above that of the newcomer.
   */
  #forgetOne(rank: number): boolean {
    let resting: Known | undefined;
    let failing: Known | undefined;
    let untried: Known | undefined;
    for (const known of this.#known.values()) {
      if (known.state === "given-up") {
        if (resting === undefined || known.at < resting.at) resting = known;
      } else if (known.state === "waiting" && !known.wasLinked && known.failures > 0) {
        if (failing === undefined || known.failures > failing.failures) failing = known;
      } else if (known.state === "waiting" && !known.wasLinked && known.rank > rank) {
        if (untried === undefined || known.rank > untried.rank) untried = known;
      }
    }
    const worst = resting ?? failing ?? untried;
    if (worst === undefined) return false;
    this.#counts[worst.state]--;
    return this.#known.delete(worst.address);
  }

  /**
   * The addresses to dial now; they count as being dialled from here on.
   *
   * @param room How many there may be besides those that are being dialled.
   */
  due(now: number, room = MAX_DIALS - this.dialling): { address: PeerAddress; primary: FeedId }[] {
    const due: Known[] = [];
    if (now < this.#nextAt || room <= 0) return due;
    this.#nextAt = Infinity;
    for (const known of this.#known.values()) {
      if (known.state !== "waiting") continue;
      if (known.at <= now) due.push(known);
      else this.#nextAt = Math.min(this.#nextAt, known.at);
    }
    // Those that fail again and again must not keep a new one waiting for ever.
    due.sort((a, b) => a.failures - b.failures || a.rank - b.rank);
    for (const known of due.splice(room)) this.#nextAt = Math.min(this.#nextAt, known.at);
    for (const known of due) this.#turn(known, "dialling");
    return due;
  }

  /** Whether an address is due that no connection was ever made to. */
  hasUntried(now: number): boolean {
    if (now < this.#nextAt) return false;
    for (const { state, at, wasLinked, failures } of this.#known.values()) {
      if (state === "waiting" && at <= now && !wasLinked && failures === 0) return true;
    }
    return false;
  }

  linked(address: PeerAddress): void {
    const known = this.#known.get(address);
    if (known === undefined) return;
    known.wasLinked = true;
    this.#turn(known, "linked");
  }

  /** The peer there shook hands, so it has the archive. */
  answered(address: PeerAddress): void {
    const known = this.#known.get(address);
    if (known !== undefined) known.hasAnswered = true;
  }

  /** The peer there turned out to be of use: earlier failures are forgiven. */
  proven(address: PeerAddress): void {
    const known = this.#known.get(address);
    if (known === undefined) return;
    known.failures = 0;
    known.rests = 0;
    known.proven = true;
  }

  /** Whether the address led to a peer that was of use. */
  isProven(address: PeerAddress): boolean {
    return this.#known.get(address)?.proven ?? false;
  }

  /** Whether nobody but discovery named the address. */
  isDiscovered(address: PeerAddress): boolean {
    return this.#known.get(address)?.discovered ?? false;
  }

  /**
   * The link there was lost while it brought blocks: the address is due at once.
   *
   * @param link Since when it was up, and what its answers cost.
   */
  lost(address: PeerAddress, now: number, link: { since: number; brought: number }): void {
    const known = this.#known.get(address);
    if (known === undefined || known.state === "given-up") return;
    known.failures = 0;
    known.earlyBreaks = now - link.since < EARLY_BREAK_MS ? known.earlyBreaks + 1 : 0;
    const weight = known.earlyBreaks > 1 ? 1 / 4 : 1;
    known.brought += (link.brought - known.brought) * weight;
    this.#wait(known, now);
  }

  /** How many links there broke early in a row, and what they brought before. */
  breaks(address: PeerAddress): Breaks | undefined {
    const known = this.#known.get(address);
    if (known === undefined || known.earlyBreaks === 0) return undefined;
    return { inRow: known.earlyBreaks, after: known.brought };
  }

  /** The address failed or its link ended. Answers the wait until the next try, if there is one. */
  failed(address: PeerAddress, now: number): number | undefined {
    const known = this.#known.get(address);
    if (known === undefined || known.state === "given-up") return undefined;
    const last = RETRY_MS.length - 1;
    if (known.failures > last && !this.#staysWith(known)) {
      this.#rest(known, now, REST_MS);
      return undefined;
    }
    const usual = RETRY_MS[Math.min(known.failures, last)];
    const wait = Math.round(usual * (1 + RETRY_JITTER * this.#random()));
    known.failures++;
    this.#wait(known, now + wait);
    return wait;
  }

  /**
   * Whoever is there hung up before it said who it is: most likely it does not have the archive. This
   * counts twice; one that discovery named is left alone until it is named again. Answers as `failed`.
   */
  refused(address: PeerAddress, now: number): number | undefined {
    const known = this.#known.get(address);
    if (known === undefined || known.state === "given-up") return undefined;
    if (!known.proven) {
      if (known.discovered) return void this.#rest(known, now, BAN_MS);
      this.failed(address, now);
    }
    return this.failed(address, now);
  }

  #staysWith({ discovered, proven, failures }: Known): boolean {
    return this.#persistent && (!discovered || proven && failures < PROVEN_TRIES);
  }

  /** Give an address up until it is named again, which it must not be too soon. */
  #rest(known: Known, now: number, ms: number): void {
    const wait = Math.min(ms * 2 ** known.rests, MAX_REST_MS);
    known.at = now + Math.round(wait * (1 + RETRY_JITTER * this.#random()));
    known.rests++;
    this.#turn(known, "given-up");
  }

  /** The address leads to a peer of this id, to which another link is up. */
  shared(address: PeerAddress, remoteId: string): void {
    const known = this.#known.get(address);
    if (known === undefined || known.state === "given-up") return;
    known.remoteId = remoteId;
    this.#turn(known, "shared");
  }

  /** No link to the peer of this id is up any more: the addresses that lead to it count again. */
  parted(remoteId: string, now: number): void {
    if (this.#counts.shared === 0) return;
    for (const known of this.#known.values()) {
      if (known.state === "shared" && known.remoteId === remoteId) {
        this.#wait(known, now + RETRY_MS[0]);
      }
    }
  }

  /**
   * Whoever is there broke the protocol: the address is left alone for a while, for twice as long each
   * time. Answers for how long.
   */
  breached(address: PeerAddress, now: number): number | undefined {
    const known = this.#known.get(address);
    if (known === undefined || known.state === "given-up") return undefined;
    const wait = Math.min(BAN_MS * 2 ** known.breaches, MAX_BAN_MS);
    known.breaches++;
    this.#wait(known, now + wait);
    return wait;
  }

  /** Never try this one again in this run. */
  ban(address: PeerAddress): void {
    const known = this.#known.get(address);
    if (known === undefined) return;
    known.at = Infinity;
    this.#turn(known, "given-up");
  }

  /** Nobody asks any more: what is being dialled does not count. */
  close(): void {
    this.#dials.count -= this.#counts.dialling;
    this.#counts.dialling = 0;
    this.#known.clear();
  }

  #wait(known: Known, at: number): void {
    known.at = at;
    this.#nextAt = Math.min(this.#nextAt, at);
    this.#turn(known, "waiting");
  }

  #turn(known: Known, state: AddressState): void {
    if (known.state === "dialling") this.#dials.count--;
    if (state === "dialling") this.#dials.count++;
    this.#counts[known.state]--;
    this.#counts[state]++;
    known.state = state;
  }
}
