/** `trove pull [dir]` */
import { Option } from "commander";
import { locateArchive } from "../app/locate.ts";
import { InterruptedError, pull as pullArchive } from "../mod.ts";
import {
  addCommand,
  addDownloadOptions,
  addPeerOptions,
  addStdioOption,
  type CommandLine,
} from "./command_line.ts";
import type { CommandContext, DownloadOptions } from "./context.ts";
import { downloadFrom } from "./download.ts";
import { addDirOption, chosenFolder, parseDuration } from "./options.ts";

/** What `--exit` alone stands for. Source: dat's own help. */
const DEFAULT_WAIT_MS = 12_000;

interface PullOptions extends DownloadOptions {
  /** How long to wait where nothing is new, in milliseconds; true for as long as dat says. */
  readonly exit?: number | true;
}

export function addPull({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "pull [dir]",
    summary: "bring a folder that was cloned up to date",
    examples: [
      "pull photos",
      "pull photos --exit 1m   # where nothing is new, see whether something comes",
      "pull --dry-run   # what would change?",
    ],
  });
  addDownloadOptions(addStdioOption(addPeerOptions(addDirOption(command), world, "give up")))
    .addOption(
      new Option("--exit [duration]", "if nothing is new, wait so long for it (12s)")
        .argParser(parseDuration).conflicts(["dryRun", "stdio"]),
    )
    .action((dir: string | undefined, options: PullOptions) =>
      perform(options, (context) => pull(chosenFolder(dir, options), options, context))
    );
}

async function pull(
  dir: string | undefined,
  options: PullOptions,
  context: CommandContext,
): Promise<void> {
  const { world } = context;
  const { dir: found } = locateArchive(dir, world);
  const download = downloadFrom("pull", options, context);
  let isNew = false;
  await pullArchive(found, {
    ...download,
    onEvent: (event) => {
      if (event.event === "synced") isNew = event.downloadedBytes > 0;
      download.onEvent?.(event);
    },
  });
  if (options.exit === undefined || isNew) return;
  await waitForNews(found, options.exit === true ? DEFAULT_WAIT_MS : options.exit, {
    options,
    context,
  });
}

/** Stay for a while, and until what began to come meanwhile is here. */
async function waitForNews(
  dir: string,
  waitMs: number,
  { options, context }: { readonly options: PullOptions; readonly context: CommandContext },
): Promise<void> {
  const download = downloadFrom("pull", { ...options, live: true }, context);
  const stop = new AbortController();
  const waiting = AbortSignal.timeout(waitMs);
  let isComing = false;
  waiting.addEventListener("abort", () => {
    if (!isComing) stop.abort();
  });
  const waitedFor = pullArchive(dir, {
    ...download,
    listen: undefined,
    signal: stop.signal,
    onEvent: (event) => {
      if (event.event === "progress") isComing = event.blocks < event.blocksTotal;
      if (event.event === "archive") return; // told before
      if (event.event === "synced") {
        isComing = false;
        if (event.downloadedBytes === 0 && !waiting.aborted) return; // as it was before
        stop.abort();
      }
      download.onEvent?.(event);
    },
  });
  try {
    await waitedFor;
  } catch (error) {
    // The time was over before anybody was met again: what was known is here.
    if (!stop.signal.aborted || !(error instanceof InterruptedError)) throw error;
  }
}
