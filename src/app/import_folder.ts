/**
 * Bring an archive up to what its folder holds: new and changed files are put, missing ones deleted.
 * The working files are the content, so only hashes are stored; everything is signed in batches,
 * content before the metadata that points at it. Source: spec of the drive, sections 11 and 12.
 */
import { join } from "node:path";
import { RangeSet } from "../base/ranges.ts";
import { InterruptedError, StorageError, unreachable } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { type ArchivedItem, planDirectory } from "../core/archive/diff_folder.ts";
import type { Stat } from "../core/archive/entry.ts";
import { FolderTable } from "../core/archive/folder_table.ts";
import { compileIgnore } from "../core/archive/ignore_rules.ts";
import { archivePath } from "../core/archive/safe_path.ts";
import { runLookup } from "../core/archive/steps.ts";
import type { Hashed } from "../crypto/hash.ts";
import { FileReader, type ReadFile } from "../io/file_blocks.ts";
import { type FolderItem, listFolder, lookAt } from "../io/folder.ts";
import { delay, nextTurn } from "../io/pause.ts";
import { readSmallFile } from "./archive_folder.ts";
import { type Emit, PROGRESS_MS } from "./events.ts";
import type { Archive } from "./open_archive.ts";

/** What an import did. */
export interface ImportSummary {
  readonly put: number;
  readonly deleted: number;
  readonly same: number;
  readonly skipped: number;
  /** Bytes of the files that were put. */
  readonly bytes: number;
  readonly seconds: number;
}

/** A batch is signed and brought to disk after so much time: what a kill can cost. */
const BATCH_MS = 2000;

/** ... or so many blocks, which bounds the memory that their hashes take. */
const BATCH_BLOCKS = 16 * 1024;

/** ... or, where the archive keeps the bytes themselves, so many of those. */
const BATCH_BYTES = 8 * 1024 * 1024;

/** A file that changes while it is read is read again this often. */
const READ_TRIES = 3;

/**
 * File times come from a coarse clock: a file that was changed this recently may be changed again
 * without its time telling. It is read only when that has passed.
 */
const SETTLE_MS = 20;

/** Other work gets its turn after so long. */
const TURN_MS = 50;

/** Names in one folder above which the format itself gets expensive. */
const LARGE_FOLDER = 10_000;

export interface ImportOptions {
  readonly world: World;
  readonly emit: Emit;
  /** Aborted with the reason to throw: what is done so far is kept. */
  readonly signal: AbortSignal;
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
  const job = new ImportJob(archive, options);
  try {
    await job.importFolder([]);
  } catch (error) {
    // What is complete is kept, so that the next run goes on from here.
    if (error instanceof InterruptedError) job.commit();
    throw error;
  }
  job.commit();
  return job.summary();
}

class ImportJob {
  readonly #archive: Archive;
  readonly #options: ImportOptions;
  readonly #root: string;
  readonly #realRoot: string;
  readonly #rules: IgnoreRules;
  readonly #table: FolderTable;
  readonly #reader = new FileReader();
  readonly #startedAt: number;
  readonly #counts = { put: 0, deleted: 0, same: 0, skipped: 0, bytes: 0 };

  // The batch: entries that wait for their content to be on disk first.
  #leaves: Hashed[] = [];
  #blocks: Uint8Array[] = [];
  #batchBytes = 0;
  #entries: Uint8Array[] = [];
  readonly #replaced = new RangeSet();
  /** Content length and byte length with the batch counted in. */
  #length: number;
  #byteLength: number;
  #batchAt: number;
  #turnAt: number;
  #toldAt = 0;

  constructor(archive: Archive, options: ImportOptions) {
    this.#archive = archive;
    this.#options = options;
    this.#root = archive.paths.dir;
    this.#realRoot = Deno.realPathSync(this.#root);
    this.#rules = ignoreRules(this.#root);
    this.#table = runLookup(FolderTable.load(archive.version), archive.entry);
    const content = archive.openContent();
    this.#length = content.length;
    this.#byteLength = content.byteLength;
    const now = options.world.clock.monotonic();
    this.#startedAt = now;
    this.#batchAt = now;
    this.#turnAt = now;
  }

  summary(): ImportSummary {
    const seconds = (this.#now() - this.#startedAt) / 1000;
    return { ...this.#counts, seconds };
  }

  /** Depth first, so that an archive of the same folder is always made in the same order. */
  async importFolder(components: readonly string[]): Promise<void> {
    const local = new Map<string, FolderItem>();
    const items = this.#list(components);
    if (items === undefined) return;
    for (const item of items) {
      if (this.#considers(item, components)) local.set(item.name, item);
    }
    if (local.size > LARGE_FOLDER) {
      this.#warn(
        "large-folder",
        `"${
          display(components)
        }" has ${local.size} names: every change in it costs as many bytes ` +
          "of metadata; spread the files over more folders",
      );
    }
    const steps = planDirectory([...local.values()], this.#archived(components));
    for (const step of steps) {
      await this.#takeTurn();
      const inside = [...components, step.name];
      switch (step.kind) {
        case "delete":
          this.#delete(pathOf(inside));
          break;
        case "delete-below":
          this.#deleteBelow(inside, { all: local.has(step.name) });
          break;
        case "put":
          await this.#put(inside, local.get(step.name)!);
          break;
        case "same":
          this.#counts.same++;
          break;
        case "enter":
          await this.importFolder(inside);
          break;
        default:
          unreachable(step);
      }
    }
  }

  /** Sign what waits and bring it to disk, content before the metadata that points at it. */
  commit(): void {
    const { metadata } = this.#archive;
    const content = this.#archive.openContent();
    if (this.#entries.length === 0) return;
    if (this.#leaves.length > 0) {
      if (this.#archive.contentFiles === undefined) content.append(this.#blocks);
      else content.appendLeaves(this.#leaves);
    }
    for (const range of this.#replaced) content.clear(range);
    content.commit({ durable: true });
    metadata.append(this.#entries);
    metadata.commit({ durable: true });
    this.#leaves = [];
    this.#blocks = [];
    this.#batchBytes = 0;
    this.#entries = [];
    this.#replaced.clear();
    this.#batchAt = this.#now();
  }

  /** What lies in a folder. One below the archive's own that cannot be read stays as it was. */
  #list(components: readonly string[]): FolderItem[] | undefined {
    const path = join(this.#root, ...components);
    try {
      return listFolder(path, this.#realRoot);
    } catch (error) {
      if (!(error instanceof StorageError) || components.length === 0) throw error;
      if (lookAt(path) !== undefined) this.#skip(components.join("/"), error.message);
      return undefined;
    }
  }

  /** Whether a name takes part; says why where that may surprise. */
  #considers(item: FolderItem, components: readonly string[]): boolean {
    const inside = [...components, item.name];
    const relative = inside.join("/");
    if (relative === ".dat") return false;
    // A folder that is left out may hold a file that is not: the rules are asked about files.
    if (item.kind === "directory") return this.#entersFolder(relative);
    if (this.#rules.ignores(relative)) return false;
    const named = archivePath(inside);
    const reason = item.reason ?? (named.kind === "refused" ? named.reason : undefined);
    if (reason === undefined) return true;
    this.#skip(relative, reason);
    return false;
  }

  /** An ignored folder is entered only where a rule may bring back something in it. */
  #entersFolder(relative: string): boolean {
    if (this.#rules.bringsBack || !this.#rules.ignores(relative)) return true;
    const isWellKnown = relative === ".well-known" || relative.endsWith("/.well-known");
    return isWellKnown && !this.#rules.ignores(`${relative}/dat`);
  }

  /** What the archive has in a folder, without what is left out: that stays as it is. */
  #archived(components: readonly string[]): ArchivedItem[] {
    const items: ArchivedItem[] = [];
    for (const { name, file, folder } of this.#table.list(pathOf(components))) {
      const relative = [...components, name].join("/");
      if (folder ? !this.#entersFolder(relative) : this.#rules.ignores(relative)) continue;
      const stat = file === undefined ? undefined : this.#archive.entry(file)?.stat;
      items.push({ name, stat, folder });
    }
    return items;
  }

  async #put(components: readonly string[], item: FolderItem): Promise<void> {
    const { clock } = this.#options.world;
    const path = pathOf(components);
    const relative = components.join("/");
    const wait = item.mtime + SETTLE_MS - clock.wall();
    if (wait > 0) await delay(Math.min(wait, SETTLE_MS));
    // Before the first byte is read, and earlier by what the clock of file times may lag behind: a
    // change from here on shows by a later file time.
    const importedAt = Math.floor(clock.wall()) - SETTLE_MS;
    const read = await this.#readStable(relative);
    if (read === undefined) return;
    this.#forgetContentOf(path);
    const stat: Stat = {
      mode: item.mode,
      uid: 0,
      gid: 0,
      size: read.size,
      blocks: read.leaves.length,
      offset: this.#length,
      byteOffset: this.#byteLength,
      mtime: importedAt,
      ctime: importedAt,
    };
    this.#entries.push(this.#table.put(path, stat, this.#nextEntry()));
    for (const leaf of read.leaves) this.#leaves.push(leaf);
    for (const block of read.blocks) this.#blocks.push(block);
    if (read.blocks.length > 0) this.#batchBytes += read.size;
    this.#length += read.leaves.length;
    this.#byteLength += read.size;
    this.#counts.put++;
    this.#counts.bytes += read.size;
    this.#tell(relative, 0);
    this.#commitIfDue();
  }

  /** A file as it was at one moment, or undefined if it does not hold still or cannot be read. */
  async #readStable(relative: string): Promise<ReadFile | undefined> {
    const path = join(this.#root, relative);
    const keepBlocks = this.#archive.contentFiles === undefined;
    for (let tries = 0; tries < READ_TRIES; tries++) {
      let bytes = 0;
      const onBytes = (count: number) => {
        bytes += count;
        this.#tell(relative, bytes);
        return this.#takeTurn();
      };
      try {
        const read = await this.#reader.read(path, { keepBlocks, onBytes });
        if (read.stable) return read;
      } catch (error) {
        if (!(error instanceof StorageError) || this.#options.signal.aborted) throw error;
        // One file that cannot be read must not keep the others out of the archive.
        if (lookAt(path) !== undefined) this.#skip(relative, error.message);
        return undefined;
      }
    }
    this.#skip(relative, "changes while it is read; it stays as it was until the next import");
    return undefined;
  }

  /** `all`: a file took the folder's place, so what is left out otherwise has to go as well. */
  #deleteBelow(components: readonly string[], options: { all: boolean }): void {
    for (const path of this.#table.filesBelow(pathOf(components))) {
      if (options.all || !this.#rules.ignores(path.slice(1))) this.#delete(path);
    }
  }

  #delete(path: string): void {
    this.#forgetContentOf(path);
    this.#entries.push(this.#table.delete(path, this.#nextEntry()));
    this.#counts.deleted++;
    this.#commitIfDue();
  }

  /** The bytes of a replaced or deleted file are not in the folder any more. */
  #forgetContentOf(path: string): void {
    const seq = this.#table.file(path);
    // An entry of the batch itself has nothing stored yet that could be given up.
    if (seq === undefined || seq > this.#archive.version) return;
    const stat = this.#archive.entry(seq)?.stat;
    if (stat === undefined || stat.blocks === 0 || this.#archive.contentFiles === undefined) return;
    this.#replaced.add(stat.offset, stat.offset + stat.blocks);
  }

  #nextEntry(): number {
    return this.#archive.metadata.length + this.#entries.length;
  }

  #commitIfDue(): void {
    const due = this.#now() - this.#batchAt >= BATCH_MS || this.#leaves.length >= BATCH_BLOCKS ||
      this.#batchBytes >= BATCH_BYTES;
    if (due) this.commit();
  }

  async #takeTurn(): Promise<void> {
    if (this.#now() - this.#turnAt >= TURN_MS) {
      await nextTurn();
      this.#turnAt = this.#now();
    }
    this.#options.signal.throwIfAborted();
  }

  #skip(relative: string, reason: string): void {
    this.#counts.skipped++;
    this.#warn("skipped", `Skipped "${relative}": ${reason}`);
  }

  #warn(code: string, message: string): void {
    this.#options.emit({ event: "warning", code, message });
  }

  /** `bytes` of the file that is being read now come on top of what is counted. */
  #tell(path: string, bytes: number): void {
    if (this.#now() - this.#toldAt < PROGRESS_MS) return;
    this.#toldAt = this.#now();
    const files = this.#counts.put;
    this.#options.emit({
      event: "importing",
      files,
      bytes: this.#counts.bytes + bytes,
      path,
    });
  }

  #now(): number {
    return this.#options.world.clock.monotonic();
  }
}

interface IgnoreRules {
  readonly ignores: (path: string) => boolean;
  /** A negated pattern may bring back files of a folder that is ignored as such. */
  readonly bringsBack: boolean;
}

function ignoreRules(root: string): IgnoreRules {
  const file = readSmallFile(join(root, ".datignore"));
  const datignore = file === undefined ? undefined : new TextDecoder().decode(file);
  const ignores = compileIgnore({
    datignore,
    isDirectory: (name) => lookAt(join(root, name))?.isDirectory ?? false,
    ignoreHidden: true,
  });
  return { ignores, bringsBack: datignore !== undefined && /^\s*!/m.test(datignore) };
}

function pathOf(components: readonly string[]): string {
  return "/" + components.join("/");
}

function display(components: readonly string[]): string {
  return components.length === 0 ? "." : components.join("/");
}
