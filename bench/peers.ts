/**
 * What more peers do to a transfer: one clone from many sources, and many clones from one source.
 * The same number of bytes goes over the loopback whatever the number of peers, and all peers of one
 * side are in one process, so that the machine is shared alike.
 */
import { cpSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Process, startProgram, trove } from "../tests/support/processes.ts";
import { troveCommand } from "../tests/support/trove_command.ts";
import { cloneArguments, shareWithTrove } from "../tests/support/sharing.ts";
import { differences, digestTree, withoutModes } from "../tests/support/trees.ts";
import { oneFile } from "./data.ts";
import { ProcessWatch } from "./measure.ts";
import { atLeast, type Measured, medianOf, megabytes, type PartOptions } from "./part.ts";
import { WorkFolder } from "./work_folder.ts";

const MIB = 2 ** 20;
/** Bytes that all clones together get. */
const TOTAL_MIB = 256;
/**
 * Part of the rate with the fewest peers that is left with the most. Each link has work of its own,
 * a keystream and its hashes, messages and their frames, and each clone asks for its own entries and
 * writes its own files: some loss is fair. A third of the rate is more than all of that; what takes
 * more grows with the number of peers, and would go on growing.
 */
const RATE_BAR = 0.7;

const SWARM = fileURLToPath(new URL("swarm_process.ts", import.meta.url));
const SHAPES = ["one clone from", "one source to"] as const;
type Shape = typeof SHAPES[number];

interface Sample {
  readonly shape: Shape;
  readonly peers: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Processor time of either side for the transfer. */
  readonly sourceCpu: number;
  readonly clonerCpu: number;
  readonly sourceRss: number;
  readonly clonerRss: number;
}

export async function measurePeers({ peers, runs, quick }: PartOptions): Promise<Measured> {
  const totalMib = quick ? TOTAL_MIB / 8 : TOTAL_MIB;
  const samples: Sample[] = [];
  for (let run = 1; run <= runs; run++) {
    for (const count of peers) {
      console.error(`run ${run}: ${count} peers`);
      samples.push(await cloneFromMany(count, totalMib));
      samples.push(await shareWithMany(count, totalMib));
    }
  }
  const of = (shape: Shape, count: number, figure: (sample: Sample) => number) =>
    medianOf(samples.filter((one) => one.shape === shape && one.peers === count), figure);
  const rate = (shape: Shape, count: number) =>
    of(shape, count, ({ bytes, seconds }) => bytes / 1e6 / seconds);
  const perMegabyte = (figure: keyof Sample) => (sample: Sample) =>
    1e9 * Number(sample[figure]) / sample.bytes;
  const [fewest, most] = [peers[0], peers.at(-1)!];
  return {
    head: [
      `${totalMib} MiB in all`,
      ...["together", "source CPU", "clone CPU", "source memory", "clone memory"],
    ],
    rows: SHAPES.flatMap((shape) =>
      peers.map((count) => [
        `  ${shape} ${count}`,
        `${rate(shape, count).toFixed(0)} MB/s`,
        `${of(shape, count, perMegabyte("sourceCpu")).toFixed(1)} ms/MB`,
        `${of(shape, count, perMegabyte("clonerCpu")).toFixed(1)} ms/MB`,
        megabytes(of(shape, count, ({ sourceRss }) => sourceRss)),
        megabytes(of(shape, count, ({ clonerRss }) => clonerRss)),
      ])
    ),
    bars: SHAPES.map((shape) =>
      atLeast(
        `${shape} ${most}, rate against ${fewest}`,
        rate(shape, most) / rate(shape, fewest),
        { limit: RATE_BAR, unit: "times", digits: 2 },
      )
    ),
    samples,
  };
}

/** One file in an archive; gives its link. */
async function makeArchive(temp: WorkFolder, mib: number): Promise<string> {
  const folder = temp.folder("origin");
  oneFile("peers", mib * MIB).write(folder);
  const sharing = ["share", folder, "--exit", "--json"];
  await using process = await trove(sharing, { home: temp.join("home") });
  const { lines } = await process.ended();
  return lines.find(({ event }) => event === "archive")!.link;
}

async function cloneFromMany(peers: number, mib: number): Promise<Sample> {
  using temp = new WorkFolder();
  const link = await makeArchive(temp, mib);
  const folders = Array.from({ length: peers }, (_, n) => copyOf(temp, n));
  await using sources = await swarm(temp, ["share", ...folders]);
  const addresses: string[] = [];
  for (let n = 0; n < peers; n++) {
    const known = new Set(addresses);
    const { address } = await sources.event("listening", {
      matches: (line) => !known.has(line.address),
    });
    addresses.push(address);
  }
  const cpuBefore = sources.cpuSeconds();
  const copy = temp.folder("copy");
  await using cloner = await trove(cloneArguments(link, copy, addresses), {
    home: temp.join("home of cloner"),
  });
  using sourceWatch = new ProcessWatch(sources);
  using clonerWatch = new ProcessWatch(cloner);
  const { seconds, bytes } = await cloner.event("synced", { deadlineMs: 600_000 });
  await cloner.ended();
  compare(temp, "copy");
  return {
    ...{ shape: "one clone from", peers, bytes, seconds },
    sourceCpu: sourceWatch.cpuSeconds - cpuBefore,
    clonerCpu: clonerWatch.cpuSeconds,
    sourceRss: sourceWatch.peak,
    clonerRss: clonerWatch.peak,
  };
}

/** A complete archive of its own. Its file is the same one on disk: nobody writes to it. */
function copyOf(temp: WorkFolder, n: number): string {
  const folder = temp.folder("sources", String(n));
  cpSync(temp.join("origin", ".dat"), `${folder}/.dat`, { recursive: true });
  Deno.linkSync(temp.join("origin", "large.bin"), `${folder}/large.bin`);
  return folder;
}

async function shareWithMany(peers: number, mib: number): Promise<Sample> {
  using temp = new WorkFolder();
  const each = mib / peers;
  const link = await makeArchive(temp, each);
  const home = temp.join("home");
  await using sharer = await shareWithTrove(temp.join("origin"), { home }, ["--no-watch"]);
  const copies = Array.from({ length: peers }, (_, n) => temp.folder("copies", String(n)));
  const cpuBefore = sharer.process.cpuSeconds();
  using sourceWatch = new ProcessWatch(sharer.process);
  await using cloners = await swarm(temp, ["clone", link, sharer.address, ...copies]);
  using clonerWatch = new ProcessWatch(cloners);
  const { seconds } = await cloners.event("cloned", { deadlineMs: 600_000 });
  await cloners.ended();
  for (let n = 0; n < peers; n++) compare(temp, "copies", String(n));
  return {
    ...{ shape: "one source to", peers, bytes: each * peers * MIB, seconds },
    sourceCpu: sharer.process.cpuSeconds() - cpuBefore,
    clonerCpu: clonerWatch.cpuSeconds,
    sourceRss: sourceWatch.peak,
    clonerRss: clonerWatch.peak,
  };
}

/** The many of one side, with the flags that trove itself has. */
function swarm(temp: WorkFolder, args: readonly string[]): Promise<Process> {
  const home = temp.folder("home of many");
  const [deno, run] = troveCommand();
  const flags = troveCommand().filter((word) => word.startsWith("--v8-flags"));
  const command = [deno, run, "-A", ...flags, SWARM, ...args];
  return startProgram(`swarm ${args[0]}`, command, { home, stdin: "null" });
}

function compare(temp: WorkFolder, ...copy: readonly string[]): void {
  const [expected, got] = [temp.join("origin"), temp.join(...copy)]
    .map((folder) => withoutModes(digestTree(folder)));
  const [wrong] = differences(got, expected);
  if (wrong !== undefined) throw new Error(`The copy is not the same: ${wrong}`);
}
