/** The command line: which commands there are, their options, and what ends in which exit code. */
import { Command, CommanderError, Option } from "commander";
import type { World } from "../base/world.ts";
import { UsageError } from "../base/errors.ts";
import { clone } from "./clone.ts";
import type { CommandContext, CommonOptions, PeerOptions } from "./context.ts";
import { exitCodeOf } from "./exit_codes.ts";
import { collectPeer, parseDuration, parsePort, splitPeers } from "./options.ts";
import { CommandOutput } from "./output.ts";
import { share, type ShareCommandOptions } from "./share.ts";
import { status } from "./status.ts";

const DESCRIPTION =
  "Share folders as dat:// archives, and clone them from whichever peers have them.";

const EXAMPLES = `
Examples:
  trove share photos                            share a folder; prints its link
  trove clone dat://… photos --peer host:3282   fetch it, every byte verified
  trove status photos                           what is here of it`;

/**
 * Run a command line.
 *
 * @param args Without the program's own name.
 * @returns The exit code.
 */
export async function run(args: readonly string[], world: World, version: string): Promise<number> {
  // Until the options are read, an error has to go by what the command line looks like.
  let output = openOutput(world, { json: args.includes("--json") });
  const program = buildProgram(world, version, (options, action) => {
    output = openOutput(world, options);
    return action({ world, output });
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    output.end();
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // help and version
    const failure = error instanceof CommanderError ? usageError(error) : firstOf(error);
    output.fail(failure);
    return exitCodeOf(failure);
  }
}

/** What went wrong first: closing what was open may have failed after that, for the same reason. */
function firstOf(error: unknown): unknown {
  let first = error;
  while (first instanceof SuppressedError) first = first.suppressed;
  return first;
}

/** What commander has to say about a command line, in our words. */
function usageError({ code, message }: CommanderError): UsageError {
  const hint = "see trove --help";
  if (code === "commander.help") {
    return new UsageError("Cannot tell what to do: no command", { hint });
  }
  return new UsageError(upperFirst(message.replace(/^error: /, "").replace(/\n/g, " ")), { hint });
}

type Perform = (
  options: CommonOptions,
  action: (context: CommandContext) => Promise<void> | void,
) => Promise<void> | void;

function buildProgram(world: World, version: string, perform: Perform): Command {
  const program = new Command("trove")
    .description(DESCRIPTION)
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .addHelpText("after", EXAMPLES)
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      writeErr: (text) => world.stderr.write(text),
      // What goes wrong is printed once, in one place, with its exit code.
      outputError: () => {},
      getOutHelpWidth: () => world.stdout.columns,
      getErrHelpWidth: () => world.stderr.columns,
      // Asked, so that commander does not look into the environment.
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  const shared = subcommand(program, "share [dir]", "make an archive of a folder and serve it");
  addPeerOptions(shared, world, "stop sharing")
    .option("--no-watch", "do not follow changes of the folder")
    .addHelpText("after", "\nExample:\n  trove share photos --port 3282")
    .action((dir: string | undefined, options: ShareCommandOptions) =>
      perform(options, (context) => share(dir, options, context))
    );

  const cloned = subcommand(program, "clone <link> [dir]", "fetch an archive into a folder");
  addPeerOptions(cloned, world, "give up")
    .addHelpText("after", "\nExample:\n  trove clone dat://… photos --peer 192.0.2.7:3282")
    .action((link: string, dir: string | undefined, options: PeerOptions) =>
      perform(options, (context) => clone(link, dir, options, context))
    );

  subcommand(program, "status [dir]", "show what is here of an archive")
    .addHelpText("after", "\nExample:\n  trove status photos --json")
    .action((dir: string | undefined, options: CommonOptions) =>
      perform(options, (context) => status(dir, context))
    );
  return program;
}

function subcommand(program: Command, usage: string, description: string): Command {
  return program.command(usage)
    .description(description)
    .option("--json", "print one JSON object a line on stdout")
    .option("-q, --quiet", "print results and errors only")
    .option("-v, --verbose", "print more about errors")
    .addOption(
      new Option("--color <when>", "colour the output").choices(["auto", "always", "never"])
        .default("auto"),
    )
    .option("--no-input", "never ask anything")
    .helpOption("-h, --help", "show help");
}

/** @param timeout What happens after that time, for the help. */
function addPeerOptions(command: Command, world: World, timeout: string): Command {
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
    .addOption(
      new Option("--peer <host:port>", "a peer to connect to (repeatable)")
        .argParser((text) => given = collectPeer(text, given)),
    )
    .addOption(new Option("--port <n>", "port to listen on; 0 for any").argParser(parsePort))
    .option("--host <address>", "address to listen on")
    .addOption(
      new Option("--timeout <duration>", `${timeout} after, for example, 30s or 10m`)
        .argParser(parseDuration),
    );
  // A flag wins over its environment variable.
  command.hook("preAction", () => {
    setIfMissing(command, "peer", fallback("TROVE_PEER", splitPeers));
    setIfMissing(command, "port", fallback("TROVE_PORT", parsePort));
    setIfMissing(command, "host", fallback("TROVE_HOST", (text) => text));
    setIfMissing(command, "timeout", fallback("TROVE_TIMEOUT", parseDuration));
  });
  return command;
}

function setIfMissing(command: Command, name: string, value: unknown): void {
  if (value === undefined || command.getOptionValue(name) !== undefined) return;
  command.setOptionValueWithSource(name, value, "env");
}

function openOutput(world: World, options: CommonOptions): CommandOutput {
  const { json = false, quiet = false, verbose = false, color = "auto" } = options;
  const wanted = color === "auto"
    ? world.stderr.isTerminal && world.stdout.isTerminal && (world.env("NO_COLOR") ?? "") === "" &&
      world.env("TERM") !== "dumb"
    : color === "always";
  return new CommandOutput(world, { json, quiet, verbose, color: wanted && !json });
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
