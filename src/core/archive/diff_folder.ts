/**
 * A folder on disk against the same folder in the archive: what has to be put and deleted so that
 * the archive shows what the disk has. One folder at a time, so that an importer can go through a
 * tree of any size.
 *
 * Source: spec of the drive, section 11 (mirror-folder 3.0.0 as dat-node uses it). Unlike there,
 * a folder that is gone is deleted, and so is what stands in the way where a file became a folder
 * or a folder a file; and a file whose permissions changed is put again.
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
  /** Type and permission bits. */
  readonly mode: number;
}

/** A name in a folder of the archive. It can be an entry and a folder at once. */
export interface ArchivedItem {
  readonly name: string;
  /** What was put at the path itself. */
  readonly stat?: Pick<Stat, "mode" | "size" | "mtime">;
  /** The file's own time when it was imported, in milliseconds since 1970, if that is known. */
  readonly fileTime?: number;
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
  /** Put it if its bytes are others than those in the archive: only its time says that they are. */
  | { readonly kind: "compare"; readonly name: string }
  | { readonly kind: "same"; readonly name: string }
  /** Plan this folder next, before the steps that follow. */
  | { readonly kind: "enter"; readonly name: string };

/**
 * The steps for one folder: first the deletions of names that are not on disk, in descending order,
 * then what is on disk, in ascending order of UTF-16 code units.
 *
 * Both lists come without ignored names: those are left alone on both sides. What is neither file
 * nor folder is left alone, too.
 *
 * `hasModes`: the disk knows permissions.
 */
export function planDirectory(
  local: readonly LocalItem[],
  archived: readonly ArchivedItem[],
  options: { readonly hasModes: boolean },
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
      steps.push({ kind: compareFile(item, known, options), name });
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
 * A file with the size and the permissions of its entry is the same if its time is the one it was
 * imported with, or, where that is not known, no later than the import, which is the entry's time.
 * A file that still has others below its path in the archive is put again, or these would hide it.
 */
function compareFile(
  local: LocalItem,
  archived: ArchivedItem | undefined,
  { hasModes }: { readonly hasModes: boolean },
): "same" | "compare" | "put" {
  const stat = archived?.stat;
  if (archived === undefined || stat === undefined || archived.folder) return "put";
  if (kindOfMode(stat.mode) !== "file" || local.size !== stat.size) return "put";
  if (hasModes && saysPermissions(stat.mode) && bitsOf(stat.mode) !== bitsOf(local.mode)) {
    return "put";
  }
  const { fileTime } = archived;
  const untouched = fileTime === undefined ? local.mtime <= stat.mtime : local.mtime === fileTime;
  return untouched ? "same" : "compare";
}

/**
 * Whether an entry was made where there are permissions. Elsewhere it has none, or those that Node
 * makes up on Windows, where all files are for everybody to read and maybe to write: an archive that
 * comes from there is not imported anew for that.
 */
export function saysPermissions(mode: number): boolean {
  const bits = bitsOf(mode);
  return bits !== 0 && bits !== 0o666 && bits !== 0o444;
}

function bitsOf(mode: number): number {
  return mode & 0o7777;
}
