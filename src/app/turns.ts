/** Letting signals and timers in while local work goes through many files and bytes. */
import { nextTurn } from "../io/pause.ts";

/** Other work gets its turn after so many bytes, or so many calls. */
const TURN_BYTES = 4 * 1024 * 1024;
const TURN_CALLS = 256;

export class Turns {
  readonly #signal: AbortSignal | undefined;
  #bytes = 0;
  #calls = 0;

  /** @param signal Aborted with the reason to throw. */
  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /**
   * Call, and await, after every piece of work.
   *
   * @param bytes How many were read or written.
   * @throws The signal's reason, if it is aborted.
   */
  async take(bytes = 0): Promise<void> {
    this.#bytes += bytes;
    if (this.#bytes >= TURN_BYTES || ++this.#calls >= TURN_CALLS) {
      this.#bytes = 0;
      this.#calls = 0;
      await nextTurn();
    }
    this.#signal?.throwIfAborted();
  }
}
