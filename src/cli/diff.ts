/** `trove diff [a] [b] [dir]` */
import { resolve } from "node:path";
import { inspectFolder } from "../app/archive_folder.ts";
import {
  type ChangeKind,
  compareVersions,
  type Difference,
  reportedChanges,
  type Side,
} from "../app/difference.ts";
import { ArchiveView } from "../app/archive_view.ts";
import { diffFolder } from "../app/diff_folder_version.ts";
import { PROGRESS_MS } from "../app/events.ts";
import { locateArchive } from "../app/locate.ts";
import { type Archive, openArchive } from "../app/open_archive.ts";
import { TroveError, UsageError } from "../base/errors.ts";
import { count, formatBytes, formatMode, printable } from "../base/format.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext } from "./context.ts";
import { addDirOption, chosenFolder, parseVersion } from "./options.ts";
import type { Style } from "./output.ts";
import { addPlaceOptions, isAtPeers, LINK_HELP, openLink, type PlaceOptions } from "./places.ts";

interface DiffOptions extends PlaceOptions {
  readonly dir?: string;
  readonly asDat?: boolean;
  readonly exitCode?: boolean;
}

export function addDiff({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "diff [a] [b] [dir]",
    summary: "compare two versions, or a version and the folder",
    examples: [
      "diff                     # since the newest version, in the folder",
      "diff 12 --dir photos     # since version 12, in the folder",
      "diff 12 15 --json        # from version 12 to version 15",
      "diff 12 15 dat://…       # at its peers",
    ],
  });
  command.addHelpText("after", `\n${LINK_HELP}`);
  addPlaceOptions(addDirOption(command), world)
    .option("--exit-code", "exit with 1 if anything differs")
    .option("--as-dat", "list the changes of two versions as dat's own programs report them")
    .action((a: string | undefined, b: string | undefined, c: string | undefined, options) =>
      perform(options, (context) => diff([a, b, c], options, context))
    );
}

async function diff(
  operands: readonly (string | undefined)[],
  options: DiffOptions,
  context: CommandContext,
): Promise<void> {
  const { world } = context;
  const { versions: [a, b], folder } = readOperands(operands);
  if (folder !== undefined && isAtPeers(folder, world)) {
    if (b === undefined) {
      throw new UsageError("Cannot compare a link with a folder", {
        hint: "give two of the numbers that trove log shows, or the folder instead of the link",
      });
    }
    await using place = await openLink(folder, options, context);
    using held = place.source.hold();
    return await compare(held.archive, [a, b], options, context);
  }
  if (folder !== undefined && inspectFolder(resolve(world.cwd(), folder)) === "missing") {
    throw new UsageError(`Cannot use "${folder}" as a version, nor as a folder: there is none`, {
      hint: "give one or two of the numbers that trove log shows",
    });
  }
  const dir = chosenFolder(folder, options);
  using archive = openArchive(locateArchive(dir, world).dir, { world, access: "read" });
  await compare(archive, [a, b], options, context);
}

async function compare(
  archive: Archive,
  [a, b]: readonly (number | undefined)[],
  options: DiffOptions,
  { world, output }: CommandContext,
): Promise<void> {
  const from = a ?? archive.version;
  const sum = options.asDat
    ? showReported(archive, { from, to: b }, output)
    : await showDifferences(archive, { from, to: b }, { world, output });
  if (sum === undefined) return; // nobody reads any more
  const between = `Version ${from} and ${b === undefined ? "the folder" : `version ${b}`}`;
  output.say(output.paint("dim", sum.total === 0 ? `${between} are the same` : sum.text));
  if (options.exitCode === true && sum.total > 0) {
    throw new TroveError(`${between} differ in ${count(sum.total, "path")}`);
  }
}

interface Versions {
  readonly from: number;
  /** The folder if left out. */
  readonly to?: number;
}

interface Sum {
  readonly total: number;
  readonly text: string;
}

/** What are numbers are versions; a folder that is called like one is meant by `./12` or --dir. */
function readOperands(operands: readonly (string | undefined)[]) {
  const given = operands.filter((text) => text !== undefined);
  const versions = given.filter((text) => /^\d+$/.test(text)).map(parseVersion);
  const folders = given.filter((text) => !/^\d+$/.test(text));
  if (versions.length > 2) throw new UsageError("Cannot compare more than two versions");
  if (folders.length > 1) {
    throw new UsageError(`Cannot use "${folders[1]}" as a version`, {
      hint: "give one or two of the numbers that trove log shows, and at most one folder",
    });
  }
  return { versions, folder: folders[0] };
}

/** Print what differs. Undefined when nobody reads any more. */
async function showDifferences(
  archive: Archive,
  { from, to }: Versions,
  { world: { clock }, output }: CommandContext,
): Promise<Sum | undefined> {
  const counts: Record<ChangeKind, number> = {
    ...{ added: 0, removed: 0, changed: 0, mode: 0, touched: 0 },
  };
  let bytes = 0;
  let toldAt = clock.monotonic();
  const found = to === undefined
    ? diffFolder(new ArchiveView(archive, from), {
      onSkip: (path, reason) =>
        output.emit({ event: "warning", code: "skipped", message: `Skipped "${path}": ${reason}` }),
      onProgress: (done, total, path) => {
        if (clock.monotonic() - toldAt < PROGRESS_MS) return;
        toldAt = clock.monotonic();
        output.progress(done / total, `${formatBytes(done)} of ${formatBytes(total)}`, path);
      },
    })
    : compareVersions(archive, from, to);
  for await (const difference of found) {
    counts[difference.change]++;
    bytes += (difference.after?.size ?? 0) - (difference.before?.size ?? 0);
    const heard = output.json
      ? recordsOf(difference).every((record) => output.record("diff", record))
      : output.result(lineOf(difference, output));
    if (!heard) return undefined;
  }
  const parts = (Object.keys(counts) as ChangeKind[]).filter((kind) => counts[kind] > 0)
    .map((kind) => `${counts[kind]} ${WORDS[kind]}`);
  const grown = bytes === 0
    ? ""
    : `; ${formatBytes(Math.abs(bytes))} ${bytes > 0 ? "more" : "less"}`;
  return {
    total: Object.values(counts).reduce((sum, count) => sum + count, 0),
    text: parts.join(", ") + grown,
  };
}

const WORDS: Readonly<Record<ChangeKind, string>> = {
  added: "added",
  removed: "removed",
  changed: "changed",
  mode: "with another mode",
  touched: "put again with the same bytes",
};

/** A path that is on both sides has a `del` and a `put`, as every program of this kind tells it. */
function recordsOf({ path, change, before, after }: Difference): object[] {
  const records: object[] = [];
  const side = ({ size, mode, seq }: Side) => ({ size, mode, version: seq });
  if (before !== undefined) records.push({ type: "del", path, change, ...side(before) });
  if (after !== undefined) {
    const old = { oldSize: before?.size, oldMode: before?.mode };
    records.push({ type: "put", path, change, ...side(after), ...old });
  }
  return records;
}

const MARKS: Readonly<Record<ChangeKind, readonly [string, Style]>> = {
  added: ["+", "green"],
  removed: ["-", "red"],
  changed: ["~", "yellow"],
  mode: ["~", "yellow"],
  touched: ["~", "yellow"],
};

/** Mark, size and name in columns, and behind the name what there was before. */
function lineOf(difference: Difference, output: CommandContext["output"]): string {
  const { path, change, before, after } = difference;
  const [mark, style] = MARKS[change];
  const size = formatBytes((after ?? before)!.size).padStart(7);
  const note = noteOf(difference);
  const name = output.paint(style, printable(path.slice(1)));
  return `${output.paint(style, mark)}  ${size}  ${name}${
    note && output.paint("dim", `  (${note})`)
  }`;
}

function noteOf({ change, before, after }: Difference): string {
  if (change === "changed") {
    const [was, is] = [before!.mode, after!.mode].map((mode) => formatMode(mode));
    return was[0] === is[0] ? `was ${formatBytes(before!.size)}` : `was ${was}, is ${is}`;
  }
  if (change === "mode") {
    return `same bytes; was ${formatMode(before!.mode)}, is ${formatMode(after!.mode)}`;
  }
  return change === "touched" ? "same bytes" : "";
}

function showReported(
  archive: Archive,
  { from, to }: Versions,
  output: CommandContext["output"],
): Sum | undefined {
  if (to === undefined) {
    throw new UsageError("Cannot list the changes of the folder as dat does", {
      hint: "name two versions, or leave out --as-dat",
    });
  }
  let total = 0;
  for (const { type, path, seq, stat } of reportedChanges(archive, from, to)) {
    total++;
    const { size, mode } = stat ?? {};
    const shown = size === undefined ? "-" : formatBytes(size);
    const painted = output.paint(type === "put" ? "green" : "red", type);
    const heard = output.json
      ? output.record("diff", { type, path, size, mode, version: seq })
      : output.result(`${painted}  ${shown.padStart(7)}  ${printable(path.slice(1))}`);
    if (!heard) return undefined;
  }
  return { total, text: count(total, "change") };
}
