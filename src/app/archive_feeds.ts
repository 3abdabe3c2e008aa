/** Under which numbers the feeds of an archive take part in a synchronizer. */
import type { FeedId } from "../core/sync/inputs.ts";

export interface ArchiveFeeds {
  readonly metadata: FeedId;
  readonly content: FeedId;
}

/** Those of a synchronizer that has one archive and no other. */
export const ONLY_ARCHIVE: ArchiveFeeds = { metadata: 0, content: 1 };
