/** What two versions of an archive, or a version and the folder, have differently. */
import { equalBytes } from "../base/bytes.ts";
import {
  type Change,
  changedFiles,
  diffVersions,
  type ReportedChange,
} from "../core/archive/diff_versions.ts";
import { kindOfMode, type Stat } from "../core/archive/entry.ts";
import { runItems } from "../core/archive/steps.ts";
import { checkVersion } from "./archive_view.ts";
import type { Archive } from "./open_archive.ts";

/**
 * What happened to a path. `changed`: other bytes, or a folder instead of a file. `mode`: the same
 * bytes with other permission bits. `touched`: the same bytes and bits, put once more.
 */
export type ChangeKind = "added" | "removed" | "changed" | "mode" | "touched";

/** A path on one of the two sides. */
export interface Side {
  /** Bytes. */
  readonly size: number;
  /** Type and permission bits. */
  readonly mode: number;
  /** The entry that put it; a file in the folder has none. */
  readonly seq?: number;
}

/** One path that differs. */
export interface Difference {
  readonly path: string;
  readonly change: ChangeKind;
  readonly before?: Side;
  readonly after?: Side;
}

/**
 * The paths that differ between two versions, in the order of a listing.
 *
 * @throws {NotFoundError} If the archive has no such version, as far as is known here.
 * @throws {IncompleteError} If the metadata is not complete.
 */
export function* compareVersions(
  archive: Archive,
  from: number,
  to: number,
): Generator<Difference, void, void> {
  checkVersion(archive, from);
  checkVersion(archive, to);
  let before: Change | undefined;
  for (const change of runItems(changedFiles(from, to), archive.entry)) {
    // Of a path that was replaced, its `del` comes right before its `put`.
    if (before !== undefined && before.path !== change.path) {
      yield difference(archive, before, undefined);
      before = undefined;
    }
    if (change.type === "del") {
      before = change;
    } else {
      yield difference(archive, before, change);
      before = undefined;
    }
  }
  if (before !== undefined) yield difference(archive, before, undefined);
}

/**
 * The same as existing programs report it, in their order: see `diffVersions`. Throws as above.
 */
export function reportedChanges(
  archive: Archive,
  from: number,
  to: number,
): Generator<ReportedChange, void, void> {
  checkVersion(archive, from);
  checkVersion(archive, to);
  return runItems(diffVersions(from, to), archive.entry);
}

function difference(
  archive: Archive,
  before: Change | undefined,
  after: Change | undefined,
): Difference {
  const path = (after ?? before)!.path;
  const sides = { before: before && sideOf(before), after: after && sideOf(after) };
  if (before === undefined) return { path, change: "added", ...sides };
  if (after === undefined) return { path, change: "removed", ...sides };
  const same = sameContent(archive, before.stat, after.stat);
  return { path, change: same ? kindOfSame(before.stat, after.stat) : "changed", ...sides };
}

function sideOf({ stat: { size, mode }, seq }: Change): Side {
  return { size, mode, seq };
}

function kindOfSame(before: Stat, after: Stat): ChangeKind {
  return before.mode === after.mode ? "touched" : "mode";
}

/** Whether two entries stand for the same bytes, as far as the hashes of their blocks are here. */
function sameContent({ content }: Archive, a: Stat, b: Stat): boolean {
  if (a.size !== b.size || a.blocks !== b.blocks || kindOfMode(a.mode) !== kindOfMode(b.mode)) {
    return false;
  }
  if (a.offset === b.offset) return true;
  for (let n = 0; n < a.blocks; n++) {
    const [left, right] = [content?.node(2 * (a.offset + n)), content?.node(2 * (b.offset + n))];
    if (left === undefined || right === undefined) return false;
    if (left.size !== right.size || !equalBytes(left.hash, right.hash)) return false;
  }
  return true;
}
