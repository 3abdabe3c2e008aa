/** What stands in a folder where the files of an archive have to go. */
import { dirname, join } from "node:path";
import { UsageError } from "../base/errors.ts";
import type { ContentFile } from "../io/content_files.ts";
import type { FeedStore } from "../io/feed_store.ts";
import { lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import type { CheckoutPlan } from "./checkout_plan.ts";
import type { Archive } from "./open_archive.ts";
import type { PathHistory } from "./path_history.ts";

/** How many names a message lists before it only counts. */
const NAMED_CLASHES = 5;

/**
 * Refuse to go on where somebody else's files would be overwritten. Answers the files of our own
 * that have to go because a folder takes their place, or a file that of their folder.
 */
export async function checkWay(
  archive: Archive,
  plan: CheckoutPlan,
  history: PathHistory,
): Promise<Set<string>> {
  const { content, paths: { dir } } = archive;
  const files = [...plan.files, ...plan.emptyFiles];
  const live = new Set(files.map((file) => file.target));
  const ours = new Set<string>();
  const foreign = new Set<string>();
  const clash = (target: string) => foreign.add(pathOf(dir, target).slice(1));
  /** A file that the version has not: may it be removed? */
  const mayGo = async (target: string) => {
    if (ours.has(target)) return true;
    if (live.has(target) || !await history.isOurs(pathOf(dir, target), target)) return false;
    ours.add(target);
    return true;
  };
  const mayGoWithAll = async (folder: string): Promise<boolean> => {
    for (const entry of entriesOf(folder)) {
      const target = join(folder, entry.name);
      if (!await (entry.isDirectory ? mayGoWithAll(target) : mayGo(target))) return false;
    }
    return true;
  };
  const parents = new Map<string, string | undefined>();
  for (const file of files) {
    const obstacle = obstacleAbove(dir, file.target, parents);
    if (obstacle !== undefined) {
      if (!await mayGo(obstacle)) clash(obstacle);
      continue;
    }
    const info = lookAt(file.target);
    if (info === undefined) continue;
    if (info.isFile && content !== undefined && firstFinal(content, file) !== -1) continue;
    if (info.isFile && await history.isOurs(file.path, file.target)) continue;
    if (info.isFile && info.size === 0 && file.size === 0) continue;
    if (info.isDirectory && await mayGoWithAll(file.target)) continue;
    clash(file.target);
  }
  for (const folder of plan.folders) {
    const obstacle = obstacleAbove(dir, join(folder.target, "anything"), parents);
    if (obstacle !== undefined && !await mayGo(obstacle)) clash(obstacle);
  }
  if (foreign.size === 0) return ours;
  const named = [...foreign].slice(0, NAMED_CLASHES).map((path) => `"${path}"`).join(", ");
  const rest = foreign.size - NAMED_CLASHES;
  throw new UsageError(
    `Cannot write into "${dir}": ${named}${rest > 0 ? ` and ${rest} more` : ""} ` +
      `${foreign.size === 1 ? "is" : "are"} in the way: not from this archive, or changed here`,
    { hint: "move them away or choose another folder; nothing was changed" },
  );
}

function entriesOf(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    throw storageError(`Cannot read the folder "${folder}"`, error);
  }
}

/** The path in the archive of a place below its folder. */
function pathOf(dir: string, target: string): string {
  return target.slice(dir.length).replaceAll("\\", "/");
}

/** What stands where a folder on the way to `target` has to be: a symbolic link, or a file. */
export function obstacleAbove(
  dir: string,
  target: string,
  known: Map<string, string | undefined>,
): string | undefined {
  const folder = dirname(target);
  if (folder.length <= dir.length) return undefined;
  // Neighbours share their folder: most calls end here.
  if (known.has(folder)) return known.get(folder);
  let obstacle = obstacleAbove(dir, folder, known);
  if (obstacle === undefined) {
    const info = lookAt(folder);
    if (info !== undefined && !info.isDirectory) obstacle = folder;
  }
  known.set(folder, obstacle);
  return obstacle;
}

/** The first block of a file that lies under its own name, or -1. */
export function firstFinal(content: FeedStore, { offset, blocks }: ContentFile): number {
  const end = offset + blocks;
  let block = content.nextHeld(offset, end);
  while (block !== -1 && !content.hasFinal(block)) block = content.nextHeld(block + 1, end);
  return block;
}
