/**
 * Numbers that differ from process to process, to spread what many would else do at one time or in
 * one order. Drawn from the id that peers are told, so never for anything that must stay unknown.
 */
export class Chance {
  #state: number;

  /** @param id 32 bytes. */
  constructor(id: Uint8Array) {
    let state = 0x811c9dc5; // FNV-1a
    for (const byte of id) state = Math.imul(state ^ byte, 0x01000193);
    this.#state = state >>> 0;
  }

  /** At least 0 and less than 1. */
  next(): number {
    // Source: mulberry32.
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}
