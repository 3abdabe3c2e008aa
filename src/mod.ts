/**
 * trove as a library: share, clone and read dat:// archives from a program of your own. The commands
 * are made of these functions. Nothing here listens to signals, prints, or ends the process, unless
 * an option says so; what goes wrong is thrown as a `TroveError`, whose class says what it was.
 *
 * @example
 * ```ts
 * import { clone, open } from "trove/mod.ts";
 *
 * await clone("dat://…", "photos", { peers: ["192.0.2.7:3282"] });
 * using archive = open("photos");
 * for (const { path, size } of archive.files()) console.log(size, path);
 * ```
 */
import { resolve } from "node:path";
import { ANY_HOST, DEFAULT_PORT, type ListenOptions, type PeerNetwork } from "./app/addresses.ts";
import { type ArchiveListener, tellListener } from "./app/archive_events.ts";
import {
  cloneArchive,
  type DownloadOptions as Download,
  pullArchive,
} from "./app/clone_archive.ts";
import type { Emit } from "./app/events.ts";
import { cloneFeed as cloneFeedFolder, shareFeed } from "./app/feed_job.ts";
import { feedIn } from "./app/feed_folder.ts";
import { mirrorArchive, type MirrorOptions as Mirror, type MirrorReport } from "./app/mirror.ts";
import { OpenArchive } from "./app/library_archive.ts";
import { locateArchive } from "./app/locate.ts";
import type { NameOptions } from "./app/names.ts";
import type { DiscoveryChoice } from "./app/peer_search.ts";
import { resolveLinkOrName } from "./app/resolve_link.ts";
import { shareFolder, type ShareOptions as Share } from "./app/share_folder.ts";
import { stopWhen, untilStopped } from "./app/stop_signals.ts";
import { UsageError } from "./base/errors.ts";
import type { World } from "./base/world.ts";

import { type Link, parseLink } from "./crypto/link.ts";
import { realWorld } from "./io/real_world.ts";

export type { ListenOptions } from "./app/addresses.ts";
export type { NameOptions } from "./app/names.ts";
export type { DiscoveryChoice } from "./app/peer_search.ts";
export type { ArchiveEvent, ArchiveListener, FeedName, StepEvent } from "./app/archive_events.ts";
export type { TroveEvent } from "./app/events.ts";
export type { MirrorChanges, MirrorReport } from "./app/mirror.ts";
export { type ArchiveFile, OpenArchive } from "./app/library_archive.ts";
export {
  ForkError,
  IncompleteError,
  InterruptedError,
  LocalProtocolError,
  LockedError,
  NoPeersError,
  NotFoundError,
  ProofError,
  RemoteProtocolError,
  StorageError,
  TroveError,
  UsageError,
} from "./base/errors.ts";
export type { World } from "./base/world.ts";
export type { SelectionRules } from "./core/archive/selection.ts";
export { formatLink, type Link, parseLink } from "./crypto/link.ts";
export { PeerNetwork } from "./io/peer_network.ts";
export { realWorld } from "./io/real_world.ts";

/** What every function takes. */
export interface CommonOptions {
  /** Clock, randomness, home and current folder; those of this machine if left out. */
  readonly world?: World;
}

/** What every function takes that goes on for a while. */
export interface RunOptions extends CommonOptions {
  /** Told of everything that happens. */
  readonly onEvent?: ArchiveListener;
  /** Ends it: `share` and `sync` come to their end, the others throw an `InterruptedError`. */
  readonly signal?: AbortSignal;
  /** SIGINT and SIGTERM end it as well; a second SIGINT ends the process. Off if left out. */
  readonly signals?: boolean;
  /** Addresses of peers to connect to, `host:port` and what else `--peer` takes. */
  readonly peers?: readonly string[];
  /** A peer is at the other end of standard input and output. */
  readonly stdio?: boolean;
  /**
   * Find peers by the link, and be found: `{}` in all ways there are. Left out, nothing is asked of
   * the network but those `peers`.
   */
  readonly discovery?: DiscoveryChoice;
  /** How peers are met: rates, a proxy. */
  readonly network?: PeerNetwork;
  /** Give up, or stop sharing, after so many milliseconds. */
  readonly timeoutMs?: number;
}

/** How a folder gets files. See `DownloadChoices` for what each choice does. */
export type DownloadOptions =
  & RunOptions
  & Omit<Download, "world" | "dir" | "peers" | "signals" | "emit" | "timeoutMs">;

/** How a folder is shared. */
export type ShareOptions =
  & RunOptions
  & Omit<Share, "world" | "dir" | "peers" | "listen" | "signals" | "emit" | "timeoutMs">
  & {
    /** Where; as the command if left out: all addresses, port 3282 or a free one. */
    readonly listen?: ListenOptions;
  };

/**
 * Open the archive that a folder is in, to read any of its versions. Dispose of it after use.
 *
 * @throws {NotFoundError} If there is none.
 */
export function open(dir: string, { world = realWorld() }: CommonOptions = {}): OpenArchive {
  return new OpenArchive(locateArchive(dir, world).dir, world);
}

/**
 * Make an archive of a folder, import what changed in it, and serve it until it is told to stop. A
 * folder with a feed by itself is served as it is.
 *
 * @throws {TroveError} If it cannot be served.
 */
export async function share(dir: string, options: ShareOptions = {}): Promise<void> {
  const everywhere = { host: ANY_HOST, port: DEFAULT_PORT, exact: false };
  const { listen = options.stdio ? undefined : everywhere } = options;
  await run(options, async (common) => {
    const place = resolve(common.world.cwd(), dir);
    const serving = { ...common, dir: place, listen };
    if (feedIn(place) !== undefined) {
      if (options.untilSynced !== undefined) {
        throw new UsageError(`Cannot wait for peers of "${dir}": it is a feed by itself`, {
          hint: "only of an archive it is known what its peers have to hold",
        });
      }
      await shareFeed(serving);
    } else await shareFolder({ ...options, ...serving });
  });
}

/**
 * Fetch an archive into a folder, or bring the folder up to date.
 *
 * @param link `dat://` and 64 hex digits, the digits alone, a name, or a folder that holds an archive.
 * @param options.names How names are looked up.
 * @param options.version The one version that will do, as one behind the link is; the newest if none
 *   is said.
 * @throws {TroveError} With the reason, when it ends before everything is here and verified.
 */
export async function clone(
  link: string,
  dir: string,
  options: DownloadOptions & { readonly names?: NameOptions; readonly version?: number } = {},
): Promise<void> {
  await run(options, async (common) => {
    const { key: publicKey, version } = await meant(link, { ...options, ...common });
    const exactVersion = oneVersion(options.version, version, options);
    const place = resolve(common.world.cwd(), dir);
    await cloneArchive({ ...options, ...common, publicKey, dir: place, exactVersion });
  });
}

/** @throws {UsageError} If two versions are meant, or one that is to be followed. */
function oneVersion(
  asked: number | undefined,
  linked: number | undefined,
  { live }: DownloadOptions,
): number | undefined {
  const version = asked ?? linked;
  if (linked !== undefined && linked !== version) {
    throw new UsageError(`Cannot clone version ${asked} and version ${linked} at once`);
  }
  if (version !== undefined && live) {
    throw new UsageError(`Cannot follow an archive and stay at version ${version}`, {
      hint: "leave out the version, or --live",
    });
  }
  return version;
}

async function meant(
  link: string,
  options: Pick<Download, Common> & Required<Pick<Download, "signals">> & { names?: NameOptions },
): Promise<Link> {
  let found: Link | undefined;
  await untilStopped(options.signals, async (signal) => {
    found = await resolveLinkOrName(link, options, signal);
    signal.throwIfAborted(); // whoever wants to stop says so once
  });
  return found!;
}

/** How an archive is mirrored. */
export type MirrorOptions =
  & Omit<RunOptions, "timeoutMs">
  & Omit<Mirror, "world" | "link" | "dir" | "peers" | "signals" | "emit">
  & {
    /** Told at the end what came of it, before an error is thrown as well. */
    readonly onReport?: (report: MirrorReport) => void;
  };

/**
 * Fetch an archive, or bring its folder up to date, for a job that nobody watches: begun again while
 * there is time, then everything on disk is verified, and what is damaged is mended.
 *
 * @param link As for `clone`; with a version, the archive has to be at just that one.
 * @param options.timeoutMs Covers everything.
 * @throws {TroveError} With the reason, if the folder is not as the archive is, and verified.
 */
export async function mirror(
  link: string,
  dir: string,
  options: MirrorOptions,
): Promise<MirrorReport> {
  let made: MirrorReport | undefined;
  await run(options, async (common) => {
    const place = resolve(common.world.cwd(), dir);
    const { timeoutMs, onReport } = options;
    const mirrored = await mirrorArchive({ ...options, ...common, timeoutMs, link, dir: place });
    onReport?.(mirrored.report);
    if (mirrored.failure !== undefined) throw mirrored.failure;
    made = mirrored.report;
  });
  return made!;
}

/**
 * Bring the archive that a folder is in up to what peers have.
 *
 * @throws {TroveError} As `clone`; a `NotFoundError` if there is no archive.
 */
export async function pull(dir: string, options: DownloadOptions = {}): Promise<void> {
  await run(options, async (common) => {
    await pullArchive({ ...options, ...common, dir: locateArchive(dir, common.world).dir });
  });
}

/**
 * Keep the archive that a folder is in up to date and serve it, until it is told to stop: a clone
 * follows its origin, and an owner's folder is shared.
 *
 * @throws {TroveError} As `share` or `pull`.
 */
export async function sync(dir: string, options: DownloadOptions = {}): Promise<void> {
  const { place, isOwned } = lookInto(dir, options);
  if (!isOwned) return await pull(place, { ...options, live: true });
  const { listen, world, onEvent, signal, signals } = options;
  const { peers, discovery, network, stdio, timeoutMs } = options;
  const meeting = { peers, discovery, network, stdio, timeoutMs };
  await share(place, { ...meeting, listen, world, onEvent, signal, signals });
}

function lookInto(dir: string, options: CommonOptions): { place: string; isOwned: boolean } {
  using archive = open(dir, options);
  return { place: archive.dir, isOwned: archive.writable };
}

/**
 * Fetch one feed, a hypercore by itself, into the files that hypercore has in a folder of its own.
 *
 * @param key 64 hex digits, with or without `dat://` before them.
 * @throws {TroveError} With the reason, when it ends before every block is here and verified.
 */
export async function cloneFeed(
  key: string,
  dir: string,
  options: RunOptions & { readonly listen?: ListenOptions } = {},
): Promise<void> {
  const { key: publicKey, version } = parseLink(key);
  if (version !== undefined) throw new UsageError(`Cannot fetch a part of a feed: "${key}"`);
  const { listen } = options;
  await run(options, async (common) => {
    const place = resolve(common.world.cwd(), dir);
    await cloneFeedFolder({ ...common, publicKey, listen, dir: place });
  });
}

type Common =
  | ("world" | "signals" | "emit")
  | ("peers" | "discovery" | "network" | "stdio" | "timeoutMs");

/** Do work with the world it is for, and end it as the options say. */
async function run(
  options: RunOptions,
  work: (
    common: Pick<Download, Common> & Required<Pick<Download, "signals">>,
  ) => Promise<void>,
): Promise<void> {
  const { world = realWorld(), onEvent, signal, signals, peers = [] } = options;
  const { stdio, network, discovery, timeoutMs } = options;
  const emit: Emit = onEvent === undefined ? () => {} : tellListener(onEvent);
  using stop = stopWhen(world, { onSignals: signals, abort: signal });
  const meeting = { peers, stdio, network, discovery, timeoutMs };
  await work({ ...meeting, world, emit, signals: stop.signals });
}
