/** `trove mirror <link> <dir>` */
import { resolve } from "node:path";
import { mirror as mirrorArchive, type MirrorReport } from "../mod.ts";
import {
  addCommand,
  addDownloadOptions,
  addPeerOptions,
  addStdioOption,
  type CommandLine,
} from "./command_line.ts";
import type { CommandContext, DownloadOptions } from "./context.ts";
import { downloadFrom } from "./download.ts";
import { endOf, writeJobFiles } from "./job_files.ts";
import { addNameOptions, type NameCommandOptions, namesOf } from "./name_options.ts";
import { addVersionOption } from "./options.ts";
import { showProgress } from "./verify.ts";

interface MirrorCommandOptions extends DownloadOptions, NameCommandOptions {
  readonly version?: number;
  readonly report?: string;
}

/** For a job that says nothing about it: as long as most of them may take. */
const TIMEOUT_MS = 30 * 60_000;

export function addMirror({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "mirror <link> <dir>",
    summary: "for unattended jobs: fetch or update, verify, report",
    examples: [
      "mirror dat://… /srv/photos --timeout 10m --report mirror.json",
      "mirror dat://…+42 data              # version 42 and no other",
      "mirror example.org site --json --peer 192.0.2.7:3282",
      "mirror dat://… data --dry-run       # what would change?",
    ],
    about: [
      "For jobs that run unattended: fetches or updates, begins again while there is time " +
      "(30 minutes without --timeout), then reads everything back and mends what is " +
      "damaged. It exits with 0 only if the folder is as the archive is.",
      "A folder that was mirrored before, or half of one, is gone on with; where nothing " +
      "changed nothing is written. With --version, or a version behind the link, it has to " +
      "be just that one.",
      "On GitHub Actions it sets the outputs link, version, files, bytes, changed and " +
      "changed-files, and adds to the job's summary.",
    ],
  });
  addVersionOption(
    addDownloadOptions(
      addStdioOption(addPeerOptions(addNameOptions(command), world, "give up")),
    ),
    "end at this version, or fail",
  )
    .option("--report <file>", "write what came of it there, as JSON, also if it fails")
    .action((link: string, dir: string, options: MirrorCommandOptions) =>
      perform(options, (context) => mirror(link, dir, options, context))
    );
}

async function mirror(
  link: string,
  dir: string,
  options: MirrorCommandOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  let report: MirrorReport | undefined;
  let failure: unknown;
  try {
    const download = downloadFrom("mirror", options, context);
    await mirrorArchive(link, dir, {
      ...download,
      names: namesOf(options, world),
      version: options.version,
      timeoutMs: options.timeout ?? TIMEOUT_MS,
      onEvent: (event) => {
        // People find the link in the table.
        if (event.event === "archive" && !output.json) output.look(event);
        else download.onEvent?.(event);
      },
      onProgress: showProgress(context),
      onReport: (made) => report = made,
    });
  } catch (error) {
    failure = error;
  }
  const end = endOf(resolve(world.cwd(), dir), { report, failure });
  try {
    writeJobFiles(end, options.report, world);
  } catch (error) {
    if (failure === undefined) throw error;
    const message = error instanceof Error ? error.message : String(error);
    output.emit({ event: "warning", code: "report", message });
  }
  if (failure !== undefined) throw failure;
}
