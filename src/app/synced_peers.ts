/**
 * Counting the peers that have everything, for whoever serves until there are enough: those that
 * hold every entry, and every block of the files that these list, by their own word for each block.
 */
import { IncompleteError } from "../base/errors.ts";
import { count, formatSeconds } from "../base/format.ts";
import { RangeSet } from "../base/ranges.ts";
import type { Report } from "../core/sync/inputs.ts";
import type { ArchiveFeeds } from "./archive_feeds.ts";
import { contentFilesOf } from "./checkout.ts";
import type { Emit } from "./events.ts";
import type { Archive } from "./open_archive.ts";
import type { PublishedArchive } from "./published_archive.ts";
import type { Synchronizer } from "./synchronizer.ts";

export interface UntilSynced {
  /** How many peers, by the ids of their processes. */
  readonly peers: number;
  /** Of which version at least; the one that is there when serving begins, if left out. */
  readonly version?: number;
}

/** Ids that are remembered; nobody waits for more. */
const MAX_IDS = 10_000;

export class SyncedPeers {
  readonly #archive: Archive;
  readonly #published: PublishedArchive | undefined;
  readonly #feeds: ArchiveFeeds;
  readonly #wanted: UntilSynced;
  readonly #emit: Emit;
  readonly #ids = new Set<string>();
  /** The version that peers are to hold, once there is one. */
  #watched: number | undefined;

  constructor(
    archive: Archive,
    wanted: UntilSynced,
    options: { published?: PublishedArchive; feeds: ArchiveFeeds; emit: Emit },
  ) {
    this.#archive = archive;
    this.#wanted = wanted;
    this.#published = options.published;
    this.#feeds = options.feeds;
    this.#emit = options.emit;
  }

  get isDone(): boolean {
    return this.#ids.size >= this.#wanted.peers;
  }

  /** Have peers watched for what is served now; to be called again whenever that is more. */
  watch(sync: Synchronizer): void {
    const { version } = this.#published ?? this.#archive;
    // Of an older version peers need not have what the newest one replaced.
    if (version === this.#watched || version < (this.#wanted.version ?? 0)) return;
    this.#watched = version;
    const { metadata, content } = this.#feeds;
    const ranges = new RangeSet();
    for (const { offset, blocks } of contentFilesOf(this.#archive, version)) {
      ranges.add(offset, offset + blocks);
    }
    sync.input({
      kind: "watch",
      primary: metadata,
      feeds: [
        { feed: metadata, ranges: [{ start: 0, end: version + 1 }] },
        { feed: content, ranges: [...ranges] },
      ],
    });
  }

  /** Take note of a report, if it is about that; stops the synchronizer when there are enough. */
  take(report: Report, sync: Synchronizer): void {
    if (report.kind !== "peer-holds" || this.isDone || this.#ids.size >= MAX_IDS) return;
    // Who gives no id cannot be told from others who give none.
    this.#ids.add(report.remoteId ?? "");
    this.#emit({
      event: "confirmed",
      peer: report.address,
      version: this.#watched!,
      peers: this.#ids.size,
      wanted: this.#wanted.peers,
    });
    if (this.isDone) sync.stop();
  }

  /** Why it ends before there were enough: the deadline came, or nobody is left. */
  missed(timeoutMs?: number): IncompleteError {
    const { peers, version } = this.#wanted;
    const within = timeoutMs === undefined ? "" : ` within ${formatSeconds(timeoutMs / 1000)}`;
    if (this.#watched === undefined) {
      const newest = (this.#published ?? this.#archive).version;
      return new IncompleteError(
        `Cannot have version ${version} confirmed${within}: the newest one here is ${newest}`,
      );
    }
    return new IncompleteError(
      `Cannot have ${count(peers, "peer")} confirm version ${this.#watched}${within}: ` +
        `${this.#ids.size} did`,
      { hint: "run the same command again while others fetch it" },
    );
  }
}
