/** Completions for zsh. */
import { allCommands, type CommandNode, type OptionNode, type ValueKind } from "./command_tree.ts";

export function zshCompletions(tree: CommandNode): string {
  const functions = [...allCommands(tree)].map(functionOf);
  return `#compdef trove
# Completions of trove for zsh, made by: trove completions zsh

${functions.join("\n\n")}

# Read as a file of $fpath, or by: source <(trove completions zsh)
if [ "$funcstack[1]" = _trove ]; then _trove "$@"; else compdef _trove trove; fi
`;
}

function functionOf({ path, options, commands, argument }: CommandNode): string {
  const specs = options.flatMap(optionSpecs);
  if (commands.length === 0) {
    if (argument !== undefined) specs.push(quoted(`*: :${actionOf(argument)}`));
    return `${nameOf(path)}() {\n  _arguments -s \\\n    ${specs.join(" \\\n    ")}\n}`;
  }
  const described = commands.flatMap(({ names, summary }) =>
    names.map((name) => quoted(`${name}:${summary.replaceAll(":", "\\:")}`))
  );
  const cases = commands.map(({ names, path }) => `        ${names.join("|")}) ${nameOf(path)} ;;`);
  const others = argument === undefined ? "" : `\n      ${actionOf(argument)}`;
  return `${nameOf(path)}() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -s -C \\
    ${[...specs, "'1: :->command'", "'*:: :->rest'"].join(" \\\n    ")}
  case $state in
    command)
      local -a commands
      commands=(
        ${described.join("\n        ")}
      )
      _describe -t commands command commands${others} ;;
    rest)
      case $words[1] in
${cases.join("\n")}
      esac ;;
  esac
}`;
}

function nameOf(path: readonly string[]): string {
  return ["_trove", ...path].join("_");
}

/** Every option can come again: some may, and the others do no harm. */
function optionSpecs({ names, text, value }: OptionNode): string[] {
  const about = text.replace(/[[\]\\]/g, "\\$&");
  const action = value === undefined ? "" : `: :${actionOf(value)}`;
  return names.map((name) => quoted(`*${name}[${about}]${action}`));
}

function actionOf(value: ValueKind): string {
  switch (value.kind) {
    case "choice":
      return `(${value.choices.join(" ")})`;
    case "file":
      return "_files";
    case "folder":
      return "_files -/";
    case "other":
      return " ";
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
