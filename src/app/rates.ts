/** Bytes per second over the last few seconds. */

const WINDOW_MS = 4000;

export class RateMeter {
  readonly #samples: { at: number; bytes: number }[] = [];
  #sum = 0;

  add(bytes: number, now: number): void {
    const last = this.#samples.at(-1);
    // One sample per 100 ms is plenty, and bounds the list.
    if (last !== undefined && now - last.at < 100) last.bytes += bytes;
    else this.#samples.push({ at: now, bytes });
    this.#sum += bytes;
  }

  rate(now: number): number {
    while (this.#samples.length > 0 && now - this.#samples[0].at > WINDOW_MS) {
      this.#sum -= this.#samples.shift()!.bytes;
    }
    if (this.#samples.length === 0) return 0;
    const seconds = Math.max(now - this.#samples[0].at, 250) / 1000;
    return Math.round(this.#sum / seconds);
  }
}
