/**
 * The manual page, in the macros of man(7). Options that many commands have stand in it once.
 */
import { allCommands, type CommandNode, type OptionNode } from "./command_tree.ts";
import { GROUPS } from "./help.ts";

const DESCRIPTION = [
  "trove is a Dat peer: it makes archives of folders, serves them to whoever has their link, and " +
  "fetches archives from whichever peers have them, every byte verified.",
  "A link is 64 hex digits, alone or behind dat://, with +VERSION behind it for one version; or a " +
  "name such as example.org; or a folder that holds an archive. Folders that are not named are " +
  "the current one.",
];

/** Source: `exit_codes.ts`. */
const EXITS: readonly (readonly [code: string, meaning: string])[] = [
  ["0", "done; or a command that serves was asked to stop"],
  ["1", "anything unforeseen"],
  ["2", "the command line asks for the impossible"],
  ["3", "nobody was found or reachable"],
  ["4", "peers were there, but not everything could be had in time"],
  ["5", "data does not match the signed tree"],
  ["6", "the disk is full, unreadable or unwritable"],
  ["7", "another process has this archive open for writing"],
  ["8", "two signed histories for one key"],
  ["9", "no archive, path or version there"],
  ["130, 143", "SIGINT or SIGTERM ended a command that had not finished its job"],
];

const FILES: readonly (readonly [path: string, meaning: string])[] = [
  [".dat/", "in an archive's folder: hashes, signatures and what is kept of older versions"],
  [".datignore", "in the folder: patterns of what is left out of the archive"],
  ["dat.json", "in the folder: title, description and link"],
  ["~/.dat/secret_keys/", "the keys without which nobody can change an archive"],
];

/** What the values of shared options can come from instead. */
function environment(options: readonly OptionNode[]): (readonly [string, string])[] {
  const rows: [string, string][] = [];
  for (const { names, value, group } of options) {
    const name = names.at(-1)!;
    if (group !== GROUPS.peers || name.startsWith("--no-") || name === "--stdio") continue;
    const variable = `TROVE_${name.slice(2).toUpperCase().replaceAll("-", "_")}`;
    rows.push([variable, `the same as ${name}${value === undefined ? ": 1 or 0" : ""}`]);
  }
  rows.push([
    "TROVE_SECRET_KEY",
    "the secret key that trove share uses, as trove keys export has it",
  ]);
  rows.push(["NO_COLOR", "if it is not empty, no colours are used"]);
  return rows;
}

export function manPage(tree: CommandNode): string {
  const commands = [...allCommands(tree)].slice(1);
  const shared = new Map<string, Map<string, OptionNode>>();
  for (const option of commands.flatMap(({ options }) => options)) {
    if (option.group === undefined) continue;
    shared.getOrInsertComputed(option.group, () => new Map()).getOrInsert(option.term, option);
  }
  const groupOf = (heading: string) => [...shared.get(heading)?.values() ?? []];
  const lines = [
    ".TH TROVE 1",
    ".SH NAME",
    "trove \\- share folders as dat:// archives, and clone them",
    ".SH SYNOPSIS",
    ".B trove",
    ".I command",
    "[options] [arguments]",
    ".SH DESCRIPTION",
    ...DESCRIPTION.flatMap((text) => [".PP", escaped(text)]),
    ".SH COMMANDS",
    ...commands.flatMap(commandLines),
    ".SH OPTIONS",
    "Every command has these:",
    ...optionLines(groupOf(GROUPS.common)),
    ...optionLines(tree.options),
    ".SS Of commands that meet peers",
    ...optionLines(groupOf(GROUPS.peers)),
    ".SS Of commands that download into a folder",
    ...optionLines(groupOf(GROUPS.files)),
    ".SH ENVIRONMENT",
    "An option wins over its variable.",
    ...environment(groupOf(GROUPS.peers)).flatMap(([name, text]) => item(name, text)),
    ".SH EXIT STATUS",
    ...EXITS.flatMap(([code, text]) => item(code, text)),
    ".SH FILES",
    ...FILES.flatMap(([path, text]) => item(path, text)),
    ".SH EXAMPLES",
    ...exampleLines(tree.examples),
  ];
  return `${lines.join("\n")}\n`;
}

function commandLines(
  { usage, path, names, summary, options, examples, about }: CommandNode,
): string[] {
  const own = options.filter(({ group, names }) => group === undefined && !isHelp(names));
  const has = (heading: string) => options.some(({ group }) => group === heading);
  const kinds = [
    ...(has(GROUPS.peers) ? ["meet peers"] : []),
    ...(has(GROUPS.files) ? ["download into a folder"] : []),
  ];
  const others = names.slice(1).map((name) => `trove ${[...path.slice(0, -1), name].join(" ")}`);
  return [
    `.SS ${escaped(usage)}`,
    escaped(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`.replace(/\?\.$/, "?")),
    ...others.map((name) => escaped(`The same is ${name}.`)),
    ...(kinds.length === 0
      ? []
      : [escaped(`It takes the options of commands that ${kinds.join(" and ")}.`)]),
    ...about.flatMap((text) => text.split("\n").flatMap((line) => [".PP", escaped(line)])),
    ...optionLines(own),
    ...exampleLines(examples),
  ];
}

function isHelp(names: readonly string[]): boolean {
  return names.includes("--help") || names.includes("--help-all");
}

function optionLines(options: readonly OptionNode[]): string[] {
  return options.flatMap(({ term, text }) => item(term, text));
}

function item(term: string, text: string): string[] {
  return [".TP", `.B ${escaped(term)}`, escaped(text)];
}

function exampleLines(examples: readonly string[]): string[] {
  if (examples.length === 0) return [];
  return [".PP", ".EX", ...examples.map((line) => escaped(`trove ${line}`)), ".EE"];
}

/** Hyphens are to be copied as such, and no line may begin with what a macro begins with. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^(?=[.'])/, "\\&");
}
