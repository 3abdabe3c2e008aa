/** `trove status [dir]` */
import { type ArchiveStatus, readStatus } from "../app/archive_status.ts";
import { locateArchive } from "../app/locate.ts";
import { describeSelection } from "../app/selection_note.ts";
import { count, formatBytes, printable } from "../base/format.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext, CommonOptions } from "./context.ts";
import { addDirOption, chosenFolder } from "./options.ts";

interface StatusOptions extends CommonOptions {
  readonly dir?: string;
}

export function addStatus({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "status [dir]",
    summary: "show what is here of an archive",
    examples: ["status photos --json"],
  });
  addDirOption(command).action((dir: string | undefined, options: StatusOptions) =>
    perform(options, (context) => status(chosenFolder(dir, options), context))
  );
}

function status(dir: string | undefined, context: CommandContext): void {
  const { world, output } = context;
  const { warning, ...found } = readStatus(locateArchive(dir, world).dir, world);
  if (warning !== undefined) {
    output.emit({ event: "warning", code: "secret-key", message: warning });
  }
  if (output.json) {
    output.record("status", found);
    return;
  }
  output.result(output.paint("bold", found.link));
  for (const [name, text] of rowsOf(found)) {
    output.result(`${output.paint("dim", name.padEnd(7))}  ${text}`);
  }
}

function rowsOf(found: ArchiveStatus): [string, string][] {
  const { files, bytes, blocks, blocksTotal, dir, version, writable, history } = found;
  const listed = files === undefined || bytes === undefined
    ? "unknown: the metadata is not complete"
    : `${count(files, "file")} (${formatBytes(bytes)})`;
  const rows: [string, string][] = [["files", listed]];
  if (found.selection !== undefined) {
    const left = `${count(found.unselected ?? 0, "file")} not selected`;
    rows.push(["only", printable(`${describeSelection(found.selection)} (${left})`)]);
  }
  const lacking = blocks === blocksTotal ? "" : " (incomplete)";
  return [
    ...rows,
    ["version", String(version)],
    ["blocks", `${blocks} of ${blocksTotal}${lacking}`],
    ["access", writable ? "yours: you can change it" : "read-only"],
    ["keeps", history ? "every version" : "the newest files"],
    ["folder", printable(dir)],
  ];
}
