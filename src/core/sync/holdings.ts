/**
 * What peers hold of what we have: for whoever serves until others have all of it.
 *
 * A peer does not tell whoever sent it a block that it has it now. So it is asked to acknowledge what
 * it stores (see `SyncOptions.ack`), and because hypercore 6 does not do that, it is asked again what
 * it has. What a peer says about itself is all there is to go by; that it wants nothing more is not.
 */
import type { Range } from "../../base/ranges.ts";
import type { Have } from "../wire/messages.ts";
import type { FeedId } from "./inputs.ts";
import { MAX_WANTS, WANT_BLOCKS } from "./limits.ts";
import type { FeedLink, PeerState } from "./peer_state.ts";
import type { SyncState } from "./state.ts";

/**
 * A peer is asked again so long after it was asked last, in milliseconds: while blocks go to it, and
 * otherwise. Within the second that `WANT_REPEAT_MS` is, peers like us give no second answer.
 */
export const ASK_BUSY_MS = 2000;
export const ASK_IDLE_MS = 5000;

/** Blocks of a feed that peers are to hold, in order and apart. */
export interface WatchedFeed {
  readonly feed: FeedId;
  readonly ranges: readonly Range[];
}

/** What a peer is known to hold of the watched feeds, from the first block on. */
export class Holding {
  /** It was reported that the peer holds all of it. */
  told = false;
  askedAt = -Infinity;
  /** How far it holds everything: number of a watched feed, of a range in it, and a block. */
  feed = 0;
  range = 0;
  block = 0;

  /** It may hold less than before. */
  restart(): void {
    this.feed = this.range = this.block = 0;
  }
}

/** From here on it is told which peers hold all of that, each once. */
export function watch(state: SyncState, primary: FeedId, feeds: readonly WatchedFeed[]): void {
  state.watched.set(primary, feeds);
  for (const peer of state.peersOf(primary)) {
    peer.holding = new Holding();
    look(state, peer);
    askHoldings(state, peer);
  }
}

/** The peer told of blocks. */
export function onHolds(state: SyncState, peer: PeerState, have: Have): void {
  // Of a whole region it may tell that it has less than it had.
  if (have.bitfield !== undefined) peer.holding.restart();
  look(state, peer);
}

/** Ask peers again that may hold more than they told of. */
export function askAllAgain(state: SyncState): void {
  for (const primary of state.watched.keys()) {
    for (const peer of state.peersOf(primary)) {
      const { askedAt } = peer.holding;
      const waitMs = peer.uploadedAt >= askedAt ? ASK_BUSY_MS : ASK_IDLE_MS;
      if (state.now - askedAt >= waitMs) askHoldings(state, peer);
    }
  }
}

/** A link for a feed is open: ask what the peer has of it, unless that was just done. */
export function askFirst(state: SyncState, peer: PeerState, link: FeedLink): void {
  if (link.unansweredWants === 0) askHoldings(state, peer, link.feed);
  else peer.holding.askedAt = state.now;
}

/**
 * Ask a peer what it has of the regions in which it is not known to hold everything.
 *
 * @param only Of which feed; of all that are watched if left out.
 */
export function askHoldings(state: SyncState, peer: PeerState, only?: FeedId): void {
  const watched = watchedOf(state, peer);
  if (watched === undefined || peer.phase !== "open" || peer.holding.told) return;
  for (const { feed, ranges } of watched) {
    const link = peer.links.get(feed);
    if (link === undefined || !link.open || feed !== (only ?? feed)) continue;
    // Old peers answer with everything, and their answers are not counted.
    if (link.compatible) link.unansweredWants = 0;
    let askedUpTo = 0;
    for (const { start, end } of ranges) {
      let missing = link.remote.nextClear(Math.max(start, askedUpTo), end);
      while (missing !== -1 && link.unansweredWants < MAX_WANTS) {
        const region = missing - missing % WANT_BLOCKS;
        state.send(peer, link, { type: "want", start: region, length: WANT_BLOCKS });
        link.unansweredWants++;
        peer.holding.askedAt = state.now;
        askedUpTo = region + WANT_BLOCKS;
        missing = link.remote.nextClear(Math.max(start, askedUpTo), end);
      }
    }
  }
}

/** Report a peer that holds everything. */
function look(state: SyncState, peer: PeerState): void {
  const watched = watchedOf(state, peer);
  if (watched === undefined || peer.phase !== "open" || peer.holding.told) return;
  if (!holdsAll(peer, watched)) return;
  peer.holding.told = true;
  const { id, address, remoteId } = peer;
  state.report({ kind: "peer-holds", peer: id, primary: peer.primary!, address, remoteId });
}

/** Goes on from where the last look ended: there may be a look for each block. */
function holdsAll(peer: PeerState, watched: readonly WatchedFeed[]): boolean {
  const { holding } = peer;
  for (; holding.feed < watched.length; holding.feed++, holding.range = holding.block = 0) {
    const { feed, ranges } = watched[holding.feed];
    if (ranges.length === 0) continue;
    const link = peer.links.get(feed);
    if (link === undefined || !link.open) return false;
    for (; holding.range < ranges.length; holding.range++) {
      const { start, end } = ranges[holding.range];
      const missing = link.remote.nextClear(Math.max(start, holding.block), end);
      holding.block = missing === -1 ? end : missing;
      if (missing !== -1) return false;
    }
  }
  return true;
}

function watchedOf(state: SyncState, { primary }: PeerState): readonly WatchedFeed[] | undefined {
  return primary === undefined ? undefined : state.watched.get(primary);
}
