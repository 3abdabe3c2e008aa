/** Completions for fish. */
import { allCommands, type CommandNode, type ValueKind } from "./command_tree.ts";

export function fishCompletions(tree: CommandNode): string {
  const commands = [...allCommands(tree)];
  return `# Completions of trove for fish, made by: trove completions fish
function __trove_path
    set -l path
    for word in (commandline -opc)[2..-1]
        switch "$path:$word"
${commands.slice(1).map(pathCase).join("\n")}
        end
    end
    echo "$path"
end

function __trove_at
    test (__trove_path) = "$argv[1]"
end

complete -c trove -f
${commands.flatMap(linesOf).join("\n")}
`;
}

function pathCase({ path, names }: CommandNode): string {
  const before = path.slice(0, -1).join(" ");
  const patterns = names.map((name) => quoted(`${before}:${name}`));
  return `            case ${patterns.join(" ")}\n                set path ${
    quoted(path.join(" "))
  }`;
}

function linesOf({ path, commands, options, argument }: CommandNode): string[] {
  const start = `complete -c trove -n ${quoted(`__trove_at ${quoted(path.join(" "))}`)}`;
  const lines = commands.flatMap(({ names, summary }) =>
    names.map((name) => `${start} -a ${name} -d ${quoted(summary)}`)
  );
  for (const { names, text, value } of options) {
    const flags = names.map((name) =>
      name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`
    );
    const taken = value === undefined ? "" : ` ${valueText(value)}`;
    lines.push(`${start} ${flags.join(" ")}${taken} -d ${quoted(text)}`);
  }
  if (argument?.kind === "choice") lines.push(`${start} -a ${quoted(argument.choices.join(" "))}`);
  if (argument?.kind === "file") lines.push(`${start} -F`);
  if (argument?.kind === "folder") lines.push(`${start} -a '(__fish_complete_directories)'`);
  return lines;
}

/** What an option takes. */
function valueText(value: ValueKind): string {
  switch (value.kind) {
    case "choice":
      return `-x -a ${quoted(value.choices.join(" "))}`;
    case "file":
      return "-r -F";
    case "folder":
      return "-x -a '(__fish_complete_directories)'";
    case "other":
      return "-x";
  }
}

function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&")}'`;
}
