/** Share a folder: make the archive if there is none, import what changed, and serve it. */
import { IncompleteError, InterruptedError, NotFoundError, UsageError } from "../base/errors.ts";
import type { StopSignal, World } from "../base/world.ts";
import type { Report } from "../core/sync/inputs.ts";
import type { Receiver } from "../csp/channel.ts";
import { listenForPeers, type ListenOptions } from "../io/net.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import { openStdio } from "../io/stdio.ts";
import { inspectFolder } from "./archive_folder.ts";
import { mapWorkingFiles } from "./checkout.ts";
import { CONTENT, METADATA } from "./clone_archive.ts";
import { type Emit, PROGRESS_MS } from "./events.ts";
import { importFolder } from "./import_folder.ts";
import { type Archive, createArchive, openArchive } from "./open_archive.ts";
import { checkOwnership } from "./ownership.ts";
import { tellListening, tellPeerNews } from "./peer_news.ts";
import { noteServed } from "./served_lengths.ts";
import { RateMeter } from "./rates.ts";
import { type Director, Synchronizer } from "./synchronizer.ts";

export interface ShareOptions {
  readonly world: World;
  readonly dir: string;
  /** Peers to connect to, besides those that come by themselves. */
  readonly peers: readonly string[];
  /** Absent: nobody can connect. */
  readonly listen?: ListenOptions;
  /** Serve the peer on standard input and output, and end when it is gone. */
  readonly stdio?: boolean;
  readonly network?: PeerNetwork;
  /** Stop serving after so many milliseconds. */
  readonly timeoutMs?: number;
  /** Keep every version's content. */
  readonly history?: boolean;
  /** Import what changed in the folder first; on if not said otherwise. */
  readonly importFirst?: boolean;
  /** As an import has it. */
  readonly ignoreHidden?: boolean;
  readonly reuseContent?: boolean;
  readonly signals: Receiver<StopSignal>;
  readonly emit: Emit;
}

/**
 * Share until a signal or the timeout ends it; being asked to stop is success then.
 *
 * @throws {InterruptedError} If the signal came before the archive was ready to be served.
 */
export async function shareFolder(options: ShareOptions): Promise<void> {
  const { world, dir, peers, emit } = options;
  const kind = inspectFolder(dir);
  if (kind === "missing") {
    throw new NotFoundError(`Cannot share "${dir}": there is no such folder`, {
      hint: "check the path",
    });
  }
  // First, so that an address that cannot be had costs no import.
  using listener = options.listen === undefined ? undefined : await listenForPeers(options.listen);
  using archive = kind === "archive"
    ? openArchive(dir, { world, access: "write" })
    : createArchive(dir, world, options);
  if (options.history && !archive.keepsHistory) {
    throw new UsageError(
      `Cannot keep history in "${dir}": the files are the content of its archive`,
      { hint: "convert it first: trove convert --to history" },
    );
  }
  if (archive.warning !== undefined) {
    emit({ event: "warning", code: "secret-key", message: archive.warning });
  }
  const { link, discoveryKey, version } = archive;
  emit({ event: "archive", link, discoveryKey, dir, writable: archive.writable, version });
  if (!archive.hasWorkingFiles) {
    const message = "This archive has no working files to import; what it holds is served";
    emit({ event: "warning", code: "read-only", message });
  } else if (archive.writable) {
    if (kind === "archive") await checkOwnership(archive, options);
    if (options.importFirst !== false) await importChanges(archive, options);
  } else {
    const message = "This archive is not your own, so changes of the folder are not imported; " +
      "what it holds is served";
    emit({ event: "warning", code: "read-only", message });
  }
  const servesContent = mapContent(archive, emit);
  if (archive.writable) noteServed(archive, world);

  const sync = new Synchronizer({
    world,
    director: new ShareJob(archive, options),
    live: true,
    persistent: true,
    listener,
    network: options.network,
    signals: options.signals,
  });
  sync.join(METADATA, archive.metadata, METADATA);
  if (servesContent) sync.join(CONTENT, archive.content!, METADATA);
  for (const address of peers) sync.input({ kind: "found", address, primary: METADATA });
  if (options.stdio) sync.link(openStdio(), { onEnd: () => sync.stop() });
  if (listener !== undefined) tellListening(listener, emit);
  try {
    await sync.run();
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
  }
}

/** Whether there is content to serve: without all metadata nobody knows whose bytes it is. */
function mapContent(archive: Archive, emit: Emit): boolean {
  try {
    mapWorkingFiles(archive);
    return archive.content !== undefined;
  } catch (error) {
    if (!(error instanceof IncompleteError)) throw error;
    const message = "The list of files is not complete, so no files are served: clone it first";
    emit({ event: "warning", code: "incomplete", message });
    return false;
  }
}

/** Import, and stop in good order when a signal comes meanwhile. */
async function importChanges(archive: Archive, options: ShareOptions): Promise<void> {
  const { world, emit, signals, ignoreHidden, reuseContent } = options;
  const interrupted = new AbortController();
  const stopWaiting = signals.whenReady(() => {
    const next = signals.tryReceive();
    const signal = next === undefined || next.done ? "SIGINT" : next.value;
    interrupted.abort(new InterruptedError("Stopped before the import was complete", signal));
  });
  try {
    const summary = await importFolder(archive, {
      ...{ world, emit, ignoreHidden, reuseContent },
      signal: interrupted.signal,
    });
    emit({
      event: "imported",
      ...summary,
      seconds: Math.round(summary.seconds * 1000) / 1000,
      version: archive.version,
    });
  } finally {
    stopWaiting();
  }
}

class ShareJob implements Director {
  readonly #archive: Archive;
  readonly #options: ShareOptions;
  readonly #startedAt: number;
  readonly #up = new RateMeter();
  #progressAt = 0;

  constructor(archive: Archive, options: ShareOptions) {
    this.#archive = archive;
    this.#options = options;
    this.#startedAt = options.world.clock.monotonic();
  }

  onReport(report: Report, sync: Synchronizer): void {
    const { emit } = this.#options;
    tellPeerNews(report, emit);
    if (report.kind === "uploaded") {
      this.#up.add(report.bytes, this.#now());
      this.#tellProgress(sync);
    } else if (report.kind === "peer-finished") {
      emit({ event: "uploaded", peer: report.address, version: this.#archive.version });
    } else if (report.kind === "forked") {
      sync.stop(report.error);
    }
  }

  onTick(sync: Synchronizer): void {
    const { timeoutMs } = this.#options;
    if (timeoutMs !== undefined && this.#now() - this.#startedAt >= timeoutMs) sync.stop();
  }

  #tellProgress(sync: Synchronizer): void {
    const now = this.#now();
    if (now - this.#progressAt < PROGRESS_MS) return;
    this.#progressAt = now;
    const { metadata, content } = this.#archive;
    const blocks = metadata.length + (content?.length ?? 0);
    const bytes = metadata.byteLength + (content?.byteLength ?? 0);
    this.#options.emit({
      event: "progress",
      blocks,
      blocksTotal: blocks,
      bytes,
      bytesTotal: bytes,
      peers: sync.openPeers,
      downRate: 0,
      upRate: this.#up.rate(now),
    });
  }

  #now(): number {
    return this.#options.world.clock.monotonic();
  }
}
