/**
 * Blocks that wait at a slow peer while a faster one has got them: they are taken back with a Cancel and
 * asked of that one. So peers that fetch from one another take the load off the one they began with.
 */
import type { FeedState } from "./feed_state.ts";
import {
  MOVE_GAIN_MS,
  MOVE_LEAST_MS,
  MOVE_MOST_MS,
  MOVE_PAUSE_MS,
  PATIENCE,
  RESCUE_MS,
} from "./limits.ts";
import type { FeedLink, PeerState } from "./peer_state.ts";
import { cancel, request } from "./requests.ts";
import type { SyncState } from "./state.ts";

/** A block that another peer owes us. */
interface Owed {
  readonly block: number;
  readonly peer: PeerState;
  readonly link: FeedLink;
  /** When it should come, in milliseconds from now. */
  readonly dueMs: number;
}

/** Ask a peer that has nothing else to do for blocks that others would bring later. */
export function moveHere(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  { feed, room, end }: { feed: FeedState; room: number; end: number },
): void {
  if (feed.reserved.size === 0 || state.now - link.movedAt < MOVE_PAUSE_MS) return;
  const owed = owedByOthers(state, peer, link, { feed, end });
  let moved = 0;
  for (const { block, peer: other, link: otherLink, dueMs } of owed) {
    if (moved === room || peer.phase !== "open") break;
    const { window } = peer;
    // Nothing is known of a peer that has not answered yet: it may have few, and only what is worth it.
    const hereMs = window.expectedMs(window.owed + feed.cost) ?? RESCUE_MS / 2;
    if (dueMs - 2 * hereMs < MOVE_GAIN_MS) break;
    // Our own line may be what both wait for.
    if (dueMs < PATIENCE * state.line.busyMs(other)) continue;
    if (!mayTakeBack(state, otherLink, feed)) break;
    takeBack(state, other, otherLink, block);
    request(state, peer, link, block);
    moved++;
  }
  if (moved === 0) link.movedAt = state.now;
}

/** The blocks of the feed that wait at other peers and this one has, the latest first. */
function owedByOthers(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  { feed, end }: { feed: FeedState; end: number },
): Owed[] {
  const found: Owed[] = [];
  for (const { peer: other, link: otherLink } of state.linksOf(feed)) {
    if (other === peer || otherLink.inFlight.size < 2) continue;
    if (!otherLink.window.cancels.areHeeded) continue;
    const rttMs = other.window.rtt ?? MOVE_MOST_MS;
    const leastMs = Math.max(MOVE_LEAST_MS, Math.min(rttMs, MOVE_MOST_MS));
    for (const [block, dueMs] of dueTimes(state, feed, other, otherLink)) {
      if (dueMs < leastMs || block >= end || feed.raced.has(block)) continue;
      if (feed.reserved.get(block) !== other.id || otherLink.probe?.asked === block) continue;
      if (!link.remote.has(block) || link.cancelled.get(block)?.isPending) continue;
      if (!feed.isWanted(block)) continue;
      found.push({ block, peer: other, link: otherLink, dueMs });
    }
  }
  return found.sort((a, b) => b.dueMs - a.dueMs);
}

/** When what a peer owes should come, but for the oldest request: that one is being answered. */
function* dueTimes(
  { now }: SyncState,
  feed: FeedState,
  { window, answeredAt }: PeerState,
  { inFlight }: FeedLink,
): IterableIterator<[block: number, dueMs: number]> {
  let sinceMs = 0;
  let ahead = 0;
  for (const [block, asked] of inFlight) {
    const { at } = asked;
    const cost = Math.max(asked.cost, feed.cost); // by what blocks turned out to cost since
    const isFirst = ahead === 0;
    ahead += cost;
    if (isFirst) {
      sinceMs = now - Math.max(at, answeredAt);
      continue;
    }
    const paceMs = window.paceMs(ahead);
    // One that let us wait for longer than it should may take as long for each.
    const shareMs = sinceMs < RESCUE_MS ? 0 : ahead / cost * sinceMs;
    const dueMs = paceMs === undefined ? shareMs : Math.abs(paceMs - sinceMs);
    yield [block, Math.max(dueMs, at + (window.rtt ?? 0) - now)];
  }
}

/** Whether one more block may be taken back from a peer, and perhaps come twice. */
export function mayTakeBack(state: SyncState, link: FeedLink, feed: FeedState): boolean {
  if (!link.window.cancels.areHeeded) return feed.mayRace();
  let pending = 0;
  for (const { link } of state.linksOf(feed)) pending += link.pendingCancels;
  return feed.mayMove(pending);
}

/** Take back a block that a peer owes, for another to bring. */
export function takeBack(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  block: number,
): void {
  const feed = state.feeds.get(link.feed)!;
  const { at } = link.inFlight.get(block)!;
  if (!link.window.cancels.areHeeded) feed.mayComeLate(block, link, at);
  feed.release(block, peer.id);
  cancel(state, peer, link, block);
}
