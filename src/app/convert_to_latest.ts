/**
 * From `content.data` to latest mode: see convert_archive.ts. First every file of the newest version
 * is in the folder with exactly its bytes, then the bits of all other blocks are cleared, then
 * `content.data` goes.
 *
 * Source: spec of the drive, section 10.
 */
import { relative, sep } from "node:path";
import { ProofError, UsageError } from "../base/errors.ts";
import { type Range, RangeSet } from "../base/ranges.ts";
import { kindOfMode } from "../core/archive/entry.ts";
import type { WalkedFile } from "../core/archive/walk.ts";
import type { FeedStore } from "../io/feed_store.ts";
import { fileMatches } from "../io/file_blocks.ts";
import { type FileMark, markOf } from "../io/finish_file.ts";
import { lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import { syncFolder } from "./archive_folder.ts";
import { ArchiveView } from "./archive_view.ts";
import { planFiles, type PlannedFile } from "./checkout_plan.ts";
import { type ConvertRun, removeStaged } from "./convert_archive.ts";
import type { Emit } from "./events.ts";
import { missingError, missingFiles } from "./held_files.ts";
import { listNames, obstacleAbove, pathOf } from "./obstacles.ts";
import type { Archive } from "./open_archive.ts";
import { restoreFiles } from "./restore_files.ts";
import type { RestoredFile } from "./restore_plan.ts";
import { Turns } from "./turns.ts";

export interface LatestOptions extends ConvertRun {
  /** Replace files that were changed here. */
  readonly overwrite?: boolean;
  readonly emit: Emit;
}

/** What it takes to give up all versions but the newest one. */
export interface LatestPlan {
  readonly view: ArchiveView;
  /** Files that have to be written into the folder. */
  readonly files: readonly RestoredFile[];
  /** Bytes of `files`. */
  readonly bytes: number;
  /** The blocks that stay. */
  readonly live: RangeSet;
  /** The blocks that are given up. */
  readonly given: readonly Range[];
  /** Their bytes. */
  readonly givenBytes: number;
}

/**
 * Find out what the folder lacks.
 *
 * @param archive Keeps every version. For `convertToLatest` it has to be open for writing.
 * @throws {UsageError} If files were changed here, or cannot be written.
 * @throws {NotFoundError} If part of a file is here and part is not.
 */
export async function planLatest(archive: Archive, options: LatestOptions): Promise<LatestPlan> {
  const { emit, overwrite, signal } = options;
  const { paths: { dir } } = archive;
  const content = archive.openContent();
  const view = new ArchiveView(archive);
  const walked = new Map<number, WalkedFile>();
  for (const file of view.files()) walked.set(file.seq, file);
  const planned = planFiles(archive, emit, { files: walked.values() });
  const placed = new Set(planned.files.map(({ seq }) => seq));
  refuseUnwritable(view, [...walked.values()].filter(({ seq }) => !placed.has(seq)));
  const turns = new Turns(signal);
  const live = new RangeSet();
  const files: RestoredFile[] = [];
  const inTheWay = new InTheWay(dir, overwrite === true);
  for (const file of planned.files) {
    const { target, offset, blocks } = file;
    const leaf = (n: number) => content.node(2 * (offset + n));
    const real = workingFile(dir, target);
    const onBytes = (bytes: number) => {
      options.onBytes?.(bytes);
      return turns.take(bytes);
    };
    if (real !== undefined && await fileMatches(real, { ...file, leaf }, onBytes)) {
      live.add(offset, offset + blocks);
      continue;
    }
    await turns.take();
    // Without any block there is nothing to lose: what stands there is its owner's.
    if (content.nextHeld(offset, offset + blocks) === -1) continue;
    files.push({ ...file, before: inTheWay.look(file), walked: walked.get(file.seq)! });
    live.add(offset, offset + blocks);
  }
  const missing = missingFiles(view, files.map((file) => file.walked));
  if (missing.length > 0) throw missingError(view, missing, { action: "convert" });
  inTheWay.refuse(view);
  const given = givenUp(content, live);
  return {
    ...{ view, files, live, given },
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    givenBytes: given.reduce((sum, range) => sum + bytesOf(content, range), 0),
  };
}

/**
 * Make the working files the content, and give up what is in no file of the newest version.
 *
 * @param archive Of the plan, open for writing. Open it anew afterwards.
 * @throws {ProofError} If bytes are damaged that no working file has. Nothing was given up then.
 * @throws {StorageError} If there is no room. The same.
 */
export async function convertToLatest(
  archive: Archive,
  plan: LatestPlan,
  { emit, signal, onBytes }: LatestOptions,
): Promise<void> {
  const { paths } = archive;
  const content = archive.openContent();
  await writeFiles(archive, plan, { emit, signal, onBytes });
  signal?.throwIfAborted();
  // Bits go before the bytes that they speak of: another program would serve whatever is there.
  for (const range of plan.given) content.clear(range);
  content.commit({ durable: true });
  // Before the mode changes: these would count again.
  removeStaged(paths);
  const data = paths.feed("content", "data");
  try {
    Deno.removeSync(data);
  } catch (error) {
    throw storageError(`Cannot remove "${data}"`, error);
  }
  syncFolder(paths.dat);
  // A working file may have blocks that were damaged or never fetched.
  for (const { start, end } of plan.live) {
    let block = content.nextMissing(start, end);
    for (; block !== -1; block = content.nextMissing(block + 1, end)) content.markHeld(block);
  }
  content.commit({ durable: true });
}

async function writeFiles(
  archive: Archive,
  { view, files, bytes }: LatestPlan,
  { emit, signal, onBytes }: LatestOptions,
): Promise<void> {
  const nothing = { modes: [], folders: [], same: 0, refused: 0, missing: [], local: 0 };
  let last = 0;
  const damaged = await restoreFiles({ view, root: archive.paths.dir, files, bytes, ...nothing }, {
    emit,
    signal,
    durable: true,
    onFile: () => {
      last = 0;
    },
    onBytes: (_file, written) => {
      onBytes?.(written - last);
      last = written;
    },
  });
  if (damaged.length === 0) return;
  throw new ProofError(
    `Cannot convert: ${listNames(damaged.map((path) => path.slice(1)))} cannot be restored, as ` +
      "the bytes here do not match the signed tree",
    { hint: "every version is kept as before; see trove verify" },
  );
}

/** @throws {UsageError} If bytes would be lost, as their files cannot be written on this disk. */
function refuseUnwritable(view: ArchiveView, files: readonly WalkedFile[]): void {
  const losing = files.filter((file) =>
    kindOfMode(file.stat.mode) !== "directory" && file.stat.blocks > 0 && view.countHeld(file) > 0
  );
  if (losing.length === 0) return;
  const names = listNames(losing.map(({ path }) => path.slice(1)));
  throw new UsageError(`Cannot convert: ${names} cannot be written here, and would be lost`, {
    hint: "see the warnings; every version is kept as before",
  });
}

/** Where the bytes of a file are looked for: a link to a file in the folder counts as that file. */
function workingFile(dir: string, target: string): string | undefined {
  const info = lookAt(target);
  if (info?.isFile) return target;
  if (!info?.isSymlink) return undefined;
  try {
    const real = Deno.realPathSync(target);
    const inside = relative(Deno.realPathSync(dir), real).split(sep)[0];
    return inside === ".." || inside === ".dat" ? undefined : real;
  } catch {
    return undefined; // it leads to nothing
  }
}

/** What stands where files have to be written that may not be replaced. */
class InTheWay {
  readonly #dir: string;
  readonly #overwrite: boolean;
  readonly #changed = new Set<string>();
  readonly #folders = new Set<string>();
  readonly #above = new Map<string, string | undefined>();

  constructor(dir: string, overwrite: boolean) {
    this.#dir = dir;
    this.#overwrite = overwrite;
  }

  /** What the file replaces: nothing (null), or this. */
  look({ target }: PlannedFile): FileMark | null {
    const above = obstacleAbove(this.#dir, target, this.#above);
    const info = lookAt(target);
    if (above !== undefined) this.#folders.add(above);
    else if (info?.isDirectory) this.#folders.add(target);
    else if (info !== undefined && !this.#overwrite) this.#changed.add(target);
    return info === undefined ? null : markOf(info);
  }

  /** @throws {UsageError} */
  refuse({ archive }: ArchiveView): void {
    const names = (targets: ReadonlySet<string>) =>
      listNames([...targets].map((target) => pathOf(this.#dir, target).slice(1)));
    if (this.#folders.size > 0) {
      throw new UsageError(
        `Cannot convert "${this.#dir}": ${names(this.#folders)} is where files have to be`,
        { hint: "move it away; nothing was changed" },
      );
    }
    if (this.#changed.size === 0) return;
    const first = archive.owned ? "import the changes with trove share" : "update with trove pull";
    const was = this.#changed.size === 1 ? "was" : "were";
    throw new UsageError(
      `Cannot convert "${this.#dir}": ${names(this.#changed)} ${was} changed here since version ` +
        archive.version,
      { hint: `${first} first, or replace with --overwrite; nothing was changed` },
    );
  }
}

/** The held blocks that are not live. */
function givenUp(content: FeedStore, live: RangeSet): Range[] {
  const given: Range[] = [];
  const { length } = content;
  for (let from = 0; from < length;) {
    const run = live.runFrom(from);
    const end = run?.start ?? length;
    for (let start = content.nextHeld(from, end); start !== -1;) {
      const missing = content.nextMissing(start, end);
      given.push({ start, end: missing === -1 ? end : missing });
      start = missing === -1 ? -1 : content.nextHeld(missing, end);
    }
    from = run?.end ?? length;
  }
  return given;
}

function bytesOf(content: FeedStore, { start, end }: Range): number {
  const last = content.spanOf(end - 1);
  return last.byteOffset + last.size - content.spanOf(start).byteOffset;
}
