/** `trove create [dir]` */
import { resolve } from "node:path";
import { inspectFolder, secretKeyPath } from "../app/archive_folder.ts";
import { type Description, putDatJson, readDatJson } from "../app/dat_json.ts";
import { createArchive } from "../app/open_archive.ts";
import { UsageError } from "../base/errors.ts";
import { printable } from "../base/format.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext, CommonOptions } from "./context.ts";
import { addDirOption, chosenFolder } from "./options.ts";

interface CreateOptions extends CommonOptions {
  readonly dir?: string;
  readonly title?: string;
  readonly description?: string;
  readonly history?: boolean;
  readonly yes?: boolean;
}

export function addCreate({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "create [dir]",
    summary: "make an empty archive in a folder",
    examples: [
      "create photos",
      'create photos --title "Our photos" --history   # keep every version',
    ],
  });
  command.alias("init");
  addDirOption(command)
    .option("--title <text>", "title, for the archive's dat.json")
    .option("--description <text>", "what it is about, for the same")
    .option("--history", "keep every version's bytes, not just the newest files")
    .option("-y, --yes", "do not ask for a title and a description")
    .action((dir: string | undefined, options: CreateOptions) =>
      perform(options, (context) => create(chosenFolder(dir, options), options, context))
    );
}

async function create(
  folder: string | undefined,
  options: CreateOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  const dir = resolve(world.cwd(), folder ?? ".");
  // Nobody is asked for the title of an archive that cannot be made.
  if (inspectFolder(dir) === "archive") {
    throw new UsageError(`Cannot create an archive in "${dir}": it holds one`, {
      hint: "trove status tells about it, trove share goes on with it",
    });
  }
  const text = await describe(dir, options, context);
  using archive = createArchive(dir, world, { history: options.history });
  if (text !== undefined) await putDatJson(archive, text, { world });
  const secretKeyFile = secretKeyPath(world, archive.metadata.discoveryKey);
  const { link, discoveryKey, writable, version } = archive;
  if (output.json) {
    output.record("archive", { link, discoveryKey, dir, writable, version, secretKeyFile });
    return;
  }
  output.result(output.paint("bold", link));
  output.say(`${version === 0 ? "Made an empty archive" : "Made an archive"} in ${printable(dir)}`);
  output.say(`Its secret key, without which nobody can change it: ${printable(secretKeyFile)}`);
  output.say("Keep a copy of that key in another place: see trove keys --help");
  output.say("Next, trove share puts the folder's files into the archive and serves it");
}

/** Title and description as given, as asked for, or as the folder has them; undefined for neither. */
async function describe(
  dir: string,
  { title, description, yes, input }: CreateOptions,
  { world: { stdin, stderr }, output }: CommandContext,
): Promise<Description | undefined> {
  const asks = yes !== true && input !== false && !output.json && stdin.isTerminal &&
    stderr.isTerminal;
  if (title === undefined && description === undefined && !asks) return undefined;
  const before = readDatJson(dir);
  const choose = async (given: string | undefined, name: "title" | "description") => {
    const old = before?.[name];
    const fallback = typeof old === "string" ? old : "";
    if (given !== undefined || !asks) return given ?? fallback;
    const shown = fallback === "" ? "" : ` (${printable(fallback)})`;
    const answer = await stdin.readLine(`${name === "title" ? "Title" : "Description"}${shown}: `);
    return answer?.trim() || fallback;
  };
  const text = {
    title: await choose(title, "title"),
    description: await choose(description, "description"),
  };
  return text.title === "" && text.description === "" ? undefined : text;
}
