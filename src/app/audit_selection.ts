/** The files of a version that a folder is to have, and those it need not, for an audit. */
import { StorageError } from "../base/errors.ts";
import { count } from "../base/format.ts";
import { EVERYTHING, Selection, type SelectionRules } from "../core/archive/selection.ts";
import type { WalkedFile } from "../core/archive/walk.ts";
import type { ArchivePaths } from "./archive_folder.ts";
import { placeFiles } from "./audit_entries.ts";
import type { PlannedFile } from "./checkout_plan.ts";
import type { Problem } from "./damage.ts";
import { describeSelection, selectionIn } from "./selection_note.ts";

export interface SplitFiles {
  readonly files: readonly PlannedFile[];
  readonly unselected: readonly PlannedFile[];
  /** What is wrong with the note of the selection, or how many files it leaves out. */
  readonly problem?: Problem;
}

/** Place the files of a version, and split them by the selection of the folder. */
export function splitSelected(
  walked: readonly WalkedFile[],
  { paths, owned }: { paths: ArchivePaths; owned: boolean },
): SplitFiles {
  const placed = placeFiles(walked, paths.dir);
  const has = (path: string) => walked.some((file) => file.path === path);
  let rules: SelectionRules = EVERYTHING;
  let problem: Problem | undefined;
  try {
    rules = selectionIn({ paths, owned, has });
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const message = `trove.select: ${error.message}; ${error.hint}`;
    problem = { kind: "note", path: "trove.select", message, repair: "pull" };
  }
  const selection = new Selection(rules);
  if (selection.isEverything) return { files: placed, unselected: [], problem };
  const files: PlannedFile[] = [];
  const unselected: PlannedFile[] = [];
  for (const file of placed) (selection.selects(file.path) ? files : unselected).push(file);
  problem ??= {
    kind: "incomplete",
    count: unselected.length,
    message: `${count(unselected.length, "file")} not selected: ${describeSelection(rules)}`,
    repair: "pull",
    harmless: true,
  };
  return { files, unselected, problem };
}
