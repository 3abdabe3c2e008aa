/**
 * Bring an archive up to what its folder holds: new and changed files are put, missing ones deleted.
 * The folder is gone through once, whatever its size; `import_writer.ts` makes the changes.
 *
 * Source: spec of the drive, sections 8, 11 and 12.
 */
import { join } from "node:path";
import { InterruptedError, StorageError, unreachable } from "../base/errors.ts";
import type { Range } from "../base/ranges.ts";
import type { World } from "../base/world.ts";
import { type ArchivedItem, planDirectory } from "../core/archive/diff_folder.ts";
import { nameClashes, portabilityFault } from "../core/archive/portable_names.ts";
import type { Stat } from "../core/archive/entry.ts";
import type { FolderTable } from "../core/archive/folder_table.ts";
import { archivePath } from "../core/archive/safe_path.ts";
import { type FolderItem, lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import { type FolderPlace, LinkedFolders } from "../io/linked_folders.ts";
import type { Emit } from "./events.ts";
import { FileTimes } from "./file_times.ts";
import { type IgnoreRules, readIgnoreRules } from "./ignore_file.ts";
import { ImportScope } from "./import_scope.ts";
import { ImportReport, type ImportSummary } from "./import_report.ts";
import { ImportWriter } from "./import_writer.ts";
import type { Archive } from "./open_archive.ts";
import { refusePartialImport } from "./selection_note.ts";
import { refuseUnfinishedPull } from "./version_notes.ts";

export type { ImportSummary } from "./import_report.ts";

/** Names in one folder above which the format itself gets expensive. */
const LARGE_FOLDER = 10_000;

export interface ImportOptions {
  readonly world: World;
  readonly emit: Emit;
  /** Aborted with the reason to throw: what is done so far is kept. */
  readonly signal: AbortSignal;
  /** Leave out names that start with a dot; on if not said otherwise. */
  readonly ignoreHidden?: boolean;
  /**
   * Let the entry of a renamed file name the blocks that the archive has already. If not said
   * otherwise, only where the archive keeps every version: see `KnownContent`.
   */
  readonly reuseContent?: boolean;
  /**
   * Look at these names and what lies below them, and at nothing else: paths from the folder with
   * "/" between names. Otherwise the whole folder.
   */
  readonly only?: ReadonlySet<string>;
  readonly memory?: ImportMemory;
  /**
   * Called each time that something is signed and on disk, before anybody else gets a turn. `found`
   * are blocks signed before whose bytes were found.
   */
  readonly onCommit?: (found: readonly Range[]) => void;
}

/** What an import leaves for the next one of the same open archive. */
export class ImportMemory {
  /** What was live after it. */
  table?: FolderTable;
  /** Warnings that were given. */
  readonly told = new Set<string>();
  /** Whether there are links in the folder: a change of one file may be that of several names. */
  hasLinks = false;
}

/**
 * Import the archive's folder.
 *
 * @throws {StorageError} If the folder cannot be read or the archive not be written.
 */
export async function importFolder(
  archive: Archive,
  options: ImportOptions,
): Promise<ImportSummary> {
  refuseUnfinishedPull(archive.paths);
  refusePartialImport(archive);
  const memory = options.memory ?? new ImportMemory();
  const report = new ImportReport({ ...options, told: memory.told });
  const rules = readIgnoreRules(archive.paths.dir, options);
  using times = new FileTimes(archive.paths);
  const reuseContent = options.reuseContent ?? archive.keepsHistory;
  const table = memory.table?.head === archive.version ? memory.table : undefined;
  const { onCommit } = options;
  const writer = new ImportWriter(archive, {
    ...{ rules, times, report, reuseContent, table, onCommit },
  });
  memory.table = writer.table;
  const scope = new ImportScope(options.only);
  const walk = new ImportWalk(archive, { rules, times, report, writer, scope });
  try {
    await walk.run();
  } catch (error) {
    memory.table = undefined; // it counts entries that may never be appended
    // What is there is kept, so that the next run goes on from here.
    if (error instanceof InterruptedError) writer.commit();
    throw error;
  }
  writer.commit();
  memory.hasLinks = walk.hasLinks || (options.only !== undefined && memory.hasLinks);
  return report.summary();
}

/** @throws {StorageError} If there is no such folder. */
function realRoot(dir: string): string {
  try {
    return Deno.realPathSync(dir);
  } catch (error) {
    throw storageError(`Cannot read the folder "${dir}"`, error);
  }
}

interface Parts {
  readonly rules: IgnoreRules;
  readonly times: FileTimes;
  readonly report: ImportReport;
  readonly writer: ImportWriter;
  readonly scope: ImportScope;
}

/** A folder on the way. */
interface Visit {
  /** Names from the archive's folder down to it. */
  readonly names: readonly string[];
  readonly place: FolderPlace;
  readonly parent?: Visit;
  /** Whether all of it is to be looked at. */
  readonly whole: boolean;
  /** What takes part, by name, in the order of names. */
  readonly items: Map<string, FolderItem>;
  /** Names in it that are in each other's way on some systems, once somebody asked. */
  clashes?: Map<string, string>;
  /** Names that a warning was about. */
  readonly warned: Set<string>;
}

class ImportWalk {
  readonly #archive: Archive;
  readonly #root: string;
  readonly #links: LinkedFolders;
  readonly #rules: IgnoreRules;
  readonly #times: FileTimes;
  readonly #report: ImportReport;
  readonly #writer: ImportWriter;
  readonly #scope: ImportScope;
  /** Whether a link was met. */
  hasLinks = false;
  /** The file that came before all others, as an earlier import had begun it. */
  #resumed?: string;

  constructor(archive: Archive, { rules, times, report, writer, scope }: Parts) {
    this.#archive = archive;
    this.#root = archive.paths.dir;
    this.#links = new LinkedFolders(realRoot(this.#root));
    this.#scope = scope;
    this.#rules = rules;
    this.#times = times;
    this.#report = report;
    this.#writer = writer;
  }

  async run(): Promise<void> {
    this.#report.checkStopped();
    this.#resumed = await this.#writer.resume();
    const whole = this.#scope.names("");
    await this.#importFolder({ names: [], place: this.#links.top, whole });
  }

  /** Depth first, so that an archive of the same folder is always made in the same order. */
  async #importFolder(
    { names, place, parent, whole }: Pick<Visit, "names" | "place" | "parent" | "whole">,
  ) {
    const listed = this.#list(names, place);
    if (listed === undefined) return;
    const items = new Map<string, FolderItem>();
    const local: FolderItem[] = [];
    for (const item of listed) {
      const isAsked = whole || this.#scope.touches([...names, item.name].join("/"));
      if (!this.#considers(item, names, isAsked)) continue;
      items.set(item.name, item);
      if (isAsked) local.push(item);
    }
    this.#warnIfLarge(names, items.size);
    const visit: Visit = { names, place, parent, whole, items, warned: new Set() };
    const hasModes = Deno.build.os !== "windows";
    const archived = this.#archived(visit);
    const stats = new Map(archived.map(({ name, stat }) => [name, stat]));
    const steps = planDirectory(local, archived, { hasModes });
    for (const step of steps) {
      await this.#report.takeTurn();
      const inside = [...names, step.name];
      const path = `/${inside.join("/")}`;
      switch (step.kind) {
        case "delete":
          this.#writer.delete(path);
          break;
        case "delete-below":
          this.#deleteBelow(path, { all: items.has(step.name) });
          break;
        case "compare":
          if (await this.#writer.isSame(inside, items.get(step.name)!)) {
            this.#report.counts.same++;
            break;
          }
          await this.#put(visit, step.name);
          break;
        case "put":
          await this.#put(visit, step.name);
          break;
        case "same":
          if (path === this.#resumed) {
            this.#checkName(visit, step.name);
            break;
          }
          // Where the bits of its blocks were lost, nobody would be served; its bytes bring them back.
          if (
            this.#writer.holds(stats.get(step.name)!) ||
            await this.#writer.isSame(inside, items.get(step.name)!)
          ) {
            this.#report.counts.same++;
            break;
          }
          await this.#put(visit, step.name);
          break;
        case "enter":
          await this.#importFolder({
            names: inside,
            place: this.#links.below(place, items.get(step.name)!),
            parent: visit,
            whole: whole || this.#scope.names(inside.join("/")),
          });
          break;
        default:
          unreachable(step);
      }
    }
  }

  async #put(visit: Visit, name: string): Promise<void> {
    const item = visit.items.get(name)!;
    if (await this.#writer.put([...visit.names, name], item)) this.#checkName(visit, name);
  }

  /** What lies in a folder. One below the archive's own that cannot be read stays as it was. */
  #list(names: readonly string[], place: FolderPlace): FolderItem[] | undefined {
    const path = join(this.#root, ...names);
    try {
      return this.#links.list(path, place);
    } catch (error) {
      if (!(error instanceof StorageError) || names.length === 0) throw error;
      if (lookAt(path) !== undefined) this.#report.skip(names.join("/"), error.message);
      return undefined;
    }
  }

  /** Whether a name takes part; says why not where it is asked for and that may surprise. */
  #considers(item: FolderItem, names: readonly string[], isAsked: boolean): boolean {
    const inside = [...names, item.name];
    const relative = inside.join("/");
    if (relative === ".dat") return false;
    const isFolder = item.kind === "directory";
    // A folder that is left out may hold a file that is not: the rules are asked about files.
    if (isFolder ? !this.#rules.entersFolder(relative) : this.#rules.ignores(relative)) {
      return false;
    }
    this.hasLinks ||= item.isLink === true;
    const named = archivePath(inside);
    const reason = item.reason ?? (named.kind === "refused" ? named.reason : undefined);
    if (reason === undefined) return true;
    if (isAsked) {
      this.#report.skip(relative, isFolder ? `${reason}, and so has everything below it` : reason);
    }
    return false;
  }

  /** What the archive has in a folder, without what is left out: that stays as it is. */
  #archived({ names, whole }: Visit): (ArchivedItem & { readonly stat?: Stat })[] {
    const archived: (ArchivedItem & { readonly stat?: Stat })[] = [];
    for (const { name, file, folder } of this.#writer.table.list(`/${names.join("/")}`)) {
      const relative = [...names, name].join("/");
      if (!whole && !this.#scope.touches(relative)) continue;
      if (folder ? !this.#rules.entersFolder(relative) : this.#rules.ignores(relative)) continue;
      const stat = file === undefined ? undefined : this.#archive.entry(file)?.stat;
      const fileTime = file === undefined ? undefined : this.#times.get(file);
      archived.push({ name, stat, fileTime, folder });
    }
    return archived;
  }

  /** `all`: a file took the folder's place, so what is left out otherwise has to go as well. */
  #deleteBelow(path: string, options: { all: boolean }): void {
    for (const file of this.#writer.table.filesBelow(path)) {
      if (options.all || !this.#rules.ignores(file.slice(1))) this.#writer.delete(file);
    }
  }

  #warnIfLarge(names: readonly string[], count: number): void {
    if (count <= LARGE_FOLDER) return;
    const folder = names.length === 0 ? "." : names.join("/");
    this.#report.warn(
      "large-folder",
      `"${folder}" has ${count} names: every change in it costs as many bytes of metadata; ` +
        "spread the files over more folders",
      folder,
    );
  }

  /** A file was put: warn if it, or a folder on the way to it, has a name not for every system. */
  #checkName(visit: Visit, name: string): void {
    if (visit.parent !== undefined) {
      this.#checkName(visit.parent, visit.names[visit.names.length - 1]);
    }
    if (visit.warned.has(name)) return;
    visit.warned.add(name);
    const relative = [...visit.names, name].join("/");
    const fault = portabilityFault(name);
    if (fault !== undefined) this.#report.warn("unportable-name", `"${relative}" ${fault}`);
    visit.clashes ??= nameClashes(visit.items.keys());
    const other = visit.clashes.get(name);
    if (other === undefined || visit.warned.has(`/${other}`)) return;
    visit.warned.add(`/${name}`); // no name begins with a slash
    this.#report.warn(
      "unportable-name",
      `"${relative}" and "${other}" are one name where case or Unicode normalisation do not count: ` +
        "only one of them can be written on Windows and macOS",
    );
  }
}
