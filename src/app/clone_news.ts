/** What a download tells of peers and of what it found, and what it has told already. */
import type { PeerAddress, PeerId, Report } from "../core/sync/inputs.ts";
import { MAX_TOLD } from "./clone_limits.ts";
import type { Emit, TroveEvent } from "./events.ts";
import { tellPeerNews } from "./peer_news.ts";

export class CloneNews {
  readonly #emit: Emit;
  readonly #live: boolean;
  /** Messages of warnings: a newer plan finds most of the same. */
  readonly #told = new Set<string>();
  /** Addresses that were dialled in vain. */
  readonly #unreached = new Set<PeerAddress>();
  /** Peers that had something from us. */
  readonly #served = new Set<PeerId>();

  /** @param options.live Whether it goes on for ever, and serves others as a share does. */
  constructor(options: { emit: Emit; live?: boolean }) {
    this.#emit = options.emit;
    this.#live = options.live === true;
  }

  /** Tell of a warning once; other events as they come. */
  readonly tell = (event: TroveEvent): void => {
    if (event.event === "warning") {
      if (this.#told.has(event.message)) return;
      if (this.#told.size >= MAX_TOLD) this.#told.clear();
      this.#told.add(event.message);
    }
    this.#emit(event);
  };

  /** Tell of a report, if it is about a peer. */
  takePeer(report: Report, version: number): void {
    if (!this.#live) return tellPeerNews(report, this.#emit);
    switch (report.kind) {
      case "peer-opened":
        this.#unreached.delete(report.address);
        break;
      case "peer-failed":
        // Dialled again and again: told once, until it was there again.
        if (this.#unreached.has(report.address)) return;
        if (report.retryMs !== undefined) this.#unreached.add(report.address);
        break;
      case "uploaded":
        this.#served.add(report.peer);
        break;
      case "peer-finished":
        if (!this.#served.has(report.peer)) return;
        this.#emit({ event: "uploaded", peer: report.address, version });
        break;
      case "peer-closed":
        this.#served.delete(report.peer);
        break;
    }
    tellPeerNews(report, this.#emit);
  }
}
