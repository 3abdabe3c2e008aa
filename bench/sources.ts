/**
 * A clone from three sources that are capped, one of which may stop answering or die half-way.
 *
 * deno run -A bench/sources.ts [--runs N] [--megabytes N] [--cap BYTES]
 *
 * `stalled` and `died` are held against what the sources that remain could deliver at best from that
 * moment on. MB = 10^6 bytes.
 */
import { cpSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Process, trove } from "../tests/support/processes.ts";
import {
  cloneArguments,
  cloneWithTrove,
  type Sharer,
  shareWithTrove,
} from "../tests/support/sharing.ts";
import { TempFolder } from "../tests/support/temp.ts";
import { differences, digestTree, withoutModes } from "../tests/support/trees.ts";
import { oneFile } from "./data.ts";

const SOURCES = 3;
/** What happens to one of the sources when half of the bytes are here. */
const TROUBLES = ["none", "stalled", "died"] as const;
type Trouble = typeof TROUBLES[number];

interface Sample {
  readonly trouble: Trouble;
  /** From the first block to the last. */
  readonly seconds: number;
  readonly megabytesPerSecond: number;
  /** Against the best that the sources could do. */
  readonly slower: number;
}

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    megabytes: { type: "string", default: "300" },
    cap: { type: "string", default: "10000000" },
  },
});
const [runs, megabytes, cap] = [values.runs, values.megabytes, values.cap].map(Number);
const workload = oneFile(`one file of ${megabytes} MB`, megabytes * 1e6);

/** The archive in a folder and complete clones of it, so that each can be served by itself. */
async function makeSources(temp: TempFolder): Promise<{ link: string; folders: string[] }> {
  const origin = temp.folder("origin");
  workload.write(origin);
  const home = temp.folder("home");
  const first = temp.folder("source-0");
  let link: string;
  {
    await using sharer = await shareWithTrove(origin, { home }, ["--no-watch"]);
    link = sharer.link;
    const exit = await cloneWithTrove([sharer], first, { home: temp.folder("home-0") });
    if (exit.code !== 0) throw new Error(exit.stderr);
  }
  const folders = [first];
  for (let n = 1; n < SOURCES; n++) {
    const folder = temp.join(`source-${n}`);
    cpSync(first, folder, { recursive: true, preserveTimestamps: true });
    folders.push(folder);
  }
  return { link, folders };
}

/** Seconds since the first block, and a handle on each byte count the cloner tells. */
async function* progressOf(cloner: Process): AsyncGenerator<{ bytes: number; at: number }> {
  for await (const line of cloner.follow()) {
    if (line.event === "progress") yield { bytes: line.bytes, at: Date.parse(line.time) };
    if (line.event === "synced") return;
  }
}

async function measure(
  trouble: Trouble,
  { link, folders }: { link: string; folders: readonly string[] },
  temp: TempFolder,
): Promise<Sample> {
  const sharers: Sharer[] = [];
  await using stack = new AsyncDisposableStack();
  for (const [n, folder] of folders.entries()) {
    const options = ["--up", String(cap), "--no-watch"];
    sharers.push(
      stack.use(await shareWithTrove(folder, { home: temp.folder(`home-${n}`) }, options)),
    );
  }
  const copy = temp.folder("copy");
  stack.defer(() => Deno.removeSync(copy, { recursive: true }));
  const args = cloneArguments(link, copy, sharers.map(({ address }) => address));
  const cloner = stack.use(await trove(args, { home: temp.folder("home-of-cloner") }));
  let from: { bytes: number; at: number } | undefined;
  let broke: { bytes: number; at: number } | undefined;
  let to = { bytes: 0, at: 0 };
  for await (const told of progressOf(cloner)) {
    to = told;
    if (told.bytes === 0) continue;
    from ??= told;
    if (trouble === "none" || broke !== undefined || told.bytes < workload.bytes / 2) continue;
    broke = told;
    sharers[0].process.signal(trouble === "died" ? "SIGKILL" : "SIGSTOP");
  }
  const exit = await cloner.ended();
  if (trouble === "stalled") sharers[0].process.signal("SIGCONT");
  const wrong = differences(withoutModes(digestTree(copy)), withoutModes(digestTree(folders[1])));
  if (wrong.length > 0) throw new Error(`the copy differs: ${wrong[0]}\n${exit.stderr}`);
  const seconds = (to.at - from!.at) / 1000;
  const bytes = to.bytes - from!.bytes;
  const before = broke === undefined ? bytes : broke.bytes - from!.bytes;
  const best = before / (SOURCES * cap) + (bytes - before) / ((SOURCES - 1) * cap);
  return {
    trouble,
    seconds,
    megabytesPerSecond: bytes / seconds / 1e6,
    slower: seconds / best - 1,
  };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

using temp = new TempFolder("trove-bench-");
const sources = await makeSources(temp);
const samples: Sample[] = [];
for (let run = 1; run <= runs; run++) {
  for (const trouble of TROUBLES) {
    const sample = await measure(trouble, sources, temp);
    console.error(`run ${run}: ${JSON.stringify(sample)}`);
    samples.push(sample);
  }
}
console.log(`${SOURCES} sources of ${cap / 1e6} MB/s, ${workload.name}, medians of ${runs} runs`);
for (const trouble of TROUBLES) {
  const of = samples.filter((sample) => sample.trouble === trouble);
  const rate = median(of.map(({ megabytesPerSecond }) => megabytesPerSecond));
  const slower = median(of.map(({ slower }) => slower));
  console.log(
    `${trouble.padEnd(8)} ${rate.toFixed(1).padStart(6)} MB/s  ` +
      `${(100 * slower).toFixed(1).padStart(5)}% slower than the sources could deliver`,
  );
}
