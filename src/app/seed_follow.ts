/**
 * Keeps one archive among many up to date: fetches what is missing, and again whenever peers tell of
 * a newer version.
 */
import { StorageError, UsageError } from "../base/errors.ts";
import type { StopSignal, World } from "../base/world.ts";
import type { Report } from "../core/sync/inputs.ts";
import { Channel } from "../csp/channel.ts";
import type { DownloadChoices } from "./checkout_plan.ts";
import { CloneJob } from "./clone_job.ts";
import type { TroveEvent } from "./events.ts";
import type { Archive } from "./open_archive.ts";
import { refuseForks } from "./ownership.ts";
import { RETRY_MS, REVISIT_MS } from "./seed_limits.ts";
import type { Share } from "./seed_news.ts";
import type { ArchiveFeeds, Director, Synchronizer } from "./synchronizer.ts";

export interface FollowOptions {
  readonly world: World;
  readonly feeds: ArchiveFeeds;
  readonly peers: readonly string[];
  readonly choices: DownloadChoices;
  /** The version that is known to be here with all its files, if any. */
  readonly synced?: number;
  readonly emit: (event: TroveEvent) => void;
  /** Everything of the newest version that any peer told of is here. */
  readonly onSynced: (version: number) => void;
  /** It could not be completed for now. */
  readonly onFailure: (error: unknown) => void;
}

export class Follower implements Director {
  readonly #archive: Archive;
  readonly #options: FollowOptions;
  readonly #signals = new Channel<StopSignal>(1);
  readonly #tasks = new Set<Promise<void>>();
  /** It was said that it may begin. */
  #mayBegin = false;
  /** Peers were compared with, or there was nothing to compare. */
  #isBegun = false;
  #job?: CloneJob;
  /** The job is over, and what is left to be done without peers is being done. */
  #finishing = false;
  #ended = false;
  #synced: number | undefined;
  /** Every entry that any peer told of is here. */
  #knowsAll = false;
  #isComplete = false;
  #newsAt: number;
  /** After a failure: not before. */
  #retryAt = -Infinity;
  /** Not even when somebody comes who may have what is missing. */
  #blockedUntil = -Infinity;
  #share?: Share;

  constructor(archive: Archive, options: FollowOptions) {
    this.#archive = archive;
    this.#options = options;
    this.#synced = options.synced;
    this.#newsAt = this.#now();
  }

  /** Whether everything that any peer told of is here, as far as peers were met since it began. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** When something came, or somebody, in milliseconds of the world's clock. */
  get newsAt(): number {
    return this.#newsAt;
  }

  /** What the job told last of how far it has come. */
  get share(): Share | undefined {
    return this.#share;
  }

  /** See that peers have the same history, then fetch. */
  begin(sync: Synchronizer): void {
    this.#mayBegin = true;
    this.#run(async () => {
      const { world, peers, emit } = this.#options;
      await refuseForks(this.#archive, { world, peers, signals: this.#signals, emit });
      if (this.#ended) return;
      const { metadata } = this.#options.feeds;
      this.#newsAt = this.#now();
      this.#isBegun = true;
      if (this.#synced === undefined || this.#synced !== this.#archive.version) this.#startJob();
      sync.input({ kind: "follow", feed: metadata });
      for (const address of peers) sync.input({ kind: "found", address, primary: metadata });
    });
  }

  onReport(report: Report, sync: Synchronizer): void {
    const { metadata } = this.#options.feeds;
    if (report.kind === "peer-opened" || report.kind === "downloaded") this.#newsAt = this.#now();
    if (report.kind === "downloaded") this.#isComplete = false;
    if (report.kind === "downloaded" && report.feed === metadata) this.#knowsAll = false;
    if (report.kind === "complete" && report.feed === metadata) this.#knowsAll = true;
    if (this.#finishing || !this.#isBegun) return;
    if (this.#job !== undefined) return this.#job.onReport(report, sync);
    const isHere = this.#archive.version === this.#synced;
    if (isHere) this.#isComplete ||= this.#knowsAll;
    else if (report.kind === "peer-opened" || report.kind === "downloaded" || this.#knowsAll) {
      this.#go(sync);
    }
  }

  onTick(sync: Synchronizer): void {
    if (this.#finishing || this.#ended) return;
    if (this.#job !== undefined) return this.#job.onTick(sync);
    if (!this.#mayBegin || this.#tasks.size > 0 || this.#now() < this.#retryAt) return;
    if (!this.#isBegun) this.begin(sync);
    else if (this.#knowsAll && !this.#isComplete) this.#go(sync);
  }

  /** Nothing may be under way in the folder from here on. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#signals.trySend("SIGTERM");
    await this.#job?.end();
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  #startJob(): void {
    const { world, feeds, peers, choices, emit } = this.#options;
    const job: CloneJob = new CloneJob(this.#archive, {
      ...choices,
      world,
      peers,
      dir: this.#archive.paths.dir,
      signals: this.#signals,
      emit: (event) => {
        if (event.event === "synced") this.#synced = event.version;
        if (event.event === "progress") this.#share = event;
        else if (!isPeerNews(event)) emit(event);
      },
    }, { feeds, onEnd: (sync, failure) => this.#endJob(job, sync, failure) });
    this.#job = job;
  }

  /** Fetch once more. */
  #go(sync: Synchronizer): void {
    if (this.#ended || this.#now() < this.#blockedUntil) return;
    const { metadata } = this.#options.feeds;
    this.#startJob();
    // What was told of the metadata is not told again.
    if (this.#knowsAll) this.#job!.onReport({ kind: "complete", feed: metadata }, sync);
    else sync.input({ kind: "follow", feed: metadata });
  }

  #endJob(job: CloneJob, sync: Synchronizer, failure: unknown): void {
    if (this.#job !== job || this.#finishing || this.#ended) return;
    this.#finishing = true;
    this.#run(async () => {
      try {
        await job.end();
        if (this.#ended) return;
        if (failure !== undefined) throw failure;
        await job.finish();
      } finally {
        this.#finishing = false;
        this.#job = undefined;
        this.#share = undefined;
      }
    }, () => this.#settle(sync));
  }

  /** A round is over; newer entries may have come meanwhile. */
  #settle(sync: Synchronizer): void {
    const { version } = this.#archive;
    if (this.#ended || this.#synced === undefined) return;
    this.#isComplete = this.#knowsAll && version === this.#synced;
    if (this.#isComplete) this.#options.onSynced(version);
    else if (this.#knowsAll && this.#now() >= this.#retryAt) this.#go(sync);
  }

  /** Keep hold of work until it ends; what goes wrong is told, unless nobody wants it any more. */
  #run(work: () => Promise<void>, after: () => void = () => {}): void {
    const task = work().catch((error) => {
      // What is wrong with the folder, unlike what peers do not have, is not put right by itself.
      const isOurs = error instanceof UsageError || error instanceof StorageError;
      this.#retryAt = this.#now() + (isOurs ? REVISIT_MS : RETRY_MS);
      if (isOurs) this.#blockedUntil = this.#retryAt;
      if (!this.#ended) this.#options.onFailure(error);
    }).then(after).finally(() => this.#tasks.delete(task));
    this.#tasks.add(task);
  }

  #now(): number {
    return this.#options.world.clock.monotonic();
  }
}

/** Told by whoever hears of all peers of the archive. */
function isPeerNews(event: TroveEvent): boolean {
  return event.event === "peer" ||
    event.event === "warning" && (event.code === "peer-failed" || event.code === "damaged");
}
