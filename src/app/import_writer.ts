/**
 * The changes of an import, one path at a time: a file's content is hashed and appended, and its
 * entry after it. Every few seconds everything so far is signed and on disk, in the middle of a
 * large file as well. Source: spec of the drive, sections 6, 7 and 11.
 */
import { join } from "node:path";
import { StorageError } from "../base/errors.ts";
import type { Stat } from "../core/archive/entry.ts";
import { FolderTable } from "../core/archive/folder_table.ts";
import { archivePath } from "../core/archive/safe_path.ts";
import { runLookup } from "../core/archive/steps.ts";
import type { Hashed } from "../crypto/hash.ts";
import type { Range } from "../base/ranges.ts";
import { fileMatches, FileReader } from "../io/file_blocks.ts";
import { type FolderItem, lookAt, realPath } from "../io/folder.ts";
import { delay } from "../io/pause.ts";
import type { FileTimes } from "./file_times.ts";
import type { IgnoreRules } from "./ignore_file.ts";
import { ImportBatch, type PlacedContent } from "./import_batch.ts";
import {
  type ImportNote,
  notedFile,
  readImportNote,
  removeImportNote,
  writeImportNote,
} from "./import_note.ts";
import type { ImportReport } from "./import_report.ts";
import { type FoundContent, KnownContent } from "./known_content.ts";
import type { Archive } from "./open_archive.ts";

/** A batch is signed and brought to disk after so much time: what a kill can cost. */
const BATCH_MS = 2000;

/** ... or so many blocks, which bounds the memory that their hashes take. */
const BATCH_BLOCKS = 16 * 1024;

/** ... or so many bytes of entries and, where the archive keeps them, of blocks. */
const BATCH_BYTES = 8 * 1024 * 1024;

/** A file that changes while it is read is read again this often. */
const READ_TRIES = 3;

/**
 * File times come from a coarse clock: a file that was changed this recently may be changed again
 * without its time telling. It is read only when that has passed.
 */
const SETTLE_MS = 20;

export interface WriterOptions {
  readonly rules: IgnoreRules;
  readonly times: FileTimes;
  readonly report: ImportReport;
  /** Look for a file's content among what the archive has; see `KnownContent`. */
  readonly reuseContent: boolean;
  /** What is live, if somebody knows. */
  readonly table?: FolderTable;
  /** See `ImportOptions`. */
  readonly onCommit?: (found: readonly Range[]) => void;
}

export class ImportWriter {
  /** What is live, with everything that waits for a commit. */
  readonly table: FolderTable;
  readonly #archive: Archive;
  readonly #rules: IgnoreRules;
  readonly #times: FileTimes;
  readonly #report: ImportReport;
  readonly #batch: ImportBatch;
  readonly #known?: KnownContent;
  readonly #onCommit?: (found: readonly Range[]) => void;
  readonly #reader = new FileReader();
  /** The file that is being read. */
  #current?: { readonly names: readonly string[]; readonly item: FolderItem };
  /** Whether there may be a note on disk. */
  #noted = true;
  #batchAt: number;
  /** Why a commit failed: not a matter of the file that was just being read. */
  #failure: unknown;

  constructor(archive: Archive, options: WriterOptions) {
    const { rules, times, report, table } = options;
    this.#archive = archive;
    this.#rules = rules;
    this.#onCommit = options.onCommit;
    this.#times = times;
    this.#report = report;
    this.#batch = new ImportBatch(archive);
    this.table = table ?? runLookup(FolderTable.load(archive.version), archive.entry);
    if (options.reuseContent) {
      this.#known = new KnownContent(archive, { table: this.table, isLeftOut: rules.ignores });
    }
    this.#batchAt = report.now();
  }

  /**
   * Finish the file that a killed import was in the middle of, if it is still the same.
   *
   * @returns Its path in the archive, if there was one and it is complete now.
   */
  async resume(): Promise<string | undefined> {
    const { paths } = this.#archive;
    const note = readImportNote(paths);
    if (note === undefined || !this.#continues(note)) return undefined;
    const item = notedFile(note, paths.dir);
    if (item === undefined) return undefined;
    const isPut = await this.put(note.names, item, note.blocks);
    this.commit();
    return isPut ? pathOf(note.names) : undefined;
  }

  /**
   * Put a file as it is on disk now.
   *
   * @param known Its first blocks are the next orphans: so many.
   * @returns False if it cannot be had as it was at one moment; that is told.
   */
  async put(names: readonly string[], item: FolderItem, known = 0): Promise<boolean> {
    this.#known?.prepare();
    const path = pathOf(names);
    await this.#settle(item);
    // Before the first byte is read, and earlier by what the clock of file times may lag behind: a
    // change from here on shows by a later file time.
    const importedAt = Math.floor(this.#report.wall()) - SETTLE_MS;
    this.#current = { names, item };
    const placed = await this.#place(names, item, known);
    this.#current = undefined;
    if (placed === undefined) return false;
    const { content, gone } = placed;
    // In one batch, or a kill in between would leave two paths with the same blocks.
    if (gone !== undefined) this.#deleteEntry(gone);
    this.#forgetContentOf(path);
    if (placed.reused) this.#batch.reuse(content);
    const stat: Stat = {
      ...{ mode: item.mode, uid: 0, gid: 0 },
      ...content,
      ...{ mtime: importedAt, ctime: importedAt },
    };
    const seq = this.#batch.nextEntry;
    this.#batch.addEntry(this.table.put(path, stat, seq));
    this.#times.set(seq, item.mtime);
    this.#report.appended("put", path, content.size);
    this.#report.tell(names.join("/"), 0);
    this.#commitIfDue();
    return true;
  }

  /** Whether all blocks of an entry count as here. */
  holds({ offset, blocks }: Stat): boolean {
    return this.#archive.openContent().nextMissing(offset, offset + blocks) === -1;
  }

  /** Whether a file has the bytes that its entry has; if so, its time is noted. */
  async isSame(names: readonly string[], item: FolderItem): Promise<boolean> {
    const seq = this.table.file(pathOf(names))!;
    const stat = this.#archive.entry(seq)?.stat;
    if (stat === undefined) return false;
    const content = this.#archive.openContent();
    const { size, blocks, offset } = stat;
    const leaf = (n: number) => content.node(2 * (offset + n));
    const target = join(this.#archive.paths.dir, ...names);
    await this.#settle(item);
    try {
      const onBytes = this.#listener(names.join("/"));
      // A link stands for the file it leads to.
      const real = realPath(target) ?? target;
      if (!await fileMatches(real, { size, blocks, leaf }, onBytes)) return false;
    } catch (error) {
      if (this.#isFatal(error)) throw error;
      return false; // putting it says why
    }
    // Blocks are given up when their bytes are found to be others, and they may have come back.
    if (this.#archive.contentFiles !== undefined) this.#batch.found(stat);
    else if (content.nextMissing(offset, offset + blocks) !== -1) return false;
    this.#times.set(seq, item.mtime);
    return true;
  }

  /** Delete what was put at a path, if it is there. */
  delete(path: string): void {
    if (this.table.file(path) === undefined) return; // it was renamed
    this.#known?.prepare();
    this.#deleteEntry(path);
    this.#commitIfDue();
  }

  /** Sign what waits and bring it to disk, content before the metadata that points at it. */
  commit(): void {
    try {
      const found = this.#batch.commit();
      if (found !== undefined) this.#onCommit?.(found);
      this.#times.flush();
      this.#takeNote();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    this.#batchAt = this.#report.now();
  }

  /** Wait until a change that comes now would show by the file's time. */
  async #settle({ mtime }: FolderItem): Promise<void> {
    const wait = mtime + SETTLE_MS - this.#report.wall();
    if (wait > 0) await delay(Math.min(wait, SETTLE_MS));
  }

  /** Whether an error is about more than the one file that was being read. */
  #isFatal(error: unknown): boolean {
    return !(error instanceof StorageError) || error === this.#failure || this.#report.stopped;
  }

  #deleteEntry(path: string): void {
    this.#forgetContentOf(path);
    this.#batch.addEntry(this.table.delete(path, this.#batch.nextEntry));
    this.#report.appended("del", path);
  }

  /** The bytes of a replaced or deleted file are not in the folder any more. */
  #forgetContentOf(path: string): void {
    const seq = this.table.file(path);
    // An entry of the batch itself has nothing stored yet that could be given up.
    if (seq === undefined || seq > this.#archive.version) return;
    const stat = this.#archive.entry(seq)?.stat;
    if (stat !== undefined) this.#batch.forget(stat);
  }

  /** Find or append a file's content; undefined if it does not hold still or cannot be read. */
  async #place(
    names: readonly string[],
    item: FolderItem,
    known: number,
  ): Promise<FoundContent & { reused: boolean } | undefined> {
    const relative = names.join("/");
    const target = join(this.#archive.paths.dir, ...names);
    try {
      const found = known === 0 && await this.#known?.find(pathOf(names), {
        target,
        size: item.size,
      }, { reader: this.#reader, onBytes: this.#listener(relative) });
      if (found) return { ...found, reused: true };
      const content = await this.#append(target, { relative, item, known });
      if (content !== undefined) return { content, reused: false };
      const reason = "changes while it is read; it stays as it was until the next import";
      this.#report.skip(relative, reason);
    } catch (error) {
      if (this.#isFatal(error)) throw error;
      // One file that cannot be read must not keep the others out of the archive.
      this.#batch.abandonFile();
      if (lookAt(target) !== undefined) {
        this.#report.skip(relative, (error as StorageError).message);
      }
    }
    return undefined;
  }

  /** Append a file as it was at one moment, or undefined if there is none. */
  async #append(
    target: string,
    { relative, item, known }: { relative: string; item: FolderItem; known: number },
  ): Promise<PlacedContent | undefined> {
    let from = known;
    for (let tries = 0; tries < READ_TRIES;) {
      if (!this.#batch.beginFile(from)) this.#batch.beginFile(from = 0);
      let fits = true;
      const onBlock = (leaf: Hashed, bytes: Uint8Array) => fits = this.#batch.addBlock(leaf, bytes);
      const onBytes = this.#listener(relative);
      const { stable } = await this.#reader.stream(target, { from, onBlock, onBytes });
      // What was not read now was read before the file was listed as it is.
      if (stable && (from === 0 || isStill(target, item))) return this.#batch.endFile();
      this.#batch.abandonFile();
      from = 0;
      // The orphans at its place are not this file's; it is read again to be appended after them.
      if (fits) tries++;
      else this.#batch.giveUpOrphans();
    }
    return undefined;
  }

  /** Called for every piece of a file that was read. */
  #listener(relative: string): (bytes: number) => Promise<void> {
    let done = 0;
    return (bytes) => {
      this.#report.tell(relative, done += bytes);
      this.#commitIfDue();
      return this.#report.takeTurn();
    };
  }

  #commitIfDue(): void {
    const { blocks, bytes } = this.#batch.waiting;
    const due = this.#report.now() - this.#batchAt >= BATCH_MS || blocks >= BATCH_BLOCKS ||
      bytes >= BATCH_BYTES;
    if (due) this.commit();
  }

  /** Say on disk which file the import is in the middle of, or that it is in none. */
  #takeNote(): void {
    const { paths } = this.#archive;
    const { unfinished } = this.#batch;
    if (unfinished !== undefined && this.#current !== undefined) {
      const { names, item: { size, mtime, ino } } = this.#current;
      writeImportNote(paths, { names, size, mtime, ino, ...unfinished });
      this.#noted = true;
    } else if (this.#noted) {
      removeImportNote(paths);
      this.#noted = false;
    }
  }

  /** Whether a note speaks of the next orphans, and the archive has room for its file as it is. */
  #continues({ names, place, blocks }: ImportNote): boolean {
    const { next, orphans } = this.#batch;
    if (place.block !== next.block || place.byte !== next.byte) return false;
    if (blocks > orphans || blocks < 1) return false;
    if (archivePath(names).kind === "refused" || this.#rules.ignores(names.join("/"))) return false;
    // What stands in its way in the archive is removed by the walk, which comes after this.
    const parents = names.map((_, k) => pathOf(names.slice(0, k))).slice(1);
    return parents.every((path) => this.table.file(path) === undefined) &&
      this.table.list(pathOf(names)).length === 0;
  }
}

/** Whether a file is the one that was listed. */
function isStill(target: string, { size, mtime, ino }: FolderItem): boolean {
  const info = lookAt(realPath(target) ?? target);
  return info?.size === size && info.mtime?.getTime() === mtime && (info.ino ?? 0) === ino;
}

function pathOf(names: readonly string[]): string {
  return "/" + names.join("/");
}
