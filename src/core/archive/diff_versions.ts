/**
 * What changed between two versions, told in two ways: as existing programs report it, and as a
 * copy of the files has to follow it.
 *
 * Source: spec of the drive, section 9; append-tree 2.4.4.
 */
import type { Stat } from "./entry.ts";
import {
  type Branch,
  type Child,
  listedAlike,
  listFolder,
  type Listing,
  rootBranch,
} from "./folder_listing.ts";
import { type Budget, budgetFor, need, type Steps } from "./steps.ts";
import { compareNames } from "./tree_path.ts";

/** A path came (`put`), went (`del`), or, as one of each, was replaced. */
export interface Change {
  readonly type: "put" | "del";
  readonly path: string;
  /** The entry that put the path: the new one of a `put`, the old one of a `del`. */
  readonly seq: number;
  readonly stat: Stat;
}

/** As `Change`; but an existing program also reports entries that are deletes, without a Stat. */
export interface ReportedChange extends Omit<Change, "stat"> {
  readonly stat?: Stat;
}

/** The same folder or child on both sides, as far as it exists there. */
interface Pair<T> {
  readonly from?: T;
  readonly to?: T;
}

const NOTHING: Listing = { children: [] };

/**
 * The changes that append-tree 2.4.4 reports, in its order. It looks at the newest entry through
 * each name only: a file whose folder had a deletion later counts as gone, and a delete with
 * others below its path is reported as put, without a Stat. To keep a copy up to date use
 * `changedFiles`.
 *
 * @throws {IncompleteError} If an entry is not held.
 * @throws {ArchiveError} If the metadata is malformed.
 */
export function* diffVersions(from: number, to: number): Steps<ReportedChange, void> {
  const budget = budgetFor(from + to);
  const queue: Pair<Branch>[] = [yield* openRoots(from, to, budget)];
  for (let pair = queue.pop(); pair !== undefined; pair = queue.pop()) {
    const before = (yield* listIfAny(pair.from, budget)).children;
    const after = (yield* listIfAny(pair.to, budget)).children;
    const below = pairsBelow(before, after);
    const met = new Set<string>();
    // Merged by age, the older first. The last folder to be met is the first to be looked into.
    let i = 0;
    let j = 0;
    while (i < after.length || j < before.length) {
      const put = after[i];
      const del = before[j];
      const isBoth = put?.seq === del?.seq;
      const isPut = del === undefined || put?.seq <= del.seq;
      const child = isPut ? put : del;
      if (isPut) i++;
      if (!isPut || isBoth) j++;
      const { name, path, seq, stat, exact } = child;
      if (exact && !isBoth) yield { type: isPut ? "put" : "del", path, seq, stat };
      const folders = below.get(name);
      if (folders === undefined || met.has(name)) continue;
      met.add(name);
      queue.push(folders);
    }
  }
}

/**
 * What `walkFiles` tells of one version and not of the other, by path and entry; the `del` of a
 * path before its `put`. In the order of a walk over both. Of a folder that differs only the children
 * that do are asked for. Throws as above.
 */
export function* changedFiles(from: number, to: number): Steps<Change, void> {
  const budget = budgetFor(from + to);
  const roots = yield* openRoots(from, to, budget);
  const stack: Pair<Pick<Child, "path" | "seq" | "stat" | "below">>[] = [{
    from: roots.from && { path: "/", seq: 0, below: roots.from },
    to: roots.to && { path: "/", seq: 0, below: roots.to },
  }];
  for (let pair = stack.pop(); pair !== undefined; pair = stack.pop()) {
    const [from, to] = [pair.from?.below, pair.to?.below];
    const skip = from && to && listedAlike(from, to);
    const before = yield* listIfAny(from, budget, skip);
    const after = yield* listIfAny(to, budget, skip);
    const old = fileOf(pair.from, before);
    const now = fileOf(pair.to, after);
    if (old?.seq !== now?.seq) {
      if (old !== undefined) yield { type: "del", ...old };
      if (now !== undefined) yield { type: "put", ...now };
    }
    for (const children of pairUp(before.children, after.children)) stack.push(children);
  }
}

function* openRoots(from: number, to: number, budget: Budget): Steps<never, Pair<Branch>> {
  const before = from < 1 ? undefined : rootBranch(yield* need(from, budget));
  const after = to < 1 ? undefined : rootBranch(yield* need(to, budget));
  return { from: before, to: after };
}

function* listIfAny(
  branch: Branch | undefined,
  budget: Budget,
  skip?: ReadonlySet<number>,
): Steps<never, Listing> {
  return branch === undefined ? NOTHING : yield* listFolder(branch, budget, skip);
}

/** Whether both are the same entry and lead on to the same lists, so that nothing differs below. */
function isSame(a: Child, b: Child): boolean {
  return a.seq === b.seq && a.below?.seq === b.below?.seq;
}

/** The children that are folders on either side and may differ below, by name. */
function pairsBelow(
  before: readonly Child[],
  after: readonly Child[],
): ReadonlyMap<string, Pair<Branch>> {
  const pairs = new Map<string, Pair<Branch>>();
  for (const { from, to } of pairUp(before, after)) {
    const name = (from ?? to)!.name;
    const pair = { from: from?.below, to: to?.below };
    if (pair.from !== undefined || pair.to !== undefined) pairs.set(name, pair);
  }
  return pairs;
}

/** The file at this place, by the rule of `walkFiles`. */
function fileOf(
  child: Pick<Child, "path" | "seq" | "stat" | "below"> | undefined,
  listing: Listing,
): Omit<Change, "type"> | undefined {
  if (child?.below === undefined) {
    if (child?.stat === undefined) return undefined;
    return { path: child.path, seq: child.seq, stat: child.stat };
  }
  const { own } = listing;
  if (own?.stat === undefined || !own.newest || child.below.depth === 0) return undefined;
  return { path: own.path, seq: own.seq, stat: own.stat };
}

/** The children that differ, by descending name. */
function pairUp(before: readonly Child[], after: readonly Child[]): Pair<Child>[] {
  const pairs = new Map<string, Pair<Child>>();
  for (const child of before) pairs.set(child.name, { from: child });
  for (const child of after) {
    const from = pairs.get(child.name)?.from;
    if (from !== undefined && isSame(from, child)) pairs.delete(child.name);
    else pairs.set(child.name, { from, to: child });
  }
  return [...pairs].sort(([a], [b]) => compareNames(b, a)).map(([, pair]) => pair);
}
