/**
 * The narrowest Deno permissions for each command: the folders that its arguments name, `~/.dat`, the
 * hosts that it has to do with, and nothing where it needs nothing. `docs/reliability.md` has them as
 * a table.
 */
import { existsSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The modules of a program that runs from its source are read when they are needed. */
const SOURCE = fileURLToPath(new URL("../../src", import.meta.url));

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
  put: CHANGING,
  rm: CHANGING,
  cp: CHANGING,
  mv: CHANGING,
  purge: CHANGING,
  share: PEERS,
  clone: PEERS,
  pull: PEERS,
  sync: PEERS,
  download: PEERS,
  seed: PEERS,
  serve: PEERS,
  peers: PEERS,
  mirror: PEERS,
  repair: PEERS,
  doctor: PEERS,
};

const SYSTEM = "--allow-sys=networkInterfaces,statfs";

/** Options whose value is a file that is written anew: it is put together beside its place. */
const FILE_OPTIONS = ["--output", "-o", "--report"];

/** Where a process is started. */
export interface Surroundings {
  /** The flags of the task: what is no permission for files or network is taken over. */
  readonly usual: readonly string[];
  readonly home: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The flags for a command line. */
export function narrowFlags(
  args: readonly string[],
  { usual, home, cwd, env }: Surroundings,
): string[] {
  const command = args.find((arg) => !arg.startsWith("-")) ?? "";
  const usualNeeds = COMMAND_NEEDS[command] ?? LOCAL;
  const isBorrowed = (!usualNeeds.net || command === "serve") &&
    args.some((arg) => arg.startsWith("dat://"));
  const needs = isBorrowed ? PEERS : usualNeeds;
  const named = args.flatMap((arg, n) => pathsOf(args, arg, n, cwd));
  // What is fetched for a link in the place of a folder lies where temporary files belong.
  if (isBorrowed || args.includes("--self-test")) {
    named.push(env.TMPDIR ?? Deno.env.get("TMPDIR") ?? "/tmp");
  }
  // What a path in an archive looks like on disk is nobody's business, least of all the top of it.
  const own = [resolve(home, ".dat"), env.XDG_CACHE_HOME ?? resolve(home, ".cache")];
  const paths = [...own, archiveAbove(cwd), ...named.filter((path) => path !== "/")];
  return [
    ...usual.filter((flag) => !/^--allow-(read|write|net|sys)/.test(flag)),
    `--allow-read=${listed([...paths, SOURCE])}`,
    ...(needs.writes ? [`--allow-write=${listed(paths)}`, SYSTEM] : []),
    ...(needs.net ? [networkFlag(args, env)] : []),
  ];
}

/**
 * The hosts that tests have their peers on; all of our own, where peers may come from anywhere; and
 * everything where peers are searched, or servers are asked for a name.
 */
function networkFlag(args: readonly string[], env: Readonly<Record<string, string>>): string {
  const { TROVE_DISCOVERY: discovery = "none", TROVE_HOST: host } = env;
  const isSearching = discovery !== "none" || args.some((arg) => /^--discovery(=|$)/.test(arg));
  if (isSearching || args.some(isName)) return "--allow-net";
  const isBound = host !== undefined || args.some((arg) => /^--host(=|$)/.test(arg));
  return `--allow-net=127.0.0.1,[::1]${isBound ? "" : ",0.0.0.0,[::]"}`;
}

/** As the flags take them, which have no way to write a comma in a path. */
function listed(paths: readonly string[]): string {
  return [...new Set(paths)].join(",");
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
  if (!isAbsolute(value) && /^-|[:,=]/.test(value)) return []; // an address, a list, a setting
  const path = resolve(cwd, value);
  // A file of an archive is read by what the archive says of it.
  return FILE_OPTIONS.includes(args[n - 1]) ? [path, dirname(path)] : [path, archiveAbove(path)];
}
