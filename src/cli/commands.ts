/**
 * All commands, in the order in which the help lists them. Each is loaded when it is needed and not
 * before: what a command line does not ask for must not cost it time.
 */
import type { CommandLine } from "./command_line.ts";

type Add = (line: CommandLine) => void;

/** By name. */
export const COMMANDS: ReadonlyMap<string, () => Promise<Add>> = new Map([
  ["create", async () => (await import("./create.ts")).addCreate],
  ["share", async () => (await import("./share.ts")).addShare],
  ["clone", async () => (await import("./clone.ts")).addClone],
  ["pull", async () => (await import("./pull.ts")).addPull],
  ["mirror", async () => (await import("./mirror.ts")).addMirror],
  ["seed", async () => (await import("./seed.ts")).addSeed],
  ["sync", async () => (await import("./sync.ts")).addSync],
  ["serve", async () => (await import("./serve.ts")).addServe],
  ["status", async () => (await import("./status.ts")).addStatus],
  ["log", async () => (await import("./log.ts")).addLog],
  ["ls", async () => (await import("./ls.ts")).addLs],
  ["cat", async () => (await import("./cat.ts")).addCat],
  ["diff", async () => (await import("./diff.ts")).addDiff],
  ["put", async () => (await import("./change.ts")).addPut],
  ["rm", async () => (await import("./change.ts")).addRm],
  ["cp", async () => (await import("./change.ts")).addCp],
  ["mv", async () => (await import("./change.ts")).addMv],
  ["verify", async () => (await import("./verify.ts")).addVerify],
  ["repair", async () => (await import("./repair.ts")).addRepair],
  ["checkout", async () => (await import("./checkout.ts")).addCheckout],
  ["export", async () => (await import("./export.ts")).addExport],
  ["convert", async () => (await import("./convert.ts")).addConvert],
  ["keys", async () => (await import("./keys.ts")).addKeys],
  ["inspect", async () => (await import("./inspect.ts")).addInspect],
  ["purge", async () => (await import("./purge.ts")).addPurge],
  ["peers", async () => (await import("./peers.ts")).addPeers],
  ["doctor", async () => (await import("./doctor.ts")).addDoctor],
  ["completions", async () => (await import("./completions.ts")).addCompletions],
  ["man", async () => (await import("./man.ts")).addMan],
]);

/** Other names of commands. */
const ALIASES: ReadonlyMap<string, string> = new Map([["init", "create"]]);

/** Whether it is the name of a command. */
export function isCommand(name: string): boolean {
  return name === "help" || COMMANDS.has(name) || ALIASES.has(name);
}

/**
 * The commands that a command line is about: the one that it names, or all if it names none, for
 * somebody wants to know which there are. None where only the version is asked for.
 *
 * @param args Without the program's own name.
 */
export async function commandsFor([first = ""]: readonly string[]): Promise<Add[]> {
  if (first === "--version" || first === "-v") return [];
  const named = COMMANDS.get(ALIASES.get(first) ?? first);
  const loads = named === undefined ? [...COMMANDS.values()] : [named];
  return await Promise.all(loads.map((load) => load()));
}
