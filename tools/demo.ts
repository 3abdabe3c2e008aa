/**
 * trove in one minute: one process shares a folder, a second one clones it over TCP on loopback.
 *
 * deno task demo [folder]
 *
 * Without an argument the folder is a copy of this project's own docs/ and src/. A folder that is no
 * archive yet is left as it was: its new `.dat` and secret key go when the demo ends.
 */
import { cpSync, existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Exit, type Process, trove } from "../tests/support/processes.ts";
import { cloneArguments } from "../tests/support/sharing.ts";
import { TempFolder } from "../tests/support/temp.ts";
import { differences, digestTree, type TreeDigest } from "../tests/support/trees.ts";

const PROJECT = fileURLToPath(new URL("../", import.meta.url));
const BAR_WIDTH = 30;

/** Print a fact with its name in a column of its own. */
function tell(name: string, fact: string): void {
  console.log(`${name.padEnd(10)}${fact}`);
}

/** Bytes the way people write them: MB = 10^6 bytes. */
function amount(bytes: number): string {
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(1)} ${unit}`;
  }
  return `${bytes} bytes`;
}

function count(files: number): string {
  return files === 1 ? "1 file" : `${files} files`;
}

/** The folder to share, and where its secret key belongs. */
function prepareFolder(argument: string | undefined, temp: TempFolder) {
  const throwaway = temp.folder("home-of-sharer");
  if (argument === undefined) {
    const folder = temp.folder("shared");
    for (const part of ["docs", "src"]) {
      cpSync(join(PROJECT, part), join(folder, part), { recursive: true });
    }
    return { folder, home: throwaway, remove: undefined };
  }
  const folder = resolve(argument);
  if (!existsSync(folder)) throw new Error(`Cannot share "${folder}": there is no such folder`);
  const archive = join(folder, ".dat");
  // An archive that is there already has its key at home; a new one is ours to take away again.
  if (existsSync(archive)) return { folder, home: Deno.env.get("HOME")!, remove: undefined };
  return { folder, home: throwaway, remove: archive };
}

/** Draw how far the clone is: one line again and again on a terminal, else now and then a line. */
function drawProgress(bytes: number, total: number, rate: number): void {
  const share = total === 0 ? 0 : Math.min(1, bytes / total);
  const filled = Math.round(share * BAR_WIDTH);
  const bar = "#".repeat(filled) + "-".repeat(BAR_WIDTH - filled);
  const line = `${"cloning".padEnd(10)}[${bar}] ${(100 * share).toFixed(0).padStart(3)}%  ` +
    `${amount(bytes)} of ${amount(total)}, ${amount(rate)}/s`;
  const text = Deno.stdout.isTerminal() ? `\r${line}\x1b[K` : `${line}\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

/** Show what the cloner says until it ends. */
async function watchClone(cloner: Process): Promise<Exit> {
  let last = { bytes: 0, bytesTotal: 0, downRate: 0 };
  for await (const line of cloner.follow()) {
    if (line.event === "progress") {
      last = { ...last, ...line };
      drawProgress(last.bytes, last.bytesTotal, last.downRate);
    } else if (line.event === "synced") {
      drawProgress(line.bytes, line.bytes, line.seconds > 0 ? line.bytes / line.seconds : 0);
      if (Deno.stdout.isTerminal()) console.log();
      const rate = amount(line.bytes / line.seconds);
      tell(
        "cloned",
        `${count(line.files)}, ${amount(line.bytes)} in ${line.seconds} s (${rate}/s)`,
      );
      tell("verified", "every block, against the archive's public key");
    }
  }
  return await cloner.exit;
}

/** Files that are not shared by design: hidden ones, and what a `.datignore` names. */
function mayBeLeftOut(path: string, tree: TreeDigest): boolean {
  return tree.has(".datignore") || path.split("/").some((part) => part.startsWith("."));
}

/** Compare and say so. Gives whether the clone is what was shared. */
function compare(folder: string, copy: string): boolean {
  const shared = digestTree(folder);
  const cloned = digestTree(copy);
  const expected = new Map(
    [...shared].filter(([path]) => cloned.has(path) || !mayBeLeftOut(path, shared)),
  );
  const leftOut = shared.size - expected.size;
  const lines = differences(cloned, expected);
  for (const line of lines) tell("DIFFERS", line);
  const besides = leftOut > 0 ? ` (${leftOut} hidden or ignored besides, not shared)` : "";
  if (lines.length === 0) {
    tell("compared", `${count(cloned.size)}: the two trees are equal${besides}`);
  }
  return lines.length === 0;
}

async function demo(argument: string | undefined, temp: TempFolder, stop: AbortSignal) {
  const { folder, home, remove } = prepareFolder(argument, temp);
  using _archive = {
    [Symbol.dispose]() {
      if (remove && existsSync(remove)) Deno.removeSync(remove, { recursive: true });
    },
  };
  const listen = ["--host", "127.0.0.1", "--port", "0", "--no-watch"];
  await using sharer = await trove(["share", folder, ...listen, "--json"], { home });
  stop.addEventListener("abort", () => sharer.signal("SIGINT"));
  tell("sharing", argument === undefined ? "a copy of docs/ and src/" : folder);
  const { link, writable } = await sharer.event("archive");
  tell("link", link);
  if (writable) {
    const imported = await sharer.event("imported", { deadlineMs: 3_600_000 });
    const { put, same, bytes, seconds } = imported;
    tell("imported", `${count(put + same)}, ${amount(bytes)} read in ${seconds} s`);
  } else {
    tell("imported", "nothing: the archive is not your own, and is shared as it is");
  }
  const { host, port } = await sharer.event("listening");
  tell("serving", `${host}:${port}`);

  const copy = temp.folder("cloned");
  const args = cloneArguments(link, copy, [`${host}:${port}`]);
  await using cloner = await trove(args, { home: temp.folder("home-of-cloner") });
  stop.addEventListener("abort", () => cloner.signal("SIGINT"));
  const exit = await watchClone(cloner);
  if (exit.code !== 0) throw new Error(exit.stderr || `The clone ended with ${exit.code}`);
  return compare(folder, copy);
}

/** Run the demo and clean up. Gives the exit code. */
async function main(argument: string | undefined): Promise<number> {
  using temp = new TempFolder("trove-demo-");
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  Deno.addSignalListener("SIGINT", stop);
  try {
    return await demo(argument, temp, stopping.signal) ? 0 : 1;
  } catch (error) {
    if (stopping.signal.aborted) {
      console.log("\nStopped; nothing is left behind");
      return 130;
    }
    console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    Deno.removeSignalListener("SIGINT", stop);
  }
}

Deno.exit(await main(Deno.args[0]));
