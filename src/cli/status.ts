/** `trove status [dir]` */
import { resolve } from "node:path";
import { readStatus } from "../app/archive_status.ts";
import { count, formatBytes } from "../base/format.ts";
import type { CommandContext } from "./context.ts";

export function status(dir: string | undefined, context: CommandContext): void {
  const { world, output } = context;
  const { warning, ...found } = readStatus(resolve(world.cwd(), dir ?? "."), world);
  if (warning !== undefined) {
    output.emit({ event: "warning", code: "secret-key", message: warning });
  }
  if (output.json) return output.record("status", found);
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
