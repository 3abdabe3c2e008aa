/**
 * Looking at everything of an archive on disk and saying what is wrong, however damaged it is.
 * Nothing is changed, and nothing is taken for granted: the SLEEP files are read as they lie there.
 *
 * Source: spec of storage, sections 8, 14 and 15; of the dat directory, sections 1, 2 and 5; of the
 * drive, section 10.
 */
import { equalBytes } from "../base/bytes.ts";
import type { World } from "../base/world.ts";
import { PAGE_BYTES } from "../core/sleep/bitfield_page.ts";
import { entryCount, HEADER_BYTES } from "../core/sleep/layout.ts";
import { PageSummary } from "../core/sleep/page_summary.ts";
import { contentSeed } from "../crypto/hash.ts";
import { keyPair, PUBLIC_KEY_BYTES } from "../crypto/sign.ts";
import { indexCorrections } from "../io/bitfield_index.ts";
import { DataFile } from "../io/data_file.ts";
import { type AuditOptions, auditSteps, type FeedAudit, glanceAtFeed } from "../io/feed_audit.ts";
import { lookAt } from "../io/folder.ts";
import { atOnce } from "../io/pause.ts";
import { openFile } from "../io/random_access.ts";
import { RawFeed } from "../io/raw_feed.ts";
import { WorkingFiles } from "../io/working_files.ts";
import type { ArchivePaths } from "./archive_folder.ts";
import { AuditedKeys } from "./audit_keys.ts";
import { AuditedEntries, distinctFiles, recordEnd } from "./audit_entries.ts";
import { auditFiles, type FileFault, problemOfFile } from "./audit_files.ts";
import { splitSelected } from "./audit_selection.ts";
import { readServed, type ServedLengths } from "./served_lengths.ts";
import { problemsOfNotes, readNote } from "./audit_notes.ts";
import type { PlannedFile } from "./checkout_plan.ts";
import { type FeedName, type Problem, problemsOfFeed, runOf } from "./damage.ts";
import type { FoundPublicKey } from "./find_key.ts";
import { RangeSet } from "../base/ranges.ts";

export interface AuditProgress {
  readonly feed?: FeedName;
  /** From 0 to 1, of the part that is looked at now. */
  readonly share: number;
  /** What is looked at now, for people. */
  readonly text: string;
}

export interface ArchiveAuditOptions {
  readonly world: World;
  /** Look at lengths, roots and sizes, and not at the content's blocks. */
  readonly quick?: boolean;
  /** Try whether single bits turned in small content blocks, too. */
  readonly turnsContent?: boolean;
  /** The key of the link, where the user knows it. */
  readonly givenKey?: Uint8Array;
  readonly onProgress?: (progress: AuditProgress) => void;
}

export interface ArchiveAudit {
  readonly paths: ArchivePaths;
  readonly history: boolean;
  /** The archive's key, as far as it can be told. */
  readonly key?: FoundPublicKey;
  readonly secretKey?: Uint8Array;
  readonly owned: boolean;
  /** What of it others may know, where that was noted. */
  readonly served?: ServedLengths;
  readonly metadata: FeedAudit;
  readonly content?: FeedAudit;
  readonly contentKey?: Uint8Array;
  readonly contentSecretKey?: Uint8Array;
  readonly version: number;
  /**
   * The working files of the newest version that are selected, as far as it can be known; `allFiles`:
   * all of it.
   */
  readonly files: readonly PlannedFile[];
  /** Those that are not selected. Nothing is said of them, here or not. */
  readonly unselected: readonly PlannedFile[];
  readonly allFiles: boolean;
  readonly fileFaults: readonly FileFault[];
  readonly problems: readonly Problem[];
}

/** Look at the archive. @throws {StorageError} If the disk does not let us. */
export function auditArchive(paths: ArchivePaths, options: ArchiveAuditOptions): ArchiveAudit {
  return atOnce(archiveAuditSteps(paths, options));
}

/** The same step by step, for whoever lets other work in between. */
export function* archiveAuditSteps(
  paths: ArchivePaths,
  options: ArchiveAuditOptions,
): Generator<void, ArchiveAudit, void> {
  using opened = new DisposableStack();
  return yield* new ArchiveAuditor(paths, options, opened).run();
}

class ArchiveAuditor {
  readonly #paths: ArchivePaths;
  readonly #options: ArchiveAuditOptions;
  readonly #opened: DisposableStack;
  readonly #problems: Problem[] = [];
  readonly #history: boolean;
  readonly #interrupted: boolean;

  constructor(paths: ArchivePaths, options: ArchiveAuditOptions, opened: DisposableStack) {
    this.#paths = paths;
    this.#options = options;
    this.#opened = opened;
    this.#history = paths.layout !== "dat" || lookAt(paths.feed("content", "data")) !== undefined;
    this.#interrupted = lookAt(paths.lock) !== undefined;
  }

  *run(): Generator<void, ArchiveAudit, void> {
    const paths = this.#paths;
    const raw = this.#openFeed("metadata");
    const keys = new AuditedKeys(paths, this.#options);
    const key = keys.findPublic(raw);
    const { secretKey } = keys.findSecret(key?.publicKey);
    const owned = secretKey !== undefined;

    const file = this.#file(paths.feed("metadata", "data"));
    const data = new DataFile(file);
    const entries = new AuditedEntries(data);
    const metadata = yield* auditSteps(raw, {
      publicKey: key?.publicKey ?? new Uint8Array(PUBLIC_KEY_BYTES),
      blocks: {
        read: (span) => data.read(span),
        mayHold: () => true,
        hint: (block, byteOffset) => {
          const end = byteOffset === undefined ? undefined : recordEnd(file, byteOffset);
          return end === undefined ? undefined : {
            block,
            byteOffset: byteOffset!,
            size: end - byteOffset!,
          };
        },
      },
      // One bad entry would hide the others.
      turnsBlocks: true,
      onBlock: (block, bytes, about) => entries.take(block, bytes, about),
      onProgress: this.#tell("metadata"),
    });
    const hasContentBegun = this.#hasBegun("content");
    if (hasContentBegun || file.size() > 0 || this.#hasBegun("metadata")) {
      this.#say(metadata, "metadata", owned, false);
    } else this.#sayNothing("metadata");
    this.#checkIndex("metadata", raw);
    this.#checkComplete(metadata, raw, owned);

    const version = Math.max(0, metadata.length - 1);
    const listed = version === 0 ? { files: [], all: true } : entries.files(version);
    // With a part of the metadata lost, there may be files that nobody knows of.
    const { bitsLength, claimedLength, length, badBlocks } = metadata;
    const all = listed.all && badBlocks.isEmpty && length >= Math.max(bitsLength, claimedLength);
    if (!listed.all && metadata.badBlocks.isEmpty && metadata.length > 0) {
      this.#problems.push({
        kind: "incomplete",
        feed: "metadata",
        message: `the files of version ${version} are not all known: entries are missing`,
        repair: "pull",
        harmless: true,
      });
    }
    const { files, unselected, problem } = splitSelected(listed.files, { paths, owned });
    if (problem !== undefined) this.#problems.push(problem);
    const begun = owned && metadata.length > 1 || hasContentBegun;
    const contentKey = keys.findContent(entries.contentKey, { begun });
    const found = contentKey === undefined ? undefined : yield* this.#checkContent(contentKey, {
      ...{ entries, version, owned, secretKey, all, begun },
      // Of several with the same blocks the first counts: one that is here.
      files: [...files, ...unselected],
    });
    this.#problems.push(...keys.problems, ...entries.problems);
    const served = key && owned ? readServed(key.publicKey, this.#options.world) : undefined;
    this.#checkLengths(served, {
      metadata: { length: metadata.length, bytes: file.size() },
      content: found?.audit,
    });
    const fileFaults = yield* auditFiles(files, {
      ...{ paths, history: this.#history, owned, quick: this.#options.quick === true },
      content: found,
      onProgress: this.#options.onProgress,
    });
    this.#problems.push(
      ...fileFaults.map((fault) => problemOfFile(fault, { version, history: this.#history })),
      ...problemsOfNotes(paths, version),
    );
    return {
      paths,
      history: this.#history,
      key,
      secretKey,
      owned,
      served,
      metadata,
      content: found?.audit,
      contentKey,
      contentSecretKey: found?.secretKey,
      version,
      files,
      unselected,
      allFiles: all,
      fileFaults,
      problems: this.#problems,
    };
  }

  /** Whether less is here than there once was, which the feeds themselves need not show. */
  #checkLengths(
    served: ServedLengths | undefined,
    { metadata, content }: {
      metadata: { length: number; bytes: number };
      content: { length: number } | undefined;
    },
  ): void {
    const say = (feed: FeedName, message: string, harmless?: true) => {
      message = `${feed}: ${message}`;
      this.#problems.push({ kind: "length", feed, message, repair: "peer", harmless });
    };
    if (metadata.length === 0 && metadata.bytes > 0) {
      const what = `there are ${metadata.bytes} bytes of entries, and nothing proves any`;
      // Bytes come before what proves them: whoever was killed between the two goes on from there.
      say("metadata", what, this.#interrupted || undefined);
    }
    for (const feed of ["metadata", "content"] as const) {
      const { length = 0 } = served?.[feed] ?? {};
      const here = (feed === "metadata" ? metadata : content)?.length ?? 0;
      if (here >= length) continue;
      say(feed, `${length} blocks were served from here once, and ${here} of them are left`);
    }
  }

  #file(path: string) {
    const file = openFile(path, { access: "read" });
    this.#opened.defer(() => file.close());
    return file;
  }

  #openFeed(feed: FeedName): RawFeed {
    const paths = this.#paths;
    return new RawFeed({
      tree: this.#file(paths.feed(feed, "tree")),
      signatures: this.#file(paths.feed(feed, "signatures")),
      bitfield: this.#file(paths.feed(feed, "bitfield")),
      staged: feed === "content" && !this.#history ? this.#file(paths.staged) : undefined,
    });
  }

  #tell(feed: FeedName): AuditOptions["onProgress"] {
    const { onProgress } = this.#options;
    return onProgress && ((block, total) => {
      onProgress({ feed, share: block / total, text: `${feed}: block ${block} of ${total}` });
    });
  }

  #say(audit: FeedAudit, feed: FeedName, owned: boolean, withoutBlocks: boolean): void {
    const interrupted = this.#interrupted;
    this.#problems.push(...problemsOfFeed(feed, audit, { owned, interrupted, withoutBlocks }));
  }

  /**
   * Whether there ever was anything of a feed here. An archive whose creation or whose first clone
   * was cut off may lack any of the feed's files: they are made one after the other.
   */
  #hasBegun(feed: FeedName): boolean {
    const paths = this.#paths;
    const isEmpty = (["tree", "signatures", "bitfield"] as const)
      .every((file) => (lookAt(paths.feed(feed, file))?.size ?? 0) <= HEADER_BYTES);
    if (!isEmpty) return true;
    return readNote(paths, "synced") !== undefined || readNote(paths, "latest") !== undefined;
  }

  #sayNothing(feed: FeedName): void {
    this.#problems.push({
      kind: "incomplete",
      feed,
      message: `${feed}: nothing of it is here yet`,
      repair: "pull",
      harmless: true,
    });
  }

  #checkIndex(feed: FeedName, raw: RawFeed): void {
    const { pageBytes } = raw;
    if (pageBytes !== PAGE_BYTES) return; // absent there, as far as readers go
    const file = this.#file(this.#paths.feed(feed, "bitfield"));
    const pages = entryCount(file.size(), pageBytes);
    const wrong = new Set<number>();
    const options = { pageBytes, ownTree: false };
    for (const { offset } of indexCorrections(file, options, pages, new PageSummary(pages))) {
      wrong.add(Math.floor((offset - 32) / pageBytes));
    }
    for (const page of wrong) {
      this.#problems.push({
        kind: "index",
        feed,
        index: page,
        message: `${feed}: the index of bitfield page ${page} does not sum up its blocks; ` +
          "it is never relied on",
        repair: "local",
        harmless: true,
      });
    }
  }

  /** Whoever owns an archive has every entry; a clone may still be on its way. */
  #checkComplete(audit: FeedAudit, { bitfield }: RawFeed, owned: boolean): void {
    const missing = new RangeSet();
    let at = bitfield.nextBlock(0, audit.length, false);
    for (; at !== -1; at = bitfield.nextBlock(at + 1, audit.length, false)) {
      if (!audit.unmarkedBlocks.has(at)) missing.add(at, at + 1);
    }
    const wasComplete = owned || (readNote(this.#paths, "synced") ?? 0) >= audit.length - 1;
    for (const { start, end } of missing) {
      this.#problems.push({
        kind: wasComplete ? "block" : "incomplete",
        feed: "metadata",
        index: start,
        count: end - start === 1 ? undefined : end - start,
        message: `metadata: ${runOf("block", start, end)} ${end - start === 1 ? "is" : "are"} ` +
          "not here",
        repair: wasComplete ? "peer" : "pull",
        harmless: wasComplete ? undefined : true,
      });
    }
  }

  *#checkContent(
    publicKey: Uint8Array,
    { entries, files, version, owned, secretKey, all, begun }: {
      entries: AuditedEntries;
      files: readonly PlannedFile[];
      version: number;
      owned: boolean;
      secretKey: Uint8Array | undefined;
      all: boolean;
      begun: boolean;
    },
  ): Generator<void, ContentFound, void> {
    const raw = this.#openFeed("content");
    const derived = secretKey && keyPair(contentSeed(secretKey));
    const own = derived !== undefined && equalBytes(derived.publicKey, publicKey)
      ? derived.secretKey
      : undefined;
    const places = this.#history ? undefined : new WorkingFiles(
      distinctFiles(files),
      this.#paths.staging,
    );
    if (places !== undefined) this.#opened.defer(() => places.close());
    const data = new DataFile(this.#file(this.#paths.feed("content", "data")));
    const audit = this.#options.quick ? glanceAtFeed(raw, publicKey) : yield* auditSteps(raw, {
      publicKey,
      blocks: places ?? {
        read: (span) => data.read(span),
        mayHold: () => true,
        hint: entries.contentHints(),
      },
      turnsBlocks: this.#options.turnsContent === true,
      onOffset: entries.offsetChecker(),
      onProgress: this.#tell("content"),
    });
    if (begun) this.#say(audit, "content", owned, places !== undefined);
    else this.#sayNothing("content");
    this.#checkIndex("content", raw);
    if (places !== undefined && all) this.#checkUnowned(audit, { places, owned, version });
    return { raw, audit, secretKey: own };
  }

  /**
   * Where files are the content, a block that no file has cannot be here: at most an update, or an
   * import, was cut off before it gave up the blocks of files that are replaced.
   */
  #checkUnowned(
    { badBlocks }: FeedAudit,
    { places, owned, version }: { places: WorkingFiles; owned: boolean; version: number },
  ): void {
    const applied = readNote(this.#paths, "latest") ?? 0;
    const harmless = this.#interrupted || !owned && applied < version || undefined;
    for (const { start, end } of badBlocks) {
      for (let block = start; block < end; block++) {
        if (places.fileOf(block) !== undefined) continue;
        this.#problems.push({
          kind: "block-bit",
          feed: "content",
          index: block,
          message: `content: block ${block} is marked as held, and no file has it` +
            (harmless ? " any more: an update is under way or was cut off" : ""),
          repair: "local",
          harmless,
        });
      }
    }
  }
}

interface ContentFound {
  readonly raw: RawFeed;
  readonly audit: FeedAudit;
  readonly secretKey?: Uint8Array;
}
