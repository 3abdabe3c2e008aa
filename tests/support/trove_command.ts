/** How trove is started: Deno, its flags, the main module. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { narrowFlags } from "./sandbox.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const NARROW_MAIN = `${ROOT}tests/support/narrow_main.ts`;

/** Where it is started. */
interface Place {
  readonly home: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The Deno flags of the task that runs trove, so that tests run with its permissions. */
function troveFlags(): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`));
  const task: string = tasks.trove.command ?? tasks.trove;
  return task.split(/\s+/).filter((word) => word.startsWith("-"));
}

/**
 * What to put in front of trove's arguments to run it as its task does; with TROVE_TEST_SANDBOX set
 * as narrowly as its arguments allow.
 *
 * @param main Another main module, from the project's folder or absolute.
 * @param flags Other flags for Deno than those of the task.
 */
export function troveCommand(main?: string, flags?: readonly string[]): string[] {
  if (isNarrow() && main === undefined && flags === undefined) {
    return [Deno.execPath(), "run", "-A", "--no-check", NARROW_MAIN];
  }
  return [Deno.execPath(), "run", ...flags ?? troveFlags(), resolve(ROOT, main ?? "main.ts")];
}

/** The whole command, with the narrowest permissions. */
export function narrowCommand(args: readonly string[], options: Place): string[] {
  return [...troveCommand("main.ts", narrowed(args, options)), ...args];
}

function isNarrow(): boolean {
  return Deno.env.get("TROVE_TEST_SANDBOX") === "1";
}

/**
 * The permissions for a command line: those of the task; with TROVE_TEST_SANDBOX set the narrowest.
 * A program that is put in front, or a caller that sets its own flags, is left alone.
 */
export function flagsFor(args: readonly string[], options: Place): string[] {
  return isNarrow() ? narrowed(args, options) : troveFlags();
}

function narrowed(args: readonly string[], { home, cwd, env = {} }: Place): string[] {
  return narrowFlags(args, { usual: troveFlags(), home, cwd: cwd ?? Deno.cwd(), env });
}
