/** The command line: which commands there are, their options, and what ends in which exit code. */
import { Command, CommanderError } from "commander";
import { UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import type { CommandLine } from "./command_line.ts";
import { COMMANDS, commandsFor } from "./commands.ts";
import type { CommonOptions, PeerOptions } from "./context.ts";
import { formatHelp, MIN_WRAP, tell } from "./help.ts";
import { exitCodeOf } from "./exit_codes.ts";
import { CommandOutput, type View } from "./output.ts";
import { withCommand } from "./shortcut.ts";

const DESCRIPTION =
  "Share folders as dat:// archives, and clone them from whichever peers have them.";

const EXAMPLES = [
  "share photos            # share a folder; prints its link",
  "clone dat://… photos    # fetch it, every byte verified",
  "doctor dat://…          # who has it, and what stands in the way",
];

/** Says the same as `--help`, and more. */
const HELP_ALL = "--help-all";

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
  const perform: CommandLine["perform"] = async (options, action) => {
    output = openOutput(world, options, await openView(world, options));
    await action({ world, output });
  };
  try {
    const asksAll = args.includes(HELP_ALL);
    const meant = await withCommand(args.map((arg) => arg === HELP_ALL ? "--help" : arg), world);
    const commands = await commandsFor(meant);
    const program = buildProgram(world, version, commands, perform, { asksAll });
    await program.parseAsync([...meant], { from: "user" });
    output.end();
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // help and version
    const failure = error instanceof CommanderError ? usageError(error, args) : firstOf(error);
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
function usageError(
  { code, message }: CommanderError,
  [first, second]: readonly string[],
): UsageError {
  const hint = `see trove ${COMMANDS.has(first) ? `${first} ` : ""}--help`;
  if (code === "commander.help") {
    return new UsageError(
      first === "help" ? `Unknown command '${second}'` : "Cannot tell what to do: no command",
      { hint },
    );
  }
  const text = message.replace(/^error: /, "").replace(/\n/g, " ").replace(/\.$/, "");
  return new UsageError(upperFirst(text), { hint });
}

/**
 * All that can be typed; `perform` carries out what was.
 *
 * @param options.asksAll The help is to explain everything.
 */
export function buildProgram(
  world: World,
  version: string,
  commands: readonly ((line: CommandLine) => void)[],
  perform: CommandLine["perform"],
  { asksAll = false }: { readonly asksAll?: boolean } = {},
): Command {
  const program = new Command("trove")
    .description(DESCRIPTION)
    .version(version, "-v, --version", "print the version")
    .helpOption("-h, --help", "show help; --help-all explains every command")
    .helpCommand("help [command]", "show help for a command")
    .configureHelp({
      minWidthToWrap: MIN_WRAP,
      formatHelp: (command, helper) => formatHelp(command, helper, { all: asksAll }),
    })
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
  tell(program, { examples: EXAMPLES });
  for (const add of commands) add({ program, world, perform });
  return program;
}

function openOutput(world: World, options: PeerOptions, view?: View): CommandOutput {
  const { json = false, quiet = false, verbose = false } = options;
  const { clock, stderr } = world;
  // Where the wire is on stdout, everything else goes to stderr.
  const printer = options.stdio ? { clock, stderr, stdout: stderr } : world;
  return new CommandOutput(
    printer,
    { json, quiet, verbose, color: isColoured(world, options) },
    view,
  );
}

/** What is drawn while the command runs: on a terminal only, and loaded there only. */
async function openView(world: World, options: CommonOptions): Promise<View | undefined> {
  const { json, quiet } = options;
  if (json || quiet || !world.stderr.isTerminal || world.env("TERM") === "dumb") return undefined;
  const { LiveView } = await import("./live_view.ts");
  return new LiveView(world, { colour: isColoured(world, options) });
}

function isColoured(world: World, { json, color = "auto" }: CommonOptions): boolean {
  if (json || color !== "auto") return !json && color === "always";
  return world.stderr.isTerminal && world.stdout.isTerminal &&
    (world.env("NO_COLOR") ?? "") === "" && world.env("TERM") !== "dumb";
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
