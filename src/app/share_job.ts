/** What is decided and told while an archive is served: fetches nothing. */
import type { World } from "../base/world.ts";
import type { Report } from "../core/sync/inputs.ts";
import type { ArchiveFeeds } from "./archive_feeds.ts";
import { type Emit, PROGRESS_MS } from "./events.ts";
import type { LiveImport } from "./live_import.ts";
import type { Archive } from "./open_archive.ts";
import { tellPeerNews } from "./peer_news.ts";
import type { PublishedArchive } from "./published_archive.ts";
import type { SyncedPeers } from "./synced_peers.ts";
import { RateMeter } from "./rates.ts";
import type { Director, Synchronizer } from "./synchronizer.ts";

export interface ShareJobOptions {
  readonly world: World;
  readonly feeds: ArchiveFeeds;
  /** Stop serving after so many milliseconds. */
  readonly timeoutMs?: number;
  /** The archive as peers see it, where that is not all of it. */
  readonly published?: PublishedArchive;
  /** What follows the folder, if anything does. */
  readonly live?: LiveImport;
  /** Stop when enough peers have everything; the timeout is a failure then. */
  readonly synced?: SyncedPeers;
  readonly emit: Emit;
}

export class ShareJob implements Director {
  readonly #archive: Archive;
  readonly #options: ShareJobOptions;
  readonly #startedAt: number;
  readonly #up = new RateMeter();
  #progressAt = 0;

  constructor(archive: Archive, options: ShareJobOptions) {
    this.#archive = archive;
    this.#options = options;
    this.#startedAt = options.world.clock.monotonic();
  }

  onReport(report: Report, sync: Synchronizer): void {
    const { emit, feeds, live } = this.#options;
    if (report.kind === "damaged" && report.feed === feeds.content && live !== undefined) {
      // Its file changes, most likely, and is about to be imported.
      return live.suspect();
    }
    tellPeerNews(report, emit);
    this.#options.synced?.take(report, sync);
    if (report.kind === "uploaded") {
      this.#up.add(report.bytes, this.#now());
      this.#tellProgress(sync);
    } else if (report.kind === "peer-finished") {
      const { version } = this.#options.published ?? this.#archive;
      emit({ event: "uploaded", peer: report.address, version });
    } else if (report.kind === "forked") {
      sync.stop(report.error);
    }
  }

  onTick(sync: Synchronizer): void {
    const { timeoutMs, synced } = this.#options;
    if (timeoutMs === undefined || this.#now() - this.#startedAt < timeoutMs) return;
    sync.stop(synced === undefined || synced.isDone ? undefined : synced.missed(timeoutMs));
  }

  #tellProgress(sync: Synchronizer): void {
    const now = this.#now();
    if (now - this.#progressAt < PROGRESS_MS) return;
    this.#progressAt = now;
    const { metadata, content } = this.#archive;
    const blocks = metadata.length + (content?.length ?? 0);
    const bytes = metadata.byteLength + (content?.byteLength ?? 0);
    this.#options.emit({
      event: "progress",
      blocks,
      blocksTotal: blocks,
      bytes,
      bytesTotal: bytes,
      peers: sync.openPeers,
      downRate: 0,
      upRate: this.#up.rate(now),
    });
  }

  #now(): number {
    return this.#options.world.clock.monotonic();
  }
}
