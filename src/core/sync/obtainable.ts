/** Whether it is worth waiting for more of a feed. */
import type { FeedState } from "./feed_state.ts";
import type { SyncState } from "./state.ts";

/**
 * Whether a linked peer has a wanted block that is not here, or has not told yet what it has. Blocks
 * that were asked for and have not come count as missing.
 */
export function isObtainable(state: SyncState, feed: FeedState): boolean {
  if (feed.forked) return false;
  const told = state.told(feed);
  for (const { link } of state.linksOf(feed)) {
    if (!link.answered || link.unansweredWants > 0) return true;
    if (hasMissing(feed, link.remote, told)) return true;
  }
  return false;
}

function hasMissing(
  feed: FeedState,
  remote: { nextSet(from: number, to: number): number },
  told: number,
): boolean {
  let at = 0;
  for (let run = feed.wantedFrom(at, told); run; run = feed.wantedFrom(at, told)) {
    at = run.start;
    while (at < run.end) {
      const missing = feed.reader.nextMissing(at, run.end);
      if (missing === -1) break;
      const there = remote.nextSet(missing, run.end);
      if (there === missing) return true;
      if (there === -1) break;
      at = there;
    }
    at = run.end;
  }
  return false;
}
