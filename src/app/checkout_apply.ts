/**
 * Carrying out the plan of a checkout: what goes is removed, blocks that are not where they should be
 * are given up, the content's working files are told where blocks belong, and what lies somewhere in
 * the folder is taken from there.
 *
 * Source: spec of the drive, sections 8 and 10.
 */
import { join } from "node:path";
import { type Range, RangeSet } from "../base/ranges.ts";
import type { FeedStore } from "../io/feed_store.ts";
import { dress } from "../io/finish_file.ts";
import { lookAt, removeEmptyFolders } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import { type CheckoutPlan, dropOverlaps, type PlannedFile, rangesOf } from "./checkout_plan.ts";
import { forgetGone, type Gone, removeFiles, without } from "./gone_files.ts";
import { firstFinal } from "./obstacles.ts";
import type { Archive } from "./open_archive.ts";
import type { PathHistory } from "./path_history.ts";
import { salvage } from "./salvage.ts";
import type { Survey } from "./survey.ts";

/** What was found out for a plan. */
export interface PlanFindings {
  readonly survey: Survey;
  readonly gone: Gone;
  readonly history: PathHistory;
  /** Of the plan, what was surveyed. */
  readonly coming: Pick<CheckoutPlan, "toPlace">;
}

/**
 * Carry out a plan, up to what has to be fetched.
 *
 * @param place Tells the working files where blocks belong: those to be placed, and beside them the
 *   given ones, which are in place.
 */
export async function applyCheckout(
  archive: Archive,
  plan: CheckoutPlan,
  { survey, gone, history, coming }: PlanFindings,
  place: (placed: readonly PlannedFile[]) => void,
): Promise<void> {
  const { paths, contentFiles } = archive;
  const content = archive.openContent();
  const keepsHistory = contentFiles === undefined;
  const moved = removeFiles(paths, {
    gone,
    inTheWay: survey.inTheWay,
    wanted: keepsHistory ? [] : coming.toPlace,
  });
  for (const target of survey.emptied) {
    if (lookAt(target)?.isDirectory) removeEmptyFolders(target);
  }
  for (const file of survey.undressed) dress(file.target, file);
  forgetGone(archive, plan, history.applied);
  if (keepsHistory) return;
  await dropLostBlocks(archive, plan, survey, history);
  // One that is complete is not mapped beside another that gets the same blocks now.
  const placing = survey.placed.length === 0 ? new Set() : offsetsOf(coming.toPlace);
  const placed = survey.placed.filter(({ blocks, offset }) => blocks > 0 && !placing.has(offset));
  const beside = dropOverlaps(survey.beside.filter((file) => isApart(file, plan.ranges)), () => {});
  place([...placed, ...beside]);
  // Completes what a killed process had fetched but not named.
  content.commit();
  await salvageBlocks(content, coming.toPlace, survey, { moved, history });
  sweepStaging(archive, plan);
}

/**
 * Give up the blocks that are not where they should be: of files that are missing, changed or left
 * to the user, and of private files that are gone. They are fetched again, where they are wanted.
 */
async function dropLostBlocks(
  archive: Archive,
  plan: CheckoutPlan,
  survey: Survey,
  history: PathHistory,
): Promise<void> {
  const content = archive.openContent();
  for (const { offset, blocks } of survey.kept) {
    const range = { start: offset, end: offset + blocks };
    for (const part of without(range, plan.ranges)) content.clear(part);
  }
  const stays = [...new RangeSet([...plan.ranges, ...rangesOf(survey.beside)])];
  for (const { offset, blocks } of survey.lost) {
    const range = { start: offset, end: offset + blocks };
    for (const part of without(range, stays)) content.clear(part);
  }
  for (const { offset, blocks } of survey.beside) {
    const range = { start: offset, end: offset + blocks };
    for (const part of without(range, plan.ranges)) dropStaged(content, part);
  }
  for (const { file, standing } of survey.toPlace) {
    const range = { start: file.offset, end: file.offset + file.blocks };
    if (content.nextHeld(range.start, range.end) === -1) continue;
    if (standing === "partial") dropStaged(content, range);
    else if (firstFinal(content, file) !== -1) content.clear(range);
    else if (lookAt(archive.contentFiles!.stagingPath(file.offset)) === undefined) {
      // A complete file may have got its name just before the process ended.
      const isNamed = content.nextMissing(range.start, range.end) === -1 &&
        standing === "ours" && await isEntry(file, history);
      if (!isNamed) content.clear(range);
    }
  }
  content.commit();
}

/** Whether what stands at a file's place is just what its entry says. */
async function isEntry(file: PlannedFile, history: PathHistory): Promise<boolean> {
  const info = lookAt(file.target);
  if (info?.size !== file.size) return false;
  return info.mtime?.getTime() === file.mtime || await history.matches(file.target, file);
}

/** Blocks of what is to be placed that lie somewhere in the folder need not be fetched. */
async function salvageBlocks(
  content: FeedStore,
  toPlace: readonly PlannedFile[],
  survey: Survey,
  { moved, history }: { moved: ReadonlyMap<number, readonly string[]>; history: PathHistory },
): Promise<void> {
  const sources = new Map<number, string[]>();
  const add = (offset: number, path: string) => {
    const paths = sources.get(offset);
    if (paths === undefined) sources.set(offset, [path]);
    else paths.push(path);
  };
  for (const [offset, paths] of moved) for (const path of paths) add(offset, path);
  const others = [...survey.placed, ...survey.beside];
  const placing = others.length === 0 ? new Set() : offsetsOf(toPlace);
  for (const { offset, target } of others) if (placing.has(offset)) add(offset, target);
  for (const { file, standing } of survey.toPlace) {
    if (standing === "edited" || standing === "ours") add(file.offset, file.target);
  }
  for (const file of toPlace) {
    const paths = sources.get(file.offset);
    if (paths !== undefined) await salvage(content, file, paths, history);
  }
}

function offsetsOf(files: readonly PlannedFile[]): Set<number> {
  const offsets = new Set<number>();
  for (const { offset } of files) offsets.add(offset);
  return offsets;
}

/** Whether none of a file's blocks is in any of these ranges. */
function isApart({ offset, blocks }: PlannedFile, ranges: readonly Range[]): boolean {
  const range = { start: offset, end: offset + blocks };
  const [rest, ...more] = without(range, ranges);
  return more.length === 0 && rest?.start === range.start && rest.end === range.end;
}

/** Another program went on under the file's own name: it is finished there, as that program would. */
function dropStaged(content: FeedStore, { start, end }: Range): void {
  let block = content.nextHeld(start, end);
  for (; block !== -1; block = content.nextHeld(block + 1, end)) {
    if (content.hasStaged(block)) content.clear({ start: block, end: block + 1 });
  }
}

/** Remove what an earlier plan began to fetch and this one does not want. */
function sweepStaging({ paths: { staging }, contentFiles }: Archive, plan: CheckoutPlan): void {
  if (!lookAt(staging)?.isDirectory) return;
  const wanted = offsetsOf(plan.toPlace);
  try {
    for (const { name } of Deno.readDirSync(staging)) {
      const path = join(staging, name);
      const isWanted = wanted.has(Number(name)) && contentFiles!.stagingPath(Number(name)) === path;
      if (!isWanted) Deno.removeSync(path, { recursive: true });
    }
  } catch (error) {
    throw storageError(`Cannot remove what is left in "${staging}"`, error);
  }
}
