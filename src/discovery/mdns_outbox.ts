/** What is to be sent, one packet at a time, so that a thousand archives do not flood a network. */
import type { Timers } from "../io/timers.ts";

/**
 * Time between two packets, in milliseconds: 50 a second at most, on each interface. Wireless
 * networks send multicast at their lowest rate, where this is a twentieth of the time on air.
 */
export const GAP_MS = 20;

export class Outbox {
  readonly #timers: Timers;
  /** In the order in which they came. Whoever posts keeps to a few, so this is bounded by names. */
  readonly #posts = new Set<() => void>();
  #nextAt = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Have something sent when its turn has come. Returns the way to take that back. */
  post(send: () => void): () => void {
    const post = () => send();
    this.#posts.add(post);
    this.#arm();
    return () => this.#posts.delete(post);
  }

  close(): void {
    this.#posts.clear();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #arm(): void {
    if (this.#cancelTimer !== undefined || this.#posts.size === 0) return;
    const wait = Math.max(0, this.#nextAt - this.#timers.now());
    this.#cancelTimer = this.#timers.after(wait, () => this.#sendOne());
  }

  #sendOne(): void {
    this.#cancelTimer = undefined;
    const [post] = this.#posts;
    if (post === undefined) return; // all were taken back
    this.#posts.delete(post);
    this.#nextAt = this.#timers.now() + GAP_MS;
    post();
    this.#arm();
  }
}
