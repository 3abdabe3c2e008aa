/**
 * A private note about the file that an import is in the middle of (`trove.import`), so that after a
 * kill hashing goes on where it was. It is written after the blocks it speaks of, and counts only as
 * long as the file on disk and the content feed are what it says.
 */
import { dirname, join, sep } from "node:path";
import { toUtf8 } from "../base/bytes.ts";
import { examine, type FolderItem, realPath } from "../io/folder.ts";
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

/**
 * The file of a note as it is on disk, if it is still the same and inside the folder `dir`.
 *
 * @throws {StorageError} If it cannot be looked at.
 */
export function notedFile(note: ImportNote, dir: string): FolderItem | undefined {
  const { names, size, mtime, ino } = note;
  const target = join(dir, ...names);
  const root = realPath(dir);
  const folder = realPath(dirname(target));
  if (root === undefined || folder === undefined) return undefined;
  // The folders above it may be links that lead elsewhere by now.
  const isInside = `${folder}${sep}`.startsWith(root + sep) &&
    !`${folder}${sep}`.startsWith(join(root, ".dat") + sep);
  if (!isInside) return undefined;
  const item = examine(target, names[names.length - 1], root);
  const isSame = item?.kind === "file" && item.size === size && item.mtime === mtime &&
    item.ino === ino;
  return isSame ? item : undefined;
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
