/**
 * One process at a time may write to an archive. The lock is the system's own on
 * `.dat/metadata.bitfield`, the file that hypercore's storage locks, so it ends with the process;
 * a small file beside it says who holds it. Source: spec of the dat directory, section 6.
 */
import { fromUtf8, toUtf8 } from "../base/bytes.ts";
import { LockedError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { storageError } from "../io/handle_cache.ts";
import type { ArchivePaths } from "./archive_folder.ts";

/** What is locked, and where it is noted by whom. */
export interface LockPlaces {
  readonly dir: string;
  readonly bitfield: string;
  readonly lock: string;
}

/** @throws {LockedError} If another process has the archive open for writing. */
export function lockArchive(paths: ArchivePaths, world: World): Disposable {
  const { dir, lock } = paths;
  return lockFolder({ dir, lock, bitfield: paths.feed("metadata", "bitfield") }, world);
}

/** The same for a folder with any feed in it. */
export function lockFolder(paths: LockPlaces, world: World): Disposable {
  const path = paths.bitfield;
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true, write: true, create: true });
  } catch (error) {
    throw storageError(`Cannot open "${path}" for writing`, error);
  }
  if (!file.tryLockSync(true)) {
    file.close();
    throw new LockedError(`Cannot open "${paths.dir}": ${holder(paths)} has it open for writing`, {
      hint: "wait for it to end, or stop it",
    });
  }
  const since = new Date(world.clock.wall()).toISOString();
  try {
    using note = Deno.openSync(paths.lock, { write: true, create: true, truncate: true });
    note.writeSync(toUtf8(`${world.pid} ${since}\n`));
    // After a power cut it tells that something was under way: see `mend_after_cut.ts`.
    note.syncSync();
  } catch (error) {
    file.close();
    throw storageError(`Cannot write "${paths.lock}"`, error);
  }
  return {
    [Symbol.dispose]() {
      try {
        Deno.removeSync(paths.lock);
      } catch (error) {
        // Only a note for people: without it the lock works as well.
        if (!(error instanceof Deno.errors.NotFound)) {
          throw storageError(`Cannot remove "${paths.lock}"`, error);
        }
      } finally {
        file.close();
      }
    },
  };
}

/** Whether another process has the archive open for writing. */
export function isLocked(paths: ArchivePaths): boolean {
  try {
    using file = Deno.openSync(paths.feed("metadata", "bitfield"), { read: true, write: true });
    return !file.tryLockSync(true);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw storageError(`Cannot open "${paths.feed("metadata", "bitfield")}" for writing`, error);
  }
}

/** As the file says; it may be missing or half written at the moment. */
function holder(paths: LockPlaces): string {
  try {
    const note = /^(\d+) (\S+)\n$/.exec(fromUtf8(Deno.readFileSync(paths.lock)));
    return note === null ? "another process" : `process ${note[1]} (since ${note[2]})`;
  } catch {
    return "another process";
  }
}
