/** Share a folder: make the archive if there is none, import what changed, serve it, and follow it. */
import { IncompleteError, InterruptedError, NotFoundError, UsageError } from "../base/errors.ts";
import type { StopSignal, World } from "../base/world.ts";
import type { Receiver } from "../csp/channel.ts";
import { listenForPeers, type ListenOptions } from "../io/net.ts";
import type { PeerListener } from "../io/peer_listener.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import { openStdio } from "../io/stdio.ts";
import { archiveIn, archivePaths, type FolderKind, inspectFolder } from "./archive_folder.ts";
import { ONLY_ARCHIVE } from "./archive_feeds.ts";
import { mapWorkingFiles } from "./checkout.ts";
import type { Emit } from "./events.ts";
import { importFolder } from "./import_folder.ts";
import { checkGivenKey } from "./keys_import.ts";
import { LiveImport, tellImported } from "./live_import.ts";
import { type Archive, createArchive, openArchive, readPublicKey } from "./open_archive.ts";
import { checkOwnership } from "./ownership.ts";
import { PublishedArchive } from "./published_archive.ts";
import { tellListening } from "./peer_news.ts";
import { announcedPort, type DiscoveryChoice, openSearch } from "./peer_search.ts";
import { rememberedPeers, rememberPeers } from "./remembered_peers.ts";
import { refusePartialOwner } from "./selection_note.ts";
import { ShareJob } from "./share_job.ts";
import { untilStopped } from "./stop_signals.ts";
import { SyncedPeers, type UntilSynced } from "./synced_peers.ts";
import { Synchronizer } from "./synchronizer.ts";

export interface ShareArchiveOptions {
  readonly world: World;
  /** Peers to connect to, besides those that come by themselves. */
  readonly peers: readonly string[];
  /** Serve the peer on standard input and output, and end when it is gone. */
  readonly stdio?: boolean;
  readonly network?: PeerNetwork;
  /** Be found, and find peers besides those; off if left out. */
  readonly discovery?: DiscoveryChoice;
  /** Stop serving after so many milliseconds. */
  readonly timeoutMs?: number;
  /** Stop when so many peers have everything; to be stopped before that is a failure. */
  readonly untilSynced?: UntilSynced;
  /** Import what changed in the folder first; on if not said otherwise. Without, nothing is followed. */
  readonly importFirst?: boolean;
  /** Import, and be done: nobody is served. */
  readonly importOnly?: boolean;
  /** Follow changes of the folder while it is served; on if not said otherwise. */
  readonly watch?: boolean;
  /** As an import has it. */
  readonly ignoreHidden?: boolean;
  readonly reuseContent?: boolean;
  /** Absent: signals are left alone. */
  readonly signals?: Receiver<StopSignal>;
  readonly emit: Emit;
}

/** How an archive came to be open. */
interface Opened {
  /** It was made just now: nobody can have anything of it. */
  readonly isNew?: boolean;
}

export interface ShareOptions extends ShareArchiveOptions {
  readonly dir: string;
  /** Absent: nobody can connect. */
  readonly listen?: ListenOptions;
  /** Keep every version's content. */
  readonly history?: boolean;
  /**
   * The secret key of the archive that is there, 64 bytes, where it is not in the key store. It is
   * used and not kept.
   */
  readonly secretKey?: Uint8Array;
}

/**
 * Share until a signal or the timeout ends it; being asked to stop is success then.
 *
 * @throws {InterruptedError} If the signal came before the archive was ready to be served.
 */
export async function shareFolder(options: ShareOptions): Promise<void> {
  const { world, dir } = options;
  const kind = inspectFolder(dir);
  if (kind === "missing") {
    throw new NotFoundError(`Cannot share "${dir}": there is no such folder`, {
      hint: "check the path",
    });
  }
  if (options.secretKey !== undefined) checkBroughtKey(dir, kind, options.secretKey);
  // First, so that an address that cannot be had costs no import.
  const serves = options.listen !== undefined && !options.importOnly;
  using listener = serves ? await listenForPeers(options.listen) : undefined;
  using archive = kind === "archive"
    ? openArchive(dir, { world, access: "write", secretKey: options.secretKey })
    : createArchive(dir, world, options);
  if (options.history && !archive.keepsHistory) {
    throw new UsageError(
      `Cannot keep history in "${dir}": the files are the content of its archive`,
      { hint: "convert it first: trove convert --to history" },
    );
  }
  await shareArchive(archive, listener, { ...options, isNew: kind !== "archive" });
}

/** @throws {UsageError} If the key must not be used with what is in the folder. */
function checkBroughtKey(dir: string, kind: FolderKind, secretKey: Uint8Array): void {
  if (kind !== "archive") {
    // An archive that began anew under a key that was used before would be a second history.
    throw new UsageError(
      `Cannot share "${dir}" with the secret key that was given: no archive is there`,
      {
        hint: "fetch the archive into it first, with trove mirror, and then change its files",
      },
    );
  }
  const paths = archiveIn(dir) ?? archivePaths(dir);
  checkGivenKey(secretKey, readPublicKey(paths), "share with");
  refusePartialOwner(paths);
}

/**
 * The same for an archive that is open for writing, with connections from `listener`, if any. One
 * that is not our own is served as it is.
 *
 * @throws As `shareFolder`.
 */
export async function shareArchive(
  archive: Archive,
  listener: PeerListener | undefined,
  options: ShareArchiveOptions & Opened,
): Promise<void> {
  const { world, emit, network, signals, untilSynced } = options;
  if (archive.warning !== undefined) {
    emit({ event: "warning", code: "secret-key", message: archive.warning });
  }
  const { link, discoveryKey, version, paths: { dir } } = archive;
  emit({ event: "archive", link, discoveryKey, dir, writable: archive.writable, version });
  const mayImport = whetherItMayImport(archive, emit);
  if (mayImport && !options.isNew) await checkOwnership(archive, options);
  const imports = mayImport && options.importFirst !== false;
  let published: PublishedArchive | undefined;
  let onPublished = () => {};
  await using live = imports && options.watch !== false && !options.importOnly
    ? new LiveImport(archive, {
      ...options,
      onCommit: (found) => {
        published?.publish(found);
        onPublished();
      },
    })
    : undefined;
  if (imports) await importFirst(archive, live, options);
  if (options.importOnly) return;

  if (archive.writable) published = new PublishedArchive(archive, world);
  await using search = openSearch(options);
  const feeds = ONLY_ARCHIVE;
  const synced = untilSynced && new SyncedPeers(archive, untilSynced, { published, feeds, emit });
  const job = new ShareJob(archive, { ...options, feeds, published, live, synced });
  const sync = new Synchronizer({
    ...{ world, listener, network, signals, emit },
    found: search?.found,
    director: job,
    live: true,
    persistent: true,
    ack: synced !== undefined,
  });
  published?.join(sync, ONLY_ARCHIVE);
  if (!(published?.servesContent ?? joinCopy(archive, sync))) {
    const message = "The list of files is not complete, so no files are served: clone it first";
    if (synced !== undefined) throw new IncompleteError(message);
    emit({ event: "warning", code: "incomplete", message });
  }
  onPublished = () => synced?.watch(sync);
  onPublished();
  const primary = ONLY_ARCHIVE.metadata;
  for (const address of options.peers) sync.input({ kind: "found", address, primary });
  if (options.stdio) {
    sync.link(openStdio(), {
      onEnd: () => sync.stop(synced?.isDone === false ? synced.missed() : undefined),
    });
  }
  if (listener !== undefined) tellListening(listener, emit);
  search?.mapPort(announcedPort(listener));
  search?.begin(sync, {
    discoveryKey: archive.metadata.discoveryKey,
    primary,
    lookup: true,
    announce: announcedPort(listener),
    remembered: rememberedPeers(archive.paths),
  });
  try {
    await serve(sync, live, synced);
  } finally {
    rememberPeers(archive.paths, sync.workingAddresses(primary));
  }
}

/** Whether the folder's files may go into the archive; says why not. */
function whetherItMayImport({ hasWorkingFiles, writable }: Archive, emit: Emit): boolean {
  if (hasWorkingFiles && writable) return true;
  const message = !hasWorkingFiles
    ? "This archive has no working files to import; what it holds is served"
    : "This archive is not your own, so changes of the folder are not imported; " +
      "what it holds is served";
  emit({ event: "warning", code: "read-only", message });
  return false;
}

/** Import, and stop in good order when a signal comes meanwhile. */
async function importFirst(
  archive: Archive,
  live: LiveImport | undefined,
  options: ShareArchiveOptions,
): Promise<void> {
  const work = async (signal: AbortSignal) => {
    if (live !== undefined) return await live.importAll(signal);
    tellImported(options.emit, await importFolder(archive, { ...options, signal }), archive);
  };
  if (options.signals !== undefined) await untilStopped(options.signals, work);
  else await work(new AbortController().signal);
}

/** Let what is here of an archive of somebody else's take part. Answers as `servesContent`. */
function joinCopy(archive: Archive, sync: Synchronizer): boolean {
  const { metadata, content } = ONLY_ARCHIVE;
  sync.join(metadata, archive.metadata, metadata);
  try {
    mapWorkingFiles(archive);
  } catch (error) {
    if (error instanceof IncompleteError) return false;
    throw error;
  }
  if (archive.content !== undefined) sync.join(content, archive.content, metadata);
  return true;
}

/** Serve until it is over, and follow the folder meanwhile. */
async function serve(
  sync: Synchronizer,
  live: LiveImport | undefined,
  synced: SyncedPeers | undefined,
): Promise<void> {
  const ended = new AbortController();
  const following = live?.run(ended.signal).catch((error) => sync.stop(error));
  try {
    await sync.run();
  } catch (error) {
    // To be asked to stop is fine, unless there is something to be done first.
    if (!(error instanceof InterruptedError) || synced?.isDone === false) throw error;
  } finally {
    ended.abort();
    await following;
  }
}
