/**
 * Bring the working folder of a downloaded archive to a version: what goes is removed, what comes is
 * planned, fetched by the synchronizer and named by `ContentFiles`, and what has no content is made
 * at the end. Only files that this archive put there are removed or replaced, unless the user says
 * otherwise.
 *
 * Source: spec of the drive, sections 8 and 10.
 */
import { join, sep } from "node:path";
import { ObstacleError, TroveError, UsageError } from "../base/errors.ts";
import { count } from "../base/format.ts";
import type { Range } from "../base/ranges.ts";
import { kindOfMode, type Stat } from "../core/archive/entry.ts";
import { safePath } from "../core/archive/safe_path.ts";
import { compareNames } from "../core/archive/tree_path.ts";
import type { ContentFile, HeldBlocks } from "../io/content_files.ts";
import { dress, wearsMode } from "../io/finish_file.ts";
import { ensureFolder, lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import { applyCheckout } from "./checkout_apply.ts";
import {
  type CheckoutPlan,
  type DownloadChoices,
  planFiles,
  type PlannedFile,
  rangesOf,
  type VersionFiles,
} from "./checkout_plan.ts";
import type { Emit } from "./events.ts";
import { FollowedVersion } from "./followed_version.ts";
import { findGone, type Gone, type GoneFile } from "./gone_files.ts";
import { listNames, Obstacles, pathOf } from "./obstacles.ts";
import type { Archive } from "./open_archive.ts";
import { replacing } from "./packed_files.ts";
import { PathHistory } from "./path_history.ts";
import { needsOf } from "./plan_needs.ts";
import {
  chosenSelection,
  filesSelectedFirst,
  rememberSelection,
  selectionBefore,
  warnOfUnused,
} from "./selection_note.ts";
import { type Survey, surveyFolder } from "./survey.ts";
import { readVersionNote, removeVersionNote, writeVersionNote } from "./version_notes.ts";

export interface CheckoutOptions extends DownloadChoices {
  readonly emit: Emit;
  /** Aborted with the reason to throw. Nothing is removed after that. */
  readonly signal?: AbortSignal;
  /** The newest one, if not said otherwise; every entry of it has to be here. */
  readonly version?: number;
  /** Remember what the folder has, for `planUpdate`. */
  readonly follow?: boolean;
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
  const { emit, version, dryRun } = options;
  const selection = chosenSelection(archive, options.selection, version);
  const partial = !selection.isEverything;
  const tell = archive.hasWorkingFiles ? emit : () => {};
  const files = planFiles(archive, tell, { version, selection });
  warnOfUnused(selection, files, emit);
  if (!archive.hasWorkingFiles) {
    const plan = planFeeds(files, partial);
    options.admit?.(needsOf(archive, plan));
    if (!dryRun) rememberSelection(archive.paths, options.selection);
    return plan;
  }
  const history = new PathHistory(archive, {
    version: files.version,
    selection: selectionBefore(archive, version),
    signal: options.signal,
  });
  const found = await lookAround(archive, files, history, options);
  const { survey } = found;
  const plan = { ...planFrom(files, survey, history), partial };
  if (dryRun) tellChanges(plan, survey, found.gone.files, emit);
  refuse(archive, found, options);
  options.admit?.(needsOf(archive, plan, found));
  if (options.dryRun) return plan;
  rememberSelection(archive.paths, options.selection);
  tellWarnings(found, emit);
  await applyCheckout(archive, plan, { ...found, history, coming: plan }, (placed) => {
    archive.contentFiles!.setFiles([...placed, ...plan.toPlace], archive.content!);
  });
  // What changes among files that are not selected is for a whole plan to tell.
  if (!options.follow || partial) return plan;
  const replaced = new Set(
    survey.toPlace.filter(({ standing }) => ["deleted", "edited", "ours"].includes(standing))
      .map(({ file }) => file.path),
  );
  return { ...plan, followed: FollowedVersion.from(files, plan, { ...survey, replaced }) };
}

/**
 * The same for a folder that was brought to another version by this process and is followed since:
 * only what changed is looked at.
 *
 * @param options.onApply Called with the blocks that stay wanted, before anything is changed: from
 *   there on nothing else may be stored until the plan is there.
 * @returns Undefined if it takes a whole plan; nothing was changed.
 * @throws As above. After anything but a `UsageError` what `followed` knows is out of date.
 */
export async function planUpdate(
  archive: Archive,
  followed: FollowedVersion,
  options: CheckoutOptions & { onApply: (wanted: readonly Range[]) => void },
): Promise<CheckoutPlan | undefined> {
  const { version = archive.version } = options;
  const selection = chosenSelection(archive, options.selection, version);
  if (!selection.isEverything) return undefined;
  const update = followed.changesTo(archive, version);
  if (update === undefined) return undefined;
  // Where every version is kept, what is held says nothing about files.
  const content = archive.contentFiles === undefined ? undefined : archive.content;
  const history = new PathHistory(archive, {
    version,
    selection,
    signal: options.signal,
    placed: (path) => followed.placedAt(path, content),
  });
  if (history.applied !== followed.version) return undefined;
  const found = await lookAround(archive, update.put, history, options);
  refuse(archive, found, options);
  tellWarnings(found, options.emit);
  const coming = planFrom(update.put, found.survey, history);
  options.onApply([...rangesOf(followed.pendingWithout(update, content))]);
  followed.apply(update, {
    coming: [...coming.toPlace, ...coming.emptyFiles, ...coming.folders],
    kept: found.survey.kept,
    content,
  });
  const plan = { ...followed.plan(), followed };
  await applyCheckout(archive, plan, { ...found, history, coming }, (placed) => {
    const gone = update.gone.filter(({ blocks }) => blocks > 0);
    archive.contentFiles!.changeFiles(
      { gone, come: [...placed, ...coming.toPlace] },
      archive.content!,
    );
  });
  return plan;
}

/** What stands in the folder where files come or go. */
interface Found {
  readonly survey: Survey;
  readonly gone: Gone;
  readonly obstacles: Obstacles;
  readonly warnings: readonly { code: string; message: string }[];
}

async function lookAround(
  archive: Archive,
  files: VersionFiles,
  history: PathHistory,
  options: CheckoutOptions,
): Promise<Found> {
  const obstacles = new Obstacles(archive.paths.dir, { mayKeep: history.base !== undefined });
  const survey = await surveyFolder(archive, files, history, { ...options, obstacles });
  const gone = await findGone(archive, files, history, { ...options, obstacles });
  options.signal?.throwIfAborted();
  const warnings = [...survey.warnings, ...gone.warnings];
  if (options.dryRun) tellWarnings({ warnings }, options.emit);
  return { survey, gone, obstacles, warnings };
}

function tellWarnings({ warnings }: Pick<Found, "warnings">, emit: Emit): void {
  for (const { code, message } of warnings) emit({ event: "warning", code, message });
}

/** @throws {UsageError} If what was found must not be changed like that. */
function refuse(archive: Archive, found: Found, options: CheckoutOptions): void {
  found.obstacles.refuse();
  checkDeletions(archive, found.survey, found.gone.files, options);
}

/** Where there are no working files: what a version needs, and nothing to be written. */
function planFeeds({ version, files }: VersionFiles, partial: boolean): CheckoutPlan {
  const ranges = [...rangesOf(files)];
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const none = { emptyFiles: [], folders: [], unselected: [], toPlace: [], kept: 0, refused: 0 };
  return { version, files, ranges, wanted: ranges, total: files.length, bytes, partial, ...none };
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
    .map(({ file, before }) => replacing(file, before));
  const emptyFiles = files.emptyFiles.filter(isTaken);
  return {
    version,
    refused,
    unselected,
    files: live,
    emptyFiles,
    folders: files.folders.filter(isTaken),
    toPlace,
    kept: kept.size,
    ranges: [...rangesOf(live)],
    wanted: [...rangesOf(toPlace)],
    total: live.length + emptyFiles.length,
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
  // Where nothing is new, nothing is written.
  if (readVersionNote(paths, "synced") !== plan.version) {
    writeVersionNote(paths, "synced", plan.version);
  }
  removeVersionNote(paths, "pulling");
  plan.followed?.complete();
}

function makeEmptyFile(dir: string, file: PlannedFile): void {
  const { target } = file;
  const info = lookAt(target);
  if (info !== undefined && !info.isFile) {
    throw new ObstacleError(`Cannot make "${target}": something else has its name by now`, {
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
  const isDressed = info?.size === 0 && info.mtime?.getTime() === file.mtime;
  // Where nothing is new, nothing is written.
  if (!isDressed || !wearsMode(info, file)) dress(target, file);
}

/**
 * Tell the working files of an archive we own, or do not fetch, where its blocks lie.
 *
 * @param options.held Which blocks count as here, if not those of the feed.
 * @param options.version Of what version the files are, if not of the newest one.
 */
export function mapWorkingFiles(
  archive: Archive,
  { held, version }: { held?: HeldBlocks; version?: number } = {},
): void {
  const { contentFiles, content } = archive;
  if (contentFiles === undefined || content === undefined) return;
  contentFiles.setFiles(contentFilesOf(archive, version), held ?? content);
}

/**
 * The files whose bytes are the content of a version, one by one.
 *
 * @param version The newest one that is here, if left out.
 */
export function* contentFilesOf(archive: Archive, version?: number): Generator<ContentFile> {
  for (const { path, stat } of filesSelectedFirst(archive, version)) {
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
