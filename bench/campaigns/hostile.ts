/**
 * What hostile peers cost: while an honest peer clones from a sharer, strangers flood it, hold it up or
 * lie; and while it clones, others lie to it. Prints for each how much longer the honest peer took,
 * and what memory and processor time it cost; bad is a clone that does not complete, or memory that
 * grows beyond what there is room for.
 *
 * deno task campaign:hostile [--seconds N] [--count CONNECTIONS] [--only PART,…]
 *
 *   --seconds  how long each attack lasts at least (10)
 *   --count    connections of garbage, and connections that say nothing (5000)
 *   --only     sharer or cloner: whom it happens to; or some of what happens, as in "want-flood"
 */
import { join } from "node:path";
import { cloneArguments, shareWithTrove } from "../../tests/support/sharing.ts";
import { type Process, trove } from "../../tests/support/processes.ts";
import { tempFolder } from "../../tests/support/temp.ts";
import { differences, digestTree, writeTree } from "../../tests/support/trees.ts";
import { campaignOptions, Tally } from "./campaign.ts";
import { Liar, LIES } from "./liars.ts";
import {
  type Attack,
  FLOODS,
  garbage,
  halfOpen,
  reflection,
  slowLoris,
  slowReaders,
} from "./strangers.ts";

const BYTES = 32_000_000;
const USUAL_SECONDS = 10;
/** Growth of resident memory that is put up with, in bytes. */
const MOST_GROWTH = 150e6;
/** How much longer an attack may take that has a number of its own, in milliseconds. */
const MOST_MS = 60_000;
/** The honest peer gives up after so long. */
const TIMEOUT = "120s";

const attacksOf = (count: number): Readonly<Record<string, Attack>> => ({
  "nobody": () => Promise.resolve(0),
  [`${count} connections of garbage`]: garbage(count),
  [`${count} connections that say nothing`]: halfOpen(count),
  "slow loris": slowLoris,
  "reflection": reflection,
  ...FLOODS,
  "8 that read 1 kB/s": slowReaders,
});

/** What `--only` calls it. */
const partOf = (name: string) => name.toLowerCase().replaceAll(/[^a-z]+/g, "-").replace(/^-/, "");

const [SHARER, CLONER] = [attacksOf(1), LIES].map((all) => Object.keys(all).map(partOf));
const options = campaignOptions(["sharer", "cloner", ...SHARER, ...CLONER], 5000);
const isChosen = (whom: string, name: string) =>
  name === "nobody" || options.only.includes(whom) || options.only.includes(partOf(name));
const seconds = Number.isFinite(options.seconds) ? options.seconds : USUAL_SECONDS;

/** Resident memory of a process, looked at now and then. */
class Memory implements Disposable {
  #peak = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(readonly process: Process) {
    this.#look();
    this.#timer = setInterval(() => this.#look(), 20);
  }

  #look(): void {
    try {
      const status = Deno.readTextFileSync(`/proc/${this.process.pid}/status`);
      this.#peak = Math.max(this.#peak, 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0));
    } catch {
      // It has ended.
    }
  }

  /** Bytes: the most since the last call. */
  takePeak(): number {
    this.#look();
    const peak = this.#peak;
    this.#peak = 0;
    return peak;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

const told = (name: string, fields: readonly (string | number)[]) =>
  console.log(`| ${name.padEnd(38)} | ${fields.join(" | ")} |`);
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

using temp = tempFolder();
const folder = temp.folder("folder");
writeTree(folder, [{ path: "large", size: BYTES }, { path: "small", size: 100 }], "hostile");
const tree = digestTree(folder);
await using sharer = await shareWithTrove(folder, { home: temp.folder("home") });
const contentKey = Deno.readFileSync(join(folder, ".dat", "content.key"));
const tally = new Tally("hostile", { ...options, seconds: Infinity, count: Infinity });

/** A clone by an honest peer; how long it took, and what it cost it. */
async function clone(addresses: readonly string[]) {
  const began = performance.now();
  const copy = temp.join("copy");
  const args = cloneArguments(sharer.link, copy, addresses, ["--timeout", TIMEOUT]);
  await using process = await trove(args, { home: temp.folder("reader") });
  using memory = new Memory(process);
  let cpu = 0;
  const timer = setInterval(() => cpu = Math.max(cpu, process.cpuSeconds()), 50);
  const exit = await process.exit;
  clearInterval(timer);
  const wrong = exit.code === 0 ? differences(digestTree(copy), tree) : [exit.stderr];
  Deno.removeSync(copy, { recursive: true });
  const took = (performance.now() - began) / 1000;
  return { took, wrong, cpu, peak: memory.takePeak() };
}

await clone([sharer.address]); // it warms up
let usual = 0;
if (options.only.some((part) => part === "sharer" || SHARER.includes(part))) {
  told("whom the sharer has to do with", ["honest clone", "sharer's memory", "its CPU", "said"]);
  let before = 0;
  using memory = new Memory(sharer.process);
  for (const [name, attack] of Object.entries(attacksOf(options.count))) {
    if (!isChosen("sharer", name)) continue;
    memory.takePeak();
    const cpu = sharer.process.cpuSeconds();
    const began = performance.now();
    const stop = new AbortController();
    const attacking = attack({ address: sharer.address, key: sharer.key, contentKey }, stop.signal);
    const { took, wrong } = await clone([sharer.address]);
    const left = 1000 * seconds - (performance.now() - began);
    const enough = new Promise((resolve) => setTimeout(resolve, Math.max(0, left)));
    // Those that have a number of their own may take longer.
    const most = new Promise((resolve) => setTimeout(resolve, Math.max(0, left) + MOST_MS));
    if (name.includes("garbage")) await Promise.race([attacking, most]);
    else if (name !== "nobody") await enough;
    stop.abort();
    const said = await attacking;
    const lasted = (performance.now() - began) / 1000;
    const peak = memory.takePeak();
    const used = 100 * (sharer.process.cpuSeconds() - cpu) / lasted;
    if (usual === 0) [usual, before] = [took, peak];
    const growth = `${megabytes(peak)} (${peak >= before ? "+" : ""}${megabytes(peak - before)})`;
    told(name, [
      `${took.toFixed(1)} s (${(took / usual).toFixed(1)} times)`,
      growth,
      `${used.toFixed(0)} %`,
      said,
    ]);
    tally.add(1);
    if (wrong.length > 0) tally.fail(`${name}: ${wrong[0]}`);
    if (peak - before > MOST_GROWTH) tally.fail(`${name}: ${growth}`);
  }
}
if (options.only.some((part) => part === "cloner" || CLONER.includes(part))) {
  told("a peer beside the honest one", ["honest clone", "cloner's memory", "its CPU time"]);
  let before = 0;
  for (const [name, lies] of [["nobody", undefined], ...Object.entries(LIES)] as const) {
    if (!isChosen("cloner", name)) continue;
    await using liar = lies === undefined ? undefined : new Liar(sharer.key, lies);
    const others = liar === undefined ? [] : [liar.address];
    const { took, wrong, cpu, peak } = await clone([...others, sharer.address]);
    before ||= peak;
    told(name, [`${took.toFixed(1)} s`, megabytes(peak), `${cpu.toFixed(1)} s`]);
    tally.add(1);
    if (wrong.length > 0) tally.fail(`${name}: ${wrong[0]}`);
    if (peak - before > MOST_GROWTH) tally.fail(`${name}: ${megabytes(peak)}`);
  }
}
tally.end();
