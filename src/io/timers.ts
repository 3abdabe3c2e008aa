/** The timers of the platform, for what is given its time so that tests can give another. */
import type { Clock } from "../base/world.ts";

export interface Timers {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Call `act` after so many milliseconds, or later. Returns the way to take that back. */
  after(ms: number, act: () => void): () => void;
}

export function realTimers(clock: Pick<Clock, "monotonic">): Timers {
  return {
    now: () => clock.monotonic(),
    after(ms, act) {
      const timer = setTimeout(act, ms);
      return () => clearTimeout(timer);
    },
  };
}
