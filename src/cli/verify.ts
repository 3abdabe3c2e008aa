/** `trove verify [dir]` */
import { resolve } from "node:path";
import { PROGRESS_MS } from "../app/events.ts";
import {
  type AnyFeedName,
  type ArchiveAudit,
  type AuditProgress,
  isSound,
  locateDamaged,
  type Problem,
  type ProblemKind,
  verifyArchive,
} from "../app/verify_archive.ts";
import { feedIn } from "../app/feed_folder.ts";
import { type BareFeedAudit, verifyFeed } from "../app/verify_feed.ts";
import { ProofError } from "../base/errors.ts";
import { count, printable } from "../base/format.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext, CommonOptions } from "./context.ts";
import { addDirOption, chosenFolder } from "./options.ts";

/** What is shown of an archive, or of a feed by itself. */
type Audit =
  & Pick<ArchiveAudit, "problems">
  & Partial<Pick<ArchiveAudit, "metadata" | "content" | "files" | "version">>
  & {
    readonly paths: { readonly dir: string; readonly layout?: ArchiveAudit["paths"]["layout"] };
    readonly feed?: BareFeedAudit["feed"];
  };

/** How many problems of one kind people are shown. */
const SHOWN = 5;

interface VerifyOptions extends CommonOptions {
  readonly dir?: string;
  readonly quick?: boolean;
}

export function addVerify({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "verify [dir]",
    summary: "check everything of an archive against the signed tree",
    examples: ["verify photos", "verify --quick --json"],
    about: [
      "Nothing is changed, and a writer is not in the way. The exit code is 5 if anything " +
      "is wrong: trove repair tells what can be done about it, and does it.",
    ],
  });
  addDirOption(command)
    .option("--quick", "look at lengths, roots and sizes, without reading all blocks")
    .action((dir: string | undefined, options: VerifyOptions) =>
      perform(options, (context) => verify(chosenFolder(dir, options), options, context))
    );
}

function verify(
  dir: string | undefined,
  { quick }: VerifyOptions,
  context: CommandContext,
): void {
  const { world, output } = context;
  const place = resolve(world.cwd(), dir ?? ".");
  const onProgress = showProgress(context);
  const bare = feedIn(place);
  const audit: Audit = bare !== undefined
    ? verifyFeed(bare, { quick, onProgress })
    : verifyArchive(locateDamaged(place), { world, quick, onProgress });
  const heard = output.json ? printRecords(audit, context) : printSummary(audit, context);
  if (heard) refuseDamaged(audit);
}

/** @throws {ProofError} If anything is wrong: with what to try. */
export function refuseDamaged(audit: Audit): void {
  if (isSound(audit)) return;
  const { paths, problems } = audit;
  const wrong = problems.filter(({ harmless }) => harmless !== true);
  const remedies = new Set(wrong.map(({ repair }) => repair));
  const hints: string[] = [];
  if (audit.feed !== undefined) {
    throw new ProofError(
      `Cannot vouch for "${paths.dir}": ${count(wrong.length, "problem")} found`,
      {
        hint: "fetch it into another folder: trove clone --feed",
      },
    );
  }
  if (remedies.has("local") || remedies.has("peer")) {
    hints.push(
      remedies.has("peer") ? "trove repair --peer HOST:PORT mends it" : "run trove repair",
    );
  }
  if (remedies.has("key")) hints.push("trove repair --key LINK puts the key back");
  if (remedies.has("share")) hints.push("trove share imports what was changed");
  if (remedies.has("none")) hints.push("tell the archive's owner");
  throw new ProofError(
    `Cannot vouch for "${paths.dir}": ${count(wrong.length, "problem")} found`,
    { hint: hints.join("; ") || undefined },
  );
}

/** Tell people now and then how far it has come. */
export function showProgress(
  { world: { clock }, output }: CommandContext,
): (progress: AuditProgress) => void {
  let toldAt = clock.monotonic();
  return ({ share, text }) => {
    if (clock.monotonic() - toldAt < PROGRESS_MS) return;
    toldAt = clock.monotonic();
    output.progress(share, text);
  };
}

/** Answers false when nobody reads any more. */
export function printRecords(audit: Audit, { output }: CommandContext): boolean {
  for (const problem of audit.problems) {
    if (!output.record("problem", problem)) return false;
  }
  for (const feed of ["metadata", "content", "feed"] as const) {
    const found = audit[feed];
    if (found === undefined) continue;
    const { counts, length } = found;
    const of = (kind: ProblemKind) =>
      audit.problems.filter((problem) => problem.kind === kind && problem.feed === feed);
    const record = {
      feed,
      length,
      blocks: counts.blocks,
      bad: [...numbersIn(found.badBlocks)],
      nodes: counts.nodes,
      badNodes: [...numbersIn(found.badNodes)],
      signatures: counts.signatures,
      badSignatures: [...numbersIn(found.badSignatures)],
      badBits: of("block-bit").length + of("node-bit").length,
    };
    if (!output.record("verify", record)) return false;
  }
  return true;
}

function* numbersIn(set: Iterable<{ start: number; end: number }>): Generator<number> {
  for (const { start, end } of set) for (let at = start; at < end; at++) yield at;
}

/** A line for each part, and below it the first few things that are wrong. */
export function printSummary(audit: Audit, { output }: CommandContext): boolean {
  const { problems, files } = audit;
  const rows: [name: string, what: string, about: readonly Problem[]][] = [];
  const feedRow = (feed: AnyFeedName) => {
    const found = audit[feed];
    if (found === undefined) return;
    const { blocks, nodes, signatures } = found.counts;
    const parts = [
      count(blocks, "block").padEnd(14),
      count(nodes, "tree node").padEnd(18),
      count(signatures, "signature"),
    ];
    rows.push([feed, parts.join(""), problems.filter((problem) => problem.feed === feed)]);
  };
  for (const feed of ["metadata", "content", "feed"] as const) feedRow(feed);
  const rest = problems.filter(({ feed }) => feed === undefined);
  if (files !== undefined && (audit.paths.layout === "dat" || rest.length > 0)) {
    rows.push(["files", `${count(files.length, "file")} of version ${audit.version}`, rest]);
  }
  for (const [name, what, about] of rows) {
    const wrong = about.filter(({ harmless }) => harmless !== true);
    const verdict = wrong.length === 0
      ? output.paint("green", "good")
      : output.paint("red", count(wrong.length, "problem"));
    if (!output.result(`${name.padEnd(9)} ${what.padEnd(44)} ${verdict}`)) return false;
    for (const line of linesOf(about)) {
      if (!output.result(`  ${line(output)}`)) return false;
    }
  }
  if (isSound(audit)) {
    output.say(output.paint("dim", "Everything that is here is as it was signed"));
  }
  return true;
}

type Line = (output: CommandContext["output"]) => string;

function linesOf(problems: readonly Problem[]): Line[] {
  const lines: Line[] = [];
  const kinds = new Map<string, Problem[]>();
  for (const problem of problems) {
    const key = `${problem.kind} ${problem.harmless ?? false}`;
    const same = kinds.get(key);
    if (same === undefined) kinds.set(key, [problem]);
    else same.push(problem);
  }
  for (const same of kinds.values()) {
    for (const { message, harmless } of same.slice(0, SHOWN)) {
      lines.push((output) =>
        `${harmless ? output.paint("dim", "note:") : output.paint("red", "wrong:")} ${
          printable(message)
        }`
      );
    }
    const more = same.length - SHOWN;
    if (more > 0) lines.push((output) => output.paint("dim", `... and ${more} more of this kind`));
  }
  return lines;
}
