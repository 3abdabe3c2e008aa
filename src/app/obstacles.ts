/** What stands in a folder where the files of an archive have to go. */
import { dirname, join } from "node:path";
import { UsageError } from "../base/errors.ts";
import type { ContentFile } from "../io/content_files.ts";
import type { FeedStore } from "../io/feed_store.ts";
import { lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";

/** How many names a message lists before it only counts. */
const NAMED_CLASHES = 5;

/** What is in the way of a checkout and not the archive's own, by its place. */
export class Obstacles {
  readonly #dir: string;
  readonly #mayKeep: boolean;
  readonly #found = new Set<string>();
  #folders = 0;

  /** @param options.mayKeep Whether `--keep-local` would leave them and go on. */
  constructor(dir: string, options: { mayKeep?: boolean } = {}) {
    this.#dir = dir;
    this.#mayKeep = options.mayKeep === true;
  }

  add(target: string, options: { folder?: boolean } = {}): void {
    if (this.#found.has(target)) return;
    this.#found.add(target);
    if (options.folder) this.#folders++;
  }

  /** @throws {UsageError} If there is any. */
  refuse(): void {
    const { size } = this.#found;
    if (size === 0) return;
    const paths = [...this.#found].map((target) => pathOf(this.#dir, target).slice(1));
    // Folders may hold anything, so no option takes them away.
    const replace = this.#folders === 0 ? ", or replace them with --overwrite" : "";
    const keep = this.#mayKeep ? ", or leave them with --keep-local" : "";
    throw new UsageError(
      `Cannot write into "${this.#dir}": ${listNames(paths)} ${size === 1 ? "is" : "are"} ` +
        "in the way: not from this archive, or changed here",
      { hint: `move them away or choose another folder${replace}${keep}; nothing was changed` },
    );
  }
}

/** `"a", "b" and 3 more` */
export function listNames(names: readonly string[]): string {
  const named = names.slice(0, NAMED_CLASHES).map((name) => `"${name}"`).join(", ");
  const rest = names.length - NAMED_CLASHES;
  return rest > 0 ? `${named} and ${rest} more` : named;
}

/** Whether `mayGo` says yes to every file in a folder and in the folders below it. */
export async function mayGoWithAll(
  folder: string,
  mayGo: (target: string) => Promise<boolean>,
): Promise<boolean> {
  for (const entry of entriesOf(folder)) {
    const target = join(folder, entry.name);
    const going = entry.isDirectory ? mayGoWithAll(target, mayGo) : mayGo(target);
    if (!await going) return false;
  }
  return true;
}

function entriesOf(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    throw storageError(`Cannot read the folder "${folder}"`, error);
  }
}

/** The path in the archive of a place below its folder. */
export function pathOf(dir: string, target: string): string {
  return target.slice(dir.length).replaceAll("\\", "/");
}

/**
 * What stands where a folder on the way to `target` has to be: a symbolic link, or a file.
 *
 * @param missing Gets the folders that are not there, so that nobody need look for what is below.
 */
export function obstacleAbove(
  dir: string,
  target: string,
  known: Map<string, string | undefined>,
  missing?: Set<string>,
): string | undefined {
  const folder = dirname(target);
  if (folder.length <= dir.length) return undefined;
  // Neighbours share their folder: most calls end here.
  if (known.has(folder)) return known.get(folder);
  let obstacle = obstacleAbove(dir, folder, known, missing);
  if (obstacle === undefined) {
    const info = missing?.has(dirname(folder)) ? undefined : lookAt(folder);
    if (info === undefined) missing?.add(folder);
    else if (!info.isDirectory) obstacle = folder;
  }
  known.set(folder, obstacle);
  return obstacle;
}

/** The first block of a file that lies under its own name, or -1. */
export function firstFinal(
  content: FeedStore,
  { offset, blocks }: Pick<ContentFile, "offset" | "blocks">,
): number {
  const end = offset + blocks;
  let block = content.nextHeld(offset, end);
  while (block !== -1 && !content.hasFinal(block)) block = content.nextHeld(block + 1, end);
  return block;
}
