/** `trove completions <shell>` */
import { Argument } from "commander";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommonOptions } from "./context.ts";
import type { CommandNode } from "./command_tree.ts";

/** By shell, each loaded when it is asked for. */
const SHELLS: Readonly<Record<string, () => Promise<(tree: CommandNode) => string>>> = {
  bash: async () => (await import("./completion_bash.ts")).bashCompletions,
  zsh: async () => (await import("./completion_zsh.ts")).zshCompletions,
  fish: async () => (await import("./completion_fish.ts")).fishCompletions,
  powershell: async () => (await import("./completion_powershell.ts")).powershellCompletions,
};

export function addCompletions(line: CommandLine): void {
  addCommand(line.program, {
    usage: "completions",
    summary: "print what makes a shell complete trove's commands",
    examples: [
      "completions bash > ~/.local/share/bash-completion/completions/trove",
      "completions zsh > ~/.zfunc/_trove     # a folder that is in $fpath",
      "completions fish > ~/.config/fish/completions/trove.fish",
      "completions powershell >> $PROFILE",
    ],
  })
    .addArgument(new Argument("<shell>").choices(Object.keys(SHELLS)))
    .action((shell: string, options: CommonOptions) =>
      line.perform(options, async ({ output }) => {
        const { commandTree } = await import("./command_tree.ts");
        const script = (await SHELLS[shell]())(await commandTree(line));
        if (output.json) output.record("completions", { shell, script });
        else output.result(script.trimEnd());
      })
    );
}
