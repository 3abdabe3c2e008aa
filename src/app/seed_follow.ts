/**
 * Keeps one archive among many up to date: fetches what is missing, and follows whatever is added.
 * What goes wrong is told, and tried again after a while.
 */
import { StorageError, UsageError } from "../base/errors.ts";
import type { StopSignal, World } from "../base/world.ts";
import type { Report } from "../core/sync/inputs.ts";
import { Channel } from "../csp/channel.ts";
import type { ArchiveFeeds } from "./archive_feeds.ts";
import type { DownloadChoices } from "./checkout_plan.ts";
import { whyStalled } from "./clone_faults.ts";
import { CloneJob } from "./clone_job.ts";
import type { TroveEvent } from "./events.ts";
import type { Archive } from "./open_archive.ts";
import { refuseForks } from "./ownership.ts";
import { RETRY_MS, REVISIT_MS, STALL_MS } from "./seed_limits.ts";
import type { Share } from "./seed_news.ts";
import type { Director, Synchronizer } from "./synchronizer.ts";

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
  /** Begun when something is missing. It goes on until something goes wrong. */
  #job?: CloneJob;
  #ended = false;
  /** The version whose files are all here, and the last one of which that was told. */
  #synced: number | undefined;
  #told: number | undefined;
  /** Every entry that any peer told of is here. */
  #knowsAll = false;
  #newsAt: number;
  /** Nothing came for long, and that was told. */
  #isStalled = false;
  /** After a failure: not before. */
  #retryAt = -Infinity;
  /** Not even when somebody comes who may have what is missing. */
  #blockedUntil = -Infinity;
  #share?: Share;

  constructor(archive: Archive, options: FollowOptions) {
    this.#archive = archive;
    this.#options = options;
    this.#synced = this.#told = options.synced;
    this.#newsAt = this.#now();
  }

  /** Whether everything that any peer told of is here, as far as peers were met since it began. */
  get isComplete(): boolean {
    return this.#knowsAll && this.#isHere;
  }

  /** When something came, or somebody, in milliseconds of the world's clock. */
  get newsAt(): number {
    return this.#newsAt;
  }

  /** How far it has come, while something is missing. */
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
      if (this.#isHere) sync.input({ kind: "follow", feed: metadata });
      else this.#startJob(sync);
      for (const address of peers) sync.input({ kind: "found", address, primary: metadata });
    });
  }

  onReport(report: Report, sync: Synchronizer): void {
    const isAboutEntries = "feed" in report && report.feed === this.#options.feeds.metadata;
    const mayHelp = report.kind === "peer-opened" || report.kind === "downloaded";
    if (mayHelp) {
      this.#newsAt = this.#now();
      this.#isStalled = false;
    }
    if (isAboutEntries && report.kind === "downloaded") this.#knowsAll = false;
    if (isAboutEntries && report.kind === "complete") this.#knowsAll = true;
    if (this.#job !== undefined) this.#job.onReport(report, sync);
    else if (this.#isBegun && !this.#isHere && (mayHelp || this.#knowsAll)) this.#startJob(sync);
    this.#tellSynced();
  }

  onTick(sync: Synchronizer): void {
    if (this.#ended) return;
    if (this.#job !== undefined) {
      this.#job.onTick(sync);
      return this.#tellStalled(sync);
    }
    if (!this.#mayBegin || this.#tasks.size > 0 || this.#now() < this.#retryAt) return;
    if (!this.#isBegun) this.begin(sync);
    else if (this.#knowsAll && !this.#isHere) this.#startJob(sync);
  }

  /** Nothing may be under way in the folder from here on. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#signals.trySend("SIGTERM");
    await this.#job?.end();
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  get #isHere(): boolean {
    return this.#synced === this.#archive.version;
  }

  #startJob(sync: Synchronizer): void {
    if (this.#ended || this.#now() < this.#blockedUntil) return;
    const { world, feeds, choices, emit } = this.#options;
    const job: CloneJob = new CloneJob(this.#archive, {
      ...{ ...choices, world, feeds, joined: true, live: true },
      emit: (event) => {
        if (event.event === "progress") {
          this.#share = event;
          return;
        }
        if (!isPeerNews(event)) emit(event);
        if (event.event !== "synced") return;
        this.#synced = event.version;
        this.#share = undefined;
        this.#tellSynced();
      },
    }, (failure) => this.#endJob(job, failure));
    this.#job = job;
    job.join(sync);
  }

  #endJob(job: CloneJob, failure: unknown): void {
    if (this.#ended) return;
    this.#run(async () => {
      await job.end();
      this.#job = undefined;
      this.#share = undefined;
      if (!this.#ended) throw failure;
    });
  }

  /** Tell of a version that is all here, once. */
  #tellSynced(): void {
    if (this.#ended || !this.isComplete || this.#told === this.#synced) return;
    this.#told = this.#synced;
    this.#options.onSynced(this.#synced!);
  }

  /** Tell that peers do not have what is missing, once until something comes. */
  #tellStalled(sync: Synchronizer): void {
    if (this.#isStalled || this.#isHere || this.#now() - this.#newsAt < STALL_MS) return;
    this.#isStalled = true;
    if (sync.openPeers > 0) this.#options.onFailure(whyStalled(STALL_MS));
  }

  /** Keep hold of work until it ends; what goes wrong is told, unless nobody wants it any more. */
  #run(work: () => Promise<void>): void {
    const task = work().catch((error) => {
      // What is wrong with the folder, unlike what peers do not have, is not put right by itself.
      const isOurs = error instanceof UsageError || error instanceof StorageError;
      this.#retryAt = this.#now() + (isOurs ? REVISIT_MS : RETRY_MS);
      if (isOurs) this.#blockedUntil = this.#retryAt;
      if (!this.#ended) this.#options.onFailure(error);
    }).finally(() => this.#tasks.delete(task));
    this.#tasks.add(task);
  }

  #now(): number {
    return this.#options.world.clock.monotonic();
  }
}

/** Told by whoever hears of all peers of the archive. */
function isPeerNews(event: TroveEvent): boolean {
  return event.event === "peer" || event.event === "uploaded" ||
    event.event === "warning" && (event.code === "peer-failed" || event.code === "damaged");
}
