/** The small files that note versions of a clone, against the versions there are. */
import { StorageError } from "../base/errors.ts";
import type { ArchivePaths } from "./archive_folder.ts";
import type { Problem } from "./damage.ts";
import { readVersionNote } from "./version_notes.ts";

/** What a note says, if there is one that can be read. */
export function readNote(paths: ArchivePaths, note: "latest" | "synced"): number | undefined {
  try {
    return readVersionNote(paths, note);
  } catch (error) {
    if (error instanceof StorageError) return undefined;
    throw error;
  }
}

/** @param version The newest one. */
export function problemsOfNotes(paths: ArchivePaths, version: number): Problem[] {
  const latest = readNote(paths, "latest");
  const synced = readNote(paths, "synced");
  const found: Problem[] = [];
  const wrong = (path: string, message: string) => {
    found.push({ kind: "note", path, message: `${path}: ${message}`, repair: "local" });
  };
  if (latest !== undefined && latest > version) {
    wrong("metadata.latest", `it says version ${latest}, the newest is ${version}`);
  }
  if (synced !== undefined && synced > version) {
    wrong("trove.synced", `it says version ${synced}, the newest is ${version}`);
  } else if (latest !== undefined && synced !== undefined && latest < synced) {
    // Removals are applied before a version is complete.
    wrong("metadata.latest", `it says version ${latest}, version ${synced} was complete`);
  }
  return found;
}
