/**
 * How many bytes a second may go one way, for all connections together. Whoever has bytes to move
 * asks, waits in line, and is given a part: the line goes round, so all get the same share.
 */
import type { Timers } from "./timers.ts";

/** The parts that are given out, as time at the full rate: smooth, and some 50 wakes a second. */
const PART_MS = 20;
const MIN_PART_BYTES = 256;
const MAX_PART_BYTES = 64 * 1024;

/** What nobody asked for is kept for this long: a little more than a timer comes late. */
const BURST_MS = 40;

/** The loop was busy with something else while somebody waited: so much of it is made up for. */
const STALL_MS = 500;

interface Waiting {
  readonly wanted: number;
  readonly give: (bytes: number) => void;
}

export class Pace {
  /** The size of pieces in which bytes are best moved. */
  readonly partBytes: number;
  readonly #bytesPerMs: number;
  readonly #clock: Timers;
  readonly #line = new Set<Waiting>();
  /** When everything given so far is paid for; before that nothing is given. */
  #paidAt: number;
  #cancelTimer: (() => void) | undefined;

  /** @param rate Bytes a second. */
  constructor(rate: number, clock: Timers) {
    this.#bytesPerMs = rate / 1000;
    this.#clock = clock;
    this.#paidAt = clock.now();
    const part = Math.floor(this.#bytesPerMs * PART_MS);
    this.partBytes = Math.max(MIN_PART_BYTES, Math.min(part, MAX_PART_BYTES));
  }

  /**
   * Ask to move `wanted` bytes, at least one. `give` is called once, maybe at once, with how many
   * of them may be moved. Returns the way to leave the line.
   */
  ask(wanted: number, give: (bytes: number) => void): () => void {
    if (this.#line.size === 0) {
      this.#paidAt = Math.max(this.#paidAt, this.#clock.now() - BURST_MS);
    }
    const waiting = { wanted, give };
    this.#line.add(waiting);
    this.#serve();
    return () => {
      if (this.#line.delete(waiting) && this.#line.size === 0) this.#stopTimer();
    };
  }

  /** Bytes that were given and not moved. */
  giveBack(bytes: number): void {
    this.#paidAt -= bytes / this.#bytesPerMs;
  }

  #serve(): void {
    if (this.#cancelTimer !== undefined) return; // it is not time yet
    const now = this.#clock.now();
    this.#paidAt = Math.max(this.#paidAt, now - STALL_MS);
    for (const waiting of this.#line) {
      if (this.#paidAt > now) break;
      const credit = Math.floor((now - this.#paidAt) * this.#bytesPerMs / this.#line.size);
      const bytes = Math.min(waiting.wanted, Math.max(this.partBytes, credit));
      this.#line.delete(waiting);
      this.#paidAt += bytes / this.#bytesPerMs;
      waiting.give(bytes);
    }
    if (this.#line.size === 0 || this.#cancelTimer !== undefined) return;
    this.#cancelTimer = this.#clock.after(Math.max(1, Math.ceil(this.#paidAt - now)), () => {
      this.#cancelTimer = undefined;
      this.#serve();
    });
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
