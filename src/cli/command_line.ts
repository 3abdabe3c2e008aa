/** What the commands are declared with: the options that many share, and how one is carried out. */
import { type Command, Option } from "commander";
import { GROUPS, tell, type Told } from "./help.ts";
import { parseProxy } from "../app/addresses.ts";
import { SOURCE_NAMES } from "../app/source_names.ts";
import { UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import type { CommandContext, CommonOptions } from "./context.ts";
import { addDatDownloadOptions, addDatPeerOptions } from "./dat_options.ts";
import {
  collectBootstrap,
  collectPatterns,
  collectPeer,
  parseCount,
  parseDuration,
  parseHost,
  parsePeerCount,
  parsePort,
  parseRate,
  parseSources,
  parseSwitch,
  splitBootstrap,
  splitPeers,
} from "./options.ts";

/** Given to every command's `add…` function. */
export interface CommandLine {
  readonly program: Command;
  readonly world: World;
  /** Run a command with its output opened as the options say. */
  perform(
    options: CommonOptions,
    action: (context: CommandContext) => Promise<void> | void,
  ): Promise<void> | void;
}

/** A command as its help shows it. */
export interface Described extends Partial<Told> {
  /** Such as `ls [path]`. */
  readonly usage: string;
  /** What it does, in a few words without a period. */
  readonly summary: string;
  readonly examples: readonly string[];
}

/** Declare a command, with the options that every command takes. */
export function addCommand(parent: Command, { usage, summary, ...told }: Described): Command {
  const command = parent.command(usage).description(summary).helpOption(
    "-h, --help",
    "show help; --help-all explains every option",
  );
  tell(command, told);
  const options = [
    new Option("--json", "print one JSON object a line on stdout"),
    new Option("-q, --quiet", "print results and errors only"),
    new Option("-v, --verbose", "print more about errors"),
    new Option("--color <when>", "colour the output").choices(["auto", "always", "never"])
      .default("auto"),
    new Option("--no-input", "never ask anything"),
  ];
  for (const option of options) command.addOption(option.helpGroup(GROUPS.common));
  return command;
}

/**
 * The options of every command that meets peers.
 *
 * @param timeout What happens after that time, for the help.
 * @param options.meetsPeers Whether a command line is one that meets peers, by its arguments: otherwise
 *   the environment is not looked at.
 * @param options.listens Whether peers can connect; they can if it is not said.
 */
export function addPeerOptions(
  command: Command,
  world: World,
  timeout: string,
  { meetsPeers = () => true, listens = true }: {
    readonly meetsPeers?: (args: readonly string[]) => boolean;
    readonly listens?: boolean;
  } = {},
): Command {
  const fallback = <T>(name: string, parse: (text: string) => T): T | undefined => {
    const text = world.env(name);
    if (text === undefined || text === "") return undefined;
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`${error.message} (from ${name})`, { cause: error, hint: error.hint });
    }
  };
  let given: string[] | undefined;
  command
    .optionsGroup(GROUPS.peers)
    .addOption(
      new Option("--peer <address>", "a peer: host:port, ws://…, unix:PATH (repeatable)")
        .argParser((text) => given = collectPeer(text, given)),
    )
    .addOption(
      new Option(
        "--discovery <ways>",
        `how to find peers; otherwise by all: ${SOURCE_NAMES.join(",")}`,
      )
        .argParser(parseSources),
    )
    .option("--no-discovery", "look for nobody: meet --peer and those who come")
    .addOption(
      new Option("--bootstrap <way=address>", "whom to ask, for example dht=192.0.2.7 (repeatable)")
        .argParser(collectBootstrap),
    )
    .option("--allow-private", "take private addresses from DHTs, as in a network of your own")
    .addOption(
      new Option("--proxy <url>", "connect to peers through socks5://[user:password@]host:port")
        .argParser(parseProxy),
    )
    .addOption(
      new Option("--up <rate>", "send no faster, for example 500kb or 2mb a second")
        .argParser(parseRate),
    )
    .addOption(new Option("--down <rate>", "receive no faster").argParser(parseRate))
    .addOption(
      new Option("--max-peers <n>", "links to peers at once").argParser(parsePeerCount),
    )
    .addOption(
      new Option("--timeout <duration>", `${timeout} after 30s, 10m, 2h or so`)
        .argParser(parseDuration),
    );
  if (listens) addListenOptions(command);
  addDatPeerOptions(command);
  command.optionsGroup("");
  // A flag wins over its environment variable.
  command.hook("preAction", () => {
    if (!meetsPeers(command.args)) return;
    setIfMissing(command, "peer", fallback("TROVE_PEER", splitPeers));
    setIfMissing(command, "discovery", fallback("TROVE_DISCOVERY", parseSources));
    setIfMissing(command, "bootstrap", fallback("TROVE_BOOTSTRAP", splitBootstrap));
    setIfMissing(command, "allowPrivate", fallback("TROVE_ALLOW_PRIVATE", parseSwitch));
    if (listens) setIfMissing(command, "portMap", fallback("TROVE_PORT_MAP", parseSwitch));
    if (listens && !command.getOptionValue("stdio")) {
      setIfMissing(command, "port", fallback("TROVE_PORT", parsePort));
      setIfMissing(command, "host", fallback("TROVE_HOST", parseHost));
      setIfMissing(command, "ws", fallback("TROVE_WS", parsePort));
    }
    setIfMissing(command, "proxy", fallback("TROVE_PROXY", parseProxy));
    setIfMissing(command, "up", fallback("TROVE_UP", parseRate));
    setIfMissing(command, "down", fallback("TROVE_DOWN", parseRate));
    setIfMissing(command, "maxPeers", fallback("TROVE_MAX_PEERS", parsePeerCount));
    setIfMissing(command, "timeout", fallback("TROVE_TIMEOUT", parseDuration));
  });
  return command;
}

function addListenOptions(command: Command): void {
  command
    .option("--port-map", "have the router pass a port on to ours (NAT-PMP, UPnP)")
    .addOption(new Option("--port <n>", "port to listen on; 0 for any").argParser(parsePort))
    .addOption(
      new Option("--host <address>", "address to listen on, or unix:PATH").argParser(parseHost),
    )
    .addOption(
      new Option("--ws <port>", "take WebSocket connections there too; 0 for any")
        .argParser(parsePort),
    );
}

/** For commands that can do with one connection, which somebody else made. */
export function addStdioOption(command: Command): Command {
  return command.addOption(
    new Option("--stdio", "meet one peer on standard input and output, as behind ssh")
      .conflicts(["port", "host", "ws"])
      .helpGroup(GROUPS.peers),
  );
}

/** About `--select` and `--exclude`, for the help. */
const ABOUT_SELECTION = "Patterns are about paths from the archive's root on; quote them. A file " +
  "or a folder is meant with all that is below it (photos), a glob is one as in **/*.jpg, and a " +
  "slash at its end means what is in such folders (20*/). The folder remembers them: --select '**' " +
  "is everything again.";

/** The options of every command that downloads into a folder. */
export function addDownloadOptions(command: Command): Command {
  tell(command, { about: [ABOUT_SELECTION] });
  return addDatDownloadOptions(command)
    .optionsGroup(GROUPS.files)
    .addOption(
      new Option("--select <glob>", "fetch these files or folders only (repeatable)")
        .argParser(collectPatterns),
    )
    .addOption(
      new Option("--exclude <glob>", "leave these out, whatever is selected (repeatable)")
        .argParser(collectPatterns),
    )
    .option("--select-from-file <file>", "the same, with a path on each line of a file")
    .option("--sparse", "fetch the list of files, and only those that are selected")
    .option("--history", "keep every version's content, not the newest one's only")
    .option("--overwrite", "replace files in the way that are not the archive's")
    .option("--keep-local", "leave files that were changed or deleted here as they are")
    .option("--keep-deleted", "leave files on disk that the archive deleted")
    .addOption(
      new Option("--max-delete <n>", "refuse an update that deletes more files than that")
        .argParser(parseCount),
    )
    .option("--no-upload", "give peers nothing of what is here")
    .option("--dry-run", "list what would change, and change nothing")
    .optionsGroup("");
}

function setIfMissing(command: Command, name: string, value: unknown): void {
  if (value === undefined || command.getOptionValue(name) !== undefined) return;
  command.setOptionValueWithSource(name, value, "env");
}
