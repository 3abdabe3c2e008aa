/**
 * A few files, or some bytes here and there, out of a large archive that is not here: how long it
 * takes, and what comes over the wire against what is needed.
 *
 * trove fetches all entries of an archive before anything else: what that takes is measured by itself.
 * Of the content nothing is needed but the blocks that the bytes are in. The real peer fetches no
 * entries but those on the way to a file.
 */
import { join } from "node:path";
import { type Process, trove } from "../tests/support/processes.ts";
import { Random } from "../tests/support/random.ts";
import { type Sharer, shareWithTrove } from "../tests/support/sharing.ts";
import { nestedFiles, oneFile } from "./data.ts";
import { Meter } from "./meter.ts";
import { installNativePeers, nativePeer } from "./native_peers.ts";
import { atMost, type Measured, medianOf, megabytes, type PartOptions } from "./part.ts";
import { WorkFolder } from "./work_folder.ts";

const MIB = 2 ** 20;
const BLOCK = 65_536;
const LARGE = "large.bin";
const LARGE_MIB = 512;
const SMALL_FILES = 20_000;
/** Small files that are read, and ranges of the large one. */
const FILES_READ = 100;
const RANGES = 20;
const RANGE_BYTES = 10_000;
/**
 * How many times the blocks that are needed may come over the wire, entries apart: each block comes
 * with up to some twenty hashes, which weigh a tenth of a small file, and in frames.
 */
const WIRE_BAR = 1.2;

type What = "entries, trove" | "files, trove" | "ranges, trove" | "files, real";

interface Sample {
  readonly what: What;
  readonly seconds: number;
  readonly wire: number;
  /** Bytes of the content blocks that are needed. */
  readonly blocks: number;
}

interface Place {
  readonly temp: WorkFolder;
  readonly folder: string;
  readonly sharer: Sharer;
  readonly home: string;
}

export async function measureSparse({ runs, quick }: PartOptions): Promise<Measured> {
  await installNativePeers();
  using temp = new WorkFolder();
  const [folder, home] = ["folder", "home"].map((name) => temp.folder(name));
  const divisor = quick ? 8 : 1;
  const small = nestedFiles(SMALL_FILES / divisor);
  small.write(folder);
  oneFile("sparse", LARGE_MIB / divisor * MIB).write(folder);
  await using sharer = await shareWithTrove(folder, { home }, ["--no-watch"], {
    deadlineMs: 600_000,
  });
  const place = { temp, folder, sharer, home };
  const paths = pathsIn(folder);
  const samples: Sample[] = [];
  for (let run = 1; run <= runs; run++) {
    console.error(`run ${run}: sparse reads`);
    const random = new Random(`sparse ${run}`);
    const chosen = Array.from({ length: FILES_READ }, () => paths[random.below(paths.length)]);
    samples.push(await readEntries(place));
    samples.push(await readFiles(place, chosen, "files, trove"));
    samples.push(await readFiles(place, chosen, "files, real"));
    samples.push(await readRanges(place, random));
  }
  const names = [...new Set(samples.map(({ what }) => what))];
  const of = (what: What, figure: (sample: Sample) => number) =>
    medianOf(samples.filter((sample) => sample.what === what), figure);
  const entries = of("entries, trove", ({ wire }) => wire);
  const times = (what: What) => of(what, ({ wire, blocks }) => (wire - entries) / blocks);
  const stored = Deno.statSync(join(folder, ".dat", "metadata.data")).size;
  return {
    head: [
      `out of ${small.files} files and ${LARGE_MIB / divisor} MiB`,
      ...["time", "on the wire", "needed", "times"],
    ],
    rows: names.map((what) => [
      `  ${what}`,
      `${of(what, ({ seconds }) => seconds).toFixed(2)} s`,
      megabytes(of(what, ({ wire }) => wire), 3),
      megabytes(what === "entries, trove" ? stored : of(what, ({ blocks }) => blocks), 3),
      what.startsWith("entries")
        ? (entries / stored).toFixed(2)
        : what === "files, real"
        ? ""
        : times(what).toFixed(3),
    ]),
    bars: (["files, trove", "ranges, trove"] as const).map((what) =>
      atMost(`${what}, wire without entries against the blocks`, times(what), {
        limit: WIRE_BAR,
        unit: "times",
        digits: 3,
      })
    ),
    samples,
  };
}

/** What every look at an archive by its link takes. */
async function readEntries(place: Place): Promise<Sample> {
  const { sharer, home } = place;
  return await metered(place, { what: "entries, trove", blocks: 0 }, async (address) => {
    await using list = await trove(["ls", sharer.link, "--peer", address, "--json"], { home });
    await list.ended();
  });
}

/** Print files: each run of a program with an empty place of its own. */
async function readFiles(place: Place, paths: readonly string[], what: What): Promise<Sample> {
  const { folder, sharer, home } = place;
  const blocks = paths.reduce((sum, path) => sum + Deno.statSync(join(folder, path)).size, 0);
  return await metered(place, { what, blocks }, async (address) => {
    if (what === "files, real") {
      const args = [sharer.key, address, ...paths.map((path) => `/${path}`)];
      await using peer = await nativePeer("read_files", args, { home });
      await peer.ended();
      return;
    }
    const links = paths.map((path) => `${sharer.link}/${path}`);
    await using cat = await trove(["cat", ...links, "--peer", address, "--json"], { home });
    await cat.ended();
  });
}

/** Ask for ranges as a browser does. */
async function readRanges(place: Place, random: Random): Promise<Sample> {
  const { sharer, home, folder } = place;
  const { size } = Deno.statSync(join(folder, LARGE));
  const starts = Array.from({ length: RANGES }, () => random.below(size - RANGE_BYTES));
  const needed = new Set(starts.flatMap((start) => blocksOf(start)));
  using large = Deno.openSync(join(folder, LARGE));
  return await metered(place, {
    what: "ranges, trove",
    blocks: needed.size * BLOCK,
  }, async (address) => {
    const args = ["serve", sharer.link, "--port", "0", "--peer", address, "--json"];
    await using server: Process = await trove(args, { home });
    const { url } = await server.event("http");
    for (const start of starts) {
      const headers = { range: `bytes=${start}-${start + RANGE_BYTES - 1}` };
      const response = await fetch(new URL(LARGE, url), { headers });
      const bytes = new Uint8Array(await response.arrayBuffer());
      const expected = new Uint8Array(RANGE_BYTES);
      large.seekSync(start, Deno.SeekMode.Start);
      large.readSync(expected);
      if (bytes.length !== RANGE_BYTES || bytes.some((byte, n) => byte !== expected[n])) {
        throw new Error(`The bytes from ${start} on are not those of the file`);
      }
    }
  });
}

function blocksOf(start: number): number[] {
  const [first, last] = [start, start + RANGE_BYTES - 1].map((at) => Math.floor(at / BLOCK));
  return Array.from({ length: last - first + 1 }, (_, n) => first + n);
}

async function metered(
  { sharer }: Place,
  { what, blocks }: Pick<Sample, "what" | "blocks">,
  work: (address: string) => Promise<void>,
): Promise<Sample> {
  using meter = new Meter(sharer.address);
  const startedAt = performance.now();
  await work(meter.address);
  const seconds = (performance.now() - startedAt) / 1000;
  return { what, seconds, wire: meter.down, blocks };
}

/** Paths of the small files. */
function pathsIn(folder: string, below = ""): string[] {
  return [...Deno.readDirSync(join(folder, below))].flatMap(({ name, isDirectory }) => {
    const path = below === "" ? name : `${below}/${name}`;
    if (isDirectory) return path === ".dat" ? [] : pathsIn(folder, path);
    return path === LARGE ? [] : [path];
  }).sort();
}
