/**
 * What all campaigns share: `--seed`, `--count` and `--seconds`, a line for every failure with the
 * seed that repeats it alone, and a last line with the counts. Any failure makes the exit code 1.
 */
import { parseArgs } from "node:util";

/** How often to tell how far it is, in milliseconds. */
const PROGRESS_MS = 30_000;

export interface CampaignOptions {
  /** The number of the first case; the next ones follow. */
  readonly seed: number;
  /** Cases, of each part where there are several. */
  readonly count: number;
  /** Begin no case after so many seconds, of each part where there are several. */
  readonly seconds: number;
  /** The parts to run: all, if none are named. */
  readonly only: readonly string[];
  /** Of what is counted through, take one in so many. */
  readonly every: number;
}

/**
 * Read the command line.
 *
 * @param parts The names that `--only` takes, separated by commas.
 * @throws {RangeError} If it asks for what is not there.
 */
export function campaignOptions(parts: readonly string[], count: number): CampaignOptions {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      count: { type: "string", default: String(count) },
      seconds: { type: "string", default: "Infinity" },
      only: { type: "string", default: parts.join(",") },
      every: { type: "string", default: "1" },
    },
  });
  const options = {
    seed: Number(values.seed),
    count: Number(values.count),
    seconds: Number(values.seconds),
    only: values.only.split(","),
    every: Number(values.every),
  };
  const { seed, seconds, only } = options;
  if (
    !Number.isSafeInteger(seed) || !(options.count > 0) || !(seconds > 0) || !(options.every > 0)
  ) {
    throw new RangeError("Cannot run: --seed, --count, --seconds and --every need numbers above 0");
  }
  const unknown = only.find((part) => !parts.includes(part));
  if (unknown !== undefined) {
    throw new RangeError(`Cannot run "${unknown}": there are ${parts.join(", ")}`);
  }
  return options;
}

/** Counts cases, tells of those that are bad, and knows when to end. */
export class Tally {
  readonly #name: string;
  readonly #options: CampaignOptions;
  readonly #start = performance.now();
  #toldAt = performance.now();
  cases = 0;
  bad = 0;

  constructor(name: string, options: CampaignOptions) {
    this.#name = name;
    this.#options = options;
  }

  get seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  /** Whether there are more cases to run. */
  get goesOn(): boolean {
    return this.cases < this.#options.count && this.seconds < this.#options.seconds;
  }

  /** Cases were run. */
  add(cases: number): void {
    this.cases += cases;
    if (performance.now() - this.#toldAt < PROGRESS_MS) return;
    this.#toldAt = performance.now();
    console.log(`${this.#name}: ${this.cases} cases, ${this.bad} bad, ${this.#took()}`);
  }

  /** A case failed: its message says its seed. */
  fail(error: unknown): void {
    this.bad++;
    Deno.exitCode = 1;
    console.log(`${this.#name}: BAD: ${error instanceof Error ? error.message : error}`);
    if (error instanceof Error && error.cause instanceof Error) console.log(error.cause.stack);
  }

  /** The last line. */
  end(more = ""): void {
    console.log(`${this.#name}: ${this.cases} cases, ${this.bad} bad, ${this.#took()}${more}`);
  }

  #took(): string {
    return `${this.seconds.toFixed(1)} s`;
  }
}
