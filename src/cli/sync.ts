/** `trove sync [dir]` */
import { DEFAULT_PORT } from "../app/addresses.ts";
import { pullArchive } from "../app/clone_archive.ts";
import { locateArchive } from "../app/locate.ts";
import { openArchive } from "../app/open_archive.ts";
import { shareFolder } from "../app/share_folder.ts";
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

const ANY_HOST = "0.0.0.0";

export function addSync({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "sync [dir]",
    summary: "keep a folder up to date and serve it: a clone follows, an owner's folder is shared",
    examples: [
      "sync photos --peer 192.0.2.7:3282",
      "sync photos --peer 192.0.2.7:3282 --max-delete 100 --timeout 8h",
    ],
  });
  addDownloadOptions(addPeerOptions(command, world, "stop"))
    .action((dir: string | undefined, options: DownloadOptions) =>
      perform(options, (context) => sync(dir, options, context))
    );
}

async function sync(
  dir: string | undefined,
  options: DownloadOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  const { dir: found } = locateArchive(dir, world);
  using stop = stopSignals(world);
  const { signals } = stop;
  if (!isOwned(found, context)) {
    const from = downloadFrom("sync", { ...options, live: true }, context);
    await pullArchive({ ...from, dir: found, history: options.history, signals });
    return;
  }
  refuseDownloadOptions(found, options);
  await shareFolder({
    world,
    dir: found,
    peers: options.peer ?? [],
    listen: {
      host: options.host ?? ANY_HOST,
      port: options.port ?? DEFAULT_PORT,
      exact: options.port !== undefined && options.port !== 0,
    },
    timeoutMs: options.timeout,
    history: options.history,
    signals,
    emit: (event) => {
      output.emit(event);
      if (event.event === "listening") output.say("Press Ctrl-C to stop");
    },
  });
}

function isOwned(dir: string, { world }: CommandContext): boolean {
  using archive = openArchive(dir, { world, access: "read" });
  return archive.owned;
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
