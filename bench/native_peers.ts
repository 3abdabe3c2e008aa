/**
 * Real peers at their best: in Node, with native crypto. The programs are those of tests/peers; the
 * packages are installed once into a cache folder that no repository sees.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Process, type ProcessOptions, startProgram } from "../tests/support/processes.ts";

const BENCH = fileURLToPath(new URL(".", import.meta.url));
const CACHE = join(BENCH, ".cache", "peers");
const PROGRAMS = join(BENCH, "..", "tests", "peers");

/** Written last, so that an interrupted installation is done again. */
const STAMP = join(CACHE, "installed");

/** Install the packages if the lock file is not the one that was installed from. */
export async function installNativePeers(): Promise<void> {
  const lock = Deno.readTextFileSync(join(BENCH, "peers", "package-lock.json"));
  if (readIfThere(STAMP) !== lock) {
    copyFolder(join(BENCH, "peers"), CACHE);
    const npm = new Deno.Command("npm", {
      args: ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
      cwd: CACHE,
      stdout: "null",
    });
    if (!(await npm.output()).success) throw new Error(`Cannot install the peers in "${CACHE}"`);
    Deno.writeTextFileSync(STAMP, lock);
  }
  for (const program of ["common", "share_folder", "clone_folder", "read_files"]) {
    Deno.copyFileSync(join(PROGRAMS, `${program}.js`), join(CACHE, `${program}.js`));
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyFolder(join(from, name), join(to, name));
    else Deno.copyFileSync(join(from, name), join(to, name));
  }
}

/** Start a peer program in Node. */
export function nativePeer(
  program: "share_folder" | "clone_folder" | "read_files",
  args: readonly string[],
  options: ProcessOptions,
): Promise<Process> {
  const command = ["node", "--no-deprecation", join(CACHE, `${program}.js`), ...args];
  return startProgram(program, command, { ...options, stdin: "piped" });
}
