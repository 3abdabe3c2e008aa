/** All commands, in the order in which the help lists them. */
import { addCat } from "./cat.ts";
import { addCheckout } from "./checkout.ts";
import { addClone } from "./clone.ts";
import type { CommandLine } from "./command_line.ts";
import { addConvert } from "./convert.ts";
import { addCreate } from "./create.ts";
import { addDiff } from "./diff.ts";
import { addDoctor } from "./doctor.ts";
import { addExport } from "./export.ts";
import { addInspect } from "./inspect.ts";
import { addKeys } from "./keys.ts";
import { addLog } from "./log.ts";
import { addLs } from "./ls.ts";
import { addMirror } from "./mirror.ts";
import { addPull } from "./pull.ts";
import { addRepair } from "./repair.ts";
import { addSeed } from "./seed.ts";
import { addShare } from "./share.ts";
import { addStatus } from "./status.ts";
import { addSync } from "./sync.ts";
import { addVerify } from "./verify.ts";

export const COMMANDS: readonly ((line: CommandLine) => void)[] = [
  addCreate,
  addShare,
  addClone,
  addPull,
  addMirror,
  addSeed,
  addSync,
  addStatus,
  addLog,
  addLs,
  addCat,
  addDiff,
  addVerify,
  addRepair,
  addCheckout,
  addExport,
  addConvert,
  addKeys,
  addInspect,
  addDoctor,
];
