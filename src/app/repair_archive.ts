/**
 * What `trove repair` does. First the SLEEP files are brought to agree with what signatures and
 * hashes prove, from what is here; then the archive opens as usual, and blocks that only others have
 * are fetched, if there is a way to them; then working files are put right. What is replaced is kept.
 *
 * Source: spec of storage, sections 12, 14 and 15; of the drive, section 10.
 */
import { join } from "node:path";
import { equalBytes } from "../base/bytes.ts";
import { ForkError, StorageError, UsageError } from "../base/errors.ts";
import { RangeSet } from "../base/ranges.ts";
import { BLOCKS_PER_PAGE } from "../core/sleep/bitfield_page.ts";
import { lookAt } from "../io/folder.ts";
import { forgetAll, forgetPath, keepClaim } from "../io/mend_feed.ts";
import type { SleepAccess } from "../io/sleep_files.ts";
import type { ArchivePaths } from "./archive_folder.ts";
import { lockArchive } from "./archive_lock.ts";
import { type ArchiveAudit, auditArchive, type AuditProgress } from "./audit_archive.ts";
import { distinctFiles } from "./audit_entries.ts";
import type { FileFault } from "./audit_files.ts";
import type { PlannedFile } from "./checkout_plan.ts";
import type { FeedName } from "./damage.ts";
import { fetchBlocks, type FetchOptions, hasPeers } from "./fetch_blocks.ts";
import { FileTimes } from "./file_times.ts";
import { KeptFiles } from "./kept_files.ts";
import { type Archive, openArchive } from "./open_archive.ts";
import { keepBadBlocks, markedBlocks, mendFeedFiles, mendKeys, withFeed } from "./repair_feeds.ts";
import { leaveIncomplete, remakeEmpty, rewriteFiles, stageFiles } from "./repair_files.ts";
import { readVersionNote, removeVersionNote, writeVersionNote } from "./version_notes.ts";

export interface RepairOptions extends FetchOptions {
  /** The key of the archive's link, should it be lost here. */
  readonly givenKey?: Uint8Array;
  /** Keep nothing of what is replaced, and give up what was signed and cannot be proven. */
  readonly discard: boolean;
  /** Leave working files alone that do not look as they were left by us. */
  readonly keepLocal?: boolean;
  /** Only look. */
  readonly dryRun: boolean;
  readonly onProgress?: (progress: AuditProgress) => void;
}

export interface Repaired {
  readonly before: ArchiveAudit;
  readonly after: ArchiveAudit;
  /** Where the kept files are, and their names below that folder. */
  readonly kept: { readonly folder: string; readonly names: readonly string[] };
  /** Blocks that peers sent. */
  readonly fetched: number;
  /** What else there is to say. */
  readonly remarks: readonly string[];
}

/** Mending one thing may show another: so often it is looked again. */
const MAX_ROUNDS = 5;

/**
 * Mend what can be mended.
 *
 * @throws {LockedError} If another process has the archive open for writing.
 * @throws {ForkError} If peers have another signed history.
 * @throws {UsageError} If the key that was given is not the archive's.
 */
export async function repairArchive(
  paths: ArchivePaths,
  options: RepairOptions,
): Promise<Repaired> {
  // What peers can send needs no puzzling out.
  const turnsContent = !hasPeers(options);
  const before = auditArchive(paths, { ...options, turnsContent });
  checkGivenKey(before, options.givenKey);
  const kept = new KeptFiles(paths, options);
  if (options.dryRun || before.problems.length === 0) {
    return { before, after: before, kept, fetched: 0, remarks: [] };
  }
  return await new Repair(paths, before, kept, options).run();
}

/** @throws {UsageError} If the archive was not signed under the key that was given. */
function checkGivenKey({ key, paths }: ArchiveAudit, given: Uint8Array | undefined): void {
  if (given === undefined || key !== undefined && equalBytes(key.publicKey, given)) return;
  throw new UsageError(`Cannot use that link for "${paths.dir}": it is of another archive`, {
    hint: "nothing was changed",
  });
}

class Repair {
  readonly #paths: ArchivePaths;
  readonly #before: ArchiveAudit;
  readonly #kept: KeptFiles;
  readonly #options: RepairOptions;
  readonly #remarks: string[] = [];
  /** Content blocks that were marked as held at first. */
  readonly #marked: RangeSet;
  /** Right bytes of content blocks that were worked out. */
  readonly #known = new Map<number, Uint8Array>();
  #fetched = 0;

  constructor(
    paths: ArchivePaths,
    before: ArchiveAudit,
    kept: KeptFiles,
    options: RepairOptions,
  ) {
    this.#paths = paths;
    this.#before = before;
    this.#kept = kept;
    this.#options = options;
    this.#marked = markedBlocks(paths);
  }

  async run(): Promise<Repaired> {
    let audit = this.#mendLocally(this.#before);
    if (hasPeers(this.#options) && audit.key !== undefined) {
      if (needsPeers(audit, "metadata")) {
        await this.#regain(
          "metadata",
          audit,
          () => this.#open(audit, (archive) => this.#fetch(archive, "metadata", "follow")),
        );
        audit = this.#mendLocally(this.#look());
      }
      if (this.#needsSignature(audit, "content")) {
        const files = [...audit.files, ...audit.unselected];
        const block = this.#anyBlock(audit);
        await this.#regain("content", audit, () =>
          this.#open(audit, (archive) => {
            mapFiles(archive, files);
            return this.#fetch(archive, "content", [{ start: block, end: block + 1 }]);
          }));
        audit = this.#mendLocally(this.#look());
      }
    }
    if (await this.#mendContent(audit)) audit = this.#mendLocally(this.#look());
    if (this.#settleLoss(audit)) audit = this.#mendLocally(this.#look());
    const after = this.#mendNotes(audit) ? this.#look() : audit;
    const { folder, names } = this.#kept;
    return {
      before: this.#before,
      after,
      kept: { folder, names },
      fetched: this.#fetched,
      remarks: this.#remarks,
    };
  }

  #look(): ArchiveAudit {
    return auditArchive(this.#paths, this.#options);
  }

  /** What follows from what is here, until nothing more does. */
  #mendLocally(first: ArchiveAudit): ArchiveAudit {
    using _lock = lockArchive(this.#paths, this.#options.world);
    let audit = first;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      for (const [block, bytes] of audit.content?.turnedBlocks ?? []) {
        this.#known.set(block, bytes);
      }
      const changed = mendKeys(audit, this.#kept) || this.#mendFeeds(audit);
      if (!changed) return audit;
      audit = this.#look();
    }
    return audit;
  }

  #mendFeeds(audit: ArchiveAudit): boolean {
    const metadata = mendFeedFiles("metadata", audit, this.#kept);
    const content = audit.content !== undefined && mendFeedFiles("content", audit, this.#kept);
    return metadata || content;
  }

  #needsSignature(audit: ArchiveAudit, feed: FeedName): boolean {
    const found = audit[feed];
    if (found === undefined) return false;
    // An owner's tail that is lost comes back by itself; see `#open`.
    return audit.owned ? !found.proven : !found.proven || found.bitsLength > found.length;
  }

  /**
   * A copy whose newest signature is lost gets it again with the proof of a block. What of its tree
   * nothing signed confirms may be wrong: then peers seem to have another history, which they have
   * not, and all of it is fetched again.
   */
  async #regain(feed: FeedName, audit: ArchiveAudit, fetch: () => Promise<void>): Promise<void> {
    if (!this.#needsSignature(audit, feed)) return await fetch();
    const { bitsLength, resignable } = audit[feed]!;
    const block = feed === "metadata" ? 0 : this.#anyBlock(audit);
    const forget = (work: (access: SleepAccess) => void) => {
      using _lock = lockArchive(this.#paths, this.#options.world);
      this.#kept.copy(this.#paths.feed(feed, "bitfield"), `${feed}.bitfield`);
      withFeed(feed, audit, work);
    };
    if (resignable) {
      forget((access) => forgetPath(access, block, bitsLength));
      try {
        return await fetch();
      } catch (error) {
        if (!(error instanceof ForkError)) throw error;
      }
    }
    forget(forgetAll);
    await fetch();
  }

  /** A content block that has a place. */
  #anyBlock({ history, files, unselected }: ArchiveAudit): number {
    if (history) return 0;
    return (distinctFiles(files)[0] ?? distinctFiles(unselected)[0])?.offset ?? 0;
  }

  async #fetch(
    archive: Archive,
    feed: FeedName,
    wanted: "follow" | readonly { start: number; end: number }[],
  ): Promise<void> {
    const { blocks } = await fetchBlocks(archive, feed, wanted, this.#options);
    this.#fetched += blocks;
  }

  /**
   * Work on the archive as on a copy of somebody else's, even where it is our own: what was signed
   * once and cannot be proven now is not given up that way, whatever happens meanwhile. Where it does
   * not open, that is said and nothing is done.
   */
  async #open(audit: ArchiveAudit, work: (archive: Archive) => Promise<void>): Promise<void> {
    const { world } = this.#options;
    this.#keepClaims(audit);
    try {
      using archive = openArchive(this.#paths.dir, { world, access: "write", asCopy: true });
      await work(archive);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#remarks.push(error.message);
    }
  }

  #keepClaims(audit: ArchiveAudit): void {
    if (!audit.owned) return;
    using _lock = lockArchive(this.#paths, this.#options.world);
    for (const name of ["metadata", "content"] as const) {
      const feed = audit[name];
      const claimed = Math.max(feed?.bitsLength ?? 0, feed?.claimedLength ?? 0);
      const proven = feed?.proven ? feed.length : 0;
      if (claimed <= proven) continue;
      for (const file of ["tree", "signatures"] as const) {
        this.#kept.copy(this.#paths.feed(name, file), `${name}.${file}`);
      }
      withFeed(name, audit, (access) => keepClaim(access, { claimed, proven }));
    }
  }

  /** Go on with what is proven of our own archive, if that is what the user wants. */
  #settleLoss({ owned, metadata, content }: ArchiveAudit): boolean {
    const lost = (["metadata", "content"] as const).filter((name) => {
      const feed = name === "metadata" ? metadata : content;
      return feed !== undefined && Math.max(feed.claimedLength, feed.bitsLength) > feed.length;
    });
    if (!owned || lost.length === 0) return false;
    const { world, discard } = this.#options;
    if (!discard) {
      this.#remarks.push(
        `Newer blocks of the ${lost.join(" and the ")} were signed than can be proven here, and ` +
          "others may have them: get them from a peer, or give them up with --discard",
      );
      return false;
    }
    try {
      using archive = openArchive(this.#paths.dir, { world, access: "write" });
      archive.metadata.acceptRollback();
      archive.content?.acceptRollback();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#remarks.push(error.message);
    }
    return true;
  }

  /** Answers whether it did anything. */
  async #mendContent(audit: ArchiveAudit): Promise<boolean> {
    const fetches = hasPeers(this.#options);
    using times = new FileTimes(this.#paths, { access: "read" });
    // An owner's file gets the time back with which it was imported, not that of its entry.
    const timed = (file: PlannedFile): PlannedFile =>
      audit.owned ? { ...file, mtime: times.get(file.seq) ?? file.mtime } : file;
    const wrong = audit.fileFaults
      .filter((fault) => this.#isOurs(fault) && this.#canMend(fault, audit.history))
      .map(({ file }) => timed(file));
    const lacking = this.#lacking(audit);
    if (wrong.length === 0 && lacking.length === 0) return false;
    if (audit.history) keepBadBlocks("content", audit, this.#kept);
    await this.#open(audit, async (archive) => {
      const content = archive.content;
      if (content === undefined) return;
      for (const file of wrong) {
        if (file.blocks === 0) remakeEmpty(archive, { file, kept: this.#kept });
      }
      const withBlocks = wrong.filter(({ blocks }) => blocks > 0);
      if (audit.history) {
        if (lacking.length > 0 && fetches) await this.#fetch(archive, "content", lacking);
        rewriteFiles(archive, { wrong: withBlocks, kept: this.#kept });
        return;
      }
      const wanted = await stageFiles(archive, {
        files: audit.files.map(timed),
        wrong: withBlocks,
        kept: this.#kept,
        known: this.#known,
      });
      try {
        if (wanted.length > 0 && fetches) await this.#fetch(archive, "content", wanted);
      } finally {
        content.commit();
        leaveIncomplete(archive, { wrong: withBlocks, kept: this.#kept });
      }
    });
    this.#removeEmptyStaging();
    return true;
  }

  /** Without peers a file is only taken apart if everything that it lacks is known. */
  #canMend({ wrong }: FileFault, history: boolean): boolean {
    if (history || hasPeers(this.#options)) return true;
    for (const { start, end } of wrong) {
      for (let block = start; block < end; block++) if (!this.#known.has(block)) return false;
    }
    return true;
  }

  /** Files that were here once, and that their owner did not change. */
  #isOurs({ file, state, exists }: FileFault): boolean {
    if (state === "changed" || this.#options.keepLocal && !isUntouched(file)) return false;
    if (state === "damaged") return true;
    const { offset, blocks, size, target, seq } = file;
    for (let block = offset; block < offset + blocks; block++) {
      if (this.#marked.has(block)) return true;
      if (block - offset > BLOCKS_PER_PAGE) break;
    }
    // With the bits lost, a file of the right size is taken for the archive's.
    const wasHere = this.#marked.isEmpty ||
      seq <= (readVersionNote(this.#paths, "synced") ?? 0);
    return exists && blocks > 0 && wasHere && lookAt(target)?.size === size;
  }

  /** Where every version is kept: the content blocks that were held at first and are not now. */
  #lacking({ history, content }: ArchiveAudit): { start: number; end: number }[] {
    if (!history || content === undefined) return [];
    const lacking = new RangeSet(this.#marked);
    for (const { start, end } of markedBlocks(this.#paths)) lacking.remove(start, end);
    lacking.remove(content.length, Number.MAX_SAFE_INTEGER);
    return [...lacking];
  }

  #removeEmptyStaging(): void {
    try {
      Deno.removeSync(this.#paths.staging);
    } catch {
      // There is none, or something waits in it.
    }
  }

  /** A note of a version that cannot be: which files are here tells what it has to be. */
  #mendNotes({ problems, version, fileFaults }: ArchiveAudit): boolean {
    const wrong = problems.filter(({ kind }) => kind === "note").map(({ path }) => path);
    if (wrong.length === 0) return false;
    using _lock = lockArchive(this.#paths, this.#options.world);
    const complete = fileFaults.length === 0;
    for (const note of ["latest", "synced"] as const) {
      const name = note === "latest" ? "metadata.latest" : "trove.synced";
      if (!wrong.includes(name)) continue;
      this.#kept.copy(note === "latest" ? this.#paths.latest : syncedPath(this.#paths), name);
      if (complete) writeVersionNote(this.#paths, note, version);
      else removeVersionNote(this.#paths, note);
    }
    return true;
  }
}

/** Whether a file looks as it was left when it was written: what is wrong in it is no work of anybody's. */
function isUntouched({ target, size, mtime }: PlannedFile): boolean {
  const info = lookAt(target);
  return info !== undefined && info.isFile && info.size === size &&
    info.mtime?.getTime() === mtime;
}

function syncedPath(paths: ArchivePaths): string {
  return join(paths.dat, "trove.synced");
}

function needsPeers(audit: ArchiveAudit, feed: FeedName): boolean {
  return audit.problems.some((problem) =>
    problem.feed === feed && problem.harmless !== true &&
    (problem.repair === "peer" || problem.kind === "length")
  );
}

function mapFiles(archive: Archive, files: readonly PlannedFile[]): void {
  const content = archive.openContent();
  archive.contentFiles?.setFiles(distinctFiles(files), content);
}
