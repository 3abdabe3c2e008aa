/** `trove status [dir]` */
import { readStatus } from "../app/archive_status.ts";
import { locateArchive } from "../app/locate.ts";
import { count, formatBytes } from "../base/format.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext, CommonOptions } from "./context.ts";

export function addStatus({ program, perform }: CommandLine): void {
  addCommand(program, {
    usage: "status [dir]",
    summary: "show what is here of an archive",
    examples: ["status photos --json"],
  }).action((dir: string | undefined, options: CommonOptions) =>
    perform(options, (context) => status(dir, context))
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
  const { link, version, files, bytes, writable, blocks, blocksTotal } = found;
  output.result(link);
  const listed = files === undefined || bytes === undefined
    ? "files    unknown: the metadata is not complete"
    : `files    ${count(files, "file")} (${formatBytes(bytes)})`;
  output.result(listed);
  output.result(`version  ${version}`);
  output.result(
    `blocks   ${blocks} of ${blocksTotal}${blocks === blocksTotal ? "" : " (incomplete)"}`,
  );
  output.result(`access   ${writable ? "yours: you can change it" : "read-only"}`);
}
