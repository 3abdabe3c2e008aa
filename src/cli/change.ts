/** `trove put`, `rm`, `cp` and `mv`: changes of single paths, in an archive of one's own. */
import type { Command } from "commander";
import {
  type ChangeOptions,
  copyPath,
  movePath,
  putFile,
  removePaths,
} from "../app/change_folder.ts";
import { abortOnStop } from "../app/stop_signals.ts";
import { UsageError } from "../base/errors.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import { tell } from "./help.ts";
import type { CommandContext, CommonOptions } from "./context.ts";
import { addDirOption } from "./options.ts";

interface ChangeCommandOptions extends CommonOptions {
  readonly dir?: string;
  readonly recursive?: boolean;
}

const ABOUT =
  "The change is made in the folder and in the archive. (A trove share that runs takes " +
  "in by itself what is done in the folder.) Paths are those of files on disk or, with --dir, from " +
  "the archive's root on.";

export function addPut({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "put <path> [file]",
    summary: "put a file into an archive of your own; from stdin if no file is named",
    examples: ["put photos/2024/a.jpg ~/a.jpg", "put photos/last.txt < last.txt"],
  });
  finish(command).action((path: string, file: string | undefined, options: ChangeCommandOptions) =>
    perform(options, (context) =>
      run(options, context, (run) => {
        if (file === undefined && context.world.stdin.isTerminal) {
          throw new UsageError(`Cannot tell what to put at "${path}"`, {
            hint: "name a file, or pipe its bytes to this command",
          });
        }
        return putFile(path, file === "-" ? undefined : file, run);
      }))
  );
}

export function addRm({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "rm <path...>",
    summary: "remove files from an archive of your own, and from its folder",
    examples: ["rm photos/draft.txt", "rm -r photos/2019"],
  });
  finish(command)
    .option("-r, --recursive", "folders too, with all that is in them")
    .action((paths: readonly string[], options: ChangeCommandOptions) =>
      perform(
        options,
        (context) =>
          run(options, context, (run) =>
            removePaths(paths, { ...run, recursive: options.recursive === true })),
      )
    );
}

export function addCp({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "cp <from> <to>",
    summary: "copy a file within an archive of your own",
    examples: ["cp photos/a.jpg photos/b.jpg"],
  });
  finish(command).action((from: string, to: string, options: ChangeCommandOptions) =>
    perform(options, (context) => run(options, context, (run) => copyPath(from, to, run)))
  );
}

export function addMv({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "mv <from> <to>",
    summary: "rename a file or a folder of an archive of your own",
    examples: ["mv photos/2019 photos/old"],
  });
  finish(command).action((from: string, to: string, options: ChangeCommandOptions) =>
    perform(options, (context) => run(options, context, (run) => movePath(from, to, run)))
  );
}

function finish(command: Command): Command {
  tell(command, { about: [ABOUT] });
  return addDirOption(command);
}

async function run(
  { dir }: ChangeCommandOptions,
  { world, output }: CommandContext,
  change: (options: ChangeOptions) => Promise<void>,
): Promise<void> {
  using stop = abortOnStop(world, "Stopped before the change was in the archive");
  await change({ world, dir, signal: stop.signal, emit: (event) => output.emit(event) });
}
