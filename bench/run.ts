/**
 * How fast trove is, next to real peers in the same run, and how much memory it takes.
 *
 * deno task bench [--runs N] [--only PART]... [--quick] [--real] [--pair PAIR]... [--earlier FOLDER]
 *     [--entries N,N...] [--gigabytes N,N...] [--peers N,N...] [--idle SECONDS]
 *
 *   startup  `trove --version` and `trove status` beside an empty script
 *   large    one file of 256 MiB: real peers, trove, one of each both ways, the least that can bring
 *            a file over encrypted and verified, and trove with hash and cipher stubbed out
 *   small    5,000 files of 1 to 16 KiB: real peers and trove
 *   memory   one file of 1 GiB: trove
 *   scale    imports of 1,000 to 100,000 files in a tree and of 8,000 in one folder: trove, and real
 *            peers at the smallest and in the one folder; with --real at every size. Only if asked
 *            for, as it takes long and a lot of room: TMPDIR says where.
 *   flat     the import of 8,000 files in one folder; with --real beside a real peer, which takes
 *            minutes
 *   entries  memory and time over the number of entries: import, sharing, clone, listing
 *   updates  one file that changes among so many entries, until it is published and cloned
 *   sizes    memory of both sides over the size of one file
 *   overhead what `.dat` takes against what the format demands
 *   sparse   a few files, and some ranges, out of a large archive that is not here
 *   idle     100 archives at rest, without peers and with 20
 *   peers    one clone from 1 to 64 sources, and one source to 1 to 64 clones
 *
 * `--entries` (1000,10000,100000), `--gigabytes` (0.25,4), `--peers` (1,4,16,64) and `--idle` (60)
 * say with what. A million entries, 16 GiB and the clones of them take long and a lot of room.
 *
 * Each run measures every pair once, one after the other, so that whatever slows the machine down
 * slows all of them. `--pair` chooses some of the pairs, and `--earlier` adds the trove in another
 * folder, such as that of the commit before. `--quick` takes a tenth of the data, to see that everything works.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { TempFolder } from "../tests/support/temp.ts";
import { digestTree } from "../tests/support/trees.ts";
import { oneFile, smallFiles, type Workload } from "./data.ts";
import {
  measure,
  type Pair,
  type Prepared,
  programsOf,
  type Sample,
  useEarlier,
} from "./measure.ts";
import { installNativePeers } from "./native_peers.ts";
import { summarize, table } from "./report.ts";
import { type PartOptions, partTable } from "./part.ts";
import { measureOwnParts, OWN_PARTS } from "./parts.ts";
import { measureScale, scaleTable } from "./scale.ts";
import { measureStartup, startupTable } from "./startup.ts";

const MIB = 1024 * 1024;
const RESULTS = fileURLToPath(new URL("results/", import.meta.url));
const PAIR_PARTS = ["large", "small", "memory"] as const;
const PARTS = ["startup", ...PAIR_PARTS, "scale", ...OWN_PARTS] as const;
type Part = typeof PARTS[number];
/** Parts that measure somebody who shares and somebody who clones. */
type PairPart = typeof PAIR_PARTS[number];

interface Plan {
  readonly workload: Workload;
  readonly pairs: readonly Pair[];
  /** In how many of the runs: what only looks at memory needs no median. */
  readonly runs: number;
}

function plans(
  parts: readonly PairPart[],
  { runs, quick, pairs, earlier }: BenchOptions,
): Plan[] {
  const [large, small, huge] = quick ? [32, 500, 128] : [256, 5000, 1024];
  const all: Record<PairPart, Plan> = {
    large: {
      workload: oneFile(`one file of ${large} MiB`, large * MIB),
      pairs: ["real", "real to trove", "trove to real", "trove", "bare", "stubbed"],
      runs,
    },
    small: { workload: smallFiles(small), pairs: ["real", "trove"], runs },
    memory: { workload: oneFile(`one file of ${huge} MiB`, huge * MIB), pairs: ["trove"], runs: 1 },
  };
  const isAsked = (pair: Pair) => pairs.length === 0 || pairs.includes(pair);
  return parts.map((part) => ({
    ...all[part],
    pairs: [...all[part].pairs.filter(isAsked), ...(earlier ? ["earlier" as const] : [])],
  }));
}

interface BenchOptions extends PartOptions {
  readonly parts: readonly Part[];
  readonly pairs: readonly string[];
  readonly earlier?: string;
}

function readOptions(): BenchOptions {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      runs: { type: "string" },
      only: { type: "string", multiple: true, default: [] },
      quick: { type: "boolean", default: false },
      real: { type: "boolean", default: false },
      pair: { type: "string", multiple: true, default: [] },
      earlier: { type: "string" },
      entries: { type: "string", default: "1000,10000,100000" },
      gigabytes: { type: "string", default: "0.25,4" },
      peers: { type: "string", default: "1,4,16,64" },
      idle: { type: "string", default: "60" },
    },
  });
  const runs = Number(values.runs ?? (values.quick ? 1 : 3));
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`Cannot run ${values.runs} times`);
  const parts = values.only.map((name) => {
    const part = PARTS.find((one) => one === name);
    if (part === undefined) throw new Error(`Cannot measure "${name}": try ${PARTS.join(", ")}`);
    return part;
  });
  const usual = PARTS.filter((part) => part !== "scale");
  const { quick, real, pair: pairs, earlier } = values;
  return {
    ...{ runs, parts: parts.length > 0 ? parts : usual, quick, real, pairs, earlier },
    entries: numbersIn(values.entries),
    gigabytes: numbersIn(values.gigabytes),
    peers: numbersIn(values.peers),
    idleSeconds: numbersIn(values.idle)[0],
  };
}

function numbersIn(text: string): number[] {
  const numbers = text.split(",").map(Number);
  if (!numbers.every((number) => number > 0)) throw new Error(`Cannot measure with "${text}"`);
  return numbers.sort((a, b) => a - b);
}

/** Measure every pair of every plan, run by run. */
async function measureAll(plans: readonly Plan[]): Promise<Sample[][]> {
  using temp = new TempFolder("trove-bench-");
  using _signal = exitOn("SIGINT", () => temp[Symbol.dispose]());
  const prepared = plans.map((plan, number): Plan & Prepared => {
    const folder = temp.folder(`data-${number}`);
    plan.workload.write(folder);
    return { ...plan, folder, expected: digestTree(folder) };
  });
  const rounds: Sample[][] = [];
  for (let run = 1; run <= Math.max(...plans.map((plan) => plan.runs)); run++) {
    const round: Sample[] = [];
    for (const plan of prepared) {
      if (run > plan.runs) continue;
      for (const pair of plan.pairs) {
        console.error(`run ${run}: ${plan.workload.name}, ${programsOf(pair).join(" to ")}`);
        round.push(await measure(pair, plan, temp));
      }
    }
    rounds.push(round);
  }
  return rounds;
}

/** Clean up and leave when the signal comes; children in the same terminal hear it themselves. */
function exitOn(signal: Deno.Signal, cleanUp: () => void): Disposable {
  const handle = () => {
    cleanUp();
    Deno.exit(130);
  };
  Deno.addSignalListener(signal, handle);
  return { [Symbol.dispose]: () => Deno.removeSignalListener(signal, handle) };
}

const options = readOptions();
if (options.earlier !== undefined) useEarlier(resolve(options.earlier, "main.ts"));
const startup = options.parts.includes("startup") ? await measureStartup(options) : undefined;
if (startup !== undefined) console.log(startupTable(startup, { judged: !options.quick }));
const pairParts = PAIR_PARTS.filter((part) => options.parts.includes(part));
if (pairParts.length > 0 || options.parts.includes("scale")) await installNativePeers();
const rounds = pairParts.length > 0 ? await measureAll(plans(pairParts, options)) : [];
const rows = summarize(rounds);
if (rows.length > 0) console.log(table(rows, { judged: !options.quick }));
const scale = options.parts.includes("scale") ? await measureScale(options) : [];
if (scale.length > 0) console.log(scaleTable(scale, { judged: !options.quick }));
const ownParts = OWN_PARTS.filter((part) => options.parts.includes(part));
const own = await measureOwnParts(ownParts, options, (measured) => {
  console.log(`\n${partTable(measured, { judged: !options.quick })}`);
});

Deno.mkdirSync(RESULTS, { recursive: true });
const machine = { deno: Deno.version.deno, os: Deno.build.os, cpus: navigator.hardwareConcurrency };
const time = new Date().toISOString();
const path = `${RESULTS}${time.replaceAll(":", "-")}.json`;
const results = { time, machine, options, startup, rows, rounds, scale, ...own };
Deno.writeTextFileSync(path, JSON.stringify(results, null, 2));
console.log(`\nMB = 10^6 bytes; all samples in ${path}`);
