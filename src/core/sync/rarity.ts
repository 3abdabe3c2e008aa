/**
 * Blocks in the order of how few peers have them, so that what few have is spread before they leave.
 *
 * Counting all blocks of all peers would take work and memory that grow with the feed. So a region
 * of the feed at a time is counted and put into order, at most once a second, and each link goes
 * through that order once. Regions take turns; what lies outside is asked for in the feed's order.
 */
import type { Chance } from "./chance.ts";
import type { FeedState } from "./feed_state.ts";
import type { FeedId } from "./inputs.ts";
import { RARITY_BLOCKS, RARITY_MS, RARITY_REGIONS, RARITY_RUN, RARITY_RUNS } from "./limits.ts";
import type { FeedLink } from "./peer_state.ts";

interface Sources {
  readonly links: readonly FeedLink[];
  readonly now: number;
  readonly chance: Chance;
  /** Blocks from here on are not asked for. */
  readonly limit: number;
}

export class Rarity {
  readonly feed: FeedId;
  /** The blocks of the region, rarest first. */
  #order: readonly number[] = [];
  /** Changes with the order. */
  #round = 0;
  /** When it may be made again: the more there was to count, the later. */
  #dueAt = -Infinity;
  /** What peers have has changed since. */
  #stale = true;
  /** Where the next region is looked for. */
  #next = 0;

  constructor(feed: FeedId) {
    this.feed = feed;
  }

  /** What peers have has changed. */
  invalidate(): void {
    this.#stale = true;
  }

  /** The rarest block that the link's peer has and nobody was asked for; -1 if there is none. */
  next(feed: FeedState, link: FeedLink, sources: Sources): number {
    if (this.#stale && sources.now >= this.#dueAt) this.#make(feed, sources);
    const { search } = link;
    if (search.rarityRound !== this.#round) {
      search.rarityRound = this.#round;
      search.rarityAt = 0;
    }
    while (search.rarityAt < this.#order.length) {
      const block = this.#order[search.rarityAt++];
      // What the peer has not is passed over first: the feed on disk is asked about the others only.
      if (block >= sources.limit || !link.remote.has(block) || feed.isTaken(block)) continue;
      if (feed.reader.hasBlock(block) || !feed.isWanted(block)) continue;
      if (link.offers(block)) return block;
    }
    return -1;
  }

  #make(feed: FeedState, sources: Sources): void {
    this.#stale = false;
    this.#round++;
    this.#order = [];
    let counted = 0;
    for (let region = 0; region < RARITY_REGIONS && this.#order.length === 0; region++) {
      const start = this.#nextRegion(feed, sources.limit);
      if (start === -1) return;
      this.#order = rarestFirst(feed, start, sources);
      counted += Math.min(RARITY_BLOCKS, sources.limit - start) * sources.links.length;
      this.#next = start + RARITY_BLOCKS;
    }
    const pauseMs = RARITY_MS * Math.min(1, counted / RARITY_BLOCKS);
    this.#dueAt = Math.max(this.#dueAt, sources.now - RARITY_MS / 10) + pauseMs;
    // Other regions have their turn, whether peers get more or not.
    if (this.#order.length > 0) this.#stale = true;
  }

  /** The start of the next region with a wanted block that is not here, from the start again. */
  #nextRegion(feed: FeedState, limit: number): number {
    for (const from of [Math.max(this.#next, feed.heldUpTo), feed.heldUpTo]) {
      for (let run = feed.wantedFrom(from, limit); run; run = feed.wantedFrom(run.end, limit)) {
        if (run.start >= limit) break;
        const missing = feed.reader.nextMissing(run.start, Math.min(run.end, limit));
        if (missing !== -1) return missing;
      }
    }
    return -1;
  }
}

/** The blocks of a region that somebody has and nobody was asked for. */
function rarestFirst(feed: FeedState, start: number, sources: Sources): number[] {
  const { links, chance } = sources;
  const end = Math.min(start + RARITY_BLOCKS, sources.limit);
  const holders = new Uint16Array(end - start);
  for (const { remote } of links) {
    for (let block = remote.nextSet(start, end); block !== -1;) {
      holders[block - start]++;
      block = remote.nextSet(block + 1, end);
    }
  }
  // One number each to sort by: how many have it, a number drawn for its run, where it lies.
  const length = Math.max(1, Math.min(RARITY_RUN, Math.floor((end - start) / RARITY_RUNS)));
  const runs = Array.from({ length: Math.ceil((end - start) / length) }, () => chance.next());
  const keys: number[] = [];
  for (let at = 0; at < holders.length; at++) {
    const block = start + at;
    if (holders[at] === 0 || feed.isTaken(block) || !feed.isWanted(block)) continue;
    if (feed.reader.hasBlock(block)) continue;
    const run = Math.floor(runs[Math.floor(at / length)] * 2 ** 20);
    keys.push((holders[at] * 2 ** 20 + run) * RARITY_BLOCKS + at);
  }
  return [...Float64Array.from(keys).sort()].map((key) => start + key % RARITY_BLOCKS);
}
