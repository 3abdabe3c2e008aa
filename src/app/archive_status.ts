/** What is on disk of an archive, without touching the network or changing anything. */
import { IncompleteError } from "../base/errors.ts";
import { RangeSet } from "../base/ranges.ts";
import type { World } from "../base/world.ts";
import { kindOfMode } from "../core/archive/entry.ts";
import { runItems } from "../core/archive/steps.ts";
import { walkFiles } from "../core/archive/walk.ts";
import { type Archive, openArchive } from "./open_archive.ts";

export interface ArchiveStatus {
  readonly link: string;
  /** Something the user should hear about the archive, if anything. */
  readonly warning?: string;
  readonly version: number;
  /** Live files and their bytes; undefined while the metadata is not complete. */
  readonly files?: number;
  readonly bytes?: number;
  readonly writable: boolean;
  /** Blocks held, and those that the newest version needs (as far as that is known). */
  readonly blocks: number;
  readonly blocksTotal: number;
}

/** @throws {NotFoundError} If there is no archive. */
export function readStatus(dir: string, world: World): ArchiveStatus {
  using archive = openArchive(dir, { world, access: "read" });
  const { link, warning, version, metadata, content } = archive;
  // Of an archive without any metadata nothing is known, whereas one with entry 0 alone is empty.
  const live = metadata.length === 0 ? undefined : countLive(archive);
  let blocks = metadata.countHeld(0, metadata.length);
  let blocksTotal = metadata.length;
  for (const { start, end } of live?.ranges ?? []) {
    blocks += content?.countHeld(start, end) ?? 0;
    blocksTotal += end - start;
  }
  const { files, bytes } = live ?? {};
  return { link, warning, version, files, bytes, writable: archive.owned, blocks, blocksTotal };
}

function countLive(archive: Archive) {
  const ranges = new RangeSet();
  let files = 0;
  let bytes = 0;
  try {
    for (const { stat } of runItems(walkFiles(archive.version), archive.entry)) {
      if (kindOfMode(stat.mode) !== "file") continue;
      files++;
      bytes += stat.size;
      ranges.add(stat.offset, stat.offset + stat.blocks);
    }
  } catch (error) {
    if (error instanceof IncompleteError) return undefined;
    throw error;
  }
  return { files, bytes, ranges };
}
