/** `trove share [dir]` */
import { type Command, Option } from "commander";
import { parseSecretKey, readKeyFile } from "../app/keys_import.ts";
import { NamePublication } from "../app/names.ts";
import { toUtf8 } from "../base/bytes.ts";
import { UsageError } from "../base/errors.ts";
import { count } from "../base/format.ts";
import type { World } from "../base/world.ts";
import { parseLink } from "../crypto/link.ts";
import { type ArchiveEvent, share as shareFolder } from "../mod.ts";
import { addCommand, addPeerOptions, addStdioOption, type CommandLine } from "./command_line.ts";
import type { CommandContext, PeerOptions } from "./context.ts";
import { addDatImportOptions } from "./dat_options.ts";
import { addHttpOption, type HttpOptions, serveBeside } from "./http_option.ts";
import { addNameOptions, type NameCommandOptions, namesOf } from "./name_options.ts";
import { addDirOption, addVersionOption, chosenFolder, parsePeerCount } from "./options.ts";
import type { CommandOutput } from "./output.ts";
import { discoveryOf, listenAlways, networkOf } from "./peer_choices.ts";
import { HiddenWarning } from "./search_lines.ts";

/** Codes of warnings of which there can be one for each name in the folder. */
const NAME_WARNINGS: ReadonlySet<string> = new Set(["skipped", "unportable-name"]);
const MAX_NAME_WARNINGS = 20;

export interface ShareCommandOptions extends PeerOptions, NameCommandOptions, HttpOptions {
  readonly dir?: string;
  /** Import and be done. */
  readonly exit?: boolean;
  readonly name?: string;
  /** Commander's form of `--no-watch`: false when it was given. */
  readonly watch?: boolean;
  readonly import?: boolean;
  readonly ignoreHidden?: boolean;
  readonly history?: boolean;
  readonly reuseContent?: boolean;
  readonly untilSynced?: number;
  readonly version?: number;
  readonly keyFile?: string;
}

/** The options of `share` that are about what is imported: `sync` has them, too. */
export function addImportOptions(command: Command): Command {
  return addDatImportOptions(command)
    .option("--no-watch", "do not follow changes of the folder")
    .option("--no-import", "serve what the archive holds, without a look at the folder")
    .option("--no-ignore-hidden", "take names that start with a dot")
    .option("--ignore-hidden", "leave out names that start with a dot (the default)");
}

export function addShare({ program, world, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "share [dir]",
    summary: "make an archive of a folder and serve it",
    examples: [
      "share photos --port 3282",
      "share data --history  # keep every version",
      "share site --until-synced 1 --timeout 10m   # until somebody has it all",
    ],
    about: [
      "--until-synced ends it with exit code 0 once so many peers said of every block that " +
      "they hold it: all entries, and the content of all files. A peer is a process: a " +
      "reader that is started again counts anew. To be stopped before that is a failure, " +
      "exit code 4 if it was --timeout.",
      "A secret key that is not in ~/.dat/secret_keys comes from --key-file, or else " +
      "from TROVE_SECRET_KEY: what trove keys export prints. It is used and not kept.",
    ],
  });
  command
    .option("--history", "keep every version's content, where the archive is new")
    .option("--exit", "import what changed, serve nobody, and exit")
    .addOption(
      new Option("--until-synced <n>", "stop when so many peers hold everything")
        .argParser(parsePeerCount),
    );
  addVersionOption(command, "with --until-synced: of this version, or a newer one")
    .option("--key-file <file>", "take the archive's secret key from there")
    .option("--name <name>", "show what to publish so that this name leads to it");
  addHttpOption(addImportOptions(addDirOption(command, "the folder, as [dir]")))
    .option("--reuse-content", "append nothing for renamed files; clones made by dat go wrong then")
    .option("--no-reuse-content", "append renamed files again, although every version is kept");
  addStdioOption(addPeerOptions(addNameOptions(command), world, "stop sharing"))
    .action((dir: string | undefined, options: ShareCommandOptions) =>
      perform(options, (context) => share(chosenFolder(dir, options), options, context))
    );
}

/**
 * People are told of the first names that an import has something to say about, and how many more
 * there are; programs are told of all.
 */
class WarningLimit {
  readonly #output: CommandOutput;
  #count = 0;

  constructor(output: CommandOutput) {
    this.#output = output;
  }

  /** Whether the event is to be shown. */
  take(event: ArchiveEvent): boolean {
    if (this.#output.json) return true;
    if (event.event === "warning" && NAME_WARNINGS.has(event.code)) {
      return ++this.#count <= MAX_NAME_WARNINGS;
    }
    if (event.event === "imported") {
      const more = this.#count - MAX_NAME_WARNINGS;
      this.#count = 0;
      if (more > 0) {
        this.#output.say(`... and ${count(more, "more warning")} of this kind: --json has all`);
      }
    }
    return true;
  }
}

export async function share(
  dir = ".",
  options: ShareCommandOptions,
  context: CommandContext,
): Promise<void> {
  const { world, output } = context;
  const { untilSynced: peers, version } = options;
  if (version !== undefined && peers === undefined) {
    throw new UsageError("Cannot share a version: all of them are", {
      hint: "--version says what peers are to hold: add --until-synced N",
    });
  }
  if (options.exit) refuseToServe(options);
  const network = networkOf(options, world);
  await using _view = await serveBeside(dir, options, context);
  await using publication = options.name === undefined
    ? undefined
    : new NamePublication(options.name, {
      ...{ world, network, names: namesOf(options, world) },
      emit: (event) => output.emit(event),
    });
  const warnings = new WarningLimit(output);
  const discovery = options.exit ? undefined : discoveryOf(options, world);
  const hidden = new HiddenWarning(output, discovery);
  let isOwn = true;
  let told = false;
  await shareFolder(dir, {
    world,
    peers: options.peer ?? [],
    listen: listenAlways(options),
    stdio: options.stdio,
    network,
    discovery,
    timeoutMs: options.timeout,
    signals: true,
    history: options.history,
    importFirst: options.import,
    importOnly: options.exit,
    watch: options.watch,
    ignoreHidden: options.ignoreHidden,
    reuseContent: options.reuseContent,
    secretKey: secretKeyOf(options, world),
    untilSynced: peers === undefined ? undefined : { peers, version },
    onEvent: (event) => {
      if (warnings.take(event)) output.emit(event);
      hidden.take(event);
      if (event.event === "archive") publication?.tell(parseLink(event.link).key);
      if (event.event === "feed") isOwn = false;
      if (event.event === "warning" && event.code === "read-only") isOwn = false;
      if (event.event !== "listening" || told) return;
      told = true;
      if (isOwn) output.say(whatIsFollowed(options));
      output.hint("Press Ctrl-C to stop sharing");
    },
  });
}

/** @throws {UsageError} If somebody is to be served who cannot be. */
function refuseToServe({ untilSynced, http, stdio, import: imports }: ShareCommandOptions): void {
  const given = untilSynced !== undefined
    ? "--until-synced"
    : http
    ? "--http"
    : stdio
    ? "--stdio"
    : imports === false
    ? "--no-import"
    : undefined;
  if (given === undefined) return;
  throw new UsageError(`Cannot use ${given} with --exit: that imports and serves nobody`);
}

/** Never from an argument, which others on the machine can see. */
function secretKeyOf({ keyFile }: ShareCommandOptions, world: World): Uint8Array | undefined {
  if (keyFile !== undefined) return parseSecretKey(readKeyFile(keyFile, world));
  const text = world.env("TROVE_SECRET_KEY");
  if (text === undefined) return undefined;
  // So a secret arrives that a job was not given: to go on without would publish nothing.
  if (text.trim() === "") {
    const hint = "set it to what trove keys export prints, or do not set it";
    throw new UsageError("Cannot use the secret key in TROVE_SECRET_KEY: it is empty", { hint });
  }
  try {
    return parseSecretKey(toUtf8(text));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${error.message} (from TROVE_SECRET_KEY)`, { hint: error.hint });
  }
}

function whatIsFollowed({ watch, import: imports }: ShareCommandOptions): string {
  return watch === false || imports === false
    ? "Changes of the folder are not followed: run this again to share them"
    : "Changes of the folder are followed";
}
