/**
 * Looking for peers on behalf of a synchronizer: discovery runs beside it, and what it finds comes in
 * through a channel. Where an archive worked with peers before, they are tried first.
 */
import { isAbsolute, join } from "node:path";
import type { World } from "../base/world.ts";
import type { FeedId, PeerAddress } from "../core/sync/inputs.ts";
import { Channel, type Receiver } from "../csp/channel.ts";
import {
  Discovery,
  type DiscoveryOptions,
  type Found,
  type SourceNews,
} from "../discovery/discovery.ts";
import { reachOf } from "../discovery/candidates.ts";
import { openSources, type SourceOptions } from "../discovery/sources.ts";
import { type Interest, SOURCE_NAMES, type SourceName } from "../discovery/source.ts";
import { Topic } from "../discovery/topic.ts";
import { formatAddress } from "../io/peer_address.ts";
import type { PeerListener } from "../io/peer_listener.ts";
import { realTimers, type Timers } from "../io/timers.ts";
import type { Emit } from "./events.ts";
import { PortMapping } from "./port_mapping.ts";
import type { FoundPeer, Synchronizer } from "./synchronizer.ts";

export { type Bootstrap } from "../discovery/sources.ts";
export type { SourceName } from "../discovery/source.ts";

/** How peers are found. Everything has a usual value. */
export interface DiscoveryChoice extends SourceOptions {
  /** The ways of finding them; all if left out. */
  readonly sources?: readonly SourceName[];
  /** Take private and loopback addresses from DHTs too. */
  readonly allowPrivate?: boolean;
  /** Have the router pass a port on to ours. */
  readonly portMap?: boolean;
}

/** Addresses on their way to the loop. What does not fit is named again by its source. */
const MAX_WAITING = 1024;

/**
 * Whoever fetches once, without a deadline of its own, looks for a first peer so long: every source
 * has answered or failed by then, and its second question was asked.
 */
export const SEARCH_MS = 75_000;

/** The ways of finding peers that are chosen. */
export function chosenSources({ sources }: DiscoveryChoice): SourceName[] {
  return SOURCE_NAMES.filter((name) => sources?.includes(name) ?? true);
}

/** So often it is looked whether any peer is left. */
const WATCH_MS = 5000;

/**
 * So long after the last peer was gone everybody is asked again who is there: a peer that restarts
 * elsewhere has to announce itself first.
 */
const ASK_AGAIN_MS: readonly number[] = [10_000, 40_000, 120_000, 300_000];

/** Addresses that worked before are named again so often. */
const REMEMBERED_MS = 60_000;

/** How sources are called where people read it. */
export const CALLED: Record<SourceName, string> = {
  mdns: "local network",
  dns: "DNS servers",
  dht: "BitTorrent DHT",
  hyperswarm: "Hyperswarm DHT",
};

export interface PeerSearchOptions {
  readonly world: World;
  readonly choice: DiscoveryChoice;
  readonly emit: Emit;
  /** Told of every address, with the discovery key in hex. */
  readonly onFound?: (name: string, found: Omit<FoundPeer, "primary">) => void;
  /** How the sources are made; as they are if left out. */
  readonly sources?: DiscoveryOptions["sources"];
}

/** An archive that takes part in a synchronizer, and what is done to find its peers. */
export interface Quest extends Interest {
  readonly discoveryKey: Uint8Array;
  /** The number of its metadata feed. */
  readonly primary: FeedId;
  /** Addresses that worked before. */
  readonly remembered?: readonly PeerAddress[];
  /** Say after `SEARCH_MS` that nobody else will be found; never if left out. */
  readonly ends?: boolean;
}

export class PeerSearch implements AsyncDisposable {
  /** What was found, for the synchronizer. */
  readonly found: Receiver<FoundPeer>;
  readonly #found = new Channel<FoundPeer>(MAX_WAITING);
  readonly #discovery: Discovery;
  readonly #options: PeerSearchOptions;
  /** The archives that are open, by the name of their topic. */
  readonly #ids = new Map<string, FeedId>();
  /** Names of all topics that are looked for. */
  readonly #joined = new Set<string>();
  /** What was told of each source last. */
  readonly #told = new Map<SourceName, SourceNews["state"]>();
  readonly #timers: Timers;
  readonly #stack = new DisposableStack();
  #mapping: PortMapping | undefined;
  #cancelNaming = () => {};
  #cancelWatching = () => {};

  constructor(options: PeerSearchOptions) {
    this.found = this.#found;
    this.#options = options;
    const { world, choice } = options;
    this.#timers = realTimers(world.clock);
    const sources = options.sources ?? openSources(chosenSources(choice), choice);
    this.#discovery = new Discovery({
      timers: this.#timers,
      random: () => randomOf(world),
      randomBytes: (length) => world.randomBytes(length),
      sources,
      allowPrivate: choice.allowPrivate,
      onFound: (found) => this.#take(found),
      onNews: (_topic, news) => this.#tell(news),
    });
  }

  /** Announce an archive that is not open, look for it, or both; or change that. */
  join(discoveryKey: Uint8Array, interest: Interest): void {
    const topic = new Topic(discoveryKey);
    this.#joined.add(topic.name);
    this.#discovery.join(topic, interest);
  }

  /** Find peers for an archive of that synchronizer. */
  begin(sync: Synchronizer, quest: Quest): void {
    const { discoveryKey, primary, remembered = [], ends, lookup, announce } = quest;
    this.direct(discoveryKey, primary);
    this.#nameRemembered(sync, primary, remembered);
    if (lookup) sync.input({ kind: "seek", primary, seeking: true });
    if (lookup && ends) {
      const end = () => sync.input({ kind: "seek", primary, seeking: false });
      this.#stack.defer(this.#timers.after(SEARCH_MS, end));
    }
    this.join(discoveryKey, { lookup, announce });
    if (lookup) this.#watch(sync, new Topic(discoveryKey));
  }

  /** Notice when the last peer is gone: whoever it was may be back elsewhere, and only now known. */
  #watch(sync: Synchronizer, topic: Topic): void {
    let lostAt: number | undefined;
    let hadPeers = false;
    let asked = 0;
    const look = () => {
      if (this.#stack.disposed) return;
      const now = this.#timers.now();
      const hasPeers = sync.openPeers > 0;
      if (hasPeers) lostAt = undefined;
      else if (hadPeers) [lostAt, asked] = [now, 0];
      hadPeers = hasPeers;
      if (lostAt !== undefined && asked < ASK_AGAIN_MS.length) {
        if (now - lostAt >= ASK_AGAIN_MS[asked]) {
          asked++;
          this.#discovery.askAgain(topic);
        }
      }
      this.#cancelWatching = this.#timers.after(WATCH_MS, look);
    };
    look();
  }

  /** What worked before is named again and again, as what the sources find. */
  #nameRemembered(sync: Synchronizer, primary: FeedId, remembered: readonly PeerAddress[]): void {
    if (remembered.length === 0 || this.#stack.disposed) return;
    for (const address of remembered) {
      sync.input({ kind: "found", address, primary, discovered: true, rank: 0 });
    }
    const again = () => this.#nameRemembered(sync, primary, remembered);
    this.#cancelNaming = this.#timers.after(REMEMBERED_MS, again);
  }

  /** Have the router pass a port on to this one of ours, if that was chosen. It may take a while. */
  mapPort(port: number | undefined): void {
    if (!this.#options.choice.portMap || port === undefined) return;
    const { world, emit } = this.#options;
    const mapping = new PortMapping(port, {
      timers: this.#timers,
      random: () => randomOf(world),
      onChange: (publicPort) => this.#discovery.setPublicPort(publicPort),
      emit,
    });
    this.#mapping = mapping;
  }

  /** What is found of this archive is for the feed of that number from here on. */
  direct(discoveryKey: Uint8Array, primary: FeedId): void {
    this.#ids.set(new Topic(discoveryKey).name, primary);
  }

  /** They are not any more. The search goes on until `stop`. */
  undirect(discoveryKey: Uint8Array): void {
    this.#ids.delete(new Topic(discoveryKey).name);
  }

  /** Have no more to do with an archive. */
  stop(discoveryKey: Uint8Array): void {
    this.undirect(discoveryKey);
    const topic = new Topic(discoveryKey);
    this.#joined.delete(topic.name);
    this.#discovery.leave(topic);
  }

  /** What came of the search for an archive so far, one sentence for each source. */
  explain(discoveryKey: Uint8Array): string {
    const news = this.#discovery.newsOf(new Topic(discoveryKey));
    return news.map(({ source, message }) => `${CALLED[source]}: ${message}`).join("; ");
  }

  /** Withdraw and close everything. Takes two seconds at most. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stack.dispose();
    this.#cancelNaming();
    this.#cancelWatching();
    this.#found.close();
    await Promise.all([this.#discovery.close(), this.#mapping?.close()]);
  }

  /** Of one archive everything is told; of many when a source works, or does not, and no more. */
  #tell({ source, state, message, found }: SourceNews): void {
    if (this.#joined.size > 1) {
      if (state === "waiting" || this.#told.get(source) === state) return;
    }
    this.#told.set(source, state);
    const called = CALLED[source];
    this.#options.emit({ event: "discovery", source, called, state, message, found });
  }

  #take({ topic, host, port, source, isNew, isOwn }: Found): void {
    const address = formatAddress({ host, port });
    const rank = rankOf(source, { host, isOwn });
    const found = { address, discovered: true, rank };
    this.#options.onFound?.(topic.name, found);
    const primary = this.#ids.get(topic.name);
    if (primary === undefined) return;
    if (!this.#found.trySend({ ...found, primary }) || !isNew) return;
    this.#options.emit({ event: "found", address, source, called: CALLED[source] });
  }
}

/** A search as the options say; none if they say nothing of it. */
export function openSearch(
  { discovery, world, emit, onFound }: Omit<PeerSearchOptions, "choice"> & {
    readonly discovery?: DiscoveryChoice;
  },
): PeerSearch | undefined {
  if (discovery === undefined) return undefined;
  return new PeerSearch({ choice: discovery, world, emit, onFound });
}

/**
 * Where nodes of DHTs are remembered: a folder of this user for what can be lost. Undefined if the
 * environment tells of none.
 */
export function stateFolder(world: World): string | undefined {
  const cache = world.env("XDG_CACHE_HOME");
  if (cache !== undefined && isAbsolute(cache)) return join(cache, "trove");
  const home = world.home();
  return home === undefined ? undefined : join(home, ".cache", "trove");
}

/**
 * What near ones say of themselves first, then what they say of others: one of them could name any
 * number. Private addresses that somebody far away named come last.
 */
function rankOf(
  source: SourceName,
  { host, isOwn }: { readonly host: string; readonly isOwn: boolean },
): number {
  if (source === "mdns") return isOwn ? 1 : 2;
  return reachOf(host) === "public" ? 3 : 4;
}

/** At least 0 and less than 1. */
export function randomOf(world: World): number {
  return new DataView(world.randomBytes(4).buffer).getUint32(0) / 2 ** 32;
}

/**
 * The port at which others can be told to find us: that of TCP, unless only this machine can reach it.
 */
export function announcedPort(listener: PeerListener | undefined): number | undefined {
  const tcp = listener?.addrs.find(({ transport, hostname }) =>
    transport === "tcp" && reachOf(hostname) !== "loopback"
  );
  return tcp?.port;
}
