/**
 * What a process takes that has nothing to do: many archives, open links to peers that follow some
 * of them, and nobody who asks for anything.
 */
import { join } from "node:path";
import { importFolder } from "../src/app/import_folder.ts";
import { createArchive } from "../src/app/open_archive.ts";
import { clone } from "../src/mod.ts";
import { type Process, trove } from "../tests/support/processes.ts";
import { Random } from "../tests/support/random.ts";
import { TestWorld } from "../tests/support/test_world.ts";
import { atMost, delay, type Measured, megabytes, type PartOptions } from "./part.ts";
import { WorkFolder } from "./work_folder.ts";

/** Share of one core, in percent. */
const CPU_BAR = 1;
const ARCHIVES = 100;
const PEERS = 20;
/** Until what connecting and fetching left behind is tidied up, in seconds. */
const SETTLE_SECONDS = 10;
const FILE_BYTES = [300, 5000, 80_000];

interface Sample {
  readonly peers: number;
  readonly seconds: number;
  /** Percent of one core. */
  readonly cpu: number;
  readonly rss: number;
}

/** Without peers first, then with them. */
export async function measureIdle({ idleSeconds, quick }: PartOptions): Promise<Measured> {
  const seconds = quick ? idleSeconds / 10 : idleSeconds;
  using temp = new WorkFolder();
  const links = await makeArchives(temp);
  console.error(`${ARCHIVES} archives at rest, ${seconds} s, without peers and with ${PEERS}`);
  await using server = await trove(
    ["seed", "--list", temp.join("archives"), "--host", "127.0.0.1", "--port", "0", "--json"],
    { home: temp.join("home") },
  );
  const { host, port } = await server.event("listening");
  const samples = [await atRest(server, { peers: 0, seconds })];
  {
    await using _peers = await follow(temp, links.slice(0, PEERS), `${host}:${port}`);
    samples.push(await atRest(server, { peers: PEERS, seconds }));
  }
  return {
    head: [`${ARCHIVES} archives at rest`, "of a core", "memory"],
    rows: samples.map(({ peers, cpu, rss }) => [
      `  ${peers} peers`,
      `${cpu.toFixed(2)} %`,
      megabytes(rss),
    ]),
    bars: samples.map(({ peers, cpu }) =>
      atMost(`${peers} peers`, cpu, { limit: CPU_BAR, unit: "% of a core", digits: 2 })
    ),
    samples,
  };
}

async function atRest(
  server: Process,
  { peers, seconds }: Pick<Sample, "peers" | "seconds">,
): Promise<Sample> {
  await delay(SETTLE_SECONDS);
  const before = server.cpuSeconds();
  const startedAt = performance.now();
  await delay(seconds);
  const cpuSeconds = server.cpuSeconds() - before;
  const cpu = 100 * cpuSeconds / ((performance.now() - startedAt) / 1000);
  const status = Deno.readTextFileSync(`/proc/${server.pid}/status`);
  const rss = 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
  return { peers, seconds, cpu, rss };
}

async function makeArchives(temp: WorkFolder): Promise<string[]> {
  const world = new TestWorld(temp, { seed: "idle" });
  const random = new Random("bench idle");
  const links: string[] = [];
  for (let n = 0; n < ARCHIVES; n++) {
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

/** Live clones in this process, complete and connected; disposing of them ends them. */
async function follow(
  temp: WorkFolder,
  links: readonly string[],
  peer: string,
): Promise<AsyncDisposable> {
  const world = new TestWorld(temp, { home: "home of peers", running: true });
  const ended = new AbortController();
  const running: Promise<void>[] = [];
  const complete = links.map((link, n) =>
    new Promise<void>((resolve, reject) => {
      running.push(
        clone(link, temp.join("clones", String(n)), {
          ...{ world, peers: [peer], live: true, signal: ended.signal },
          onEvent: ({ event }) => event === "synced" && resolve(),
        }).catch(reject),
      );
    })
  );
  await Promise.all(complete);
  return {
    async [Symbol.asyncDispose]() {
      ended.abort();
      await Promise.all(running);
    },
  };
}
