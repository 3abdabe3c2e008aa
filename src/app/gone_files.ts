/** Files that a version no longer has: finding those on disk, removing them, giving up their blocks. */
import { join } from "node:path";
import { type Range, RangeSet } from "../base/ranges.ts";
import { type Change, changedFiles } from "../core/archive/diff_versions.ts";
import { kindOfMode } from "../core/archive/entry.ts";
import { findFile } from "../core/archive/lookup.ts";
import { safePath } from "../core/archive/safe_path.ts";
import { runItems, runLookup } from "../core/archive/steps.ts";
import { ensurePrivateFolder } from "../io/finish_file.ts";
import { lookAt, pruneEmptyFolders } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import type { ArchivePaths } from "./archive_folder.ts";
import type { CheckoutPlan, DownloadChoices, PlannedFile, VersionFiles } from "./checkout_plan.ts";
import { obstacleAbove, type Obstacles } from "./obstacles.ts";
import type { Archive } from "./open_archive.ts";
import type { PathHistory } from "./path_history.ts";
import { writeVersionNote } from "./version_notes.ts";

/** A file on disk that the archive put there and has deleted. */
export interface GoneFile {
  readonly path: string;
  readonly target: string;
  /** Bytes. */
  readonly size: number;
  /** The content blocks that it holds. */
  readonly offset: number;
  readonly blocks: number;
}

/** What goes. */
export interface Gone {
  readonly files: readonly GoneFile[];
  /** Places of folders that were made on purpose. */
  readonly folders: readonly string[];
  /** Places of files that were never here, or are gone already: folders may be left of them. */
  readonly vacant: readonly string[];
  readonly warnings: readonly { code: string; message: string }[];
}

/**
 * The files that the archive had and the version has not, as far as they are on disk unchanged. One
 * that was changed here stays and is told; in its owner's folder it is in the way.
 */
export async function findGone(
  archive: Archive,
  version: VersionFiles,
  history: PathHistory,
  { keepDeleted, keepLocal, overwrite, obstacles }: DownloadChoices & { obstacles: Obstacles },
): Promise<Gone> {
  const { dir } = archive.paths;
  const files: GoneFile[] = [];
  const folders: string[] = [];
  const vacant: string[] = [];
  const warnings: { code: string; message: string }[] = [];
  if (keepDeleted) return { files, folders, vacant, warnings };
  // One that is replaced stays until the new one is complete, or for good if it is not selected.
  let live: Set<string> | undefined;
  const isLive = (target: string) => {
    const { files, emptyFiles, unselected } = version;
    live ??= new Set([...files, ...emptyFiles, ...unselected].map(({ target }) => target));
    return live.has(target);
  };
  const parents = new Map<string, string | undefined>();
  for (const { type, path, stat } of changesSince(archive, version, history.applied)) {
    const safe = safePath(path, { windows: Deno.build.os === "windows" });
    if (type !== "del" || safe.kind === "refused") continue;
    const target = join(dir, ...safe.components);
    if (isLive(target) || obstacleAbove(dir, target, parents) !== undefined) continue;
    if (kindOfMode(stat.mode) === "directory") {
      const isGone = !hasFolder(archive, version, path);
      if (isGone && lookAt(target)?.isDirectory) folders.push(target);
      continue;
    }
    if (await history.isOurs(path, target)) files.push({ path, target, ...stat });
    else if (lookAt(target) === undefined) vacant.push(target);
    else if (!lookAt(target)?.isFile) continue;
    else if (history.base !== undefined && !keepLocal && !overwrite) obstacles.add(target);
    else {
      const message = `"${path.slice(1)}" was changed here, so it stays although the archive ` +
        "deleted it";
      warnings.push({ code: "changed-locally", message });
    }
  }
  return { files, folders, vacant, warnings };
}

/** Whether a version has a folder made on purpose at a path, selected or not. */
function hasFolder(archive: Archive, { version }: VersionFiles, path: string): boolean {
  const stat = runLookup(findFile(version, path), archive.entry)?.stat;
  return stat !== undefined && kindOfMode(stat.mode) === "directory";
}

/**
 * Remove files, and folders if nothing is in them. Files whose blocks `wanted` has are moved aside
 * instead, so that these need not be fetched: gives where they are, by first block.
 */
export function removeFiles(
  paths: ArchivePaths,
  { gone, inTheWay, wanted }: {
    gone: Gone;
    inTheWay: Iterable<string>;
    wanted: readonly PlannedFile[];
  },
): Map<number, string[]> {
  const moved = new Map<number, string[]>();
  // There may be very many, and as a rule nothing that goes.
  const sizes = new Map(gone.files.length === 0 ? [] : sizesOf(wanted));
  for (const { target, offset, size, blocks } of gone.files) {
    const isWanted = blocks > 0 && sizes.get(offset) === size && !moved.has(offset);
    const aside = isWanted ? join(paths.staging, `${offset}.moved`) : undefined;
    if (!removeFile(paths, target, aside) || aside === undefined) continue;
    moved.set(offset, [aside]);
  }
  for (const target of inTheWay) removeFile(paths, target);
  // What is in another comes before it.
  for (const folder of gone.folders.toSorted((a, b) => b.length - a.length)) {
    if (obstacleAbove(paths.dir, folder, new Map()) !== undefined) continue;
    try {
      Deno.removeSync(folder); // refuses a folder that is not empty
    } catch {
      continue;
    }
    pruneEmptyFolders(paths.dir, folder);
  }
  for (const target of gone.vacant) pruneEmptyFolders(paths.dir, target);
  return moved;
}

function* sizesOf(files: readonly PlannedFile[]): Generator<[offset: number, size: number]> {
  for (const { offset, size } of files) yield [offset, size];
}

/** Answers false if there was none any more, or not in this folder. */
function removeFile({ dir, staging }: ArchivePaths, target: string, aside?: string): boolean {
  // Looked at once more: a folder above may have been swapped for a link to elsewhere.
  if (obstacleAbove(dir, target, new Map()) !== undefined) return false;
  try {
    if (aside === undefined) Deno.removeSync(target);
    else {
      ensurePrivateFolder(staging);
      Deno.renameSync(target, aside);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw storageError(`Cannot remove "${target}"`, error);
  }
  pruneEmptyFolders(dir, target);
  return true;
}

/**
 * Give up the blocks of what the version has no longer, unless every version is kept, and note that
 * its removals are done.
 */
export function forgetGone(archive: Archive, plan: CheckoutPlan, applied: number): void {
  if (applied === plan.version) return;
  if (archive.contentFiles !== undefined) {
    const content = archive.openContent();
    for (const { type, stat } of changesSince(archive, plan, applied)) {
      if (type !== "del") continue;
      const range = { start: stat.offset, end: stat.offset + stat.blocks };
      for (const part of without(range, plan.ranges)) content.clear(part);
    }
    content.commit();
  }
  writeVersionNote(archive.paths, "latest", plan.version);
}

/** The parts of a range that are in none of `others`, which are sorted and disjoint. */
export function without(range: Range, others: readonly Range[]): Range[] {
  const rest = new RangeSet([range]);
  let low = 0;
  for (let high = others.length; low < high;) {
    const middle = (low + high) >>> 1;
    if (others[middle].end <= range.start) low = middle + 1;
    else high = middle;
  }
  for (let i = low; i < others.length && others[i].start < range.end; i++) {
    rest.remove(others[i].start, others[i].end);
  }
  return [...rest];
}

function changesSince(
  archive: Archive,
  { version }: { version: number },
  applied: number,
): Iterable<Change> {
  if (applied === 0) return []; // nothing was there to be removed
  return runItems(changedFiles(applied, version), archive.entry);
}
