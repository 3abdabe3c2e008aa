/** A clock as a receiver. Ticks that nobody took are not stored up: at most one waits. */
import { Channel, type Receiver } from "./channel.ts";

export class Ticker implements Disposable {
  // Capacity 1: a loop that was busy for three periods needs one tick, not three.
  readonly #channel = new Channel<"tick">(1);
  readonly #timer: ReturnType<typeof setInterval>;

  /** @param periodMs Milliseconds between ticks. */
  constructor(periodMs: number) {
    this.#timer = setInterval(() => this.#channel.trySend("tick"), periodMs);
  }

  get ticks(): Receiver<"tick"> {
    return this.#channel;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#channel.close();
  }
}
