/** `trove purge [dir]` */
import { lookBeforePurge, purge as purgeArchive } from "../app/purge_archive.ts";
import { UsageError } from "../base/errors.ts";
import { printable } from "../base/format.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext, CommonOptions } from "./context.ts";
import { addDirOption, chosenFolder } from "./options.ts";

interface PurgeOptions extends CommonOptions {
  readonly dir?: string;
  readonly yes?: boolean;
}

export function addPurge({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "purge [dir]",
    summary: "make an archive's folder a plain one: .dat goes, files and secret keys stay",
    examples: ["purge photos", "purge photos --yes"],
  });
  addDirOption(command)
    .option("-y, --yes", "do not ask")
    .action((dir: string | undefined, options: PurgeOptions) =>
      perform(options, (context) => purge(chosenFolder(dir, options), options, context))
    );
}

async function purge(
  dir: string | undefined,
  { yes, input }: PurgeOptions,
  { world: { stdin, stderr }, output, world }: CommandContext,
): Promise<void> {
  const found = lookBeforePurge(dir, world);
  if (!yes) {
    if (input === false || output.json || !stdin.isTerminal || !stderr.isTerminal) {
      throw new UsageError(`Cannot purge "${found.dir}" without being sure`, {
        hint: "add --yes",
      });
    }
    const own = found.owned ? " It is your own: without it nothing can be added any more." : "";
    const answer = await stdin.readLine(
      `Remove ${printable(found.dat)} of ${found.link}?${own} (yes or no) `,
    );
    if (!/^y(es)?$/i.test(answer?.trim() ?? "")) {
      output.say("Nothing was removed");
      return;
    }
  }
  purgeArchive(found);
  if (output.json) output.record("purge", { dir: found.dir, link: found.link });
  else output.say(`Purged: ${printable(found.dir)} is a plain folder now`);
}
