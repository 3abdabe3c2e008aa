/** One measurement: share a folder in one process, clone it in another, look at both. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Process, type ProcessOptions, trove } from "../tests/support/processes.ts";
import { cloneArguments } from "../tests/support/sharing.ts";
import type { TempFolder } from "../tests/support/temp.ts";
import { differences, digestTree, type TreeDigest, withoutModes } from "../tests/support/trees.ts";
import type { Workload } from "./data.ts";
import { nativePeer } from "./native_peers.ts";

/**
 * Real peers with native crypto; trove as it is; trove without hash and cipher; the least that brings a
 * file over (`bare_pipeline.ts`); an earlier trove, from `useEarlier`.
 */
export type Program = "real" | "trove" | "stubbed" | "bare" | "earlier";

/** Who shares with whom: two of the same, or two different ones. */
export type Pair = Program | "real to trove" | "trove to real";

/** The two programs of a pair: who shares, and who clones. */
export function programsOf(pair: Pair): [Program, Program] {
  const [sharer, cloner = sharer] = pair.split(" to ") as Program[];
  return [sharer, cloner];
}

/** Times in seconds, memory in bytes. */
export interface Sample {
  readonly pair: Pair;
  readonly workload: string;
  readonly files: number;
  readonly bytes: number;
  readonly importSeconds: number;
  readonly cloneSeconds: number;
  /** From the start of the cloner's process to its end. */
  readonly cloneWallSeconds: number;
  /** Processor time of the sharer until it listens, the start of the program included. */
  readonly importCpuSeconds: number;
  /** Processor time of both sides for the clone, the start of the cloner's program included. */
  readonly cloneCpuSeconds: number;
  readonly sharerPeakRss: number;
  readonly clonerPeakRss: number;
}

/** How a pair is started and what its programs call their figures. */
interface Driver {
  share(folder: string, options: ProcessOptions): Promise<Process>;
  /** Gives the import's seconds and where to clone from, once the sharer listens. */
  sharing(sharer: Process): Promise<{ importSeconds: number; link: string; address: string }>;
  clone(
    from: { link: string; address: string },
    folder: string,
    options: ProcessOptions,
  ): Promise<Process>;
}

const REAL: Driver = {
  share: (folder, options) => nativePeer("share_folder", [folder], options),
  async sharing(sharer) {
    const { importSeconds, key, port } = await sharer.event("listening", { deadlineMs: 600_000 });
    return { importSeconds, link: `dat://${key}`, address: `127.0.0.1:${port}` };
  },
  clone: ({ link, address }, folder, options) =>
    nativePeer("clone_folder", [link, address, folder, "--timeout", "600"], options),
};

function troveDriver(main: string): Driver {
  return {
    share: (folder, options) => {
      const address = ["--host", "127.0.0.1", "--port", "0"];
      const args = ["share", folder, ...address, "--no-watch", "--json"];
      return trove(args, { ...options, main });
    },
    async sharing(sharer) {
      const [{ link }, { seconds }, { host, port }] = await Promise.all(
        ["archive", "imported", "listening"].map((event) =>
          sharer.event(event, { deadlineMs: 600_000 })
        ),
      );
      return { importSeconds: seconds, link, address: `${host}:${port}` };
    },
    clone: ({ link, address }, folder, options) =>
      trove(cloneArguments(link, folder, [address]), { ...options, main }),
  };
}

const DRIVERS: Record<Program, Driver> = {
  real: REAL,
  trove: troveDriver("main.ts"),
  stubbed: troveDriver("bench/stubbed_main.ts"),
  bare: troveDriver("bench/bare_pipeline.ts"),
  earlier: troveDriver("main.ts"),
};

/** Where the main module of the earlier trove lies. */
export function useEarlier(main: string): void {
  DRIVERS.earlier = troveDriver(main);
}

/** How often the kernel is asked for a process's memory, in milliseconds. */
const WATCH_MS = 20;

/** Keeps what the kernel forgets of a process when it ends: largest resident set, processor time. */
export class ProcessWatch implements Disposable {
  peak = 0;
  cpuSeconds = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(process: Process) {
    this.#timer = setInterval(() => {
      this.peak = Math.max(this.peak, process.peakRssBytes());
      this.cpuSeconds = Math.max(this.cpuSeconds, process.cpuSeconds());
    }, WATCH_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** How many measurements were begun: each has a folder of its own. */
let measured = 0;

/** A workload that lies on disk. */
export interface Prepared {
  readonly workload: Workload;
  /** Holds its files and nothing else. */
  readonly folder: string;
  readonly expected: TreeDigest;
}

/**
 * Share a prepared folder and clone it, in a subfolder of `temp`. One large file is gone afterwards.
 * Many small ones stay until `temp` goes: ext4 looks at each place of a file that was removed within
 * the last minutes whenever it makes one, so that a pair would be slower for what the one before it left.
 *
 * @throws {Error} If a process fails or the clone is not the same.
 */
export async function measure(
  pair: Pair,
  { workload, folder, expected }: Prepared,
  temp: TempFolder,
): Promise<Sample> {
  const [sharing, cloning] = programsOf(pair);
  const name = `work-${measured++}`;
  const work = temp.folder(name);
  using _work = workload.files === 1 ? removedAtTheEnd(work) : undefined;
  using _archive = removedAtTheEnd(join(folder, ".dat"));
  await using sharer = await DRIVERS[sharing].share(folder, { home: join(work, "home-of-sharer") });
  using sharerWatch = new ProcessWatch(sharer);
  const source = await DRIVERS[sharing].sharing(sharer);
  const importCpuSeconds = sharer.cpuSeconds();

  const copy = temp.folder(name, "copy");
  const started = performance.now();
  const home = join(work, "home-of-cloner");
  await using cloner = await DRIVERS[cloning].clone(source, copy, { home });
  using clonerWatch = new ProcessWatch(cloner);
  const { seconds } = await cloner.event("synced", { deadlineMs: 600_000 });
  await cloner.ended();
  const cloneWallSeconds = (performance.now() - started) / 1000;
  const sharerCpuSeconds = sharer.cpuSeconds() - importCpuSeconds;

  const [wrong] = differences(withoutModes(digestTree(copy)), withoutModes(expected));
  if (wrong !== undefined) throw new Error(`The clone of ${pair} is not the same: ${wrong}`);
  return {
    pair,
    workload: workload.name,
    files: workload.files,
    bytes: workload.bytes,
    importSeconds: source.importSeconds,
    cloneSeconds: seconds,
    cloneWallSeconds,
    importCpuSeconds,
    cloneCpuSeconds: sharerCpuSeconds + clonerWatch.cpuSeconds,
    sharerPeakRss: Math.max(sharerWatch.peak, sharer.peakRssBytes()),
    clonerPeakRss: clonerWatch.peak,
  };
}

/** An import without a clone after it. Time in seconds, memory in bytes. */
export interface ImportSample {
  readonly pair: Pair;
  readonly workload: string;
  readonly files: number;
  readonly seconds: number;
  /** A second import, of the unchanged folder. */
  readonly againSeconds: number;
  readonly peakRss: number;
}

/** Import a prepared folder twice, in two processes. The archive is gone afterwards. */
export async function measureImport(
  pair: Pair,
  { workload, folder }: Omit<Prepared, "expected">,
  temp: TempFolder,
): Promise<ImportSample> {
  const work = temp.folder("work");
  using _work = removedAtTheEnd(work);
  using _archive = removedAtTheEnd(join(folder, ".dat"));
  const importOnce = async () => {
    const home = join(work, "home-of-sharer");
    await using sharer = await DRIVERS[programsOf(pair)[0]].share(folder, { home });
    using memory = new ProcessWatch(sharer);
    const { importSeconds } = await DRIVERS[programsOf(pair)[0]].sharing(sharer);
    return { seconds: importSeconds, peakRss: Math.max(memory.peak, sharer.peakRssBytes()) };
  };
  const { seconds, peakRss } = await importOnce();
  const { seconds: againSeconds } = await importOnce();
  const { name, files } = workload;
  return { pair, workload: name, files, seconds, againSeconds, peakRss };
}

/** Removes a folder if it is there: what failed may not have come as far as making it. */
function removedAtTheEnd(path: string): Disposable {
  return {
    [Symbol.dispose]() {
      if (existsSync(path)) Deno.removeSync(path, { recursive: true });
    },
  };
}
