/**
 * Our own line, which the answers of all peers share. Where it is what they wait for, no peer is to
 * blame for being late, and asking another brings nothing sooner.
 */
export class Line {
  /** How long all that is owed takes to come, at the pace at which answers come; 0 while none do. */
  backlogMs = 0;
  #rate = 0;
  #arrived = 0;

  /** An answer came: its cost. */
  add(cost: number): void {
    this.#arrived += cost;
  }

  /** So much is owed by all peers now, and `ms` went by since the last call. */
  measure(owed: number, ms: number): void {
    if (ms > 0) this.#rate += (this.#arrived / ms - this.#rate) / 2;
    this.#arrived = 0;
    this.backlogMs = this.#rate > 0 ? owed / this.#rate : 0;
  }
}
