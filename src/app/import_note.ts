/**
 * A private note about the file that an import is in the middle of (`trove.import`), so that after a
 * kill hashing goes on where it was. It is written after the blocks it speaks of, and counts only as
 * long as the file on disk and the content feed are what it says.
 */
import { join } from "node:path";
import { toUtf8 } from "../base/bytes.ts";
import type { FolderItem } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import { type ArchivePaths, readSmallFile, writeSmallFile } from "./archive_folder.ts";
import type { ContentPlace } from "./import_batch.ts";

export interface ImportNote {
  /** Names from the archive's folder down to the file. */
  readonly names: readonly string[];
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly mtime: number;
  readonly ino: number;
  /** Where the file's content begins. */
  readonly place: ContentPlace;
  /** How many of its blocks are in the content feed. */
  readonly blocks: number;
}

const FORMAT = 1;

function pathOf(paths: ArchivePaths): string {
  return join(paths.dat, "trove.import");
}

/** @throws {StorageError} */
export function writeImportNote(paths: ArchivePaths, note: ImportNote): void {
  const text = JSON.stringify({ format: FORMAT, ...note });
  writeSmallFile(pathOf(paths), toUtf8(text), { mode: 0o644 });
}

/** The note, unless there is none or it says nothing that is understood. */
export function readImportNote(paths: ArchivePaths): ImportNote | undefined {
  const bytes = readSmallFile(pathOf(paths));
  if (bytes === undefined) return undefined;
  try {
    const note = JSON.parse(new TextDecoder().decode(bytes));
    return note.format === FORMAT && isNote(note) ? note : undefined;
  } catch {
    return undefined;
  }
}

function isNote(note: ImportNote): boolean {
  const { names, place, blocks, size } = note;
  const numbers = [place.block, place.byte, blocks, size, note.mtime, note.ino];
  return Array.isArray(names) && names.every((name) => typeof name === "string") &&
    numbers.every((number) => Number.isFinite(number)) && Number.isSafeInteger(blocks);
}

/** Whether the file on disk is still the one that the note is about. */
export function isNoted(note: ImportNote, item: FolderItem): boolean {
  return item.kind === "file" && item.size === note.size && item.mtime === note.mtime &&
    item.ino === note.ino;
}

/** The import is not in the middle of a file any more. @throws {StorageError} */
export function removeImportNote(paths: ArchivePaths): void {
  try {
    Deno.removeSync(pathOf(paths));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw storageError(`Cannot remove "${pathOf(paths)}"`, error);
  }
}
