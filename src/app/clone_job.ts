/**
 * Decides what to fetch of an archive: metadata first, then, as the verified metadata tells, the
 * content of the newest version, or of every version where all are kept.
 */
import type { Range } from "../base/ranges.ts";
import type { StopSignal, World } from "../base/world.ts";
import type { Report } from "../core/sync/inputs.ts";
import type { Receiver } from "../csp/channel.ts";
import type { ListenOptions } from "../io/net.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import { finishCheckout, planCheckout, refusedError } from "./checkout.ts";
import { writeWorkingFiles } from "./checkout_history.ts";
import { type CheckoutPlan, contentEnd, type DownloadChoices } from "./checkout_plan.ts";
import { PeerFaults, whyStalled } from "./clone_faults.ts";
import { type Emit, PROGRESS_MS, type TroveEvent } from "./events.ts";
import type { Archive } from "./open_archive.ts";
import { tellPeerNews } from "./peer_news.ts";
import { RateMeter } from "./rates.ts";
import { chosenSelection } from "./selection_note.ts";
import { untilStopped } from "./stop_signals.ts";
import type { ArchiveFeeds, Director, Synchronizer } from "./synchronizer.ts";

/** The feeds of the one archive that a command works on. */
export const METADATA = 0;
export const CONTENT = 1;

/** Connected, but nothing new for so long: the peers do not have what is missing. */
const STALL_MS = 60_000;

/** Peers may still be saying what they have of the content: nothing new for so long, they are not. */
const QUIET_MS = 1500;

export interface DownloadOptions extends DownloadChoices {
  readonly world: World;
  readonly dir: string;
  /** Addresses of peers. */
  readonly peers: readonly string[];
  readonly network?: PeerNetwork;
  /** A peer is on standard input and output. */
  readonly stdio?: boolean;
  /** Serve others meanwhile. */
  readonly listen?: ListenOptions;
  /** Keep the content of every version; a folder that does is known again without it. */
  readonly history?: boolean;
  /** Give up after so many milliseconds. */
  readonly timeoutMs?: number;
  readonly signals: Receiver<StopSignal>;
  readonly emit: Emit;
}

/** Where a job works, if not on the one archive of a command. */
export interface JobPlace {
  readonly feeds: ArchiveFeeds;
  /** Called when the job is over, with the reason unless everything is here. */
  readonly onEnd: (sync: Synchronizer, failure?: unknown) => void;
}

/** The one archive of a command: with it the loop ends. */
const ALONE: JobPlace = {
  feeds: { metadata: METADATA, content: CONTENT },
  onEnd: (sync, failure) => sync.stop(failure),
};

export class CloneJob implements Director {
  readonly #archive: Archive;
  readonly #options: DownloadOptions;
  readonly #feeds: ArchiveFeeds;
  readonly #onEnd: JobPlace["onEnd"];
  readonly #startedAt: number;
  readonly #down = new RateMeter();
  readonly #up = new RateMeter();
  /** Set once the metadata is complete. */
  #plan: CheckoutPlan | undefined;
  /** A plan in the making, for a version newer than that of `#plan` if there is one. */
  #planning: Promise<void> | undefined;
  readonly #ended = new AbortController();
  #downloadedBytes = 0;
  readonly #faults = new PeerFaults();
  #progressAt: number;
  #newsAt: number;
  #done = false;
  /** Every block of the content that anybody told of is here. */
  #allContent = false;
  /** One past the last content block that an entry names. */
  #contentEnd = 0;
  #probing = false;
  /** Warnings of plans so far: a newer plan finds most of the same. */
  readonly #warned = new Set<string>();

  constructor(archive: Archive, options: DownloadOptions, place: JobPlace = ALONE) {
    this.#archive = archive;
    this.#options = options;
    this.#feeds = place.feeds;
    this.#onEnd = place.onEnd;
    this.#startedAt = options.world.clock.monotonic();
    this.#progressAt = this.#startedAt;
    this.#newsAt = this.#startedAt;
  }

  /** Whether anything of the folder may have been changed. */
  get touched(): boolean {
    return this.#plan !== undefined && !this.#options.dryRun;
  }

  onReport(report: Report, sync: Synchronizer): void {
    tellPeerNews(report, this.#options.emit);
    this.#faults.take(report);
    switch (report.kind) {
      case "peer-opened":
        this.#newsAt = this.#now();
        return;
      case "downloaded":
        this.#newsAt = this.#now();
        this.#downloadedBytes += report.bytes;
        this.#down.add(report.bytes, this.#newsAt);
        if (report.feed === this.#feeds.content) this.#allContent = false;
        return this.#tellProgress(sync);
      case "uploaded":
        return this.#up.add(report.bytes, this.#now());
      case "complete":
        if (report.feed === this.#feeds.metadata) return this.#onMetadata(sync);
        this.#allContent = true;
        // A plan in the making asks for what it lacks, and so this is heard again.
        if (this.#plan === undefined || this.#planning !== undefined) return;
        // Where every version is followed, a peer that has nothing yet is no reason to be done.
        if (this.#archive.contentFiles !== undefined || this.#isEnough()) this.#onContent(sync);
        return;
      case "probed":
        return this.#lengthen(report, sync);
      case "forked":
        return this.#onEnd(sync, report.error);
      case "alone":
        return this.#isEnough()
          ? this.#onContent(sync)
          : this.#onEnd(sync, this.#faults.whyAlone());
    }
  }

  onTick(sync: Synchronizer): void {
    if (this.#done) return;
    this.#tellProgress(sync);
    const { timeoutMs } = this.#options;
    const now = this.#now();
    if (this.#isEnough()) {
      const isQuiet = now - this.#newsAt >= QUIET_MS && !sync.obtainable(this.#feeds.content);
      if (isQuiet || this.#stalled(now)) return this.#onContent(sync);
    }
    if (timeoutMs !== undefined && now - this.#startedAt >= timeoutMs) {
      this.#onEnd(sync, this.#faults.whyLate(timeoutMs));
    } else if (timeoutMs === undefined && sync.openPeers > 0 && this.#stalled(now)) {
      this.#onEnd(sync, whyStalled(STALL_MS));
    }
  }

  /**
   * Where every version is kept: whether the newest one is here. Then it is over as soon as nobody
   * has more; blocks of older versions that nobody has are no failure.
   */
  #isEnough(): boolean {
    const { content, contentFiles } = this.#archive;
    if (this.#plan === undefined || this.#planning !== undefined || contentFiles !== undefined) {
      return false;
    }
    return this.#plan.ranges.every(({ start, end }) => content!.nextMissing(start, end) === -1);
  }

  /** Whether every block of the content is wanted, of whatever version. */
  get #followsAll(): boolean {
    return this.#archive.contentFiles === undefined && this.#plan?.partial === false;
  }

  #stalled(now: number): boolean {
    return this.#planning === undefined && now - this.#newsAt >= STALL_MS;
  }

  /** The loop has ended, however: nothing may be under way in the folder from here on. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#planning;
  }

  /** After the loop: what is left to be done without peers. */
  async finish(): Promise<void> {
    const archive = this.#archive;
    const plan = this.#plan!;
    const { emit, signals, dryRun } = this.#options;
    if (dryRun) return;
    if (archive.contentFiles === undefined) {
      await untilStopped(signals, (signal) => writeWorkingFiles(archive, plan, signal));
    }
    finishCheckout(archive, plan);
    const { content } = archive;
    const missing = content!.length - content!.countHeld(0, content!.length);
    emit({
      event: "synced",
      version: plan.version,
      files: plan.files.length + plan.emptyFiles.length,
      bytes: plan.bytes,
      downloadedBytes: this.#downloadedBytes,
      seconds: Math.round(this.#now() - this.#startedAt) / 1000,
      kept: plan.kept || undefined,
      missingBlocks: (this.#followsAll && missing) || undefined,
    });
    if (plan.refused > 0) throw refusedError(plan.refused);
  }

  /** Every entry that any peer told of is here and verified. */
  #onMetadata(sync: Synchronizer): void {
    const { metadata, version } = this.#archive;
    // A peer that has nothing yet is no reason to be done.
    if (metadata.length === 0 || this.#planning !== undefined || this.#done) return;
    if (this.#plan?.version === version) return;
    this.#planning = this.#prepare(sync).catch((error) => {
      if (!this.#ended.signal.aborted) this.#onEnd(sync, error);
    });
  }

  async #prepare(sync: Synchronizer): Promise<void> {
    const { signal } = this.#ended;
    const archive = this.#archive;
    const joined = archive.content !== undefined;
    const content = archive.openContent();
    const { dryRun } = this.#options;
    const keepsHistory = archive.contentFiles === undefined;
    if (!joined) sync.join(this.#feeds.content, content, this.#feeds.metadata);
    // While the plan is made nobody can say where in the folder a block belongs.
    const { isEverything } = chosenSelection(archive, this.#options.selection);
    if (!keepsHistory || !isEverything || dryRun) {
      sync.input({ kind: "want", feed: this.#feeds.content, ranges: [] });
    } else sync.input({ kind: "follow", feed: this.#feeds.content });
    const emit: Emit = (event) => this.#warnOnce(event);
    let plan: CheckoutPlan;
    do {
      plan = await planCheckout(archive, { ...this.#options, emit, signal });
      // Newer entries may have come meanwhile, and nobody tells of them twice.
    } while (plan.version !== archive.version && this.#holdsMetadata());
    if (signal.aborted) return;
    this.#plan = plan;
    if (archive.writable) this.#contentEnd = contentEnd(archive);
    this.#planning = undefined;
    this.#newsAt = this.#now();
    if (dryRun) return this.#onContent(sync);
    if (keepsHistory && !plan.partial) {
      if (this.#allContent && this.#isEnough()) this.#onContent(sync);
      return;
    }
    // Where every version is kept, what is to be written may be here already.
    const wanted = keepsHistory ? plan.ranges : plan.wanted;
    if (wanted.length === 0) return this.#onContent(sync);
    // Told of completion at once if everything is here already.
    sync.input({ kind: "want", feed: this.#feeds.content, ranges: wanted });
  }

  #warnOnce(event: TroveEvent): void {
    if (event.event === "warning") {
      if (this.#warned.has(event.message)) return;
      this.#warned.add(event.message);
    }
    this.#options.emit(event);
  }

  #holdsMetadata(): boolean {
    const { metadata } = this.#archive;
    return metadata.nextMissing(0, metadata.length) === -1;
  }

  /**
   * In the owner's folder the content feed has to be as long as the entries say, or the next import
   * would sign other blocks in the place of those that were signed elsewhere. Where none of these is
   * wanted any more, their proof is asked for without them.
   */
  #lacksLength(sync: Synchronizer): boolean {
    const { writable, content } = this.#archive;
    if (!writable || this.#options.dryRun || content!.length >= this.#contentEnd) return false;
    if (!this.#probing) {
      this.#probing = true;
      sync.input({ kind: "probe", feed: this.#feeds.content, against: content! });
    }
    return true;
  }

  #lengthen({ proof, feed }: Extract<Report, { kind: "probed" }>, sync: Synchronizer): void {
    if (feed !== this.#feeds.content || proof === undefined) return;
    const { content } = this.#archive;
    if (proof.signed!.length > content!.length) {
      content!.put({ ...proof, value: undefined });
      content!.commit();
    }
    this.#onContent(sync);
  }

  #onContent(sync: Synchronizer): void {
    if (this.#done || this.#lacksLength(sync)) return;
    this.#done = true;
    // The last word of it; where nothing is fetched it would say nothing.
    if (!this.#options.dryRun && this.#plan!.bytes > 0) this.#tellProgress(sync, { now: true });
    this.#onEnd(sync);
  }

  #tellProgress(sync: Synchronizer, options: { now?: boolean } = {}): void {
    const now = this.#now();
    if (!options.now && now - this.#progressAt < PROGRESS_MS) return;
    this.#progressAt = now;
    const { metadata, content } = this.#archive;
    let blocks = metadata.countHeld(0, metadata.length);
    let blocksTotal = metadata.length;
    for (const { start, end } of this.#ranges()) {
      blocks += content!.countHeld(start, end);
      blocksTotal += end - start;
    }
    const bytesTotal = this.#plan === undefined
      ? metadata.byteLength
      : this.#followsAll
      ? content!.byteLength
      : this.#plan.bytes;
    this.#options.emit({
      event: "progress",
      blocks,
      blocksTotal,
      bytes: this.#heldBytes(blocks, blocksTotal, bytesTotal),
      bytesTotal,
      peers: sync.openPeers,
      downRate: this.#down.rate(now),
      upRate: this.#up.rate(now),
    });
  }

  /** The content blocks that are being fetched or here. */
  #ranges(): readonly Range[] {
    if (this.#plan === undefined) return [];
    if (!this.#followsAll) return this.#plan.ranges;
    return [{ start: 0, end: this.#archive.content!.length }];
  }

  /** Blocks are nearly all of one size; the exact sum would need a look at each. */
  #heldBytes(blocks: number, blocksTotal: number, bytesTotal: number): number {
    if (blocks === blocksTotal) return bytesTotal;
    return Math.floor(bytesTotal * (blocks / Math.max(1, blocksTotal)));
  }

  #now(): number {
    return this.#options.world.clock.monotonic();
  }
}
