/**
 * A feed by itself, without an archive around it: fetching all of its blocks, and serving them. The
 * blocks are anybody's bytes; nothing is read into them.
 */
import { toHex } from "../base/bytes.ts";
import { IncompleteError, InterruptedError } from "../base/errors.ts";
import { count } from "../base/format.ts";
import type { StopSignal, World } from "../base/world.ts";
import type { Report } from "../core/sync/inputs.ts";
import type { Receiver } from "../csp/channel.ts";
import type { FeedStore } from "../io/feed_store.ts";
import { lookAt } from "../io/folder.ts";
import { listenForPeers, type ListenOptions } from "../io/net.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import { openStdio } from "../io/stdio.ts";
import { PeerFaults, whyStalled } from "./clone_faults.ts";
import { type Emit, PROGRESS_MS } from "./events.ts";
import { type FeedFolder, openFeedClone, openFeedFolder, removeUnusedFeed } from "./feed_folder.ts";
import { refuseForks } from "./ownership.ts";
import { tellListening, tellPeerNews } from "./peer_news.ts";
import { announcedPort, type DiscoveryChoice, openSearch } from "./peer_search.ts";
import { RateMeter } from "./rates.ts";
import { type Director, Synchronizer } from "./synchronizer.ts";

/** The one feed that the synchronizer knows then. */
const FEED = 0;

/** Connected, and nothing new for so long: peers do not have what is missing. */
const STALL_MS = 60_000;

/** Peers have said what they have, and nothing came for so long: none has what is missing. */
const QUIET_MS = 1500;

export interface FeedOptions {
  readonly world: World;
  readonly dir: string;
  /** Addresses of peers, `host:port`. */
  readonly peers: readonly string[];
  /** Serve others. */
  readonly listen?: ListenOptions;
  /** Meet the peer on standard input and output; whoever serves ends when it is gone. */
  readonly stdio?: boolean;
  readonly network?: PeerNetwork;
  /** Find peers besides those, and be found; off if left out. */
  readonly discovery?: DiscoveryChoice;
  /** Give up, or stop serving, after so many milliseconds. */
  readonly timeoutMs?: number;
  readonly signals: Receiver<StopSignal>;
  readonly emit: Emit;
}

/**
 * Fetch a feed, or go on with one that was begun, or bring it up to date.
 *
 * @param options.publicKey 32 bytes.
 * @throws {TroveError} With the reason, when it ends before every block is here.
 */
export async function cloneFeed(
  options: FeedOptions & { readonly publicKey: Uint8Array },
): Promise<void> {
  const { world, dir, publicKey, peers, network, signals, emit } = options;
  const madeFolder = lookAt(dir) === undefined;
  const folder = openFeedClone(dir, publicKey, world);
  let isWorthless = false;
  try {
    using _open = folder;
    tellFeed(folder, emit);
    try {
      await refuseForks({ metadata: folder.feed }, { world, peers, network, signals, emit });
      await run(folder, new FeedJob(folder.feed, { ...options, fetches: true }), options);
    } finally {
      isWorthless = folder.feed.length === 0;
    }
  } finally {
    if (isWorthless) removeUnusedFeed(folder.paths, { madeFolder });
  }
}

/**
 * Serve what is here of a feed until a signal or the timeout ends it; being asked to stop is success.
 *
 * @throws {NotFoundError} If there is none.
 */
export async function shareFeed(options: FeedOptions): Promise<void> {
  using folder = openFeedFolder(options.dir, options.world);
  tellFeed(folder, options.emit);
  try {
    await run(folder, new FeedJob(folder.feed, { ...options, fetches: false }), options);
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
  }
}

function tellFeed({ feed, paths: { dir } }: FeedFolder, emit: Emit): void {
  const { publicKey, discoveryKey, length: blocks } = feed;
  emit({
    event: "feed",
    key: toHex(publicKey),
    discoveryKey: toHex(discoveryKey),
    dir,
    blocks,
  });
}

async function run({ feed }: FeedFolder, job: FeedJob, options: FeedOptions): Promise<void> {
  const { world, peers, listen, stdio, network, signals, timeoutMs, emit } = options;
  using listener = listen === undefined ? undefined : await listenForPeers(listen);
  await using search = openSearch(options);
  job.explain = () => search?.explain(feed.discoveryKey);
  const sync = new Synchronizer({
    world,
    director: job,
    live: !job.fetches,
    persistent: !job.fetches || timeoutMs !== undefined,
    listener,
    network,
    signals,
    found: search?.found,
    emit,
  });
  sync.join(FEED, feed, FEED);
  if (job.fetches) sync.input({ kind: "follow", feed: FEED });
  for (const address of peers) sync.input({ kind: "found", address, primary: FEED });
  if (stdio) {
    sync.link(openStdio(), job.fetches ? { primary: FEED } : { onEnd: () => sync.stop() });
  }
  if (listener !== undefined) tellListening(listener, emit);
  search?.mapPort(announcedPort(listener));
  search?.begin(sync, {
    discoveryKey: feed.discoveryKey,
    primary: FEED,
    lookup: true,
    announce: announcedPort(listener),
    ends: job.fetches && timeoutMs === undefined,
  });
  await sync.run();
  if (job.fetches) job.finish();
}

/** Tells of one feed's peers and progress; where it `fetches`, it ends when every block is here. */
export class FeedJob implements Director {
  readonly fetches: boolean;
  readonly #feed: FeedStore;
  readonly #options: FeedOptions;
  /** What came of looking for peers so far, for people. */
  explain: () => string | undefined = () => undefined;
  readonly #faults = new PeerFaults(() => this.explain());
  readonly #down = new RateMeter();
  readonly #up = new RateMeter();
  readonly #startedAt: number;
  #newsAt: number;
  #progressAt: number;
  #downloadedBytes = 0;
  #done = false;

  constructor(feed: FeedStore, options: FeedOptions & { readonly fetches: boolean }) {
    this.fetches = options.fetches;
    this.#feed = feed;
    this.#options = options;
    this.#startedAt = this.#now();
    this.#newsAt = this.#startedAt;
    this.#progressAt = this.#startedAt;
  }

  onReport(report: Report, sync: Synchronizer): void {
    const { emit } = this.#options;
    tellPeerNews(report, emit);
    this.#faults.take(report);
    switch (report.kind) {
      case "peer-opened":
        this.#newsAt = this.#now();
        return;
      case "downloaded":
        this.#newsAt = this.#now();
        this.#downloadedBytes += report.bytes;
        this.#down.add(report.bytes, this.#newsAt);
        return this.#tellProgress(sync);
      case "uploaded":
        this.#up.add(report.bytes, this.#now());
        return this.#tellProgress(sync);
      case "peer-finished":
        if (!this.fetches) {
          emit({ event: "uploaded", peer: report.address, version: this.#feed.length });
        }
        return;
      case "complete":
        return this.#isComplete() ? this.#end(sync) : undefined;
      case "forked":
        return sync.stop(report.error);
      case "alone":
        return this.fetches ? sync.stop(this.#faults.whyAlone()) : undefined;
    }
  }

  onTick(sync: Synchronizer): void {
    if (this.#done) return;
    const { timeoutMs } = this.#options;
    const now = this.#now();
    if (timeoutMs !== undefined) {
      if (now - this.#startedAt < timeoutMs) return;
      return this.fetches ? sync.stop(this.#faults.whyLate(timeoutMs)) : sync.stop();
    }
    if (!this.fetches || sync.openPeers === 0) return;
    const quietMs = now - this.#newsAt;
    if (quietMs >= STALL_MS) return sync.stop(whyStalled(STALL_MS));
    const isHopeless = quietMs >= QUIET_MS && this.#feed.length > 0 && !sync.obtainable(FEED);
    if (isHopeless) sync.stop(this.#whyHopeless());
  }

  /** After the loop: every block is here. */
  finish(): void {
    const { length, byteLength } = this.#feed;
    this.#options.emit({
      event: "synced",
      version: length,
      blocks: length,
      files: 0,
      bytes: byteLength,
      downloadedBytes: this.#downloadedBytes,
      seconds: Math.round(this.#now() - this.#startedAt) / 1000,
    });
  }

  /** A peer that has nothing so far, or not all, is no reason to be done. */
  #isComplete(): boolean {
    const { length } = this.#feed;
    return this.fetches && length > 0 && this.#feed.nextMissing(0, length) === -1;
  }

  #whyHopeless(): IncompleteError {
    const { length } = this.#feed;
    const missing = length - this.#feed.countHeld(0, length);
    return new IncompleteError(
      `Cannot complete the feed: no peer has the missing ${count(missing, "block")} of ${length}`,
      { hint: "run the same command again when a peer has them" },
    );
  }

  #end(sync: Synchronizer): void {
    if (this.#done) return;
    this.#done = true;
    this.#tellProgress(sync, { now: true });
    sync.stop();
  }

  #tellProgress(sync: Synchronizer, options: { now?: boolean } = {}): void {
    const now = this.#now();
    if (!options.now && now - this.#progressAt < PROGRESS_MS) return;
    this.#progressAt = now;
    const { length: blocksTotal, byteLength: bytesTotal } = this.#feed;
    const blocks = this.#feed.countHeld(0, blocksTotal);
    const share = blocks / Math.max(1, blocksTotal);
    this.#options.emit({
      event: "progress",
      blocks,
      blocksTotal,
      // The exact sum would need a look at each.
      bytes: blocks === blocksTotal ? bytesTotal : Math.floor(bytesTotal * share),
      bytesTotal,
      peers: sync.openPeers,
      downRate: this.#down.rate(now),
      upRate: this.#up.rate(now),
    });
  }

  #now(): number {
    return this.#options.world.clock.monotonic();
  }
}
