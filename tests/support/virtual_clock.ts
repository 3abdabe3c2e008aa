/** Time that passes when the test says so, for what waits on a clock and its timers. */
import type { Timers } from "../../src/io/timers.ts";

export class VirtualClock implements Timers {
  #now = 0;
  readonly #timers = new Set<{ at: number; wake: () => void }>();
  readonly #lateness: () => number;

  /** @param lateness Milliseconds by which the next timer comes late. */
  constructor(lateness: () => number = () => 0) {
    this.#lateness = lateness;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, wake: () => void): () => void {
    const timer = { at: this.#now + ms + this.#lateness(), wake };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Let all timers up to then go off, in their order. */
  runTo(time: number): void {
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.at > time) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.wake();
    }
    this.#now = Math.max(this.#now, time);
  }

  /** The timer that goes off first; of several at once, the oldest. */
  #next(): { at: number; wake: () => void } | undefined {
    let next: { at: number; wake: () => void } | undefined;
    for (const timer of this.#timers) {
      if (next === undefined || timer.at < next.at) next = timer;
    }
    return next;
  }
}
