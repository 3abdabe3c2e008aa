/**
 * Bring the working folder of a downloaded archive to a version: what goes is removed, what comes is
 * planned, fetched by the synchronizer and named by `ContentFiles`, and what has no content is made
 * at the end. Only files that this archive put there are removed or replaced.
 *
 * Source: spec of the drive, sections 8 and 10.
 */
import { join } from "node:path";
import { writeUint64BE } from "../base/bytes.ts";
import { StorageError, TroveError } from "../base/errors.ts";
import { type Range, RangeSet } from "../base/ranges.ts";
import { type Change, changedFiles } from "../core/archive/diff_versions.ts";
import { kindOfMode } from "../core/archive/entry.ts";
import { safePath } from "../core/archive/safe_path.ts";
import { runItems } from "../core/archive/steps.ts";
import { walkFiles } from "../core/archive/walk.ts";
import { type ContentFile, dress } from "../io/content_files.ts";
import type { FeedStore } from "../io/feed_store.ts";
import { ensureFolder, lookAt, pruneEmptyFolders, removeEmptyFolders } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import { writeSmallFile } from "./archive_folder.ts";
import { type CheckoutPlan, planFiles, type PlannedFile } from "./checkout_plan.ts";
import type { Emit } from "./events.ts";
import { checkWay, firstFinal, obstacleAbove } from "./obstacles.ts";
import type { Archive } from "./open_archive.ts";
import { PathHistory } from "./path_history.ts";

export interface CheckoutOptions {
  readonly emit: Emit;
  /** Aborted with the reason to throw. Nothing is removed after that. */
  readonly signal?: AbortSignal;
}

/**
 * Work out what a version needs, remove what it no longer has, and tell the content's working files
 * where its blocks belong.
 *
 * @throws {UsageError} If files that are not the archive's own are in the way. Nothing was changed.
 */
export async function planCheckout(
  archive: Archive,
  { emit, signal }: CheckoutOptions,
): Promise<CheckoutPlan> {
  const plan = planFiles(archive, emit);
  const history = new PathHistory(archive, { version: plan.version, signal });
  const inTheWay = await checkWay(archive, plan, history);
  const gone = await findGone(archive, plan, history);
  signal?.throwIfAborted();
  for (const target of [...inTheWay, ...gone]) removeFile(archive.paths.dir, target);
  for (const { target } of [...plan.files, ...plan.emptyFiles]) {
    if (lookAt(target)?.isDirectory) removeEmptyFolders(target);
  }
  forgetGone(archive, plan, history.applied);
  const content = archive.openContent();
  dropLostBlocks(archive, plan, emit);
  archive.contentFiles!.setFiles(plan.files, content);
  // Completes what a killed process had fetched but not named.
  content.commit();
  return plan;
}

/** The rest of a version once all its blocks are here: empty files and folders. */
export function finishCheckout(archive: Archive, plan: CheckoutPlan): void {
  const { dir, staging } = archive.paths;
  for (const folder of plan.folders) ensureFolder(dir, join(folder.target, "anything"));
  for (const file of plan.emptyFiles) makeEmptyFile(dir, file);
  try {
    Deno.removeSync(staging, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      throw storageError(`Cannot remove "${staging}"`, error);
    }
  }
}

/** The files that the archive had and the version has not, as far as they are on disk unchanged. */
async function findGone(
  archive: Archive,
  plan: CheckoutPlan,
  history: PathHistory,
): Promise<string[]> {
  const { dir } = archive.paths;
  const found: string[] = [];
  // One that is replaced stays until the new one is complete.
  const live = new Set([...plan.files, ...plan.emptyFiles].map((file) => file.target));
  const parents = new Map<string, string | undefined>();
  for (const { type, path } of changesSince(archive, plan, history.applied)) {
    const safe = safePath(path, { windows: Deno.build.os === "windows" });
    if (type !== "del" || safe.kind === "refused") continue;
    const target = join(dir, ...safe.components);
    if (live.has(target) || obstacleAbove(dir, target, parents) !== undefined) continue;
    if (await history.isOurs(path, target)) found.push(target);
  }
  return found;
}

/** Give up the blocks of what the version has no longer, and note that its removals are done. */
function forgetGone(archive: Archive, plan: CheckoutPlan, applied: number): void {
  if (applied === plan.version) return;
  const content = archive.openContent();
  const live = new RangeSet(plan.ranges);
  for (const { type, stat } of changesSince(archive, plan, applied)) {
    if (type !== "del") continue;
    const gone = new RangeSet([{ start: stat.offset, end: stat.offset + stat.blocks }]);
    for (const { start, end } of live) gone.remove(start, end);
    for (const range of gone) content.clear(range);
  }
  content.commit();
  const version = new Uint8Array(8);
  writeUint64BE(version, 0, plan.version);
  writeSmallFile(archive.paths.latest, version, { mode: 0o644 });
}

function changesSince(archive: Archive, plan: CheckoutPlan, applied: number): Iterable<Change> {
  if (applied === 0) return []; // nothing was there to be removed
  return runItems(changedFiles(applied, plan.version), archive.entry);
}

function removeFile(dir: string, target: string): void {
  try {
    Deno.removeSync(target);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw storageError(`Cannot remove "${target}"`, error);
  }
  pruneEmptyFolders(dir, target);
}

/** Files that the user removed are fetched again; files that the user changed are left alone. */
function dropLostBlocks(archive: Archive, plan: CheckoutPlan, emit: Emit): void {
  const content = archive.openContent();
  const files = archive.contentFiles!;
  for (const file of plan.files) {
    const { target, path, offset, blocks, size } = file;
    const range = { start: offset, end: offset + blocks };
    const held = content.nextHeld(range.start, range.end);
    if (held === -1) continue;
    const staged = firstFinal(content, file) === -1;
    if (!staged) dropStaged(content, range);
    const info = lookAt(staged ? files.stagingPath(offset) : target);
    const named = staged ? lookAt(target) : info;
    const complete = content.nextMissing(range.start, range.end) === -1;
    // A complete file may have got its name just before the process ended.
    if (info === undefined && !(complete && named?.size === size)) content.clear(range);
    else if (!staged && complete && info?.size !== size) {
      const message = `"${path.slice(1)}" was changed here and is left as it is`;
      emit({ event: "warning", code: "changed-locally", message });
    }
  }
  content.commit();
}

/** Another program went on under the file's own name: it is finished there, as that program would. */
function dropStaged(content: FeedStore, { start, end }: Range): void {
  let block = content.nextHeld(start, end);
  for (; block !== -1; block = content.nextHeld(block + 1, end)) {
    if (content.hasStaged(block)) content.clear({ start: block, end: block + 1 });
  }
}

function makeEmptyFile(dir: string, file: PlannedFile): void {
  const { target } = file;
  const info = lookAt(target);
  if (info !== undefined && !info.isFile) {
    throw new StorageError(`Cannot make "${target}": something else has its name by now`, {
      hint: "move it away and run the same command again",
    });
  }
  if (info === undefined || info.size > 0) {
    try {
      // A file of ours that had content before.
      if (info !== undefined) Deno.removeSync(target);
      ensureFolder(dir, target);
      using _made = Deno.openSync(target, { write: true, createNew: true });
    } catch (error) {
      if (error instanceof TroveError) throw error;
      throw storageError(`Cannot make "${target}"`, error);
    }
  }
  dress(target, file);
}

/** Tell the working files of an archive we own, or do not fetch, where its blocks lie. */
export function mapWorkingFiles(archive: Archive): void {
  const { contentFiles, content } = archive;
  if (contentFiles === undefined || content === undefined) return;
  const files: ContentFile[] = [];
  for (const { path, stat } of runItems(walkFiles(archive.version), archive.entry)) {
    const safe = safePath(path);
    if (safe.kind === "refused" || stat.blocks === 0 || kindOfMode(stat.mode) !== "file") continue;
    files.push({ target: join(archive.paths.dir, ...safe.components), ...stat });
  }
  contentFiles.setFiles(files, content);
}

/** What the command ends with when entries had to be left out. */
export function refusedError(refused: number): TroveError {
  return new TroveError(
    `Cannot write ${refused} of the archive's files: see the warnings`,
    { hint: "everything else is complete" },
  );
}
