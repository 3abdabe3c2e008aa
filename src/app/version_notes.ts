/** Small files that hold the number of a version: 8 bytes, big-endian, as `metadata.latest` is. */
import { join } from "node:path";
import { readUint64BE, writeUint64BE } from "../base/bytes.ts";
import { UsageError } from "../base/errors.ts";
import { storageError } from "../io/handle_cache.ts";
import { type ArchivePaths, readSmallFile, writeSmallFile } from "./archive_folder.ts";

/**
 * `latest`: the version whose removals have been applied; other programs know it, too. Source: spec
 * of the drive, section 10. `synced`, our own: the version whose files were all put here last.
 * `pulling`, our own, in an owner's folder: the version that its files are of, while entries that
 * were signed elsewhere are fetched and checked out. Until it is gone the folder must not be
 * imported, or the old files would be signed as the newest ones.
 */
export type VersionNote = "latest" | "synced" | "pulling";

/** The number, or undefined if there is no such note, or a cut one. @throws {StorageError} */
export function readVersionNote(paths: ArchivePaths, note: VersionNote): number | undefined {
  const bytes = readSmallFile(placeOf(paths, note));
  return bytes?.length === 8 ? readUint64BE(bytes, 0) : undefined;
}

/** @throws {StorageError} */
export function writeVersionNote(paths: ArchivePaths, note: VersionNote, version: number): void {
  const bytes = new Uint8Array(8);
  writeUint64BE(bytes, 0, version);
  writeSmallFile(placeOf(paths, note), bytes, { mode: 0o644 });
}

/** @throws {StorageError} */
export function removeVersionNote(paths: ArchivePaths, note: VersionNote): void {
  const path = placeOf(paths, note);
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw storageError(`Cannot remove "${path}"`, error);
  }
}

/**
 * Keep a folder from being imported whose files are older than the archive's newest entries.
 *
 * @throws {UsageError} If a pull into the owner's folder was begun and not finished.
 */
export function refuseUnfinishedPull(paths: ArchivePaths): void {
  const version = readVersionNote(paths, "pulling");
  if (version === undefined) return;
  throw new UsageError(
    `Cannot import "${paths.dir}": its files are still of version ${version}, for a pull was not ` +
      "finished",
    { hint: "run trove pull again, or old files would be signed as the newest" },
  );
}

function placeOf(paths: ArchivePaths, note: VersionNote): string {
  return note === "latest" ? paths.latest : join(paths.dat, `trove.${note}`);
}
