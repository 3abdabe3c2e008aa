/** The files that say what a folder has of its archive, for whoever only asks whether there are any. */
import { join } from "node:path";
import type { SelectionRules } from "../core/archive/selection.ts";
import { type ArchivePaths, readSmallFile } from "./archive_folder.ts";

/** Where a selection is remembered. */
export function selectionNotePath({ dat }: ArchivePaths): string {
  return join(dat, "trove.select");
}

/** What dat has in its place, a path on each line; undefined where it is not looked for. */
export function datDownloadPath({ layout, dir }: ArchivePaths): string | undefined {
  return layout === "dat" ? join(dir, ".datdownload") : undefined;
}

/** Whether files may be left out in a folder. Where not, no pattern has to be understood. */
export function maySelect(paths: ArchivePaths): boolean {
  const files = [selectionNotePath(paths), datDownloadPath(paths)];
  return files.some((file) => file !== undefined && readSmallFile(file) !== undefined);
}

/** For people: `photos, *.txt; not **\/*.tmp`. */
export function describeSelection({ select, exclude }: SelectionRules): string {
  if (exclude.some((text) => text === "**")) return "nothing";
  const wanted = select.length === 0 ? "everything" : select.join(", ");
  return exclude.length === 0 ? wanted : `${wanted}; not ${exclude.join(", ")}`;
}
