/** The state that all parts of the core share, and the few ways to act on it. */
import { RemoteProtocolError, type TroveError } from "../../base/errors.ts";
import type { Message } from "../wire/messages.ts";
import { AddressBook } from "./addresses.ts";
import type { FeedState } from "./feed_state.ts";
import type { Effect, FeedId, PeerId, QuietEnd, Report } from "./inputs.ts";
import { CLAIM_MS, MAX_OUTBOX_BYTES, MAX_STRIKES, SMALL_MESSAGE_BYTES } from "./limits.ts";
import type { FeedLink, PeerState } from "./peer_state.ts";

export interface SyncOptions {
  /** 32 random bytes that name this process to peers. */
  readonly id: Uint8Array;
  /** Stay connected when nothing is left to do. */
  readonly live: boolean;
  /** Keep dialling known addresses for ever. */
  readonly persistent: boolean;
}

export class SyncState {
  readonly options: SyncOptions;
  readonly feeds = new Map<FeedId, FeedState>();
  readonly peers = new Map<PeerId, PeerState>();
  readonly addresses: AddressBook;
  now = 0;
  stopping = false;
  effects: Effect[] = [];

  constructor(options: SyncOptions) {
    this.options = options;
    this.addresses = new AddressBook({ persistent: options.persistent });
  }

  report(report: Report): void {
    this.effects.push({ kind: "report", report });
  }

  send(peer: PeerState, link: FeedLink, message: Message): void {
    const bytes = SMALL_MESSAGE_BYTES + payloadBytes(message);
    if (peer.queuedBytes === 0) peer.flushedAt = this.now;
    peer.queuedBytes += bytes;
    peer.sentAt = this.now;
    this.effects.push({ kind: "send", peer: peer.id, channel: link.channel, message, bytes });
    if (peer.queuedBytes > MAX_OUTBOX_BYTES + payloadBytes(message)) {
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
      const feed = this.feeds.get(link.feed)!;
      for (const block of link.inFlight) feed.release(block, peer.id);
      link.inFlight.clear();
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
    for (const { link } of this.linksOf(feed)) {
      if (link.remoteLength > told && !this.isEmptyClaim(link)) told = link.remoteLength;
    }
    return told;
  }

  /** Whether a peer failed for too long to prove a block beyond the signed length. */
  isEmptyClaim({ doubtedSince }: FeedLink): boolean {
    return doubtedSince !== undefined && this.now - doubtedSince >= CLAIM_MS;
  }

  /** The links on which both sides named the feed and finished the handshake. */
  *linksOf(feed: FeedState): IterableIterator<{ peer: PeerState; link: FeedLink }> {
    for (const peer of this.peers.values()) {
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
