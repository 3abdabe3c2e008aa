/**
 * Write the files of a restore plan: each in a private place, verified block by block, given its
 * mode and time, and only then its name. Whenever this ends, every file is the old or the new one.
 *
 * Source: spec of the drive, sections 8 and 10.
 */
import { join } from "node:path";
import { ProofError } from "../base/errors.ts";
import type { WalkedFile } from "../core/archive/walk.ts";
import { dress, giveName } from "../io/finish_file.ts";
import { ensureFolder } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import { PrivateFolder } from "../io/private_folder.ts";
import type { ArchiveView } from "./archive_view.ts";
import type { Emit } from "./events.ts";
import type { RestoredFile, RestorePlan } from "./restore_plan.ts";
import { Turns } from "./turns.ts";

export interface RestoreRun {
  readonly emit: Emit;
  /** Return only when the disk has every file. */
  readonly durable?: boolean;
  /** Aborted with the reason to throw; files that are complete by then stay. */
  readonly signal?: AbortSignal;
  /** Told of every file that was written or whose permissions were set. */
  readonly onFile: (file: RestoredFile) => void;
  /** Told how many bytes of a file are written so far. */
  readonly onBytes: (file: RestoredFile, bytes: number) => void;
}

/**
 * Carry out a plan.
 *
 * @returns The paths that could not be restored because their bytes here are not the right ones any
 *   more; each was warned about.
 * @throws {StorageError} If something cannot be written, or links were put in the way meanwhile.
 * @throws {LockedError} If another process restores into the same folder.
 */
export async function restoreFiles(plan: RestorePlan, run: RestoreRun): Promise<string[]> {
  const { view, root, files, modes, folders } = plan;
  const turns = new Turns(run.signal);
  const damaged: string[] = [];
  if (files.length > 0) {
    using staging = new PrivateFolder(root);
    for (const [n, file] of files.entries()) {
      try {
        const staged = await stageFile(view, file, { staging, name: String(n), turns, run });
        dress(staged, file);
        giveName(root, staged, file.target, file.before);
      } catch (error) {
        if (!(error instanceof ProofError)) throw error;
        // One rotten file must not keep the others from being saved.
        damaged.push(file.path);
        run.emit({ event: "warning", code: "damaged", message: error.message });
        continue;
      }
      run.onFile(file);
    }
  }
  for (const file of modes) {
    await turns.take();
    ensureFolder(root, file.target);
    dress(file.target, { mode: file.mode, mtime: NaN });
    run.onFile(file);
  }
  for (const { target } of folders) {
    await turns.take();
    ensureFolder(root, join(target, "anything"));
  }
  return damaged;
}

/** Write a file's verified bytes to a private place, and answer where that is. */
async function stageFile(
  view: ArchiveView,
  file: RestoredFile,
  options: { staging: PrivateFolder; name: string; turns: Turns; run: RestoreRun },
): Promise<string> {
  const { staging, name, turns, run } = options;
  const { path, file: handle } = staging.make(name);
  using out = handle;
  let written = 0;
  for (const bytes of readAll(view, file.walked)) {
    try {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(out.writeSync(rest));
    } catch (error) {
      throw storageError(`Cannot write "${file.target}"`, error);
    }
    written += bytes.length;
    run.onBytes(file, written);
    await turns.take(bytes.length);
  }
  try {
    // What stands there now is given up for this: it has to outlive a power cut.
    if (run.durable || file.before !== null) out.syncDataSync();
  } catch (error) {
    throw storageError(`Cannot write "${file.target}"`, error);
  }
  await turns.take();
  return path;
}

/** The blocks of a file; an empty one has nothing to verify. */
function readAll(view: ArchiveView, file: WalkedFile): Iterable<Uint8Array> {
  return file.stat.blocks === 0 ? [] : view.read(file);
}
