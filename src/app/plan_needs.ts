/** What carrying out a plan would take and change, for whoever decides whether it may be done. */
import type { CheckoutPlan, PlannedFile } from "./checkout_plan.ts";
import type { Gone } from "./gone_files.ts";
import type { Archive } from "./open_archive.ts";
import type { Survey, ToPlace } from "./survey.ts";

/** What becomes of a file in the folder. */
export interface PlannedChange {
  readonly type: "added" | "changed" | "deleted";
  /** As the archive has it. */
  readonly path: string;
}

export interface PlanNeeds {
  readonly version: number;
  /** Bytes of room that it takes on the disk at most, besides the feeds' hashes and bits. */
  readonly bytes: number;
  /** Files that would be written. */
  readonly files: number;
  readonly changes: readonly PlannedChange[];
}

/** Files take whole pages of the disk, of this size mostly. */
const PAGE_BYTES = 4096;

/** @param found What stands in the folder; undefined where there are no working files. */
export function needsOf(
  archive: Archive,
  plan: Pick<CheckoutPlan, "version" | "files" | "partial">,
  found?: { survey: Pick<Survey, "toPlace">; gone: Pick<Gone, "files"> },
): PlanNeeds {
  const toPlace = found?.survey.toPlace ?? [];
  const changes: PlannedChange[] = toPlace.map(({ file: { path }, standing }) => ({
    type: IS_NEW.has(standing) ? "added" : "changed",
    path,
  }));
  for (const { path } of found?.gone.files ?? []) changes.push({ type: "deleted", path });
  let bytes = 0;
  for (const one of toPlace) bytes += pages(bytesLacking(archive, one));
  // Where every version is kept, each byte is stored once more.
  if (archive.contentFiles === undefined) bytes += contentLacking(archive, plan);
  return { version: plan.version, bytes, files: toPlace.length, changes };
}

const IS_NEW: ReadonlySet<ToPlace["standing"]> = new Set(["absent", "deleted", "partial"]);

/** Bytes of a file that have to be written; those that wait in the staging folder are there. */
function bytesLacking({ content, contentFiles }: Archive, { file, standing }: ToPlace): number {
  const { offset, blocks, size } = file;
  if (content === undefined || contentFiles === undefined || blocks === 0) return size;
  const end = offset + blocks;
  let here = 0;
  for (let at = content.nextHeld(offset, end); at !== -1; at = content.nextHeld(at + 1, end)) {
    if (standing === "partial" ? content.hasFinal(at) : content.hasStaged(at)) here++;
  }
  return Math.ceil(size * (blocks - here) / blocks);
}

/** Bytes of the content that are not here: of the version's files, or of all that ever was. */
function contentLacking(
  archive: Archive,
  { files, partial }: Pick<CheckoutPlan, "files" | "partial">,
): number {
  const { content } = archive;
  const held = ({ offset, blocks }: Pick<PlannedFile, "offset" | "blocks">) =>
    content?.countHeld(offset, offset + blocks) ?? 0;
  if (partial) {
    return files.reduce((sum, file) => sum + file.size * (1 - held(file) / file.blocks), 0);
  }
  let [bytes, blocks] = [0, 0];
  for (let seq = 1; seq <= archive.version; seq++) {
    const stat = archive.entry(seq)?.stat;
    if (stat === undefined) continue;
    bytes = Math.max(bytes, stat.byteOffset + stat.size);
    blocks = Math.max(blocks, stat.offset + stat.blocks);
  }
  return blocks === 0 ? 0 : Math.ceil(bytes * (1 - held({ offset: 0, blocks }) / blocks));
}

function pages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}
