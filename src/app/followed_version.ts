/**
 * The version that a folder was brought to, kept in memory while its archive is followed. What the
 * next version changes tells all that has to be looked at then: the cost of an update is that of
 * what changed, however large the archive is.
 *
 * Wherever a change may have to do with files that did not change (a name that was a file and is a
 * folder, content that two files share), it takes a whole plan.
 */
import { type Range, RangeSet } from "../base/ranges.ts";
import { foldName } from "../core/archive/clashes.ts";
import { changedFiles } from "../core/archive/diff_versions.ts";
import { kindOfMode } from "../core/archive/entry.ts";
import { runItems } from "../core/archive/steps.ts";
import { normalizePath } from "../core/archive/tree_path.ts";
import type { WalkedFile } from "../core/archive/walk.ts";
import type { FeedStore } from "../io/feed_store.ts";
import {
  type CheckoutPlan,
  foldsNames,
  planFiles,
  type PlannedFile,
  rangesOf,
  type VersionFiles,
} from "./checkout_plan.ts";
import type { Archive } from "./open_archive.ts";

/** What a newer version changes, where that can be told without the rest. */
export interface VersionUpdate {
  /** What comes, or comes in the place of something. */
  readonly put: VersionFiles;
  /** What goes, or is replaced. */
  readonly gone: readonly PlannedFile[];
}

/** By what a file that the archive put somewhere is known again. */
type Mark = Pick<PlannedFile, "size" | "mtime">;

/** The archive put something there; what it was, its history tells. */
const SOMETHING: Mark = { size: -1, mtime: -1 };

/** A file that is not in place yet. */
interface Pending {
  readonly file: PlannedFile;
  /** What the archive put there before. */
  readonly before?: Mark;
}

/** A folder that others are in. */
interface FolderNode {
  readonly path: string;
  /** How many live paths are below it. */
  below: number;
}

export class FollowedVersion {
  #version: number;
  readonly #key: (path: string) => string;
  /** Everything that is live: files, empty ones, and folders made on purpose. */
  readonly #live = new Map<string, PlannedFile>();
  readonly #folders = new Map<string, FolderNode>();
  /** By path. */
  readonly #kept = new Map<string, PlannedFile>();
  readonly #pending = new Map<string, Pending>();
  /** The content blocks of live files, and where more files than one begin. */
  readonly #blocks = new RangeSet();
  readonly #shared = new Set<number>();
  #files = 0;
  #bytes = 0;

  /**
   * @param files All that the plan's version has.
   * @param plan The plan by which the folder is brought to it, with everything selected.
   * @param found What was found there: files left to the user, and paths where the archive had put
   *   something that is replaced.
   * @returns Undefined if some of its files have no place, so that any change may give them one.
   */
  static from(
    files: VersionFiles,
    plan: CheckoutPlan,
    found: { kept: readonly PlannedFile[]; replaced: ReadonlySet<string> },
  ): FollowedVersion | undefined {
    if (files.refused > 0) return undefined;
    const all = [...files.files, ...files.emptyFiles, ...files.folders];
    if (!all.every(({ path }) => isPlain(path))) return undefined;
    const followed = new FollowedVersion(files.version);
    for (const file of all) followed.#add(file);
    for (const file of found.kept) followed.#keep(file);
    for (const file of [...plan.toPlace, ...plan.emptyFiles, ...plan.folders]) {
      const before = found.replaced.has(file.path) ? SOMETHING : undefined;
      followed.#pending.set(file.path, { file, before });
    }
    return followed;
  }

  private constructor(version: number) {
    this.#version = version;
    this.#key = foldsNames() ? foldName : (path) => path;
  }

  get version(): number {
    return this.#version;
  }

  /**
   * What the archive put at a path last.
   *
   * @param content The feed, where its blocks are the files.
   */
  placedAt(path: string, content: FeedStore | undefined): Mark | undefined {
    const live = this.#live.get(this.#key(path));
    if (live === undefined || live.path !== path || isFolder(live)) return undefined;
    const pending = this.#pending.get(path);
    return pending === undefined || isPlaced(pending.file, content) ? live : pending.before;
  }

  /**
   * What a newer version changes.
   *
   * @returns Undefined if it takes a whole plan.
   */
  changesTo(archive: Archive, version: number): VersionUpdate | undefined {
    const walked: WalkedFile[] = [];
    const gone: PlannedFile[] = [];
    for (const change of runItems(changedFiles(this.#version, version), archive.entry)) {
      if (change.type === "put") {
        if (!isPlain(change.path)) return undefined;
        walked.push(change);
        continue;
      }
      const live = this.#live.get(this.#key(change.path));
      if (live?.seq !== change.seq || live.path !== change.path) return undefined;
      gone.push(live);
    }
    const put = planFiles(archive, () => {}, { version, files: walked });
    const coming = [...put.files, ...put.emptyFiles, ...put.folders];
    if (put.refused > 0 || coming.length !== walked.length) return undefined;
    const fits = this.#namesFit(gone, coming) && this.#contentFits(gone, put.files);
    return fits ? { put, gone } : undefined;
  }

  /** What is not in place yet, without what an update replaces. */
  pendingWithout({ gone }: VersionUpdate, content: FeedStore | undefined): PlannedFile[] {
    const paths = new Set(gone.map(({ path }) => path));
    const pending = [...this.#pending.values()].map(({ file }) => file);
    return pending.filter((file) => !paths.has(file.path) && !isPlaced(file, content));
  }

  /**
   * The folder is being brought to the update's version: take that in.
   *
   * @param coming Those of `put` that are not in place yet, and `kept` those left to the user.
   */
  apply(
    { put, gone }: VersionUpdate,
    { coming, kept, content }: {
      coming: readonly PlannedFile[];
      kept: readonly PlannedFile[];
      content: FeedStore | undefined;
    },
  ): void {
    const before = new Map(gone.map(({ path }) => [path, this.placedAt(path, content)]));
    for (const file of gone) this.#remove(file);
    // Folders that become empty go with what was in them: those made on purpose are made again.
    for (const { path } of gone) {
      for (const above of foldersOf(path)) {
        const folder = this.#live.get(this.#key(above));
        if (folder !== undefined && isFolder(folder)) this.#pending.set(above, { file: folder });
      }
    }
    for (const [path, { file }] of [...this.#pending]) {
      if (isPlaced(file, content)) this.#pending.delete(path);
    }
    for (const file of [...put.files, ...put.emptyFiles, ...put.folders]) this.#add(file);
    for (const file of kept) this.#keep(file);
    for (const file of coming) {
      this.#pending.set(file.path, { file, before: before.get(file.path) });
    }
    this.#version = put.version;
  }

  /** Everything is in place. */
  complete(): void {
    this.#pending.clear();
  }

  /** What is left to be done for the version, as a plan. */
  plan(): CheckoutPlan {
    const pending = [...this.#pending.values()].map(({ file }) => file);
    const files = pending.filter((file) => !isFolder(file));
    const toPlace = files.filter(({ blocks }) => blocks > 0);
    return {
      version: this.#version,
      refused: 0,
      unselected: [],
      partial: false,
      files: toPlace,
      emptyFiles: files.filter(({ blocks }) => blocks === 0),
      folders: pending.filter(isFolder),
      toPlace,
      kept: this.#kept.size,
      ranges: this.#ranges(),
      wanted: [...rangesOf(toPlace)],
      bytes: this.#bytes,
      total: this.#files,
    };
  }

  #ranges(): Range[] {
    const ranges = new RangeSet(this.#blocks);
    for (const { offset, blocks } of this.#kept.values()) ranges.remove(offset, offset + blocks);
    return [...ranges];
  }

  /** Whether no name is in the way of one that did not change, nor the other way round. */
  #namesFit(gone: readonly PlannedFile[], coming: readonly PlannedFile[]): boolean {
    const removed = new Set(gone.map(({ path }) => this.#key(path)));
    const added = new Map(coming.map((file) => [this.#key(file.path), file]));
    const below = new Map<string, number>();
    const count = (file: PlannedFile, by: number) => {
      for (const folder of foldersOf(file.path)) {
        const key = this.#key(folder);
        below.set(key, (below.get(key) ?? this.#folders.get(key)?.below ?? 0) + by);
      }
    };
    for (const file of gone) count(file, -1);
    for (const file of coming) count(file, 1);
    const holdsOthers = (key: string) => (below.get(key) ?? this.#folders.get(key)?.below ?? 0) > 0;
    for (const file of gone) {
      // Deleted, or hidden by what came below it: the whole walk tells.
      const key = this.#key(file.path);
      if (!isFolder(file) && !added.has(key) && holdsOthers(key)) return false;
    }
    for (const file of coming) {
      const key = this.#key(file.path);
      const same = this.#live.get(key) ?? this.#folders.get(key);
      if (same !== undefined && same.path !== file.path) return false;
      if (!isFolder(file) && holdsOthers(key)) return false;
      for (const folder of foldersOf(file.path)) {
        const above = this.#key(folder);
        const standing = added.get(above) ??
          (removed.has(above) ? undefined : this.#live.get(above));
        if (standing !== undefined && (!isFolder(standing) || standing.path !== folder)) {
          return false;
        }
        const known = this.#folders.get(above);
        if (known !== undefined && known.path !== folder) return false;
      }
    }
    return true;
  }

  /** Whether files that come have blocks that no other file has. */
  #contentFits(gone: readonly PlannedFile[], coming: readonly PlannedFile[]): boolean {
    const left = new RangeSet(this.#blocks);
    for (const { offset, blocks } of gone) {
      if (blocks === 0) continue;
      if (this.#shared.has(offset)) return false;
      left.remove(offset, offset + blocks);
    }
    for (const { offset, blocks } of coming) {
      const next = left.next(offset);
      if (next !== -1 && next < offset + blocks) return false;
      left.add(offset, offset + blocks);
    }
    return true;
  }

  #add(file: PlannedFile): void {
    this.#live.set(this.#key(file.path), file);
    for (const path of foldersOf(file.path)) {
      const key = this.#key(path);
      const folder = this.#folders.get(key);
      if (folder === undefined) this.#folders.set(key, { path, below: 1 });
      else folder.below++;
    }
    if (isFolder(file)) return;
    this.#files++;
    if (file.blocks === 0) return;
    this.#bytes += file.size;
    if (this.#blocks.has(file.offset)) this.#shared.add(file.offset);
    this.#blocks.add(file.offset, file.offset + file.blocks);
  }

  /** Left to the user: not counted, and its blocks are not ours to want. */
  #keep(file: PlannedFile): void {
    this.#kept.set(file.path, file);
    this.#files--;
    if (file.blocks > 0) this.#bytes -= file.size;
  }

  /** Only files that share no blocks are removed: see `#contentFits`. */
  #remove(file: PlannedFile): void {
    this.#live.delete(this.#key(file.path));
    for (const path of foldersOf(file.path)) {
      const folder = this.#folders.get(this.#key(path))!;
      if (--folder.below === 0) this.#folders.delete(this.#key(path));
    }
    this.#pending.delete(file.path);
    if (isFolder(file)) return;
    if (!this.#kept.delete(file.path)) {
      this.#files--;
      if (file.blocks > 0) this.#bytes -= file.size;
    }
    this.#blocks.remove(file.offset, file.offset + file.blocks);
  }
}

function isFolder({ mode }: PlannedFile): boolean {
  return kindOfMode(mode) === "directory";
}

/** Whether a path is spelled as every other of its place is. */
function isPlain(path: string): boolean {
  return path === normalizePath(path);
}

/** Whether every block of a file lies under its name. */
function isPlaced({ offset, blocks }: PlannedFile, content: FeedStore | undefined): boolean {
  return blocks > 0 && content !== undefined && content.hasFinal(offset) &&
    content.nextMissing(offset, offset + blocks) === -1;
}

/** The folders that a path lies in, without the root. */
function* foldersOf(path: string): IterableIterator<string> {
  for (let end = path.indexOf("/", 1); end > 0; end = path.indexOf("/", end + 1)) {
    yield path.slice(0, end);
  }
}
