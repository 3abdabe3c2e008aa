/**
 * What a version needs on disk: its live files and folders with their places, without those that
 * cannot be written. Source: spec of the drive, section 8.
 */
import { join } from "node:path";
import { type Range, RangeSet } from "../base/ranges.ts";
import { findClashes } from "../core/archive/clashes.ts";
import { kindOfMode } from "../core/archive/entry.ts";
import { safePath } from "../core/archive/safe_path.ts";
import { runItems } from "../core/archive/steps.ts";
import { walkFiles } from "../core/archive/walk.ts";
import type { ContentFile } from "../io/content_files.ts";
import type { Emit } from "./events.ts";
import type { Archive } from "./open_archive.ts";

/** A live path of the version, with its place on disk. */
export interface PlannedFile extends ContentFile {
  /** As the archive has it. */
  readonly path: string;
}

export interface CheckoutPlan {
  readonly version: number;
  /** Files that have content. */
  readonly files: readonly PlannedFile[];
  readonly emptyFiles: readonly PlannedFile[];
  /** Directories made on purpose. */
  readonly folders: readonly PlannedFile[];
  /** Entries that cannot be written, each of which was warned about. */
  readonly refused: number;
  /** Content blocks of the files. */
  readonly ranges: readonly Range[];
  /** Bytes of all files. */
  readonly bytes: number;
}

/** The plan for the newest version that is here. Warns of each entry that cannot be written. */
export function planFiles(archive: Archive, emit: Emit): CheckoutPlan {
  const { version } = archive;
  const files: PlannedFile[] = [];
  const folders: PlannedFile[] = [];
  let refused = 0;
  const refuse = (path: string, reason: string) => {
    refused++;
    emit({ event: "warning", code: "refused", message: `Cannot write "${path}": ${reason}` });
  };
  for (const { path, stat } of runItems(walkFiles(version), archive.entry)) {
    const safe = safePath(path, { windows: Deno.build.os === "windows" });
    const kind = kindOfMode(stat.mode);
    if (safe.kind === "refused") refuse(path, `the path ${safe.reason}`);
    else if (kind === "other") refuse(path, "it is neither a file nor a folder");
    else if (kind === "file" && stat.blocks === 0 && stat.size > 0) {
      refuse(path, `it has ${stat.size} bytes and no blocks`);
    } else {
      const file = { path, target: join(archive.paths.dir, ...safe.components), ...stat };
      if (kind === "directory") folders.push(file);
      else files.push(file);
    }
  }
  // A folder made on purpose is as good as a file in it. It gives way: it has nothing to lose.
  const insides = folders.map((folder) => ({ ...folder, path: `${folder.path}/`, folder }));
  const all: (PlannedFile & { folder?: PlannedFile })[] = [...files, ...insides];
  const { kept: fitted, clashes } = findClashes(all, { foldNames: foldsNames() });
  for (const { file, with: other } of clashes) {
    refuse(file.folder?.path ?? file.path, `"${other}" is in its way`);
  }
  const kept = fitted.filter((file) => file.folder === undefined);
  const fitting = dropOverlaps(kept.filter((file) => file.blocks > 0), refuse);
  const ranges = new RangeSet();
  let bytes = 0;
  for (const { offset, blocks, size } of fitting) {
    ranges.add(offset, offset + blocks);
    bytes += size;
  }
  return {
    version,
    files: fitting,
    emptyFiles: kept.filter((file) => file.blocks === 0),
    folders: fitted.flatMap((file) => file.folder ?? []),
    refused,
    ranges: [...ranges],
    bytes,
  };
}

/** Whether names that differ in case only are one on this system. */
function foldsNames(): boolean {
  return Deno.build.os === "windows" || Deno.build.os === "darwin";
}

/** Two files may have the same blocks; sharing only some of them is nonsense. */
function dropOverlaps(
  files: readonly PlannedFile[],
  refuse: (path: string, reason: string) => void,
): PlannedFile[] {
  const kept: PlannedFile[] = [];
  let last: PlannedFile | undefined;
  for (const file of [...files].sort((a, b) => a.offset - b.offset)) {
    const same = last !== undefined && last.offset === file.offset &&
      last.blocks === file.blocks && last.byteOffset === file.byteOffset && last.size === file.size;
    if (last === undefined || same || file.offset >= last.offset + last.blocks) {
      kept.push(file);
      last = file;
    } else {
      refuse(file.path, `its content overlaps that of "${last.path}"`);
    }
  }
  return kept;
}
