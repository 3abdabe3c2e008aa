/** One archive among many while it is open: what peers see of it, and what keeps it up to date. */
import { ForkError, IncompleteError, LockedError, StorageError } from "../base/errors.ts";
import { equalBytes } from "../base/bytes.ts";
import type { World } from "../base/world.ts";
import type { Report } from "../core/sync/inputs.ts";
import type { ContentFile } from "../io/content_files.ts";
import type { ArchiveFeeds } from "./archive_feeds.ts";
import { archiveIn, type ArchivePaths, inspectFolder } from "./archive_folder.ts";
import { contentFilesOf } from "./checkout.ts";
import type { DownloadChoices } from "./checkout_plan.ts";
import type { TroveEvent } from "./events.ts";
import { GuardedReader } from "./guarded_reader.ts";
import { type Archive, openArchive, openClone } from "./open_archive.ts";
import { Follower } from "./seed_follow.ts";
import type { Share } from "./seed_news.ts";
import { noteServed } from "./served_lengths.ts";
import type { Director, Synchronizer } from "./synchronizer.ts";
import { Turns } from "./turns.ts";

/** An archive that is to be served. */
export interface Wanted {
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** Its folder. */
  readonly dir: string;
  /** Whether the folder is made when it is not there. */
  readonly isLink: boolean;
}

/** An archive that was opened to be served, and why it is not kept up to date if it should be. */
export interface Opened {
  readonly archive: Archive;
  readonly obstacle?: Error;
}

/**
 * Open an archive to serve it: one of our own, or one that another process writes, for reading alone,
 * so that an import can go on beside it; every other one for writing, to be kept up to date.
 *
 * @throws {NotFoundError} If the folder is gone.
 * @throws {StorageError} If it is damaged, or holds another archive by now.
 */
export function openHosted(
  { key, dir, isLink }: Wanted,
  { world, history }: { world: World; history?: boolean },
): Opened {
  const isThere = inspectFolder(dir) === "archive";
  if (!isThere && isLink) return { archive: openClone(dir, { world, publicKey: key, history }) };
  const reading = openChecked(dir, key, { world, access: "read" });
  if (reading.owned) return { archive: reading };
  let archive: Archive;
  try {
    archive = openChecked(dir, key, { world, access: "write" });
  } catch (error) {
    // What can be read can be served, by another process's leave or on a disk that takes no writes.
    if (error instanceof LockedError || error instanceof StorageError) {
      return { archive: reading, obstacle: error };
    }
    reading[Symbol.dispose]();
    throw error;
  }
  reading[Symbol.dispose]();
  return { archive };
}

function openChecked(
  dir: string,
  key: Uint8Array,
  options: { world: World; access: "read" | "write" },
): Archive {
  const archive = openArchive(dir, options);
  if (equalBytes(archive.metadata.publicKey, key)) return archive;
  archive[Symbol.dispose]();
  throw new StorageError(`Cannot serve "${dir}": it holds another archive now`);
}

/** What can be said of an archive before anybody asks for it. */
export interface Glance {
  readonly version: number;
  readonly owned: boolean;
  readonly warning?: string;
}

/** Look at an archive that is to be served. @throws As `openHosted`. */
export function glanceAt({ key, dir, isLink }: Wanted, world: World): Glance {
  if (isLink && archiveIn(dir) === undefined) return { version: 0, owned: false };
  using archive = openChecked(dir, key, { world, access: "read" });
  const { version, owned, warning } = archive;
  return { version, owned, warning };
}

export interface HostedOptions {
  readonly world: World;
  readonly feeds: ArchiveFeeds;
  readonly peers: readonly string[];
  readonly choices: DownloadChoices;
  /** Whether to keep it up to date. */
  readonly follow: boolean;
  readonly synced?: number;
  readonly emit: (event: TroveEvent) => void;
  /** Every report about the archive. */
  readonly onReport: (report: Report) => void;
  readonly onSynced: (version: number) => void;
  /** It cannot be completed for now, or not all of it can be served. */
  readonly onTrouble: (error: unknown) => void;
  /** It must not be served on. */
  readonly onFailure: (error: unknown) => void;
}

export class HostedArchive implements Director {
  readonly archive: Archive;
  readonly feeds: ArchiveFeeds;
  readonly openedAt: number;
  readonly follower?: Follower;
  /** Peers that we dialled, and those that came by themselves. */
  readonly dialled = new Set<number>();
  readonly guests = new Set<number>();
  /** Since when there is no peer. */
  quietSince: number;
  /** When it was asked whether it is out of date. */
  lookedAt: number;
  readonly #options: HostedOptions;
  readonly #mark: string;
  readonly #ended = new AbortController();
  #preparing: Promise<void> = Promise.resolve();
  #failed = false;

  constructor(archive: Archive, options: HostedOptions) {
    this.archive = archive;
    this.feeds = options.feeds;
    this.#options = options;
    this.#mark = markOf(archive.paths);
    this.openedAt = this.quietSince = this.lookedAt = options.world.clock.monotonic();
    if (options.follow) {
      this.follower = new Follower(archive, {
        ...options,
        onFailure: (error) =>
          error instanceof ForkError ? this.#fail(error) : options.onTrouble(error),
      });
    }
  }

  get peers(): number {
    return this.dialled.size + this.guests.size;
  }

  get share(): Share {
    const { metadata, content } = this.archive;
    const blocks = metadata.length + (content?.length ?? 0);
    const bytes = metadata.byteLength + (content?.byteLength ?? 0);
    return this.follower?.share ?? { blocks, blocksTotal: blocks, bytes, bytesTotal: bytes };
  }

  /** Whether another process changed the archive since it was opened for reading. */
  get isOutdated(): boolean {
    this.lookedAt = this.#options.world.clock.monotonic();
    return markOf(this.archive.paths) !== this.#mark;
  }

  /** Let it take part. Its content follows once it is known which files hold it. */
  join(sync: Synchronizer): void {
    const { archive, feeds: { metadata } } = this;
    if (archive.owned) noteServed(archive, this.#options.world);
    sync.direct(metadata, this);
    sync.join(metadata, archive.metadata, metadata, this.#guarded(archive.metadata, () => true));
    this.#preparing = this.#prepare(sync).catch((error) => {
      if (!this.#ended.signal.aborted) this.#fail(error);
    });
  }

  onReport(report: Report, sync: Synchronizer): void {
    const { onReport } = this.#options;
    if (report.kind === "peer-opened") {
      (report.dialled ? this.dialled : this.guests).add(report.peer);
    } else if (report.kind === "peer-closed") {
      this.dialled.delete(report.peer);
      this.guests.delete(report.peer);
      if (this.peers === 0) this.quietSince = this.#options.world.clock.monotonic();
    } else if (report.kind === "forked") {
      return this.#fail(report.error);
    } else if (report.kind === "downloaded" && this.archive.content === undefined) {
      this.#begin(sync);
    }
    onReport(report);
    this.follower?.onReport(report, sync);
  }

  onTick(sync: Synchronizer): void {
    this.follower?.onTick(sync);
  }

  onStorageFailure(error: unknown): void {
    this.#fail(error);
  }

  /** It has left: end what is under way and let go of its files. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#preparing;
    await this.follower?.end();
    this.archive[Symbol.dispose]();
  }

  async #prepare(sync: Synchronizer): Promise<void> {
    const { archive } = this;
    if (archive.content !== undefined) {
      const isMapped = await this.#mapFiles();
      if (this.#ended.signal.aborted) return;
      if (isMapped || this.follower !== undefined) this.#joinContent(sync);
    }
    this.follower?.begin(sync);
  }

  /** Say which files hold the content. Answers false if nobody can, for want of metadata. */
  async #mapFiles(): Promise<boolean> {
    const { contentFiles, content } = this.archive;
    if (contentFiles === undefined) return true;
    const { signal } = this.#ended;
    const turns = new Turns(signal);
    const files: ContentFile[] = [];
    try {
      for (const file of contentFilesOf(this.archive)) {
        files.push(file);
        await turns.take();
      }
    } catch (error) {
      if (!(error instanceof IncompleteError)) throw error;
      if (this.follower === undefined) {
        this.#options.onTrouble(
          new IncompleteError("The list of files is not complete, so no files are served"),
        );
      }
      return false;
    }
    contentFiles.setFiles(files, content!);
    return true;
  }

  /** The first metadata block came, and names the content. */
  #begin(sync: Synchronizer): void {
    if (!this.archive.metadata.hasBlock(0)) return;
    try {
      this.archive.openContent();
    } catch (error) {
      return this.#fail(error);
    }
    this.#joinContent(sync);
  }

  #joinContent(sync: Synchronizer): void {
    const { archive: { content, contentFiles }, feeds } = this;
    const reader = this.#guarded(content!, () => contentFiles?.mapped !== false);
    sync.join(feeds.content, content!, feeds.metadata, reader);
  }

  #guarded(feed: Archive["metadata"], isReady: () => boolean): GuardedReader {
    const { owned } = this.archive;
    return new GuardedReader(feed, { owned, isReady, onFailure: (error) => this.#fail(error) });
  }

  #fail(error: unknown): void {
    if (this.#failed || this.#ended.signal.aborted) return;
    this.#failed = true;
    this.#options.onFailure(error);
  }
}

/** What changes whenever somebody adds to an archive or takes it away. */
function markOf(paths: ArchivePaths): string {
  const marks = (["metadata", "content"] as const).map((feed) => {
    try {
      const { mtime, size, ino } = Deno.statSync(paths.feed(feed, "bitfield"));
      return `${mtime?.getTime()} ${size} ${ino}`;
    } catch {
      return "missing";
    }
  });
  return marks.join(", ");
}
