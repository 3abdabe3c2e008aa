/**
 * Whether a peer takes requests back. hypercore answers them all the same; trove drops what still waits,
 * and says so in its Handshake: a block can be moved from one such peer to another at no cost.
 */

/** The extension by which peers say it. It has no messages. */
export const HEEDS_CANCEL = "trove/heeds-cancel";

/** So many requests in each that is answered all the same must stay without an answer. */
const HEEDED_SHARE = 8;

export class CancelRecord {
  /** The peer says that it does. */
  isPromised = false;
  /** Requests that were taken back and not answered, and those that were. */
  #kept = 0;
  #ignored = 0;

  /** A later request was answered: this one is not. */
  kept(): void {
    this.#kept++;
  }

  /** The block came all the same; `kept` if a later request was answered before. */
  ignored(kept: boolean): void {
    this.#ignored++;
    if (kept) this.#kept--;
  }

  /** Most come all the same. */
  get areIgnored(): boolean {
    return this.#ignored > this.#kept;
  }

  /** Now and then one is on its way already, whatever the peer makes of a Cancel. */
  get areHeeded(): boolean {
    const trust = this.isPromised ? HEEDED_SHARE : 0;
    return trust + this.#kept > HEEDED_SHARE * this.#ignored;
  }
}
