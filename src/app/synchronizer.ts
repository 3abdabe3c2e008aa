/**
 * The loop: local feeds and a bunch of peers, and one `select` over signals, ticks, inbound
 * messages and found peers. The only place where effects meet the world; it awaits nothing but the
 * select, so a slow peer holds up nobody.
 */
import { LocalProtocolError, TroveError, unreachable } from "../base/errors.ts";
import type { StopSignal, World } from "../base/world.ts";
import type { FeedReader } from "../core/feed/reader.ts";
import type { Effect, FeedId, Input, PeerAddress, Report } from "../core/sync/inputs.ts";
import { TICK_MS } from "../core/sync/limits.ts";
import { SyncCore } from "../core/sync/sync_core.ts";
import { Channel, type Receiver } from "../csp/channel.ts";
import { select } from "../csp/select.ts";
import { Ticker } from "../csp/ticker.ts";
import type { FeedStore } from "../io/feed_store.ts";
import type { Connection } from "../io/connection.ts";
import type { Inbound } from "../io/peer_link.ts";
import type { ArchiveFeeds } from "./archive_feeds.ts";
import type { Emit } from "./events.ts";
import { JoinedFeeds } from "./joined_feeds.ts";
import { GuardedReader } from "./guarded_reader.ts";
import { LinkMeters } from "./link_meters.ts";
import { PeerLinks } from "./peer_links.ts";
import { stoppedEarly } from "./stop_signals.ts";
import type { PeerListener } from "../io/peer_listener.ts";
import { PeerNetwork } from "../io/peer_network.ts";

/**
 * Whoever decides what to fetch of an archive: told of all its news, and free to call the
 * synchronizer back.
 */
export interface Director {
  onReport(report: Report, sync: Synchronizer): void;
  /** Called about once a second. */
  onTick?(sync: Synchronizer): void;
  /**
   * The archive's files could not be read or written. Whoever takes this lets the archive leave and
   * the rest goes on; without it the loop ends with the error.
   */
  onStorageFailure?(error: unknown, sync: Synchronizer): void;
}

export interface SynchronizerOptions {
  readonly world: World;
  /** Told of what no archive's own director is told. */
  readonly director: Director;
  /** Stay connected when nothing is left to do. */
  readonly live: boolean;
  /** Keep dialling known addresses for ever. */
  readonly persistent: boolean;
  /** Ask peers to say of each block that we sent when they have stored it. */
  readonly ack?: boolean;
  /** Give others what is here; on if not said otherwise. */
  readonly uploads?: boolean;
  /** Take connections from here; the synchronizer closes it. */
  readonly listener?: PeerListener;
  /** How peers are dialled, and how fast bytes come and go; directly and freely if absent. */
  readonly network?: PeerNetwork;
  /** SIGINT and SIGTERM. Absent: the synchronizer leaves signals alone. */
  readonly signals?: Receiver<StopSignal>;
  /**
   * Asked when a peer links to us for an archive that has not joined, by its discovery key in hex.
   * Whoever has it may let it join now and answers with its public key.
   */
  readonly open?: (name: string) => Uint8Array | undefined;
  /** Addresses of possible peers, from discovery. */
  readonly found?: Receiver<FoundPeer>;
  /** Told about once a second how fast the links are. */
  readonly emit?: Emit;
}

/** The address of a possible peer, for the archive of feed `primary`. */
export type FoundPeer = Omit<Extract<Input, { kind: "found" }>, "kind">;

/** Pieces taken before what they brought is committed: a commit costs a few small writes. */
const PIECES_PER_COMMIT = 4;

export class Synchronizer {
  readonly #world: World;
  readonly #director: Director;
  readonly #core: SyncCore;
  readonly #options: SynchronizerOptions;
  readonly #links: PeerLinks;
  readonly #meters = new LinkMeters();
  readonly #feeds = new JoinedFeeds((primary, work) => this.#guard(primary, work));
  /** By the primary feed of the archive they direct. */
  readonly #directors = new Map<FeedId, Director>();
  /** What is to be done when an archive has left, by its primary feed. */
  readonly #leaving = new Map<FeedId, () => void>();
  readonly #pending: Input[] = [];
  /** To be called after the next commit: the bytes that were received are used no more then. */
  #releases: (() => void)[] = [];
  /** Closed by `stop`, so that the loop wakes and sees whether it is finished. */
  readonly #stopped = new Channel<never>(1);
  #draining = false;
  #nextFeed: FeedId = 0;
  #failure: unknown;

  constructor(options: SynchronizerOptions) {
    this.#options = options;
    this.#world = options.world;
    this.#director = options.director;
    const id = options.world.randomBytes(32);
    const { world, live, persistent, ack, uploads, open } = options;
    const network = options.network ?? new PeerNetwork(world.clock);
    const { maxPeers } = network;
    this.#core = new SyncCore({ id, live, persistent, maxPeers, ack, uploads });
    const onFailure = (failure: unknown) => this.#fail(failure);
    this.#links = new PeerLinks({ world, network, feeds: this.#feeds, open, onFailure });
  }

  get openPeers(): number {
    return this.#core.openPeers;
  }

  /** Addresses that were dialled and where peers of this archive answered. */
  workingAddresses(primary: FeedId): PeerAddress[] {
    return this.#core.workingAddresses(primary);
  }

  /** Whether a peer has a wanted block that is not here, or has not told yet what it has. */
  obtainable(feed: FeedId): boolean {
    return this.#core.obtainable(feed);
  }

  /** Numbers for the feeds of one more archive. The first are 0 and 1. */
  newFeeds(): ArchiveFeeds {
    return { metadata: this.#nextFeed++, content: this.#nextFeed++ };
  }

  /** Who is told of the news of an archive, from here on; `primary` is its metadata feed. */
  direct(primary: FeedId, director: Director): void {
    this.#directors.set(primary, director);
  }

  /**
   * Let a feed take part. `primary` is the feed it is announced beside; itself if none. `reader` is
   * what peers get to see of it.
   */
  join(feed: FeedId, store: FeedStore, primary: FeedId, reader: FeedReader = store): void {
    this.#feeds.add(feed, store, primary);
    this.input({ kind: "join", feed, reader: this.#guarded(reader, primary), primary });
  }

  /** What peers get to see of a feed whose director takes the failures of its files. */
  #guarded(reader: FeedReader, primary: FeedId): FeedReader {
    const director = this.#directors.get(primary);
    if (director?.onStorageFailure === undefined || reader instanceof GuardedReader) return reader;
    return new GuardedReader(reader, {
      onFailure: (error) => director.onStorageFailure!(error, this),
    });
  }

  /**
   * Let an archive take no further part; its links end in good order.
   *
   * @param onLeft Called when nothing uses its feeds any more: they can be closed then.
   */
  leave(primary: FeedId, onLeft: () => void): void {
    this.#leaving.set(primary, onLeft);
    this.input({ kind: "leave", primary });
  }

  /** Give the core something from outside the loop; performed at once, or after what is under way. */
  input(input: Input): void {
    // Whoever gives up blocks says next what it wants instead: the core has to know them as missing.
    // What came in their place is told first, or a peer could take the feed to be at its end.
    if (input.kind !== "appended" && input.kind !== "stored") {
      for (const cleared of this.#feeds.takeCleared()) {
        this.#pending.push({ kind: "cleared", ...cleared });
      }
    }
    this.#pending.push(input);
    this.#drain();
  }

  /**
   * Link over a connection that is there already, before `run`. Its other end may be in the middle
   * of other work, so nothing of it is late before it said something.
   *
   * @param options.primary Which archive to ask for; absent, the remote says.
   * @param options.onEnd Called when the connection is gone.
   */
  link(connection: Connection, { primary, onEnd }: { primary?: FeedId; onEnd?: () => void }): void {
    this.#links.adopt(connection, { primary, onEnd });
  }

  /** End all links in good order; `run` returns. With a failure, it throws that. */
  stop(failure?: unknown): void {
    this.#failure ??= failure;
    this.#options.listener?.close(); // whoever comes from here on would keep us from ending
    this.#stopped.close();
    this.input({ kind: "stop" });
  }

  /** Run until `stop`. Returns, or throws what went wrong, when every link and task has ended. */
  async run(): Promise<void> {
    const accepting = this.#options.listener?.serve((connection) =>
      this.#links.welcome(connection)
    );
    using ticker = new Ticker(TICK_MS);
    const never: Receiver<never> = new Channel<never>(1);
    const { signals = never, found = never } = this.#options;
    const { inbound } = this.#links;
    const stopped: Receiver<never> = this.#stopped;
    const arms = { signals, ticks: ticker.ticks, inbound, found, stopped };
    try {
      while (!this.#core.finished) {
        const { arm, received } = await select(arms);
        if (received.done) {
          // Whoever fed this arm is done; a closed arm is always ready and must not be asked again.
          arms[arm] = never;
          continue;
        }
        if (arm === "signals") {
          const signal = received.value as StopSignal;
          this.stop(stoppedEarly(signal));
        } else if (arm === "ticks") {
          this.input({ kind: "tick" });
          this.#director.onTick?.(this);
          for (const director of [...this.#directors.values()]) director.onTick?.(this);
          this.#tellPeers();
        } else if (arm === "inbound") {
          this.#takeInbound(received.value as Inbound);
          // Links write what they were given now: peers work while this waits for the disk.
          await Promise.resolve();
        } else {
          this.input({ kind: "found", ...(received.value as FoundPeer) });
        }
        this.#commit();
      }
    } finally {
      await this.#end(accepting);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Take one piece and those that already wait behind it, up to what one commit should hold. */
  #takeInbound(first: Inbound): void {
    let inbound: Inbound | undefined = first;
    for (let taken = 1; inbound !== undefined; taken++) {
      if (inbound.kind === "received") {
        const { peer, messages, partialBytes, release } = inbound;
        const now = this.#now();
        for (const { channel, message } of messages) {
          this.#meters.count("down", peer, message, now);
          this.input({ kind: "message", peer, channel, message });
        }
        this.input({ kind: "heard", peer, partialBytes });
        this.#releases.push(release);
      } else {
        if (inbound.kind === "unlinked") {
          this.#links.forget(inbound.peer);
          this.#meters.forget(inbound.peer);
        }
        this.input(inbound);
      }
      const next = taken < PIECES_PER_COMMIT ? this.#links.inbound.tryReceive() : undefined;
      inbound = next === undefined || next.done ? undefined : next.value;
    }
  }

  /** Step the core with all that is pending, and perform what it answers, in order. */
  #drain(): void {
    if (this.#draining) return; // called back from a report: the loop below gets to it
    this.#draining = true;
    const now = this.#now();
    try {
      for (let input = this.#pending.shift(); input !== undefined; input = this.#pending.shift()) {
        const effects = this.#core.step(input, now);
        for (const effect of effects) this.#perform(effect);
        if (input.kind === "leave") this.#forget(input.primary);
      }
    } finally {
      this.#draining = false;
    }
  }

  /** The core knows an archive no more. */
  #forget(primary: FeedId): void {
    this.#feeds.remove(primary);
    this.#directors.delete(primary);
    const onLeft = this.#leaving.get(primary);
    this.#leaving.delete(primary);
    onLeft?.();
  }

  /** Tell the director of the archive that the news is about. */
  #tell(report: Report): void {
    const primary = "feed" in report ? this.#feeds.primaryOf(report.feed) : report.primary;
    const director = primary === undefined ? undefined : this.#directors.get(primary);
    (director ?? this.#director).onReport(report, this);
  }

  #tellPeers(): void {
    const { emit } = this.#options;
    emit?.({ event: "peers", ...this.#meters.figures(this.#core.openLinks(), this.#now()) });
  }

  #now(): number {
    return this.#world.clock.monotonic();
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "send": {
        const { peer, channel, message, bytes } = effect;
        this.#meters.count("up", peer, message, this.#now());
        return this.#links.send(peer, { channel, message }, bytes);
      }
      case "keepalive":
        return this.#links.send(effect.peer, "keepalive", 0);
      case "unlink":
        return this.#links.end(effect.peer, effect.reason);
      case "load": {
        const { peer, feed, request } = effect;
        const value = this.#load(feed, request.block);
        this.#pending.push({ kind: "loaded", peer, feed, request, value });
        return;
      }
      case "store":
        this.#feeds.put(effect.feed, effect.block); // one that leaves does so after this step
        return;
      case "dial":
        return this.#links.dial(effect.address, effect.primary);
      case "report":
        return this.#tell(effect.report);
      default:
        return unreachable(effect);
    }
  }

  #load(feed: FeedId, block: number): Uint8Array | undefined {
    // What is not on disk yet still lies in a buffer that the next pieces are read into.
    if (this.#feeds.isUncommitted(feed, block)) this.#commitStores();
    return this.#feeds.load(feed, block);
  }

  /** Put on disk what was stored since the last time, and let go of the bytes it came in. */
  #commit(): void {
    this.#commitStores();
    const releases = this.#releases;
    this.#releases = [];
    for (const release of releases) release();
  }

  /** Put on disk what was stored since the last time, and tell the core. */
  #commitStores(): void {
    this.#feeds.commit((feed, blocks) => this.input({ kind: "stored", feed, blocks }));
  }

  /** Do something to the files of an archive. Answers false if they failed and its director knows. */
  #guard(primary: FeedId, work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      const director = this.#directors.get(primary);
      const isBug = !(error instanceof TroveError) || error instanceof LocalProtocolError;
      if (isBug || director?.onStorageFailure === undefined) throw error;
      director.onStorageFailure(error, this);
      return false;
    }
  }

  /** End with this failure, whatever else goes wrong on the way. */
  #fail(failure: unknown): void {
    try {
      this.stop(failure);
    } catch {
      // `run` throws the first one.
    }
  }

  async #end(accepting: Promise<void> | undefined): Promise<void> {
    this.#options.listener?.close();
    await Promise.all([accepting, this.#links.close()]);
    this.#commit();
  }
}
