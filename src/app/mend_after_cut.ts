/**
 * What is looked at before a clone is gone on with that was cut off: by a kill, after which nothing
 * is wrong, or by a power cut, after which anything may be missing that was written to it. While a
 * clone is fetched nothing is brought to disk on purpose, as it would cost more than the fetching.
 */
import { LockedError } from "../base/errors.ts";
import type { StopSignal } from "../base/world.ts";
import { Channel } from "../csp/channel.ts";
import { lookAt } from "../io/folder.ts";
import type { ArchivePaths } from "./archive_folder.ts";
import { isLocked } from "./archive_lock.ts";
import type { FetchOptions } from "./fetch_blocks.ts";
import { repairArchive } from "./repair_archive.ts";
import { isSound, verifyArchive } from "./verify_archive.ts";

/**
 * Give up what does not verify, if the process that had the clone open before did not close it. It is
 * fetched again then. Does nothing where another process has it open, or to an archive of our own:
 * there everything is on disk before anybody hears of it.
 *
 * @throws {StorageError} If the disk does not let us.
 */
export async function mendAfterCut(
  paths: ArchivePaths,
  options: Pick<FetchOptions, "world" | "emit">,
): Promise<void> {
  if (lookAt(paths.lock) === undefined || isLocked(paths)) return;
  const { world, emit } = options;
  const audit = verifyArchive(paths, { world });
  if (audit.owned || isSound(audit)) return;
  try {
    const signals = new Channel<StopSignal>(1); // nothing is fetched, so nothing can be stopped
    await repairArchive(paths, { world, emit, signals, peers: [], discard: true, dryRun: false });
  } catch (error) {
    // Opening it says so too, and better.
    if (!(error instanceof LockedError)) throw error;
  }
}
