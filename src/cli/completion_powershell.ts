/** Completions for PowerShell, on any system. Names of files it completes by itself. */
import { allCommands, type CommandNode, type OptionNode } from "./command_tree.ts";

export function powershellCompletions(tree: CommandNode): string {
  const commands = [...allCommands(tree)];
  return `# Completions of trove for PowerShell, made by: trove completions powershell
Register-ArgumentCompleter -Native -CommandName trove -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $commands = @{
${commands.slice(1).flatMap(pathLines).join("\n")}
  }
  $words = @{
${commands.map(wordsLine).join("\n")}
  }
  $path = ''
  $before = $commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition }
  $previous = ''
  foreach ($element in ($before | Select-Object -Skip 1)) {
    $previous = $element.ToString()
    $next = $commands["\${path}:$previous"]
    if ($next) { $path = $next }
  }
  $values = $words["\${path}:$previous"]
  if (-not $values) { $values = $words[$path] }
  $values | Where-Object { $_[0] -like "$wordToComplete*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_[0], $_[0], 'ParameterValue', $_[1])
  }
}
`;
}

/** How a word leads from one command to one below it. */
function pathLines({ path, names }: CommandNode): string[] {
  const before = path.slice(0, -1).join(" ");
  return names.map((name) => `    ${quoted(`${before}:${name}`)} = ${quoted(path.join(" "))}`);
}

/** What can come next, each with what it means; behind an option with choices, these. */
function wordsLine({ path, commands, options, argument }: CommandNode): string {
  const key = path.join(" ");
  const choices = argument?.kind === "choice" ? argument.choices : [];
  const rows = [
    ...commands.flatMap(({ names, summary }) => names.map((name) => [name, summary] as const)),
    ...choices.map((choice) => [choice, choice] as const),
    ...options.flatMap(({ names, text }) => names.map((name) => [name, text] as const)),
  ];
  return [`    ${quoted(key)} = ${table(rows)}`, ...options.flatMap((one) => valueLines(key, one))]
    .join("\n");
}

function valueLines(key: string, { names, value }: OptionNode): string[] {
  if (value?.kind !== "choice") return [];
  const rows = value.choices.map((choice) => [choice, choice] as const);
  return names.map((name) => `    ${quoted(`${key}:${name}`)} = ${table(rows)}`);
}

function table(rows: readonly (readonly [word: string, text: string])[]): string {
  return `@(${rows.map(([word, text]) => `,@(${quoted(word)}, ${quoted(text)})`).join("; ")})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
