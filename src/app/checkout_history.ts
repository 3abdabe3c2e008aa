/** The newest version's files, written from an archive that keeps the bytes of every version. */
import { join } from "node:path";
import { IncompleteError, ProofError } from "../base/errors.ts";
import type { FeedStore } from "../io/feed_store.ts";
import { ensurePrivateFolder, finishFile } from "../io/finish_file.ts";
import { storageError } from "../io/handle_cache.ts";
import { openOrMake } from "../io/no_follow.ts";
import { nextTurn } from "../io/pause.ts";
import type { CheckoutPlan, PlannedFile } from "./checkout_plan.ts";
import type { Archive } from "./open_archive.ts";

/** Other work gets its turn after so many bytes were written. */
const TURN_BYTES = 4 * 1024 * 1024;

/**
 * Write the files of a plan that are not there yet: each in a private place, from verified blocks,
 * then named.
 *
 * @param signal Aborted with the reason to throw; what is complete by then stays.
 * @throws {IncompleteError} If a block is not here.
 * @throws {ProofError} If a block does not match the signed tree any more.
 */
export async function writeWorkingFiles(
  archive: Archive,
  plan: CheckoutPlan,
  signal: AbortSignal,
): Promise<void> {
  const { dir, staging } = archive.paths;
  const content = archive.openContent();
  let bytes = 0;
  for (const file of plan.toPlace) {
    const staged = join(staging, `${file.seq}.file`);
    ensurePrivateFolder(staging);
    for (const written of writeBlocks(content, file, staged)) {
      const turns = Math.floor(bytes / TURN_BYTES);
      bytes += written;
      if (Math.floor(bytes / TURN_BYTES) > turns) await nextTurn();
      signal.throwIfAborted();
    }
    finishFile(dir, staged, file);
  }
}

/** Write a file anew, and yield the size of each block that was written. */
function* writeBlocks(content: FeedStore, file: PlannedFile, to: string): Generator<number> {
  using copy = makeAnew(to);
  let size = 0;
  for (let block = file.offset; block < file.offset + file.blocks; block++) {
    const bytes = content.readVerified(block);
    if (bytes === undefined) {
      throw new IncompleteError(`Cannot write "${file.path}": content block ${block} is missing`, {
        hint: "run the same command again to fetch it",
      });
    }
    size += bytes.length;
    if (size > file.size) break;
    try {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(copy.writeSync(rest));
    } catch (error) {
      throw storageError(`Cannot write "${to}"`, error);
    }
    yield bytes.length;
  }
  if (size !== file.size) {
    throw new ProofError(
      `Cannot write "${file.path}": its blocks do not add up to ${file.size} bytes`,
      { hint: "the archive itself is damaged; tell its owner" },
    );
  }
}

function makeAnew(path: string): Deno.FsFile {
  try {
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return openOrMake(path);
  } catch (error) {
    throw storageError(`Cannot make "${path}"`, error);
  }
}
