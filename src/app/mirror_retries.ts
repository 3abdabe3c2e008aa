/** Whether and when a mirror run that failed is begun again. */
import { IncompleteError, NoPeersError, ObstacleError, ProofError } from "../base/errors.ts";
import { formatSeconds } from "../base/format.ts";
import type { Clock } from "../base/world.ts";

/** The first pause, and the longest: each is twice the one before, less up to half of it by chance. */
const FIRST_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 30_000;

/** With less time left than that no attempt gets anywhere. */
const MIN_ATTEMPT_MS = 250;

/** What time alone rarely heals is tried again so often: another peer may do better. */
const MAX_FAULTS = 3;

export class Retries {
  readonly startedAt: number;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #random: () => number;
  #pauseMs = FIRST_PAUSE_MS;
  #faults = 0;

  /** @param options.random At least 0 and less than 1. */
  constructor(options: { clock: Clock; timeoutMs: number; random: () => number }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#timeoutMs = options.timeoutMs;
    this.startedAt = options.clock.monotonic();
  }

  get leftMs(): number {
    return Math.max(0, this.startedAt + this.#timeoutMs - this.#clock.monotonic());
  }

  /** Something came: the next pause is a short one again. */
  progressed(): void {
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  /**
   * Milliseconds to wait before another attempt; undefined if there is to be none.
   *
   * @param passing Whether it may be over in a moment, if the error itself does not say so.
   */
  pauseAfter(error: unknown, passing = false): number | undefined {
    const isFault = error instanceof ProofError || error instanceof ObstacleError;
    const isPassing = passing || error instanceof IncompleteError || error instanceof NoPeersError;
    if (!isFault && !isPassing || isFault && ++this.#faults > MAX_FAULTS) return undefined;
    const { leftMs } = this;
    if (leftMs <= MIN_ATTEMPT_MS) return undefined;
    const pauseMs = this.#pauseMs * (1 - this.#random() / 2);
    this.#pauseMs = Math.min(MAX_PAUSE_MS, 2 * this.#pauseMs);
    return Math.min(pauseMs, leftMs / 2);
  }

  /** The error for a deadline that came first. */
  late(what: string, cause?: Error): IncompleteError {
    const why = cause === undefined ? "" : `: ${cause.message}`;
    return new IncompleteError(
      `${what} within ${formatSeconds(this.#timeoutMs / 1000)}${why}`,
      { cause, hint: "run the same command again to go on from here" },
    );
  }
}
