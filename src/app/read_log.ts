/** The changes that made an archive what it is, and what they come to. */
import { UsageError } from "../base/errors.ts";
import { type HistoryItem, readHistory } from "../core/archive/lookup.ts";
import { runItems } from "../core/archive/steps.ts";
import { countLive } from "./archive_status.ts";
import { checkVersion } from "./archive_view.ts";
import type { Archive } from "./open_archive.ts";

export interface LogRange {
  /** Changes after this version: 0 for all. */
  readonly since: number;
  /** The last change. */
  readonly version: number;
}

/** One feed: how many blocks it has, and their bytes, whether they are here or not. */
export interface FeedSize {
  readonly blocks: number;
  readonly bytes: number;
}

/** What the log ends with. */
export interface LogTotals {
  /** Of the last version; undefined while its metadata is not complete. */
  readonly live?: { readonly files: number; readonly bytes: number };
  readonly metadata: FeedSize;
  readonly content: FeedSize;
}

/** A change, and how many content blocks of what was put are here. */
export interface LoggedChange extends HistoryItem {
  readonly held: number;
}

/**
 * The range of changes that is asked for; all of them if nothing is.
 *
 * @throws {NotFoundError} If the archive has no such version, as far as is known here.
 * @throws {UsageError} If it ends before it begins.
 */
export function logRange(
  archive: Archive,
  { since = 0, version = archive.version }: Partial<LogRange>,
): LogRange {
  checkVersion(archive, since);
  checkVersion(archive, version);
  if (since > version) {
    throw new UsageError(`Cannot list changes after version ${since} up to version ${version}`);
  }
  return { since, version };
}

/**
 * The changes, the oldest first.
 *
 * @throws {IncompleteError} If one of them is not here.
 */
export function* readLog(
  archive: Archive,
  { since, version }: LogRange,
): Generator<LoggedChange, void, void> {
  for (const item of runItems(readHistory(since + 1, version), archive.entry)) {
    const { offset = 0, blocks = 0 } = item.stat ?? {};
    const held = archive.content?.countHeld(offset, offset + blocks) ?? 0;
    yield { ...item, held };
  }
}

export function logTotals(archive: Archive, { version }: LogRange): LogTotals {
  const { metadata, content } = archive;
  return {
    live: countLive(archive, version),
    metadata: { blocks: metadata.length, bytes: metadata.byteLength },
    content: { blocks: content?.length ?? 0, bytes: content?.byteLength ?? 0 },
  };
}
