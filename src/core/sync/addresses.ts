/** The memory of where peers may be: what to dial next, when to try again, when to give up. */
import type { FeedId, PeerAddress } from "./inputs.ts";
import { MAX_ADDRESSES, MAX_DIALS, RETRY_MS } from "./limits.ts";

interface Known {
  readonly address: PeerAddress;
  readonly primary: FeedId;
  state: "waiting" | "dialling" | "linked" | "given-up";
  /** When a waiting one is due. */
  at: number;
  failures: number;
}

export class AddressBook {
  readonly #known = new Map<PeerAddress, Known>();
  /** Try the last wait again and again instead of giving up. */
  readonly #persistent: boolean;

  constructor(options: { persistent: boolean }) {
    this.#persistent = options.persistent;
  }

  /** How many addresses are known. */
  get size(): number {
    return this.#known.size;
  }

  /** Whether anything is dialled, linked or due later. */
  get hasProspects(): boolean {
    for (const known of this.#known.values()) if (known.state !== "given-up") return true;
    return false;
  }

  add(address: PeerAddress, primary: FeedId, now: number): void {
    if (this.#known.has(address)) return;
    if (this.#known.size >= MAX_ADDRESSES && !this.#forgetOne()) return;
    this.#known.set(address, { address, primary, state: "waiting", at: now, failures: 0 });
  }

  /** Make room by the address that was given up first. */
  #forgetOne(): boolean {
    for (const { address, state } of this.#known.values()) {
      if (state === "given-up") return this.#known.delete(address);
    }
    return false;
  }

  /** How many are being dialled. */
  get dialling(): number {
    let dialling = 0;
    for (const { state } of this.#known.values()) if (state === "dialling") dialling++;
    return dialling;
  }

  /**
   * The addresses to dial now; they count as being dialled from here on.
   *
   * @param room How many there may be besides those that are being dialled.
   */
  due(now: number, room = MAX_DIALS - this.dialling): { address: PeerAddress; primary: FeedId }[] {
    const due: Known[] = [];
    for (const known of this.#known.values()) {
      if (known.state === "waiting" && known.at <= now) due.push(known);
    }
    const chosen = due.slice(0, Math.max(0, room));
    for (const known of chosen) known.state = "dialling";
    return chosen;
  }

  linked(address: PeerAddress): void {
    const known = this.#known.get(address);
    if (known !== undefined) known.state = "linked";
  }

  /** The peer there turned out to be of use: earlier failures are forgiven. */
  proven(address: PeerAddress): void {
    const known = this.#known.get(address);
    if (known !== undefined) known.failures = 0;
  }

  /** The address failed or its link ended. Answers the wait until the next try, if there is one. */
  failed(address: PeerAddress, now: number): number | undefined {
    const known = this.#known.get(address);
    if (known === undefined || known.state === "given-up") return undefined;
    const last = RETRY_MS.length - 1;
    if (known.failures > last && !this.#persistent) {
      known.state = "given-up";
      return undefined;
    }
    const wait = RETRY_MS[Math.min(known.failures, last)];
    known.failures++;
    known.state = "waiting";
    known.at = now + wait;
    return wait;
  }

  /** Never try this one again in this run, or not before `until`. */
  ban(address: PeerAddress, until?: number): void {
    const known = this.#known.get(address);
    if (known === undefined || known.state === "given-up") return;
    known.state = until === undefined ? "given-up" : "waiting";
    known.at = until ?? known.at;
  }
}
