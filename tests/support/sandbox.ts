/**
 * The narrowest Deno permissions for each command: the folders that its arguments name, `~/.dat`, the
 * hosts that it has to do with, and nothing where it needs nothing. `docs/reliability.md` has them as
 * a table.
 */
import { existsSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";

/** What a command needs. */
interface Needs {
  /** Whether it changes files. */
  readonly writes: boolean;
  /** Whether it may talk to peers. */
  readonly net: boolean;
}

const LOCAL: Needs = { writes: false, net: false };
const CHANGING: Needs = { writes: true, net: false };
const PEERS: Needs = { writes: true, net: true };

export const COMMAND_NEEDS: Readonly<Record<string, Needs>> = {
  status: LOCAL,
  ls: LOCAL,
  log: LOCAL,
  cat: LOCAL,
  diff: LOCAL,
  verify: LOCAL,
  inspect: LOCAL,
  create: CHANGING,
  checkout: CHANGING,
  convert: CHANGING,
  export: CHANGING,
  keys: CHANGING,
  share: PEERS,
  clone: PEERS,
  pull: PEERS,
  sync: PEERS,
  download: PEERS,
  seed: PEERS,
  mirror: PEERS,
  repair: PEERS,
  doctor: PEERS,
};

/** Options whose value is a file that is written anew: it is put together beside its place. */
const FILE_OPTIONS = ["--output", "-o", "--report"];

/**
 * The flags for a command line.
 *
 * @param options.usual Those of the task: what is no permission for files or network is taken over.
 */
export function narrowFlags(
  args: readonly string[],
  { usual, home, cwd }: { usual: readonly string[]; home: string; cwd: string },
): string[] {
  const needs = COMMAND_NEEDS[args.find((arg) => !arg.startsWith("-")) ?? ""] ?? LOCAL;
  const named = args.flatMap((arg, n) => pathsOf(args, arg, n, cwd));
  // What a path in an archive looks like on disk is nobody's business, least of all the top of it.
  const own = [".dat", ".cache"].map((name) => resolve(home, name));
  const paths = [...own, archiveAbove(cwd), ...named.filter((path) => path !== "/")];
  const list = [...new Set(paths)].map((path) => path.replaceAll(",", ",,")).join(",");
  return [
    ...usual.filter((flag) => !/^--allow-(read|write|net|sys)/.test(flag)),
    `--allow-read=${list}`,
    ...(needs.writes ? [`--allow-write=${list}`, "--allow-sys=networkInterfaces,statfs"] : []),
    ...(needs.net ? [args.some(isName) ? "--allow-net" : "--allow-net=127.0.0.1,[::1]"] : []),
  ];
}

/** Whether an archive is asked for by a name: servers all over are asked for that. */
function isName(arg: string): boolean {
  return /^(dat:\/\/)?[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}([/?#+].*)?$/i.test(arg);
}

/** The archive's folder that a folder lies in; else the folder itself. */
function archiveAbove(folder: string): string {
  for (let at = folder; dirname(at) !== at; at = dirname(at)) {
    if (existsSync(resolve(at, ".dat"))) return at;
  }
  return folder;
}

function pathsOf(args: readonly string[], arg: string, n: number, cwd: string): string[] {
  const value = arg.startsWith("--") ? /^--[a-z-]+=(.+)$/.exec(arg)?.[1] : arg;
  if (n === 0 || value === undefined || /^(dat|https?|ws):\/\//.test(value)) return [];
  if (!isAbsolute(value) && (value.startsWith("-") || value.includes(":"))) return [];
  const path = resolve(cwd, value);
  return FILE_OPTIONS.includes(args[n - 1]) ? [path, dirname(path)] : [path];
}
