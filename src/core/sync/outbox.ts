/**
 * What was handed to a link and the system did not take yet.
 *
 * It cannot be taken back any more: so most of what a slow peer asked for waits outside, where a Cancel
 * finds it.
 */
import { MAX_QUEUED_BYTES, MIN_QUEUED_BYTES, OUTBOX_MS } from "./limits.ts";

/** The pace is that of about so many bytes, the last ones. */
const PACE_BYTES = 512 * 1024;

export class Outbox {
  bytes = 0;
  /** When the last bytes were flushed, or it began to fill. */
  flushedAt: number;
  /** Bytes flushed, and how long that took: both fade. */
  #flushed = 0;
  #ms = 0;
  #measuredFrom = 0;

  constructor(now: number) {
    this.flushedAt = now;
  }

  add(bytes: number, now: number): void {
    if (this.bytes === 0) this.flushedAt = this.#measuredFrom = now;
    this.bytes += bytes;
  }

  /** The system took so many bytes; 0: it took a part of a large batch. */
  flush(bytes: number, now: number): void {
    this.bytes -= bytes;
    this.flushedAt = now;
    if (bytes === 0) return;
    this.#flushed += bytes;
    this.#ms += now - this.#measuredFrom;
    this.#measuredFrom = now;
    if (this.#flushed < PACE_BYTES) return;
    this.#flushed /= 2;
    this.#ms /= 2;
  }

  /** Whether another block may be loaded: see `OUTBOX_MS`. */
  get hasRoom(): boolean {
    if (this.bytes < MIN_QUEUED_BYTES) return true;
    // bytes / pace < OUTBOX_MS, where the pace may be unknown or beyond measure
    const soon = this.bytes * this.#ms < OUTBOX_MS * this.#flushed;
    return soon && this.bytes < MAX_QUEUED_BYTES;
  }

  /** The clock stood still for us for so long. */
  postpone(ms: number, now: number): void {
    this.flushedAt = Math.min(now, this.flushedAt + ms);
    this.#measuredFrom = Math.min(now, this.#measuredFrom + ms);
  }
}
