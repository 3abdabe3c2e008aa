/**
 * Options by which dat 13 and dat 14 call what is done here anyway, or what another option does. They
 * are taken so that command lines go on working, and left out of the help: `docs/commands.md` has
 * them.
 *
 * Source: spec of the command lines, sections 1 and 2.
 */
import { type Command, Option } from "commander";

function addHidden(command: Command, flags: readonly string[]): Command {
  for (const text of flags) command.addOption(new Option(text).hideHelp());
  return command;
}

/** Of commands that meet peers: all of them speak TCP, and who is met is always told. */
export function addDatPeerOptions(command: Command): Command {
  return addHidden(command, ["--utp", "--no-utp", "--sources"]);
}

/** Of commands that import: what is done if nothing is said, and another spelling. */
export function addDatImportOptions(command: Command): Command {
  return addHidden(command, ["--import", "--watch", "--ignoreHidden", "--no-ignoreHidden"]);
}

/** Of commands that download: the link is always printed, and peers are served if nothing is said. */
export function addDatDownloadOptions(command: Command): Command {
  return addHidden(command, ["-k, --show-key", "--upload", "--selectFromFile <file>"]);
}

/** Of `clone`, which ends when it is done: what geniza and dat call `--history` and `--sparse`, too. */
export function addDatCloneOptions(command: Command): Command {
  return addHidden(command, ["--exit", "--no-exit", "--empty", "--full"]);
}
