/** `trove clone <link> [dir]` */
import { resolve } from "node:path";
import { cloneArchive } from "../app/clone_archive.ts";
import { cloneFeed } from "../app/feed_job.ts";
import { resolveLink } from "../app/resolve_link.ts";
import { stopSignals } from "../app/stop_signals.ts";
import { UsageError } from "../base/errors.ts";
import { parseLink } from "../crypto/link.ts";
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
    usage: "clone [link] [dir]",
    summary: "fetch an archive into a folder",
    examples: [
      "clone dat://… photos --peer 192.0.2.7:3282",
      "clone dat://… photos --history --peer 192.0.2.7:3282",
      "clone dat://… photos --live --peer 192.0.2.7:3282   # follow every change",
      "clone samples --feed 64-HEX-DIGITS --peer 192.0.2.7:3282",
      "clone dat://… photos --select 2024 --select '**/*.txt' --peer 192.0.2.7:3282",
    ],
  });
  addDownloadOptions(addPeerOptions(command, world, "give up, or stop following,"))
    .option("--live", "stay: follow every change, and serve what is here")
    .option("--feed <key>", "fetch a hypercore by itself: trove clone [dir] --feed KEY")
    .action((link: string | undefined, dir: string | undefined, options: CloneCommandOptions) =>
      perform(
        options,
        (context) =>
          options.feed === undefined
            ? clone(link, dir, options, context)
            : fetchFeed(options.feed, [link, dir], options, context),
      )
    );
}

interface CloneCommandOptions extends DownloadOptions {
  readonly feed?: string;
}

async function clone(
  text: string | undefined,
  dir: string | undefined,
  options: DownloadOptions,
  context: CommandContext,
): Promise<void> {
  const { world } = context;
  if (text === undefined) {
    throw new UsageError("Cannot clone without a link", { hint: "see trove clone --help" });
  }
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

/** Options that are about an archive's files. */
const ABOUT_FILES = [
  ...["select", "exclude", "history", "overwrite", "keepLocal", "keepDeleted", "maxDelete"],
  "dryRun",
] as const;

async function fetchFeed(
  key: string,
  [dir, more]: readonly (string | undefined)[],
  options: CloneCommandOptions,
  context: CommandContext,
): Promise<void> {
  const { world } = context;
  const given = ABOUT_FILES.find((name) => name in options);
  if (given !== undefined) {
    const name = given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UsageError(`Cannot use --${name} with --feed: a feed by itself has no files`);
  }
  if (options.live) {
    throw new UsageError("Cannot use --live with --feed: a feed by itself is fetched once", {
      hint: "run the same command again for what is added later",
    });
  }
  if (more !== undefined) {
    throw new UsageError(`Cannot fetch a feed into two folders, "${dir}" and "${more}"`, {
      hint: "with --feed there is no other link",
    });
  }
  const { key: publicKey, version } = parseLink(key);
  if (version !== undefined) throw new UsageError(`Cannot fetch a part of a feed: "${key}"`);
  const { peers, listen, timeoutMs, emit } = downloadFrom("clone", options, context);
  using stop = stopSignals(world);
  await cloneFeed({
    ...{ world, publicKey, peers, listen, timeoutMs, emit },
    dir: resolve(world.cwd(), dir ?? "."),
    signals: stop.signals,
  });
}
