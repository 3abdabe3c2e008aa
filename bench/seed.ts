/**
 * A thousand archives served by one process: what it takes at rest and after some were asked for.
 *
 *     deno run -A bench/seed.ts [--archives 1000] [--touched 200] [--idle 25]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cloneArchive } from "../src/app/clone_archive.ts";
import { importFolder } from "../src/app/import_folder.ts";
import { createArchive } from "../src/app/open_archive.ts";
import { Channel } from "../src/csp/channel.ts";
import { trove } from "../tests/support/processes.ts";
import { Random } from "../tests/support/random.ts";
import { TempFolder } from "../tests/support/temp.ts";
import { TestWorld } from "../tests/support/test_world.ts";
import type { Bar } from "./report.ts";

/** Bytes of resident memory that serving a thousand archives may take. */
const MEMORY_BAR = 300e6;
/** Share of one core that it may take at rest. */
const CPU_BAR = 0.01;
/** Open files: below what systems let a process have. */
const HANDLES_BAR = 4096;

/** Until the garbage of what was before is collected, in seconds. */
const SETTLE_SECONDS = 10;

/** Clones at once, as from peers that come by chance. */
const CLONERS = 8;

/** Ticks of `/proc/PID/stat` a second, on every Linux. */
const CLOCK_TICKS = 100;

const FILE_BYTES = [300, 5000, 80_000];

interface Figures {
  readonly rss: number;
  readonly handles: number;
  /** Share of one core over the time that was looked at. */
  readonly cpu: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      archives: { type: "string", default: "1000" },
      touched: { type: "string", default: "200" },
      idle: { type: "string", default: "25" },
    },
  });
  const [archives, touched, idle] = [values.archives, values.touched, values.idle].map(Number);
  using temp = new TempFolder("trove-bench-");
  const links = await timed(`making ${archives} archives`, () => makeArchives(temp, archives));
  const startedAt = performance.now();
  await using server = await trove(
    ["seed", "--list", temp.join("archives"), "--host", "127.0.0.1", "--port", "0", "--json"],
    { home: temp.join("home") },
  );
  const { host, port } = await server.event("listening", { deadlineMs: 600_000 });
  const startSeconds = (performance.now() - startedAt) / 1000;
  const atRest = await watch(server.pid, idle);
  const random = new Random("touched");
  const chosen = Array.from({ length: touched }, () => links[random.below(links.length)]);
  await timed(
    `${touched} clones`,
    () => cloneAll(temp, { links: chosen, peer: `${host}:${port}` }),
  );
  const after = await watch(server.pid, idle);
  const stoppedAt = performance.now();
  server.signal("SIGINT");
  await server.ended();
  const stopSeconds = (performance.now() - stoppedAt) / 1000;
  console.log(`${archives} archives, serving after ${startSeconds.toFixed(1)} s`);
  console.log(`at rest: ${describe(atRest)}`);
  console.log(`after ${touched} were cloned: ${describe(after)}`);
  console.log(`stopped in ${stopSeconds.toFixed(1)} s`);
  for (const { text, met } of barsOf([atRest, after])) {
    console.log(`${met ? "ok" : "MISSED"}: ${text}`);
  }
}

function barsOf(figures: readonly Figures[]): Bar[] {
  const most = (of: (one: Figures) => number) => Math.max(...figures.map(of));
  const [rss, handles, cpu] = [most((f) => f.rss), most((f) => f.handles), most((f) => f.cpu)];
  return [
    {
      text: `memory ${(rss / 1e6).toFixed(0)} MB (at most ${MEMORY_BAR / 1e6})`,
      met: rss <= MEMORY_BAR,
    },
    { text: `open files ${handles} (at most ${HANDLES_BAR})`, met: handles <= HANDLES_BAR },
    {
      text: `idle ${(cpu * 100).toFixed(2)} % of a core (at most ${CPU_BAR * 100} %)`,
      met: cpu <= CPU_BAR,
    },
  ];
}

function describe({ rss, handles, cpu }: Figures): string {
  return `${(rss / 1e6).toFixed(0)} MB resident, ${handles} open files, ` +
    `${(cpu * 100).toFixed(2)} % of a core`;
}

async function makeArchives(temp: TempFolder, count: number): Promise<string[]> {
  const world = new TestWorld(temp, { seed: "archives" });
  const random = new Random("bench seed");
  const links: string[] = [];
  for (let n = 0; n < count; n++) {
    const dir = temp.folder("archives", String(n));
    for (const [i, bytes] of FILE_BYTES.entries()) {
      Deno.writeFileSync(join(dir, `file ${i}`), random.bytes(bytes));
    }
    using archive = createArchive(dir, world);
    await importFolder(archive, { world, emit() {}, signal: new AbortController().signal });
    links.push(archive.link);
  }
  return links;
}

async function cloneAll(
  temp: TempFolder,
  { links, peer }: { links: readonly string[]; peer: string },
): Promise<void> {
  const world = new TestWorld(temp, { home: "home of cloner", running: true });
  const waiting = [...links.entries()];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [n, link] = next;
      await cloneArchive({
        world,
        publicKey: Uint8Array.fromHex(link.slice("dat://".length)),
        dir: temp.join("clones", String(n)),
        peers: [peer],
        signals: new Channel(1),
        emit() {},
      });
    }
  };
  await Promise.all(Array.from({ length: CLONERS }, work));
}

/** What a process takes over some seconds in which nobody asks anything of it. */
async function watch(pid: number, seconds: number): Promise<Figures> {
  await delay(SETTLE_SECONDS);
  const before = cpuTicks(pid);
  await delay(seconds);
  const ticks = cpuTicks(pid) - before;
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return {
    rss: 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]),
    handles: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
    cpu: ticks / CLOCK_TICKS / seconds,
  };
}

function delay(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** User and system time of a process so far. Source: proc(5); its name may have blanks in it. */
function cpuTicks(pid: number): number {
  const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  console.error(`${what}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  return result;
}

await main();
