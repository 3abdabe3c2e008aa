/**
 * The working files against the newest version: which are missing, damaged, or changed by their
 * owner, and in which blocks.
 */
import { equalBytes } from "../base/bytes.ts";
import { count } from "../base/format.ts";
import { RangeSet } from "../base/ranges.ts";
import { leafHash } from "../crypto/hash.ts";
import type { TreeNode } from "../core/feed/node.ts";
import { storageError } from "../io/handle_cache.ts";
import type { FeedAudit } from "../io/audit_result.ts";
import type { RawFeed } from "../io/raw_feed.ts";
import type { ArchivePaths } from "./archive_folder.ts";
import { distinctFiles } from "./audit_entries.ts";
import { readNote } from "./audit_notes.ts";
import type { PlannedFile } from "./checkout_plan.ts";
import type { Problem } from "./damage.ts";
import { FileTimes } from "./file_times.ts";

/** What a file that is not as it should be is. */
export type FileState =
  /** Not there, or with other bytes, and nobody changed it on purpose as far as can be told. */
  | "damaged"
  /** Changed or deleted by the owner since it was imported. */
  | "changed"
  /** Not here, and nothing says that it ever was; or left so by `--keep-local`. */
  | "absent";

export interface FileFault {
  readonly file: PlannedFile;
  readonly state: FileState;
  /** Whether anything is at the file's place. */
  readonly exists: boolean;
  /** Its blocks that are not as they should be; all of them if the file is missing. */
  readonly wrong: RangeSet;
}

/** What is known of a file's blocks in the content feed. */
export interface FileBlocks {
  /** Whether any block of the file is marked as being under its name. */
  readonly marked: boolean;
  readonly wrong: RangeSet;
}

export interface FileContext {
  readonly owned: boolean;
  /** The owner's file had this time when it was imported, if that is known. */
  readonly timeOf: (seq: number) => number | undefined;
  /** The version whose files were all put here, by our own note. */
  readonly synced: number;
}

/** What the content feed tells, if there is one. */
export interface ContentBits {
  readonly raw: RawFeed;
  readonly audit: FeedAudit;
}

/** Look at every file, one at a step. Gives those that are not as they should be. */
export function* auditFiles(
  files: readonly PlannedFile[],
  context: {
    readonly paths: ArchivePaths;
    readonly history: boolean;
    readonly owned: boolean;
    readonly quick: boolean;
    readonly content?: ContentBits;
    readonly onProgress?: (progress: { share: number; text: string }) => void;
  },
): Generator<void, FileFault[], void> {
  const { paths, owned, onProgress } = context;
  if (paths.layout !== "dat") return [];
  const synced = readNote(paths, "synced") ?? 0;
  const distinct = new Set(distinctFiles(files));
  using times = new FileTimes(paths, { access: "read" });
  const timeOf = (seq: number) => times.get(seq);
  const faults: FileFault[] = [];
  for (const [at, file] of files.entries()) {
    onProgress?.({ share: at / files.length, text: `file ${at} of ${files.length}` });
    const blocks = blocksOf(file, { ...context, mapped: distinct.has(file) });
    const fault = judgeFile(file, blocks, { owned, synced, timeOf });
    if (fault !== undefined) faults.push(fault);
    yield;
  }
  return faults;
}

/** @param options.mapped Whether the content feed's blocks were read from this very file. */
function blocksOf(
  file: PlannedFile,
  { content, history, quick, mapped }: {
    readonly content?: ContentBits;
    readonly history: boolean;
    readonly quick: boolean;
    readonly mapped: boolean;
  },
): FileBlocks {
  const { offset, blocks } = file;
  const wrong = new RangeSet();
  if (blocks === 0) return { marked: false, wrong };
  if (content === undefined) {
    wrong.add(offset, offset + blocks);
    return { marked: false, wrong };
  }
  const { raw, audit } = content;
  const { bitfield } = raw;
  const end = Math.min(offset + blocks, audit.length);
  const marked = !history && bitfield.nextBlock(offset, end, true) !== -1;
  if (quick) return { marked, wrong };
  if (history || !mapped) {
    const leaf = (block: number) => audit.fixes.get(2 * block) ?? raw.node(2 * block);
    return { marked, wrong: compareFile(file, leaf, () => {}) };
  }
  for (let block = offset; block < end; block++) {
    const isGood = bitfield.hasBlock(block) && !audit.badBlocks.has(block);
    if (!isGood && !audit.unmarkedBlocks.has(block)) wrong.add(block, block + 1);
  }
  if (end < offset + blocks) wrong.add(Math.max(end, offset), offset + blocks);
  return { marked, wrong };
}

/** Judge a file by its blocks and by what stands at its place; undefined if all is well. */
export function judgeFile(
  file: PlannedFile,
  { marked, wrong }: FileBlocks,
  { owned, synced, timeOf }: FileContext,
): FileFault | undefined {
  const info = statFile(file.target);
  const sameSize = info?.isFile === true && info.size === file.size;
  if (sameSize && wrong.isEmpty) return undefined;
  const exists = info !== undefined;
  const time = info?.mtime?.getTime() ?? NaN;
  const fault = (state: FileState): FileFault => ({ file, state, exists, wrong });
  if (owned) {
    // By the rule of an import: what it would take for unchanged was not changed on purpose.
    const imported = timeOf(file.seq);
    const untouched = imported === undefined ? time <= file.mtime : time === imported;
    return fault(sameSize && untouched ? "damaged" : "changed");
  }
  if (marked) return fault("damaged");
  // No bits: it was never fetched, or it is left as the user has it.
  return fault(sameSize && time === file.mtime && file.seq <= synced ? "damaged" : "absent");
}

/** The blocks of a file on disk that are not those of the tree. Reads all of it. */
export function compareFile(
  file: PlannedFile,
  leaf: (block: number) => TreeNode | undefined,
  onBytes: (bytes: number) => void,
): RangeSet {
  const wrong = new RangeSet();
  const { target, offset, blocks } = file;
  if (statFile(target)?.isFile !== true) {
    wrong.add(offset, offset + blocks);
    return wrong;
  }
  try {
    using opened = Deno.openSync(target, { read: true });
    const { size } = opened.statSync();
    let at = 0;
    for (let block = offset; block < offset + blocks; block++) {
      const node = leaf(block);
      if (node === undefined || at + node.size > size) {
        wrong.add(block, offset + blocks);
        break;
      }
      const bytes = new Uint8Array(node.size);
      for (let filled = 0; filled < bytes.length;) {
        const got = opened.readSync(bytes.subarray(filled));
        if (got === null || got === 0) break;
        filled += got;
      }
      if (!equalBytes(leafHash(bytes), node.hash)) wrong.add(block, block + 1);
      at += node.size;
      onBytes(node.size);
    }
  } catch (error) {
    throw storageError(`Cannot read "${target}"`, error);
  }
  return wrong;
}

/** What a link in the owner's folder leads to counts, as in an import. */
function statFile(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw storageError(`Cannot look at "${path}"`, error);
  }
}

/** What is said of a file. */
export function problemOfFile(
  { file, state, exists, wrong }: FileFault,
  { version, history }: { version: number; history: boolean },
): Problem {
  const name = `"${file.path.slice(1)}"`;
  const size = wrong.size;
  const which = size === 0
    ? "it has another size"
    : size === file.blocks
    ? file.blocks === 1 ? "its block differs" : `all of its ${file.blocks} blocks differ`
    : `${size} of its ${count(file.blocks, "block")} ${size === 1 ? "differs" : "differ"}`;
  if (state === "changed") {
    const what = exists ? "was changed" : "was deleted";
    return {
      kind: "changed",
      path: file.path,
      message: `${name} ${what} since version ${version}`,
      repair: "share",
    };
  }
  if (state === "absent") {
    return {
      kind: "incomplete",
      path: file.path,
      message: exists
        ? `${name} is not the archive's, or was changed and left so`
        : `${name} is not here`,
      repair: "pull",
      harmless: true,
    };
  }
  return {
    kind: "file",
    path: file.path,
    index: size === 0 ? undefined : [...wrong][0].start,
    count: size > 1 ? size : undefined,
    message: exists ? `${name} is damaged: ${which}` : `${name} is missing`,
    repair: history ? "local" : "peer",
  };
}
