/**
 * What stands where files are to be restored, and what of it may be replaced: nothing is, by which
 * bytes would be lost.
 *
 * Source: spec of the drive, sections 8 and 10.
 */
import { join } from "node:path";
import { UsageError } from "../base/errors.ts";
import { kindOfMode, type Stat } from "../core/archive/entry.ts";
import { readHistory } from "../core/archive/lookup.ts";
import { safePath } from "../core/archive/safe_path.ts";
import { runItems } from "../core/archive/steps.ts";
import { walkFiles } from "../core/archive/walk.ts";
import { fileMatches } from "../io/file_blocks.ts";
import { markOf } from "../io/finish_file.ts";
import { lookAt } from "../io/folder.ts";
import type { PlannedFile } from "./checkout_plan.ts";
import { listNames, obstacleAbove, Obstacles, pathOf } from "./obstacles.ts";
import type { Archive } from "./open_archive.ts";
import type { RestoredFile } from "./restore_plan.ts";
import { Turns } from "./turns.ts";

/** Told of one file after the other, it parts them. */
export class RestoreSurvey {
  /** To be written: with `before`, what stands there. */
  readonly files: RestoredFile[] = [];
  /** There with the right bytes, and other permissions. */
  readonly modes: RestoredFile[] = [];
  /** There as they should be. */
  same = 0;
  readonly #archive: Archive;
  readonly #root: string;
  readonly #own: boolean;
  readonly #overwrite: boolean;
  readonly #turns: Turns;
  readonly #obstacles: Obstacles;
  readonly #above = new Map<string, string | undefined>();
  /** Files that differ and may be replaced only if nothing is lost by that. */
  readonly #doubtful: RestoredFile[] = [];
  /** Working files that are the only place of the newest version's bytes. */
  readonly #onlyCopies: string[] = [];
  #sources: ReadonlyMap<string, Stat> | undefined;

  /** @param options.own Whether `root` is the archive's own folder. */
  constructor(
    archive: Archive,
    options: { root: string; own: boolean; overwrite?: boolean; signal?: AbortSignal },
  ) {
    this.#archive = archive;
    this.#root = options.root;
    this.#own = options.own;
    this.#overwrite = options.overwrite === true;
    this.#turns = new Turns(options.signal);
    this.#obstacles = new Obstacles(options.root);
  }

  /** @param file Its bytes can be had. */
  async look(file: RestoredFile): Promise<void> {
    await this.#turns.take();
    const { target } = file;
    const above = obstacleAbove(this.#root, target, this.#above);
    // Options replace files, but never folders or what stands for one.
    if (above !== undefined) return this.#obstacles.add(above, { folder: true });
    const info = lookAt(target);
    if (info === undefined) this.files.push({ ...file, before: null });
    else if (info.isDirectory) this.#obstacles.add(target, { folder: true });
    else if (info.isFile && await this.#matches(target, file)) {
      const mayDress = this.#own || this.#overwrite;
      if (mayDress && Deno.build.os !== "windows" && bitsOf(info.mode ?? 0) !== bitsOf(file.mode)) {
        this.modes.push(file);
      } else this.same++;
    } else {
      const replacing = { ...file, before: markOf(info) };
      if (info.isFile && await this.#isOnlyCopy(target)) this.#onlyCopies.push(target);
      else if (this.#overwrite) this.files.push(replacing);
      else if (this.#own && info.isFile) this.#doubtful.push(replacing);
      else this.#obstacles.add(target);
    }
  }

  /** Whether a directory has to be made. */
  needsFolder({ target }: PlannedFile): boolean {
    const above = obstacleAbove(this.#root, target, this.#above);
    const info = lookAt(target);
    if (above !== undefined) this.#obstacles.add(above, { folder: true });
    else if (info !== undefined && !info.isDirectory) {
      this.#obstacles.add(target, { folder: true });
    }
    return info === undefined;
  }

  /** @throws {UsageError} If anything is in the way. */
  async refuse(): Promise<void> {
    const kept = await this.#keptFiles();
    for (const file of this.#doubtful) {
      if (kept.has(file)) this.files.push(file);
      else this.#obstacles.add(file.target);
    }
    if (this.#onlyCopies.length > 0) {
      const paths = this.#onlyCopies.map((target) => pathOf(this.#root, target).slice(1));
      throw new UsageError(
        `Cannot replace ${listNames(paths)}: nothing else holds the bytes of version ` +
          `${this.#archive.version}`,
        {
          hint: "restore into another folder with --to, or keep every version from now on with " +
            "trove convert --to history; nothing was changed",
        },
      );
    }
    this.#obstacles.refuse();
  }

  /** Those whose bytes on disk are, as some version of their path, in the archive itself. */
  async #keptFiles(): Promise<ReadonlySet<RestoredFile>> {
    const kept = new Set<RestoredFile>();
    if (this.#doubtful.length === 0) return kept;
    const paths = new Map(this.#doubtful.map((file) => [file.path, file]));
    const { version, entry, content, contentFiles } = this.#archive;
    for (const { path, stat } of runItems(readHistory(1, version), entry)) {
      const file = stat === undefined ? undefined : paths.get(path);
      if (file === undefined || stat === undefined || kept.has(file)) continue;
      if (stat.size !== file.before?.size || kindOfMode(stat.mode) !== "file") continue;
      const end = stat.offset + stat.blocks;
      const isHeld = stat.blocks === 0 ||
        (contentFiles === undefined && content?.nextMissing(stat.offset, end) === -1);
      if (isHeld && await this.#matches(file.target, stat)) kept.add(file);
    }
    return kept;
  }

  async #matches(target: string, { size, blocks, offset }: Stat | PlannedFile): Promise<boolean> {
    const { content } = this.#archive;
    const leaf = (n: number) => content?.node(2 * (offset + n));
    const onBytes = (bytes: number) => this.#turns.take(bytes);
    return await fileMatches(target, { size, blocks, leaf }, onBytes);
  }

  /** Whether the bytes that stand there are the content of the newest version. */
  async #isOnlyCopy(target: string): Promise<boolean> {
    const { contentFiles, version, entry, paths } = this.#archive;
    if (contentFiles === undefined) return false;
    if (this.#sources === undefined) {
      // Another folder to write into may lie inside of this one.
      const dir = this.#own ? paths.dir : Deno.realPathSync(paths.dir);
      const sources = new Map<string, Stat>();
      for (const { path, stat } of runItems(walkFiles(version), entry)) {
        const safe = safePath(path);
        if (safe.kind === "safe" && stat.blocks > 0) {
          sources.set(join(dir, ...safe.components), stat);
        }
      }
      this.#sources = sources;
    }
    const stat = this.#sources.get(target);
    return stat !== undefined && await this.#matches(target, stat);
  }
}

/** Permission bits, as `dress` sets them. */
function bitsOf(mode: number): number {
  return (mode & 0o777) || 0o644;
}
