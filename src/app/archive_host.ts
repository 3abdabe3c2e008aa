/**
 * Many archives of one process: which of them are open, and why. An archive that nobody asks for is a
 * key and a path; it is opened when a peer names it or when its turn to be fetched has come, and
 * closed when it was left alone for a while.
 */
import { toHex } from "../base/bytes.ts";
import { ForkError, LocalProtocolError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import type { Report } from "../core/sync/inputs.ts";
import { discoveryKey } from "../crypto/hash.ts";
import { formatLink } from "../crypto/link.ts";
import { nextTurn } from "../io/pause.ts";
import type { DownloadChoices } from "./checkout_plan.ts";
import { glanceAt, HostedArchive, openHosted, type Wanted } from "./hosted_archive.ts";
import type { PeerSearch } from "./peer_search.ts";
import {
  FORK_RETRY_MS,
  LOOKS_PER_TURN,
  MAX_FETCHING,
  MAX_FOLLOWING,
  MAX_FOUND,
  MAX_OPEN,
  RETRY_MS,
  REVISIT_MS,
  USUAL_PEERS,
  VISIT_MS,
} from "./seed_limits.ts";
import { Complaints, type SeedNews } from "./seed_news.ts";
import {
  dueOf,
  type FoundAddress,
  hasDue,
  type Hosted,
  idlestOf,
  isFetching,
  isResting,
  isToBeClosed,
  placesFor,
} from "./seed_schedule.ts";
import type { Synchronizer } from "./synchronizer.ts";

export interface HostOptions {
  readonly world: World;
  readonly sync: Synchronizer;
  readonly news: SeedNews;
  /** Whom to fetch from, besides those who come by themselves. */
  readonly peers: readonly string[];
  /** Finds others, if anything does, and lets us be found at this port. */
  readonly search?: PeerSearch;
  readonly announce?: number;
  readonly history?: boolean;
  readonly choices: DownloadChoices;
  /** Told when something is wrong with a folder: it may hold another archive by now. */
  readonly onDoubt?: (dir: string) => void;
}

export class ArchiveHost {
  readonly #options: HostOptions;
  readonly #hosted = new Map<string, Hosted>();
  readonly #open = new Set<Hosted>();
  /** Added and not looked at yet. */
  readonly #fresh: Hosted[] = [];
  #looking?: Promise<void>;
  /** How many could be looked at, and what went wrong with the first that could not. */
  #usable = 0;
  #firstError: unknown;
  readonly #closing = new Set<Promise<void>>();
  /** Peers of archives that have left, by number: their end is still to be told. */
  readonly #leaving = new Map<number, string>();
  #ended = false;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** How many archives are served. */
  get size(): number {
    return this.#hosted.size;
  }

  get openArchives(): number {
    return this.#open.size;
  }

  /** Why nothing at all can be served, of what was looked at so far. */
  get whyUseless(): unknown {
    return this.#usable === 0 ? this.#firstError : undefined;
  }

  /** Serve these archives and no others; those that are served already are left in peace. */
  setWanted(all: Iterable<Wanted>): void {
    const wanted = new Map<string, Wanted>();
    for (const one of all) {
      const name = toHex(discoveryKey(one.key));
      if (!wanted.has(name)) wanted.set(name, one);
    }
    for (const [name, hosted] of this.#hosted) {
      if (wanted.get(name)?.dir !== hosted.wanted.dir) this.#remove(hosted);
    }
    for (const [name, one] of wanted) if (!this.#hosted.has(name)) this.#add(name, one);
  }

  /** Look at all that was added since the last time, and tell of it. */
  lookAtAdded(signal?: AbortSignal): Promise<void> {
    return this.#looking ??= this.#lookAtAdded(signal).finally(() => this.#looking = undefined);
  }

  /** A peer asks for an archive, by its discovery key in hex: open it if it is one of these. */
  find(name: string): Uint8Array | undefined {
    const hosted = this.#hosted.get(name);
    if (hosted === undefined || !this.#openOne(hosted)) return undefined;
    return hosted.wanted.key;
  }

  /** Discovery named a peer of an archive, by its discovery key in hex. */
  onFound(name: string, found: FoundAddress): void {
    const hosted = this.#hosted.get(name);
    if (hosted === undefined) return;
    const { address } = found;
    const isNew = !hosted.found.delete(address);
    hosted.found.set(address, found);
    if (hosted.found.size > MAX_FOUND) hosted.found.delete(hosted.found.keys().next().value!);
    // It may have what is new, or be where only we can dial.
    if (isNew && hosted.open === undefined) hosted.dueAt = Math.min(hosted.dueAt, this.#now());
  }

  onTick(): void {
    const now = this.#now();
    if (this.#fresh.length > 0) {
      this.lookAtAdded().catch((error) => this.#options.sync.stop(error));
    }
    this.#schedule(now);
    this.tellProgress();
  }

  /** News that no open archive is told: of strangers, and of peers whose archive has left. */
  onReport(report: Report): void {
    const peer = "peer" in report ? report.peer : undefined;
    const link = peer === undefined ? undefined : this.#leaving.get(peer);
    this.#options.news.peer(report, link);
    if (report.kind === "peer-closed") this.#leaving.delete(report.peer);
  }

  tellProgress(): void {
    const { news, sync } = this.#options;
    const shares = () => [...this.#open].map(({ open }) => open!.share);
    news.progress(shares, () => ({ archives: this.size, peers: sync.openPeers }));
  }

  /** Close everything. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#looking?.catch(() => {}); // whoever started it was told
    for (const hosted of [...this.#open]) this.#close(hosted);
    await this.settle();
  }

  /** Wait until what is being closed has let go of its files. */
  async settle(): Promise<void> {
    while (this.#closing.size > 0) await Promise.all(this.#closing);
  }

  #add(name: string, wanted: Wanted): void {
    const hosted: Hosted = {
      wanted,
      name,
      link: formatLink(wanted.key),
      complaints: new Complaints(),
      openComplaints: new Complaints(),
      retryAt: -Infinity,
      dueAt: Infinity,
      removed: false,
      found: new Map(),
    };
    this.#hosted.set(name, hosted);
    const { search, announce } = this.#options;
    search?.join(discoveryKey(wanted.key), { lookup: true, announce });
    this.#fresh.push(hosted);
  }

  #remove(hosted: Hosted): void {
    hosted.removed = true;
    this.#options.search?.stop(discoveryKey(hosted.wanted.key));
    this.#hosted.delete(hosted.name);
    this.#close(hosted);
    const { link, wanted: { dir } } = hosted;
    this.#options.news.tell(link, { event: "removed", link, dir });
  }

  async #lookAtAdded(signal: AbortSignal | undefined): Promise<void> {
    let looked = 0;
    for (let hosted = this.#fresh.shift(); hosted !== undefined; hosted = this.#fresh.shift()) {
      signal?.throwIfAborted();
      if (this.#ended) return;
      if (!hosted.removed) this.#look(hosted);
      if (++looked % LOOKS_PER_TURN === 0) await nextTurn();
    }
  }

  #look(hosted: Hosted): void {
    const { world, news } = this.#options;
    const { link, name, wanted } = hosted;
    const archive = { event: "archive", link, discoveryKey: name, dir: wanted.dir } as const;
    try {
      const { version, owned, warning } = glanceAt(wanted, world);
      hosted.owned = owned;
      this.#usable++;
      news.tell(link, { ...archive, writable: owned, version });
      if (warning !== undefined) news.warn(link, "secret-key", warning);
      if (!owned) hosted.dueAt = this.#now();
    } catch (error) {
      this.#firstError ??= error;
      news.tell(link, { ...archive, writable: false, version: 0 });
      this.#cannotOpen(hosted, error);
    }
  }

  /** Whether it is open, or could be opened. */
  #openOne(hosted: Hosted): boolean {
    if (hosted.open !== undefined) return true;
    const now = this.#now();
    if (this.#ended || hosted.closing !== undefined || now < hosted.retryAt) return false;
    if (!this.#makeRoom()) {
      if (hosted.complaints.take("busy")) {
        const message = `Not served for now: the ${MAX_OPEN} archives that are open all have peers`;
        this.#options.news.warn(hosted.link, "busy", message);
      }
      return false;
    }
    try {
      this.#begin(hosted);
    } catch (error) {
      this.#cannotOpen(hosted, error);
      return false;
    }
    hosted.openComplaints.forget();
    return true;
  }

  #begin(hosted: Hosted): void {
    const { world, sync, news, peers, history, choices } = this.#options;
    const { link, wanted } = hosted;
    const { archive, obstacle } = openHosted(wanted, { world, history });
    using stack = new DisposableStack();
    stack.use(archive);
    hosted.owned = archive.owned;
    const open: HostedArchive = new HostedArchive(archive, {
      ...{ world, peers, choices },
      feeds: sync.newFeeds(),
      follow: !archive.owned && obstacle === undefined,
      synced: hosted.synced,
      emit: (event) => news.tell(link, event),
      onReport: (report) => this.#onReport(hosted, open, report),
      onSynced: (version) => {
        hosted.synced = version;
        hosted.complaints.forget();
      },
      onTrouble: (error) => this.#complain(hosted, error),
      onFailure: (error) => this.#onFailure(hosted, open, error),
    });
    hosted.open = open;
    this.#open.add(hosted);
    try {
      open.join(sync);
    } catch (error) {
      hosted.open = undefined;
      this.#open.delete(hosted);
      throw error;
    }
    stack.move();
    const primary = open.feeds.metadata;
    this.#options.search?.direct(archive.metadata.discoveryKey, primary);
    for (const found of hosted.found.values()) sync.input({ kind: "found", ...found, primary });
    if (obstacle !== undefined) this.#complain(hosted, obstacle);
  }

  #onReport(hosted: Hosted, open: HostedArchive, report: Report): void {
    const { news } = this.#options;
    news.peer(report, hosted.link, hosted.complaints);
    if (report.kind === "downloaded") news.downloaded(report.bytes);
    else if (report.kind === "uploaded") news.uploaded(report.bytes);
    else if (report.kind === "peer-finished") {
      const { version } = open.archive;
      news.tell(hosted.link, { event: "uploaded", peer: report.address, version });
    }
    this.tellProgress();
  }

  /** It must not be served on, for now. */
  #onFailure(hosted: Hosted, open: HostedArchive, error: unknown): void {
    if (hosted.open !== open) return;
    // What another process put there while it was open is no contradiction.
    if (error instanceof ForkError && open.archive.owned && open.isOutdated) {
      return this.#close(hosted);
    }
    this.#close(hosted);
    this.#cannotOpen(hosted, error);
    if (error instanceof ForkError) hosted.retryAt = this.#now() + FORK_RETRY_MS;
  }

  #cannotOpen(hosted: Hosted, error: unknown): void {
    if (error instanceof LocalProtocolError) throw error; // a bug: let it surface
    const { news, onDoubt } = this.#options;
    const { link, wanted: { dir }, openComplaints } = hosted;
    hosted.retryAt = this.#now() + RETRY_MS;
    if (hosted.owned !== true) hosted.dueAt = hosted.retryAt;
    news.fail(link, dir, error, openComplaints);
    onDoubt?.(dir);
  }

  /** Something about it is not as it should be, and it is served all the same. */
  #complain({ link, wanted: { dir }, complaints }: Hosted, error: unknown): void {
    if (error instanceof LocalProtocolError) throw error;
    this.#options.news.fail(link, dir, error, complaints);
  }

  #close(hosted: Hosted): void {
    const { open } = hosted;
    if (open === undefined) return;
    const { sync, news, search } = this.#options;
    hosted.open = undefined;
    this.#open.delete(hosted);
    search?.undirect(open.archive.metadata.discoveryKey);
    hosted.dueAt = open.archive.owned ? Infinity : this.#now() + this.#restOf(open);
    for (const peer of [...open.dialled, ...open.guests]) this.#leaving.set(peer, hosted.link);
    const left = new Promise<void>((resolve) => sync.leave(open.feeds.metadata, resolve));
    const closing = left.then(() => open.end())
      .catch((error) => news.fail(hosted.link, hosted.wanted.dir, error, hosted.complaints))
      .finally(() => {
        hosted.closing = undefined;
        this.#closing.delete(closing);
      });
    hosted.closing = closing;
    this.#closing.add(closing);
  }

  /** How long an archive that is being closed need not be visited. */
  #restOf({ follower }: HostedArchive): number {
    if (follower === undefined) return RETRY_MS; // somebody else writes it
    return follower.isComplete ? Math.max(REVISIT_MS, this.#hosted.size * VISIT_MS) : 0;
  }

  /** Make sure that one more archive may be open. */
  #makeRoom(): boolean {
    if (this.#open.size < MAX_OPEN) return true;
    const idlest = idlestOf(this.#open);
    if (idlest === undefined) return false;
    this.#close(idlest);
    return true;
  }

  /** Close what has no reason to be open, and open those whose turn it is to be fetched. */
  #schedule(now: number): void {
    const { peers, search } = this.#options;
    const visits = peers.length > 0 || search !== undefined; // else whoever has something comes
    const candidates = () =>
      this.#hosted.values().filter(({ found }) => peers.length > 0 || found.size > 0);
    for (const hosted of [...this.#open]) {
      const othersWait = () => visits && hasDue(candidates(), now);
      if (isToBeClosed(hosted.open!, now, { visits, othersWait })) this.#close(hosted);
    }
    const resting = [...this.#open].filter(({ open }) => isResting(open!));
    const usual = Math.max(peers.length, search === undefined ? 0 : USUAL_PEERS);
    const excess = Math.max(0, resting.length - placesFor(MAX_FOLLOWING, usual));
    for (const hosted of resting.slice(0, excess)) this.#close(hosted); // the longest such
    if (!visits) return;
    const fetching = [...this.#open].filter(({ open }) => isFetching(open!)).length;
    const room = placesFor(MAX_FETCHING, usual) - fetching;
    for (const hosted of dueOf(candidates(), now, room)) {
      if (!this.#openOne(hosted)) hosted.dueAt = Math.max(hosted.dueAt, now + 1);
    }
  }

  #now(): number {
    return this.#options.world.clock.monotonic();
  }
}
