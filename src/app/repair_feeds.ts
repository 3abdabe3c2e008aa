/** Mending the files of the two feeds from what is here, and keeping what is replaced. */
import { equalBytes } from "../base/bytes.ts";
import { RangeSet } from "../base/ranges.ts";
import { fullRoots } from "../core/feed/flat_tree.ts";
import { BLOCKS_PER_PAGE } from "../core/sleep/bitfield_page.ts";
import { leafHash, rootHash } from "../crypto/hash.ts";
import { lookAt } from "../io/folder.ts";
import { mendFeed } from "../io/mend_feed.ts";
import { openFile } from "../io/random_access.ts";
import { RawFeed } from "../io/raw_feed.ts";
import type { SleepAccess } from "../io/sleep_files.ts";
import { WorkingFiles } from "../io/working_files.ts";
import { type ArchivePaths, writeSmallFile } from "./archive_folder.ts";
import type { ArchiveAudit } from "./audit_archive.ts";
import { distinctFiles } from "./audit_entries.ts";
import type { FeedName } from "./damage.ts";
import type { KeptFiles } from "./kept_files.ts";

const PUBLIC_FILE = { mode: 0o644 };

/** Write the keys that are damaged or missing, where they are known. Answers whether it did. */
export function mendKeys(audit: ArchiveAudit, kept: KeptFiles): boolean {
  const { key, contentKey, problems } = audit;
  let changed = false;
  for (const [feed, right] of [["metadata", key?.publicKey], ["content", contentKey]] as const) {
    if (right === undefined) continue;
    if (!problems.some((problem) => problem.kind === "key" && problem.feed === feed)) continue;
    const path = audit.paths.feed(feed, "key");
    kept.copy(path, `${feed}.key`);
    writeSmallFile(path, right, PUBLIC_FILE);
    changed = true;
  }
  return changed;
}

/** Bring one feed's files to agree. Answers whether anything was changed. */
export function mendFeedFiles(feed: FeedName, audit: ArchiveAudit, kept: KeptFiles): boolean {
  const found = audit[feed]!;
  const isData = feed === "metadata" || audit.history;
  const mended = isData ? mendData(feed, audit, kept) : new Set<number>();
  const changed = withFeed(feed, audit, (access) =>
    mendFeed(access, {
      audit: found,
      secretKey: feed === "metadata" ? audit.secretKey : audit.contentSecretKey,
      wasSigned: (length, roots) => {
        const served = audit.served?.[feed];
        return served?.length === length && equalBytes(served.root, rootHash(roots));
      },
      mended,
      keep: (file) => {
        const path = file === "staged" ? audit.paths.staged : audit.paths.feed(feed, file);
        kept.copy(path, file === "staged" ? "trove.staged" : `${feed}.${file}`);
      },
    }));
  return changed || mended.size > 0;
}

/** Bad blocks of a `data` file: from a working file, or by turning a bit back. */
function mendData(feed: FeedName, audit: ArchiveAudit, kept: KeptFiles): Set<number> {
  const mended = new Set<number>();
  const found = audit[feed]!;
  if (found.badBlocks.isEmpty) return mended;
  const path = audit.paths.feed(feed, "data");
  const data = openFile(path, { access: "write" });
  withFeed(feed, audit, (access) => {
    const raw = new RawFeed(access);
    const files = new WorkingFiles(distinctFiles(audit.files), audit.paths.staging);
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
        kept.bytes(old.subarray(0, had), `${feed}.data.block-${block}`);
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
export function keepBadBlocks(feed: FeedName, audit: ArchiveAudit, kept: KeptFiles): void {
  const found = audit[feed];
  if (found === undefined) return;
  const data = openFile(audit.paths.feed(feed, "data"), { access: "read" });
  withFeed(feed, audit, (access) => {
    const raw = new RawFeed(access);
    const spans = new Spans(raw, found.fixes);
    for (const { start, end } of found.badBlocks) {
      for (let block = start; block < end; block++) {
        const node = raw.node(2 * block);
        const offset = spans.offsetOf(block);
        if (node === undefined || offset === undefined) continue;
        const old = new Uint8Array(Math.min(node.size, Math.max(0, data.size() - offset)));
        const had = data.readInto(old, offset);
        if (had > 0) kept.bytes(old, `${feed}.data.block-${block}`);
      }
    }
  });
  data.close();
}

/** Do something with one feed's files, open for writing. */
export function withFeed<T>(
  feed: FeedName,
  { paths, history }: Pick<ArchiveAudit, "paths" | "history">,
  work: (access: SleepAccess) => T,
): T {
  const file = (path: string) => openFile(path, { access: "write" });
  const staged = feed === "content" && !history && lookAt(paths.staged) !== undefined;
  const access: SleepAccess = {
    tree: file(paths.feed(feed, "tree")),
    signatures: file(paths.feed(feed, "signatures")),
    bitfield: file(paths.feed(feed, "bitfield")),
    staged: staged ? file(paths.staged) : undefined,
  };
  try {
    return work(access);
  } finally {
    for (const file of Object.values(access)) file?.close();
  }
}

/** The content blocks that are marked as held. */
export function markedBlocks(paths: ArchivePaths): RangeSet {
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
