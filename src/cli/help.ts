/**
 * The help of a command. `--help` fits a screen: what does not fit is named at its end, and explained
 * by `--help-all`, which has everything.
 */
import type { Command, Help, Option } from "commander";

/** What the help of a command says besides its options. */
export interface Told {
  /** Command lines without the program's name, maybe with a comment behind. */
  readonly examples: readonly string[];
  /** Paragraphs, with line ends where they are to be. */
  readonly about: readonly string[];
}

/** Options come under these headings, and under `Options:` those that only few commands have. */
export const GROUPS = {
  peers: "Meeting peers:",
  files: "Files:",
  common: "Of every command:",
} as const;

/** Lines of a screen, without one for the prompt that comes below. */
const SCREEN_LINES = 23;

/** Columns that are easy to read, and that every screen has. */
const MAX_WIDTH = 80;

/** Columns of text that are worth a line. */
export const MIN_WRAP = 20;

/** Examples on a screen. */
const MAX_EXAMPLES = 4;

/** Of those that many commands share, what is asked for most. */
const USUAL: ReadonlySet<string> = new Set([
  ...["--dir", "--version", "--peer", "--timeout", "--port", "--select", "--exclude", "--dry-run"],
]);

/** Commands that are explained on the first screen; the others are named. */
const USUAL_COMMANDS: ReadonlySet<string> = new Set([
  ...["share", "clone", "pull", "sync", "mirror", "seed", "status", "log", "diff", "verify"],
]);

const told = new WeakMap<Command, Told>();

/** Have the help of a command say this. */
export function tell(command: Command, { examples = [], about = [] }: Partial<Told>): void {
  const before = toldOf(command);
  told.set(command, {
    examples: [...before.examples, ...examples],
    about: [...before.about, ...about],
  });
}

/** What the help of a command says besides its options. */
export function toldOf(command: Command): Told {
  return told.get(command) ?? { examples: [], about: [] };
}

/** The lines of a command's help. */
export function formatHelp(command: Command, helper: Help, { all }: { all: boolean }): string {
  const width = Math.min(helper.helpWidth ?? MAX_WIDTH, MAX_WIDTH);
  const page = new HelpPage(command, helper, width);
  const lines = all ? page.whole() : page.screen();
  return `${lines.join("\n")}\n`;
}

/** What an option does, in a few words. */
export function explain({ description, argChoices }: Option): string {
  return argChoices === undefined ? description : `${description}: ${argChoices.join(", ")}`;
}

/** Names and arguments, such as `-o, --output <file>`. */
export function termOf({ flags }: Option): string {
  return flags;
}

/** A command as it is typed, without the program's name: `keys export`. */
export function pathOf(command: Command): string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}

/** A command with its arguments, such as `export [dir]`. */
export function usageOf(command: Command, name = command.name()): string {
  const args = command.registeredArguments.map((argument) => {
    const text = `${argument.name()}${argument.variadic ? "..." : ""}`;
    return argument.required ? `<${text}>` : `[${text}]`;
  });
  return [name, ...args].join(" ");
}

type Row = readonly [term: string, text: string];

class HelpPage {
  readonly #command: Command;
  readonly #helper: Help;
  readonly #width: number;
  readonly #options: readonly Option[];
  readonly #commands: readonly Command[];
  readonly #told: Told;

  constructor(command: Command, helper: Help, width: number) {
    this.#command = command;
    this.#helper = helper;
    this.#width = width;
    this.#options = helper.visibleOptions(command);
    this.#commands = helper.visibleCommands(command);
    this.#told = toldOf(command);
  }

  /** Everything there is to be said. */
  whole(): string[] {
    const { examples, about } = this.#told;
    const headings = [...new Set(["Options:", ...this.#options.map(headingOf)])];
    return [
      ...this.#head(),
      ...this.#table("Commands:", this.#commands.map(commandRow)),
      ...headings.flatMap((heading) => {
        const options = this.#options.filter((option) => headingOf(option) === heading);
        return this.#table(heading, options.map(optionRow));
      }),
      ...exampleLines(examples),
      ...about.flatMap((text) => ["", ...this.#wrap(text)]),
    ];
  }

  /** As much of it as fits a screen, what is used most first. */
  screen(): string[] {
    const shown = new Set(this.#options);
    const withAbout = this.#part(shown, { about: true });
    if (withAbout.length <= SCREEN_LINES) return withAbout;
    let lines = this.#part(shown);
    for (const option of this.#options.toReversed().toSorted((a, b) => rankOf(b) - rankOf(a))) {
      if (lines.length <= SCREEN_LINES) break;
      shown.delete(option);
      lines = this.#part(shown);
    }
    return lines;
  }

  #part(shown: ReadonlySet<Option>, { about = false } = {}): string[] {
    const isTop = this.#command.parent === null;
    const commands = isTop
      ? this.#commands.filter((command) => USUAL_COMMANDS.has(command.name()))
      : this.#commands;
    const named = this.#commands.filter((command) => !commands.includes(command));
    const unseen = this.#options.filter((option) => !shown.has(option));
    return [
      ...this.#head(),
      ...this.#table("Commands:", commands.map(commandRow)),
      ...this.#named("More commands", named.map((command) => command.name())),
      ...this.#table("Options:", [...shown].map(optionRow)),
      ...this.#named("More options", unseen.map(({ long }) => long!)),
      ...exampleLines(this.#told.examples.slice(0, MAX_EXAMPLES)),
      ...(about ? this.#told.about.flatMap((text) => ["", ...this.#wrap(text)]) : []),
    ];
  }

  #head(): string[] {
    const usage = this.#helper.commandUsage(this.#command);
    const summary = this.#command.description();
    const text = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}`;
    return [`Usage: ${usage}`, ...this.#wrap(text)];
  }

  #table(heading: string, rows: readonly Row[]): string[] {
    if (rows.length === 0) return [];
    const termWidth = Math.max(...rows.map(([term]) => term.length));
    const lines = rows.flatMap(([term, text]) => {
      const [first, ...rest] = this.#wrap(text, this.#width - termWidth - 4);
      const indent = " ".repeat(termWidth + 4);
      return [`  ${term.padEnd(termWidth)}  ${first}`, ...rest.map((line) => indent + line)];
    });
    return ["", heading, ...lines];
  }

  /** What there is no room to explain. */
  #named(heading: string, names: readonly string[]): string[] {
    if (names.length === 0) return [];
    const text = `${heading} (see --help-all): ${names.join(", ")}`;
    const [first, ...rest] = this.#wrap(text, this.#width - 2);
    return [first, ...rest.map((line) => `  ${line}`)];
  }

  #wrap(text: string, width = this.#width): string[] {
    return this.#helper.boxWrap(text, Math.max(MIN_WRAP, width)).split("\n");
  }
}

function headingOf({ helpGroupHeading }: Option): string {
  return helpGroupHeading ?? "Options:";
}

/** What goes first when there is too little room has the highest. */
function rankOf(option: Option): number {
  if (option.long === "--help") return -1;
  if (option.helpGroupHeading === GROUPS.common) return 3;
  if (option.helpGroupHeading === undefined) return 0;
  return USUAL.has(option.long!) ? 1 : 2;
}

function optionRow(option: Option): Row {
  return [termOf(option), explain(option)];
}

function commandRow(command: Command): Row {
  return [usageOf(command), command.description()];
}

function exampleLines(examples: readonly string[]): string[] {
  if (examples.length === 0) return [];
  const heading = examples.length === 1 ? "Example:" : "Examples:";
  return ["", heading, ...examples.map((line) => `  trove ${line}`)];
}
