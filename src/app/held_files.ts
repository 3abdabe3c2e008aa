/**
 * Which files of a version cannot be had from what is here, found out before anything is written.
 *
 * Source: spec of the drive, sections 7, 9 and 10.
 */
import { join } from "node:path";
import { NotFoundError } from "../base/errors.ts";
import { count, formatBytes } from "../base/format.ts";
import { kindOfMode } from "../core/archive/entry.ts";
import { safePath } from "../core/archive/safe_path.ts";
import type { ArchiveView, ViewedFile } from "./archive_view.ts";
import type { Archive } from "./open_archive.ts";
import { filesSelectedFirst } from "./selection_note.ts";

/** How many files a message names before it only counts. */
const NAMED_FILES = 5;

export interface MissingFile {
  readonly path: string;
  /** Bytes of the whole file. */
  readonly size: number;
  /** Blocks of the whole file, and how many of them are not here. */
  readonly blocks: number;
  readonly missing: number;
}

/** The files that are not here with all their bytes, in the given order. */
export function missingFiles(view: ArchiveView, files: Iterable<ViewedFile>): MissingFile[] {
  const found: MissingFile[] = [];
  const sources = workingFiles(view.archive);
  const { content } = view.archive;
  for (const file of files) {
    const { size, blocks, offset } = file.stat;
    if (blocks === 0) continue;
    let missing = blocks - view.countHeld(file);
    if (missing === 0 && sources !== undefined && content?.hasFinal(offset)) {
      // The bits cannot know that somebody deleted or shortened the working file.
      const source = sources.get(offset);
      if (source === undefined || sizeOf(source) !== size) missing = blocks;
    }
    if (missing > 0) found.push({ path: file.path, size, blocks, missing });
  }
  return found;
}

/**
 * What a command says that cannot do without them.
 *
 * @param action Such as `export`.
 */
export function missingError(
  view: ArchiveView,
  missing: readonly MissingFile[],
  { action, hint }: { action: string; hint?: string },
): NotFoundError {
  const blocks = missing.reduce((sum, file) => sum + file.missing, 0);
  const bytes = missing.reduce((sum, { size }) => sum + size, 0);
  const named = missing.slice(0, NAMED_FILES).map(({ path, size, blocks, missing }) =>
    `"${path.slice(1)}" (${formatBytes(size)}, ${missing} of ${count(blocks, "block")} missing)`
  );
  const rest = missing.length - named.length;
  const list = named.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
  const what = `${count(missing.length, "file")} (${formatBytes(bytes)}; ` +
    `${count(blocks, "content block")}) ${missing.length === 1 ? "is" : "are"} not all here`;
  const ways = view.archive.keepsHistory
    ? "what was given up or never fetched can only come from a peer that has it"
    : "this folder keeps the bytes of its newest files only";
  return new NotFoundError(`Cannot ${action} version ${view.version}: ${what}: ${list}`, {
    hint: hint === undefined ? ways : `${ways}; ${hint}`,
  });
}

/** Where the working files are the content: which of them has the blocks from an offset on. */
function workingFiles(archive: Archive): ReadonlyMap<number, string> | undefined {
  if (archive.contentFiles === undefined) return undefined;
  const sources = new Map<number, string>();
  for (const { path, stat } of filesSelectedFirst(archive)) {
    const safe = safePath(path);
    if (safe.kind === "refused" || stat.blocks === 0 || kindOfMode(stat.mode) !== "file") continue;
    // Of several with the same blocks the first one is read.
    if (!sources.has(stat.offset)) {
      sources.set(stat.offset, join(archive.paths.dir, ...safe.components));
    }
  }
  return sources;
}

/** Bytes of a working file; a link to a file counts as that file. Undefined if it is gone. */
function sizeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch {
    return undefined;
  }
}
