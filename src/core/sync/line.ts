/**
 * Our own line, which the answers of all peers share. Where it is what they wait for, no peer is to
 * blame for being late, and asking another brings nothing sooner.
 */
import type { PeerState } from "./peer_state.ts";

export class Line {
  /** What all peers owe that do not let everything wait. */
  #owed = 0;
  /** Cost answered in a millisecond, of late; 0 before any answer. */
  #rate = 0;
  #arrived = 0;

  /** An answer came: its cost. */
  add(cost: number): void {
    this.#arrived += cost;
  }

  /** See how things stand; `ms` went by since the last time. */
  measure(peers: Iterable<PeerState>, ms: number): void {
    this.#owed = 0;
    for (const { window, stalled } of peers) if (!stalled) this.#owed += window.owed;
    // When nothing comes at all, that is not for want of room on the line.
    if (ms > 0 && this.#arrived > 0) this.#rate += (this.#arrived / ms - this.#rate) / 2;
    this.#arrived = 0;
  }

  /** How long what other peers owe takes to come, in milliseconds. */
  busyMs({ window }: PeerState): number {
    return this.#rate > 0 ? Math.max(0, this.#owed - window.owed) / this.#rate : 0;
  }
}
