/**
 * The writer's view of an archive: for each folder, its children and the newest entry through each.
 * From it the child index of the next entry is written down without a look into the feed, in time
 * proportional to the lists written.
 *
 * Source: spec of the drive, section 6; append-tree 2.4.4. The original takes a folder for empty
 * if all that is left in it is listed through delete entries, and files vanish; here every listed
 * child keeps its folder alive.
 */
import { LocalProtocolError, NotFoundError, TroveError } from "../../base/errors.ts";
import { encodeChildren } from "./children.ts";
import { encodeEntry, type Stat } from "./entry.ts";
import { type ChildName, Folder } from "./folder.ts";
import { type Branch, listFolder, type Listing, rootBranch } from "./folder_listing.ts";
import { budgetFor, need, type Steps } from "./steps.ts";
import { compareNames, joinPath, splitPath } from "./tree_path.ts";

/** A block and its proof must fit into a frame of 8 MiB. Source: limits, section 6. */
export const MAX_ENTRY_BYTES = 8 * 1024 * 1024 - 8 * 1024;

export interface TableItem {
  readonly name: string;
  /** The entry that put the child itself, if it was put. */
  readonly file?: number;
  /** Whether something lies below it. */
  readonly folder: boolean;
}

/** A folder on the way to a path, unless there is none so far. */
interface Step {
  readonly folder?: Folder;
  /** The entry of a file in the folder's place. */
  readonly file?: number;
}

export class FolderTable {
  readonly #root = new Folder();
  #head = 0;

  /**
   * The table of an archive at `version`, read with one visit to each live entry.
   *
   * @throws {IncompleteError} If an entry is not held.
   * @throws {ArchiveError} If the metadata is malformed.
   */
  static *load(version: number): Steps<never, FolderTable> {
    const table = new FolderTable();
    if (version < 1) return table;
    table.#head = version;
    const budget = budgetFor(version);
    const waiting: { folder: Folder; branch?: Branch }[] = [
      { folder: table.#root, branch: rootBranch(yield* need(version, budget)) },
    ];
    for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
      if (place.branch === undefined) continue;
      const listing = yield* listFolder(place.branch, budget);
      waiting.push(...fill(place.folder, listing));
    }
    return table;
  }

  /** The newest entry the table knows of; 0 for an archive without any. */
  get head(): number {
    return this.#head;
  }

  /** The entry that put `path`, or undefined if there is no such file. */
  file(path: string): number | undefined {
    const names = splitPath(path);
    const { folder, file } = this.#steps(names)[names.length];
    return folder === undefined ? file : folder.newest(null);
  }

  /** The children of a folder, by name. None if there is no such folder. */
  list(path: string): TableItem[] {
    const names = splitPath(path);
    const { folder } = this.#steps(names)[names.length];
    return folder === undefined ? [] : itemsOf(folder);
  }

  /** Every file below a folder: depth first, by name within each, a file before what is below. */
  filesBelow(path: string): string[] {
    const files: string[] = [];
    const waiting = [{ path: joinPath(splitPath(path)), file: false, folder: true }];
    for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
      if (place.file) files.push(place.path);
      if (!place.folder) continue;
      const base = place.path === "/" ? "" : place.path;
      for (const { name, file, folder } of this.list(place.path).reverse()) {
        waiting.push({ path: `${base}/${name}`, file: file !== undefined, folder });
      }
    }
    return files;
  }

  /**
   * The block of the entry that puts `path`, to be appended to the metadata feed as block `seq`.
   * The table counts it as appended; if that fails, load another.
   *
   * @throws {TroveError} If the entry gets too large for a block; the table is as before.
   * @throws {LocalProtocolError} If `seq` is not newer than the head.
   */
  put(path: string, stat: Stat, seq: number): Uint8Array {
    this.#checkNew(seq);
    const names = splitPath(path);
    const lists = this.#steps(names).map((step, k) => listWithout(step, keyOf(names, k)));
    for (const list of lists) list.push(seq);
    const block = encodeBlock({ path: joinPath(names), stat, lists, seq });
    this.#head = seq;
    let folder: Folder = this.#root;
    for (let k = 0; k < names.length; k++) {
      const file = folder.newest(names[k]);
      folder.touch(names[k], seq);
      let next = folder.folder(names[k]);
      if (k + 1 === names.length) {
        // A file with nothing below needs no folder of its own.
        next?.touch(null, seq);
        return block;
      }
      if (next === undefined) {
        next = new Folder();
        if (file !== undefined) next.touch(null, file);
        folder.setFolder(names[k], next);
      }
      folder = next;
    }
    folder.touch(null, seq);
    return block;
  }

  /**
   * The block of the entry that deletes `path`, to be appended to the metadata feed as block `seq`.
   * The table counts it as appended; if that fails, load another.
   *
   * @throws {NotFoundError} If there is no such file; a folder is none.
   * @throws {TroveError} If the entry gets too large for a block; the table is as before.
   * @throws {LocalProtocolError} If `seq` is not newer than the head.
   */
  delete(path: string, seq: number): Uint8Array {
    this.#checkNew(seq);
    if (this.file(path) === undefined) {
      throw new NotFoundError(`Cannot delete ${JSON.stringify(path)}: no such file in the archive`);
    }
    const names = splitPath(path);
    const steps = this.#steps(names);
    // The deepest folder that stays: one with any other child. A list never names a child with
    // nothing live below it, so this entry stands in for that folder in the lists above.
    let deepest = names.length;
    while (deepest > 0 && !steps[deepest].folder?.hasOthers(keyOf(names, deepest))) deepest--;
    const lists = steps.slice(0, deepest + 1).map((step, k) => listWithout(step, keyOf(names, k)));
    for (const list of lists.slice(0, -1)) list.push(seq);
    const block = encodeBlock({ path: joinPath(names), lists, seq });
    this.#head = seq;
    for (let k = 0; k < deepest; k++) steps[k].folder!.touch(names[k], seq);
    steps[deepest].folder!.remove(keyOf(names, deepest));
    return block;
  }

  #checkNew(seq: number): void {
    if (seq > this.#head) return;
    throw new LocalProtocolError(`Cannot write metadata entry ${seq} after entry ${this.#head}`);
  }

  /** The folders made of the first 0, 1, ... components, `names.length + 1` in all. */
  #steps(names: readonly string[]): Step[] {
    const steps: Step[] = [{ folder: this.#root }];
    for (let k = 0; k < names.length; k++) {
      const { folder } = steps[k];
      const next = folder?.folder(names[k]);
      steps.push(next === undefined ? { file: folder?.newest(names[k]) } : { folder: next });
    }
    return steps;
  }
}

/** The name under which folder `k` lists the path: null where the path ends. */
function keyOf(names: readonly string[], k: number): ChildName {
  return k < names.length ? names[k] : null;
}

function listWithout({ folder, file }: Step, name: ChildName): number[] {
  if (folder !== undefined) return folder.listWithout(name);
  return file === undefined || name === null ? [] : [file];
}

function encodeBlock(
  entry: {
    readonly path: string;
    readonly stat?: Stat;
    readonly lists: readonly (readonly number[])[];
    readonly seq: number;
  },
): Uint8Array {
  const { path, stat, lists, seq } = entry;
  const block = encodeEntry({ path, stat, paths: encodeChildren(lists, seq) });
  if (block.length <= MAX_ENTRY_BYTES) return block;
  throw new TroveError(
    `Cannot write the entry of ${JSON.stringify(path)}: ${block.length} bytes are too many`,
    { hint: "spread the files over more folders" },
  );
}

/** Take over a listing. Returns the folders below that are still to be read. */
function fill(folder: Folder, listing: Listing): { folder: Folder; branch?: Branch }[] {
  const below: { folder: Folder; branch?: Branch }[] = [];
  if (listing.own?.stat !== undefined) folder.touch(null, listing.own.seq);
  for (const child of listing.children) {
    folder.touch(child.name, child.seq);
    if (child.below === undefined && child.stat !== undefined) continue;
    const next = new Folder();
    folder.setFolder(child.name, next);
    below.push({ folder: next, branch: child.below });
  }
  return below;
}

function itemsOf(folder: Folder): TableItem[] {
  const items: TableItem[] = [];
  for (const name of folder.names) {
    if (name === null) continue;
    const below = folder.folder(name);
    const file = below === undefined ? folder.newest(name) : below.newest(null);
    items.push({ name, file: file ?? undefined, folder: below?.hasOthers(null) ?? false });
  }
  return items.sort((a, b) => compareNames(a.name, b.name));
}
