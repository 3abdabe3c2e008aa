/**
 * Putting working files right: the blocks that are good are taken over into the staging folder, the
 * others come from the feed's own copy or from peers, and only a file that is complete gets the
 * name. What it takes the place of is kept.
 */
import { join } from "node:path";
import { EMPTY_BYTES } from "../base/bytes.ts";
import type { Range } from "../base/ranges.ts";
import { dress, ensurePrivateFolder, giveName } from "../io/finish_file.ts";
import { lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import { openOrMake } from "../io/no_follow.ts";
import { distinctFiles } from "./audit_entries.ts";
import { compareFile } from "./audit_files.ts";
import type { PlannedFile } from "./checkout_plan.ts";
import type { KeptFiles } from "./kept_files.ts";
import type { Archive } from "./open_archive.ts";
import { salvage } from "./salvage.ts";

const NO_TURNS = { takeTurn: () => Promise.resolve() };

/** Where a working file is kept, below the folder of the repair. */
export function keptName(file: PlannedFile): string {
  return join("files", ...file.path.slice(1).split("/"));
}

/**
 * Where files are the content: begin to put these files together anew from what is good of them, and
 * give the blocks that are lacking.
 *
 * @param files All files of the newest version; `wrong` are those to be made.
 * @param known Right bytes of single blocks that somebody worked out.
 */
export async function stageFiles(
  archive: Archive,
  { files, wrong, kept, known }: {
    files: readonly PlannedFile[];
    wrong: readonly PlannedFile[];
    kept: KeptFiles;
    known: ReadonlyMap<number, Uint8Array>;
  },
): Promise<Range[]> {
  const content = archive.openContent();
  const broken = new Set(wrong.map(({ offset }) => offset));
  for (const { offset, blocks, target, path } of wrong) {
    const standing = lookAt(target);
    if (standing?.isFile) kept.link(target, keptName({ path } as PlannedFile));
    content.clear({ start: offset, end: offset + blocks });
  }
  content.commit();
  const distinct = distinctFiles(files);
  archive.contentFiles!.setFiles(distinct, content);
  const missing: Range[] = [];
  for (const file of distinct) {
    if (!broken.has(file.offset)) continue;
    for (let block = file.offset; block < file.offset + file.blocks; block++) {
      const value = known.get(block);
      if (value !== undefined && !content.hasBlock(block)) content.put({ block, value, nodes: [] });
    }
    content.commit();
    await salvage(content, file, [file.target], NO_TURNS);
    missing.push(...missingIn(archive, file));
  }
  return missing;
}

/** The blocks of a file that are not here. */
export function missingIn(archive: Archive, { offset, blocks }: PlannedFile): Range[] {
  const content = archive.openContent();
  const ranges: Range[] = [];
  const end = offset + blocks;
  for (let start = content.nextMissing(offset, end); start !== -1;) {
    const held = content.nextHeld(start, end);
    ranges.push({ start, end: held === -1 ? end : held });
    start = held === -1 ? -1 : content.nextMissing(held, end);
  }
  return ranges;
}

/** After all attempts: files that did not become complete stay as they were, good blocks marked. */
export function leaveIncomplete(
  archive: Archive,
  { wrong, kept }: { wrong: readonly PlannedFile[]; kept: KeptFiles },
): PlannedFile[] {
  const content = archive.openContent();
  const left: PlannedFile[] = [];
  for (const file of wrong) {
    if (missingIn(archive, file).length === 0) continue;
    left.push(file);
    const bad = compareFile(file, (block) => content.node(2 * block), () => {});
    for (let block = file.offset; block < file.offset + file.blocks; block++) {
      if (!bad.has(block) && content.hasNode(2 * block)) content.markHeld(block);
      else content.clear({ start: block, end: block + 1 });
    }
    content.commit();
    removeStaged(archive, file);
    kept.forget(keptName(file));
  }
  return left;
}

function removeStaged(archive: Archive, { offset }: PlannedFile): void {
  const path = archive.contentFiles!.stagingPath(offset);
  try {
    if (lookAt(path) !== undefined) Deno.removeSync(path);
  } catch (error) {
    throw storageError(`Cannot remove "${path}"`, error);
  }
}

/** Where every version is kept: write these files anew from the content. Gives those left out. */
export function rewriteFiles(
  archive: Archive,
  { wrong, kept }: { wrong: readonly PlannedFile[]; kept: KeptFiles },
): PlannedFile[] {
  const left: PlannedFile[] = [];
  const { dir, staging } = archive.paths;
  for (const file of wrong) {
    if (missingIn(archive, file).length > 0) {
      left.push(file);
      continue;
    }
    const staged = join(staging, `${file.seq}.file`);
    ensurePrivateFolder(staging);
    if (!writeAnew(archive, file, staged)) {
      left.push(file);
      continue;
    }
    if (lookAt(file.target)?.isFile) kept.link(file.target, keptName(file));
    dress(staged, file);
    giveName(dir, staged, file.target);
  }
  return left;
}

function writeAnew(archive: Archive, file: PlannedFile, to: string): boolean {
  const content = archive.openContent();
  try {
    if (lookAt(to) !== undefined) Deno.removeSync(to);
    using copy = openOrMake(to);
    for (let block = file.offset; block < file.offset + file.blocks; block++) {
      const bytes = content.readMatching(block);
      if (bytes === undefined) return false;
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(copy.writeSync(rest));
    }
    copy.syncDataSync();
    return true;
  } catch (error) {
    throw storageError(`Cannot write "${to}"`, error);
  }
}

/** A file without content that is missing, or has some. */
export function remakeEmpty(
  archive: Archive,
  { file, kept }: { file: PlannedFile; kept: KeptFiles },
): void {
  const { dir, staging } = archive.paths;
  const staged = join(staging, `${file.seq}.file`);
  ensurePrivateFolder(staging);
  try {
    Deno.writeFileSync(staged, EMPTY_BYTES);
  } catch (error) {
    throw storageError(`Cannot write "${staged}"`, error);
  }
  if (lookAt(file.target)?.isFile) kept.link(file.target, keptName(file));
  dress(staged, file);
  giveName(dir, staged, file.target);
}
