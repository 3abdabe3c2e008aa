/**
 * A folder on disk against the same folder in the archive: what has to be put and deleted so that
 * the archive shows what the disk has. One folder at a time, so that an importer can go through a
 * tree of any size.
 *
 * Source: spec of the drive, section 11 (mirror-folder 3.0.0 as dat-node uses it). Unlike there,
 * a folder that is gone is deleted, and so is what stands in the way where a file became a folder
 * or a folder a file.
 */
import { kindOfMode, type Stat } from "./entry.ts";
import { compareNames } from "./tree_path.ts";

/** A name in a folder on disk. */
export interface LocalItem {
  readonly name: string;
  /** Of what a symlink points at; but a link to a folder, and one to nothing, are "other". */
  readonly kind: "file" | "directory" | "other";
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly mtime: number;
}

/** A name in a folder of the archive. It can be an entry and a folder at once. */
export interface ArchivedItem {
  readonly name: string;
  /** What was put at the path itself. */
  readonly stat?: Pick<Stat, "mode" | "size" | "mtime">;
  /** Whether there are files below it. */
  readonly folder: boolean;
}

/** What to do about a name, in the order of the plan. */
export type ImportStep =
  /** Delete the entry of this path. */
  | { readonly kind: "delete"; readonly name: string }
  /** Delete every file below this path, in ascending order. */
  | { readonly kind: "delete-below"; readonly name: string }
  | { readonly kind: "put"; readonly name: string }
  | { readonly kind: "same"; readonly name: string }
  /** Plan this folder next, before the steps that follow. */
  | { readonly kind: "enter"; readonly name: string };

/**
 * The steps for one folder: first the deletions of names that are not on disk, in descending order,
 * then what is on disk, in ascending order of UTF-16 code units.
 *
 * Both lists come without ignored names: those are left alone on both sides. What is neither file
 * nor folder is left alone, too.
 */
export function planDirectory(
  local: readonly LocalItem[],
  archived: readonly ArchivedItem[],
): ImportStep[] {
  const steps: ImportStep[] = [];
  const onDisk = new Set(local.map((item) => item.name));
  const gone = archived.filter((item) => !onDisk.has(item.name));
  for (const item of gone.sort((a, b) => compareNames(b.name, a.name))) {
    if (item.folder) steps.push({ kind: "delete-below", name: item.name });
    if (item.stat !== undefined) steps.push({ kind: "delete", name: item.name });
  }
  const inArchive = new Map(archived.map((item) => [item.name, item]));
  for (const item of [...local].sort((a, b) => compareNames(a.name, b.name))) {
    const { name, kind } = item;
    const known = inArchive.get(name);
    if (kind === "file") {
      if (known?.folder) steps.push({ kind: "delete-below", name });
      steps.push({ kind: isUnchanged(item, known) ? "same" : "put", name });
    } else if (kind === "directory") {
      if (known?.stat !== undefined && kindOfMode(known.stat.mode) !== "directory") {
        steps.push({ kind: "delete", name });
      }
      steps.push({ kind: "enter", name });
    }
  }
  return steps;
}

/**
 * Equal size, and not touched since the import: an entry's mtime is the time of its import. A file
 * that still has others below its path in the archive is put again, or these would hide it.
 */
function isUnchanged(local: LocalItem, archived: ArchivedItem | undefined): boolean {
  const stat = archived?.stat;
  if (archived === undefined || stat === undefined || archived.folder) return false;
  const isFile = kindOfMode(stat.mode) === "file";
  return isFile && local.size === stat.size && local.mtime <= stat.mtime;
}
