/**
 * Fetch an archive into a folder: metadata first, then, as the verified metadata tells, the content
 * of the newest version; then the folder is complete and the job done.
 */
import {
  ForkError,
  IncompleteError,
  NoPeersError,
  ProofError,
  TroveError,
  UsageError,
} from "../base/errors.ts";
import { formatSeconds } from "../base/format.ts";
import type { StopSignal, World } from "../base/world.ts";
import type { Report } from "../core/sync/inputs.ts";
import type { Receiver } from "../csp/channel.ts";
import { listenForPeers, type ListenOptions } from "../io/net.ts";
import { type ArchivePaths, type FolderKind, inspectFolder } from "./archive_folder.ts";
import { finishCheckout, planCheckout, refusedError } from "./checkout.ts";
import type { CheckoutPlan } from "./checkout_plan.ts";
import { type Emit, PROGRESS_MS } from "./events.ts";
import { type Archive, openClone } from "./open_archive.ts";
import { tellPeerNews } from "./peer_news.ts";
import { RateMeter } from "./rates.ts";
import { type Director, Synchronizer } from "./synchronizer.ts";

/** The feeds of the one archive that a command works on. */
export const METADATA = 0;
export const CONTENT = 1;

/** Connected, but nothing new for so long: the peers do not have what is missing. */
const STALL_MS = 60_000;

export interface CloneOptions {
  readonly world: World;
  readonly publicKey: Uint8Array;
  readonly dir: string;
  /** Addresses of peers, `host:port`. */
  readonly peers: readonly string[];
  /** Serve others meanwhile. */
  readonly listen?: ListenOptions;
  /** Give up after so many milliseconds. */
  readonly timeoutMs?: number;
  readonly signals: Receiver<StopSignal>;
  readonly emit: Emit;
}

/**
 * Clone, or go on with a clone that was begun.
 *
 * @throws {TroveError} With the reason, when it ends before everything is here.
 */
export async function cloneArchive(options: CloneOptions): Promise<void> {
  const { world, publicKey, dir } = options;
  const before = inspectFolder(dir);
  const archive = openClone(dir, { world, publicKey });
  let learntNothing = false;
  try {
    using _open = archive;
    try {
      await fetchArchive(archive, options);
    } finally {
      learntNothing = archive.metadata.length === 0;
    }
  } finally {
    // A mistyped link must not claim the folder for good.
    if (before !== "archive" && learntNothing) removeEmptyClone(archive.paths, before);
  }
}

/** Take away what opening a clone made, as long as it holds nothing of an archive. */
function removeEmptyClone(paths: ArchivePaths, before: FolderKind): void {
  try {
    Deno.removeSync(paths.dat, { recursive: true });
    if (before === "missing") Deno.removeSync(paths.dir);
  } catch {
    // Somebody put something there meanwhile. What stays does no harm: see `inspectFolder`.
  }
}

async function fetchArchive(archive: Archive, options: CloneOptions): Promise<void> {
  const { world, dir, peers, listen, signals, emit } = options;
  if (archive.writable) {
    throw new UsageError(`Cannot clone into "${dir}": it is the archive's own folder`, {
      hint: "clone into another folder, or share this one",
    });
  }
  checkMode(archive);
  const { link, discoveryKey, version } = archive;
  emit({ event: "archive", link, discoveryKey, dir, writable: false, version });
  if (archive.warning !== undefined) {
    emit({ event: "warning", code: "secret-key", message: archive.warning });
  }
  const job = new CloneJob(archive, options);
  const listener = listen === undefined ? undefined : listenForPeers(listen);
  const sync = new Synchronizer({
    world,
    director: job,
    live: false,
    persistent: options.timeoutMs !== undefined,
    listener,
    signals,
  });
  sync.join(METADATA, archive.metadata, METADATA);
  sync.input({ kind: "follow", feed: METADATA });
  if (archive.content !== undefined) sync.join(CONTENT, archive.content, METADATA);
  for (const address of peers) sync.input({ kind: "found", address, primary: METADATA });
  if (listener !== undefined) {
    const { hostname: host, port } = listener.addr as Deno.NetAddr;
    emit({ event: "listening", host, port });
  }
  try {
    await sync.run();
  } finally {
    await job.end();
  }
  job.finish();
}

/** @throws {UsageError} If the archive keeps every version's bytes, so that there are no files. */
function checkMode(archive: Archive): void {
  if (archive.content === undefined || archive.contentFiles !== undefined) return;
  throw new UsageError(`Cannot clone into "${archive.paths.dir}": it keeps every version`, {
    hint: "clone into another folder",
  });
}

class CloneJob implements Director {
  readonly #archive: Archive;
  readonly #options: CloneOptions;
  readonly #startedAt: number;
  readonly #down = new RateMeter();
  readonly #up = new RateMeter();
  /** Set once the metadata is complete. */
  #plan: CheckoutPlan | undefined;
  /** A plan in the making, for a version newer than that of `#plan` if there is one. */
  #planning: Promise<void> | undefined;
  readonly #ended = new AbortController();
  #downloadedBytes = 0;
  #metAnyone = false;
  /** The worst that a peer did: why we are alone, if we end up so. */
  #lastFault: TroveError | undefined;
  #lastFailure: string | undefined;
  #progressAt: number;
  #newsAt: number;
  #done = false;

  constructor(archive: Archive, options: CloneOptions) {
    this.#archive = archive;
    this.#options = options;
    this.#startedAt = options.world.clock.monotonic();
    this.#progressAt = this.#startedAt;
    this.#newsAt = this.#startedAt;
  }

  onReport(report: Report, sync: Synchronizer): void {
    tellPeerNews(report, this.#options.emit);
    switch (report.kind) {
      case "peer-opened":
        this.#metAnyone = true;
        this.#newsAt = this.#now();
        return;
      case "peer-closed":
        return this.#noteFault(report.reason instanceof TroveError ? report.reason : undefined);
      case "peer-failed":
        this.#lastFailure = `${report.address}: ${report.reason}`;
        return this.#noteFault(report.error);
      case "downloaded":
        this.#newsAt = this.#now();
        this.#downloadedBytes += report.bytes;
        this.#down.add(report.bytes, this.#newsAt);
        return this.#tellProgress(sync);
      case "uploaded":
        return this.#up.add(report.bytes, this.#now());
      case "complete":
        if (report.feed === METADATA) return this.#onMetadata(sync);
        // A plan in the making asks for what it lacks, and so this is heard again.
        if (this.#plan !== undefined && this.#planning === undefined) this.#onContent(sync);
        return;
      case "forked":
        return sync.stop(report.error);
      case "alone":
        return sync.stop(this.#whyAlone());
    }
  }

  onTick(sync: Synchronizer): void {
    if (this.#done) return;
    this.#tellProgress(sync);
    const { timeoutMs } = this.#options;
    const now = this.#now();
    if (timeoutMs !== undefined && now - this.#startedAt >= timeoutMs) {
      sync.stop(this.#whyLate(timeoutMs));
    } else if (timeoutMs === undefined && sync.openPeers > 0 && this.#stalled(now)) {
      sync.stop(
        new IncompleteError(
          `Cannot complete the archive: no peer sent anything for ${
            formatSeconds(STALL_MS / 1000)
          }`,
          { hint: "run the same command again when a peer has what is missing" },
        ),
      );
    }
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
  finish(): void {
    const plan = this.#plan!;
    finishCheckout(this.#archive, plan);
    const { emit } = this.#options;
    emit({
      event: "synced",
      version: plan.version,
      files: plan.files.length + plan.emptyFiles.length,
      bytes: plan.bytes,
      downloadedBytes: this.#downloadedBytes,
      seconds: Math.round(this.#now() - this.#startedAt) / 1000,
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
      if (!this.#ended.signal.aborted) sync.stop(error);
    });
  }

  async #prepare(sync: Synchronizer): Promise<void> {
    const { signal } = this.#ended;
    const archive = this.#archive;
    const joined = archive.content !== undefined;
    const content = archive.openContent();
    checkMode(archive);
    if (!joined) sync.join(CONTENT, content, METADATA);
    // While the plan is made nobody can say where a block belongs.
    sync.input({ kind: "want", feed: CONTENT, ranges: [] });
    let plan: CheckoutPlan;
    do {
      plan = await planCheckout(archive, { emit: this.#options.emit, signal });
      // Newer entries may have come meanwhile, and nobody tells of them twice.
    } while (plan.version !== archive.version && this.#holdsMetadata());
    if (signal.aborted) return;
    this.#plan = plan;
    this.#planning = undefined;
    this.#newsAt = this.#now();
    if (plan.ranges.length === 0) return this.#onContent(sync);
    // Told of completion at once if everything is here already.
    sync.input({ kind: "want", feed: CONTENT, ranges: plan.ranges });
  }

  #holdsMetadata(): boolean {
    const { metadata } = this.#archive;
    return metadata.nextMissing(0, metadata.length) === -1;
  }

  #onContent(sync: Synchronizer): void {
    if (this.#done) return;
    this.#done = true;
    this.#tellProgress(sync, { now: true });
    sync.stop();
  }

  #noteFault(error: TroveError | undefined): void {
    if (
      error instanceof ProofError || error instanceof ForkError || this.#lastFault === undefined
    ) {
      this.#lastFault = error ?? this.#lastFault;
    }
  }

  #whyAlone(): TroveError {
    const fault = this.#lastFault;
    if (fault instanceof ProofError) return fault;
    if (!this.#metAnyone) return this.#nobody("no address is left to try");
    return new IncompleteError("Cannot complete the archive: every peer is gone", {
      cause: fault,
      hint: "run the same command again to go on from here",
    });
  }

  #whyLate(timeoutMs: number): TroveError {
    if (!this.#metAnyone) return this.#nobody(`tried for ${formatSeconds(timeoutMs / 1000)}`);
    return new IncompleteError(
      `Cannot complete the archive within ${formatSeconds(timeoutMs / 1000)}`,
      { hint: "run the same command again to go on from here" },
    );
  }

  #nobody(what: string): TroveError {
    const last = this.#lastFailure === undefined ? what : this.#lastFailure;
    return new NoPeersError(`Cannot reach a peer that has this archive: ${last}`, {
      hint: "check the link and the address, and that the other side is sharing",
    });
  }

  #tellProgress(sync: Synchronizer, options: { now?: boolean } = {}): void {
    const now = this.#now();
    if (!options.now && now - this.#progressAt < PROGRESS_MS) return;
    this.#progressAt = now;
    const { metadata, content } = this.#archive;
    let blocks = metadata.countHeld(0, metadata.length);
    let blocksTotal = metadata.length;
    for (const { start, end } of this.#plan?.ranges ?? []) {
      blocks += content!.countHeld(start, end);
      blocksTotal += end - start;
    }
    const bytesTotal = this.#plan?.bytes ?? metadata.byteLength;
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

  /** Blocks are nearly all of one size; the exact sum would need a look at each. */
  #heldBytes(blocks: number, blocksTotal: number, bytesTotal: number): number {
    if (blocks === blocksTotal) return bytesTotal;
    return Math.floor(bytesTotal * (blocks / Math.max(1, blocksTotal)));
  }

  #now(): number {
    return this.#options.world.clock.monotonic();
  }
}
