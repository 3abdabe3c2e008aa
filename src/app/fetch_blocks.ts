/** Getting blocks that a repair lacks from peers: a director that knows what it wants, and gives up. */
import { ForkError } from "../base/errors.ts";
import type { Range } from "../base/ranges.ts";
import type { StopSignal, World } from "../base/world.ts";
import type { Report } from "../core/sync/inputs.ts";
import type { Receiver } from "../csp/channel.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import { CONTENT, METADATA } from "./clone_job.ts";
import type { Emit } from "./events.ts";
import type { Archive } from "./open_archive.ts";
import { tellPeerNews } from "./peer_news.ts";
import { type DiscoveryChoice, openSearch } from "./peer_search.ts";
import { rememberedPeers } from "./remembered_peers.ts";
import { type Director, Synchronizer } from "./synchronizer.ts";

/** Peers have said what they have, and none has what is missing. */
const QUIET_MS = 1500;
/** Connected, and nothing came for so long. */
const STALL_MS = 60_000;

export interface FetchOptions {
  readonly world: World;
  /** Addresses, `host:port`. */
  readonly peers: readonly string[];
  readonly network?: PeerNetwork;
  /** Find peers besides those; off if left out. */
  readonly discovery?: DiscoveryChoice;
  /** Give up after so many milliseconds. */
  readonly timeoutMs?: number;
  readonly signals: Receiver<StopSignal>;
  readonly emit: Emit;
}

/** Whether there is a way to peers at all. */
export function hasPeers(
  { peers, discovery }: Pick<FetchOptions, "peers" | "discovery">,
): boolean {
  return peers.length > 0 || discovery !== undefined;
}

/** What came of it. */
export interface Fetched {
  readonly blocks: number;
  readonly metAnyone: boolean;
}

/**
 * Fetch blocks of one feed, as far as peers have them; `follow`: all there are.
 *
 * @throws {InterruptedError} On a signal.
 * @throws {ForkError} If peers have another signed history.
 */
export async function fetchBlocks(
  archive: Archive,
  feed: "metadata" | "content",
  wanted: readonly Range[] | "follow",
  options: FetchOptions,
): Promise<Fetched> {
  const { world, peers, network, signals, timeoutMs, emit } = options;
  await using search = openSearch(options);
  const job = new FetchJob(feed === "metadata" ? METADATA : CONTENT, options);
  const sync = new Synchronizer({
    world,
    director: job,
    live: false,
    persistent: timeoutMs !== undefined,
    network,
    signals,
    found: search?.found,
    emit,
  });
  sync.join(METADATA, archive.metadata, METADATA);
  if (feed === "content") sync.join(CONTENT, archive.openContent(), METADATA);
  const id = feed === "metadata" ? METADATA : CONTENT;
  if (wanted === "follow") sync.input({ kind: "follow", feed: id });
  else sync.input({ kind: "want", feed: id, ranges: wanted });
  for (const address of peers) sync.input({ kind: "found", address, primary: METADATA });
  search?.begin(sync, {
    discoveryKey: archive.metadata.discoveryKey,
    primary: METADATA,
    lookup: true,
    announce: undefined,
    remembered: rememberedPeers(archive.paths),
    ends: timeoutMs === undefined,
  });
  await sync.run();
  return job;
}

class FetchJob implements Director, Fetched {
  blocks = 0;
  metAnyone = false;
  readonly #feed: number;
  readonly #options: FetchOptions;
  readonly #startedAt: number;
  #newsAt: number;
  #done = false;

  constructor(feed: number, options: FetchOptions) {
    this.#feed = feed;
    this.#options = options;
    this.#startedAt = this.#now();
    this.#newsAt = this.#startedAt;
  }

  onReport(report: Report, sync: Synchronizer): void {
    tellPeerNews(report, this.#options.emit);
    switch (report.kind) {
      case "peer-opened":
        this.metAnyone = true;
        this.#newsAt = this.#now();
        return;
      case "downloaded":
        this.blocks++;
        this.#newsAt = this.#now();
        return;
      case "complete":
        return report.feed === this.#feed ? this.#end(sync) : undefined;
      case "alone":
        return this.#end(sync);
      case "forked":
        return sync.stop(
          new ForkError(report.error.message, { cause: report.error, hint: "nothing was changed" }),
        );
    }
  }

  onTick(sync: Synchronizer): void {
    const { timeoutMs } = this.#options;
    const now = this.#now();
    const quiet = now - this.#newsAt;
    if (
      timeoutMs !== undefined && now - this.#startedAt >= timeoutMs || quiet >= STALL_MS ||
      sync.openPeers > 0 && quiet >= QUIET_MS && !sync.obtainable(this.#feed)
    ) this.#end(sync);
  }

  #end(sync: Synchronizer): void {
    if (this.#done) return;
    this.#done = true;
    sync.stop();
  }

  #now(): number {
    return this.#options.world.clock.monotonic();
  }
}
