/** `trove status [dir or link]` */
import { type ArchiveStatus, readStatus } from "../app/archive_status.ts";
import { locateArchive } from "../app/locate.ts";
import { describeSelection } from "../app/selection_files.ts";
import { count, formatBytes, printable } from "../base/format.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext } from "./context.ts";
import { addDirOption, chosenFolder } from "./options.ts";
import { addPlaceOptions, isAtPeers, LINK_HELP, openLink, type PlaceOptions } from "./places.ts";

interface StatusOptions extends PlaceOptions {
  readonly dir?: string;
}

export function addStatus({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "status [dirOrLink]",
    summary: "show what is here of an archive",
    examples: ["status photos --json", "status dat://…   # what its peers have"],
    about: [LINK_HELP],
  });
  addPlaceOptions(addDirOption(command), world)
    .action((dir: string | undefined, options: StatusOptions) =>
      perform(options, (context) => status(chosenFolder(dir, options), options, context))
    );
}

async function status(
  dir: string | undefined,
  options: StatusOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  if (dir !== undefined && isAtPeers(dir, world)) {
    await using place = await openLink(dir, options, context);
    const { dir: _none, history: _unknown, ...found } = await readStatus(place.folder, world);
    return show(found, output);
  }
  const { warning, ...found } = await readStatus(locateArchive(dir, world).dir, world);
  if (warning !== undefined) {
    output.emit({ event: "warning", code: "secret-key", message: warning });
  }
  show(found, output);
}

function show(found: Found, output: CommandContext["output"]): void {
  if (output.json) {
    output.record("status", found);
    return;
  }
  output.result(output.paint("bold", found.link));
  for (const [name, text] of rowsOf(found)) {
    output.result(`${output.paint("dim", name.padEnd(7))}  ${text}`);
  }
}

/** Of an archive at its peers some things mean nothing. */
type Found =
  & Omit<ArchiveStatus, "dir" | "history">
  & Partial<Pick<ArchiveStatus, "dir" | "history">>;

function rowsOf(found: Found): [string, string][] {
  const { files, bytes, blocks, blocksTotal, dir, version, writable, history } = found;
  const listed = files === undefined || bytes === undefined
    ? "unknown: the metadata is not complete"
    : `${count(files, "file")} (${formatBytes(bytes)})`;
  const rows: [string, string][] = [["files", listed]];
  if (found.selection !== undefined) {
    const left = `${count(found.unselected ?? 0, "file")} not selected`;
    rows.push(["only", printable(`${describeSelection(found.selection)} (${left})`)]);
  }
  rows.push(["version", String(version)]);
  // What is here of an archive that was read at its peers is about to go.
  if (dir !== undefined) {
    const lacking = blocks === blocksTotal ? "" : " (incomplete)";
    rows.push(["blocks", `${blocks} of ${blocksTotal}${lacking}`]);
  }
  rows.push(["access", writable ? "yours: you can change it" : "read-only"]);
  if (dir !== undefined) {
    rows.push(["keeps", history ? "every version" : "the newest files"]);
    rows.push(["folder", printable(dir)]);
  }
  return rows;
}
