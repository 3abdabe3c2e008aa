/**
 * Bring the working folder of a downloaded archive to a version: what goes is removed, what comes is
 * planned, fetched by the synchronizer and named by `ContentFiles`, and what has no content is made
 * at the end. Only files that this archive put there are removed or replaced, unless the user says
 * otherwise.
 *
 * Source: spec of the drive, sections 8 and 10.
 */
import { join, sep } from "node:path";
import { StorageError, TroveError, UsageError } from "../base/errors.ts";
import { count } from "../base/format.ts";
import { type Range, RangeSet } from "../base/ranges.ts";
import { kindOfMode, type Stat } from "../core/archive/entry.ts";
import { safePath } from "../core/archive/safe_path.ts";
import { compareNames } from "../core/archive/tree_path.ts";
import type { ContentFile, HeldBlocks } from "../io/content_files.ts";
import type { FeedStore } from "../io/feed_store.ts";
import { dress } from "../io/finish_file.ts";
import { ensureFolder, lookAt, removeEmptyFolders } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import {
  type CheckoutPlan,
  type DownloadChoices,
  dropOverlaps,
  planFiles,
  type PlannedFile,
  rangesOf,
  type VersionFiles,
} from "./checkout_plan.ts";
import type { Emit } from "./events.ts";
import { findGone, forgetGone, type GoneFile, removeFiles, without } from "./gone_files.ts";
import { firstFinal, listNames, Obstacles, pathOf } from "./obstacles.ts";
import type { Archive } from "./open_archive.ts";
import { PathHistory } from "./path_history.ts";
import { salvage } from "./salvage.ts";
import {
  chosenSelection,
  filesSelectedFirst,
  rememberSelection,
  selectionBefore,
  warnOfUnused,
} from "./selection_note.ts";
import { type Survey, surveyFolder } from "./survey.ts";
import { removeVersionNote, writeVersionNote } from "./version_notes.ts";

export interface CheckoutOptions extends DownloadChoices {
  readonly emit: Emit;
  /** Aborted with the reason to throw. Nothing is removed after that. */
  readonly signal?: AbortSignal;
}

/**
 * Work out what a version needs, remove what it no longer has, and tell the content's working files
 * where its blocks belong. With `dryRun` it is only told what would change.
 *
 * @throws {UsageError} If files that are not the archive's own are in the way, or more files would be
 *   deleted than may be. Nothing was changed.
 */
export async function planCheckout(
  archive: Archive,
  options: CheckoutOptions,
): Promise<CheckoutPlan> {
  const { emit, signal } = options;
  const selection = chosenSelection(archive, options.selection);
  const partial = !selection.isEverything;
  const files = planFiles(archive, archive.hasWorkingFiles ? emit : () => {}, { selection });
  warnOfUnused(selection, files, emit);
  if (!archive.hasWorkingFiles) {
    if (!options.dryRun) rememberSelection(archive.paths, options.selection);
    return planFeeds(files, partial);
  }
  const before = selectionBefore(archive);
  const history = new PathHistory(archive, { version: files.version, selection: before, signal });
  const obstacles = new Obstacles(archive.paths.dir, { mayKeep: history.base !== undefined });
  const survey = await surveyFolder(archive, files, history, { ...options, obstacles });
  const gone = await findGone(archive, files, history, { ...options, obstacles });
  signal?.throwIfAborted();
  const plan = { ...planFrom(files, survey, history), partial };
  const warn = () => {
    for (const { code, message } of [...survey.warnings, ...gone.warnings]) {
      emit({ event: "warning", code, message });
    }
  };
  if (options.dryRun) {
    warn();
    tellChanges(plan, survey, gone.files, emit);
  }
  obstacles.refuse();
  checkDeletions(archive, survey, gone.files, options);
  if (options.dryRun) return plan;
  rememberSelection(archive.paths, options.selection);
  warn();
  await apply(archive, plan, { survey, gone: gone.files, history });
  return plan;
}

/** Where there are no working files: what the newest version needs, and nothing to be written. */
function planFeeds({ version, files }: VersionFiles, partial: boolean): CheckoutPlan {
  const ranges = [...rangesOf(files)];
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const none = { emptyFiles: [], folders: [], unselected: [], toPlace: [], kept: 0, refused: 0 };
  return { version, files, ranges, wanted: ranges, bytes, partial, ...none };
}

function planFrom(
  files: VersionFiles,
  survey: Survey,
  history: PathHistory,
): Omit<CheckoutPlan, "partial"> {
  const { version, refused, unselected } = files;
  const kept = new Set(survey.kept);
  // What no later entry touches is its owner's business, present or not.
  const isTaken = (file: PlannedFile) => !kept.has(file) && file.seq > (history.base ?? 0);
  const live = files.files.filter((file) => !kept.has(file));
  const toPlace = survey.toPlace.filter(({ file }) => file.blocks > 0)
    .map(({ file, before }) => ({ ...file, before }));
  return {
    version,
    refused,
    unselected,
    files: live,
    emptyFiles: files.emptyFiles.filter(isTaken),
    folders: files.folders.filter(isTaken),
    toPlace,
    kept: kept.size,
    ranges: [...rangesOf(live)],
    wanted: [...rangesOf(toPlace)],
    bytes: live.reduce((sum, { size }) => sum + size, 0),
  };
}

function tellChanges(
  plan: CheckoutPlan,
  survey: Survey,
  gone: readonly GoneFile[],
  emit: Emit,
): void {
  for (const { path, size } of gone) emit({ event: "change", type: "del", path, size });
  let bytes = 0;
  const puts = survey.toPlace.toSorted((a, b) => compareNames(a.file.path, b.file.path));
  for (const { file: { path, size } } of puts) {
    emit({ event: "change", type: "put", path, size });
    bytes += size;
  }
  const { version } = plan;
  emit({ event: "planned", put: survey.toPlace.length, deleted: gone.length, bytes, version });
}

function checkDeletions(
  { paths: { dir } }: Archive,
  { inTheWay }: Survey,
  gone: readonly GoneFile[],
  { maxDelete }: DownloadChoices,
): void {
  const going = new Set([...gone.map(({ target }) => target), ...inTheWay]);
  if (maxDelete === undefined || going.size <= maxDelete) return;
  const names = [...going].map((target) => pathOf(dir, target).slice(1));
  throw new UsageError(
    `Cannot update "${dir}": ${count(going.size, "file")} would be deleted (${
      listNames(names)
    }), ` +
      `at most ${maxDelete} may be`,
    { hint: "allow more with --max-delete, or keep them with --keep-deleted; nothing was changed" },
  );
}

async function apply(
  archive: Archive,
  plan: CheckoutPlan,
  { survey, gone, history }: { survey: Survey; gone: readonly GoneFile[]; history: PathHistory },
): Promise<void> {
  const { paths, contentFiles } = archive;
  const content = archive.openContent();
  const keepsHistory = contentFiles === undefined;
  const moved = removeFiles(paths, {
    gone,
    inTheWay: survey.inTheWay,
    wanted: keepsHistory ? [] : plan.toPlace,
  });
  for (const { target } of [...plan.toPlace, ...plan.emptyFiles]) {
    if (lookAt(target)?.isDirectory) removeEmptyFolders(target);
  }
  for (const file of survey.undressed) dress(file.target, file);
  forgetGone(archive, plan, history.applied);
  if (keepsHistory) return;
  await dropLostBlocks(archive, plan, survey, history);
  // One that is complete is not mapped beside another that gets the same blocks now.
  const placing = new Set(plan.toPlace.map(({ offset }) => offset));
  const placed = survey.placed.filter(({ blocks, offset }) => blocks > 0 && !placing.has(offset));
  const beside = dropOverlaps(survey.beside.filter((file) => isApart(file, plan.ranges)), () => {});
  contentFiles.setFiles([...placed, ...plan.toPlace, ...beside], content);
  // Completes what a killed process had fetched but not named.
  content.commit();
  await salvageBlocks(content, plan, survey, { moved, history });
}

/** The rest of a version once all its blocks are here: empty files and folders. */
export function finishCheckout(archive: Archive, plan: CheckoutPlan): void {
  const { paths } = archive;
  if (!archive.hasWorkingFiles) return;
  for (const folder of plan.folders) ensureFolder(paths.dir, join(folder.target, "anything"));
  for (const file of plan.emptyFiles) makeEmptyFile(paths.dir, file);
  try {
    Deno.removeSync(paths.staging, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      throw storageError(`Cannot remove "${paths.staging}"`, error);
    }
  }
  writeVersionNote(paths, "synced", plan.version);
  removeVersionNote(paths, "pulling");
}

/**
 * Give up the blocks that are not where they should be: of files that are missing, changed or left
 * to the user, and of private files that are gone. They are fetched again, where they are wanted.
 */
async function dropLostBlocks(
  archive: Archive,
  plan: CheckoutPlan,
  survey: Survey,
  history: PathHistory,
): Promise<void> {
  const content = archive.openContent();
  for (const { offset, blocks } of survey.kept) {
    const range = { start: offset, end: offset + blocks };
    for (const part of without(range, plan.ranges)) content.clear(part);
  }
  const stays = [...new RangeSet([...plan.ranges, ...rangesOf(survey.beside)])];
  for (const { offset, blocks } of survey.lost) {
    const range = { start: offset, end: offset + blocks };
    for (const part of without(range, stays)) content.clear(part);
  }
  for (const { offset, blocks } of survey.beside) {
    const range = { start: offset, end: offset + blocks };
    for (const part of without(range, plan.ranges)) dropStaged(content, part);
  }
  for (const { file, standing } of survey.toPlace) {
    const range = { start: file.offset, end: file.offset + file.blocks };
    if (content.nextHeld(range.start, range.end) === -1) continue;
    if (standing === "partial") dropStaged(content, range);
    else if (firstFinal(content, file) !== -1) content.clear(range);
    else if (lookAt(archive.contentFiles!.stagingPath(file.offset)) === undefined) {
      // A complete file may have got its name just before the process ended.
      const isNamed = content.nextMissing(range.start, range.end) === -1 &&
        standing === "ours" && await isEntry(file, history);
      if (!isNamed) content.clear(range);
    }
  }
  content.commit();
}

/** Whether what stands at a file's place is just what its entry says. */
async function isEntry(file: PlannedFile, history: PathHistory): Promise<boolean> {
  const info = lookAt(file.target);
  if (info?.size !== file.size) return false;
  return info.mtime?.getTime() === file.mtime || await history.matches(file.target, file);
}

/** Blocks of what is to be placed that lie somewhere in the folder need not be fetched. */
async function salvageBlocks(
  content: FeedStore,
  plan: CheckoutPlan,
  survey: Survey,
  { moved, history }: { moved: ReadonlyMap<number, readonly string[]>; history: PathHistory },
): Promise<void> {
  const sources = new Map<number, string[]>();
  const add = (offset: number, path: string) => {
    const paths = sources.get(offset);
    if (paths === undefined) sources.set(offset, [path]);
    else paths.push(path);
  };
  for (const [offset, paths] of moved) for (const path of paths) add(offset, path);
  const placing = new Set(plan.toPlace.map(({ offset }) => offset));
  for (const { offset, target } of [...survey.placed, ...survey.beside]) {
    if (placing.has(offset)) add(offset, target);
  }
  for (const { file, standing } of survey.toPlace) {
    if (standing === "edited" || standing === "ours") add(file.offset, file.target);
  }
  for (const file of plan.toPlace) {
    const paths = sources.get(file.offset);
    if (paths !== undefined) await salvage(content, file, paths, history);
  }
}

/** Whether none of a file's blocks is in any of these ranges. */
function isApart({ offset, blocks }: PlannedFile, ranges: readonly Range[]): boolean {
  const range = { start: offset, end: offset + blocks };
  const [rest, ...more] = without(range, ranges);
  return more.length === 0 && rest?.start === range.start && rest.end === range.end;
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

/**
 * Tell the working files of an archive we own, or do not fetch, where its blocks lie.
 *
 * @param held Which blocks count as here, if not those of the feed.
 */
export function mapWorkingFiles(archive: Archive, held?: HeldBlocks): void {
  const { contentFiles, content } = archive;
  if (contentFiles === undefined || content === undefined) return;
  contentFiles.setFiles([...contentFilesOf(archive)], held ?? content);
}

/** The files whose bytes are the content of the newest version that is here, one by one. */
export function* contentFilesOf(archive: Archive): Generator<ContentFile> {
  for (const { path, stat } of filesSelectedFirst(archive)) {
    const file = contentFileOf(archive, path, stat);
    if (file !== undefined) yield file;
  }
}

/** Where the blocks of an entry lie; undefined if it has none, or no safe path. */
export function contentFileOf(
  { paths }: Archive,
  path: string,
  stat: Stat,
): ContentFile | undefined {
  const safe = safePath(path);
  if (safe.kind === "refused" || stat.blocks === 0 || kindOfMode(stat.mode) !== "file") {
    return undefined;
  }
  // Put together by hand: what `join` gives is many pieces of strings in memory, and there can be
  // very many files. The components are safe, so there is nothing to resolve.
  const target = `${paths.dir}${sep}${safe.components.join(sep)}`;
  const { offset, blocks, byteOffset, size, mode, mtime } = stat;
  return { target, offset, blocks, byteOffset, size, mode, mtime };
}

/** What the command ends with when entries had to be left out. */
export function refusedError(refused: number): TroveError {
  return new TroveError(
    `Cannot write ${refused} of the archive's files: see the warnings`,
    { hint: "everything else is complete" },
  );
}
