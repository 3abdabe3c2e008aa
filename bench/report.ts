/** Medians, ratios and bars out of samples, as a table for people and as JSON. */
import { type Pair, programsOf, type Sample } from "./measure.ts";

/** What a figure has to reach. */
export interface Bar {
  readonly text: string;
  readonly met: boolean;
}

/** One line of the table. Rates are MB/s for one file and files/s for many; MB = 10^6 bytes. */
export interface Row {
  readonly workload: string;
  readonly pair: Pair;
  readonly runs: number;
  readonly unit: "MB/s" | "files/s";
  readonly importRate: number;
  readonly cloneRate: number;
  /** Against the real peer of the same run: the median of the runs' ratios. */
  readonly importRatio?: number;
  readonly cloneRatio?: number;
  /** The same against the bare pipeline. */
  readonly bareRatio?: number;
  /** Processor seconds; see `Sample`. */
  readonly importCpu: number;
  readonly cloneCpu: number;
  readonly sharerPeakMB: number;
  readonly clonerPeakMB: number;
  readonly bars: readonly Bar[];
}

/** Bytes a second that the rest of the program has to reach when hash and cipher cost nothing. */
const STUBBED_BAR = 400e6;
/** Bytes either side may keep in memory. */
const MEMORY_BAR = 120e6;
/** How many times as fast as real peers trove has to bring many small files in, and over. */
const SMALL_BAR = 4;
/** How many times as fast as real peers trove has to bring a large file in, and over. */
const IMPORT_BAR = 2;
const CLONE_BAR = 3;
/** And what part of the bare pipeline's rate. */
const BARE_BAR = 0.8;

/** Rows in the order in which workloads and pairs were first measured. `rounds` is one list a run. */
export function summarize(rounds: readonly (readonly Sample[])[]): Row[] {
  const groups = new Map<string, Sample[]>();
  for (const sample of rounds.flat()) {
    const name = `${sample.workload}\n${sample.pair}`;
    groups.set(name, [...(groups.get(name) ?? []), sample]);
  }
  return [...groups.values()].map((samples) => rowOf(samples, rounds));
}

function rowOf(samples: readonly Sample[], rounds: readonly (readonly Sample[])[]): Row {
  const [{ pair, workload, files, bytes }] = samples;
  const amount = files === 1 ? bytes / 1e6 : files;
  const ratio = (seconds: "importSeconds" | "cloneSeconds", to: Pair = "real") => {
    const ratios = rounds.flatMap((round) => {
      const same = round.filter((sample) => sample.workload === workload);
      const theirs = same.find((sample) => sample.pair === to);
      const ours = same.find((sample) => sample.pair === pair);
      return theirs && ours ? [theirs[seconds] / ours[seconds]] : [];
    });
    return pair === to || ratios.length === 0 ? undefined : median(ratios);
  };
  const row = {
    workload,
    pair,
    runs: samples.length,
    unit: files === 1 ? "MB/s" as const : "files/s" as const,
    importRate: amount / median(samples.map((sample) => sample.importSeconds)),
    cloneRate: amount / median(samples.map((sample) => sample.cloneSeconds)),
    importRatio: ratio("importSeconds"),
    cloneRatio: ratio("cloneSeconds"),
    bareRatio: ratio("cloneSeconds", "bare"),
    importCpu: median(samples.map((sample) => sample.importCpuSeconds)),
    cloneCpu: median(samples.map((sample) => sample.cloneCpuSeconds)),
    sharerPeakMB: Math.max(...samples.map((sample) => sample.sharerPeakRss)) / 1e6,
    clonerPeakMB: Math.max(...samples.map((sample) => sample.clonerPeakRss)) / 1e6,
  };
  return { ...row, bars: barsOf(row) };
}

function barsOf(row: Omit<Row, "bars">): Bar[] {
  if (row.pair === "real" || row.pair === "bare") return [];
  const bars: Bar[] = [];
  if (row.unit === "MB/s" && row.pair === "stubbed") {
    bars.push({
      text: `clone >= ${STUBBED_BAR / 1e6} MB/s`,
      met: row.cloneRate >= STUBBED_BAR / 1e6,
    });
  }
  if (row.unit === "files/s" && row.pair === "trove" && row.cloneRatio !== undefined) {
    bars.push({ text: `import >= ${SMALL_BAR} x real`, met: row.importRatio! >= SMALL_BAR });
    bars.push({ text: `clone >= ${SMALL_BAR} x real`, met: row.cloneRatio >= SMALL_BAR });
  }
  if (row.unit === "MB/s" && row.pair.includes(" to ") && row.cloneRatio !== undefined) {
    bars.push({ text: "clone >= real peers", met: row.cloneRatio >= 1 });
  }
  if (row.unit === "MB/s" && row.pair === "trove") {
    if (row.cloneRatio !== undefined) {
      bars.push({ text: `import >= ${IMPORT_BAR} x real`, met: row.importRatio! >= IMPORT_BAR });
      bars.push({ text: `clone >= ${CLONE_BAR} x real`, met: row.cloneRatio >= CLONE_BAR });
    }
    if (row.bareRatio !== undefined) {
      const part = `${(100 * row.bareRatio).toFixed(0)} %`;
      const text = `clone >= ${100 * BARE_BAR} % of bare (${part})`;
      bars.push({ text, met: row.bareRatio >= BARE_BAR });
    }
    const peak = Math.max(row.sharerPeakMB, row.clonerPeakMB);
    bars.push({ text: `RSS < ${MEMORY_BAR / 1e6} MB`, met: peak < MEMORY_BAR / 1e6 });
  }
  return bars;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const HEADINGS = [
  ...["", "import", "x real", "CPU", "clone", "x real", "CPU", "sharer", "cloner", "bars"],
];

/** The rows as lines of text. `judged` is off for a quick run, whose figures mean little. */
export function table(rows: readonly Row[], { judged }: { judged: boolean }): string {
  const lines: string[] = [];
  let workload = "";
  const cells: string[][] = [];
  for (const row of rows) {
    if (row.workload !== workload) cells.push([`${workload = row.workload}`]);
    cells.push([
      `  ${programsOf(row.pair).join(" to ")}`,
      `${row.importRate.toFixed(0)} ${row.unit}`,
      row.importRatio?.toFixed(2) ?? "",
      `${row.importCpu.toFixed(2)} s`,
      `${row.cloneRate.toFixed(0)} ${row.unit}`,
      row.cloneRatio?.toFixed(2) ?? "",
      `${row.cloneCpu.toFixed(2)} s`,
      `${row.sharerPeakMB.toFixed(0)} MB`,
      `${row.clonerPeakMB.toFixed(0)} MB`,
      row.bars.map(({ text, met }) => judged ? `${met ? "ok" : "MISSED"}: ${text}` : text)
        .join(", "),
    ]);
  }
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...cells.map((row) => row.length === 1 ? 0 : row[column].length))
  );
  for (const row of [HEADINGS, ...cells]) {
    const padded = row.map((cell, column) => {
      const last = column === HEADINGS.length - 1;
      return column === 0 || last
        ? cell.padEnd(last ? 0 : widths[0])
        : cell.padStart(widths[column]);
    });
    lines.push(padded.join("  ").trimEnd());
  }
  return lines.join("\n");
}
