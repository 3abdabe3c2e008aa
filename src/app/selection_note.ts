/**
 * What a folder has of its archive: the selection of `--select` and `--exclude`, remembered in
 * `.dat/trove.select`, a JSON object with both lists. Where nobody selected anything, a `.datdownload`
 * beside the files does, as dat has it: a path of a file or a folder on each line.
 *
 * Source: spec of the command lines, `--selectFromFile`; of the dat directory, section 1.
 */
import { resolve } from "node:path";
import { EMPTY_BYTES, equalBytes, toUtf8 } from "../base/bytes.ts";
import { StorageError, UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { findFile } from "../core/archive/lookup.ts";
import {
  escapePattern,
  EVERYTHING,
  Selection,
  type SelectionRules,
} from "../core/archive/selection.ts";
import { runItems, runLookup } from "../core/archive/steps.ts";
import { normalizePath } from "../core/archive/tree_path.ts";
import { type WalkedFile, walkFiles } from "../core/archive/walk.ts";
import { type ArchivePaths, readSmallFile, writeSmallFile } from "./archive_folder.ts";
import type { Emit } from "./events.ts";
import type { Archive } from "./open_archive.ts";
import { datDownloadPath, selectionNotePath } from "./selection_files.ts";
import { removeVersionNote } from "./version_notes.ts";

export { checkPattern } from "../core/archive/selection.ts";
export { describeSelection } from "./selection_files.ts";

const DATDOWNLOAD = ".datdownload";

/** No file at all: a clone that has the list of them. */
export const NOTHING: SelectionRules = { select: [], exclude: ["**"] };

/** Where and by whom it is asked. */
export interface SelectionSource {
  readonly paths: ArchivePaths;
  /** The owner has every file: there a selection means nothing. */
  readonly owned: boolean;
  /** Whether the newest version has something at a path. Asked only where it matters. */
  readonly has: (path: string) => boolean;
}

/**
 * The selection that holds in an archive's folder.
 *
 * @param version What is looked at to tell whose a `.datdownload` is; the newest one if left out.
 * @throws {StorageError} If the note cannot be read, or makes no sense.
 * @throws {IncompleteError} If it takes metadata that is not here to know.
 */
export function selectionOf(archive: Archive, version = archive.version): Selection {
  const { paths, owned, entry } = archive;
  const has = (path: string) => runLookup(findFile(version, path), entry)?.stat !== undefined;
  return new Selection(selectionIn({ paths, owned, has }));
}

/** The same as patterns, for those who have no open archive. */
export function selectionIn({ paths, owned, has }: SelectionSource): SelectionRules {
  if (owned) return EVERYTHING;
  const noted = readSelection(paths);
  if (noted !== undefined) return noted;
  const file = datDownloadPath(paths);
  const text = file === undefined ? undefined : readSmallFile(file);
  // One that came with the archive is a file like any other: no stranger chooses what is fetched.
  if (text === undefined || has(`/${DATDOWNLOAD}`)) return EVERYTHING;
  return { select: patternsIn(text), exclude: [] };
}

/**
 * What a file selects, in the manner of a `.datdownload`.
 *
 * @param file Relative to the current folder.
 * @throws {UsageError} If there is no such file.
 * @throws {StorageError} If it cannot be read.
 */
export function readSelectionFile(file: string, world: World): string[] {
  const text = readSmallFile(resolve(world.cwd(), file));
  if (text === undefined) {
    throw new UsageError(`Cannot select by "${file}": there is no such file`, {
      hint: "name one with a path on each line",
    });
  }
  return patternsIn(text);
}

function patternsIn(text: Uint8Array): string[] {
  const lines = new TextDecoder().decode(text).split(/\r?\n/);
  return lines.filter((line) => line.trim() !== "").map(toPattern);
}

function toPattern(line: string): string {
  const path = normalizePath(line);
  return path === "/" ? "**" : escapePattern(path.slice(1));
}

/** The patterns of the note, if there is one. @throws {StorageError} If it makes no sense. */
export function readSelection(paths: ArchivePaths): SelectionRules | undefined {
  const bytes = readSmallFile(selectionNotePath(paths));
  if (bytes === undefined) return undefined;
  try {
    const { select, exclude } = JSON.parse(new TextDecoder().decode(bytes));
    if (!areTexts(select) || !areTexts(exclude)) throw new TypeError("two lists are needed");
    new Selection({ select, exclude });
    return { select, exclude };
  } catch (cause) {
    throw new StorageError(`Cannot tell what "${paths.dir}" has of its archive from trove.select`, {
      cause,
      hint: `say it again: trove pull --select with a pattern, or with "**" for everything`,
    });
  }
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function noteOf({ select, exclude }: SelectionRules): Uint8Array {
  return toUtf8(`${JSON.stringify({ select, exclude })}\n`);
}

/** What is to be fetched: what was asked for, or what was remembered. @throws as `selectionOf` */
export function chosenSelection(
  archive: Archive,
  asked?: SelectionRules,
  version?: number,
): Selection {
  return asked === undefined ? selectionOf(archive, version) : new Selection(asked);
}

/** What the files here were selected by. Where that cannot be told, none counts as fetched. */
export function selectionBefore(archive: Archive, version?: number): Selection {
  try {
    return selectionOf(archive, version);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return new Selection(NOTHING);
  }
}

/**
 * Keep to a selection from now on, if one was asked for. Which version's files are all here is not
 * known any more where it is another one than before.
 */
export function rememberSelection(paths: ArchivePaths, asked: SelectionRules | undefined): void {
  if (asked === undefined) return;
  const text = noteOf(asked);
  if (equalBytes(readSmallFile(selectionNotePath(paths)) ?? EMPTY_BYTES, text)) return;
  removeVersionNote(paths, "synced");
  writeSmallFile(selectionNotePath(paths), text, { mode: 0o644 });
}

/** Tell of patterns that match nothing: most are misspelled. */
export function warnOfUnused(
  selection: Selection,
  { version }: { version: number },
  emit: Emit,
): void {
  if (version === 0) return;
  for (const text of selection.unused()) {
    const message = `"${text}" matches no file of version ${version}`;
    emit({ event: "warning", code: "no-match", message });
  }
}

/**
 * Keep a folder that has some of the files only from becoming the archive: an import would sign that
 * all others were deleted.
 *
 * @throws {UsageError}
 */
export function refusePartialImport({ paths }: Archive): void {
  const rules = readSelection(paths);
  if (rules === undefined || new Selection(rules).isEverything) return;
  throw partialError(`import "${paths.dir}"`, "share a whole clone of the archive instead");
}

/**
 * The same before such a folder gets the secret key, be it one that another program fetched.
 *
 * @throws {UsageError}
 */
export function refusePartialOwner(paths: ArchivePaths): void {
  if (new Selection(selectionIn({ paths, owned: false, has: () => false })).isEverything) return;
  const what = `import the secret key into "${paths.dir}"`;
  throw partialError(what, `fetch the others first: trove pull --select "**"`);
}

function partialError(what: string, hint: string): UsageError {
  const why = "it has selected files of its archive only, and all others would count as deleted";
  return new UsageError(`Cannot ${what}: ${why}`, { hint });
}

/**
 * The live files of a version, those that are selected first: of several with the same blocks, the
 * first is where these lie.
 *
 * @param version The newest one, if left out.
 * @throws {IncompleteError} If the metadata is not complete.
 */
export function* filesSelectedFirst(
  archive: Archive,
  version = archive.version,
): Generator<WalkedFile, void, void> {
  const selection = selectionOf(archive, version);
  const others: WalkedFile[] = [];
  for (const file of runItems(walkFiles(version), archive.entry)) {
    if (selection.isEverything || selection.selects(file.path)) yield file;
    else others.push(file);
  }
  yield* others;
}
