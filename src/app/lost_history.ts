/**
 * An owner's archive of which parts are lost must not begin anew: blocks that others may know would
 * be signed a second time, with other bytes. `io/feed_recovery.ts` goes by signatures; here is what
 * is left to notice when a feed lost those as well. Source: spec of storage, section 14.
 */
import { StorageError } from "../base/errors.ts";
import { encodeIndex } from "../core/archive/entry.ts";
import { HEADER_BYTES, TREE_ENTRY_BYTES } from "../core/sleep/layout.ts";
import { PUBLIC_KEY_BYTES } from "../crypto/sign.ts";
import { lookAt } from "../io/folder.ts";
import type { ArchivePaths } from "./archive_folder.ts";
import type { Archive } from "./open_archive.ts";

/** Entries looked at for the content they name: a rename may name older blocks than its neighbours. */
const ENTRIES_LOOKED_AT = 1000;

const HINT = "restore .dat from a copy, or clone the archive from a peer into another folder";

/**
 * Whether a metadata feed without a single proven block may get its first one. An archive whose
 * creation was cut off has files with no more than that block in them.
 *
 * @throws {StorageError} If there was more.
 */
export function checkBeginning(paths: ArchivePaths): void {
  const firstBytes = encodeIndex(new Uint8Array(PUBLIC_KEY_BYTES)).length;
  const size = (file: "data" | "tree") => lookAt(paths.feed("metadata", file))?.size ?? 0;
  if (size("data") <= firstBytes && size("tree") <= HEADER_BYTES + TREE_ENTRY_BYTES) return;
  throw new StorageError(
    `Cannot go on with the archive in "${paths.dir}": its entries are there, and no signature that ` +
      "proves them",
    { hint: HINT },
  );
}

/**
 * Whether the content feed is as long as the metadata says, so that the next block is a new one.
 * Content is written before the metadata that names it, so a crash cannot be the reason.
 *
 * @throws {StorageError} If it is not.
 */
export function checkContentLength(archive: Archive): void {
  const { metadata } = archive;
  const length = archive.content?.length ?? 0;
  const first = Math.max(1, metadata.length - ENTRIES_LOOKED_AT);
  for (let seq = metadata.length - 1; seq >= first; seq--) {
    const stat = archive.entry(seq)?.stat;
    if (stat === undefined || stat.blocks === 0 || stat.offset + stat.blocks <= length) continue;
    throw new StorageError(
      `Cannot add to the archive in "${archive.paths.dir}": version ${seq} has content up to block ` +
        `${stat.offset + stat.blocks - 1}, and the tree of the content ends at ${length} blocks`,
      { hint: HINT },
    );
  }
}
