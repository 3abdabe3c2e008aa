/** `trove man` */
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommonOptions } from "./context.ts";

export function addMan(line: CommandLine): void {
  addCommand(line.program, {
    usage: "man",
    summary: "print the manual page",
    examples: ["man | man -l -", "man > ~/.local/share/man/man1/trove.1"],
  })
    .action((options: CommonOptions) =>
      line.perform(options, async ({ output }) => {
        const { commandTree } = await import("./command_tree.ts");
        const { manPage } = await import("./man_page.ts");
        const page = manPage(await commandTree(line));
        if (output.json) output.record("man", { page });
        else output.result(page.trimEnd());
      })
    );
}
