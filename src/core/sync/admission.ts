/** Who may be linked: how many, how many from one place, and who makes room for whom. */
import type { FeedId } from "./inputs.ts";
import type { PeerState } from "./peer_state.ts";
import { isLocal } from "./hosts.ts";
import {
  FIRST_WORD_MS,
  IDLE_MS,
  MAX_ACCEPTED,
  MAX_FROM_HOST,
  MAX_HALF_OPEN,
  SLOW_SHARE,
  SWAP_MS,
  UNPROVEN_IDLE_MS,
} from "./limits.ts";
import type { SyncState } from "./state.ts";

/**
 * A link that the remote opened: end it if there are too many, or make room for it. Who has not
 * spoken yet goes first, and among those whoever is from where most of them are from: so those who
 * open many links push out their own. One that named an archive of ours is no such stranger.
 */
export function admit(state: SyncState, peer: PeerState): void {
  let all = 0;
  let accepted = 0;
  let halfOpen = 0;
  let neighbours = 0;
  const silent: PeerState[] = [];
  let idlest: PeerState | undefined;
  for (const other of state.peers.values()) {
    if (other.phase === "closing") continue;
    all++;
    if (other.dialled) continue;
    accepted++;
    if (other.host === peer.host) neighbours++;
    if (other.phase === "greeting") {
      halfOpen++;
      if (other.primary === undefined) silent.push(other);
    } else if (isIdle(state, other) && (idlest === undefined || other.usedAt < idlest.usedAt)) {
      idlest = other;
    }
  }
  if (neighbours > MAX_FROM_HOST && !isLocal(peer.host)) return state.unlink(peer, "closed");
  if (halfOpen > MAX_HALF_OPEN) {
    const stranger = ofTheMost(silent);
    const isFull = accepted > MAX_ACCEPTED || all > state.maxPeers;
    // The oldest from there: if it came just now, so did all the others.
    const isNew = stranger !== peer && state.now - stranger.linkedAt < FIRST_WORD_MS;
    if (isFull || !isNew) {
      state.unlink(stranger, "closed");
      if (stranger === peer) return;
      all--;
      accepted--;
    }
  }
  if (accepted <= MAX_ACCEPTED && all <= state.maxPeers) return;
  state.unlink(idlest ?? peer, "closed");
}

/**
 * A link named its archive: end it if the remote opened it and has too many for that one.
 *
 * @returns Whether it may stay.
 */
export function admitTo(state: SyncState, peer: PeerState, primary: FeedId): boolean {
  if (peer.dialled || isLocal(peer.host)) return true;
  let neighbours = 1;
  for (const other of state.peersOf(primary)) {
    if (!other.dialled && other.host === peer.host && other.phase !== "closing") neighbours++;
  }
  if (neighbours <= state.maxPerHost) return true;
  state.unlink(peer, "closed");
  return false;
}

/** The oldest of those from the host that most are from; there is one at least. */
function ofTheMost(silent: readonly PeerState[]): PeerState {
  const byHost = new Map<string, PeerState[]>();
  for (const peer of silent) {
    const others = byHost.get(peer.host);
    if (others === undefined) byHost.set(peer.host, [peer]);
    else others.push(peer);
  }
  return [...byHost.values()].reduce((most, some) => some.length > most.length ? some : most)[0];
}

/** Said nothing but keepalives for long; who never moved a block has less time. */
function isIdle({ now }: SyncState, { usedAt, useful }: PeerState): boolean {
  return now - usedAt >= (useful ? IDLE_MS : UNPROVEN_IDLE_MS);
}

/** How many more links may be opened from here. */
export function roomForDials(state: SyncState): number {
  return state.maxPeers - state.peers.size - state.dials.count;
}

/**
 * All room is taken and there are addresses that were never tried: now and then the link that is of
 * the least use makes room for one of them. That is the idlest, or else one that brings us much less
 * than the best.
 */
export function makeRoom(state: SyncState): void {
  if (state.stopping || roomForDials(state) > 0 || state.now - state.swappedAt < SWAP_MS) return;
  let isWaiting = false;
  for (const book of state.addresses.values()) isWaiting ||= book.hasUntried(state.now);
  if (!isWaiting) return;
  let idlest: PeerState | undefined;
  let slowest: PeerState | undefined;
  let best = 0;
  for (const peer of state.peers.values()) {
    if (peer.phase !== "open") continue;
    best = Math.max(best, peer.window.rate);
    if (state.now - peer.linkedAt < SWAP_MS) continue;
    if (isIdle(state, peer) && (idlest === undefined || peer.usedAt < idlest.usedAt)) idlest = peer;
    if (peer.window.rate === 0) continue; // it is not here to bring us anything
    if (slowest === undefined || peer.window.rate < slowest.window.rate) slowest = peer;
  }
  if (slowest !== undefined && slowest.window.rate >= best * SLOW_SHARE) slowest = undefined;
  const leaving = idlest ?? slowest;
  if (leaving === undefined) return;
  state.swappedAt = state.now;
  state.unlink(leaving, "closed");
}
