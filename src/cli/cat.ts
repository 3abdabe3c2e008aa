/** `trove cat <path>...` */
import { type ChosenFile, ChosenFiles, hashFile } from "../app/read_files.ts";
import { addCommand, type CommandLine } from "./command_line.ts";
import type { CommandContext, CommonOptions } from "./context.ts";
import { addDirOption, addVersionOption } from "./options.ts";

interface CatOptions extends CommonOptions {
  readonly version?: number;
  readonly dir?: string;
}

export function addCat({ program, perform }: CommandLine): void {
  const command = addCommand(program, {
    usage: "cat <path...>",
    summary: "print files of a version",
    examples: [
      "cat photos/notes.txt",
      "cat notes.txt --version 12 > old.txt   # if its bytes are still here",
    ],
    about: [
      "Nothing is printed that was not verified. With --json, it is each file's SHA-256 " +
      "that is printed, and not its bytes.",
    ],
  });
  addVersionOption(addDirOption(command))
    .action((paths: string[], options: CatOptions) =>
      perform(options, (context) => cat(paths, options, context))
    );
}

function cat(paths: readonly string[], options: CatOptions, context: CommandContext): void {
  const { world, output } = context;
  using chosen = new ChosenFiles(paths, { world, dir: options.dir, version: options.version });
  for (const file of chosen.files) {
    const heard = output.json ? output.record("cat", recordOf(file)) : print(file, context);
    if (!heard) return;
  }
}

/** Answers false when nobody reads any more. */
function print({ view, file }: ChosenFile, { output }: CommandContext): boolean {
  for (const bytes of view.read(file)) {
    if (!output.bytes(bytes)) return false;
  }
  return true;
}

function recordOf(chosen: ChosenFile): object {
  const { path, stat, seq } = chosen.file;
  const { size, mode, mtime, blocks, offset } = stat;
  const sha256 = hashFile(chosen);
  return { path, size, mode, mtime, blocks, offset, version: seq, sha256 };
}
