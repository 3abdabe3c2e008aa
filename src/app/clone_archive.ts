/**
 * Fetch an archive into a folder, or bring the folder up to date: then it is complete and the job
 * done, or the folder follows the archive until the command is asked to stop.
 */
import { IncompleteError, InterruptedError, UsageError } from "../base/errors.ts";
import { listenForPeers, type ListenOptions } from "../io/net.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import { openStdio } from "../io/stdio.ts";
import { archiveIn, type ArchivePaths, type FolderKind, inspectFolder } from "./archive_folder.ts";
import { CloneJob, type JobOptions, METADATA } from "./clone_job.ts";
import { refuseNewer } from "./clone_planner.ts";
import { mendAfterCut } from "./mend_after_cut.ts";
import { type Archive, openArchive, openClone } from "./open_archive.ts";
import { refuseForks } from "./ownership.ts";
import { tellListening } from "./peer_news.ts";
import { announcedPort, type DiscoveryChoice, openSearch } from "./peer_search.ts";
import { rememberedPeers, rememberPeers } from "./remembered_peers.ts";
import { rememberSelection } from "./selection_note.ts";
import { Synchronizer } from "./synchronizer.ts";
import { readVersionNote, removeVersionNote, writeVersionNote } from "./version_notes.ts";

export { CONTENT, METADATA } from "./clone_job.ts";

export interface DownloadOptions extends Omit<JobOptions, "feeds"> {
  readonly dir: string;
  /** Addresses of peers. */
  readonly peers: readonly string[];
  readonly network?: PeerNetwork;
  /** A peer is on standard input and output. */
  readonly stdio?: boolean;
  /** Find peers besides those; off if left out. */
  readonly discovery?: DiscoveryChoice;
  /** Let others connect meanwhile. */
  readonly listen?: ListenOptions;
  /** Give peers what is here; on if not said otherwise. */
  readonly uploads?: boolean;
  /** Keep the content of every version; a folder that does is known again without it. */
  readonly history?: boolean;
}

export interface CloneOptions extends DownloadOptions {
  readonly publicKey: Uint8Array;
}

/**
 * Clone, or go on with a clone that was begun.
 *
 * @throws {TroveError} With the reason, when it ends before everything was here.
 */
export async function cloneArchive(options: CloneOptions): Promise<void> {
  const { world, publicKey, dir, history } = options;
  const before = inspectFolder(dir);
  if (before === "archive") await mendAfterCut(archiveIn(dir)!, options);
  const archive = openClone(dir, { world, publicKey, history });
  let isWorthless = false;
  try {
    using _open = archive;
    if (archive.writable) {
      throw new UsageError(`Cannot clone into "${dir}": it is the archive's own folder`, {
        hint: "clone into another folder; trove pull fetches what was added elsewhere",
      });
    }
    checkHistory(archive, history);
    // Whoever goes on after an interruption need not say it again.
    if (before !== "archive" && !options.dryRun) {
      rememberSelection(archive.paths, options.selection);
    }
    let job: CloneJob | undefined;
    try {
      await fetchArchive(archive, options, (begun) => job = begun);
    } catch (error) {
      // Where nothing can be written, nothing is left behind either.
      isWorthless = error instanceof UsageError && !job?.touched;
      throw error;
    } finally {
      isWorthless ||= archive.metadata.length === 0 || options.dryRun === true;
    }
  } finally {
    // A mistyped link must not claim the folder for good.
    if (before !== "archive" && isWorthless) removeUnusedClone(archive.paths, before);
  }
}

/**
 * Bring the archive of a folder up to what peers have, once or, live, for ever. In the owner's own
 * folder these are entries that were signed elsewhere, with a copy of the secret key.
 *
 * @param options.dir The archive's own folder.
 * @throws {TroveError} With the reason, when it ends before everything was here.
 */
export async function pullArchive(options: DownloadOptions): Promise<void> {
  const { world, dir, history } = options;
  const paths = archiveIn(dir);
  if (paths !== undefined) await mendAfterCut(paths, options);
  using archive = openArchive(dir, { world, access: "write" });
  checkHistory(archive, history);
  if (archive.writable && options.selection !== undefined) {
    throw new UsageError(`Cannot select files of "${dir}": it is the archive's own folder`, {
      hint: "an owner has all files; clone the archive into another folder to have some",
    });
  }
  const base = archive.writable ? beginPull(archive) : undefined;
  try {
    await fetchArchive(archive, options);
  } finally {
    // Nothing came: the folder's files are those of the newest version as before.
    if (base === archive.version) removeVersionNote(archive.paths, "pulling");
  }
}

/** Remember which version the owner's files are of, before a newer one is here. */
function beginPull({ paths, version }: Archive): number {
  const begun = readVersionNote(paths, "pulling");
  if (begun !== undefined) return begun;
  writeVersionNote(paths, "pulling", version);
  return version;
}

/** Take away what opening a clone made. */
function removeUnusedClone(paths: ArchivePaths, before: FolderKind): void {
  try {
    Deno.removeSync(paths.dat, { recursive: true });
    if (before === "missing") Deno.removeSync(paths.dir);
  } catch {
    // Somebody put something there meanwhile. What stays does no harm: see `inspectFolder`.
  }
}

/** @throws {UsageError} If every version is asked for where the newest files only are kept. */
function checkHistory(archive: Archive, history: boolean | undefined): void {
  if (!history || archive.keepsHistory) return;
  throw new UsageError(
    `Cannot keep every version in "${archive.paths.dir}": it keeps the newest files only`,
    { hint: "clone into another folder with --history" },
  );
}

async function fetchArchive(
  archive: Archive,
  options: DownloadOptions,
  onJob: (job: CloneJob) => void = () => {},
): Promise<void> {
  const { world, dir, peers, listen, stdio, network, live, signals, emit, timeoutMs } = options;
  const { startedAt = world.clock.monotonic() } = options;
  const { link, discoveryKey, version, writable } = archive;
  emit({ event: "archive", link, discoveryKey, dir, writable, version });
  if (archive.warning !== undefined) {
    emit({ event: "warning", code: "secret-key", message: archive.warning });
  }
  refuseNewer(version, options.exactVersion);
  const elapsed = world.clock.monotonic() - startedAt;
  const leftMs = timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - elapsed);
  await refuseForks(archive, { world, peers, network, signals, emit, timeoutMs: leftMs });
  using listener = listen === undefined ? undefined : await listenForPeers(listen);
  await using search = openSearch(options);
  const { discoveryKey: topic } = archive.metadata;
  const explain = () => search?.explain(topic);
  const job = new CloneJob(
    archive,
    { ...options, startedAt, explain },
    (failure) => sync.stop(failure),
  );
  onJob(job);
  const sync = new Synchronizer({
    world,
    director: job,
    live: live === true,
    persistent: live === true || timeoutMs !== undefined,
    listener,
    network,
    signals,
    uploads: options.uploads,
    found: search?.found,
    emit,
  });
  job.join(sync);
  for (const address of peers) sync.input({ kind: "found", address, primary: METADATA });
  if (stdio) sync.link(openStdio(), { primary: METADATA });
  if (listener !== undefined) tellListening(listener, emit);
  search?.mapPort(announcedPort(listener));
  search?.begin(sync, {
    discoveryKey: topic,
    primary: METADATA,
    lookup: true,
    announce: announcedPort(listener),
    remembered: rememberedPeers(archive.paths),
    ends: !live && timeoutMs === undefined,
  });
  try {
    await sync.run();
  } catch (error) {
    // Whoever follows an archive is asked to stop some time: then all is well.
    if (!(live && job.wasComplete && error instanceof InterruptedError)) {
      throw withVersion(error, archive, options);
    }
  } finally {
    await job.end();
    // A clone that learnt nothing is about to be removed.
    if (archive.metadata.length > 0) rememberPeers(archive.paths, sync.workingAddresses(METADATA));
  }
  await job.finish();
}

/** What ended it, with how far the peers are where that is what was waited for. */
function withVersion(
  error: unknown,
  { version }: Archive,
  { exactVersion }: DownloadOptions,
): unknown {
  if (exactVersion === undefined || version >= exactVersion) return error;
  if (!(error instanceof IncompleteError)) return error;
  const newest = `the newest one that peers have is ${version}`;
  return new IncompleteError(
    `Cannot have version ${exactVersion} of the archive: ${newest}`,
    { cause: error, hint: "run the same command again when its owner has shared it" },
  );
}
