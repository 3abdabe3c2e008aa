/**
 * Bring the working folder of a downloaded archive to a version: what goes is removed, what comes is
 * planned, fetched by the synchronizer and named by `ContentFiles`, and what has no content is made
 * at the end. Only files that this archive put there are removed or replaced.
 *
 * Source: spec of the drive, sections 8 and 10.
 */
import { join } from "node:path";
import { type Range, RangeSet } from "../base/ranges.ts";
import { readUint64BE, writeUint64BE } from "../base/bytes.ts";
import { TroveError, UsageError } from "../base/errors.ts";
import { findClashes } from "../core/archive/clashes.ts";
import { changedFiles } from "../core/archive/diff_versions.ts";
import { kindOfMode, type Stat } from "../core/archive/entry.ts";
import { readHistory } from "../core/archive/lookup.ts";
import { safePath } from "../core/archive/safe_path.ts";
import { runItems } from "../core/archive/steps.ts";
import { walkFiles } from "../core/archive/walk.ts";
import { type ContentFile, dress } from "../io/content_files.ts";
import { fileMatches } from "../io/file_blocks.ts";
import { ensureFolder, lookAt, pruneEmptyFolders } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
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

/**
 * Work out what a version needs, remove what it no longer has, and tell the content's working files
 * where its blocks belong.
 *
 * @throws {UsageError} If files that are not the archive's own are in the way. Nothing was changed.
 */
export async function planCheckout(archive: Archive, emit: Emit): Promise<CheckoutPlan> {
  const { version } = archive;
  const live = readLive(archive, emit);
  const plan: CheckoutPlan = { version, ...live };
  const history = new PathHistory(archive);
  await checkWay(archive, plan, history);
  await removeGone(archive, plan, history);
  const content = archive.openContent();
  dropLostBlocks(archive, plan, emit);
  archive.contentFiles!.setFiles(plan.files, content);
  // Completes what a killed process had fetched but not named.
  content.commit();
  return plan;
}

/** The rest of a version once all its blocks are here: empty files, folders, and the note of it. */
export function finishCheckout(archive: Archive, plan: CheckoutPlan): void {
  const { dir, latest, staging } = archive.paths;
  for (const folder of plan.folders) ensureFolder(dir, join(folder.target, "."));
  for (const file of plan.emptyFiles) makeEmptyFile(dir, file);
  const version = new Uint8Array(8);
  writeUint64BE(version, 0, plan.version);
  writeSmallFile(latest, version, { mode: 0o644 });
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
    else {
      const file = { path, target: join(archive.paths.dir, ...safe.components), ...stat };
      if (kind === "directory") folders.push(file);
      else files.push(file);
    }
  }
  const { kept, clashes } = findClashes(files, { foldNames: foldsNames() });
  for (const { file, with: other } of clashes) refuse(file.path, `"${other}" is in its way`);
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
    folders,
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

/** What the archive put at a path at any time since the version that is on disk. */
class PathHistory {
  readonly #archive: Archive;
  #puts: Map<string, Stat[]> | undefined;

  constructor(archive: Archive) {
    this.#archive = archive;
  }

  /** The version whose files are on disk, as far as they were finished. */
  get applied(): number {
    const bytes = readSmallFile(this.#archive.paths.latest);
    const applied = bytes?.length === 8 ? readUint64BE(bytes, 0) : 0;
    return Math.min(applied, this.#archive.version);
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
      if (await fileMatches(target, { size, blocks, leaf })) return true;
    }
    return false;
  }

  #statsOf(path: string): readonly Stat[] {
    if (this.#puts === undefined) {
      this.#puts = new Map();
      // From the beginning: a run that was killed may have put files of any version in between.
      for (const item of runItems(readHistory(1, this.#archive.version), this.#archive.entry)) {
        if (item.stat === undefined) continue;
        const stats = this.#puts.get(item.path);
        if (stats === undefined) this.#puts.set(item.path, [item.stat]);
        else stats.push(item.stat);
      }
    }
    return this.#puts.get(path) ?? [];
  }
}

/** Refuse to go on where somebody else's files would be overwritten. */
async function checkWay(
  archive: Archive,
  plan: CheckoutPlan,
  history: PathHistory,
): Promise<void> {
  const inTheWay: string[] = [];
  const { content } = archive;
  const clash = (path: string) => inTheWay.push(path.slice(1));
  const links = new Map<string, boolean>();
  for (const file of [...plan.files, ...plan.emptyFiles]) {
    if (crossesLink(archive.paths.dir, file.path, links)) {
      clash(file.path);
      continue;
    }
    const info = lookAt(file.target);
    if (info === undefined) continue;
    const held = file.blocks > 0 && content !== undefined && content.hasFinal(file.offset);
    if (info.isFile && (held || await history.isOurs(file.path, file.target))) continue;
    if (info.isFile && info.size === 0 && file.size === 0) continue;
    // A folder of the archive's own files becomes a file: they are removed first.
    if (info.isDirectory && await holdsOnlyGone(archive, file.target, plan, history)) continue;
    clash(file.path);
  }
  if (inTheWay.length === 0) return;
  const named = inTheWay.slice(0, NAMED_CLASHES).map((path) => `"${path}"`).join(", ");
  const rest = inTheWay.length - NAMED_CLASHES;
  throw new UsageError(
    `Cannot write into "${archive.paths.dir}": ${named}${rest > 0 ? ` and ${rest} more` : ""} ` +
      `would be overwritten and ${inTheWay.length === 1 ? "is" : "are"} not from this archive`,
    { hint: "move them away or choose another folder; nothing was changed" },
  );
}

/** Whether a folder on the way to a path is a symbolic link. */
function crossesLink(dir: string, path: string, known: Map<string, boolean>): boolean {
  const names = path.slice(1).split("/").slice(0, -1);
  let folder = dir;
  for (const name of names) {
    folder = join(folder, name);
    let isLink = known.get(folder);
    if (isLink === undefined) known.set(folder, isLink = lookAt(folder)?.isSymlink ?? false);
    if (isLink) return true;
  }
  return false;
}

/** Whether every file below a folder is one of ours that the version no longer has. */
async function holdsOnlyGone(
  archive: Archive,
  folder: string,
  plan: CheckoutPlan,
  history: PathHistory,
): Promise<boolean> {
  const live = new Set([...plan.files, ...plan.emptyFiles].map((file) => file.target));
  for (const entry of Deno.readDirSync(folder)) {
    const target = join(folder, entry.name);
    if (entry.isDirectory) {
      if (!await holdsOnlyGone(archive, target, plan, history)) return false;
    } else {
      const path = target.slice(archive.paths.dir.length).replaceAll("\\", "/");
      if (live.has(target) || !await history.isOurs(path, target)) return false;
    }
  }
  return true;
}

/** Remove the files that the archive had and the version has not, and give up their blocks. */
async function removeGone(
  archive: Archive,
  plan: CheckoutPlan,
  history: PathHistory,
): Promise<void> {
  const { applied } = history;
  if (applied === 0) return;
  const content = archive.openContent();
  const live = new RangeSet(plan.ranges);
  const targets = new Set([...plan.files, ...plan.emptyFiles].map((file) => file.target));
  for (const change of runItems(changedFiles(applied, plan.version), archive.entry)) {
    if (change.type !== "del") continue;
    const { path, stat } = change;
    const safe = safePath(path, { windows: Deno.build.os === "windows" });
    if (safe.kind === "refused") continue;
    const target = join(archive.paths.dir, ...safe.components);
    // One that is replaced stays until the new one is complete.
    if (!targets.has(target) && await history.isOurs(path, target)) {
      try {
        Deno.removeSync(target);
      } catch (error) {
        throw storageError(`Cannot remove "${target}"`, error);
      }
      pruneEmptyFolders(archive.paths.dir, target);
    }
    const gone = new RangeSet([{ start: stat.offset, end: stat.offset + stat.blocks }]);
    for (const { start, end } of live) gone.remove(start, end);
    for (const range of gone) content.clear(range);
  }
  content.commit();
}

/** Files that the user removed are fetched again; files that the user changed are left alone. */
function dropLostBlocks(archive: Archive, plan: CheckoutPlan, emit: Emit): void {
  const content = archive.openContent();
  const files = archive.contentFiles!;
  for (const { target, path, offset, blocks, size } of plan.files) {
    const range = { start: offset, end: offset + blocks };
    const held = content.nextHeld(range.start, range.end);
    if (held === -1) continue;
    const staged = content.hasStaged(held);
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

function makeEmptyFile(dir: string, file: PlannedFile): void {
  const info = lookAt(file.target);
  // Replaces a file of ours that had content before.
  if (info === undefined || info.size > 0) {
    ensureFolder(dir, file.target);
    try {
      using _made = Deno.openSync(file.target, { write: true, create: true, truncate: true });
    } catch (error) {
      throw storageError(`Cannot make "${file.target}"`, error);
    }
  }
  dress(file.target, file);
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
