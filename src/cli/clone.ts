/** `trove clone <link> [dir]` */
import { resolve } from "node:path";
import { cloneArchive } from "../app/clone_archive.ts";
import { resolveLink } from "../app/resolve_link.ts";
import { stopSignals } from "../app/stop_signals.ts";
import { UsageError } from "../base/errors.ts";
import {
  addCommand,
  addDownloadOptions,
  addPeerOptions,
  type CommandLine,
} from "./command_line.ts";
import type { CommandContext, DownloadOptions } from "./context.ts";
import { downloadFrom } from "./download.ts";

export function addClone({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "clone <link> [dir]",
    summary: "fetch an archive into a folder",
    examples: [
      "clone dat://… photos --peer 192.0.2.7:3282",
      "clone dat://… photos --history --peer 192.0.2.7:3282",
      "clone dat://… photos --live --peer 192.0.2.7:3282   # follow every change",
    ],
  });
  addDownloadOptions(addPeerOptions(command, world, "give up, or stop following,"))
    .option("--live", "stay: follow every change, and serve what is here")
    .action((link: string, dir: string | undefined, options: DownloadOptions) =>
      perform(options, (context) => clone(link, dir, options, context))
    );
}

async function clone(
  text: string,
  dir: string | undefined,
  options: DownloadOptions,
  context: CommandContext,
): Promise<void> {
  const { world } = context;
  const link = resolveLink(text, world);
  if (link.version !== undefined) {
    throw new UsageError(`Cannot clone version ${link.version} alone`, {
      hint: "leave +VERSION out to get the newest one",
    });
  }
  const from = downloadFrom("clone", options, context);
  using stop = stopSignals(world);
  await cloneArchive({
    ...from,
    publicKey: link.key,
    dir: resolve(world.cwd(), dir ?? "."),
    history: options.history,
    signals: stop.signals,
  });
}
