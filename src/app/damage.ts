/** What can be wrong with an archive on disk, in words for people and fields for programs. */
import { count } from "../base/format.ts";
import type { RangeSet } from "../base/ranges.ts";
import type { FeedAudit } from "../io/feed_audit.ts";

/** The feeds of an archive. */
export type FeedName = "metadata" | "content";

/** `feed` is one that lies in a folder by itself. */
export type AnyFeedName = FeedName | "feed";

/** What a problem is about; `index` of the problem counts accordingly. */
export type ProblemKind =
  /** A SLEEP file has no header, or a wrong one. */
  | "header"
  /** A public key. */
  | "key"
  | "secret-key"
  /** How many blocks there are. */
  | "length"
  /** A block's bytes; by block. */
  | "block"
  /** A tree node; by flat-tree index. */
  | "node"
  /** By the length in blocks that it was made for. */
  | "signature"
  /** Whether a block is marked as held; by block. */
  | "block-bit"
  /** Whether a tree node is marked as held; by flat-tree index. */
  | "node-bit"
  /** The summary of the block bits; by page. */
  | "index"
  /** A metadata entry that makes no sense; by entry. */
  | "entry"
  /** A working file that is missing or damaged. */
  | "file"
  /** A working file that the owner changed since it was imported. */
  | "changed"
  /** A small file that notes a version. */
  | "note"
  /** Something is not here yet. */
  | "incomplete";

/** What it takes to put it right. */
export type Remedy =
  /** It follows from what is here. */
  | "local"
  /** Somebody else has to have it. */
  | "peer"
  /** `trove share` takes it in. */
  | "share"
  /** `trove pull` brings it. */
  | "pull"
  /** The link has to be given, or the secret key. */
  | "key"
  | "none";

export interface Problem {
  readonly kind: ProblemKind;
  readonly feed?: AnyFeedName;
  /** The first of `count` neighbours. */
  readonly index?: number;
  readonly count?: number;
  /** Of a working file, as the archive has it; or of a file of the archive, below its folder. */
  readonly path?: string;
  readonly message: string;
  readonly repair: Remedy;
  /** No reader is misled by it: it is named, and the archive counts as sound. */
  readonly harmless?: boolean;
}

/** What is said of a feed as such; its blocks may belong to working files, told elsewhere. */
export function problemsOfFeed(
  feed: AnyFeedName,
  audit: FeedAudit,
  options: {
    readonly owned: boolean;
    /** Somebody is writing, or was killed while writing: bits may lag behind. */
    readonly interrupted: boolean;
    /** Leave out the blocks themselves. */
    readonly withoutBlocks: boolean;
  },
): Problem[] {
  const { length, bitsLength, claimedLength, proven } = audit;
  const { owned, interrupted } = options;
  const found: Problem[] = audit.faults.map(({ file, message, harmless }) => ({
    kind: "header",
    feed,
    path: file === "staged" ? ".dat/trove.staged" : `${feed}.${file}`,
    message: `${file === "staged" ? "trove.staged" : `${feed}.${file}`}: ${message}`,
    repair: "local",
    harmless: harmless || undefined,
  }));
  const add = (
    kind: ProblemKind,
    set: RangeSet,
    about: { repair: Remedy; say: (what: string) => string; harmless?: boolean },
  ) => {
    for (const { start, end } of set) {
      found.push({
        kind,
        feed,
        index: start,
        count: end - start === 1 ? undefined : end - start,
        message: `${feed}: ${about.say(runOf(kind, start, end))}`,
        repair: about.repair,
        harmless: about.harmless || undefined,
      });
    }
  };
  const lengthProblem = (message: string, repair: Remedy, harmless = false) => {
    found.push({
      kind: "length",
      feed,
      message: `${feed}: ${message}`,
      repair,
      harmless: harmless || undefined,
    });
  };
  if (!proven) {
    const blocks = count(Math.max(length, claimedLength), "block");
    lengthProblem(`no signature proves any of its ${blocks}`, "peer");
  } else if (bitsLength > length) {
    const gap = `its bits say ${count(bitsLength, "block")}, signatures prove ${length}`;
    lengthProblem(gap, owned ? "local" : "peer");
  } else if (bitsLength < length) {
    lengthProblem(
      `${length} blocks are signed, its bits say ${bitsLength}` +
        (interrupted ? ": a write is under way or was interrupted" : ""),
      "local",
      interrupted,
    );
  }
  if (!options.withoutBlocks) {
    add("block", audit.badBlocks, {
      repair: "peer",
      say: (what) => `${what}: missing bytes, or not those that were signed`,
    });
  }
  for (const { start, end } of audit.badNodes) {
    for (let index = start; index < end; index++) {
      const known = audit.fixes.has(index);
      const what = runOf("node", index, index + 1);
      found.push({
        kind: "node",
        feed,
        index,
        message: `${feed}: ${what} is damaged or missing`,
        repair: known ? "local" : "peer",
      });
    }
  }
  const turned = audit.turnedSignatures;
  for (const { start, end } of audit.badSignatures) {
    for (let at = start; at < end; at++) {
      const beyond = at === claimedLength && (at > length || !proven);
      found.push({
        kind: "signature",
        feed,
        index: at,
        message: `${feed}: the signature for ${count(at, "block")} ` +
          (beyond ? "is damaged, or what it is about" : "is damaged"),
        repair: turned.has(at) || owned && at <= length || !beyond && at !== length
          ? "local"
          : "peer",
      });
    }
  }
  add("block-bit", audit.unmarkedBlocks, {
    repair: "local",
    say: (what) => `not marked as held, although here: ${what}`,
    harmless: interrupted,
  });
  add("node-bit", audit.unmarkedNodes, {
    repair: "local",
    say: (what) => `not marked as held, although here: ${what}`,
    harmless: interrupted,
  });
  const say = (what: string) =>
    `marked as held, although beyond the end of ${count(length, "block")}: ${what}`;
  add("block-bit", audit.strayBlocks, { repair: "local", say });
  add("node-bit", audit.strayNodes, { repair: "local", say });
  return found;
}

/** `block 3`, `tree nodes 4 to 7`. */
export function runOf(kind: ProblemKind, start: number, end: number): string {
  const noun = kind === "node" || kind === "node-bit" ? "tree node" : "block";
  return end - start === 1 ? `${noun} ${start}` : `${noun}s ${start} to ${end - 1}`;
}
