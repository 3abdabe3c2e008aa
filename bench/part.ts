/**
 * What the parts of the bench that stand by themselves have in common: one table each, and the bars
 * that its figures are held against.
 */
import { type Bar, median } from "./report.ts";

export interface PartOptions {
  /** How often each figure is taken. */
  readonly runs: number;
  /** A tenth of everything, to see that it works: bars mean nothing then. */
  readonly quick: boolean;
  /** Real peers as well, where they take long. */
  readonly real: boolean;
  /** Numbers of entries, ascending. */
  readonly entries: readonly number[];
  /** Sizes of one file in GiB, ascending. */
  readonly gigabytes: readonly number[];
  /** Numbers of peers, ascending. */
  readonly peers: readonly number[];
  /** How long something that is at rest is looked at. */
  readonly idleSeconds: number;
}

/** What a part found. */
export interface Measured {
  /** The first cell of the heading says what is measured. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly bars: readonly Bar[];
  /** All figures, for the JSON. */
  readonly samples: unknown;
}

/** One part of the bench. */
export type MeasurePart = (options: PartOptions) => Promise<Measured>;

/** The table and the bars below it. `judged` is off for a quick run, whose figures mean little. */
export function partTable({ head, rows, bars }: Measured, { judged }: { judged: boolean }): string {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column].length))
  );
  const lines = [head, ...rows].map((row) =>
    row.map((cell, n) => n === 0 ? cell.padEnd(widths[n]) : cell.padStart(widths[n])).join("  ")
      .trimEnd()
  );
  const verdicts = bars.map(({ text, met }) => judged ? `${met ? "ok" : "MISSED"}: ${text}` : text);
  return [...lines, ...verdicts].join("\n");
}

/** A figure that has to stay below a limit. */
export function atMost(
  what: string,
  value: number,
  { limit, unit, digits = 0 }: { limit: number; unit: string; digits?: number },
): Bar {
  const text = `${what}: ${value.toFixed(digits)} ${unit} (at most ${limit} ${unit})`;
  return { text, met: value <= limit };
}

/** A figure that has to reach a limit. */
export function atLeast(
  what: string,
  value: number,
  { limit, unit, digits = 0 }: { limit: number; unit: string; digits?: number },
): Bar {
  const text = `${what}: ${value.toFixed(digits)} ${unit} (at least ${limit} ${unit})`;
  return { text, met: value >= limit };
}

export function megabytes(bytes: number, digits = 0): string {
  return `${(bytes / 1e6).toFixed(digits)} MB`;
}

/** The median of one figure of several samples. */
export function medianOf<Sample>(
  samples: readonly Sample[],
  figure: (sample: Sample) => number,
): number {
  return median(samples.map(figure));
}

export function delay(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
