/**
 * Minutes of real work: a folder that changes all the time, its sharer, a live clone, and another one
 * that is killed and started again, while strangers connect and say nothing of use. Memory and open
 * handles are looked at on the way: neither may grow.
 *
 * deno run -A bench/endure.ts [--minutes N] [--seed TEXT]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Process, trove } from "../tests/support/processes.ts";
import { Random } from "../tests/support/random.ts";
import { cloneArguments, shareWithTrove } from "../tests/support/sharing.ts";
import { TempFolder } from "../tests/support/temp.ts";
import { differences, digestTree, withoutModes, writeTree } from "../tests/support/trees.ts";

const CHANGE_MS = 500;
const SAMPLE_MS = 10_000;
const RESTART_MS = 20_000;
const STRANGER_MS = 250;
const SETTLE_MS = 20_000;
/** Names that files have: the folder changes and does not grow. */
const NAMES = 200;
/** Growth of resident memory from the first third to the last that is put up with, in bytes. */
const MOST_GROWTH = 16e6;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: "soak 1" },
  },
});
const durationMs = Number(values.minutes) * 60_000;
const random = new Random(values.seed);

interface Sample {
  readonly rss: number;
  readonly handles: number;
}

function look({ pid }: Process): Sample {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return {
    rss: 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)![1]),
    handles: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
  };
}

/** Write, rewrite or remove a file, or remove a folder. */
function change(folder: string): void {
  const name = `${random.below(8)}/${random.below(NAMES / 8)}`;
  const fate = random.below(20);
  if (fate === 0) remove(join(folder, String(random.below(8))));
  else if (fate < 5) remove(join(folder, name));
  else writeTree(folder, [{ path: name, size: random.below(200_000) }], `${random.below(2 ** 30)}`);
}

function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Somebody who connects, says something that makes no sense or nothing, and goes. */
async function bother(address: string): Promise<void> {
  const { hostname, port } = new URL(`tcp://${address}`);
  try {
    using conn = await Deno.connect({ hostname, port: Number(port) });
    if (random.below(2) === 0) await conn.write(random.bytes(1 + random.below(400)));
    await new Promise((resolve) => setTimeout(resolve, random.below(2000)));
  } catch {
    // Turned away, which is what strangers can expect.
  }
}

const mean = (numbers: readonly number[]) =>
  numbers.reduce((sum, number) => sum + number, 0) / Math.max(1, numbers.length);

using temp = new TempFolder("trove-soak-");
const folder = temp.folder("folder");
for (let n = 0; n < 100; n++) change(folder);
await using sharer = await shareWithTrove(folder, { home: temp.folder("home") });
const live = (name: string) => {
  const listening = ["--live", "--port", "0", "--host", "127.0.0.1"];
  const args = cloneArguments(sharer.link, temp.folder(name), [sharer.address], listening);
  return trove(args, { home: temp.folder(`home of ${name}`) });
};
await using follower = await live("follower");
let restless = await live("restless");
const watched: readonly (readonly [string, Process])[] = [
  ["sharer", sharer.process],
  ["follower", follower],
];
const samples = new Map<string, Sample[]>(watched.map(([name]) => [name, []]));
const strangers = new Set<Promise<void>>();
let restarts = 0;
const endsAt = Date.now() + durationMs;
const timers = [
  setInterval(() => change(folder), CHANGE_MS),
  setInterval(() => {
    for (const [name, process] of watched) samples.get(name)!.push(look(process));
  }, SAMPLE_MS),
  setInterval(() => {
    const stranger = bother(sharer.address).finally(() => strangers.delete(stranger));
    strangers.add(stranger);
  }, STRANGER_MS),
];
while (Date.now() < endsAt) {
  await new Promise((resolve) => setTimeout(resolve, Math.min(RESTART_MS, endsAt - Date.now())));
  restless.signal("SIGKILL");
  await restless.exit;
  restless = await live("restless");
  restarts++;
}
for (const timer of timers) clearInterval(timer);
await Promise.all(strangers);

const failures: string[] = [];
const expected = withoutModes(digestTree(folder));
for (const name of ["follower", "restless"]) {
  const settledBy = Date.now() + SETTLE_MS;
  const wrong = () => differences(withoutModes(digestTree(temp.join(name))), expected);
  while (wrong().length > 0 && Date.now() < settledBy) {
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  if (wrong().length > 0) failures.push(`${name} is not like the folder: ${wrong()[0]}`);
}
await restless[Symbol.asyncDispose]();
console.log(`${values.minutes} minutes, ${restarts} kills, seed "${values.seed}"`);
for (const [name, all] of samples) {
  const third = Math.max(1, Math.floor(all.length / 3));
  const [first, last] = [all.slice(0, third), all.slice(-third)];
  const [before, after] = [first, last].map((some) => mean(some.map(({ rss }) => rss)));
  const [least, most] = [first, last].map((some) =>
    Math.max(...some.map(({ handles }) => handles))
  );
  console.log(
    `${name.padEnd(8)} resident ${(before / 1e6).toFixed(0)} -> ${(after / 1e6).toFixed(0)} MB, ` +
      `handles at most ${least} -> ${most}`,
  );
  if (after - before > MOST_GROWTH) failures.push(`the ${name}'s memory grows`);
  if (most > least + 4) failures.push(`the ${name} leaks handles`);
}
for (const failure of failures) console.log(`failed: ${failure}`);
if (failures.length > 0) Deno.exitCode = 1;
