/** Serve many archives from one process and one port, and keep those that are not our own up to date. */
import { InterruptedError, type TroveError, UsageError } from "../base/errors.ts";
import type { StopSignal, World } from "../base/world.ts";
import type { Receiver } from "../csp/channel.ts";
import { listenForPeers, type ListenOptions } from "../io/net.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import { ArchiveHost } from "./archive_host.ts";
import type { DownloadChoices } from "./checkout_plan.ts";
import type { Emit } from "./events.ts";
import { SeedLists } from "./seed_lists.ts";
import { tellListening } from "./peer_news.ts";
import { announcedPort, type DiscoveryChoice, openSearch } from "./peer_search.ts";
import { SeedNews } from "./seed_news.ts";
import { untilStopped } from "./stop_signals.ts";
import { Synchronizer } from "./synchronizer.ts";

export interface SeedOptions {
  readonly world: World;
  /** Folders that hold archives, and links. */
  readonly places: readonly string[];
  /** List files, and folders of archives; both are watched. */
  readonly lists: readonly string[];
  /** Where archives that are given as links are kept. */
  readonly store?: string;
  /** Peers to fetch from, besides those that come by themselves. */
  readonly peers: readonly string[];
  readonly listen: ListenOptions;
  /** New clones keep every version's content. */
  readonly history?: boolean;
  /** What updates of clones may do in their folders. */
  readonly choices?: DownloadChoices;
  readonly network?: PeerNetwork;
  /** Be found, and find peers besides those; off if left out. */
  readonly discovery?: DiscoveryChoice;
  /** Stop after so many milliseconds. */
  readonly timeoutMs?: number;
  readonly signals: Receiver<StopSignal>;
  readonly emit: Emit;
}

/**
 * Serve until a signal or the timeout ends it; being asked to stop is success.
 *
 * @throws {UsageError} If nothing was named, or the port is taken.
 * @throws {TroveError} If nothing that was named can be served.
 */
export async function seedArchives(options: SeedOptions): Promise<void> {
  const { world, places, lists, emit, signals, timeoutMs } = options;
  if (places.length === 0 && lists.length === 0) {
    throw new UsageError("Cannot serve nothing", {
      hint: "name folders or links, or a list of them with --list FILE",
    });
  }
  const news = new SeedNews(world, emit);
  const seedLists = new SeedLists({
    ...options,
    onBroken: (error, at) => warnOfBroken(news, error, at),
  });
  // First, so that an address that cannot be had costs nothing.
  using listener = await listenForPeers(options.listen);
  const wanted = seedLists.begin();

  await using search = openSearch({
    ...options,
    onFound: (name, found) => host.onFound(name, found),
  });
  const startedAt = world.clock.monotonic();
  const sync: Synchronizer = new Synchronizer({
    world,
    director: {
      onReport: (report) => host.onReport(report),
      onTick() {
        const next = seedLists.next();
        if (next !== undefined) host.setWanted(next);
        host.onTick();
        if (timeoutMs !== undefined && world.clock.monotonic() - startedAt >= timeoutMs) {
          sync.stop();
        }
      },
    },
    live: true,
    persistent: true,
    listener,
    network: options.network,
    signals,
    found: search?.found,
    open: (name) => host.find(name),
    emit,
  });
  const { peers, history, choices = {} } = options;
  const onDoubt = (dir: string) => seedLists.doubt(dir);
  const host: ArchiveHost = new ArchiveHost({
    ...{ world, sync, news, peers, history, choices, onDoubt },
    ...{ search, announce: announcedPort(listener) },
  });
  search?.mapPort(announcedPort(listener));
  host.setWanted(wanted);
  try {
    await untilStopped(signals, (signal) => host.lookAtAdded(signal));
    if (host.whyUseless !== undefined && lists.length === 0) throw host.whyUseless;
    tellListening(listener, emit);
    await sync.run();
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
  } finally {
    await host.end();
  }
}

function warnOfBroken(news: SeedNews, error: TroveError, at: string | undefined): void {
  const hint = error.hint === undefined ? "" : `; ${error.hint}`;
  const place = at === undefined ? "" : `${at}: `;
  news.warn(undefined, error.code, `${place}${error.message}${hint}`);
}
