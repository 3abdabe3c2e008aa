/**
 * Who is asked for which block, and when it is asked of another.
 *
 * Each peer owes as much as its window holds (`window.ts`), so the blocks spread over the peers by
 * how fast they answer. A block is asked of one peer at a time, but for two cases: what a peer that
 * lets everything wait owes longest, and a few at the very end.
 */
import type { FeedState } from "./feed_state.ts";
import {
  EXCESS_MS,
  LAST_PATIENCE_MS,
  LATE_RACE_GAIN_MS,
  MAX_FEED_RACES,
  MAX_RACES,
  MIN_REQUESTS,
  PATIENCE,
  RACE_GAIN_MS,
  RACE_PAUSE_MS,
  REQUEST_MS,
} from "./limits.ts";
import type { FeedLink, PeerState } from "./peer_state.ts";
import { type Choice, pick } from "./picker.ts";
import { mayTakeBack, moveHere, takeBack } from "./moves.ts";
import { cancel, request } from "./requests.ts";
import type { SyncState } from "./state.ts";
import type { Asked } from "./window.ts";

/** Ask a peer for as many blocks as its window has room for. */
export function askForBlocks(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  feed: FeedState,
): void {
  const { window } = peer;
  if (peer.stalled && window.count > 0) return;
  peer.stalled = false; // what it let wait was taken back
  let room = window.room(feed.cost);
  if (room < window.batch(feed.cost)) return;
  const choice = choiceFor(state, feed);
  for (; room > 0 && peer.phase === "open"; room--) {
    const block = pick(feed, link, choice);
    if (block === -1) break;
    request(state, peer, link, block);
  }
  if (room > 0 && peer.phase === "open") {
    moveHere(state, peer, link, { feed, room, end: choice.end });
  }
  if (window.count === 0) race(state, peer, link, feed);
}

/**
 * A feed that is known in part grows by the block behind its end first: the path from there to the
 * signed roots takes in every root that is held, so another history cannot pass for a longer one.
 */
function choiceFor(state: SyncState, feed: FeedState): Choice {
  const told = state.told(feed);
  const known = feed.reader.length;
  const end = known > 0 && feed.follows ? Math.min(told, known + 1) : told;
  if (feed.order === "linear") return { end };
  const links: FeedLink[] = [];
  let partial = feed.order === "rarest";
  for (const { link } of state.linksOf(feed)) {
    // Who fetches as well has other blocks to give before long, if not all ask for the same ones.
    if (link.remoteLength === 0 && !link.remoteWants) continue;
    links.push(link);
    partial ||= link.isPartial(told);
  }
  if (!partial || links.length < 2) return { end };
  return { end, rarest: { links, now: state.now, chance: state.chance } };
}

/** A block that is on its way and another peer could bring sooner. */
interface Race {
  readonly block: number;
  /** How much longer it should take where it is. */
  readonly leftMs: number;
  /** A Cancel is of use there. */
  readonly isHeeded: boolean;
}

/**
 * At the end of a feed a slow peer should not hold up all. A peer with nothing to do races it for
 * what it would bring much sooner; the one who loses is sent a Cancel.
 */
function race(state: SyncState, peer: PeerState, link: FeedLink, feed: FeedState): void {
  if (feed.reserved.size === 0 || !feed.mayRace() || feed.raced.size >= MAX_FEED_RACES) return;
  const { now } = state;
  const oneMs = peer.window.expectedMs(feed.cost);
  if (oneMs === undefined || now - link.racedAt < RACE_PAUSE_MS) return;
  const races: Race[] = [];
  for (const other of state.linksOf(feed)) {
    if (other.peer === peer) continue;
    for (const [block, asked] of other.link.inFlight) {
      if (!feed.reserved.has(block) || feed.raced.has(block)) continue;
      if (!link.remote.has(block) || !feed.isWanted(block)) continue;
      if (link.inFlight.has(block) || link.cancelled.get(block)?.isPending) continue;
      // One that is late may take as much longer again.
      const dueMs = asked.at + other.peer.window.hopedMs(queuedOf(asked, feed)) - now;
      const gainMs = Math.abs(dueMs) - 2 * oneMs;
      if (gainMs <= (dueMs > 0 ? RACE_GAIN_MS : LATE_RACE_GAIN_MS)) continue;
      const isHeeded = other.link.window.cancels.areHeeded;
      races.push({ block, leftMs: Math.abs(dueMs), isHeeded });
    }
  }
  if (races.length === 0) link.racedAt = now;
  races.sort((a, b) => b.leftMs - a.leftMs);
  for (const { block, isHeeded } of races.slice(0, MAX_RACES)) {
    if (!feed.mayRace(isHeeded) || feed.raced.size >= MAX_FEED_RACES || peer.phase !== "open") {
      return;
    }
    request(state, peer, link, block);
  }
}

/** A block came: whoever else owes it need not bring it any more. */
export function cancelElsewhere(
  state: SyncState,
  feed: FeedState,
  block: number,
  from: PeerState,
): void {
  for (const { peer, link } of state.linksOf(feed)) {
    const asked = link.inFlight.get(block);
    if (peer === from || asked === undefined) continue;
    feed.mayComeLate(block, link, asked.at);
    // One that lets everything wait still owes its oldest block: by that it is judged.
    if (!peer.stalled) cancel(state, peer, link, block);
  }
}

/** Take back requests for blocks that are not wanted any more. */
export function cancelUnwanted(state: SyncState, feed: FeedState): void {
  if (feed.follows || feed.reserved.size === 0) return;
  for (const { peer, link } of state.linksOf(feed)) {
    for (const block of [...link.inFlight.keys()]) {
      if (feed.isWanted(block) || link.probe?.asked === block) continue;
      cancel(state, peer, link, block);
      feed.settle(block);
    }
  }
}

/**
 * Give back what a peer that turned out to be slow would not answer for long: before its first
 * answer it may have been asked for too much.
 */
export function giveBackExcess(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  feed: FeedState,
): void {
  if (link.window.cancels.areHeeded) return giveBackBeyond(state, peer, link, feed);
  for (const [block, asked] of [...link.inFlight].reverse()) {
    const expected = peer.window.expectedMs(queuedOf(asked, feed));
    if (expected === undefined || asked.at + expected - state.now < EXCESS_MS) return;
    if (link.inFlight.size <= MIN_REQUESTS) return;
    if (feed.reserved.get(block) !== peer.id || link.probe?.asked === block) continue;
    if (!isElsewhere(state, feed, block, peer)) continue;
    if (!mayTakeBack(state, link, feed)) return;
    takeBack(state, peer, link, block);
  }
}

/**
 * The same of a peer that heeds a Cancel: what it would not be asked for any more, whoever has it. Peers
 * that began with the same blocks so come to ask for others each.
 */
function giveBackBeyond(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  feed: FeedState,
): void {
  const most = Math.max(MIN_REQUESTS, Math.floor(peer.window.size / feed.cost));
  if (link.inFlight.size <= 2 * most || !state.isShared(feed)) return;
  // Not if it is our own line that it waits for.
  const excessMs = peer.window.paceMs(link.inFlight.size * feed.cost) ?? 0;
  if (excessMs < PATIENCE * state.line.busyMs(peer)) return;
  for (const block of [...link.inFlight.keys()].slice(most)) {
    if (feed.reserved.get(block) !== peer.id || link.probe?.asked === block) continue;
    if (!mayTakeBack(state, link, feed)) break;
    takeBack(state, peer, link, block);
  }
  feed.restart(); // not these first, but in whatever order is best now
}

/**
 * Give back what takes much longer than it should, if another peer has it. Where nothing else was
 * answered meanwhile, everything that is owed is given back but for the oldest request, and nothing
 * more is asked for: when that one is answered, the peer begins small again.
 */
export function giveBackOverdue(
  state: SyncState,
  peer: PeerState,
  link: FeedLink,
  feed: FeedState,
): void {
  const { window } = peer;
  const stuck = isStuck(state, peer, link, feed);
  const isHeeded = link.window.cancels.areHeeded;
  const [oldest] = link.inFlight.keys();
  let isLate = false;
  for (const [block, asked] of [...link.inFlight]) {
    const age = state.now - asked.at;
    const patience = window.patienceMs(queuedOf(asked, feed));
    if (!stuck && age < patience) break;
    if (feed.reserved.get(block) !== peer.id || link.probe?.asked === block) continue;
    if (!isElsewhere(state, feed, block, peer)) continue;
    // Who answers others in their order answers this one too: until that is in doubt it is a race.
    if (!stuck && age < Math.max(REQUEST_MS, patience) && !feed.mayRace(isHeeded)) break;
    isLate = true;
    if (stuck && block === oldest && isHeeded && age < LAST_PATIENCE_MS && !feed.mayRace(true)) {
      peer.stalled = true; // what waits behind it is moved, and this one may be on its way
      continue;
    }
    feed.release(block, peer.id);
    if (!stuck || peer.stalled && block !== oldest) {
      if (!stuck) feed.mayComeLate(block, link, asked.at);
      cancel(state, peer, link, block);
    } else {
      feed.raced.add(block);
      peer.stalled = true;
    }
  }
  if (isLate) window.shrink();
}

/** Whether a peer should have answered by now, and let nothing come instead. */
function isStuck(state: SyncState, peer: PeerState, link: FeedLink, feed: FeedState): boolean {
  const [oldest] = link.inFlight.values();
  if (oldest === undefined) return false;
  const { window } = peer;
  // From its last answer on only one more block had to come.
  const since = Math.max(oldest.at, peer.answeredAt, peer.progressAt);
  const queued = since === oldest.at ? queuedOf(oldest, feed) : Math.max(oldest.cost, feed.cost);
  const patience = window.patienceMs(queued);
  // Our own line may be what it waits for, and other blocks that came late show what is usual here.
  const longer = Math.max(feed.caution * patience, PATIENCE * state.line.busyMs(peer));
  return state.now - since >= Math.max(patience, Math.min(REQUEST_MS, longer));
}

/** What a peer had to answer up to a request, by what blocks turned out to cost since. */
function queuedOf({ queued, cost }: Asked, feed: FeedState): number {
  return queued * Math.max(1, feed.cost / cost);
}

function isElsewhere(state: SyncState, feed: FeedState, block: number, than: PeerState): boolean {
  for (const { peer, link } of state.linksOf(feed)) {
    if (peer !== than && !peer.stalled && link.remote.has(block)) return true;
  }
  return false;
}
