/**
 * What a folder holds differently from a version of its archive: by size, then by the hashes of its
 * blocks, then by permission bits; times do not count. What an import leaves out is left out here.
 */
import { join } from "node:path";
import { StorageError, UsageError } from "../base/errors.ts";
import { saysPermissions } from "../core/archive/diff_folder.ts";
import { kindOfMode, type Stat } from "../core/archive/entry.ts";
import { archivePath } from "../core/archive/safe_path.ts";
import { compareNames } from "../core/archive/tree_path.ts";
import type { WalkedFile } from "../core/archive/walk.ts";
import { fileMatches } from "../io/file_blocks.ts";
import { type FolderItem, lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import { type FolderPlace, LinkedFolders } from "../io/linked_folders.ts";
import type { ArchiveView } from "./archive_view.ts";
import type { ChangeKind, Difference, Side } from "./difference.ts";
import { type IgnoreRules, readIgnoreRules } from "./ignore_file.ts";
import { selectionOf } from "./selection_note.ts";

export interface FolderDiffOptions {
  /** Told of what cannot be compared, and why. `path` has no leading slash. */
  readonly onSkip: (path: string, reason: string) => void;
  /** How much has been read of the files that have to be read; in bytes. */
  readonly onProgress: (done: number, total: number, path: string) => void;
}

/** A file on disk, or a folder that the version has on purpose. */
type LocalItem = Pick<FolderItem, "kind" | "size" | "mode">;

/**
 * The paths that differ, in the order of a listing: what is only in the version was removed, what is
 * only in the folder was added. A name that an import leaves out is not looked at; in a copy of
 * somebody else's archive, though, every file of the version counts that is selected.
 *
 * @throws {UsageError} If the archive has no working files.
 * @throws {StorageError} If the folder cannot be read.
 * @throws {IncompleteError} If the metadata is not complete.
 */
export async function* diffFolder(
  view: ArchiveView,
  { onSkip, onProgress }: FolderDiffOptions,
): AsyncGenerator<Difference, void, void> {
  const { archive } = view;
  const root = archive.paths.dir;
  if (!archive.hasWorkingFiles) {
    throw new UsageError(`Cannot compare with "${root}": there are no working files in it`, {
      hint: "name two versions",
    });
  }
  const rules = readIgnoreRules(root);
  const selection = selectionOf(archive);
  const archived = new Map<string, WalkedFile>();
  const unselected = new Set<string>();
  for (const file of view.files()) {
    const folder = kindOfMode(file.stat.mode) === "directory";
    if (!selection.selects(file.path, { folder })) unselected.add(file.path);
    else if (!archive.owned || !rules.ignores(file.path.slice(1))) archived.set(file.path, file);
  }
  const local = new FolderScan(root, { rules, archived, onSkip }).run();
  const total = bytesToRead(archived, local);
  let done = 0;
  for (const path of sortListed(new Set([...archived.keys(), ...local.keys()]))) {
    if (unselected.has(path)) continue;
    const file = archived.get(path);
    const item = local.get(path);
    let same = false;
    if (file !== undefined && item !== undefined && isComparable(file.stat, item)) {
      const end = done + file.stat.size;
      const onBytes = (bytes: number) => onProgress(done += bytes, total, path.slice(1));
      try {
        same = file.stat.size === 0 || await hasBytes(view, file, onBytes);
      } catch (error) {
        // One file that cannot be read must not hide what the others are like.
        if (!(error instanceof StorageError)) throw error;
        onSkip(path.slice(1), error.message);
        continue;
      } finally {
        done = end; // a file that differs is not read to its end
      }
    }
    // The bits that give a program its owner's rights are not taken from strangers.
    const bits = archive.owned ? 0o7777 : 0o777;
    const found = difference(path, file, { item, same, bits });
    if (found !== undefined) yield found;
  }
}

/** In the order of `walkFiles`: folder by folder, within each by name. */
function sortListed(paths: Iterable<string>): string[] {
  const keyed = Array.from(paths, (path) => ({ path, key: path.replaceAll("/", "\0") }));
  return keyed.sort((a, b) => compareNames(a.key, b.key)).map(({ path }) => path);
}

/** Goes through the folder as an import does, and notes what lies there. */
class FolderScan {
  /** By path in the archive. */
  readonly #found = new Map<string, LocalItem>();
  readonly #root: string;
  readonly #links: LinkedFolders;
  readonly #rules: IgnoreRules;
  readonly #archived: ReadonlyMap<string, WalkedFile>;
  /** Folders in which the version has something, however they are called. */
  readonly #folders = new Set<string>();
  readonly #onSkip: FolderDiffOptions["onSkip"];

  constructor(root: string, options: {
    rules: IgnoreRules;
    archived: ReadonlyMap<string, WalkedFile>;
    onSkip: FolderDiffOptions["onSkip"];
  }) {
    this.#root = root;
    this.#links = new LinkedFolders(Deno.realPathSync(root));
    this.#rules = options.rules;
    this.#archived = options.archived;
    this.#onSkip = options.onSkip;
    for (const path of this.#archived.keys()) {
      for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
        const folder = path.slice(0, at);
        if (this.#folders.has(folder)) break;
        this.#folders.add(folder);
      }
    }
  }

  run(): ReadonlyMap<string, LocalItem> {
    this.#scan([], this.#links.top);
    return this.#found;
  }

  /** Depth first by name, so that the same links are followed as in an import. */
  #scan(names: readonly string[], place: FolderPlace): void {
    for (const item of this.#list(names, place)) {
      const inside = [...names, item.name];
      if (!this.#considers(item, inside)) continue;
      const path = `/${inside.join("/")}`;
      if (item.kind !== "directory") {
        this.#found.set(path, item);
        continue;
      }
      // A folder by itself is nothing, unless it was made on purpose.
      const mode = this.#archived.get(path)?.stat.mode;
      if (mode !== undefined && kindOfMode(mode) === "directory") this.#found.set(path, item);
      this.#scan(inside, this.#links.below(place, item));
    }
  }

  #list(names: readonly string[], place: FolderPlace): FolderItem[] {
    const path = join(this.#root, ...names);
    try {
      return this.#links.list(path, place);
    } catch (error) {
      if (!(error instanceof StorageError) || names.length === 0) throw error;
      if (lookAt(path) !== undefined) this.#onSkip(names.join("/"), error.message);
      return [];
    }
  }

  #considers(item: FolderItem, names: readonly string[]): boolean {
    const relative = names.join("/");
    const path = `/${relative}`;
    if (relative === ".dat") return false;
    const isIncluded = item.kind === "directory"
      ? this.#folders.has(path) || this.#rules.entersFolder(relative)
      : this.#archived.has(path) || !this.#rules.ignores(relative);
    if (!isIncluded) return false;
    const named = archivePath(names);
    const reason = item.reason ?? (named.kind === "refused" ? named.reason : undefined);
    if (reason !== undefined) this.#onSkip(relative, reason);
    return reason === undefined;
  }
}

function bytesToRead(
  archived: ReadonlyMap<string, WalkedFile>,
  local: ReadonlyMap<string, LocalItem>,
): number {
  let bytes = 0;
  for (const [path, { stat }] of archived) {
    const item = local.get(path);
    if (item !== undefined && isComparable(stat, item)) bytes += stat.size;
  }
  return bytes;
}

/** Whether only a look at the bytes can tell if they are the same. */
function isComparable(stat: Stat, item: LocalItem): boolean {
  return item.kind === "file" && kindOfMode(stat.mode) === "file" && item.size === stat.size;
}

function hasBytes(
  { archive }: ArchiveView,
  { path, stat }: WalkedFile,
  onBytes: (bytes: number) => void,
): Promise<boolean> {
  const { content } = archive;
  // A link inside the folder stands for the file it leads to, as in an import.
  const target = realPath(join(archive.paths.dir, path.slice(1)));
  const leaf = (n: number) => content?.node(2 * (stat.offset + n));
  return fileMatches(target, { size: stat.size, blocks: stat.blocks, leaf }, onBytes);
}

function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    throw storageError(`Cannot read "${path}"`, error);
  }
}

function difference(
  path: string,
  file: WalkedFile | undefined,
  { item, same, bits }: { item: LocalItem | undefined; same: boolean; bits: number },
): Difference | undefined {
  const before: Side | undefined = file &&
    { size: file.stat.size, mode: file.stat.mode, seq: file.seq };
  const after: Side | undefined = item && { size: item.size, mode: item.mode };
  if (before === undefined || after === undefined) {
    if (before === undefined && after === undefined) return undefined;
    return { path, change: before === undefined ? "added" : "removed", before, after };
  }
  const change = kindOfChange(before, after, { item: item!, same, bits });
  return change && { path, change, before, after };
}

function kindOfChange(
  before: Side,
  after: Side,
  { item, same, bits }: { item: LocalItem; same: boolean; bits: number },
): ChangeKind | undefined {
  if (item.kind === "directory") return undefined; // it was made on purpose, and is there
  if (!same) return "changed";
  // By the same rule as an import.
  const hasModes = Deno.build.os !== "windows" && saysPermissions(before.mode);
  return hasModes && ((before.mode ^ after.mode) & bits) !== 0 ? "mode" : undefined;
}
