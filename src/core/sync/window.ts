/**
 * How much may be asked of one peer at once, measured from its answers: enough to keep it busy over
 * its round trip and a little more, never more than it can answer in a few seconds.
 *
 * Requests are counted in units of cost: the bytes of the block and a fixed part for the work that
 * any answer makes, so that feeds of tiny and of large blocks go by one measure.
 */
import { CancelRecord } from "./cancels.ts";
import {
  BREAK_SHARE,
  GAP_MEMORY_MS,
  MAX_EARLY_BREAKS,
  MAX_QUEUE_MS,
  MAX_REQUESTS,
  MIN_REQUESTS,
  PATIENCE,
  REQUEST_BATCH,
  REQUEST_COST,
  RESCUE_BYTES_PER_MS,
  RESCUE_MS,
  SPARE_SHARE,
  STALL_MS,
  START_REQUESTS,
  START_WINDOW,
  WINDOW_FLOOR_MS,
} from "./limits.ts";

/** Links to one peer that broke early: how many in a row, and what all answers on one cost on average. */
export interface Breaks {
  readonly inRow: number;
  readonly after: number;
}

/** One request on its way. Times in milliseconds, the rest in units of cost. */
export interface Asked {
  at: number;
  /** What it was taken to cost when it was asked. */
  readonly cost: number;
  /** What the peer owed from then on, this one included. */
  readonly queued: number;
  /** What the peer had answered by then, and when the last of it came. */
  readonly delivered: number;
  deliveredAt: number;
  /** The most that might be owed by then. */
  readonly size: number;
  /** Which one of all requests to the peer it is. */
  readonly serial: number;
}

export class Window {
  /** What is on its way: cost, and requests. */
  owed = 0;
  count = 0;
  /** The shortest time from a request to its answer; undefined before the first one. */
  rtt: number | undefined;
  /** Cost answered in a millisecond; 0 before the first answer. */
  rate = 0;
  /** The most that may be owed. */
  size = START_WINDOW;
  /** What becomes of requests that are taken back. */
  readonly cancels = new CancelRecord();
  #serial = 0;
  #delivered = 0;
  /** What became of the links before this one, if they broke early; else this one is not held back. */
  #breaks: Breaks | undefined;
  #deliveredAt = 0;
  /** The longest pause between two answers of late: some peers send a second's worth at a time. */
  #gap = 0;
  /** The rate is the peer's, and not that of what it was asked for. */
  #isPacing = false;

  /**
   * Links to this peer broke early: what is on its way then is lost, so this one is asked for a small
   * part at once of what those brought, or it did. Undefined: it held longer than they.
   */
  expectBreak(breaks: Breaks | undefined): void {
    this.#breaks = breaks;
    this.size = Math.min(this.size, this.#safe);
  }

  /** What all answers so far cost. */
  get delivered(): number {
    return this.#delivered;
  }

  ask(cost: number, now: number): Asked {
    if (this.count === 0) this.#deliveredAt = now; // it had nothing to do: no time of its own
    this.owed += cost;
    this.count++;
    return {
      at: now,
      cost,
      queued: this.owed,
      delivered: this.#delivered,
      deliveredAt: this.#deliveredAt,
      size: this.size,
      serial: this.#serial++,
    };
  }

  /** A request is over without an answer that says how fast the peer is. */
  drop({ cost }: Asked): void {
    this.count--;
    this.owed = this.count === 0 ? 0 : this.owed - cost; // no rounding is left behind
  }

  /** The block came; `cost` is what it really costs. */
  answered(asked: Asked, cost: number, now: number): void {
    this.drop(asked);
    const gap = now - this.#deliveredAt;
    this.#gap = Math.max(gap, this.#gap * (1 - Math.min(1, gap / GAP_MEMORY_MS)));
    this.#delivered += cost;
    this.#deliveredAt = now;
    const took = Math.max(now - asked.at, MIN_INTERVAL_MS);
    this.rtt = this.rtt === undefined ? took : Math.min(this.rtt, took);
    // Over the whole time that the request waited, so that answers in bursts are no faster peer.
    // Source: the delivery rate of TCP's BBR.
    const interval = Math.max(now - asked.deliveredAt, MIN_INTERVAL_MS);
    const sample = (this.#delivered - asked.delivered) / interval;
    // The window was about full, by what blocks turned out to cost: so the pace is the peer's own.
    const isFull = 2 * asked.queued * Math.max(1, cost / asked.cost) >= asked.size;
    if (sample > this.rate) this.rate += (sample - this.rate) * (this.rate === 0 ? 1 : 0.5);
    // Who was asked for little cannot show how fast it is.
    else if (isFull) this.rate += (sample - this.rate) / 8;
    this.#isPacing ||= isFull;
    const waitMs = Math.min(this.rtt + this.#gap, MAX_QUEUE_MS);
    const lasting = Math.max(START_WINDOW, this.#delivered * SPARE_SHARE);
    const spare = Math.min(this.rate * WINDOW_FLOOR_MS, lasting);
    const target = this.rate * (this.rtt + waitMs) + spare;
    // By what was answered at most: this doubles in a round trip, and a burst out of some buffer
    // opens the window by no more than the burst.
    this.size = Math.min(target, Math.max(this.size, START_WINDOW) + cost, this.#safe);
  }

  /** The peer did not keep up: ask for little until its answers say otherwise. */
  shrink(): void {
    this.rate /= 4;
    this.size = Math.min(this.size, START_WINDOW) / 4;
  }

  /** How many requests of this cost may be added. */
  room(cost: number): number {
    const blocks = Math.floor((this.size - this.owed) / cost);
    const least = this.#safe < MIN_REQUESTS * cost ? 1 : MIN_REQUESTS;
    return Math.min(Math.max(blocks, least - this.count), this.#most - this.count);
  }

  /** How many must be free before any are asked for: see `REQUEST_BATCH`. */
  batch(cost: number): number {
    const blocks = Math.min(this.size / cost, this.#most);
    return Math.min(REQUEST_BATCH, Math.max(1, Math.floor(blocks / 4)));
  }

  /** The most that may be owed for the sake of a link that may break. */
  get #safe(): number {
    if (this.#breaks === undefined) return Infinity;
    const { inRow, after } = this.#breaks;
    return Math.max(after, this.#delivered) * BREAK_SHARE / Math.min(inRow, MAX_EARLY_BREAKS);
  }

  get #most(): number {
    return this.rtt === undefined ? START_REQUESTS : MAX_REQUESTS;
  }

  /** How long the answer to a request that makes so much owed should take; undefined: no idea. */
  expectedMs(queued: number): number | undefined {
    return this.rtt === undefined ? undefined : this.rtt + queued / this.rate;
  }

  /** The same for a peer that may be faster than it had occasion to show. */
  hopedMs(queued: number): number {
    return (this.rtt ?? 0) + (this.#isPacing ? queued / this.rate : 0);
  }

  /** How long answers that cost so much should take one behind another; undefined: no idea. */
  paceMs(cost: number): number | undefined {
    if (this.rtt === undefined) return undefined;
    return this.#isPacing ? cost / this.rate : 0;
  }

  /** How long an answer may take before the block is asked of another. */
  patienceMs(queued: number): number {
    const expected = this.expectedMs(queued);
    if (expected !== undefined) return Math.max(STALL_MS, PATIENCE * expected);
    return Math.max(RESCUE_MS, queued / RESCUE_BYTES_PER_MS);
  }

  /** The clock stood still for us: requests and answers count from that much later. */
  postpone(ms: number, now: number): void {
    this.#deliveredAt = Math.min(now, this.#deliveredAt + ms);
  }
}

/** What an answer costs. */
export function costOf(bytes: number): number {
  return REQUEST_COST + bytes;
}

/** Answers that were there at once count as this fast: a finer clock tells nothing of a peer. */
const MIN_INTERVAL_MS = 0.1;
