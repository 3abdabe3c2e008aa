/** The state that all parts of the core share, and the few ways to act on it. */
import { RemoteProtocolError, type TroveError } from "../../base/errors.ts";
import type { Message } from "../wire/messages.ts";
import { AddressBook, type Dials } from "./addresses.ts";
import { Chance } from "./chance.ts";
import type { FeedState } from "./feed_state.ts";
import type { WatchedFeed } from "./holdings.ts";
import type { Effect, FeedId, PeerId, QuietEnd, Report } from "./inputs.ts";
import {
  CLAIM_MS,
  DOUBT_MS,
  MAX_OUTBOX_BYTES,
  MAX_PEERS,
  MAX_PER_HOST,
  MAX_STRIKES,
  SMALL_MESSAGE_BYTES,
} from "./limits.ts";
import { Line } from "./line.ts";
import type { FeedLink, PeerState } from "./peer_state.ts";

export interface SyncOptions {
  /** 32 random bytes that name this process to peers. */
  readonly id: Uint8Array;
  /** Stay connected when nothing is left to do. */
  readonly live: boolean;
  /** Keep dialling known addresses for ever. */
  readonly persistent: boolean;
  /** All links together; nobody is dialled beyond. `MAX_PEERS` without it. */
  readonly maxPeers?: number;
  /** Ask peers to say of each block that we sent when they have stored it. */
  readonly ack?: boolean;
  /** Others get what we hold; on if not said otherwise. Without, they are told of nothing. */
  readonly uploads?: boolean;
  /** Links that one host may open for one archive; this machine is exempt. `MAX_PER_HOST` without it. */
  readonly maxPerHost?: number;
}

export class SyncState {
  readonly options: SyncOptions;
  readonly feeds = new Map<FeedId, FeedState>();
  /** The same by discovery key in hex, and by the archive they belong to. */
  readonly #byName = new Map<string, FeedState>();
  readonly #archives = new Map<FeedId, Set<FeedState>>();
  readonly peers = new Map<PeerId, PeerState>();
  /** Those that are linked for an archive, by its primary feed. */
  readonly #peersOf = new Map<FeedId, Set<PeerState>>();
  /** Where peers may be, by the primary feed of the archive they are for. */
  readonly addresses = new Map<FeedId, AddressBook>();
  /** Archives for which more addresses may be found yet, by their primary feed. */
  readonly seeking = new Set<FeedId>();
  /** What peers are to hold, by the primary feed of the archive. */
  readonly watched = new Map<FeedId, readonly WatchedFeed[]>();
  readonly line = new Line();
  readonly chance: Chance;
  readonly maxPeers: number;
  readonly maxPerHost: number;
  readonly dials: Dials = { count: 0 };
  /** When a link made room for an untried address last. */
  swappedAt = -Infinity;
  now = 0;
  stopping = false;
  effects: Effect[] = [];

  constructor(options: SyncOptions) {
    this.options = options;
    this.chance = new Chance(options.id);
    this.maxPeers = options.maxPeers ?? MAX_PEERS;
    this.maxPerHost = options.maxPerHost ?? MAX_PER_HOST;
  }

  addFeed(feed: FeedState): void {
    this.feeds.set(feed.id, feed);
    this.#byName.set(feed.name, feed);
    const archive = this.#archives.get(feed.primary);
    if (archive === undefined) this.#archives.set(feed.primary, new Set([feed]));
    else archive.add(feed);
  }

  /** Forget an archive: its feeds and addresses. Its links must have been ended. */
  removeArchive(primary: FeedId): void {
    for (const feed of this.archiveOf(primary)) {
      this.feeds.delete(feed.id);
      if (this.#byName.get(feed.name) === feed) this.#byName.delete(feed.name);
    }
    this.#archives.delete(primary);
    this.addresses.get(primary)?.close();
    this.addresses.delete(primary);
    this.seeking.delete(primary);
    this.watched.delete(primary);
  }

  /** The feed with this discovery key, in hex. */
  feedNamed(name: string): FeedState | undefined {
    return this.#byName.get(name);
  }

  /** The feeds of an archive, the primary one first. */
  archiveOf(primary: FeedId): Iterable<FeedState> {
    return this.#archives.get(primary) ?? [];
  }

  /** The peers that are linked for an archive, whatever their phase. */
  peersOf(primary: FeedId): Iterable<PeerState> {
    return this.#peersOf.get(primary) ?? [];
  }

  /** The peer's link is for this archive from here on. */
  assign(peer: PeerState, primary: FeedId): void {
    peer.primary = primary;
    const peers = this.#peersOf.get(primary);
    if (peers === undefined) this.#peersOf.set(primary, new Set([peer]));
    else peers.add(peer);
  }

  /** The peer's connection is gone. */
  removePeer(peer: PeerState): void {
    this.peers.delete(peer.id);
    if (peer.primary === undefined) return;
    const peers = this.#peersOf.get(peer.primary);
    peers?.delete(peer);
    if (peers?.size === 0) this.#peersOf.delete(peer.primary);
  }

  /** The addresses that may lead to peers of the archive of feed `primary`. */
  addressesOf(primary: FeedId): AddressBook {
    let book = this.addresses.get(primary);
    if (book === undefined) {
      const random = () => this.chance.next();
      book = new AddressBook({ persistent: this.options.persistent, random, dials: this.dials });
      this.addresses.set(primary, book);
    }
    return book;
  }

  report(report: Report): void {
    this.effects.push({ kind: "report", report });
  }

  send(peer: PeerState, link: FeedLink, message: Message): void {
    const bytes = SMALL_MESSAGE_BYTES + payloadBytes(message);
    peer.outbox.add(bytes, this.now);
    peer.sentAt = this.now;
    this.effects.push({ kind: "send", peer: peer.id, channel: link.channel, message, bytes });
    if (peer.outbox.bytes > MAX_OUTBOX_BYTES + payloadBytes(message)) {
      this.unlink(peer, new RemoteProtocolError("Cannot send to a peer that does not read"));
    }
  }

  /** End a link. Nothing of it is in the way of others from here on. */
  unlink(peer: PeerState, reason: TroveError | QuietEnd): void {
    if (peer.phase === "closing") return;
    this.release(peer);
    peer.wasOpen = peer.phase === "open";
    peer.reason = reason;
    peer.phase = "closing";
    peer.closingAt = this.now;
    this.effects.push({ kind: "unlink", peer: peer.id, reason });
  }

  /** A breach that is not fatal in itself. */
  strike(peer: PeerState, what: string): void {
    peer.strikes++;
    if (peer.strikes <= MAX_STRIKES) return;
    this.unlink(
      peer,
      new RemoteProtocolError(`Cannot go on with a peer that keeps erring: ${what}`),
    );
  }

  /** Give back what a peer had reserved and forget what it asked for. */
  release(peer: PeerState): void {
    for (const link of peer.links.values()) {
      const feed = this.feeds.get(link.feed); // gone if its archive left
      for (const block of link.inFlight.keys()) feed?.release(block, peer.id);
      feed?.rarity.invalidate();
      link.forgetRequests();
    }
    peer.requests.length = 0;
  }

  /**
   * The longest length, in blocks, that is signed or that a linked peer claims. A claim that its
   * maker does not stand by when asked counts for nothing: else one liar could keep us from ever
   * being complete.
   */
  told(feed: FeedState): number {
    let told = feed.reader.length;
    for (const { peer, link } of this.linksOf(feed)) {
      if (link.remoteLength <= told || this.isEmptyClaim(link)) continue;
      if (this.isDoubtful(peer, link, feed)) continue;
      // Of a feed that is known in part only the block behind its end can be asked for, so nothing
      // else would ever put the claim to the test.
      const { length } = feed.reader;
      if (length === 0 || link.remote.has(length)) told = link.remoteLength;
    }
    return told;
  }

  /** Whether a peer failed for too long to prove a block beyond the signed length. */
  isEmptyClaim({ doubtedSince }: FeedLink): boolean {
    return doubtedSince !== undefined && this.now - doubtedSince >= CLAIM_MS;
  }

  /** Whether a peer claims more than is signed, is silent about it, and has never answered anything. */
  isDoubtful(peer: PeerState, { doubtedSince }: FeedLink, feed: FeedState): boolean {
    if (doubtedSince === undefined || peer.window.rtt !== undefined) return false;
    // Where nobody has shown anything yet there is nothing to be content with.
    return feed.reader.length > 0 && this.now - doubtedSince >= DOUBT_MS;
  }

  /** Whether more than one peer takes part in a feed. */
  isShared(feed: FeedState): boolean {
    let links = 0;
    for (const _ of this.linksOf(feed)) if (++links > 1) return true;
    return false;
  }

  /** The links on which both sides named the feed and finished the handshake. */
  *linksOf(feed: FeedState): IterableIterator<{ peer: PeerState; link: FeedLink }> {
    for (const peer of this.peersOf(feed.primary)) {
      if (peer.phase !== "open") continue;
      const link = peer.links.get(feed.id);
      if (link !== undefined && link.open) yield { peer, link };
    }
  }
}

/** Bytes of a message that a caller's buffer holds, and that the outbox so keeps alive. */
function payloadBytes(message: Message): number {
  if (message.type === "data") return message.value?.length ?? 0;
  if (message.type === "have") return message.bitfield?.length ?? 0;
  return 0;
}
