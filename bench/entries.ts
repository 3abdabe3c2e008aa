/** Memory and time over the number of entries: import, sharing, clone and listing. */
import type { EntryArchive, EntryArchives, Step } from "./entry_archives.ts";
import { atMost, type Measured, megabytes, type PartOptions } from "./part.ts";

/** Bytes of resident memory that any of them may take for a million entries. */
const MEMORY_BAR = 512e6;
const MILLION = 1_000_000;
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
      const { what, bytes } = forMillion(samples.map((one) => [one.entries, one[step].peakRss]));
      return atMost(`${step}, ${what}`, bytes / 1e6, { limit: MEMORY_BAR / 1e6, unit: "MB" });
    }),
    samples,
  };
}

/** What a million entries take: as it was measured, or as the two largest numbers let expect. */
function forMillion(points: readonly (readonly [entries: number, bytes: number])[]) {
  const [entries, bytes] = points.at(-1)!;
  if (entries >= MILLION || points.length === 1) return { what: `${entries} entries`, bytes };
  const [before, bytesBefore] = points.at(-2)!;
  const each = Math.max(0, bytes - bytesBefore) / (entries - before);
  return {
    what: `${MILLION} entries at ${each.toFixed(0)} bytes each`,
    bytes: bytes + each * (MILLION - entries),
  };
}
