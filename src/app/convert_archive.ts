/**
 * From one way of keeping content to the other: the working files are the content (latest mode), or
 * `content.data` keeps the bytes of every version. Which one it is, is told by whether `content.data`
 * exists, so the change is one rename or one removal; whatever ends the program, the archive is one
 * or the other, and no bit says that bytes are here which are not.
 *
 * Source: spec of the drive, section 10.
 */
import { join } from "node:path";
import { UsageError } from "../base/errors.ts";
import { RangeSet } from "../base/ranges.ts";
import { kindOfMode } from "../core/archive/entry.ts";
import { runItems } from "../core/archive/steps.ts";
import { walkFiles } from "../core/archive/walk.ts";
import { DataFile } from "../io/data_file.ts";
import type { FeedStore } from "../io/feed_store.ts";
import { storageError } from "../io/handle_cache.ts";
import { openFile } from "../io/random_access.ts";
import { type ArchivePaths, syncFolder, writeSmallFile } from "./archive_folder.ts";
import { mapWorkingFiles } from "./checkout.ts";
import { listNames } from "./obstacles.ts";
import type { Archive } from "./open_archive.ts";
import { Turns } from "./turns.ts";

/** What is copied is written after so many bytes, so that a full disk shows early. */
const FLUSH_BYTES = 1024 * 1024;

export interface ConvertRun {
  /** Aborted with the reason to throw: the archive is as before then. */
  readonly signal?: AbortSignal;
  /** Told how many bytes more were checked or copied. */
  readonly onBytes?: (bytes: number) => void;
}

export interface HistoryOptions extends ConvertRun {
  /** Go on without the blocks whose bytes are not in the folder any more. */
  readonly partial?: boolean;
}

/** What was copied into `content.data`. */
export interface KeptHistory {
  readonly blocks: number;
  readonly bytes: number;
  /** Blocks that are not here any more: their files were changed or deleted. */
  readonly lost: number;
}

/** Every archive that has working files can be either; the others always keep every version. */
export function checkConvertible({ hasWorkingFiles, paths }: Archive): void {
  if (hasWorkingFiles) return;
  throw new UsageError(`Cannot convert "${paths.dir}": this archive has no working files`, {
    hint: "it keeps every version as it is; clone it into another folder to have its files",
  });
}

/**
 * Keep the bytes of every version from now on. All blocks that are here are copied, verified; those
 * that are not here now stay away.
 *
 * @param archive Open for writing, and in latest mode. Open it anew afterwards.
 * @throws {UsageError} If files were changed or deleted since they were imported or fetched, and
 *   their bytes are not to be given up. Nothing was changed.
 * @throws {StorageError} If there is no room. Nothing was changed.
 */
export async function convertToHistory(
  archive: Archive,
  options: HistoryOptions,
): Promise<KeptHistory> {
  const { paths, content } = archive;
  const copy = join(paths.dat, "trove.content");
  try {
    // Anew, whatever a killed process left there.
    writeSmallFile(copy, new Uint8Array(0), { mode: 0o644 });
    const kept = content === undefined
      ? { blocks: 0, bytes: 0, lost: new RangeSet(), staged: [] }
      : await copyBlocks(archive, content, copy, options);
    if (!kept.lost.isEmpty && !options.partial) throw lostError(archive, kept.lost);
    // Bits go before the file that would make them a lie ...
    for (const range of kept.lost) content?.clear(range);
    content?.commit({ durable: true });
    rename(copy, paths.feed("content", "data"));
    syncFolder(paths.dat);
    // ... and come after the file that makes them true.
    for (const block of kept.staged) content?.markHeld(block);
    content?.commit({ durable: true });
    removeStaged(paths);
    return { blocks: kept.blocks, bytes: kept.bytes, lost: kept.lost.size };
  } finally {
    remove(copy);
  }
}

/** The downloads that were not complete: nothing of them is used any more. @throws {StorageError} */
export function removeStaged(paths: ArchivePaths): void {
  remove(paths.staged);
  remove(paths.staging);
}

async function copyBlocks(
  archive: Archive,
  content: FeedStore,
  to: string,
  { signal, onBytes }: ConvertRun,
): Promise<{ blocks: number; bytes: number; lost: RangeSet; staged: number[] }> {
  // Read where they are, but nothing gets its name by that: files may have been changed there.
  mapWorkingFiles(archive, {
    held: {
      hasFinal: (block) => content.hasFinal(block),
      hasStaged: () => false,
      nextHeld: (from, end) => content.nextHeld(from, end),
    },
  });
  const turns = new Turns(signal);
  const data = new DataFile(openFile(to, { access: "write" }));
  const lost = new RangeSet();
  const staged: number[] = [];
  let blocks = 0;
  let bytes = 0;
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  try {
    const end = content.length;
    for (let block = content.nextHeld(0, end); block !== -1;) {
      const value = content.readMatching(block);
      if (value === undefined) lost.add(block, block + 1);
      else {
        data.write(content.spanOf(block), value);
        if (!content.hasFinal(block)) staged.push(block);
        blocks++;
        bytes += value.length;
        waiting.push(value);
        waitingBytes += value.length;
        if (waitingBytes >= FLUSH_BYTES) {
          data.flush();
          for (const written of waiting) content.recycle(written);
          [waiting, waitingBytes] = [[], 0];
        }
        onBytes?.(value.length);
      }
      await turns.take(value?.length);
      block = content.nextHeld(block + 1, end);
    }
    data.flush();
    data.sync();
  } finally {
    data.close();
  }
  return { blocks, bytes, lost, staged };
}

function lostError(archive: Archive, lost: RangeSet): UsageError {
  const names: string[] = [];
  for (const { path, stat } of runItems(walkFiles(archive.version), archive.entry)) {
    const first = lost.next(stat.offset);
    if (kindOfMode(stat.mode) !== "file" || first === -1) continue;
    if (first < stat.offset + stat.blocks) names.push(path.slice(1));
  }
  const what = names.length === 0
    ? `${lost.size} content blocks are`
    : `${listNames(names)} ${names.length === 1 ? "was" : "were"} changed or deleted, and the ` +
      `bytes of version ${archive.version} are`;
  const first = archive.owned ? "import the changes with trove share" : "fetch it with trove pull";
  return new UsageError(`Cannot convert "${archive.paths.dir}": ${what} not here any more`, {
    hint: `${first} first, or go on without with --partial; nothing was changed`,
  });
}

function rename(from: string, to: string): void {
  try {
    Deno.renameSync(from, to);
  } catch (error) {
    throw storageError(`Cannot rename "${from}"`, error);
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw storageError(`Cannot remove "${path}"`, error);
  }
}
