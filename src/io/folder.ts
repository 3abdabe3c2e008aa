/** Folders on disk: making them without following links, and walking them in the archive's order. */
import { dirname, join, relative, sep } from "node:path";
import { ObstacleError, StorageError } from "../base/errors.ts";
import { storageError } from "./handle_cache.ts";

/**
 * Make the folders between `root` and the file `target`. A link among them is refused, wherever it
 * points: an archive must not write through one.
 *
 * @returns What was found of the one around the file, if it is below the root and was there.
 * @throws {StorageError}
 */
export function ensureFolder(root: string, target: string): Deno.FileInfo | undefined {
  let path = root;
  const between = relative(root, dirname(target));
  if (between === "") return undefined;
  let info: Deno.FileInfo | undefined;
  for (const component of between.split(sep)) {
    path = join(path, component);
    info = lookAt(path);
    if (info === undefined) {
      try {
        Deno.mkdirSync(path);
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) {
          throw storageError(`Cannot make the folder "${path}"`, error);
        }
      }
    } else if (!info.isDirectory) {
      const what = info.isSymlink ? "a symbolic link" : "a file";
      throw new ObstacleError(`Cannot write "${target}": "${path}" is ${what}, not a folder`, {
        hint: "move it out of the way and run the same command again",
      });
    }
  }
  return info;
}

/** What is at a path, links not followed; undefined if nothing is. @throws {StorageError} */
export function lookAt(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw storageError(`Cannot look at "${path}"`, error);
  }
}

/** A path without links in it; undefined if nothing is there, or it cannot be looked at. */
export function realPath(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch {
    return undefined;
  }
}

/** Remove folders that became empty, from the one around `target` up to below `root`. */
export function pruneEmptyFolders(root: string, target: string): void {
  for (let path = dirname(target); path.length > root.length; path = dirname(path)) {
    try {
      Deno.removeSync(path); // refuses a folder that is not empty
    } catch {
      return;
    }
  }
}

/** Remove a folder if there are nothing but empty folders in it. */
export function removeEmptyFolders(path: string): void {
  try {
    for (const entry of Deno.readDirSync(path)) {
      if (!entry.isDirectory) return;
      removeEmptyFolders(join(path, entry.name));
    }
    Deno.removeSync(path); // refuses a folder that is not empty
  } catch {
    return;
  }
}

/** What lies in a folder, as an import sees it: links to files are followed. */
export interface FolderItem {
  readonly name: string;
  readonly kind: "file" | "directory" | "other";
  /** Why it is neither a file nor a folder to import. */
  readonly reason?: string;
  /** Of a link to a folder inside the archive's: that folder, without links in its path. */
  readonly linkedFolder?: string;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly mtime: number;
  /** Type and permission bits. */
  readonly mode: number;
  /** Number of the file on its disk; 0 where there is none. */
  readonly ino: number;
  /** Whether it is a link that leads to a file or a folder inside. */
  readonly isLink?: true;
}

/** Type bits of a regular file, for systems that have no modes. */
const REGULAR_FILE = 0o100000;

/**
 * The names in a folder, in no particular order. Names that vanish meanwhile are left out.
 *
 * @param realRoot The archive's folder without links in its path: links that lead out of it, into
 *   its .dat, or to folders, are told with their reason. Those to folders can be followed by
 *   `LinkedFolders`.
 * @throws {StorageError} If the folder cannot be read.
 */
export function listFolder(path: string, realRoot: string): FolderItem[] {
  const items: FolderItem[] = [];
  const doubtful = new Set<string>();
  try {
    for (const { name } of Deno.readDirSync(path)) {
      let item = examine(join(path, name), name, realRoot);
      // Bytes that are not UTF-8 are told as U+FFFD. So the name may come twice, of which one is it.
      if (name.includes("\ufffd")) {
        if (doubtful.has(name)) item = other(name, NOT_UTF8);
        doubtful.add(name);
      }
      if (item !== undefined) items.push(item);
    }
  } catch (error) {
    if (error instanceof StorageError) throw error;
    throw storageError(`Cannot read the folder "${path}"`, error);
  }
  return items;
}

const NOT_UTF8 = "has a name that is not UTF-8";

function other(name: string, reason: string, linkedFolder?: string): FolderItem {
  return { name, kind: "other", reason, linkedFolder, size: 0, mtime: 0, mode: 0, ino: 0 };
}

/**
 * One name as `listFolder` tells it; undefined if nothing is there.
 *
 * @param path The name with the folder it lies in.
 * @throws {StorageError}
 */
export function examine(path: string, name: string, realRoot: string): FolderItem | undefined {
  let info = lookAt(path);
  const isLink = info?.isSymlink === true;
  // What cannot be found by the name it was listed under has another one.
  if (info === undefined) return name.includes("\ufffd") ? other(name, NOT_UTF8) : undefined;
  if (info.isSymlink) {
    let real: string;
    try {
      real = Deno.realPathSync(path);
      info = Deno.statSync(real);
    } catch {
      return other(name, "is a symbolic link to nothing");
    }
    if (real !== realRoot && !real.startsWith(realRoot + sep)) {
      return other(name, "is a symbolic link that leads out");
    }
    // Where keys may lie, and what changes with every import.
    const dat = join(realRoot, ".dat");
    if (real === dat || real.startsWith(dat + sep)) {
      return other(name, "is a symbolic link that leads into .dat");
    }
    if (info.isDirectory) {
      return { ...other(name, "is a symbolic link to a folder", real), isLink: true };
    }
  }
  if (!info.isFile && !info.isDirectory) return other(name, "is neither a file nor a folder");
  return {
    name,
    kind: info.isFile ? "file" : "directory",
    size: info.size,
    mtime: info.mtime?.getTime() ?? 0,
    mode: info.mode ?? (REGULAR_FILE | 0o644),
    ino: info.ino ?? 0,
    ...(isLink && { isLink }),
  };
}
