/** What happens because time passed, or because a link or a dial came to its end. */
import { ProofError, RemoteProtocolError, TroveError } from "../../base/errors.ts";
import type { AddressBook } from "./addresses.ts";
import { makeRoom, roomForDials } from "./admission.ts";
import { checkComplete, downloadFromAll } from "./downloads.ts";
import { linkTo } from "./duplicates.ts";
import type { FeedState } from "./feed_state.ts";
import type { FeedId, PeerAddress, QuietEnd } from "./inputs.ts";
import {
  CLOSING_MS,
  EARLY_BREAK_MS,
  FRAME_BYTES_PER_MS,
  FRAME_MS,
  HANDSHAKE_MS,
  KEEPALIVE_MS,
  MAX_DIALS,
  MIN_ANSWER_BYTES,
  REQUEST_MS,
  SILENCE_MS,
  SLEEP_GAP_MS,
  TICK_MS,
  WRITE_MS,
} from "./limits.ts";
import type { FeedLink, PeerState } from "./peer_state.ts";
import { giveBackExcess, giveBackOverdue } from "./scheduler.ts";
import type { SyncState } from "./state.ts";

/** `gap` is the time since the last tick. */
export function onTick(state: SyncState, gap: number): void {
  for (const peer of state.peers.values()) {
    if (gap > SLEEP_GAP_MS) forgive(peer, state.now, gap - TICK_MS);
    if (state.now - peer.linkedAt >= EARLY_BREAK_MS) peer.window.expectBreak(undefined);
    const late = peer.phase === "closing" ? undefined : lateness(state, peer);
    if (late !== undefined) state.unlink(peer, late);
    // Before our own Feed there is no key to say anything with, not even this.
    else if (
      peer.phase !== "closing" && peer.primary !== undefined &&
      state.now - peer.sentAt >= KEEPALIVE_MS
    ) {
      peer.sentAt = state.now;
      state.effects.push({ kind: "keepalive", peer: peer.id });
    }
    if (peer.phase === "closing" && state.now - peer.closingAt >= CLOSING_MS) {
      state.effects.push({ kind: "unlink", peer: peer.id, reason: "closed" });
    }
  }
  state.line.measure(state.peers.values(), gap);
  checkDownloads(state);
  makeRoom(state);
  dial(state);
}

/** What peers owe, feed by feed. A feed without a peer has nothing to wait for. */
function checkDownloads(state: SyncState): void {
  const feeds = new Set<FeedState>();
  for (const peer of state.peers.values()) {
    if (peer.phase !== "open" || state.stopping) continue;
    for (const link of peer.links.values()) {
      const feed = state.feeds.get(link.feed)!;
      link.expireCancelled(state.now);
      if (!link.open || !feed.downloads) continue;
      feeds.add(feed);
      // Nothing more is asked of it until it answers, of this feed and others.
      if (state.isDoubtful(peer, link, feed)) peer.stalled = true;
      giveBackOverdue(state, peer, link, feed);
      giveBackExcess(state, peer, link, feed);
    }
  }
  for (const feed of feeds) {
    downloadFromAll(state, feed);
    checkComplete(state, feed);
  }
}

/**
 * The machine slept, or we had no turn for a while: nobody is to blame for the time that is
 * missing. What came meanwhile waits to be read, so it must not be judged before.
 */
function forgive(peer: PeerState, now: number, ms: number): void {
  const later = (time: number) => time === Infinity ? time : Math.min(now, time + ms);
  peer.linkedAt = later(peer.linkedAt);
  peer.heardAt = later(peer.heardAt);
  peer.outbox.postpone(ms, now);
  peer.closingAt = later(peer.closingAt);
  if (peer.partialSince !== undefined) peer.partialSince = later(peer.partialSince);
  peer.window.postpone(ms, now);
  for (const link of peer.links.values()) {
    link.oldestSince = later(link.oldestSince);
    for (const asked of link.inFlight.values()) {
      asked.at = later(asked.at);
      asked.deliveredAt = later(asked.deliveredAt);
    }
    if (link.doubtedSince !== undefined) link.doubtedSince = later(link.doubtedSince);
  }
}

/** Why our patience with a peer is at its end; undefined while it is not. */
function lateness(state: SyncState, peer: PeerState): TroveError | undefined {
  const { now } = state;
  if (peer.phase === "greeting" && now - peer.linkedAt >= HANDSHAKE_MS) {
    return new TroveError(`Cannot shake hands with a peer within ${HANDSHAKE_MS / 1000} s`);
  }
  if (now - peer.heardAt >= SILENCE_MS) {
    return new TroveError(`Cannot hear a peer for ${SILENCE_MS / 1000} s`);
  }
  if (peer.outbox.bytes > 0 && now - peer.outbox.flushedAt >= WRITE_MS) {
    return new TroveError(`Cannot send to a peer for ${WRITE_MS / 1000} s`);
  }
  if (peer.partialSince !== undefined) {
    const age = now - peer.partialSince;
    if (age >= FRAME_MS && peer.partialBytes < age * FRAME_BYTES_PER_MS) {
      return new TroveError(
        `Cannot wait longer than ${FRAME_MS / 1000} s for a frame to be complete`,
      );
    }
    // An answer that is on its way right now, however slowly, is not a missing one.
    if (peer.partialBytes >= MIN_ANSWER_BYTES) return undefined;
  }
  for (const link of peer.links.values()) {
    if (isUnanswered(state, peer, link)) {
      return new TroveError(`Cannot get an answer to a request for ${REQUEST_MS / 1000} s`);
    }
    if (state.isEmptyClaim(link)) {
      return new RemoteProtocolError("Cannot use a peer that claims blocks and proves none");
    }
  }
  return undefined;
}

/** Whether the oldest request is overdue. Those that another peer answered are forgotten first. */
function isUnanswered(state: SyncState, peer: PeerState, link: FeedLink): boolean {
  // The feeds of a link share it: while one is served, the other waits.
  const since = Math.max(link.oldestSince, peer.answeredAt);
  if (link.inFlight.size === 0 || state.now - since < REQUEST_MS) return false;
  if (peer.stalled) return true;
  const { reader } = state.feeds.get(link.feed)!;
  const [oldest] = link.inFlight.keys();
  if (!reader.hasBlock(oldest)) return true;
  for (const block of [...link.inFlight.keys()]) {
    if (reader.hasBlock(block)) link.settle(block, state.now);
  }
  return false;
}

/** Dial what is due, of every archive in turn. */
export function dial(state: SyncState): void {
  const served: FeedId[] = [];
  for (const [primary, book] of state.addresses) {
    if (roomToDial(state) <= 0) break;
    if (dialFrom(state, book)) served.push(primary);
  }
  // Who had a turn comes last the next time.
  for (const primary of served) {
    const book = state.addresses.get(primary)!;
    state.addresses.delete(primary);
    state.addresses.set(primary, book);
  }
}

/** Dial what is due of one archive. Answers whether there was anything. */
export function dialFrom(state: SyncState, book: AddressBook): boolean {
  if (state.stopping) return false;
  const due = book.due(state.now, roomToDial(state));
  for (const { address, primary } of due) state.effects.push({ kind: "dial", address, primary });
  return due.length > 0;
}

function roomToDial(state: SyncState): number {
  return Math.min(MAX_DIALS - state.dials.count, roomForDials(state));
}

export function onUnreachable(
  state: SyncState,
  { address, primary, reason }: { address: PeerAddress; primary: FeedId; reason: string },
): void {
  const book = state.addresses.get(primary);
  if (book === undefined) return; // the archive left meanwhile
  const retryMs = book.failed(address, state.now);
  const discovered = book.isDiscovered(address);
  state.report({ kind: "peer-failed", primary, address, reason, retryMs, discovered });
  dialFrom(state, book); // others wait for the place
  checkAlone(state, primary);
}

export function onUnlinked(state: SyncState, peer: PeerState, end: TroveError | QuietEnd): void {
  const opened = peer.phase === "open" || peer.wasOpen;
  // The first reason counts: what the socket says after we gave up on it is no news.
  const reason = peer.reason ?? end;
  state.release(peer);
  state.removePeer(peer);
  const other = linkTo(state, peer, peer.remoteId);
  if (other !== undefined && peer.dialled && reason !== "done" && !isBreach(reason)) {
    state.addresses.get(peer.primary!)?.shared(peer.address, other.remoteId!);
  } else if (peer.dialled) {
    retry(state, peer, opened, reason);
  }
  if (other === undefined && peer.remoteId !== undefined && peer.primary !== undefined) {
    state.addresses.get(peer.primary)?.parted(peer.remoteId, state.now);
  }
  if (opened) {
    const { id, primary, address } = peer;
    state.report({ kind: "peer-closed", peer: id, primary, address, reason });
  } else if (!peer.dialled && reason instanceof TroveError) {
    state.report({
      kind: "peer-failed",
      primary: peer.primary,
      address: peer.address,
      reason: reason.message,
      error: reason,
    });
  }
  if (peer.primary === undefined) return;
  const book = state.addresses.get(peer.primary);
  if (book !== undefined) dialFrom(state, book);
  for (const { feed: id } of peer.links.values()) {
    const feed = state.feeds.get(id);
    if (feed === undefined) continue; // its archive left
    downloadFromAll(state, feed);
    checkComplete(state, feed); // it may have claimed more than anybody else
  }
  checkAlone(state, peer.primary);
}

function retry(
  state: SyncState,
  peer: PeerState,
  opened: boolean,
  reason: TroveError | QuietEnd,
): void {
  const { address, primary } = peer;
  const book = state.addresses.get(primary!);
  if (book === undefined) return; // the archive left
  const discovered = book.isDiscovered(address);
  const stays = state.options.live && state.options.persistent;
  // A peer that left because it had everything may come back with more: as after a failed dial.
  if (reason === "done" && !stays) return book.ban(address);
  if (state.stopping) return;
  // Whoever shakes hands and hangs up at once is not asked again and again.
  if (peer.useful) book.proven(address);
  if (reason instanceof TroveError && isBreach(reason)) {
    const retryMs = stays ? book.breached(address, state.now) : undefined;
    if (!stays) book.ban(address);
    if (opened) return; // `peer-closed` says why
    state.report({
      kind: "peer-failed",
      primary,
      address,
      reason: reason.message,
      error: reason,
      retryMs,
      discovered,
    });
    return;
  }
  // Each try that is answered brings more, so this comes to an end by itself.
  if (peer.brings && reason !== "done") {
    return book.lost(address, state.now, { since: peer.linkedAt, brought: peer.window.delivered });
  }
  const retryMs = opened ? book.failed(address, state.now) : book.refused(address, state.now);
  if (opened) return;
  const text = reason instanceof TroveError
    ? reason.message
    : "the peer hung up before the handshake: it may not have this archive, or no room";
  state.report({ kind: "peer-failed", primary, address, reason: text, retryMs, discovered });
}

function isBreach(reason: TroveError | QuietEnd): boolean {
  return reason instanceof RemoteProtocolError || reason instanceof ProofError;
}

export function checkAlone(state: SyncState, primary: FeedId): void {
  if (state.stopping || !state.feeds.has(primary) || state.seeking.has(primary)) return;
  if (state.addresses.get(primary)?.hasProspects) return;
  for (const _peer of state.peersOf(primary)) return;
  // One that has not said what it is here for may be here for this.
  for (const peer of state.peers.values()) if (peer.primary === undefined) return;
  state.report({ kind: "alone", primary });
}
