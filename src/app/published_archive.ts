/**
 * An archive of our own as a synchronizer serves it while it grows. What was appended is published
 * step by step: the files are known from which its blocks are read, the note that it is served is on
 * disk, and then peers hear of it, content before the metadata that points at it.
 */
import { IncompleteError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import type { Range } from "../base/ranges.ts";
import { runLookup } from "../core/archive/steps.ts";
import { findFile } from "../core/archive/lookup.ts";
import type { ContentFile } from "../io/content_files.ts";
import type { ArchiveFeeds } from "./archive_feeds.ts";
import { contentFileOf, mapWorkingFiles } from "./checkout.ts";
import type { Archive } from "./open_archive.ts";
import { PublishedFeed } from "./published_feed.ts";
import { noteServed } from "./served_lengths.ts";
import type { Synchronizer } from "./synchronizer.ts";

/** The owner's blocks lie under the names of their files or are not to be had: never elsewhere. */
const UNDER_THEIR_NAMES = {
  hasFinal: () => true,
  hasStaged: () => false,
  nextHeld: (from: number, to: number) => from < to ? from : -1,
};

export class PublishedArchive {
  /** Whether files can be served: without all metadata nobody knows whose bytes it is. */
  readonly servesContent: boolean;
  readonly #archive: Archive;
  readonly #world: World;
  readonly #metadata: PublishedFeed;
  readonly #content?: PublishedFeed;
  /** The version whose files are mapped. */
  #mapped: number;
  /** Where it is served. */
  #serving?: { readonly sync: Synchronizer; readonly feeds: ArchiveFeeds };
  /** Blocks published before that were missing and are back. */
  #found: Range[] = [];

  /**
   * All that the archive has now is published; nobody serves it so far.
   *
   * @param archive One of our own, open for writing.
   * @throws {StorageError} If it cannot be noted that it is served.
   */
  constructor(archive: Archive, world: World) {
    this.#archive = archive;
    this.#world = world;
    this.#metadata = new PublishedFeed(archive.metadata);
    if (archive.content !== undefined) this.#content = new PublishedFeed(archive.content);
    this.servesContent = mapAll(archive) && archive.content !== undefined;
    this.#mapped = archive.version;
    this.publish();
  }

  /** The newest version that peers may know. */
  get version(): number {
    return Math.max(0, this.#metadata.length - 1);
  }

  /** Let both feeds take part, under these numbers. */
  join(sync: Synchronizer, feeds: ArchiveFeeds): void {
    this.#serving = { sync, feeds };
    const { metadata, content } = this.#archive;
    sync.join(feeds.metadata, metadata, feeds.metadata, this.#metadata);
    if (this.servesContent) sync.join(feeds.content, content!, feeds.metadata, this.#content);
  }

  /**
   * Publish what was appended since the last time. It has to be on disk.
   *
   * @param found Blocks whose bytes were missing and are there again.
   * @throws {StorageError} If it cannot be noted: peers hear nothing then. Publish again later.
   */
  publish(found: readonly Range[] = []): void {
    this.#found.push(...found);
    this.#mapFiles();
    noteServed(this.#archive, this.#world);
    const starts = { metadata: this.#metadata.length, content: this.#content?.length ?? 0 };
    this.#content?.publish();
    this.#metadata.publish();
    this.#tell(starts);
  }

  #tell(starts: { metadata: number; content: number }): void {
    const found = this.#found;
    this.#found = [];
    if (this.#serving === undefined) return;
    const { sync, feeds } = this.#serving;
    if (this.servesContent) {
      for (const { start, end } of found) {
        const blocks = Array.from({ length: end - start }, (_, n) => start + n);
        sync.input({ kind: "stored", feed: feeds.content, blocks });
      }
      sync.input({ kind: "appended", feed: feeds.content, start: starts.content });
    }
    sync.input({ kind: "appended", feed: feeds.metadata, start: starts.metadata });
  }

  /** Say where the blocks lie that the newest entries name, and which names have none any more. */
  #mapFiles(): void {
    const archive = this.#archive;
    const { contentFiles, version } = archive;
    const from = this.#mapped;
    if (contentFiles === undefined || version === from) return;
    const come = new Map<string, ContentFile>();
    const gone = new Map<string, ContentFile>();
    for (let seq = from + 1; seq <= version; seq++) {
      const { path, stat } = archive.entry(seq)!;
      const before = runLookup(findFile(from, path), archive.entry);
      const old = before?.stat && contentFileOf(archive, path, before.stat);
      if (old !== undefined) gone.set(path, old);
      const file = stat && contentFileOf(archive, path, stat);
      if (file === undefined) come.delete(path);
      else come.set(path, file);
    }
    contentFiles.changeFiles(
      { gone: [...gone.values()], come: [...come.values()] },
      UNDER_THEIR_NAMES,
    );
    this.#mapped = version;
  }
}

/** Say where all blocks lie; false where not all metadata is here. */
function mapAll(archive: Archive): boolean {
  try {
    mapWorkingFiles(archive, { held: UNDER_THEIR_NAMES });
    return true;
  } catch (error) {
    if (error instanceof IncompleteError) return false;
    throw error;
  }
}
