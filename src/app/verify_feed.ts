/** A feed by itself against its signed tree: what `trove verify` does where there is no archive. */
import { DataFile } from "../io/data_file.ts";
import { auditFeed, type FeedAudit, glanceAtFeed } from "../io/feed_audit.ts";
import { lookAt } from "../io/folder.ts";
import { openFile } from "../io/random_access.ts";
import { RawFeed } from "../io/raw_feed.ts";
import { PUBLIC_KEY_BYTES } from "../crypto/sign.ts";
import { type FeedFile, readSmallFile } from "./archive_folder.ts";
import type { AuditProgress } from "./audit_archive.ts";
import { type Problem, problemsOfFeed } from "./damage.ts";
import type { FeedPaths } from "./feed_folder.ts";

export interface BareFeedAudit {
  readonly paths: FeedPaths;
  readonly feed: FeedAudit;
  readonly problems: readonly Problem[];
}

/** Look at everything, or with `quick` at what tells most. @throws {StorageError} */
export function verifyFeed(
  paths: FeedPaths,
  options: {
    readonly quick?: boolean;
    readonly onProgress?: (progress: AuditProgress) => void;
  },
): BareFeedAudit {
  using opened = new DisposableStack();
  const file = (name: FeedFile) => {
    const open = openFile(paths.path(name), { access: "read" });
    opened.defer(() => open.close());
    return open;
  };
  const publicKey = readSmallFile(paths.path("key")) ?? new Uint8Array(PUBLIC_KEY_BYTES);
  const raw = new RawFeed({
    tree: file("tree"),
    signatures: file("signatures"),
    bitfield: file("bitfield"),
  });
  const data = new DataFile(file("data"));
  const { onProgress } = options;
  const feed = options.quick ? glanceAtFeed(raw, publicKey) : auditFeed(raw, {
    publicKey,
    blocks: { read: (span) => data.read(span), mayHold: () => true },
    turnsBlocks: false,
    onProgress: onProgress &&
      ((block, total) => onProgress({ share: block / total, text: `block ${block} of ${total}` })),
  });
  const interrupted = lookAt(paths.lock) !== undefined;
  const about = { owned: false, interrupted, withoutBlocks: false };
  return { paths, feed, problems: problemsOfFeed("feed", feed, about) };
}
