/**
 * One small file changes in a folder that is shared and followed by a live clone: how long until the
 * change is imported and published, and until the clone has it. It must not depend on how many
 * entries there are.
 */
import { join } from "node:path";
import type { JsonLine, Process } from "../tests/support/processes.ts";
import { type EntryArchives, followClone, shareTiny, tinyPath } from "./entry_archives.ts";
import { atMost, delay, type Measured, medianOf, type PartOptions } from "./part.ts";

/** How many times as long it may take among the most entries as among the fewest. */
const GROWTH_BAR = 1.5;
/** How many changes one run of the bench makes. */
const CHANGES = 7;
/** Between changes, so that none is put together with the one before, in seconds. */
const PAUSE_SECONDS = 1;
const DEADLINE_MS = 3600_000;

interface Sample {
  readonly entries: number;
  /** From the file's change until it is imported and published. */
  readonly publishSeconds: number;
  /** From the file's change until the clone has it. */
  readonly cloneSeconds: number;
  /** Processor time of either side. */
  readonly sharerCpu: number;
  readonly clonerCpu: number;
}

export async function measureUpdates(
  { entries, quick }: PartOptions,
  archives: EntryArchives,
): Promise<Measured> {
  const samples: Sample[] = [];
  for (const count of entries) {
    samples.push(...await updatesOf(quick ? count / 10 : count, archives));
  }
  const sizes = [...new Set(samples.map((sample) => sample.entries))];
  const of = (size: number, figure: (sample: Sample) => number) =>
    medianOf(samples.filter((sample) => sample.entries === size), figure);
  const ms = (seconds: number) => `${(seconds * 1000).toFixed(0)} ms`;
  const growth = (figure: (sample: Sample) => number) =>
    of(sizes.at(-1)!, figure) / of(sizes[0], figure);
  return {
    head: ["one file changes", "published", "cloned", "sharer CPU", "cloner CPU"],
    rows: sizes.map((size) => [
      `  among ${size} entries`,
      ms(of(size, (sample) => sample.publishSeconds)),
      ms(of(size, (sample) => sample.cloneSeconds)),
      ms(of(size, (sample) => sample.sharerCpu)),
      ms(of(size, (sample) => sample.clonerCpu)),
    ]),
    bars: sizes.length < 2 ? [] : [
      atMost(
        `published, among ${sizes.at(-1)} entries against ${sizes[0]}`,
        growth((sample) => sample.publishSeconds),
        { limit: GROWTH_BAR, unit: "times", digits: 2 },
      ),
      atMost(
        `cloned, among ${sizes.at(-1)} entries against ${sizes[0]}`,
        growth((sample) => sample.cloneSeconds),
        { limit: GROWTH_BAR, unit: "times", digits: 2 },
      ),
    ],
    samples,
  };
}

async function updatesOf(entries: number, archives: EntryArchives): Promise<Sample[]> {
  const { folder, copy, home } = await archives.get(entries);
  console.error(`${entries} entries: updates`);
  await using sharer = await shareTiny(folder, home);
  await using cloner = await followClone(sharer, copy, home);
  let { version } = await cloner.event("synced", { deadlineMs: DEADLINE_MS });
  const samples: Sample[] = [];
  for (let change = 0; change < CHANGES; change++) {
    await delay(PAUSE_SECONDS);
    const path = tinyPath(Math.floor((change + 0.5) / CHANGES * entries));
    version++;
    const reached = (line: JsonLine) => line.version >= version;
    const sharerBefore = sharer.process.cpuSeconds();
    const clonerBefore = cloner.cpuSeconds();
    const startedAt = performance.now();
    Deno.writeTextFileSync(join(folder, path), `changed ${change}\n`);
    const since = async (process: Process, event: string) => {
      await process.event(event, { matches: reached, deadlineMs: DEADLINE_MS });
      return (performance.now() - startedAt) / 1000;
    };
    const [publishSeconds, cloneSeconds] = await Promise.all([
      since(sharer.process, "imported"),
      since(cloner, "synced"),
    ]);
    if (Deno.readTextFileSync(join(copy, path)) !== `changed ${change}\n`) {
      throw new Error(`The clone has not got the change of "${path}"`);
    }
    samples.push({
      ...{ entries, publishSeconds, cloneSeconds },
      sharerCpu: sharer.process.cpuSeconds() - sharerBefore,
      clonerCpu: cloner.cpuSeconds() - clonerBefore,
    });
  }
  return samples;
}
