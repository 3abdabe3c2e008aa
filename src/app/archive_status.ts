/** What is on disk of an archive, without touching the network or changing anything. */
import { IncompleteError } from "../base/errors.ts";
import { RangeSet } from "../base/ranges.ts";
import type { World } from "../base/world.ts";
import { kindOfMode } from "../core/archive/entry.ts";
import type { Selection, SelectionRules } from "../core/archive/selection.ts";
import { runItems } from "../core/archive/steps.ts";
import { walkFiles } from "../core/archive/walk.ts";
import { type Archive, openArchive } from "./open_archive.ts";
import { maySelect } from "./selection_files.ts";

export interface ArchiveStatus {
  readonly link: string;
  readonly discoveryKey: string;
  /** The working folder, or where an archive without working files lies. */
  readonly dir: string;
  /** Something the user should hear about the archive, if anything. */
  readonly warning?: string;
  readonly version: number;
  /** Live files that are selected and their bytes; undefined while the metadata is not complete. */
  readonly files?: number;
  readonly bytes?: number;
  /** What is selected, if anything is left out, and how many live files are not. */
  readonly selection?: SelectionRules;
  readonly unselected?: number;
  readonly writable: boolean;
  /** Whether every version's bytes are kept, or only those of the newest files. */
  readonly history: boolean;
  /** Blocks held, and those that the newest version's files need (as far as that is known). */
  readonly blocks: number;
  readonly blocksTotal: number;
}

/** @throws {NotFoundError} If there is no archive. */
export async function readStatus(dir: string, world: World): Promise<ArchiveStatus> {
  using archive = openArchive(dir, { world, access: "read" });
  const { link, discoveryKey, warning, version, metadata, content } = archive;
  // Of an archive without any metadata nothing is known, whereas one with entry 0 alone is empty.
  // Patterns take as long to load as all the rest.
  const selected = maySelect(archive.paths)
    ? (await import("./selection_note.ts")).selectionOf
    : undefined;
  const live = metadata.length === 0 ? undefined : countLive(archive, version, selected);
  let blocks = metadata.countHeld(0, metadata.length);
  let blocksTotal = metadata.length;
  for (const { start, end } of live?.ranges ?? []) {
    blocks += content?.countHeld(start, end) ?? 0;
    blocksTotal += end - start;
  }
  return {
    link,
    discoveryKey,
    dir: archive.paths.dir,
    warning,
    version,
    files: live?.files,
    bytes: live?.bytes,
    selection: live?.selection,
    unselected: live?.selection && live.unselected,
    writable: archive.owned,
    history: archive.keepsHistory,
    blocks,
    blocksTotal,
  };
}

/** The files of a version: how many, their bytes, and the content blocks that hold them. */
export interface LiveFiles {
  readonly files: number;
  readonly bytes: number;
  readonly ranges: RangeSet;
  /** Absent if everything is selected. */
  readonly selection?: SelectionRules;
  /** Files that are not counted. */
  readonly unselected: number;
}

/**
 * Undefined if the metadata of that version is not complete.
 *
 * @param selected Says which files count; if left out, all do.
 */
export function countLive(
  archive: Archive,
  version: number,
  selected?: (archive: Archive) => Selection,
): LiveFiles | undefined {
  const ranges = new RangeSet();
  let files = 0;
  let bytes = 0;
  let unselected = 0;
  let rules: SelectionRules | undefined;
  try {
    const selection = selected?.(archive);
    if (selection?.isEverything === false) rules = selection.rules;
    for (const { path, stat } of runItems(walkFiles(version), archive.entry)) {
      if (kindOfMode(stat.mode) !== "file") continue;
      if (rules !== undefined && !selection!.selects(path)) {
        unselected++;
        continue;
      }
      files++;
      bytes += stat.size;
      ranges.add(stat.offset, stat.offset + stat.blocks);
    }
  } catch (error) {
    if (error instanceof IncompleteError) return undefined;
    throw error;
  }
  return { files, bytes, ranges, selection: rules, unselected };
}
