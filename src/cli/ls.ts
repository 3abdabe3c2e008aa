/** `trove ls [path]` */
import { ArchiveView } from "../app/archive_view.ts";
import { type ListedFile, listFiles } from "../app/list_files.ts";
import { locate } from "../app/locate.ts";
import { openArchive } from "../app/open_archive.ts";
import { count, formatBytes, formatMode, formatTime, printable } from "../base/format.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext, CommonOptions } from "./context.ts";
import { addDirOption, addVersionOption } from "./options.ts";

interface LsOptions extends CommonOptions {
  readonly version?: number;
  readonly dir?: string;
  readonly recursive?: boolean;
}

export function addLs({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "ls [path]",
    summary: "list the files of a version",
    examples: ["ls photos", "ls -r --version 12"],
  });
  addVersionOption(addDirOption(command))
    .option("-r, --recursive", "everything below the path, not just what is in it")
    .action((path: string | undefined, options: LsOptions) =>
      perform(options, (context) => ls(path, options, context))
    );
}

function ls(text: string | undefined, options: LsOptions, { world, output }: CommandContext): void {
  const { paths, path } = locate(text ?? (options.dir === undefined ? "." : "/"), {
    world,
    dir: options.dir,
  });
  using archive = openArchive(paths.dir, { world, access: "read" });
  const view = new ArchiveView(archive, options.version);
  const base = path === "/" || view.folder(path) === undefined ? "/" : `${path}/`;
  let files = 0;
  let bytes = 0;
  for (const file of listFiles(view, path, { recursive: options.recursive === true })) {
    const heard = output.json
      ? output.record("ls", recordOf(file))
      : output.result(lineOf(file, file.path.slice(base.length), output));
    if (!heard) return;
    if (file.stat === undefined) continue;
    files++;
    bytes += file.stat.size;
  }
  output.say(output.paint("dim", `${count(files, "file")}, ${formatBytes(bytes)}`));
}

function recordOf({ path, stat, seq, folder }: ListedFile): object {
  const { size, mode, mtime, blocks, offset } = stat ?? {};
  return { path, size, mode, mtime, blocks, offset, version: seq, folder };
}

/** Mode, size, time and name, in columns. */
function lineOf(
  { stat, folder }: ListedFile,
  name: string,
  output: CommandContext["output"],
): string {
  const size = stat === undefined ? "-" : formatBytes(stat.size);
  const time = stat === undefined ? "-" : formatTime(stat.mtime);
  const shown = folder ? output.paint("cyan", `${printable(name)}/`) : printable(name);
  const mode = stat === undefined ? "d---------" : formatMode(stat.mode);
  return `${output.paint("dim", mode)}  ${size.padStart(7)}  ${time.padEnd(16)}  ${shown}`;
}
