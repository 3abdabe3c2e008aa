/** Which block to ask of a peer next. */
import type { Chance } from "./chance.ts";
import type { FeedState } from "./feed_state.ts";
import type { FeedLink } from "./peer_state.ts";

/** What the choice depends on beside the feed and the link. */
export interface Choice {
  /** Blocks of a followed feed from here on are not asked for. */
  readonly end: number;
  /** Those that few peers have first: all links of the feed. Absent: in the order of the feed. */
  readonly rarest?: { links: readonly FeedLink[]; now: number; chance: Chance };
}

/**
 * The next block to ask of a link's peer: wanted, not here, not on its way, and there; -1 if there is
 * none. What is passed over once is not looked at again: a block that comes free later is among
 * `returned`, one that the peer gets is among its news, and all else begins a new epoch. So the cost
 * of a download does not depend on how often somebody looks, nor that of a look on the feed's length.
 */
export function pick(feed: FeedState, link: FeedLink, { end, rarest }: Choice): number {
  const { search } = link;
  if (search.epoch !== feed.epoch) search.restart(feed.epoch);
  const limit = feed.wantedEnd(end);
  const returned = pickReturned(feed, link, limit);
  if (returned !== -1) return returned;
  const deferred = pickDeferred(feed, link, limit);
  if (deferred !== -1) return deferred;
  if (rarest !== undefined) {
    const block = feed.rarity.next(feed, link, { ...rarest, limit });
    if (block !== -1) return block;
  }
  const news = pickNews(feed, link, limit);
  return news !== -1 ? news : pickInOrder(feed, link, limit);
}

/** Blocks that another peer did not bring. */
function pickReturned(feed: FeedState, link: FeedLink, limit: number): number {
  for (const block of feed.returned) {
    if (feed.reader.hasBlock(block) || feed.isTaken(block) || !feed.isWanted(block)) {
      feed.returned.delete(block);
    } else if (block < limit && link.remote.has(block) && !link.cancelled.get(block)?.isPending) {
      return block; // and not of the one that let it wait, at once
    }
  }
  return -1;
}

/** Blocks that this peer might have brought all the same, and did not. */
function pickDeferred(feed: FeedState, link: FeedLink, limit: number): number {
  const { deferred } = link.search;
  for (const block of deferred) {
    const isPending = link.cancelled.get(block)?.isPending ?? false;
    if (isPending && !link.window.cancels.areHeeded) continue;
    deferred.delete(block);
    if (feed.reader.hasBlock(block) || feed.isTaken(block) || !feed.isWanted(block)) continue;
    if (block < limit && link.remote.has(block)) return block;
  }
  return -1;
}

/** Blocks that the peer got after they were passed over. */
function pickNews(feed: FeedState, link: FeedLink, limit: number): number {
  const { news } = link.search;
  for (let at = news.next(0); at !== -1; at = news.next(0)) {
    const { end } = news.runFrom(at)!;
    const found = search(feed, link, at, Math.min(end, limit));
    news.remove(at, found === -1 ? end : found + 1);
    if (found !== -1) return found;
  }
  return -1;
}

function pickInOrder(feed: FeedState, link: FeedLink, limit: number): number {
  const state = link.search;
  // Who told of more is gone, and may come back.
  state.cursor = Math.min(state.cursor, limit);
  const found = search(feed, link, Math.max(state.cursor, feed.heldUpTo), limit);
  state.cursor = found === -1 ? limit : found + 1;
  return found;
}

/** From one that the peer has to one that is wanted to one that is missing, until one is all three. */
function search(feed: FeedState, link: FeedLink, from: number, limit: number): number {
  for (let at = from; at < limit;) {
    const there = link.remote.nextSet(at, limit);
    if (there === -1) return -1;
    const run = feed.wantedFrom(there, limit);
    if (run === undefined) return -1;
    at = run.start;
    if (at > there) continue;
    const end = Math.min(run.end, limit);
    const missing = feed.reader.nextMissing(there, end);
    at = missing === -1 ? end : missing;
    if (missing !== there) continue;
    if (!feed.isTaken(there) && link.offers(there)) return there;
    at = there + 1;
  }
  return -1;
}
