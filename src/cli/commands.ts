/** All commands, in the order in which the help lists them. */
import { addClone } from "./clone.ts";
import type { CommandLine } from "./command_line.ts";
import { addLs } from "./ls.ts";
import { addShare } from "./share.ts";
import { addStatus } from "./status.ts";

export const COMMANDS: readonly ((line: CommandLine) => void)[] = [
  addShare,
  addClone,
  addStatus,
  addLs,
];
