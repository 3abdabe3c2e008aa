/** `trove sync [dir]` */
import { UsageError } from "../base/errors.ts";
import { open, sync as syncFolder } from "../mod.ts";
import {
  addCommand,
  addDownloadOptions,
  addPeerOptions,
  addStdioOption,
  type CommandLine,
} from "./command_line.ts";
import type { CommandContext, DownloadOptions } from "./context.ts";
import { downloadFrom } from "./download.ts";

export function addSync({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "sync [dir]",
    summary: "serve a folder, and follow its origin if it is a clone",
    examples: [
      "sync photos",
      "sync photos --max-delete 100 --timeout 8h",
    ],
  });
  addDownloadOptions(addStdioOption(addPeerOptions(command, world, "stop")))
    .action((dir: string | undefined, options: DownloadOptions) =>
      perform(options, (context) => sync(dir, options, context))
    );
}

async function sync(
  dir = ".",
  options: DownloadOptions,
  context: CommandContext,
): Promise<void> {
  {
    using archive = open(dir, context);
    if (archive.writable) refuseDownloadOptions(archive.dir, options);
  }
  await syncFolder(dir, downloadFrom("sync", { ...options, live: true }, context));
}

/** @throws {UsageError} If an option is about files that are fetched. */
function refuseDownloadOptions(dir: string, options: DownloadOptions): void {
  const { select, exclude, overwrite, keepLocal, keepDeleted, maxDelete, dryRun } = options;
  const given = Object.entries({
    "--select": select,
    "--exclude": exclude,
    "--overwrite": overwrite,
    "--keep-local": keepLocal,
    "--keep-deleted": keepDeleted,
    "--max-delete": maxDelete,
    "--dry-run": dryRun,
  }).find(([, value]) => value !== undefined);
  if (given === undefined) return;
  throw new UsageError(`Cannot use ${given[0]} in "${dir}": the archive is your own`, {
    hint: "it is for clones; trove pull fetches what was signed elsewhere",
  });
}
