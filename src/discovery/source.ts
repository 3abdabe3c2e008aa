/**
 * What every way of finding peers is to the rest: it is given topics to announce and to look up, and
 * names addresses. It may fail at any time, which is news and no error: others go on.
 */
import type { Timers } from "../io/timers.ts";
import type { Topic } from "./topic.ts";

/** The ways of finding peers, as `--discovery` names them. */
export const SOURCE_NAMES = ["mdns", "dns", "dht", "hyperswarm"] as const;
export type SourceName = typeof SOURCE_NAMES[number];

/** Where a peer may be: an unauthenticated hint. The host is an IPv4 or IPv6 address. */
export interface Candidate {
  readonly host: string;
  readonly port: number;
}

/** What is done for a topic. */
export interface Interest {
  /** Find others. */
  readonly lookup: boolean;
  /** The TCP port at which we can be found; undefined: we are not announced. */
  readonly announce: number | undefined;
}

/** How a source fares with one topic. */
export interface SourceState {
  /**
   * `waiting`: it asked and nobody answered yet. `working`: somebody of its network answered, even
   * if only that there are no peers. `failed`: it cannot do its work, or nobody answered in time; it
   * goes on trying.
   */
  readonly state: "waiting" | "working" | "failed";
  /**
   * What it asked and what came of it, as a clause for people, without the source's name and without
   * a period: `asked 2 servers, none answered`.
   */
  readonly message: string;
}

/** One way of finding peers. */
export interface DiscoverySource {
  readonly name: SourceName;
  /** Begin with a topic, or change what is done for it. Does not throw and does not wait. */
  join(topic: Topic, interest: Interest): void;
  /** Somebody is looked for now. Of sources that would ask again by themselves much later. */
  askAgain?(topic: Topic): void;
  /** Have no more to do with a topic; what was announced is withdrawn as far as the network can. */
  leave(topic: Topic): void;
  /** How it fares with a topic that has joined. */
  stateOf(topic: Topic): SourceState;
  /** Withdraw everything and close all sockets, within two seconds. */
  close(): Promise<void>;
}

/** What a source is given to work with. */
export interface SourceContext {
  readonly timers: Timers;
  /** At least 0 and less than 1; spreads what many do over time. */
  readonly random: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
  /**
   * Tell of an address. Told again and again it costs nothing; the rules of `candidates.ts` are
   * applied behind it.
   *
   * @param from The IPv4 or IPv6 address of the host that said so.
   */
  found(topic: Topic, candidate: Candidate, from: string): void;
  /** What `stateOf` answers for the topic, or for all of them, may have changed. */
  changed(topic?: Topic): void;
}
