/** Which blocks there are to tell of. */
import type { FeedReader } from "../feed/reader.ts";

/** Runs of held blocks within [start, end), counted from `start`. */
export function* heldRuns(
  reader: FeedReader,
  start: number,
  end: number,
): IterableIterator<{ start: number; end: number }> {
  const limit = Math.min(end, reader.length);
  let from = reader.nextHeld(start, limit);
  while (from !== -1) {
    const missing = reader.nextMissing(from, limit);
    const to = missing === -1 ? limit : missing;
    yield { start: from - start, end: to - start };
    from = reader.nextHeld(to, limit);
  }
}
