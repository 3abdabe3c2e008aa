/**
 * What stands in the folder at the places of a version's files, and what is to be done about each:
 * nothing, fetching it, replacing what the user made of it, or leaving that alone. Looks, and
 * changes nothing. Source: spec of the drive, sections 8 and 10.
 */
import { dirname, join } from "node:path";
import { type FileMark, markOf, wearsMode } from "../io/finish_file.ts";
import { lookAt } from "../io/folder.ts";
import type { DownloadChoices, PlannedFile, VersionFiles } from "./checkout_plan.ts";
import { mayGoWithAll, obstacleAbove, type Obstacles, pathOf } from "./obstacles.ts";
import type { Archive } from "./open_archive.ts";
import type { PathHistory } from "./path_history.ts";
import { hasHeldBlocks } from "./salvage.ts";

/** What stands at a file's place. */
export type Standing =
  /** The file, complete and unchanged. */
  | "placed"
  /** Its bytes; mode or time are not as the entry has them. */
  | "undressed"
  /** Some of its blocks, under its name: another program's half-fetched file. */
  | "partial"
  /** Nothing, and the archive put nothing there so far. */
  | "absent"
  /** Nothing, but the archive put a file there. */
  | "deleted"
  /** A file that the archive put there, or the owner had there, and that was changed since. */
  | "edited"
  /** A file as some version had it. */
  | "ours"
  /** Something that is not the archive's. */
  | "foreign";

interface Judged {
  readonly standing: Standing;
  /** Where it stands: the file's own place, or that of a folder above it. */
  readonly at: string;
  readonly info?: Deno.FileInfo;
}

/** A file that has to be made or replaced. */
export interface ToPlace {
  readonly file: PlannedFile;
  readonly standing: Standing;
  /** What may be replaced. */
  readonly before: FileMark | null;
}

export interface Survey {
  /** Complete under their names. */
  readonly placed: PlannedFile[];
  /** Those of `placed` whose mode and time are to be set. */
  readonly undressed: PlannedFile[];
  readonly toPlace: ToPlace[];
  /** Left as the user has them. */
  readonly kept: PlannedFile[];
  /** Not selected, and here from before: blocks of them are under their names. */
  readonly beside: PlannedFile[];
  /** Not selected, and not here any more although blocks of them are marked as held. */
  readonly lost: PlannedFile[];
  /** Places of files that have to go because something of another kind takes theirs. */
  readonly inTheWay: Set<string>;
  /** Folders that have to go for the same reason, when those files are gone. */
  readonly emptied: string[];
  /** What to tell the user: code and message. */
  readonly warnings: { code: string; message: string }[];
}

/** @throws {UsageError} If something is in the way that must not be replaced. */
export function surveyFolder(
  archive: Archive,
  files: VersionFiles,
  history: PathHistory,
  options: DownloadChoices & { obstacles: Obstacles },
): Promise<Survey> {
  return new Surveyor(archive, files, history, options).survey();
}

class Surveyor {
  readonly #archive: Archive;
  readonly #files: VersionFiles;
  readonly #history: PathHistory;
  readonly #options: DownloadChoices & { obstacles: Obstacles };
  #live: ReadonlySet<string> | undefined;
  readonly #parents = new Map<string, string | undefined>();
  /** Folders that are not there. */
  readonly #missing = new Set<string>();
  readonly #found: Survey = {
    placed: [],
    undressed: [],
    toPlace: [],
    kept: [],
    beside: [],
    lost: [],
    inTheWay: new Set(),
    emptied: [],
    warnings: [],
  };

  constructor(
    archive: Archive,
    files: VersionFiles,
    history: PathHistory,
    options: DownloadChoices & { obstacles: Obstacles },
  ) {
    this.#archive = archive;
    this.#files = files;
    this.#history = history;
    this.#options = options;
  }

  async survey(): Promise<Survey> {
    const { files, emptyFiles, folders } = this.#files;
    for (const file of [...files, ...emptyFiles]) {
      if (!this.#isOwners(file)) await this.#take(file, await this.#judge(file));
    }
    for (const folder of folders) {
      if (this.#isOwners(folder)) continue;
      const obstacle = obstacleAbove(
        this.#archive.paths.dir,
        join(folder.target, "anything"),
        this.#parents,
      );
      if (obstacle !== undefined && !await this.#mayGo(obstacle)) this.#clear(obstacle);
    }
    for (const file of this.#files.unselected) await this.#lookAside(file);
    return this.#found;
  }

  /** Only what is marked as held matters: peers are told of it. */
  async #lookAside(file: PlannedFile): Promise<void> {
    const { paths: { dir }, content, contentFiles } = this.#archive;
    const { offset, blocks, target } = file;
    if (contentFiles === undefined || content === undefined) return;
    if (content.nextHeld(offset, offset + blocks) === -1) return;
    const info = obstacleAbove(dir, target, this.#parents) === undefined
      ? lookAt(target)
      : undefined;
    const standing = info?.isFile ? await this.#judgeFile(file, info) : undefined;
    const isHere = standing !== undefined && standing !== "edited";
    (isHere ? this.#found.beside : this.#found.lost).push(file);
  }

  /** Whether no entry since touches what the owner may have changed and not imported. */
  #isOwners({ seq }: PlannedFile): boolean {
    const { base } = this.#history;
    return base !== undefined && seq <= base;
  }

  #take(file: PlannedFile, { standing, at, info }: Judged): void {
    const { placed, undressed, kept, warnings } = this.#found;
    const { keepLocal, overwrite, obstacles } = this.#options;
    const name = file.path.slice(1);
    const is = this.#is;
    const keep = (code: string, what: string) => {
      kept.push(file);
      warnings.push({ code, message: `"${name}" ${what} here and stays so` });
    };
    const place = (code?: string, what?: string) => {
      if (code !== undefined) {
        warnings.push({ code, message: `"${name}" ${what}` });
      }
      const before = info === undefined || at !== file.target ? null : markOf(info);
      this.#found.toPlace.push({ file, standing, before });
    };
    switch (standing) {
      case "placed":
        placed.push(file);
        return;
      case "undressed":
        placed.push(file);
        // Whose entry was applied before, its mode and time were changed here since.
        if (!keepLocal || !this.#history.wasApplied(file)) undressed.push(file);
        return;
      case "partial":
      case "absent":
      case "ours":
        return place();
      case "deleted":
        if (keepLocal) return keep("deleted-locally", "was deleted");
        return place("deleted-locally", `was deleted here and ${is} fetched again`);
      case "edited":
        if (keepLocal) return keep("changed-locally", "was changed");
        if (this.#history.base === undefined || overwrite) {
          return place("changed-locally", `was changed here and ${is} replaced`);
        }
        return obstacles.add(at);
      case "foreign":
        // An owner's file that was not imported yet is no stranger's.
        if (keepLocal && (this.#history.base !== undefined || this.#history.wasPut(file))) {
          return keep("changed-locally", "was changed");
        }
        // A folder may hold anything, and a mistake would cost all of it.
        if (!overwrite || info?.isDirectory) {
          return obstacles.add(at, { folder: info?.isDirectory });
        }
        if (at !== file.target) {
          this.#clear(at);
          return place();
        }
        place("overwritten", `was in the way and ${is} replaced`);
        // What has no blocks is not renamed into its place.
        if (file.blocks === 0) this.#found.inTheWay.add(at);
    }
  }

  /** How warnings say what is done, or would be. */
  get #is(): string {
    return this.#options.dryRun ? "would be" : "is";
  }

  /** Something stands where a folder has to be. */
  #clear(obstacle: string): void {
    const { overwrite, obstacles } = this.#options;
    const { inTheWay, warnings } = this.#found;
    if (!overwrite) return obstacles.add(obstacle);
    if (inTheWay.has(obstacle)) return;
    inTheWay.add(obstacle);
    const name = pathOf(this.#archive.paths.dir, obstacle).slice(1);
    const message = `"${name}" was in the way and ${this.#is} removed`;
    warnings.push({ code: "overwritten", message });
  }

  async #judge(file: PlannedFile): Promise<Judged> {
    const { path, target } = file;
    const absent = (at: string): Judged => ({
      standing: this.#history.wasPut(file) ? "deleted" : "absent",
      at,
    });
    const obstacle = obstacleAbove(
      this.#archive.paths.dir,
      target,
      this.#parents,
      this.#missing,
    );
    if (obstacle !== undefined) {
      if (await this.#mayGo(obstacle)) return { standing: "absent", at: target };
      return { standing: "foreign", at: obstacle, info: lookAt(obstacle) };
    }
    const info = this.#missing.has(dirname(target)) ? undefined : lookAt(target);
    if (info === undefined) return absent(target);
    const found = (standing: Standing): Judged => ({ standing, at: target, info });
    if (info.isDirectory) {
      const removable = await mayGoWithAll(target, (inside) => this.#mayGo(inside));
      if (!removable) return found("foreign");
      this.#found.emptied.push(target);
      return { standing: "absent", at: target };
    }
    if (!info.isFile) return found("foreign");
    const standing = await this.#judgeFile(file, info);
    if (standing !== undefined) return found(standing);
    if (await this.#history.isOurs(path, target)) return found("ours");
    return found(this.#history.wasPut(file) ? "edited" : "foreign");
  }

  /** Judge a regular file by what is known of its blocks; undefined if that says nothing. */
  async #judgeFile(file: PlannedFile, info: Deno.FileInfo): Promise<Standing | undefined> {
    const { offset, blocks, size, mtime, target, seq } = file;
    if (blocks === 0 && info.size === 0) return "placed";
    const { content, contentFiles } = this.#archive;
    const sameTime = info.mtime?.getTime() === mtime;
    const isWhole = async () => info.size === size && await this.#history.matches(target, file);
    const sameSize = info.size === size;
    if (contentFiles === undefined) {
      // The bytes of every version are kept elsewhere: no bit speaks of this file.
      if (sameSize && sameTime) return wearsMode(info, file) ? "placed" : "undressed";
      return await isWhole() ? "undressed" : undefined;
    }
    if (content === undefined || blocks === 0 || !this.#history.isNamedAt(seq)) return undefined;
    const isFinal = (block: number) => content.hasFinal(block);
    const end = offset + blocks;
    let finals = 0;
    for (let at = content.nextHeld(offset, end); at !== -1; at = content.nextHeld(at + 1, end)) {
      if (isFinal(at)) finals++;
    }
    if (finals === 0) return undefined;
    if (finals < blocks) {
      return await hasHeldBlocks(content, file, this.#history) ? "partial" : "edited";
    }
    if (sameSize && sameTime) return wearsMode(info, file) ? "placed" : "undressed";
    return await isWhole() ? "undressed" : "edited";
  }

  /** Whether the version has a file there. Few are ever asked about. */
  #isLive(target: string): boolean {
    const { files, emptyFiles } = this.#files;
    this.#live ??= new Set([...files, ...emptyFiles].map(({ target }) => target));
    return this.#live.has(target);
  }

  /** Whether what stands there is a file of ours that the version has not. */
  async #mayGo(target: string): Promise<boolean> {
    const { inTheWay } = this.#found;
    if (inTheWay.has(target)) return true;
    if (this.#isLive(target)) return false;
    if (!await this.#history.isOurs(pathOf(this.#archive.paths.dir, target), target)) return false;
    inTheWay.add(target);
    return true;
  }
}
