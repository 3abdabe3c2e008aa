/** How fast file bytes come and go over each link, for people who watch. */
import type { PeerAddress, PeerId } from "../core/sync/inputs.ts";
import type { Message } from "../core/wire/messages.ts";
import { RateMeter } from "./rates.ts";

/** One open link to a peer. */
export interface LinkFigures {
  readonly address: PeerAddress;
  /** Bytes of blocks a second, over the last few seconds. */
  readonly downRate: number;
  readonly upRate: number;
  /** The shortest time from a request to its answer in milliseconds; unknown until there was one. */
  readonly roundTripMs?: number;
}

/** All links, and the rates of all of them together. */
export interface PeerFigures {
  readonly links: readonly LinkFigures[];
  readonly downRate: number;
  readonly upRate: number;
}

class LinkMeter {
  readonly down = new RateMeter();
  readonly up = new RateMeter();
}

export class LinkMeters {
  readonly #meters = new Map<PeerId, LinkMeter>();
  readonly #all = new LinkMeter();

  /** A message went one way or the other; blocks are what counts. */
  count(direction: "down" | "up", peer: PeerId, message: Message, now: number): void {
    if (message.type !== "data" || message.value === undefined) return;
    const bytes = message.value.length;
    this.#meters.getOrInsertComputed(peer, () => new LinkMeter())[direction].add(bytes, now);
    this.#all[direction].add(bytes, now);
  }

  /** The link is gone. */
  forget(peer: PeerId): void {
    this.#meters.delete(peer);
  }

  /** @param open The links that are open, in the order in which they are to be told. */
  figures(
    open: Iterable<{ peer: PeerId; address: PeerAddress; roundTripMs?: number }>,
    now: number,
  ): PeerFigures {
    const links: LinkFigures[] = [];
    for (const { peer, address, roundTripMs } of open) {
      const meter = this.#meters.get(peer);
      const [downRate, upRate] = [meter?.down.rate(now) ?? 0, meter?.up.rate(now) ?? 0];
      links.push({ address, downRate, upRate, roundTripMs });
    }
    return { links, downRate: this.#all.down.rate(now), upRate: this.#all.up.rate(now) };
  }
}
