/**
 * Decides what to fetch of an archive: metadata first, then, as the verified metadata tells, the
 * content of the newest version, or of every version where all are kept. A live job goes on from
 * there with every newer version, until it is told to end.
 */
import { ObstacleError, UsageError } from "../base/errors.ts";
import type { StopSignal, World } from "../base/world.ts";
import type { Report } from "../core/sync/inputs.ts";
import { Channel, type Receiver } from "../csp/channel.ts";
import { type ArchiveFeeds, ONLY_ARCHIVE } from "./archive_feeds.ts";
import { finishCheckout, mapWorkingFiles, refusedError } from "./checkout.ts";
import { writeWorkingFiles } from "./checkout_history.ts";
import type { CheckoutPlan, DownloadChoices } from "./checkout_plan.ts";
import { PeerFaults, whyStalled } from "./clone_faults.ts";
import { ContentLength } from "./clone_length.ts";
import { QUIET_MS, STALL_MS } from "./clone_limits.ts";
import { CloneNews } from "./clone_news.ts";
import { ClonePlanner, heldVersion, untilSettled } from "./clone_planner.ts";
import { CloneProgress, followsAll } from "./clone_progress.ts";
import type { Emit } from "./events.ts";
import type { Archive } from "./open_archive.ts";
import { chosenSelection } from "./selection_note.ts";
import { untilStopped } from "./stop_signals.ts";
import type { Director, Synchronizer } from "./synchronizer.ts";
import { readVersionNote } from "./version_notes.ts";

/** The feeds of the one archive that a command works on. */
export const { metadata: METADATA, content: CONTENT } = ONLY_ARCHIVE;

export interface JobOptions extends DownloadChoices {
  readonly world: World;
  /** Those of a synchronizer that has nothing else, if not said otherwise. */
  readonly feeds?: ArchiveFeeds;
  /** Whether somebody else lets these take part, the content as soon as there is one. */
  readonly joined?: boolean;
  /** Stay when the newest version is complete, and bring the folder to every newer one. */
  readonly live?: boolean;
  /** Give up after so many milliseconds; a live job that was complete once just ends. */
  readonly timeoutMs?: number;
  /** When that time began, by the monotonic clock; now if left out. */
  readonly startedAt?: number;
  /** Nothing but this version will do: older ones are not checked out, a newer one is a failure. */
  readonly exactVersion?: number;
  /** SIGINT and SIGTERM, for what is done when the peers are gone. */
  readonly signals?: Receiver<StopSignal>;
  readonly emit: Emit;
  /** What came of looking for peers so far, for people; undefined where nobody looks. */
  readonly explain?: () => string | undefined;
}

export class CloneJob implements Director {
  readonly #archive: Archive;
  readonly #options: JobOptions;
  readonly #feeds: ArchiveFeeds;
  readonly #done: (failure?: unknown) => void;
  readonly #planner: ClonePlanner;
  readonly #news: CloneNews;
  readonly #length: ContentLength;
  readonly #progress: CloneProgress;
  readonly #faults: PeerFaults;
  readonly #ended = new AbortController();
  readonly #startedAt: number;
  #newsAt: number;
  /** When work on the version began that is not complete yet. */
  #begunAt: number;
  /** Set once the metadata is complete: what the folder is being brought to. */
  #plan: CheckoutPlan | undefined;
  /** The version that was planned last, or was refused. */
  #tried: number | undefined;
  /** Plans newer versions, one after the other. */
  #following: Promise<void> | undefined;
  #planning = false;
  /** Files are being written, or everything is written. */
  #finishing: Promise<void> | undefined;
  #finished = false;
  #wasComplete = false;
  /** Something came into a file's place after it was planned. */
  #obstructed = false;
  #over = false;
  #joinedContent = false;
  /** Every block of the content that anybody told of is here. */
  #allContent = false;

  /** @param done Called once, when the job is over or cannot go on; then `end` it. */
  constructor(archive: Archive, options: JobOptions, done: (failure?: unknown) => void) {
    this.#archive = archive;
    this.#options = options;
    this.#feeds = options.feeds ?? ONLY_ARCHIVE;
    this.#done = done;
    this.#news = new CloneNews(options);
    this.#faults = new PeerFaults(options.explain);
    this.#length = new ContentLength(archive, this.#feeds.content);
    const emit = this.#news.tell;
    const { signal } = this.#ended;
    this.#planner = new ClonePlanner(archive, { ...options, emit, signal });
    this.#progress = new CloneProgress(archive, { clock: options.world.clock, emit });
    this.#newsAt = this.#begunAt = this.#now();
    this.#startedAt = options.startedAt ?? this.#begunAt;
  }

  /** Whether anything of the folder may have been changed. */
  get touched(): boolean {
    return this.#plan !== undefined && !this.#options.dryRun;
  }

  /** Whether a version was all here since the job began. */
  get wasComplete(): boolean {
    return this.#wasComplete;
  }

  /** Let the archive's feeds take part. Content follows when it is known where its blocks lie. */
  join(sync: Synchronizer): void {
    const { metadata } = this.#feeds;
    if (!this.#options.joined) sync.join(metadata, this.#archive.metadata, metadata);
    sync.input({ kind: "follow", feed: metadata });
    // Whoever stays serves what is here, whether or not there is anybody to get more from.
    if (this.#options.live) this.#onMetadata(sync);
  }

  onReport(report: Report, sync: Synchronizer): void {
    this.#news.takePeer(report, this.#archive.version);
    this.#faults.take(report);
    switch (report.kind) {
      case "peer-opened":
        this.#newsAt = this.#now();
        return;
      case "downloaded":
        this.#newsAt = this.#now();
        this.#progress.addDownloaded(report.bytes);
        if (report.feed === this.#feeds.content) this.#allContent = false;
        return this.#tellProgress(sync);
      case "uploaded":
        this.#progress.addUploaded(report.bytes);
        if (this.#options.live) this.#tellProgress(sync);
        return;
      case "complete":
        if (report.feed === this.#feeds.metadata) return this.#onMetadata(sync);
        this.#allContent = true;
        // A plan in the making asks for what it lacks, and so this is heard again.
        if (this.#plan === undefined || this.#planning) return;
        // Where every version is followed, a peer that has nothing yet is no reason to be done.
        if (this.#archive.contentFiles !== undefined || this.#isEnough()) this.#onContent(sync);
        return;
      case "probed":
        return this.#length.lengthen(report) ? this.#onContent(sync) : undefined;
      case "forked":
        return this.#end(report.error);
      case "alone":
        if (this.#options.live) return;
        return this.#isEnough() ? this.#onContent(sync) : this.#end(this.#faults.whyAlone());
    }
  }

  onTick(sync: Synchronizer): void {
    if (this.#over) return;
    const { timeoutMs, live } = this.#options;
    if (!this.#finished) this.#tellProgress(sync);
    const now = this.#now();
    if (this.#isEnough() && !this.#finished) {
      const quietMs = live ? 0 : QUIET_MS;
      const isQuiet = now - this.#newsAt >= quietMs && !sync.obtainable(this.#feeds.content);
      if (isQuiet || this.#stalled(now)) return this.#onContent(sync);
    }
    if (timeoutMs !== undefined && now - this.#startedAt >= timeoutMs) {
      this.#end(live && this.#wasComplete ? undefined : this.#faults.whyLate(timeoutMs));
    } else if (timeoutMs === undefined && !live && sync.openPeers > 0 && this.#stalled(now)) {
      this.#end(whyStalled(STALL_MS));
    }
  }

  /**
   * Where every version is kept: whether the newest one is here. Then it is over as soon as nobody
   * has more; blocks of older versions that nobody has are no failure.
   */
  #isEnough(): boolean {
    const { content, contentFiles } = this.#archive;
    if (this.#plan === undefined || this.#planning || contentFiles !== undefined) return false;
    return this.#plan.ranges.every(({ start, end }) => content!.nextMissing(start, end) === -1);
  }

  #stalled(now: number): boolean {
    return !this.#planning && now - this.#newsAt >= STALL_MS;
  }

  /** However it came to its end: nothing is under way in the folder after this. */
  async end(): Promise<void> {
    this.#over = true;
    this.#ended.abort();
    await this.#following;
    await this.#finishing;
  }

  /** What is left of a job that ended well, and can be done without peers. */
  async finish(): Promise<void> {
    if (this.#options.dryRun || this.#options.live) return;
    const { signals = new Channel<StopSignal>(1) } = this.#options;
    await untilStopped(signals, (signal) => this.#complete(this.#plan!, signal));
    if (this.#plan!.refused > 0) throw refusedError(this.#plan!.refused);
  }

  #end(failure?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#done(failure);
  }

  /** Every entry that any peer told of is here and verified. */
  #onMetadata(sync: Synchronizer): void {
    if (this.#following !== undefined || this.#over || !this.#isOutdated()) return;
    this.#following = this.#follow(sync)
      .catch((error) => {
        if (!this.#ended.signal.aborted) this.#end(error);
      })
      .finally(() => {
        this.#following = undefined;
        this.#onMetadata(sync); // what came at the last moment
      });
  }

  /** Whether there is a version to be planned: whole, and another than the one that was. */
  #isOutdated(): boolean {
    const { metadata, version } = this.#archive;
    // A peer that has nothing yet is no reason to be done.
    return metadata.length > 0 && version !== this.#tried &&
      version >= (this.#options.exactVersion ?? 0) &&
      metadata.nextMissing(0, metadata.length) === -1;
  }

  async #follow(sync: Synchronizer): Promise<void> {
    if (this.#finished) this.#begunAt = this.#now();
    while (this.#isOutdated() && !this.#over) {
      if (this.#options.joined) this.#joinContent(sync);
      // What the newer version does not have any more, nobody may have.
      this.#hold(sync, true);
      if (this.#tried !== undefined) await untilSettled(this.#archive, this.#ended.signal);
      await this.#finishing;
      if (this.#over) return;
      if (heldVersion(this.#archive) === this.#tried) return this.#hold(sync, false);
      this.#planning = true;
      try {
        await this.#prepare(sync);
      } finally {
        this.#planning = false;
      }
      if (!this.#over) this.#fetch(sync);
    }
  }

  /** Plan the newest version. Where it is refused, a live job stays with the one before. */
  async #prepare(sync: Synchronizer): Promise<void> {
    const archive = this.#archive;
    const { dryRun, live, admit } = this.#options;
    const { content: feed } = this.#feeds;
    archive.openContent();
    // Where somebody has to admit it first, nothing comes before the plan is there.
    if (archive.contentFiles === undefined && !dryRun && admit === undefined) {
      this.#joinContent(sync);
    }
    if (live && archive.contentFiles !== undefined) {
      archive.contentFiles.onObstacle = (_file, error) => this.#onObstacle(error, sync);
    }
    // While the plan is made nobody can say where in the folder other blocks belong.
    const hold: Parameters<ClonePlanner["next"]>[1] = (ranges) => {
      if (this.#joinedContent && archive.contentFiles !== undefined) {
        sync.input({ kind: "want", feed, ranges });
      }
    };
    const before = this.#obstructed ? undefined : this.#plan;
    const version = heldVersion(archive);
    try {
      this.#obstructed = false;
      this.#plan = await this.#planner.next(before, hold);
      // Something may have come into the way while it was carried out.
      this.#tried = this.#obstructed ? undefined : this.#plan.version;
      this.#finished = false;
    } catch (error) {
      if (!live || this.#ended.signal.aborted) throw error;
      if (error instanceof ObstacleError) {
        this.#plan = undefined;
        return this.#onObstacle(error, sync);
      }
      if (!(error instanceof UsageError)) throw error;
      // What was never here at all has nothing that could be served meanwhile.
      if (readVersionNote(archive.paths, "synced") === undefined) throw error;
      this.#tried = version;
      this.#plan = before;
      const hint = error.hint === undefined ? "" : `; ${error.hint}`;
      const message = `${error.message}${hint}. The next version is tried again`;
      this.#news.tell({ event: "warning", code: "update-refused", message });
    }
  }

  #hold(sync: Synchronizer, held: boolean): void {
    if (this.#joinedContent) sync.input({ kind: "hold", feed: this.#feeds.content, held });
  }

  #joinContent(sync: Synchronizer): void {
    if (this.#joinedContent) return;
    this.#joinedContent = true;
    const archive = this.#archive;
    const { content, metadata } = this.#feeds;
    const feed = archive.openContent();
    if (!this.#options.joined) sync.join(content, feed, metadata);
    if (archive.contentFiles !== undefined) return;
    const selection = chosenSelection(archive, this.#options.selection, heldVersion(archive));
    if (selection.isEverything) sync.input({ kind: "follow", feed: content });
  }

  /** Ask for what the plan lacks. */
  #fetch(sync: Synchronizer): void {
    const archive = this.#archive;
    const plan = this.#plan;
    if (plan === undefined && !this.#joinedContent) {
      // Refused from the start: what is here is served as it is.
      mapWorkingFiles(archive, { version: readVersionNote(archive.paths, "synced") });
    }
    if (!this.#options.dryRun) this.#joinContent(sync);
    this.#hold(sync, false);
    if (plan === undefined) return;
    this.#length.measure();
    this.#newsAt = this.#now();
    if (this.#options.dryRun) return this.#onContent(sync);
    if (followsAll(archive, plan)) {
      if (this.#allContent && this.#isEnough()) this.#onContent(sync);
      return;
    }
    // Where every version is kept, what is to be written may be here already.
    const wanted = archive.contentFiles === undefined ? plan.ranges : plan.wanted;
    if (wanted.length === 0) return this.#onContent(sync);
    // Told of completion at once if everything is here already.
    sync.input({ kind: "want", feed: this.#feeds.content, ranges: wanted });
  }

  /** Something stands where a file belongs: what that is, a whole plan finds out. */
  #onObstacle(error: ObstacleError, sync: Synchronizer): void {
    this.#news.tell({ event: "warning", code: "obstacle", message: error.message });
    this.#obstructed = true;
    this.#tried = undefined;
    this.#onMetadata(sync);
  }

  #onContent(sync: Synchronizer): void {
    const { live, dryRun } = this.#options;
    if (this.#over || this.#finished || this.#obstructed) return;
    if (!dryRun && this.#length.isShort(sync)) return;
    if (live) return this.#finishLive(sync);
    // A newer version is about to be planned.
    if (this.#isOutdated()) return;
    // The last word of it; where nothing is fetched it would say nothing.
    if (!dryRun && this.#plan!.bytes > 0) this.#tellProgress(sync, { now: true });
    this.#end();
  }

  #finishLive(sync: Synchronizer): void {
    if (this.#finishing !== undefined) return;
    const plan = this.#plan!;
    this.#finishing = this.#complete(plan, this.#ended.signal)
      .then(() => {
        this.#finished = true;
        // What is damaged later on is for the next update to put right.
        if (this.#archive.contentFiles === undefined || this.#planning) return;
        sync.input({ kind: "want", feed: this.#feeds.content, ranges: [] });
      })
      .catch((error) => {
        if (this.#ended.signal.aborted) return;
        if (error instanceof ObstacleError) this.#onObstacle(error, sync);
        else this.#end(error);
      })
      .finally(() => this.#finishing = undefined);
  }

  /** Everything of a plan was fetched: write what is left to be written, and tell. */
  async #complete(plan: CheckoutPlan, signal: AbortSignal): Promise<void> {
    const archive = this.#archive;
    if (archive.contentFiles === undefined) await writeWorkingFiles(archive, plan, signal);
    finishCheckout(archive, plan);
    this.#wasComplete = true;
    const { content } = archive;
    const missing = content!.length - content!.countHeld(0, content!.length);
    this.#options.emit({
      event: "synced",
      version: plan.version,
      files: plan.total,
      bytes: plan.bytes,
      downloadedBytes: this.#progress.takeDownloaded(),
      seconds: Math.round(this.#now() - this.#begunAt) / 1000,
      kept: plan.kept || undefined,
      missingBlocks: (followsAll(archive, plan) && missing) || undefined,
    });
  }

  #tellProgress(sync: Synchronizer, options: { now?: boolean } = {}): void {
    this.#progress.tell({ plan: this.#plan, peers: sync.openPeers, ...options });
  }

  #now(): number {
    return this.#options.world.clock.monotonic();
  }
}
