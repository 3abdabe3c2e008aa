/** What `trove verify` does: look at an archive, beside a possible writer, and change nothing. */
import { dirname, join } from "node:path";
import { NotFoundError } from "../base/errors.ts";
import { lookAt } from "../io/folder.ts";
import { atOnce, inTurns } from "../io/pause.ts";
import {
  archiveIn,
  type ArchivePaths,
  archivePaths,
  type FeedFile,
  inspectFolder,
} from "./archive_folder.ts";
import { type ArchiveAudit, type ArchiveAuditOptions, archiveAuditSteps } from "./audit_archive.ts";

export type { ArchiveAudit, AuditProgress } from "./audit_archive.ts";
export type { AnyFeedName, Problem, ProblemKind } from "./damage.ts";

/** While a writer is at work it is looked again so often, until what was seen did not change. */
const MAX_ROUNDS = 3;

const FEEDS = ["metadata", "content"] as const;
const FILES: readonly FeedFile[] = ["key", "tree", "signatures", "bitfield", "data"];

/**
 * Look at everything, or with `quick` at what tells most. What a writer changes meanwhile is looked
 * at again before it counts as damage.
 *
 * @throws {StorageError} If the disk does not let us.
 */
export function verifyArchive(paths: ArchivePaths, options: ArchiveAuditOptions): ArchiveAudit {
  return atOnce(verifySteps(paths, options));
}

/** The same, with other work let in between. @throws The signal's reason, once it is aborted. */
export function verifyInTurns(
  paths: ArchivePaths,
  options: ArchiveAuditOptions,
  signal: AbortSignal,
): Promise<ArchiveAudit> {
  return inTurns(verifySteps(paths, options), signal);
}

function* verifySteps(
  paths: ArchivePaths,
  options: ArchiveAuditOptions,
): Generator<void, ArchiveAudit, void> {
  for (let round = 1;; round++) {
    const before = stateOf(paths);
    const audit = yield* archiveAuditSteps(paths, options);
    if (isSound(audit) || round === MAX_ROUNDS || stateOf(paths) === before) return audit;
  }
}

/** Whether nothing is wrong that matters. */
export function isSound({ problems }: Pick<ArchiveAudit, "problems">): boolean {
  return problems.every(({ harmless }) => harmless === true);
}

/** Changes whenever somebody writes to a feed. */
function stateOf(paths: ArchivePaths): string {
  return FEEDS.flatMap((feed) => FILES.map((file) => lookAt(paths.feed(feed, file))))
    .map((info) => `${info?.size} ${info?.mtime?.getTime()}`).join();
}

/**
 * The archive that a folder is in, even one whose key file is lost.
 *
 * @throws {NotFoundError} If there is none.
 */
export function locateDamaged(dir: string): ArchivePaths {
  for (let at = dir;; at = dirname(at)) {
    const found = archiveIn(at) ?? withoutKey(at);
    if (found !== undefined) return found;
    if (dirname(at) === at) break;
  }
  const missing = inspectFolder(dir) === "missing" ? ": there is no such folder" : "";
  throw new NotFoundError(`Cannot find an archive in "${dir}"${missing}`, {
    hint: "name a folder that was shared or cloned before",
  });
}

/** Feeds whose key is gone. Only in a `.dat`: elsewhere such names may be anybody's. */
function withoutKey(dir: string): ArchivePaths | undefined {
  const paths = archivePaths(dir);
  const telling = [paths.feed("metadata", "tree"), paths.feed("metadata", "signatures")];
  const isThere = telling.some((path) => (lookAt(path)?.size ?? 0) > 32) &&
    lookAt(join(dir, ".dat"))?.isDirectory;
  return isThere ? paths : undefined;
}
