/** The core of the synchronizer: `step(input, now) -> effects`. Its parts lie beside this file. */
import { unreachable } from "../../base/errors.ts";
import type { Message } from "../wire/messages.ts";
import { admit } from "./admission.ts";
import { checkAlone, dialFrom, onTick, onUnlinked, onUnreachable } from "./clockwork.ts";
import { farewell, greet, name, onFeed, onHandshake, onInfo } from "./conversation.ts";
import {
  download,
  downloadFromAll,
  onAppended,
  onCleared,
  onData,
  onHave,
  onStored,
  onUnhave,
  onWanted,
} from "./downloads.ts";
import type { FeedMessage } from "./early_messages.ts";
import { FeedState } from "./feed_state.ts";
import { askAllAgain, onHolds, watch } from "./holdings.ts";
import type { Effect, FeedId, Input, PeerAddress, PeerId } from "./inputs.ts";
import { isObtainable } from "./obtainable.ts";
import { type FeedLink, PeerState } from "./peer_state.ts";
import { onProof, probe } from "./probe.ts";
import { sizesOf, type SyncSizes } from "./sizes.ts";
import { type SyncOptions, SyncState } from "./state.ts";
import { onCancel, onLoaded, onRequest, onWant, serve } from "./uploads.ts";

export type { SyncOptions } from "./state.ts";

export class SyncCore {
  readonly #state: SyncState;
  #tickedAt: number | undefined;

  constructor(options: SyncOptions) {
    this.#state = new SyncState(options);
  }

  /** Asked to stop, and every link is gone. */
  get finished(): boolean {
    return this.#state.stopping && this.#state.peers.size === 0;
  }

  /** Peers that finished their handshake. */
  get openPeers(): number {
    let open = 0;
    for (const peer of this.#state.peers.values()) if (peer.phase === "open") open++;
    return open;
  }

  /** Those peers, the longest linked first; `roundTripMs` is known once one has answered. */
  *openLinks(): Generator<{ peer: PeerId; address: PeerAddress; roundTripMs?: number }> {
    for (const { id, phase, address, window } of this.#state.peers.values()) {
      if (phase === "open") yield { peer: id, address, roundTripMs: window.rtt };
    }
  }

  /** How much is kept of what. */
  sizes(): SyncSizes {
    return sizesOf(this.#state);
  }

  /** Addresses that were dialled and where peers of this archive answered. */
  workingAddresses(primary: FeedId): PeerAddress[] {
    return this.#state.addresses.get(primary)?.working ?? [];
  }

  /** See `isObtainable`. */
  obtainable(feed: FeedId): boolean {
    const state = this.#state.feeds.get(feed);
    return state !== undefined && isObtainable(this.#state, state);
  }

  /**
   * Take one input in and say what to do about it.
   *
   * @param now Milliseconds of a clock that never goes back.
   * @returns Effects, to be performed in order before the next step.
   */
  step(input: Input, now: number): readonly Effect[] {
    const state = this.#state;
    state.now = Math.max(state.now, now);
    state.effects = [];
    this.#take(input);
    return state.effects;
  }

  #take(input: Input): void {
    const state = this.#state;
    switch (input.kind) {
      case "join": {
        const feed = new FeedState(input.feed, input.reader, input.primary);
        state.addFeed(feed);
        for (const peer of state.peersOf(feed.primary)) {
          if (peer.phase === "closing") continue;
          name(state, peer, feed);
          this.#takeEarly(peer);
        }
        return;
      }
      case "leave":
        for (const peer of state.peersOf(input.primary)) farewell(state, peer, true);
        return state.removeArchive(input.primary);
      case "want":
      case "follow": {
        const feed = state.feeds.get(input.feed);
        if (feed === undefined) return; // its archive left
        feed.order = input.order;
        if (input.kind === "follow") feed.follow();
        else feed.want(input.ranges);
        return onWanted(state, feed);
      }
      case "cleared": {
        const feed = state.feeds.get(input.feed);
        if (feed === undefined) return; // its archive left
        return onCleared(state, feed, input.ranges);
      }
      case "hold": {
        const feed = state.feeds.get(input.feed);
        if (feed === undefined) return; // its archive left
        feed.onHold = input.held;
        return downloadFromAll(state, feed);
      }
      case "probe": {
        const feed = state.feeds.get(input.feed);
        if (feed === undefined) return; // its archive left
        feed.against = input.against;
        for (const { peer, link } of state.linksOf(feed)) probe(state, peer, link);
        return;
      }
      case "watch":
        if (!state.feeds.has(input.primary)) return;
        return watch(state, input.primary, input.feeds);
      case "found":
        if (!state.feeds.has(input.primary)) return;
        state.addressesOf(input.primary).add(input.address, input.primary, state.now, input);
        dialFrom(state, state.addressesOf(input.primary));
        return;
      case "seek":
        if (!state.feeds.has(input.primary)) return;
        if (input.seeking) state.seeking.add(input.primary);
        else if (state.seeking.delete(input.primary)) checkAlone(state, input.primary);
        return;
      case "unreachable":
        return onUnreachable(state, input);
      case "linked": {
        const peer = new PeerState(input.peer, input.address, state.now);
        state.peers.set(peer.id, peer);
        peer.dialled = input.primary !== undefined;
        if (input.patient) peer.linkedAt = peer.heardAt = Infinity;
        if (state.stopping) return state.unlink(peer, "closed");
        if (input.primary === undefined) return admit(state, peer);
        const primary = state.feeds.get(input.primary);
        if (primary === undefined) return state.unlink(peer, "closed"); // its archive left
        const book = state.addressesOf(primary.id);
        book.linked(peer.address);
        peer.window.expectBreak(book.breaks(peer.address));
        return greet(state, peer, primary);
      }
      case "tick": {
        const gap = state.now - (this.#tickedAt ?? state.now);
        this.#tickedAt = state.now;
        onTick(state, gap);
        return askAllAgain(state);
      }
      case "appended": {
        const feed = state.feeds.get(input.feed);
        if (feed === undefined) return; // its archive left
        return onAppended(state, feed, input.start);
      }
      case "stored": {
        const feed = state.feeds.get(input.feed);
        if (feed === undefined) return; // its archive left
        onStored(state, feed, input.blocks);
        // What waited for these may be asked for now: see `isBehind`.
        for (const other of state.feeds.values()) {
          if (other === feed || other.primary === feed.id) downloadFromAll(state, other);
        }
        return;
      }
      case "stop":
        state.stopping = true;
        for (const peer of state.peers.values()) farewell(state, peer, true);
        return;
      case "message":
      case "heard":
      case "flushed":
      case "unlinked":
      case "loaded":
        return this.#takeFromPeer(input);
      default:
        return unreachable(input);
    }
  }

  /** Inputs of one link; those of a link that is gone are ignored. */
  #takeFromPeer(input: Extract<Input, { peer: number }>): void {
    const state = this.#state;
    const peer = state.peers.get(input.peer);
    if (peer === undefined) return;
    if (input.kind === "unlinked") return onUnlinked(state, peer, input.reason);
    if (peer.phase === "closing") return;
    switch (input.kind) {
      case "message":
        return this.#takeMessage(peer, input.channel, input.message);
      case "heard": {
        peer.heardAt = state.now;
        peer.linkedAt = Math.min(peer.linkedAt, state.now);
        if (input.partialBytes > peer.partialBytes) peer.progressAt = state.now;
        if (input.partialBytes === 0) peer.partialSince = undefined;
        // Fewer than before: that frame is complete, and this is the next one.
        else if (peer.partialSince === undefined || input.partialBytes < peer.partialBytes) {
          peer.partialSince = state.now;
        }
        peer.partialBytes = input.partialBytes;
        for (const link of peer.links.values()) download(state, peer, link);
        return;
      }
      case "flushed":
        peer.outbox.flush(input.bytes, state.now);
        return serve(state, peer);
      case "loaded": {
        const link = peer.links.get(input.feed)!;
        return onLoaded(state, peer, link, input.request, input.value);
      }
      case "linked":
        return; // handled before: a link is made only once
      default:
        return unreachable(input);
    }
  }

  #takeMessage(peer: PeerState, channel: number, message: Message): void {
    const state = this.#state;
    peer.usedAt = state.now;
    peer.partialSince = undefined; // what is incomplete now is another frame
    switch (message.type) {
      case "feed":
        onFeed(state, peer, channel, message);
        return this.#takeEarly(peer);
      case "handshake":
        onHandshake(state, peer, message);
        return this.#takeEarly(peer);
      case "extension":
        return; // we speak none
    }
    const link = peer.channels.get(channel);
    if (link !== undefined && peer.phase === "open") {
      this.#takeFeedMessage(peer, link, message);
    } else if (!peer.early.add(channel, message)) {
      state.strike(peer, `too many messages on channel ${channel}, which is not open`);
    }
  }

  /** Take what came before the Handshake, or before we knew the feed. */
  #takeEarly(peer: PeerState): void {
    for (const channel of peer.early.channels) {
      const link = peer.channels.get(channel);
      if (link === undefined || peer.phase !== "open") continue;
      for (const message of peer.early.take(channel)) {
        if (peer.phase === "open") this.#takeFeedMessage(peer, link, message);
      }
    }
  }

  #takeFeedMessage(peer: PeerState, link: FeedLink, message: FeedMessage): void {
    const state = this.#state;
    switch (message.type) {
      case "info":
        return onInfo(state, peer, link, message);
      case "have":
        onHave(state, peer, link, message);
        onHolds(state, peer, message);
        return probe(state, peer, link);
      case "unhave":
        peer.holding.restart();
        onUnhave(state, peer, link, message);
        return probe(state, peer, link);
      case "want":
        return onWant(state, peer, link, message);
      case "unwant":
        return; // hypercore never sends it; what it wanted once it may hear about
      case "request":
        return onRequest(state, peer, link, message);
      case "cancel":
        return onCancel(peer, link, message);
      case "data":
        if (onProof(state, peer, link, message)) return;
        return onData(state, peer, link, message);
      default:
        return unreachable(message);
    }
  }
}
