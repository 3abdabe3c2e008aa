/** `trove convert [dir]` */
import { Option } from "commander";
import { checkConvertible, convertToHistory } from "../app/convert_archive.ts";
import { convertToLatest, planLatest } from "../app/convert_to_latest.ts";
import { locateArchive } from "../app/locate.ts";
import { type Archive, openArchive } from "../app/open_archive.ts";
import { abortOnStop } from "../app/stop_signals.ts";
import { UsageError } from "../base/errors.ts";
import { count, formatBytes, printable } from "../base/format.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext, CommonOptions } from "./context.ts";
import { addDirOption, chosenFolder } from "./options.ts";

type Mode = "history" | "latest";

interface ConvertOptions extends CommonOptions {
  readonly to?: Mode;
  readonly dir?: string;
  readonly overwrite?: boolean;
  readonly partial?: boolean;
  readonly dryRun?: boolean;
}

/** Work that takes less is over before anybody reads how far it is. */
const QUIET_MS = 500;

export function addConvert({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "convert [dir]",
    summary: "keep every version's bytes, or the newest one's only",
    examples: ["convert photos --to history", "convert photos --to latest --dry-run"],
    about: [
      "latest   the files are the content; the bytes of older versions are given " +
      "up\nhistory  .dat/content.data keeps every version's bytes besides the files",
    ],
  });
  addDirOption(command)
    .addOption(new Option("--to <mode>", "what to keep").choices(["history", "latest"]))
    .option("--overwrite", "to latest: replace files that were changed here")
    .option("--partial", "to history: go on without bytes that are not here any more")
    .option("-n, --dry-run", "show what would be done, and do nothing")
    .action((dir: string | undefined, options: ConvertOptions) =>
      perform(options, (context) => convert(dir, options, context))
    );
}

/** What is told at the end. */
interface Converted {
  readonly changed: boolean;
  /** There is nothing to do. */
  readonly already?: boolean;
  /** Blocks and bytes that were copied; files for latest mode. */
  readonly blocks?: number;
  readonly files?: number;
  readonly bytes?: number;
  /** Blocks, and their bytes, that are not here any more. */
  readonly givenBlocks?: number;
  readonly givenBytes?: number;
}

async function convert(
  dir: string | undefined,
  options: ConvertOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  const { to, dryRun = false } = options;
  if (to === undefined) {
    throw new UsageError("Cannot tell what to convert to", {
      hint: "say --to history or --to latest; see trove convert --help",
    });
  }
  const { dir: folder } = locateArchive(chosenFolder(dir, options), world);
  using stop = abortOnStop(world, "Stopped before the archive was converted");
  using archive = openArchive(folder, { world, access: dryRun ? "read" : "write" });
  checkConvertible(archive);
  const { version } = archive;
  const isThere = archive.keepsHistory === (to === "history");
  const run = { ...options, signal: stop.signal };
  const done = isThere
    ? { changed: false, already: true }
    : to === "history"
    ? await toHistory(archive, run, context)
    : await toLatest(archive, run, context);
  if (output.json) output.record("convert", { dir: folder, to, version, dryRun, ...done });
  else output.say(told(done, to, { dryRun, folder }));
}

interface Run extends ConvertOptions {
  readonly signal: AbortSignal;
}

async function toHistory(
  archive: Archive,
  { signal, partial, dryRun }: Run,
  context: CommandContext,
): Promise<Converted> {
  const { content } = archive;
  const blocks = content?.countHeld(0, content.length) ?? 0;
  if (dryRun) return { changed: false, blocks };
  const onBytes = progressOf(content?.byteLength ?? 0, "copied", context);
  const kept = await convertToHistory(archive, { signal, partial, onBytes });
  return { changed: true, blocks: kept.blocks, bytes: kept.bytes, givenBlocks: kept.lost };
}

async function toLatest(
  archive: Archive,
  { signal, overwrite, dryRun }: Run,
  context: CommandContext,
): Promise<Converted> {
  const { output } = context;
  const emit = output.emit.bind(output);
  // At most: older versions are not read.
  const onBytes = progressOf(archive.content?.byteLength ?? 0, "checked", context);
  const plan = await planLatest(archive, { emit, signal, overwrite, onBytes });
  const { files, bytes, given, givenBytes } = plan;
  const givenBlocks = given.reduce((sum, { start, end }) => sum + end - start, 0);
  const done = { files: files.length, bytes, givenBlocks, givenBytes };
  if (dryRun) return { changed: false, ...done };
  await convertToLatest(archive, plan, {
    ...{ emit, signal },
    onBytes: progressOf(bytes, "written", context),
  });
  return { changed: true, ...done };
}

function progressOf(
  total: number,
  what: string,
  { world, output }: CommandContext,
): (bytes: number) => void {
  const begun = world.clock.monotonic();
  let done = 0;
  return (bytes) => {
    done += bytes;
    if (world.clock.monotonic() - begun < QUIET_MS) return;
    const share = total === 0 ? 1 : Math.min(1, done / total);
    output.progress(share, `${formatBytes(done)} ${what}`);
  };
}

function told(
  { already, blocks = 0, files = 0, bytes = 0, givenBlocks = 0, givenBytes = 0 }: Converted,
  to: Mode,
  { dryRun, folder }: { dryRun: boolean; folder: string },
): string {
  const shown = printable(folder);
  if (already) {
    return to === "history"
      ? `Nothing to do: ${shown} keeps every version already`
      : `Nothing to do: ${shown} keeps the newest version only already`;
  }
  const verb = dryRun ? "Would convert" : "Converted";
  if (to === "history") {
    const size = dryRun ? "" : ` (${formatBytes(bytes)})`;
    const lost = givenBlocks === 0 ? "" : `, ${givenBlocks} not here any more`;
    return `${verb}: ${shown} keeps every version from now on; ` +
      `${count(blocks, "block")}${size} copied${lost}`;
  }
  const wrote = files === 0 ? "" : `; ${count(files, "file")} (${formatBytes(bytes)}) written`;
  const given = givenBlocks === 0
    ? "; no older version was kept"
    : `; ${count(givenBlocks, "block")} (${formatBytes(givenBytes)}) of older versions given up`;
  return `${verb}: ${shown} keeps the newest version only from now on${wrote}${given}`;
}
