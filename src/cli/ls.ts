/** `trove ls [path or link]` */
import { ArchiveView } from "../app/archive_view.ts";
import { type ListedFile, listFiles } from "../app/list_files.ts";
import { locate } from "../app/locate.ts";
import { openArchive } from "../app/open_archive.ts";
import { count, formatBytes, formatMode, formatTime, printable } from "../base/format.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext } from "./context.ts";
import { addDirOption, addVersionOption } from "./options.ts";
import { addPlaceOptions, isAtPeers, LINK_HELP, openLink, type PlaceOptions } from "./places.ts";

interface LsOptions extends PlaceOptions {
  readonly version?: number;
  readonly dir?: string;
  readonly recursive?: boolean;
}

export function addLs({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "ls [pathOrLink]",
    summary: "list the files of a version",
    examples: [
      "ls photos",
      "ls -r --version 12   # everything in version 12",
      "ls dat://…/2024      # at its peers",
    ],
  });
  command.addHelpText("after", `\nShown are mode, size, time in UTC, and name.\n${LINK_HELP}`);
  addPlaceOptions(addVersionOption(addDirOption(command)), world)
    .option("-r, --recursive", "everything below the path, not just what is in it")
    .action((path: string | undefined, options: LsOptions) =>
      perform(options, (context) => ls(path, options, context))
    );
}

async function ls(
  text: string | undefined,
  options: LsOptions,
  context: CommandContext,
): Promise<void> {
  const { world } = context;
  if (text !== undefined && isAtPeers(text, world)) {
    await using place = await openLink(text, options, context);
    using held = place.source.hold();
    const version = options.version ?? place.version ?? held.version;
    const view = new ArchiveView(held.archive, version);
    return print(view, place.path, { ...options, isLinked: true }, context);
  }
  const { paths, path } = locate(text ?? (options.dir === undefined ? "." : "/"), {
    world,
    dir: options.dir,
  });
  using archive = openArchive(paths.dir, { world, access: "read" });
  print(new ArchiveView(archive, options.version), path, options, context);
}

function print(
  view: ArchiveView,
  path: string,
  { recursive = false, isLinked }: LsOptions & { readonly isLinked?: boolean },
  { output }: CommandContext,
): void {
  const total = { files: 0, folders: 0, bytes: 0, missing: 0, unselected: 0 };
  for (const file of listFiles(view, path, { recursive })) {
    const heard = output.json
      ? output.record("ls", recordOf(file))
      : output.result(lineOf(file, nameBelow(path, file.path), { output, isLinked }));
    if (!heard) return;
    if (file.folder) total.folders++;
    else total.files++;
    if (!isHere(file)) file.selected ? total.missing++ : total.unselected++;
    total.bytes += file.stat?.size ?? 0;
  }
  const parts = [`${count(total.files, "file")} (${formatBytes(total.bytes)})`];
  if (total.folders > 0) parts.push(count(total.folders, "folder"));
  if (total.missing > 0 && !isLinked) parts.push(`the bytes of ${total.missing} are not here`);
  if (total.unselected > 0) parts.push(`${total.unselected} not selected`);
  output.say(output.paint("dim", parts.join(", ")));
}

function recordOf({ path, stat, seq, folder, held, selected }: ListedFile): object {
  const { size, mode, mtime, blocks, offset } = stat ?? {};
  const left = stat === undefined || selected ? {} : { selected };
  const here = stat === undefined ? undefined : held;
  return { path, size, mode, mtime, blocks, offset, version: seq, folder, held: here, ...left };
}

/** As seen from the folder that is listed; the one file that was asked for, by its whole path. */
function nameBelow(folder: string, path: string): string {
  const base = folder === "/" ? "/" : `${folder}/`;
  return path.startsWith(base) ? path.slice(base.length) : path.slice(1);
}

/** Mode, size, time and name, in columns; faint if its bytes are not here and might be. */
function lineOf(
  file: ListedFile,
  name: string,
  { output, isLinked }: Pick<CommandContext, "output"> & { readonly isLinked?: boolean },
): string {
  const { stat, folder } = file;
  const shown = folder ? output.paint("cyan", `${printable(name)}/`) : printable(name);
  const faint = isLinked || isHere(file) ? shown : output.paint("dim", shown);
  if (stat === undefined) return `d---------  ${"-".padStart(7)}  ${"-".padEnd(16)}  ${faint}`;
  const columns = [
    output.paint("dim", formatMode(stat.mode)),
    (folder && stat.size === 0 ? "-" : formatBytes(stat.size)).padStart(7),
    formatTime(stat.mtime).padEnd(16),
    faint,
  ];
  return columns.join("  ");
}

function isHere({ stat, held }: ListedFile): boolean {
  return stat === undefined || held === stat.blocks;
}
