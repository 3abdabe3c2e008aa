/** All commands as plain data, from their own definitions: for completions and the manual page. */
import { type Argument, type Command, Help, Option } from "commander";
import type { CommandLine } from "./command_line.ts";
import { COMMANDS } from "./commands.ts";
import { explain, pathOf, toldOf, usageOf } from "./help.ts";
import { buildProgram } from "./run.ts";

/** What can stand in a place on the command line. */
export type ValueKind =
  | { readonly kind: "file" | "folder" | "other" }
  | { readonly kind: "choice"; readonly choices: readonly string[] };

export interface OptionNode {
  /** Such as `-o` and `--output`. */
  readonly names: readonly string[];
  /** As in the help: `-o, --output <file>`. */
  readonly term: string;
  readonly text: string;
  /** The heading that it stands under in the help; undefined if it is the command's own. */
  readonly group?: string;
  /** Absent if it takes none. */
  readonly value?: ValueKind;
}

export interface CommandNode {
  /** Without the program's name: empty for the program itself. */
  readonly path: readonly string[];
  /** Its name, and others that it goes by. */
  readonly names: readonly string[];
  readonly usage: string;
  readonly summary: string;
  readonly examples: readonly string[];
  readonly about: readonly string[];
  readonly options: readonly OptionNode[];
  /** Of its arguments: one that many of them may be. */
  readonly argument?: ValueKind;
  readonly commands: readonly CommandNode[];
}

/** The program with all of its commands. */
export async function commandTree(
  line: Pick<CommandLine, "world" | "perform">,
): Promise<CommandNode> {
  const adds = await Promise.all([...COMMANDS.values()].map((load) => load()));
  return nodeOf(buildProgram(line.world, "", adds, line.perform));
}

/** Every command of a tree, the program first. */
export function* allCommands(node: CommandNode): Generator<CommandNode> {
  yield node;
  for (const command of node.commands) yield* allCommands(command);
}

function nodeOf(command: Command): CommandNode {
  const helper = new Help();
  const helpAll = new Option("--help-all", "explain every option");
  return {
    path: pathOf(command),
    names: [command.name(), ...command.aliases()],
    usage: usageOf(command, ["trove", ...pathOf(command)].join(" ")),
    summary: command.description(),
    ...toldOf(command),
    options: [...helper.visibleOptions(command), helpAll].map(optionOf),
    argument: argumentOf(command.registeredArguments),
    commands: helper.visibleCommands(command).filter((one) => one.name() !== "help").map(nodeOf),
  };
}

function optionOf(option: Option): OptionNode {
  const { short, long, flags, argChoices, helpGroupHeading } = option;
  // What is optional comes behind an equals sign, or not at all.
  const [, value] = /<(.+)>$/.exec(flags) ?? [];
  return {
    names: [short, long].filter((name) => name !== undefined),
    term: flags,
    text: explain(option),
    group: helpGroupHeading || undefined,
    value: value === undefined ? undefined : kindOf(value, argChoices),
  };
}

function argumentOf(args: readonly Argument[]): ValueKind | undefined {
  const kinds = args.map((argument) => kindOf(argument.name(), argument.argChoices));
  const find = (wanted: string) => kinds.find(({ kind }) => kind === wanted);
  return find("choice") ?? find("file") ?? find("folder") ?? kinds[0];
}

/** What a value is, by what the help calls it. */
function kindOf(name: string, choices?: readonly string[]): ValueKind {
  if (choices !== undefined) return { kind: "choice", choices };
  if (/file|path/.test(name)) return { kind: "file" };
  return { kind: /^dir|folder/.test(name) ? "folder" : "other" };
}
