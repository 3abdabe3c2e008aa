/** `trove sync [dir]` */
import { UsageError } from "../base/errors.ts";
import { clone, open, sync as syncFolder } from "../mod.ts";
import {
  addCommand,
  addDownloadOptions,
  addPeerOptions,
  addStdioOption,
  type CommandLine,
} from "./command_line.ts";
import type { CommandContext, DownloadOptions } from "./context.ts";
import { downloadFrom } from "./download.ts";
import { addHttpOption, serveBeside } from "./http_option.ts";
import { folderOf, isLinkOrName } from "./links.ts";
import { addNameOptions, namesOf } from "./name_options.ts";
import { addDirOption, chosenFolder } from "./options.ts";
import { addImportOptions, share, type ShareCommandOptions } from "./share.ts";

type SyncOptions = DownloadOptions & ShareCommandOptions;

export function addSync({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "sync [dirOrLink] [dir]",
    summary: "serve a folder, and follow its origin if it is a clone",
    examples: [
      "sync photos",
      "sync dat://… photos   # clone it first; short: trove dat://… photos",
      "sync photos --max-delete 100 --timeout 8h",
    ],
  });
  const meeting = addStdioOption(addPeerOptions(addNameOptions(command), world, "stop"));
  addHttpOption(addImportOptions(addDownloadOptions(addDirOption(meeting))))
    .action((place: string | undefined, dir: string | undefined, options: SyncOptions) =>
      perform(options, (context) => sync(place, chosenFolder(dir, options), options, context))
    );
}

async function sync(
  place: string | undefined,
  dir: string | undefined,
  options: SyncOptions,
  context: CommandContext,
): Promise<void> {
  if (place !== undefined && isLinkOrName(place)) {
    return await follow(place, dir ?? folderOf(place), options, context);
  }
  const folder = chosenFolder(place, { dir }) ?? ".";
  const { dir: found, writable } = lookInto(folder, context);
  if (writable) {
    refuseDownloadOptions(found, options);
    return await share(found, options, context);
  }
  refuseImportOptions(found, options);
  const download = downloadFrom("sync", { ...options, live: true }, context);
  await using _view = await serveBeside(found, options, context);
  await syncFolder(found, download);
}

/** What is not here yet is cloned; both stay, and go on from what is here. */
async function follow(
  link: string,
  dir: string,
  options: SyncOptions,
  context: CommandContext,
): Promise<void> {
  refuseImportOptions(dir, options);
  const download = downloadFrom("sync", { ...options, live: true }, context);
  await using _view = await serveBeside(dir, options, context);
  await clone(link, dir, { ...download, names: namesOf(options, context.world) });
}

function lookInto(folder: string, context: CommandContext) {
  using archive = open(folder, context);
  const { dir, writable } = archive;
  return { dir, writable };
}

/** @throws {UsageError} If an option is about files that are fetched. */
function refuseDownloadOptions(dir: string, options: DownloadOptions): void {
  const { select, exclude, selectFromFile, sparse, upload } = options;
  const { overwrite, keepLocal, keepDeleted, maxDelete, dryRun } = options;
  const given = Object.entries({
    "--select": select,
    "--exclude": exclude,
    "--select-from-file": selectFromFile,
    "--sparse": sparse,
    "--no-upload": upload === false ? upload : undefined,
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

/** @throws {UsageError} If an option is about files that are imported. */
function refuseImportOptions(dir: string, options: SyncOptions): void {
  const { import: imports, watch, ignoreHidden } = options;
  const given = Object.entries({
    "--no-import": imports === false,
    "--no-watch": watch === false,
    "--no-ignore-hidden": ignoreHidden === false,
  }).find(([, isGiven]) => isGiven);
  if (given === undefined) return;
  throw new UsageError(`Cannot use ${given[0]} in "${dir}": nothing is imported into a clone`);
}
