/** Memory and time over the number of entries: import, sharing, clone and listing. */
import type { EntryArchive, EntryArchives, Step } from "./entry_archives.ts";
import { atMost, type Measured, megabytes, type PartOptions } from "./part.ts";

/**
 * Bytes of resident memory that any of them may take for a million entries. Fewer are held against the
 * same: what they take does not tell what a million would, for caches fill up first.
 */
const MEMORY_BAR = 512e6;
const STEPS = ["import", "share", "clone", "list"] as const;

/** Each number once: what only looks at memory needs no median. */
export async function measureEntries(
  { entries, quick }: PartOptions,
  archives: EntryArchives,
): Promise<Measured> {
  const samples: EntryArchive[] = [];
  for (const count of entries) samples.push(await archives.get(quick ? count / 10 : count));
  const cell = ({ seconds, peakRss }: Step) => `${seconds.toFixed(1)} s ${megabytes(peakRss)}`;
  return {
    head: ["memory over entries", ...STEPS],
    rows: samples.map((sample) => [
      `  ${sample.entries} entries`,
      ...STEPS.map((step) => cell(sample[step])),
    ]),
    bars: STEPS.map((step) => {
      const { entries, [step]: { peakRss } } = samples.at(-1)!;
      const limit = { limit: MEMORY_BAR / 1e6, unit: "MB" };
      return atMost(`${step}, ${entries} entries`, peakRss / 1e6, limit);
    }),
    samples,
  };
}
