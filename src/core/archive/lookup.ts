/**
 * Finding paths in the metadata feed.
 *
 * Everything is found from the entry that made the version, the head. Each step goes from an entry
 * to an older one, and the entries asked for are counted, so no feed, however hostile, makes a
 * lookup run for ever.
 *
 * Source: spec of the drive, sections 5 and 9; append-tree 2.4.4.
 */
import { childList } from "./children.ts";
import { type Entry, MODE_DIRECTORY, type Stat } from "./entry.ts";
import { type Branch, type Child, fileAt, listFolder, rootBranch } from "./folder_listing.ts";
import { ask, type Budget, budgetFor, need, notHeld, type Steps } from "./steps.ts";
import { commonLength, splitPath } from "./tree_path.ts";

/** What `readFolder` tells about one child. */
export interface FolderItem {
  readonly name: string;
  /** The newest entry through this child; with `stat`, the entry that put it. */
  readonly seq: number;
  /** Present if the child itself was put: a file, or a directory made on purpose. */
  readonly stat?: Stat;
  /** Whether something lies below it. */
  readonly folder: boolean;
}

/** One change of the archive. `stat` is what was put; a delete has none. */
export interface HistoryItem {
  readonly type: "put" | "del";
  readonly path: string;
  /** The version this change made. */
  readonly seq: number;
  readonly stat?: Stat;
}

const DIRECTORY_STAT: Stat = {
  mode: MODE_DIRECTORY | 0o755,
  uid: 0,
  gid: 0,
  size: 0,
  blocks: 0,
  offset: 0,
  byteOffset: 0,
  mtime: 0,
  ctime: 0,
};

/**
 * The newest entry of `path` at `version`, a put or a delete; or undefined. `chain` is the entries
 * that led there, the head first.
 *
 * A path can be found although something was put below it later, and `walkFiles` leaves it out.
 *
 * @throws {IncompleteError} If it may be in an entry that is not held.
 * @throws {ArchiveError} If the metadata is malformed.
 */
export function* traceEntry(
  version: number,
  path: string,
): Steps<never, { readonly entry?: Entry; readonly chain: readonly number[] }> {
  const chain: number[] = [];
  if (version < 1) return { chain };
  const budget = budgetFor(version);
  const wanted = splitPath(path);
  let entry: Entry | undefined = yield* need(version, budget);
  while (entry !== undefined) {
    chain.push(entry.seq);
    const names = splitPath(entry.path);
    const shared = commonLength(names, wanted);
    if (shared === names.length && shared === wanted.length) return { entry, chain };
    entry = yield* towards(entry, wanted, { shared, budget });
  }
  return { chain };
}

/** The entry that put `path`, or undefined if it is not there at `version`. Throws as above. */
export function* findFile(version: number, path: string): Steps<never, Entry | undefined> {
  const { entry } = yield* traceEntry(version, path);
  return entry?.stat === undefined ? undefined : entry;
}

/**
 * The Stat of `path`: of its entry, or for a path with others below it and for `/`, one of a
 * directory (0755, all else zero). Undefined if there is nothing. Throws as `traceEntry`.
 */
export function* findStat(version: number, path: string): Steps<never, Stat | undefined> {
  const file = yield* findFile(version, path);
  if (file !== undefined) return file.stat;
  if (splitPath(path).length === 0) return DIRECTORY_STAT;
  const items = yield* readFolder(version, path);
  return items !== undefined && items.length > 0 ? DIRECTORY_STAT : undefined;
}

/**
 * The children of a folder, those touched last at the end; undefined if there is no such path. A
 * file has no children, and so has the root of an empty archive. Throws as `traceEntry`.
 */
export function* readFolder(
  version: number,
  path: string,
): Steps<never, readonly FolderItem[] | undefined> {
  const budget = budgetFor(version);
  const wanted = splitPath(path);
  const nothing = wanted.length === 0 ? [] : undefined;
  if (version < 1) return nothing;
  const branch = yield* findBranch(yield* need(version, budget), wanted, budget);
  if (branch === undefined) return nothing;
  const listing = yield* listFolder(branch, budget);
  if (listing.children.length === 0 && listing.own === undefined) return nothing;
  const items: FolderItem[] = [];
  for (const child of listing.children) {
    // These two would mean other folders to whoever reads the list.
    if (child.name !== "." && child.name !== "..") items.push(yield* toItem(child, budget));
  }
  return items;
}

/** Every change from version `from` to version `to`, both included, in order. */
export function* readHistory(from: number, to: number): Steps<HistoryItem, void> {
  for (let seq = Math.max(from, 1); seq <= to; seq++) {
    const entry = yield* need(seq, { left: 1 });
    const { path, stat } = entry;
    yield stat === undefined ? { type: "del", path, seq } : { type: "put", path, seq, stat };
  }
}

/** The branch whose folder is `wanted`, starting at the head. */
function* findBranch(
  head: Entry,
  wanted: readonly string[],
  budget: Budget,
): Steps<never, Branch | undefined> {
  let entry: Entry | undefined = head;
  while (entry !== undefined) {
    const shared = commonLength(splitPath(entry.path), wanted);
    if (shared === wanted.length) return rootBranch(entry, shared);
    entry = yield* towards(entry, wanted, { shared, budget });
  }
  return undefined;
}

/**
 * The older entry through which the search goes on: of those listed at the point where the names
 * part, the one that has the wanted component there, or has none if none is wanted.
 */
function* towards(
  entry: Entry,
  wanted: readonly string[],
  options: { readonly shared: number; readonly budget: Budget },
): Steps<never, Entry | undefined> {
  const { shared, budget } = options;
  const list = childList(entry.paths, entry.seq, shared);
  let missing = 0;
  // The newest first: what was touched last is asked for most.
  for (let i = (list?.length ?? 0) - 1; i >= 0; i--) {
    const seq = list![i];
    if (seq === entry.seq) continue;
    const listed = yield* ask(seq, budget);
    if (listed === undefined) missing = seq;
    else if (splitPath(listed.path)[shared] === wanted[shared]) return listed;
  }
  // Only now does it matter: another one might have been the answer.
  if (missing > 0) throw notHeld(missing);
  return undefined;
}

function* toItem(child: Child, budget: Budget): Steps<never, FolderItem> {
  const { name, seq, below } = child;
  const file = yield* fileAt(child, budget);
  if (file === undefined) return { name, seq, folder: below !== undefined };
  const folder = below !== undefined && !(yield* isBare(below, budget));
  return { name, seq: file.seq, stat: file.stat, folder };
}

/** Whether the folder lists nothing but the entry of its own path. */
function* isBare(branch: Branch, budget: Budget): Steps<never, boolean> {
  const { children } = yield* listFolder(branch, budget);
  return children.length === 0;
}
