/**
 * Bring the working folder of a downloaded archive to a version: what goes is removed, what comes is
 * planned, fetched by the synchronizer and named by `ContentFiles`, and what has no content is made
 * at the end. Only files that this archive put there are removed or replaced.
 *
 * Source: spec of the drive, sections 8 and 10.
 */
import { dirname, join } from "node:path";
import { type Range, RangeSet } from "../base/ranges.ts";
import { readUint64BE, writeUint64BE } from "../base/bytes.ts";
import { StorageError, TroveError, UsageError } from "../base/errors.ts";
import { findClashes } from "../core/archive/clashes.ts";
import { type Change, changedFiles } from "../core/archive/diff_versions.ts";
import { kindOfMode, type Stat } from "../core/archive/entry.ts";
import { readHistory } from "../core/archive/lookup.ts";
import { safePath } from "../core/archive/safe_path.ts";
import { runItems } from "../core/archive/steps.ts";
import { walkFiles } from "../core/archive/walk.ts";
import { type ContentFile, dress } from "../io/content_files.ts";
import type { FeedStore } from "../io/feed_store.ts";
import { fileMatches } from "../io/file_blocks.ts";
import { ensureFolder, lookAt, pruneEmptyFolders, removeEmptyFolders } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import { nextTurn } from "../io/pause.ts";
import { readSmallFile, writeSmallFile } from "./archive_folder.ts";
import type { Emit } from "./events.ts";
import type { Archive } from "./open_archive.ts";

/** A live path of the version, with its place on disk. */
export interface PlannedFile extends ContentFile {
  /** As the archive has it. */
  readonly path: string;
}

export interface CheckoutPlan {
  readonly version: number;
  /** Files that have content. */
  readonly files: readonly PlannedFile[];
  readonly emptyFiles: readonly PlannedFile[];
  /** Directories made on purpose. */
  readonly folders: readonly PlannedFile[];
  /** Entries that cannot be written, each of which was warned about. */
  readonly refused: number;
  /** Content blocks of the files. */
  readonly ranges: readonly Range[];
  /** Bytes of all files. */
  readonly bytes: number;
}

/** How many names a message lists before it only counts. */
const NAMED_CLASHES = 5;

/** Other work gets its turn after so many bytes were hashed. */
const TURN_BYTES = 4 * 1024 * 1024;

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
  const { version } = archive;
  const live = readLive(archive, emit);
  const plan: CheckoutPlan = { version, ...live };
  const history = new PathHistory(archive, { version, signal });
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

/** Number and bytes of the files of a version, and what cannot be written of it. */
function readLive(archive: Archive, emit: Emit): Omit<CheckoutPlan, "version"> {
  const files: PlannedFile[] = [];
  const folders: PlannedFile[] = [];
  let refused = 0;
  const refuse = (path: string, reason: string) => {
    refused++;
    emit({ event: "warning", code: "refused", message: `Cannot write "${path}": ${reason}` });
  };
  for (const { path, stat } of runItems(walkFiles(archive.version), archive.entry)) {
    const safe = safePath(path, { windows: Deno.build.os === "windows" });
    const kind = kindOfMode(stat.mode);
    if (safe.kind === "refused") refuse(path, `the path ${safe.reason}`);
    else if (kind === "other") refuse(path, "it is neither a file nor a folder");
    else if (kind === "file" && stat.blocks === 0 && stat.size > 0) {
      refuse(path, `it has ${stat.size} bytes and no blocks`);
    } else {
      const file = { path, target: join(archive.paths.dir, ...safe.components), ...stat };
      if (kind === "directory") folders.push(file);
      else files.push(file);
    }
  }
  // A folder made on purpose is as good as a file in it. It gives way: it has nothing to lose.
  const insides = folders.map((folder) => ({ ...folder, path: `${folder.path}/`, folder }));
  const all: (PlannedFile & { folder?: PlannedFile })[] = [...files, ...insides];
  const { kept: fitted, clashes } = findClashes(all, { foldNames: foldsNames() });
  for (const { file, with: other } of clashes) {
    refuse(file.folder?.path ?? file.path, `"${other}" is in its way`);
  }
  const kept = fitted.filter((file) => file.folder === undefined);
  const fitting = dropOverlaps(kept.filter((file) => file.blocks > 0), refuse);
  const ranges = new RangeSet();
  let bytes = 0;
  for (const { offset, blocks, size } of fitting) {
    ranges.add(offset, offset + blocks);
    bytes += size;
  }
  return {
    files: fitting,
    emptyFiles: kept.filter((file) => file.blocks === 0),
    folders: fitted.flatMap((file) => file.folder ?? []),
    refused,
    ranges: [...ranges],
    bytes,
  };
}

/** Whether names that differ in case only are one on this system. */
function foldsNames(): boolean {
  return Deno.build.os === "windows" || Deno.build.os === "darwin";
}

/** Two files may have the same blocks; sharing only some of them is nonsense. */
function dropOverlaps(
  files: readonly PlannedFile[],
  refuse: (path: string, reason: string) => void,
): PlannedFile[] {
  const kept: PlannedFile[] = [];
  let last: PlannedFile | undefined;
  for (const file of [...files].sort((a, b) => a.offset - b.offset)) {
    const same = last !== undefined && last.offset === file.offset &&
      last.blocks === file.blocks && last.byteOffset === file.byteOffset && last.size === file.size;
    if (last === undefined || same || file.offset >= last.offset + last.blocks) {
      kept.push(file);
      last = file;
    } else {
      refuse(file.path, `its content overlaps that of "${last.path}"`);
    }
  }
  return kept;
}

/** What the archive put at a path at any time up to the version. */
class PathHistory {
  readonly #archive: Archive;
  readonly #version: number;
  readonly #signal: AbortSignal | undefined;
  #puts: Map<string, Stat[]> | undefined;
  #hashedBytes = 0;

  constructor(archive: Archive, options: { version: number; signal?: AbortSignal }) {
    this.#archive = archive;
    this.#version = options.version;
    this.#signal = options.signal;
  }

  /** The version whose removals have been applied. */
  get applied(): number {
    const bytes = readSmallFile(this.#archive.paths.latest);
    const applied = bytes?.length === 8 ? readUint64BE(bytes, 0) : 0;
    return Math.min(applied, this.#version);
  }

  /** Whether the file on disk is one that the archive put there, unchanged since. */
  async isOurs(path: string, target: string): Promise<boolean> {
    const info = lookAt(target);
    if (info === undefined || !info.isFile) return false;
    const stats = this.#statsOf(path);
    const fitting = stats.filter((stat) => stat.size === info.size);
    if (fitting.some((stat) => stat.mtime === info.mtime?.getTime())) return true;
    // Other programs leave the time of writing, so the bytes decide.
    const { content } = this.#archive;
    for (const { size, blocks, offset } of fitting) {
      const leaf = (n: number) => content?.node(2 * (offset + n));
      const onBytes = (bytes: number) => this.#takeTurn(bytes);
      if (await fileMatches(target, { size, blocks, leaf }, onBytes)) return true;
    }
    return false;
  }

  #statsOf(path: string): readonly Stat[] {
    if (this.#puts === undefined) {
      this.#puts = new Map();
      // From the beginning: a run that was killed may have put files of any version in between.
      for (const item of runItems(readHistory(1, this.#version), this.#archive.entry)) {
        if (item.stat === undefined) continue;
        const stats = this.#puts.get(item.path);
        if (stats === undefined) this.#puts.set(item.path, [item.stat]);
        else stats.push(item.stat);
      }
    }
    return this.#puts.get(path) ?? [];
  }

  async #takeTurn(bytes: number): Promise<void> {
    const turns = Math.floor(this.#hashedBytes / TURN_BYTES);
    this.#hashedBytes += bytes;
    if (Math.floor(this.#hashedBytes / TURN_BYTES) > turns) await nextTurn();
    this.#signal?.throwIfAborted();
  }
}

/**
 * Refuse to go on where somebody else's files would be overwritten. Answers the files of our own
 * that have to go because a folder takes their place, or a file that of their folder.
 */
async function checkWay(
  archive: Archive,
  plan: CheckoutPlan,
  history: PathHistory,
): Promise<Set<string>> {
  const { content, paths: { dir } } = archive;
  const files = [...plan.files, ...plan.emptyFiles];
  const live = new Set(files.map((file) => file.target));
  const ours = new Set<string>();
  const foreign = new Set<string>();
  const clash = (target: string) => foreign.add(pathOf(dir, target).slice(1));
  /** A file that the version has not: may it be removed? */
  const mayGo = async (target: string) => {
    if (ours.has(target)) return true;
    if (live.has(target) || !await history.isOurs(pathOf(dir, target), target)) return false;
    ours.add(target);
    return true;
  };
  const mayGoWithAll = async (folder: string): Promise<boolean> => {
    for (const entry of entriesOf(folder)) {
      const target = join(folder, entry.name);
      if (!await (entry.isDirectory ? mayGoWithAll(target) : mayGo(target))) return false;
    }
    return true;
  };
  const parents = new Map<string, string | undefined>();
  for (const file of files) {
    const obstacle = obstacleAbove(dir, file.target, parents);
    if (obstacle !== undefined) {
      if (!await mayGo(obstacle)) clash(obstacle);
      continue;
    }
    const info = lookAt(file.target);
    if (info === undefined) continue;
    if (info.isFile && content !== undefined && firstFinal(content, file) !== -1) continue;
    if (info.isFile && await history.isOurs(file.path, file.target)) continue;
    if (info.isFile && info.size === 0 && file.size === 0) continue;
    if (info.isDirectory && await mayGoWithAll(file.target)) continue;
    clash(file.target);
  }
  for (const folder of plan.folders) {
    const obstacle = obstacleAbove(dir, join(folder.target, "anything"), parents);
    if (obstacle !== undefined && !await mayGo(obstacle)) clash(obstacle);
  }
  if (foreign.size === 0) return ours;
  const named = [...foreign].slice(0, NAMED_CLASHES).map((path) => `"${path}"`).join(", ");
  const rest = foreign.size - NAMED_CLASHES;
  throw new UsageError(
    `Cannot write into "${dir}": ${named}${rest > 0 ? ` and ${rest} more` : ""} ` +
      `${foreign.size === 1 ? "is" : "are"} in the way and not from this archive`,
    { hint: "move them away or choose another folder; nothing was changed" },
  );
}

function entriesOf(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    throw storageError(`Cannot read the folder "${folder}"`, error);
  }
}

/** The path in the archive of a place below its folder. */
function pathOf(dir: string, target: string): string {
  return target.slice(dir.length).replaceAll("\\", "/");
}

/** What stands where a folder on the way to `target` has to be: a symbolic link, or a file. */
function obstacleAbove(
  dir: string,
  target: string,
  known: Map<string, string | undefined>,
): string | undefined {
  const folder = dirname(target);
  if (folder.length <= dir.length) return undefined;
  // Neighbours share their folder: most calls end here.
  if (known.has(folder)) return known.get(folder);
  let obstacle = obstacleAbove(dir, folder, known);
  if (obstacle === undefined) {
    const info = lookAt(folder);
    if (info !== undefined && !info.isDirectory) obstacle = folder;
  }
  known.set(folder, obstacle);
  return obstacle;
}

/** The first block of a file that lies under its own name, or -1. */
function firstFinal(content: FeedStore, { offset, blocks }: ContentFile): number {
  const end = offset + blocks;
  let block = content.nextHeld(offset, end);
  while (block !== -1 && !content.hasFinal(block)) block = content.nextHeld(block + 1, end);
  return block;
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
