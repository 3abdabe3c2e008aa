/** `trove cat <path>...` */
import type { BlockOrder } from "../app/archive_source.ts";
import { ArchiveView } from "../app/archive_view.ts";
import { fileBytes } from "../app/file_bytes.ts";
import { type ChosenFile, ChosenFiles, findFile, hashFile } from "../app/read_files.ts";
import { UsageError } from "../base/errors.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext } from "./context.ts";
import { archiveIn, pathIn } from "./links.ts";
import { addDirOption, addVersionOption } from "./options.ts";
import { addPlaceOptions, isAtPeers, LINK_HELP, openLink, type PlaceOptions } from "./places.ts";

interface CatOptions extends PlaceOptions {
  readonly version?: number;
  readonly dir?: string;
}

export function addCat({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "cat <path...>",
    summary: "print files of a version",
    examples: [
      "cat photos/notes.txt",
      "cat notes.txt --version 12 > old.txt   # if its bytes are still here",
      "cat dat://…/notes.txt                  # from its peers",
    ],
    about: [
      "Nothing is printed that was not verified. With --json, it is each file's SHA-256 " +
      "that is printed, and not its bytes.",
      LINK_HELP,
    ],
  });
  addPlaceOptions(addVersionOption(addDirOption(command)), world)
    .action((paths: string[], options: CatOptions) =>
      perform(options, (context) => cat(paths, options, context))
    );
}

async function cat(
  paths: readonly string[],
  options: CatOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  if (paths.some((path) => isAtPeers(path, world))) {
    for (const path of paths) {
      if (!isAtPeers(path, world)) {
        throw new UsageError(`Cannot print "${path}" and what a link names in one go`);
      }
    }
    for (const links of runsOf(paths)) if (!await catLinks(links, options, context)) return;
    return;
  }
  using chosen = new ChosenFiles(paths, { world, dir: options.dir, version: options.version });
  for (const file of chosen.files) {
    const heard = output.json ? output.record("cat", recordOf(file)) : print(file, context);
    if (!heard) return;
  }
}

/** Answers false when nobody reads any more. */
function print({ view, file }: ChosenFile, { output }: CommandContext): boolean {
  for (const bytes of view.read(file)) {
    if (!output.bytes(bytes)) return false;
  }
  return true;
}

function recordOf(chosen: ChosenFile): object {
  const { path, stat, seq } = chosen.file;
  const { size, mode, mtime, blocks, offset } = stat;
  const sha256 = hashFile(chosen);
  return { path, size, mode, mtime, blocks, offset, version: seq, sha256 };
}

/** Links in their order, those next to each other that mean one archive together. */
function runsOf(links: readonly string[]): string[][] {
  const runs: string[][] = [];
  for (const link of links) {
    const last = runs.at(-1);
    if (last !== undefined && archiveIn(last[0]) === archiveIn(link)) last.push(link);
    else runs.push([link]);
  }
  return runs;
}

/** Fetch and print files of one archive. Answers false when nobody reads any more. */
async function catLinks(
  links: readonly string[],
  options: CatOptions,
  context: CommandContext,
): Promise<boolean> {
  // Its entries are fetched once for all of them.
  await using place = await openLink(links[0], options, context);
  using held = place.source.hold();
  const version = options.version ?? place.version ?? held.version;
  const view = new ArchiveView(held.archive, version);
  const files = links.map((link) => findFile(view, pathIn(link)));
  using order = place.source.order(place.signal);
  for (const file of files) if (!await catFile({ view, file }, order, context)) return false;
  return true;
}

async function catFile(
  { view, file }: ChosenFile,
  order: BlockOrder,
  { output }: CommandContext,
): Promise<boolean> {
  if (output.json) {
    for await (const _ of fileBytes(view, file, order)) {
      // Fetched and verified: it is read again for its hash.
    }
    return output.record("cat", recordOf({ view, file }));
  }
  for await (const bytes of fileBytes(view, file, order)) {
    if (!output.bytes(bytes)) return false;
  }
  return true;
}
