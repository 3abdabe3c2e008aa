/** A version as a tar file on disk, which has its name only when it is complete. */
import { relative, sep } from "node:path";
import { UsageError } from "../base/errors.ts";
import { ReplacedFile } from "../io/replaced_file.ts";
import { ArchiveView } from "./archive_view.ts";
import { type ExportPlan, type ExportRun, tarOf } from "./export_version.ts";

export interface ExportFileRun extends ExportRun {
  /** Told how many bytes more were written. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Write a version to a file, replacing one that is there.
 *
 * @param path Absolute.
 * @returns How many bytes the file has.
 * @throws {UsageError} If the archive itself lives there.
 * @throws {StorageError} If it cannot be written.
 * @throws {NotFoundError} As `tarOf`, and {ProofError}. Nothing of the file is left then.
 */
export async function exportToFile(
  plan: ExportPlan,
  path: string,
  run: ExportFileRun = {},
): Promise<number> {
  using file = new ReplacedFile(path);
  refuseOwnFile(plan.view, path, file.target);
  let bytes = 0;
  for await (const piece of tarOf(plan, run)) {
    file.write(piece);
    bytes += piece.length;
    run.onBytes?.(piece.length);
  }
  file.finish();
  return bytes;
}

/** What is in the newest version, and what keeps it, is not to be replaced by a slip of the hand. */
function refuseOwnFile({ archive }: ArchiveView, path: string, target: string): void {
  const { dir, dat, layout } = archive.paths;
  const inside = relative(Deno.realPathSync(dir), target);
  if (inside === ".." || inside.startsWith(`..${sep}`)) return;
  const parts = inside.split(sep);
  const newest = new ArchiveView(archive).find(`/${parts.join("/")}`);
  if (newest === undefined && layout === "dat" && parts[0] !== ".dat") return;
  throw new UsageError(`Cannot write the export to "${path}": it is a file of the archive itself`, {
    hint: layout === "dat" ? "choose another name" : `choose a place outside of "${dat}"`,
  });
}
