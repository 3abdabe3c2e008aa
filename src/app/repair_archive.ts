/**
 * What `trove repair` does. First the SLEEP files are brought to agree with what signatures and
 * hashes prove, from what is here; then the archive opens as usual, and blocks that only others have
 * are fetched, if peers were named; then working files are put right. What is replaced is kept.
 *
 * Source: spec of storage, sections 12, 14 and 15; of the drive, section 10.
 */
import { join } from "node:path";
import { equalBytes } from "../base/bytes.ts";
import { ForkError, StorageError } from "../base/errors.ts";
import { RangeSet } from "../base/ranges.ts";
import { fullRoots } from "../core/feed/flat_tree.ts";
import { BLOCKS_PER_PAGE } from "../core/sleep/bitfield_page.ts";
import { leafHash } from "../crypto/hash.ts";
import { DataFile } from "../io/data_file.ts";
import { lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import { forgetAll, forgetPath, mendFeed } from "../io/mend_feed.ts";
import { openFile } from "../io/random_access.ts";
import { RawFeed } from "../io/raw_feed.ts";
import type { SleepAccess } from "../io/sleep_files.ts";
import { WorkingFiles } from "../io/working_files.ts";
import { type ArchivePaths, writeSmallFile } from "./archive_folder.ts";
import { lockArchive } from "./archive_lock.ts";
import { type ArchiveAudit, auditArchive, type AuditProgress } from "./audit_archive.ts";
import { distinctFiles } from "./audit_entries.ts";
import type { FileFault } from "./audit_files.ts";
import type { PlannedFile } from "./checkout_plan.ts";
import type { FeedName } from "./damage.ts";
import { fetchBlocks, type FetchOptions } from "./fetch_blocks.ts";
import { FileTimes } from "./file_times.ts";
import { KeptFiles } from "./kept_files.ts";
import { type Archive, openArchive } from "./open_archive.ts";
import {
  leaveIncomplete,
  missingIn,
  remakeEmpty,
  rewriteFiles,
  stageFiles,
} from "./repair_files.ts";
import { isSound } from "./verify_archive.ts";
import { readVersionNote, removeVersionNote, writeVersionNote } from "./version_notes.ts";

export interface RepairOptions extends FetchOptions {
  /** The key of the archive's link, should it be lost here. */
  readonly givenKey?: Uint8Array;
  /** Keep nothing of what is replaced, and give up what was signed and cannot be proven. */
  readonly discard: boolean;
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

const PUBLIC_FILE = { mode: 0o644 };

/** Mending one thing may show another: so often it is looked again. */
const MAX_ROUNDS = 5;

/**
 * Mend what can be mended.
 *
 * @throws {LockedError} If another process has the archive open for writing.
 * @throws {ForkError} If peers have another signed history.
 */
export async function repairArchive(
  paths: ArchivePaths,
  options: RepairOptions,
): Promise<Repaired> {
  // What peers can send needs no puzzling out.
  const turnsContent = options.peers.length === 0;
  const before = auditArchive(paths, { ...options, turnsContent });
  const kept = new KeptFiles(paths, options);
  if (options.dryRun || before.problems.length === 0) {
    return { before, after: before, kept, fetched: 0, remarks: [] };
  }
  return await new Repair(paths, before, kept, options).run();
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
    const { peers } = this.#options;
    if (peers.length > 0 && audit.key !== undefined) {
      if (needsPeers(audit, "metadata")) {
        await this.#regain("metadata", audit, () =>
          this.#open((archive) => this.#fetch(archive, "metadata", "follow")));
        audit = this.#mendLocally(this.#look());
      }
      if (this.#needsSignature(audit, "content")) {
        const { files } = audit;
        const block = this.#anyBlock(audit);
        await this.#regain("content", audit, () =>
          this.#open((archive) => {
            mapFiles(archive, files);
            return this.#fetch(archive, "content", [{ start: block, end: block + 1 }]);
          }));
        audit = this.#mendLocally(this.#look());
      }
    }
    if (await this.#mendContent(audit)) audit = this.#mendLocally(this.#look());
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
      const changed = this.#mendKeys(audit) || this.#mendFeeds(audit);
      if (!changed) return audit;
      audit = this.#look();
    }
    return audit;
  }

  #mendKeys({ key, contentKey, problems }: ArchiveAudit): boolean {
    let changed = false;
    for (const [feed, right] of [["metadata", key?.publicKey], ["content", contentKey]] as const) {
      if (right === undefined) continue;
      if (!problems.some((problem) => problem.kind === "key" && problem.feed === feed)) continue;
      const path = this.#paths.feed(feed, "key");
      this.#kept.copy(path, `${feed}.key`);
      writeSmallFile(path, right, PUBLIC_FILE);
      changed = true;
    }
    return changed;
  }

  #mendFeeds(audit: ArchiveAudit): boolean {
    const metadata = this.#mendFeed("metadata", audit);
    const content = audit.content !== undefined && this.#mendFeed("content", audit);
    return metadata || content;
  }

  #mendFeed(feed: FeedName, audit: ArchiveAudit): boolean {
    const found = audit[feed]!;
    const isData = feed === "metadata" || audit.history;
    const mended = isData ? this.#mendData(feed, audit) : new Set<number>();
    const changed = this.#withFeed(feed, audit.history, (access) =>
      mendFeed(access, {
        audit: found,
        secretKey: feed === "metadata" ? audit.secretKey : audit.contentSecretKey,
        mended,
        keep: (file) => {
          const path = file === "staged" ? this.#paths.staged : this.#paths.feed(feed, file);
          this.#kept.copy(path, file === "staged" ? "trove.staged" : `${feed}.${file}`);
        },
      }));
    return changed || mended.size > 0;
  }

  /** Bad blocks of a `data` file: from a working file, or by turning a bit back. */
  #mendData(feed: FeedName, audit: ArchiveAudit): Set<number> {
    const mended = new Set<number>();
    const found = audit[feed]!;
    if (found.badBlocks.isEmpty) return mended;
    const path = this.#paths.feed(feed, "data");
    const data = openFile(path, { access: "write" });
    this.#withFeed(feed, audit.history, (access) => {
      const raw = new RawFeed(access);
      const files = new WorkingFiles(distinctFiles(audit.files), this.#paths.staging);
      const spans = new Spans(raw, found.fixes);
      for (const { start, end } of found.badBlocks) {
        for (let block = start; block < end; block++) {
          const node = found.fixes.get(2 * block) ?? raw.node(2 * block);
          const offset = spans.offsetOf(block);
          if (node === undefined || offset === undefined) continue;
          const hint = feed === "content" ? files.hint(block) : undefined;
          const right = found.turnedBlocks.get(block) ?? (hint && files.read(hint, "final"));
          if (right === undefined || !equalBytes(leafHash(right), node.hash)) continue;
          const old = new Uint8Array(right.length);
          const had = data.readInto(old, offset);
          this.#kept.bytes(old.subarray(0, had), `${feed}.data.block-${block}`);
          data.write(right, offset);
          mended.add(block);
        }
      }
      files.close();
    });
    data.sync();
    data.close();
    return mended;
  }

  /** Bad blocks that stay bad: what lies in their places is kept before others overwrite it. */
  #keepBadBlocks(feed: FeedName, audit: ArchiveAudit): void {
    const found = audit[feed];
    if (found === undefined) return;
    const data = openFile(this.#paths.feed(feed, "data"), { access: "read" });
    this.#withFeed(feed, audit.history, (access) => {
      const raw = new RawFeed(access);
      const spans = new Spans(raw, found.fixes);
      for (const { start, end } of found.badBlocks) {
        for (let block = start; block < end; block++) {
          const node = raw.node(2 * block);
          const offset = spans.offsetOf(block);
          if (node === undefined || offset === undefined) continue;
          const old = new Uint8Array(Math.min(node.size, Math.max(0, data.size() - offset)));
          const had = data.readInto(old, offset);
          if (had > 0) this.#kept.bytes(old, `${feed}.data.block-${block}`);
        }
      }
    });
    data.close();
  }

  #withFeed<T>(feed: FeedName, history: boolean, work: (access: SleepAccess) => T): T {
    const file = (path: string) => openFile(path, { access: "write" });
    const staged = feed === "content" && !history && lookAt(this.#paths.staged) !== undefined;
    const access: SleepAccess = {
      tree: file(this.#paths.feed(feed, "tree")),
      signatures: file(this.#paths.feed(feed, "signatures")),
      bitfield: file(this.#paths.feed(feed, "bitfield")),
      staged: staged ? file(this.#paths.staged) : undefined,
    };
    try {
      return work(access);
    } finally {
      for (const file of Object.values(access)) file?.close();
    }
  }

  #needsSignature(audit: ArchiveAudit, feed: FeedName): boolean {
    const found = audit[feed];
    return found !== undefined && !audit.owned &&
      (!found.proven || found.bitsLength > found.length);
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
      this.#withFeed(feed, audit.history, work);
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
  #anyBlock({ history, files }: ArchiveAudit): number {
    return history ? 0 : distinctFiles(files)[0]?.offset ?? 0;
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
   * Work on the archive as every command does. Where it does not open, that is said and nothing is
   * done. An archive of our own that was rolled back opens only for fetching what was lost.
   */
  async #open(work: (archive: Archive) => Promise<void>): Promise<void> {
    const { world, discard } = this.#options;
    const files = ["tree", "signatures", "bitfield"] as const;
    let restore: string[] = [];
    try {
      using archive = openArchive(this.#paths.dir, { world, access: "write" });
      const feeds = { metadata: archive.metadata, content: archive.content };
      for (const [name, feed] of Object.entries(feeds)) {
        if (feed?.recovery.kind !== "back" || !feed.writable) continue;
        for (const file of files) {
          this.#kept.copy(this.#paths.feed(name as FeedName, file), `${name}.${file}`);
        }
        feed.acceptRollback();
        if (!discard) restore.push(name);
      }
      await work(archive);
      restore = restore.filter((name) => {
        const feed = feeds[name as FeedName]!;
        return feed.recovery.kind === "back" && feed.length < feed.recovery.from;
      });
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#remarks.push(error.message);
      return;
    }
    for (const name of restore) this.#restore(name as FeedName, files);
  }

  /** What was signed and nobody had is not given up: the files are as they were. */
  #restore(feed: FeedName, files: readonly ("tree" | "signatures" | "bitfield")[]): void {
    for (const file of files) {
      const from = this.#kept.placeOf(`${feed}.${file}`);
      if (from === undefined) continue;
      try {
        Deno.copyFileSync(from, this.#paths.feed(feed, file));
      } catch (error) {
        throw storageError(`Cannot write "${this.#paths.feed(feed, file)}"`, error);
      }
    }
    this.#remarks.push(
      `Newer blocks of the ${feed} were signed than can be proven here, and others may have them: ` +
        "get them from a peer, or give them up with --discard",
    );
  }

  /** Answers whether it did anything. */
  async #mendContent(audit: ArchiveAudit): Promise<boolean> {
    const { peers } = this.#options;
    using times = new FileTimes(this.#paths, { access: "read" });
    // An owner's file gets the time back with which it was imported, not that of its entry.
    const timed = (file: PlannedFile): PlannedFile =>
      audit.owned ? { ...file, mtime: times.get(file.seq) ?? file.mtime } : file;
    const wrong = audit.fileFaults.filter((fault) => this.#isOurs(fault))
      .map(({ file }) => timed(file));
    const lacking = this.#lacking(audit);
    if (wrong.length === 0 && lacking.length === 0 && !this.#rolledBack(audit)) return false;
    if (audit.history) this.#keepBadBlocks("content", audit);
    await this.#open(async (archive) => {
      const content = archive.content;
      if (content === undefined) return;
      for (const file of wrong) {
        if (file.blocks === 0) remakeEmpty(archive, { file, kept: this.#kept });
      }
      const withBlocks = wrong.filter(({ blocks }) => blocks > 0);
      if (audit.history) {
        if (lacking.length > 0 && peers.length > 0) {
          await this.#fetch(archive, "content", lacking);
        }
        rewriteFiles(archive, { wrong: withBlocks, kept: this.#kept });
        return;
      }
      const wanted = await stageFiles(archive, {
        files: audit.files.map(timed),
        wrong: withBlocks,
        kept: this.#kept,
        known: this.#known,
      });
      if (wanted.length > 0 && peers.length > 0) await this.#fetch(archive, "content", wanted);
      content.commit();
      leaveIncomplete(archive, { wrong: withBlocks, kept: this.#kept });
    });
    this.#removeEmptyStaging();
    return true;
  }

  /** Files that were here once, and that their owner did not change. */
  #isOurs({ file, state, exists }: FileFault): boolean {
    if (state === "changed") return false;
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

  #rolledBack({ owned, metadata, content }: ArchiveAudit): boolean {
    return owned && this.#options.discard &&
      [metadata, content].some((feed) => feed !== undefined && feed.claimedLength > feed.length);
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

function markedBlocks(paths: ArchivePaths): RangeSet {
  const marked = new RangeSet();
  const file = (name: "tree" | "signatures" | "bitfield") =>
    openFile(paths.feed("content", name), { access: "read" });
  const access = { tree: file("tree"), signatures: file("signatures"), bitfield: file("bitfield") };
  const { bitfield } = new RawFeed(access);
  const end = bitfield.pageCount * BLOCKS_PER_PAGE;
  for (let at = bitfield.nextBlock(0, end, true); at !== -1;) {
    const free = bitfield.nextBlock(at, end, false);
    const to = free === -1 ? end : free;
    marked.add(at, to);
    at = bitfield.nextBlock(to, end, true);
  }
  for (const opened of Object.values(access)) opened.close();
  return marked;
}

/** Where blocks begin, from the roots before them. */
class Spans {
  readonly #raw: RawFeed;
  readonly #fixes: ReadonlyMap<number, { readonly size: number }>;

  constructor(raw: RawFeed, fixes: ReadonlyMap<number, { readonly size: number }>) {
    this.#raw = raw;
    this.#fixes = fixes;
  }

  offsetOf(block: number): number | undefined {
    let offset = 0;
    for (const index of fullRoots(block)) {
      const node = this.#fixes.get(index) ?? this.#raw.node(index);
      if (node === undefined) return undefined;
      offset += node.size;
    }
    return offset;
  }
}
