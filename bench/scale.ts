/**
 * Imports of more and more files: whether a file costs the same among a hundred thousand as among a
 * thousand, and what one folder with very many names costs.
 */
import { TempFolder } from "../tests/support/temp.ts";
import { flatFiles, nestedFiles, type Workload } from "./data.ts";
import { type ImportSample, measureImport, type Pair } from "./measure.ts";
import { type Bar, median } from "./report.ts";

interface ScalePlan {
  readonly workload: Workload;
  readonly pairs: readonly Pair[];
}

/** How much more or less a file may cost at the largest size than at the smallest. */
const PER_FILE_BAR = 0.25;
/** How many times as fast as a real peer the one large folder has to be. */
const FLAT_BAR = 10;
/** Bytes that an import may keep in memory. */
const MEMORY_BAR = 300e6;

const NESTED = [1000, 10_000, 100_000];
const FLAT = 8000;

function plans({ quick, real }: { quick: boolean; real: boolean }): ScalePlan[] {
  const divisor = quick ? 10 : 1;
  const nested = NESTED.map((count, n): ScalePlan => ({
    workload: nestedFiles(count / divisor),
    pairs: n === 0 || real ? ["real", "trove"] : ["trove"],
  }));
  return [...nested, { workload: flatFiles(FLAT / divisor), pairs: ["real", "trove"] }];
}

/** Every pair of every plan, run by run; each folder is there only while it is measured. */
export async function measureScale(
  options: { runs: number; quick: boolean; real: boolean },
): Promise<ImportSample[]> {
  const samples: ImportSample[] = [];
  for (const { workload, pairs } of plans(options)) {
    using temp = new TempFolder("trove-bench-");
    const folder = temp.folder("data");
    workload.write(folder);
    for (let run = 1; run <= options.runs; run++) {
      for (const pair of pairs) {
        console.error(`run ${run}: ${workload.name}, ${pair}`);
        samples.push(await measureImport(pair, { workload, folder }, temp));
      }
    }
  }
  return samples;
}

interface ScaleRow {
  readonly workload: string;
  readonly pair: Pair;
  readonly files: number;
  readonly seconds: number;
  readonly againSeconds: number;
  readonly peakRss: number;
}

/** The medians as lines of text, and the bars below. `judged` is off for a quick run. */
export function scaleTable(
  samples: readonly ImportSample[],
  { judged }: { judged: boolean },
): string {
  const rows = rowsOf(samples);
  const head = ["", "import", "a file", "files/s", "unchanged", "peak memory"];
  const cells = rows.map(({ workload, pair, files, seconds, againSeconds, peakRss }) => [
    `${workload}, ${pair}`,
    `${seconds.toFixed(2)} s`,
    `${(seconds / files * 1e6).toFixed(0)} µs`,
    (files / seconds).toFixed(0),
    `${againSeconds.toFixed(2)} s`,
    `${(peakRss / 1e6).toFixed(0)} MB`,
  ]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...cells].map((row) => row[column].length))
  );
  const lines = [head, ...cells].map((row) =>
    row.map((cell, n) => n === 0 ? cell.padEnd(widths[n]) : cell.padStart(widths[n])).join("  ")
  );
  const bars = barsOf(rows)
    .map(({ text, met }) => judged ? `${met ? "ok" : "MISSED"}: ${text}` : text);
  return [...lines, "", ...bars].join("\n");
}

function rowsOf(samples: readonly ImportSample[]): ScaleRow[] {
  const groups = new Map<string, ImportSample[]>();
  for (const sample of samples) {
    const name = `${sample.workload}\n${sample.pair}`;
    groups.set(name, [...groups.get(name) ?? [], sample]);
  }
  return [...groups.values()].map((group) => ({
    ...group[0],
    seconds: median(group.map(({ seconds }) => seconds)),
    againSeconds: median(group.map(({ againSeconds }) => againSeconds)),
    peakRss: Math.max(...group.map(({ peakRss }) => peakRss)),
  }));
}

function barsOf(rows: readonly ScaleRow[]): Bar[] {
  const ours = rows.filter(({ pair }) => pair === "trove");
  const nested = ours.slice(0, -1).map(({ seconds, files }) => seconds / files);
  const ratio = nested[nested.length - 1] / nested[0];
  const [realFlat, flat] = rows.slice(-2);
  const faster = realFlat.seconds / flat.seconds;
  const peak = Math.max(...ours.map(({ peakRss }) => peakRss));
  return [
    {
      text: `a file at the largest size costs ${ratio.toFixed(2)} of one at the smallest ` +
        `(at most ${1 + PER_FILE_BAR})`,
      met: ratio <= 1 + PER_FILE_BAR,
    },
    {
      text: `one folder: ${
        faster.toFixed(1)
      } times as fast as the real peer (at least ${FLAT_BAR})`,
      met: faster >= FLAT_BAR,
    },
    {
      text: `peak memory ${(peak / 1e6).toFixed(0)} MB (at most ${MEMORY_BAR / 1e6})`,
      met: peak <= MEMORY_BAR,
    },
  ];
}
