/**
 * The last steps of a file that was put together in a private place: mode, time, name. Somebody else
 * may put symbolic links in the way meanwhile; nothing is written through one.
 *
 * The folders above a name are looked at right before and right after. Deno can open nothing
 * relative to an open folder, so whoever swaps a folder for a link between two system calls can
 * still have an empty file made, or a complete one named, in the folder that the link leads to; the
 * second look tells, and the command ends.
 */
import { closeSync, constants, fchmodSync, futimesSync, openSync } from "node:fs";
import { dirname } from "node:path";
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
  // The bits that give a program its owner's rights are not taken from strangers.
  const bits = (file.mode & 0o777) || DEFAULT_MODE;
  // Seconds with a fraction, as the system call takes them, are a little less or more than what was
  // meant; read again, a little less would be another millisecond.
  const seconds = (file.mtime + TIME_SLACK_MS) / 1000;
  let fd: number | undefined;
  try {
    fd = openToDress(path);
    if (Deno.build.os !== "windows") fchmodSync(fd, bits);
    if (!Number.isNaN(new Date(file.mtime).getTime())) futimesSync(fd, seconds, seconds);
  } catch (error) {
    throw storageError(`Cannot set mode and time of "${path}"`, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Whether a file has the permission bits that `dress` gives it. */
export function wearsMode(info: Deno.FileInfo, { mode }: { mode: number }): boolean {
  if (Deno.build.os === "windows" || info.mode === null) return true;
  return (info.mode & 0o777) === ((mode & 0o777) || DEFAULT_MODE);
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
  const staged = lookAt(from);
  if (staged?.isFile !== true) {
    throw new StorageError(`Cannot give "${target}" its name: "${from}" is gone`, {
      hint: "run the same command again",
    });
  }
  ensureFolder(root, target);
  const standing = lookAt(target);
  if (before !== undefined && standing !== undefined && !isMarked(standing, before)) {
    throw new ObstacleError(
      `Cannot give "${target}" its name: somebody else wrote there meanwhile`,
      { hint: "nothing of that was changed; run the same command again" },
    );
  }
  try {
    Deno.renameSync(from, target);
  } catch (error) {
    throw storageError(`Cannot give "${target}" its name`, error);
  }
  ensureFolder(root, target); // throws if a folder on the way was swapped for a link
  const named = lookAt(target);
  if (named === undefined || !isSameFile(named, staged)) {
    throw new StorageError(`Cannot be sure of "${target}": a folder above it changed meanwhile`, {
      hint: "find out who changes it, and run the same command again",
    });
  }
}

/**
 * Dress a complete file in a private folder, and give it its name below `root`. See `giveName`.
 *
 * @throws {StorageError}
 */
export function finishFile(
  root: string,
  from: string,
  file: { target: string; mode: number; mtime: number; before?: FileMark | null },
): void {
  // Looked at again: what lies behind a link by now is not ours to dress and move.
  ensurePrivateFolder(dirname(from));
  // What stands there now is given up for this: it has to outlive a power cut.
  if (lookAt(file.target) !== undefined) bringToDisk(from);
  dress(from, file);
  giveName(root, from, file.target, file.before);
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
