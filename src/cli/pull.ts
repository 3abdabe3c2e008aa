/** `trove pull [dir]` */
import { locateArchive } from "../app/locate.ts";
import { pull as pullArchive } from "../mod.ts";
import {
  addCommand,
  addDownloadOptions,
  addPeerOptions,
  addStdioOption,
  type CommandLine,
} from "./command_line.ts";
import type { CommandContext, DownloadOptions } from "./context.ts";
import { downloadFrom } from "./download.ts";

export function addPull({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "pull [dir]",
    summary: "bring a folder that was cloned up to date",
    examples: [
      "pull photos",
      "pull --dry-run   # what would change?",
    ],
  });
  addDownloadOptions(addStdioOption(addPeerOptions(command, world, "give up")))
    .action((dir: string | undefined, options: DownloadOptions) =>
      perform(options, (context) => pull(dir, options, context))
    );
}

async function pull(
  dir: string | undefined,
  options: DownloadOptions,
  context: CommandContext,
): Promise<void> {
  const { world } = context;
  const { dir: found } = locateArchive(dir, world);
  await pullArchive(found, downloadFrom("pull", options, context));
}
