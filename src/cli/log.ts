/** `trove log [dir or link]` */
import { Option } from "commander";
import { delay, FolderSource } from "../app/archive_source.ts";
import { locateArchive } from "../app/locate.ts";
import { type Archive, openArchive } from "../app/open_archive.ts";
import { type LoggedChange, type LogRange, logRange, logTotals, readLog } from "../app/read_log.ts";
import { abortOnStop } from "../app/stop_signals.ts";
import { InterruptedError } from "../base/errors.ts";
import { count, formatBytes, formatTime, printable } from "../base/format.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext } from "./context.ts";
import { addDirOption, chosenFolder, parseVersion } from "./options.ts";
import { addPlaceOptions, isAtPeers, LINK_HELP, openLink, type PlaceOptions } from "./places.ts";

interface LogOptions extends PlaceOptions {
  readonly dir?: string;
  readonly since?: number;
  readonly version?: number;
  readonly live?: boolean;
}

/** How often a folder is looked at whose archive somebody else changes. */
const LOOK_MS = 500;

export function addLog({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "log [dirOrLink]",
    summary: "list the changes that made an archive",
    examples: [
      "log photos",
      "log --since 12 --json   # what came after version 12",
      "log dat://… --live      # and what comes from now on",
    ],
  });
  command.addHelpText(
    "after",
    "\nShown are version, time in UTC, what was done, size, blocks and name.\n" + LINK_HELP,
  );
  addPlaceOptions(addDirOption(command), world)
    .addOption(new Option("--since <n>", "only changes after this version").argParser(parseVersion))
    .addOption(
      new Option("--version <n>", "only changes up to this version").argParser(parseVersion),
    )
    .addOption(new Option("-l, --live", "go on with every change that comes").conflicts("version"))
    .action((dir: string | undefined, options: LogOptions) =>
      perform(options, (context) => log(chosenFolder(dir, options), options, context))
    );
}

async function log(
  dir: string | undefined,
  options: LogOptions,
  context: CommandContext,
): Promise<void> {
  const { world } = context;
  if (dir !== undefined && isAtPeers(dir, world)) return await logLink(dir, options, context);
  const paths = locateArchive(dir, world);
  if (options.live) return await followFolder(paths.dir, options, context);
  using archive = openArchive(paths.dir, { world, access: "read" });
  printLog(archive, options, context);
}

async function logLink(link: string, options: LogOptions, context: CommandContext): Promise<void> {
  let since = options.since ?? 0;
  let isReady = false;
  const closed = Promise.withResolvers<void>();
  const print = (version: number) => {
    if (!isReady || version <= since) return;
    using held = place.source.hold();
    if (!printChanges(held.archive, { since, version }, context)) closed.resolve();
    since = version;
  };
  const following = { live: options.live, onVersion: print };
  await using place = await openLink(link, options, context, following);
  using held = place.source.hold();
  const version = options.version ?? place.version ?? held.version;
  const { archive } = held;
  if (!printLog(archive, { ...options, version }, context) || !options.live) return;
  [since, isReady] = [version, true];
  print(held.version);
  await untilAsked(Promise.race([place.source.run(), closed.promise]));
}

/** Look at a folder again and again, until it is enough. */
async function followFolder(
  dir: string,
  options: LogOptions,
  context: CommandContext,
): Promise<void> {
  const { world } = context;
  using stop = abortOnStop(world, "Stopped");
  await using source = new FolderSource(dir, world);
  let since: number | undefined;
  while (!stop.signal.aborted) {
    using held = source.hold();
    const { archive, version } = held;
    const heard = since === undefined
      ? printLog(archive, { since: options.since, version }, context)
      : version <= since || printChanges(archive, { since, version }, context);
    if (!heard) return;
    since = version;
    await delay(LOOK_MS, stop.signal);
  }
}

/** To be asked to stop is how it ends well. */
async function untilAsked(running: Promise<void>): Promise<void> {
  try {
    await running;
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
  }
}

/** Print changes and what they come to. Answers false when nobody reads any more. */
function printLog(
  archive: Archive,
  options: Pick<LogOptions, "since" | "version">,
  context: CommandContext,
): boolean {
  const { output } = context;
  const range = logRange(archive, options);
  const counts = printChanges(archive, range, context);
  if (counts === undefined) return false;
  const { live, metadata, content } = logTotals(archive, range);
  const puts = `${count(counts.put, "put")}, ${count(counts.del, "delete")}`;
  const size = live === undefined
    ? "unknown, as the metadata is not complete"
    : `${count(live.files, "file")}, ${formatBytes(live.bytes)}`;
  const lines = [
    `${count(counts.put + counts.del, "change")}: ${puts}`,
    `Version ${range.version}: ${size}`,
    `Metadata: ${formatBytes(metadata.bytes)} in ${count(metadata.blocks, "block")}`,
  ];
  // Of an archive that is read at its peers it takes a block of the content to know.
  if (content.blocks > 0 || live?.bytes === 0) {
    lines.push(`Content: ${formatBytes(content.bytes)} in ${count(content.blocks, "block")}`);
  }
  output.say(output.paint("dim", lines.join("\n")));
  return true;
}

/** How many there were of each; undefined when nobody reads any more. */
function printChanges(
  archive: Archive,
  range: LogRange,
  { output }: CommandContext,
): { put: number; del: number } | undefined {
  const width = String(range.version).length;
  const counts = { put: 0, del: 0 };
  for (const change of readLog(archive, range)) {
    counts[change.type]++;
    const heard = output.json
      ? output.record("log", recordOf(change))
      : output.result(lineOf(change, width, output));
    if (!heard) return undefined;
  }
  return counts;
}

function recordOf({ type, path, seq, stat, held }: LoggedChange): object {
  if (stat === undefined) return { version: seq, type, path };
  const { size, blocks, mode, mtime, offset } = stat;
  return { version: seq, type, path, size, blocks, mode, mtime, offset, held };
}

function lineOf(
  { type, path, seq, stat }: LoggedChange,
  width: number,
  output: CommandContext["output"],
): string {
  const columns = [
    String(seq).padStart(width),
    output.paint("dim", (stat === undefined ? "-" : formatTime(stat.mtime)).padEnd(16)),
    output.paint(type === "put" ? "green" : "red", type),
    (stat === undefined ? "-" : formatBytes(stat.size)).padStart(7),
    (stat === undefined ? "-" : count(stat.blocks, "block")).padStart(10),
    printable(path.slice(1)),
  ];
  return columns.join("  ");
}
