/** `trove clone <link> [dir]` */
import { UsageError } from "../base/errors.ts";
import { clone as cloneArchive, cloneFeed } from "../mod.ts";
import {
  addCommand,
  addDownloadOptions,
  addPeerOptions,
  addStdioOption,
  type CommandLine,
} from "./command_line.ts";
import type { CommandContext, DownloadOptions } from "./context.ts";
import { addDatCloneOptions } from "./dat_options.ts";
import { downloadFrom } from "./download.ts";
import { addHttpOption, type HttpOptions, serveBeside } from "./http_option.ts";
import { addNameOptions, type NameCommandOptions, namesOf } from "./name_options.ts";
import { addDirOption, addVersionOption, chosenFolder } from "./options.ts";

export function addClone({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "clone [link] [dir]",
    summary: "fetch an archive into a folder",
    examples: [
      "clone dat://… photos",
      "clone dat://… photos --peer 192.0.2.7:3282   # from this peer too",
      "clone example.org photos                     # by its name",
      "clone dat://… photos --live   # follow every change",
      "clone samples --feed 64-HEX-DIGITS",
      "clone dat://… photos --select 2024 --select '**/*.txt'",
    ],
  });
  addVersionOption(
    addDownloadOptions(
      addStdioOption(addPeerOptions(addNameOptions(command), world, "give up, or stop following,")),
    ),
    "end at this version, or fail",
  );
  addHttpOption(addDirOption(command, "where to clone to, as [dir]"))
    .option("--live", "stay: follow every change, and serve what is here")
    .option("--feed <key>", "fetch a feed by itself: trove clone [dir] --feed KEY")
    .action((link: string | undefined, dir: string | undefined, options: CloneCommandOptions) =>
      perform(
        options,
        (context) =>
          options.feed === undefined
            ? clone(link, chosenFolder(dir, options), inOurWords(options), context)
            : fetchFeed(options.feed, [link, dir], options, context),
      )
    );
  addDatCloneOptions(command);
}

interface CloneCommandOptions extends DownloadOptions, NameCommandOptions, HttpOptions {
  readonly feed?: string;
  readonly version?: number;
  /** What dat and geniza call it. */
  readonly exit?: boolean;
  readonly empty?: boolean;
  readonly full?: boolean;
}

function inOurWords(options: CloneCommandOptions): CloneCommandOptions {
  const { exit, empty, full, sparse = empty, history = full } = options;
  return { ...options, sparse, history, live: options.live ?? (exit === false || undefined) };
}

async function clone(
  text: string | undefined,
  dir = ".",
  options: CloneCommandOptions,
  context: CommandContext,
): Promise<void> {
  if (text === undefined) {
    throw new UsageError("Cannot clone without a link", { hint: "see trove clone --help" });
  }
  const names = namesOf(options, context.world);
  const download = downloadFrom("clone", options, context);
  await using _view = await serveBeside(dir, options, context);
  await cloneArchive(text, dir, { ...download, names, version: options.version });
}

/** Options that are about an archive's files. */
const ABOUT_FILES = [
  ...["select", "exclude", "history", "overwrite", "keepLocal", "keepDeleted", "maxDelete"],
  ...["dryRun", "sparse", "selectFromFile", "version", "http"],
] as const;

async function fetchFeed(
  key: string,
  [dir, more]: readonly (string | undefined)[],
  options: CloneCommandOptions,
  context: CommandContext,
): Promise<void> {
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
  await cloneFeed(key, dir ?? ".", downloadFrom("clone", options, context));
}
