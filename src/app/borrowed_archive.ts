/**
 * An archive that is read over the network: its entries are fetched into a temporary folder, content
 * blocks as they are wanted, and at the end nothing of it is left.
 */
import { ForkError, IncompleteError, type TroveError } from "../base/errors.ts";
import { type Range, RangeSet } from "../base/ranges.ts";
import type { StopSignal, World } from "../base/world.ts";
import type { Report } from "../core/sync/inputs.ts";
import type { Receiver } from "../csp/channel.ts";
import { listenForPeers, type ListenOptions } from "../io/net.ts";
import type { PeerListener } from "../io/peer_listener.ts";
import { delay } from "../io/pause.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import { storageError } from "../io/handle_cache.ts";
import type { ArchiveSource, BlockOrder, HeldArchive } from "./archive_source.ts";
import { ArchiveView } from "./archive_view.ts";
import { PeerFaults } from "./clone_faults.ts";
import { CONTENT, METADATA } from "./clone_job.ts";
import { QUIET_MS } from "./clone_limits.ts";
import { heldVersion } from "./clone_planner.ts";
import type { Emit } from "./events.ts";
import { type Archive, openClone } from "./open_archive.ts";
import { tellListening, tellPeerNews } from "./peer_news.ts";
import { announcedPort, type DiscoveryChoice, openSearch, type PeerSearch } from "./peer_search.ts";
import { type Director, Synchronizer } from "./synchronizer.ts";

/** A block that peers do not send within that time is not to be had now. */
const PATIENCE_MS = 10_000;

export interface BorrowOptions {
  readonly world: World;
  readonly publicKey: Uint8Array;
  readonly peers: readonly string[];
  readonly network?: PeerNetwork;
  readonly discovery?: DiscoveryChoice;
  readonly listen?: ListenOptions;
  /** Keep looking for peers, and following the archive, for ever. */
  readonly live?: boolean;
  /** Give up after so many milliseconds, if its entries are not here by then. */
  readonly timeoutMs?: number;
  readonly signals?: Receiver<StopSignal>;
  readonly emit: Emit;
  /** Every entry that any peer told of is here, once more. */
  readonly onVersion?: (version: number) => void;
}

export class BorrowedArchive implements ArchiveSource, Director {
  readonly #options: BorrowOptions;
  /** Where it lies for now. */
  readonly folder: string;
  readonly #archive: Archive;
  readonly #stack: AsyncDisposableStack;
  readonly #faults: PeerFaults;
  readonly #orders = new Set<Order>();
  readonly #known = Promise.withResolvers<void>();
  readonly #startedAt: number;
  #sync!: Synchronizer;
  #running: Promise<void> = Promise.resolve();
  #failure: unknown;
  #hasContent = false;
  #isKnown = false;
  #search: PeerSearch | undefined;

  private constructor(folder: string, archive: Archive, options: BorrowOptions) {
    this.#options = options;
    this.folder = folder;
    this.#archive = archive;
    this.#stack = new AsyncDisposableStack();
    this.#startedAt = options.world.clock.monotonic();
    this.#faults = new PeerFaults(() => this.#search?.explain(archive.metadata.discoveryKey));
    this.#known.promise.catch(() => {}); // told of by whoever waits
  }

  /**
   * Begin to fetch. Dispose of it after use: that takes everything away again.
   *
   * @throws {StorageError} If there is no place for it.
   */
  static async begin(options: BorrowOptions): Promise<BorrowedArchive> {
    const { world, publicKey, listen } = options;
    const listener = listen === undefined ? undefined : await listenForPeers(listen);
    let folder: string;
    try {
      folder = Deno.makeTempDirSync({ prefix: "trove-" });
    } catch (error) {
      listener?.close();
      throw storageError("Cannot make a temporary folder", error);
    }
    // Every version's blocks have their place there, so any of them can be fetched by itself.
    try {
      const archive = openClone(folder, { world, publicKey, history: true });
      const borrowed = new BorrowedArchive(folder, archive, options);
      borrowed.#begin(listener);
      return borrowed;
    } catch (error) {
      listener?.close();
      Deno.removeSync(folder, { recursive: true });
      throw error;
    }
  }

  #begin(listener: PeerListener | undefined): void {
    const { world, peers, network, live, signals, emit } = this.#options;
    const { discoveryKey } = this.#archive.metadata;
    this.#search = openSearch(this.#options);
    if (this.#search !== undefined) this.#stack.use(this.#search);
    const sync = new Synchronizer({
      ...{ world, network, listener, signals, director: this, live: live === true },
      persistent: live === true || this.#options.timeoutMs !== undefined,
      found: this.#search?.found,
    });
    this.#sync = sync;
    sync.join(METADATA, this.#archive.metadata, METADATA);
    sync.input({ kind: "follow", feed: METADATA });
    for (const address of peers) sync.input({ kind: "found", address, primary: METADATA });
    if (listener !== undefined) tellListening(listener, emit);
    const announce = announcedPort(listener);
    const ends = !live && this.#options.timeoutMs === undefined;
    this.#search?.begin(sync, { discoveryKey, primary: METADATA, lookup: true, announce, ends });
    this.#running = sync.run().catch((error) => this.#fail(error));
  }

  /** Ends when it cannot go on, or was stopped. @throws what ended it. */
  async run(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Until every entry that any peer told of is here. @throws {TroveError} If that cannot be. */
  async untilKnown(): Promise<void> {
    await this.#known.promise;
  }

  async ready(): Promise<void> {
    if (this.#isKnown) return;
    const waited = new AbortController();
    const known = this.#known.promise.catch(() => {}).finally(() => waited.abort());
    await Promise.race([known, delay(PATIENCE_MS, waited.signal)]);
    waited.abort();
  }

  hold(): HeldArchive {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#isKnown) {
      throw new IncompleteError("Cannot read the archive: no peer has sent its entries yet");
    }
    const archive = this.#archive;
    const view = (version: number) => new ArchiveView(archive, version);
    return { archive, version: heldVersion(archive), view, [Symbol.dispose]: () => {} };
  }

  order(signal: AbortSignal): BlockOrder {
    const order = new Order(signal, () => {
      this.#orders.delete(order);
      this.#askForAll();
    }, (range) => {
      if (this.#failure !== undefined) throw this.#failure;
      this.#joinContent();
      if (this.#archive.content!.hasBlock(range.start)) return true;
      order.since = this.#now();
      this.#orders.add(order);
      this.#askForAll();
      return false;
    });
    return order;
  }

  onReport(report: Report, sync: Synchronizer): void {
    this.#faults.take(report);
    tellPeerNews(report, this.#options.emit);
    switch (report.kind) {
      case "downloaded":
        if (report.feed === CONTENT) this.#wake();
        return;
      case "complete":
        if (report.feed === METADATA) this.#onEntries();
        return;
      case "alone":
        if (!this.#options.live) sync.stop(this.#faults.whyAlone());
        return;
      case "forked":
        return sync.stop(new ForkError(report.error.message, { cause: report.error }));
    }
  }

  onTick(sync: Synchronizer): void {
    const { timeoutMs } = this.#options;
    const now = this.#now();
    if (!this.#isKnown && timeoutMs !== undefined && now - this.#startedAt >= timeoutMs) {
      sync.stop(this.#faults.whyLate(timeoutMs));
    }
    for (const order of [...this.#orders].filter(({ waits }) => waits)) {
      const waited = now - order.since;
      const nobodyHas = sync.openPeers > 0 && waited >= QUIET_MS && !sync.obtainable(CONTENT);
      if (!nobodyHas && waited < PATIENCE_MS) continue;
      order.fail(
        nobodyHas
          ? new IncompleteError("Cannot read the file: no peer that is connected has all of it")
          : new IncompleteError("Cannot read the file: no peer sent what is missing of it", {
            hint: "try again when one is connected",
          }),
      );
    }
    this.#wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sync.stop();
    try {
      await this.#running;
      await this.#stack[Symbol.asyncDispose]();
    } finally {
      this.#fail(new IncompleteError("The archive is not read any more"));
      this.#archive[Symbol.dispose]();
      Deno.removeSync(this.folder, { recursive: true });
    }
  }

  #onEntries(): void {
    if (this.#archive.metadata.length === 0) return; // a peer that has nothing itself
    this.#archive.openContent();
    this.#isKnown = true;
    this.#known.resolve();
    this.#options.onVersion?.(heldVersion(this.#archive));
  }

  #joinContent(): void {
    if (this.#hasContent) return;
    this.#sync.join(CONTENT, this.#archive.openContent(), METADATA);
    this.#hasContent = true;
  }

  /** Everything that anybody waits for; what nobody waits for any more is not asked for. */
  #askForAll(): void {
    if (!this.#hasContent || this.#failure !== undefined) return;
    const ranges = new RangeSet([...this.#orders].flatMap(({ range }) => range ?? []));
    this.#sync.input({ kind: "want", feed: CONTENT, ranges: [...ranges] });
  }

  #wake(): void {
    const { content } = this.#archive;
    for (const order of [...this.#orders]) {
      if (order.range !== undefined && content?.hasBlock(order.range.start)) order.come();
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#known.reject(this.#failure);
    for (const order of [...this.#orders]) order.fail(this.#failure as TroveError);
  }

  #now(): number {
    return this.#options.world.clock.monotonic();
  }
}

class Order implements BlockOrder {
  range: Range | undefined;
  since = 0;
  #waiting: PromiseWithResolvers<void> | undefined;
  readonly #signal: AbortSignal;
  readonly #onEnd: () => void;
  readonly #ask: (range: Range) => boolean;
  readonly #abort = () => this.fail(this.#signal.reason);

  /** @param ask Answers whether the first block is here already. */
  constructor(signal: AbortSignal, onEnd: () => void, ask: (range: Range) => boolean) {
    this.#signal = signal;
    this.#onEnd = onEnd;
    this.#ask = ask;
    signal.addEventListener("abort", this.#abort);
  }

  async need(range: Range): Promise<void> {
    this.#signal.throwIfAborted();
    const waiting = Promise.withResolvers<void>();
    this.range = range;
    if (this.#ask(range)) return;
    this.#waiting = waiting;
    await waiting.promise;
  }

  get waits(): boolean {
    return this.#waiting !== undefined;
  }

  come(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  fail(error: unknown): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener("abort", this.#abort);
    this.range = undefined;
    this.#onEnd();
  }
}
