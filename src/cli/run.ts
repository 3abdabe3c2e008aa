/** The command line: which commands there are, their options, and what ends in which exit code. */
import { Command, CommanderError } from "commander";
import { UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import type { CommandLine } from "./command_line.ts";
import { commandsFor } from "./commands.ts";
import type { PeerOptions } from "./context.ts";
import { exitCodeOf } from "./exit_codes.ts";
import { CommandOutput } from "./output.ts";
import { withCommand } from "./shortcut.ts";

const DESCRIPTION =
  "Share folders as dat:// archives, and clone them from whichever peers have them.";

const EXAMPLES = `
Examples:
  trove share photos            share a folder; prints its link
  trove clone dat://… photos    fetch it, every byte verified
  trove status photos           what is here of it
  trove doctor dat://…          who has it, and what stands in the way`;

/**
 * Run a command line.
 *
 * @param args Without the program's own name.
 * @returns The exit code.
 */
export async function run(args: readonly string[], world: World, version: string): Promise<number> {
  // Until the options are read, an error has to go by what the command line looks like.
  let output = openOutput(world, {
    json: args.includes("--json"),
    stdio: args.includes("--stdio"),
  });
  try {
    const meant = await withCommand(args, world);
    const program = buildProgram(world, version, await commandsFor(meant), (options, action) => {
      output = openOutput(world, options);
      return action({ world, output });
    });
    await program.parseAsync([...meant], { from: "user" });
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

/** All that can be typed; `perform` carries out what was. */
export function buildProgram(
  world: World,
  version: string,
  commands: readonly ((line: CommandLine) => void)[],
  perform: CommandLine["perform"],
): Command {
  const program = new Command("trove")
    .description(DESCRIPTION)
    .version(version, "-v, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .addHelpText("after", EXAMPLES)
    // So that --version behind a command is that command's own.
    .enablePositionalOptions()
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
  for (const add of commands) add({ program, world, perform });
  return program;
}

function openOutput(world: World, options: PeerOptions): CommandOutput {
  const { json = false, quiet = false, verbose = false, color = "auto" } = options;
  const wanted = color === "auto"
    ? world.stderr.isTerminal && world.stdout.isTerminal && (world.env("NO_COLOR") ?? "") === "" &&
      world.env("TERM") !== "dumb"
    : color === "always";
  const { clock, stderr } = world;
  // Where the wire is on stdout, everything else goes to stderr.
  const printer = options.stdio ? { clock, stderr, stdout: stderr } : world;
  return new CommandOutput(printer, { json, quiet, verbose, color: wanted && !json });
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
