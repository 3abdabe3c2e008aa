/** `trove log [dir]` */
import { Option } from "commander";
import { locateArchive } from "../app/locate.ts";
import { openArchive } from "../app/open_archive.ts";
import { type LoggedChange, logRange, logTotals, readLog } from "../app/read_log.ts";
import { count, formatBytes, formatTime, printable } from "../base/format.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext, CommonOptions } from "./context.ts";
import { addDirOption, chosenFolder, parseVersion } from "./options.ts";

interface LogOptions extends CommonOptions {
  readonly dir?: string;
  readonly since?: number;
  readonly version?: number;
}

export function addLog({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "log [dir]",
    summary: "list the changes that made an archive",
    examples: ["log photos", "log --since 12 --json   # what came after version 12"],
    about: [
      "Shown are version, time in UTC, what was done, size, blocks and name.",
    ],
  });
  addDirOption(command)
    .addOption(new Option("--since <n>", "only changes after this version").argParser(parseVersion))
    .addOption(
      new Option("--version <n>", "only changes up to this version").argParser(parseVersion),
    )
    .action((dir: string | undefined, options: LogOptions) =>
      perform(options, (context) => log(chosenFolder(dir, options), options, context))
    );
}

function log(
  dir: string | undefined,
  options: LogOptions,
  { world, output }: CommandContext,
): void {
  using archive = openArchive(locateArchive(dir, world).dir, { world, access: "read" });
  const range = logRange(archive, options);
  const width = String(range.version).length;
  const counts = { put: 0, del: 0 };
  for (const change of readLog(archive, range)) {
    counts[change.type]++;
    const heard = output.json
      ? output.record("log", recordOf(change))
      : output.result(lineOf(change, width, output));
    if (!heard) return;
  }
  const { live, metadata, content } = logTotals(archive, range);
  const puts = `${count(counts.put, "put")}, ${count(counts.del, "delete")}`;
  const size = live === undefined
    ? "unknown, as the metadata is not complete"
    : `${count(live.files, "file")}, ${formatBytes(live.bytes)}`;
  const lines = [
    `${count(counts.put + counts.del, "change")}: ${puts}`,
    `Version ${range.version}: ${size}`,
    `Metadata: ${formatBytes(metadata.bytes)} in ${count(metadata.blocks, "block")}`,
    `Content: ${formatBytes(content.bytes)} in ${count(content.blocks, "block")}`,
  ];
  output.say(output.paint("dim", lines.join("\n")));
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
