/** Completions for bash; version 3.2, which macOS has, will do. */
import { allCommands, type CommandNode, type ValueKind } from "./command_tree.ts";

export function bashCompletions(tree: CommandNode): string {
  const commands = [...allCommands(tree)];
  return `# Completions of trove for bash, made by: trove completions bash
_trove() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} path= i IFS=$' \\t\\n'
  # bash takes --option=value apart.
  if [ "$cur" = = ]; then cur=
  elif [ "$prev" = = ]; then prev=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path:\${COMP_WORDS[i]}" in
${commands.slice(1).map(pathCase).join("\n")}
    esac
  done
  local options= words= values=
  case "$path" in
${commands.map(commandCase).join("\n")}
  esac
  case "$cur" in -*) words=$options values= ;; esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  # Names of files may have blanks in them.
  IFS=$'\\n'
  case "$values" in
    file) compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- "$cur")) ;;
    folder) compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -d -- "$cur")) ;;
  esac
}
complete -F _trove trove
`;
}

/** How a word leads from one command to one below it. */
function pathCase({ path, names }: CommandNode): string {
  const before = quoted(path.slice(0, -1).join(" "));
  const patterns = names.map((name) => `${before}:${name}`);
  return `      ${patterns.join(" | ")}) path=${quoted(path.join(" "))} ;;`;
}

/** What can come next, in general and behind an option that takes a value. */
function commandCase({ path, commands, options, argument }: CommandNode): string {
  const behind = new Map<string, string[]>();
  for (const { names, value } of options) {
    if (value === undefined) continue;
    const text = valueText(value);
    behind.set(text, [...behind.get(text) ?? [], ...names]);
  }
  const words = commands.flatMap(({ names }) => names);
  return [
    `    ${quoted(path.join(" "))})`,
    `      options="${options.flatMap(({ names }) => names).join(" ")}"`,
    `      words="${words.join(" ")}"${
      argument === undefined ? "" : ` ${valueText(argument, words)}`
    }`,
    `      case "$prev" in`,
    ...[...behind].map(([text, names]) => `        ${names.join(" | ")}) ${text} options= ;;`),
    `      esac ;;`,
  ].join("\n");
}

function valueText(value: ValueKind, words: readonly string[] = []): string {
  if (value.kind === "choice") return `words="${[...words, ...value.choices].join(" ")}" values=`;
  const kept = words.length === 0 ? "words= " : "";
  return `${kept}values=${value.kind === "other" ? "" : value.kind}`;
}

function quoted(text: string): string {
  return `"${text}"`;
}
