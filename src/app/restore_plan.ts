/**
 * What it takes to bring back files of a version: found out in full before anything is written.
 *
 * Source: spec of the drive, sections 8 to 10.
 */
import { basename, dirname, join } from "node:path";
import { NotFoundError, UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { findFile } from "../core/archive/lookup.ts";
import { runLookup } from "../core/archive/steps.ts";
import { normalizePath } from "../core/archive/tree_path.ts";
import type { WalkedFile } from "../core/archive/walk.ts";
import { lookAt } from "../io/folder.ts";
import type { ArchiveView } from "./archive_view.ts";
import { planFiles, type PlannedFile } from "./checkout_plan.ts";
import type { Emit } from "./events.ts";
import { type MissingFile, missingFiles } from "./held_files.ts";
import type { Archive } from "./open_archive.ts";
import { RestoreSurvey } from "./restore_survey.ts";

/** A file to be written: with `before`, what it may replace. */
export interface RestoredFile extends PlannedFile {
  /** As the version has it. */
  readonly walked: WalkedFile;
}

export interface RestorePlan {
  readonly view: ArchiveView;
  /** The folder that is written into: absolute, without links in its path. */
  readonly root: string;
  readonly files: readonly RestoredFile[];
  /** Files that are there with the right bytes and other permissions. */
  readonly modes: readonly RestoredFile[];
  /** Directories made on purpose that are not there. */
  readonly folders: readonly PlannedFile[];
  /** Files that are there as they should be. */
  readonly same: number;
  /** Bytes of `files`. */
  readonly bytes: number;
  /** Entries that cannot be written, each of which was warned about. */
  readonly refused: number;
  /** Files that are left out because their bytes are not here. */
  readonly missing: readonly MissingFile[];
  /** How many of `files` and `modes` the newest version has otherwise. */
  readonly local: number;
}

export interface RestoreOptions {
  readonly world: World;
  /** Paths in the archive. */
  readonly paths: readonly string[];
  /** As for `RestorePlan.root`; the archive's own folder if left out. */
  readonly to?: string;
  /** Replace files in the way. */
  readonly overwrite?: boolean;
  readonly emit: Emit;
  /** Told which files cannot be had. Unless it throws, they are left out. */
  readonly checkMissing: (missing: readonly MissingFile[]) => void;
  readonly signal?: AbortSignal;
}

/**
 * Plan to restore files of a version.
 *
 * @throws {NotFoundError} If a path is not in the version, or not here and `checkMissing` says so.
 * @throws {UsageError} If something is in the way.
 */
export async function planRestore(
  view: ArchiveView,
  { world, paths, to, overwrite, emit, checkMissing, signal }: RestoreOptions,
): Promise<RestorePlan> {
  const { archive, version } = view;
  const root = to ?? archive.paths.dir;
  const chosen = chooseFiles(view, paths);
  const walked = new Map(chosen.map((file) => [file.seq, file]));
  const planned = planFiles(archive, emit, { version, files: chosen, dir: root });
  const wanted = [...planned.files, ...planned.emptyFiles]
    .map((file): RestoredFile => ({ ...file, walked: walked.get(file.seq)! }));
  const missing = missingFiles(view, wanted.map((file) => file.walked));
  checkMissing(missing);
  const gone = new Set(missing.map(({ path }) => path));
  const present = wanted.filter(({ path }) => !gone.has(path));
  const survey = new RestoreSurvey(archive, { root, own: to === undefined, overwrite, signal });
  for (const file of present) await survey.look(file);
  const folders = planned.folders.filter((folder) => survey.needsFolder(folder));
  await survey.refuse();
  const dated = to === undefined
    ? survey.files.map((file) => dateLocally(archive, file, world))
    : survey.files;
  const local = to === undefined
    ? [...dated, ...survey.modes].filter((file) => !isNewest(archive, file)).length
    : 0;
  return {
    ...{ view, root, folders, missing, local },
    files: dated,
    modes: survey.modes,
    same: survey.same,
    bytes: dated.reduce((sum, { size }) => sum + size, 0),
    refused: planned.refused,
  };
}

/**
 * The absolute place of a folder that may not be there so far, without links in its path.
 *
 * @throws {UsageError} If it lies in the `.dat` of an archive, or is no folder.
 */
export function restoreRoot(place: string, { paths }: Archive): string | undefined {
  const root = realPlace(place);
  const info = lookAt(root);
  if (info !== undefined && !info.isDirectory) {
    throw new UsageError(`Cannot write into "${place}": it is not a folder`);
  }
  const dat = realPlace(paths.dat);
  if (root.split(/[\\/]/).includes(".dat") || (paths.layout !== "dat" && root === dat)) {
    throw new UsageError(`Cannot write into "${place}": archives keep their own files there`, {
      hint: "choose another folder",
    });
  }
  return paths.layout === "dat" && root === realPlace(paths.dir) ? undefined : root;
}

function realPlace(place: string): string {
  try {
    return Deno.realPathSync(place);
  } catch (error) {
    const above = dirname(place);
    if (!(error instanceof Deno.errors.NotFound) || above === place) {
      throw new UsageError(`Cannot use the folder "${place}"`, { cause: error });
    }
    return join(realPlace(above), basename(place));
  }
}

/** The files at the paths and below them, each once. */
function chooseFiles(view: ArchiveView, paths: readonly string[]): WalkedFile[] {
  const chosen = new Map<number, WalkedFile>();
  const folders = new Set<string>();
  for (const path of paths.map(normalizePath)) {
    const file = path === "/" ? undefined : view.find(path);
    if (path === "/" || (view.folder(path) ?? []).length > 0) folders.add(path);
    else if (file !== undefined) chosen.set(file.seq, file);
    else {
      throw new NotFoundError(`Cannot find "${path.slice(1)}" in version ${view.version}`, {
        hint: "trove ls shows what is there, trove log what was there when",
      });
    }
  }
  if (folders.size > 0) {
    // One walk for all of them: there may be many.
    for (const file of view.files(commonFolder(folders))) {
      if (isBelowOne(file.path, folders)) chosen.set(file.seq, file);
    }
  }
  return [...chosen.values()];
}

function commonFolder(folders: ReadonlySet<string>): string {
  return folders.size === 1 ? [...folders][0] : "/";
}

function isBelowOne(path: string, folders: ReadonlySet<string>): boolean {
  if (folders.has("/") || folders.has(path)) return true;
  for (let end = path.indexOf("/", 1); end !== -1; end = path.indexOf("/", end + 1)) {
    if (folders.has(path.slice(0, end))) return true;
  }
  return false;
}

/** Whether the newest version has this very entry. */
function isNewest(archive: Archive, { path, seq }: PlannedFile): boolean {
  return runLookup(findFile(archive.version, path), archive.entry)?.seq === seq;
}

/**
 * In an archive's own folder an older file of the newest one's size must not look as if nothing had
 * happened: whoever imports goes by size and time. So it gets a time after the newest entry's.
 */
function dateLocally(archive: Archive, file: RestoredFile, world: World): RestoredFile {
  const newest = runLookup(findFile(archive.version, file.path), archive.entry);
  if (newest?.stat === undefined || newest.seq === file.seq || newest.stat.size !== file.size) {
    return file;
  }
  return { ...file, mtime: Math.max(Math.floor(world.clock.wall()), newest.stat.mtime + 1) };
}
