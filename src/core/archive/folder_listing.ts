/**
 * One folder of the tree, read from the entry that has its list; the step from which walking,
 * comparing versions and loading the writer's table are made.
 *
 * Source: spec of the drive, section 5; append-tree 2.4.4.
 */
import { endsInEmptyList, openLists, readList, skipList } from "./children.ts";
import type { Entry, Stat } from "./entry.ts";
import { type Budget, need, type Steps } from "./steps.ts";
import { splitPath } from "./tree_path.ts";

/** A folder, and the entry whose child index describes it. */
export interface Branch {
  readonly seq: number;
  readonly path: string;
  readonly stat?: Stat;
  /** Components of `path`. */
  readonly names: readonly string[];
  /** The folder is the first `depth` components. */
  readonly depth: number;
  /** Encoded lists, of which the one at byte `at` is this folder's. */
  readonly lists: Uint8Array;
  readonly at: number;
  readonly endsWithSelf: boolean;
}

/** A child as its folder lists it. */
export interface Child {
  readonly name: string;
  /** The newest entry through this child, ... */
  readonly seq: number;
  /** ... its full name, ... */
  readonly path: string;
  /** ... whether that is the child itself, and not something below it, ... */
  readonly exact: boolean;
  /** ... and if so what was put, unless it is a delete. */
  readonly stat?: Stat;
  /** The child as a folder. Absent if nothing lies below it. */
  readonly below?: Branch;
}

/** What lies at a folder's own path as a file, or as a directory made on purpose. */
export interface OwnEntry {
  readonly seq: number;
  readonly path: string;
  readonly stat?: Stat;
  /** Whether nothing below it was touched later. If not, the path is a folder now. */
  readonly newest: boolean;
}

export interface Listing {
  readonly own?: OwnEntry;
  /** One per name, in ascending order of `seq`. */
  readonly children: readonly Child[];
}

/** The folder made of the first `depth` components of the entry's name; the root by default. */
export function rootBranch(entry: Entry, depth = 0): Branch | undefined {
  return branchAt(entry, { names: splitPath(entry.path), depth });
}

/**
 * The entries that two versions of a folder both list, and that need not be read to see how the
 * versions differ: each leads to the same child on both sides.
 *
 * The last one of a list is not among them, for it tells whether a file has the folder's own name;
 * nor is a branch itself. Where a branch is not in its own list and has more lists (a delete with
 * others left beside it), any entry may be the child for which the branch's own lists count.
 */
export function listedAlike(a: Branch, b: Branch): ReadonlySet<number> {
  const [ofA, ofB] = [a, b].map((branch) => readList(branch.lists, { pos: branch.at }, branch));
  if (!isPlain(a, ofA) || !isPlain(b, ofB)) return new Set();
  const inA = new Set(ofA);
  const alike = new Set(ofB.filter((seq) => inA.has(seq)));
  for (const seq of [a.seq, b.seq, ofA.at(-1), ofB.at(-1)]) alike.delete(seq!);
  return alike;
}

/** Whether the branch's own lists say nothing about a child that another entry is listed for. */
function isPlain(branch: Branch, list: readonly number[]): boolean {
  if (list.at(-1) === branch.seq) return true;
  const cursor = { pos: branch.at };
  skipList(branch.lists, cursor, branch.seq);
  return !hasMore({ ...branch, depth: branch.depth + 1, at: cursor.pos });
}

/**
 * Read the folder. Asks for every entry listed, once, except the branch's own and those in `skip`,
 * which are left out.
 *
 * An entry that is listed where its name does not belong is passed over, and of two with the same
 * name the newer counts: so every folder of a hostile feed has one path and is come to once.
 *
 * @throws {ArchiveError} If the list is malformed.
 */
export function* listFolder(
  branch: Branch,
  budget: Budget,
  skip?: ReadonlySet<number>,
): Steps<never, Listing> {
  const { depth } = branch;
  const cursor = { pos: branch.at };
  const list = readList(branch.lists, cursor, branch);
  const further = { ...branch, depth: depth + 1, at: cursor.pos };

  let own: OwnEntry | undefined;
  const children = new Map<string, Child>();
  for (const seq of list) {
    if (skip?.has(seq)) continue;
    const self = seq === branch.seq;
    const entry = self ? branch : yield* need(seq, budget);
    const names = self ? branch.names : splitPath((entry as Entry).path);
    if (!self && !isBelow(names, branch)) continue;
    const { path } = entry;
    if (names.length === depth) {
      own = { seq, path, stat: entry.stat, newest: seq === list[list.length - 1] };
      continue;
    }
    const name = names[depth];
    const exact = names.length === depth + 1;
    const stat = exact ? entry.stat : undefined;
    // Where the branch's own name goes on, its own lists are the ones that count.
    const below = name === branch.names[depth]
      ? hasMore(further) ? further : undefined
      : branchBelow(entry as Entry, { names, depth: depth + 1 });
    children.delete(name);
    children.set(name, { name, seq, path, exact, stat, below });
  }
  return { own, children: [...children.values()] };
}

/** The entry that put the child itself, if nothing below it was touched later. */
export function* fileAt(
  child: Child,
  budget: Budget,
): Steps<never, { readonly seq: number; readonly stat: Stat } | undefined> {
  const { seq, stat, below } = child;
  if (below === undefined) return stat === undefined ? undefined : { seq, stat };
  const list = readList(below.lists, { pos: below.at }, below);
  if (list.length === 0) return undefined;
  const last = list[list.length - 1];
  const entry = last === below.seq ? below : yield* need(last, budget);
  const names = last === below.seq ? below.names : splitPath(entry.path);
  if (names.length !== below.depth || !isBelow(names, below)) return undefined;
  return entry.stat === undefined ? undefined : { seq: last, stat: entry.stat };
}

/** Whether the first components of `names` are the branch's folder. */
function isBelow(names: readonly string[], branch: Branch): boolean {
  if (names.length < branch.depth) return false;
  for (let i = 0; i < branch.depth; i++) if (names[i] !== branch.names[i]) return false;
  return true;
}

/** The child as a folder, unless its entry is the only thing there. */
function branchBelow(
  entry: Entry,
  place: { readonly names: readonly string[]; readonly depth: number },
): Branch | undefined {
  if (place.names.length === place.depth && endsInEmptyList(entry.paths)) return undefined;
  const branch = branchAt(entry, place);
  // A copy of what is left of the lists, so that waiting folders do not keep whole blocks alive.
  return branch && { ...branch, lists: branch.lists.slice(branch.at), at: 0 };
}

/** Whether there are lists left, and more than the empty one of a file. */
function hasMore({ lists, at, endsWithSelf, depth, names }: Branch): boolean {
  const left = lists.length - at;
  const isFile = endsWithSelf && depth === names.length && left === 1 && lists[at] === 0;
  return left > 0 && !isFile;
}

function branchAt(
  entry: Entry,
  place: { readonly names: readonly string[]; readonly depth: number },
): Branch | undefined {
  const { seq, path, stat, paths } = entry;
  const { cursor, endsWithSelf } = openLists(paths, seq);
  for (let k = 0; k < place.depth && cursor.pos < paths.length; k++) skipList(paths, cursor, seq);
  if (cursor.pos >= paths.length) return undefined;
  return { seq, path, stat, ...place, lists: paths, at: cursor.pos, endsWithSelf };
}
