/**
 * The last steps of a file that was put together in a private place: mode, time, name. Somebody else
 * may put symbolic links in the way meanwhile; nothing is written through one.
 *
 * The folders above a name are looked at right before and right after. Deno can open nothing
 * relative to an open folder, so whoever swaps a folder for a link between two system calls can
 * still have an empty file made, or a complete one named, in the folder that the link leads to; the
 * second look tells, and the command ends. `FileNamer` does it for many files at a time.
 */
import { closeSync, constants, fchmodSync, futimesSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { ObstacleError, StorageError } from "../base/errors.ts";
import { ensureFolder, lookAt } from "./folder.ts";
import { storageError } from "./handle_cache.ts";
import { isSameFile, kindOf } from "./no_follow.ts";

/** Permission bits of a file whose entry has none. Source: hyperdrive falls back to the same. */
const DEFAULT_MODE = 0o644;

/** More than a double loses of today's time in seconds, less than anybody sees. */
const TIME_SLACK_MS = 0.001;

const MOVE_AWAY = "move it out of the way and run the same command again";

/** Permission bits and modification time, as the entry has them. A link is not followed. */
export function dress(path: string, file: { mode: number; mtime: number }): void {
  let fd: number | undefined;
  try {
    fd = openToDress(path);
    if (Deno.build.os !== "windows") fchmodSync(fd, permissionBits(file));
    const seconds = secondsOf(file);
    if (isTime(file)) futimesSync(fd, seconds, seconds);
  } catch (error) {
    throw storageError(`Cannot set mode and time of "${path}"`, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Set the time of a file that was just written, and is still open. `FileNamer` looks if it took. */
export function stamp(open: Deno.FsFile, file: { mtime: number }): void {
  const seconds = secondsOf(file);
  if (isTime(file) && seconds >= 0) open.utimeSync(seconds, seconds);
}

/**
 * Permission bits. Those that give a program its owner's rights are not taken from strangers.
 */
export function permissionBits({ mode }: { mode: number }): number {
  return (mode & 0o777) || DEFAULT_MODE;
}

/**
 * Seconds with a fraction, as the system call takes them, are a little less or more than what was
 * meant; read again, a little less would be another millisecond.
 */
function secondsOf({ mtime }: { mtime: number }): number {
  return (mtime + TIME_SLACK_MS) / 1000;
}

function isTime({ mtime }: { mtime: number }): boolean {
  return !Number.isNaN(new Date(mtime).getTime());
}

/** Whether a file has the permission bits that `dress` gives it. */
export function wearsMode(info: Deno.FileInfo, file: { mode: number }): boolean {
  if (Deno.build.os === "windows" || info.mode === null) return true;
  return (info.mode & 0o777) === permissionBits(file);
}

function isDressed(info: Deno.FileInfo, file: { mode: number; mtime: number }): boolean {
  return wearsMode(info, file) && (!isTime(file) || info.mtime?.getTime() === file.mtime);
}

/** A file that is ours may be closed to us: the archive's mode bits can say so. */
function openToDress(path: string): number {
  // Windows wants the right to write where a time is set.
  const access = Deno.build.os === "windows" ? constants.O_RDWR : constants.O_RDONLY;
  const flags = access | (constants.O_NOFOLLOW ?? 0);
  try {
    return openSync(path, flags);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== "EACCES" || !lookAt(path)?.isFile) throw error;
    Deno.chmodSync(path, 0o600);
    return openSync(path, flags);
  }
}

/** What stood somewhere when it was looked at, so that it is known again. */
export interface FileMark {
  readonly ino: number | null;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly mtime: number | undefined;
}

export function markOf({ ino, size, mtime }: Deno.FileInfo): FileMark {
  return { ino, size, mtime: mtime?.getTime() };
}

/**
 * Give a complete file its name below `root`, replacing what is there.
 *
 * @param before What may be replaced: nothing (null) or this; if left out, anything but a folder.
 * @throws {StorageError} If something else stands there by now, or a folder on the way is a link.
 */
export function giveName(
  root: string,
  from: string,
  target: string,
  before?: FileMark | null,
): void {
  new FileNamer(root).give(from, { target, before });
}

/** See `FileNamer.finish`. */
export function finishFile(root: string, from: string, file: FinishedFile): void {
  new FileNamer(root).finish(from, file);
}

/** What a complete file is to look like. */
export interface FinishedFile {
  readonly target: string;
  readonly mode: number;
  readonly mtime: number;
  readonly before?: FileMark | null;
}

/**
 * Gives complete files their names below a folder, one right after the other; what takes longer
 * needs a new one. Of the files that follow each other in a folder, the first has all the folders above
 * it looked at. For the others, a look at their folder tells by its number that the path still leads to
 * the very same one, wherever that is; and the look after one name is the look before the next.
 */
export class FileNamer {
  readonly #root: string;
  /** Where the last name was given. */
  #folder: string | undefined;
  /** That folder, if it can be known again. */
  #known: Deno.FileInfo | undefined;
  /** Whether it was just looked at. */
  #isFresh = false;

  constructor(root: string) {
    this.#root = root;
  }

  /** What lies at a place in a private folder. @throws {StorageError} If that is none by now. */
  look(from: string): Deno.FileInfo | undefined {
    // Looked at each time: what lies behind a link by now is not ours to dress and move.
    ensurePrivateFolder(dirname(from));
    return lookAt(from);
  }

  /**
   * Dress a file in a private folder, and give it its name. What it replaces is given up for it, so
   * its bytes are brought to disk before: they have to outlive a power cut. See `giveName`.
   *
   * @param staged What was found at `from`.
   * @throws {StorageError}
   */
  finish(from: string, file: FinishedFile, staged = this.look(from)): void {
    let found = staged;
    if (found === undefined || !isDressed(found, file)) {
      dress(from, file);
      found = lookAt(from);
      this.#isFresh = false;
    }
    this.#name(from, found, file, { durable: true });
  }

  /** See `giveName`. */
  give(from: string, file: Pick<FinishedFile, "target" | "before">): void {
    this.#name(from, lookAt(from), file, { durable: false });
  }

  /**
   * To be called when the last file has its name, or something else is done before the next.
   *
   * @throws {StorageError} If a folder above it was swapped for a link.
   */
  end(): void {
    if (this.#folder !== undefined) ensureFolder(this.#root, join(this.#folder, "anything"));
    this.#folder = this.#known = undefined;
  }

  #name(
    from: string,
    staged: Deno.FileInfo | undefined,
    { target, before }: Pick<FinishedFile, "target" | "before">,
    { durable }: { durable: boolean },
  ): void {
    if (staged?.isFile !== true) {
      throw new StorageError(`Cannot give "${target}" its name: "${from}" is gone`, {
        hint: "run the same command again",
      });
    }
    const stands = this.#lookBefore(target, before);
    if (stands && durable) {
      bringToDisk(from);
      this.#lookBefore(target, before);
    }
    try {
      Deno.renameSync(from, target);
    } catch (error) {
      throw storageError(`Cannot give "${target}" its name`, error);
    }
    this.#ensure(target); // throws if a folder on the way was swapped for a link
    const named = lookAt(target);
    if (named === undefined || !isSameFile(named, staged)) {
      throw new StorageError(`Cannot be sure of "${target}": a folder above it changed meanwhile`, {
        hint: "find out who changes it, and run the same command again",
      });
    }
    this.#isFresh = true;
  }

  /** Whether anything stands where a file is to go. @throws {StorageError} If it must not go there. */
  #lookBefore(target: string, before: FileMark | null | undefined): boolean {
    if (!this.#isFresh || dirname(target) !== this.#folder) this.#ensure(target);
    this.#isFresh = false;
    const standing = lookAt(target);
    if (before !== undefined && standing !== undefined && !isMarked(standing, before)) {
      throw new ObstacleError(
        `Cannot give "${target}" its name: somebody else wrote there meanwhile`,
        { hint: "nothing of that was changed; run the same command again" },
      );
    }
    return standing !== undefined;
  }

  /** Make sure of the folders above a file. */
  #ensure(target: string): void {
    const folder = dirname(target);
    if (folder !== this.#folder) this.end();
    this.#folder = folder;
    if (folder === this.#root) return;
    const info = lookAt(folder);
    if (this.#known !== undefined && isSameFolder(info, this.#known)) return;
    // The number is taken first: whatever was swapped, all the folders were looked at after it.
    const last = ensureFolder(this.#root, target);
    this.#known = isSameFolder(info, last) ? info : undefined;
  }
}

function isSameFolder(a: Deno.FileInfo | undefined, b: Deno.FileInfo | undefined): boolean {
  return a?.isDirectory === true && b?.isDirectory === true && Boolean(a.ino) && a.ino === b.ino &&
    a.dev === b.dev;
}

/** @throws {StorageError} */
function bringToDisk(path: string): void {
  try {
    // Windows wants the right to write where a file is brought to disk.
    using file = Deno.openSync(path, { read: true, write: Deno.build.os === "windows" });
    file.syncDataSync();
  } catch (error) {
    throw storageError(`Cannot write "${path}"`, error);
  }
}

/**
 * Make sure of a private folder: a link in its place must not be written through.
 *
 * @throws {StorageError}
 */
export function ensurePrivateFolder(path: string): void {
  const info = lookAt(path);
  if (info?.isDirectory) return;
  if (info !== undefined) {
    throw new StorageError(`Cannot use "${path}": it is ${kindOf(info)}, not a folder`, {
      hint: MOVE_AWAY,
    });
  }
  try {
    Deno.mkdirSync(path, { recursive: true });
  } catch (error) {
    throw storageError(`Cannot make the folder "${path}"`, error);
  }
}

function isMarked(info: Deno.FileInfo, mark: FileMark | null): boolean {
  return mark !== null && info.ino === mark.ino && info.size === mark.size &&
    info.mtime?.getTime() === mark.mtime;
}
