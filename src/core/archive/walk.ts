/**
 * Everything that is in an archive at one version.
 *
 * Source: spec of the drive, sections 5 and 6.
 */
import type { Stat } from "./entry.ts";
import { type Branch, type Child, listFolder, rootBranch } from "./folder_listing.ts";
import { budgetFor, need, type Steps } from "./steps.ts";
import { compareNames } from "./tree_path.ts";

export interface WalkedFile {
  /** As its writer had it. Not to be trusted near a disk: see safe_path.ts. */
  readonly path: string;
  readonly stat: Stat;
  /** The entry that put it. */
  readonly seq: number;
}

/** A place still to be visited. */
interface Waiting {
  readonly file?: WalkedFile;
  readonly below?: Branch;
}

/**
 * Yield what was put and is live at `version`: files, and directories made on purpose (their mode
 * tells). Depth first; within a folder by name in UTF-16 code units; a file before what is below
 * it. Asks for each live entry once.
 *
 * Two kinds of path can hold a file and have others below it. Where something below was touched
 * last, the path is a folder now and the file is left out, although `findFile` would find it: so
 * does the original tell a copy of the archive. Where the file was put last, it is yielded and so
 * are the older ones below it, which no disk can hold at once: see clashes.ts.
 *
 * @param onHidden Told of each file that is left out like that, as far as the walk meets it.
 * @throws {IncompleteError} If an entry is not held.
 * @throws {ArchiveError} If the metadata is malformed.
 */
export function* walkFiles(
  version: number,
  onHidden: (file: WalkedFile) => void = () => {},
): Steps<WalkedFile, void> {
  if (version < 1) return;
  const budget = budgetFor(version);
  const stack: Waiting[] = [{ below: rootBranch(yield* need(version, budget)) }];
  for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
    if (place.below === undefined) {
      if (place.file !== undefined) yield place.file;
      continue;
    }
    const { own, children } = yield* listFolder(place.below, budget);
    if (own?.stat !== undefined) {
      const file = { path: own.path, stat: own.stat, seq: own.seq };
      if (own.newest && place.below.depth > 0) yield file;
      else onHidden(file);
    }
    // Last in, first out: the greatest name goes in first.
    const sorted = [...children].sort((a, b) => compareNames(b.name, a.name));
    for (const child of sorted) stack.push(toWaiting(child));
  }
}

function toWaiting({ path, stat, seq, below }: Child): Waiting {
  // With something below it, the child's own list tells whether it is still a file.
  if (below !== undefined) return { below };
  return stat === undefined ? {} : { file: { path, stat, seq } };
}
