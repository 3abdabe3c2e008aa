/**
 * Random input, far more of it than the tests take: sequences of inputs for the core, and bytes for
 * sessions.
 *
 * deno run -A bench/fuzz.ts [--count N] [--seed S] [--only core|session]
 *
 *   --count  so many inputs for the core, and so many sequences of bytes (1,000,000)
 *   --seed   where to begin; without it, one that is drawn and printed
 *   --only   one of the two
 *
 * A failure tells its seed. `--seed` and `--count 1` run that one alone.
 */
import { parseArgs } from "node:util";
import { fuzzCore } from "../tests/sim/core_fuzz.ts";
import { SessionFuzzer } from "../tests/sim/session_fuzz.ts";

/** Moves of one sequence for the core. */
const MOVES = 1500;

/** How often to tell how far it is. */
const SEQUENCES_A_LINE = 50_000;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "1000000" },
    seed: { type: "string" },
    only: { type: "string" },
  },
});
const count = Number(values.count);
const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed)) {
  throw new RangeError("Cannot fuzz: --count and --seed need whole numbers");
}
console.log(`seed ${seed}`);
if (values.only !== "session") fuzzCores();
if (values.only !== "core") fuzzSessions();

function fuzzCores(): void {
  const start = performance.now();
  let [steps, mostEffects, mostLooks, sequences] = [0, 0, 0, 0];
  for (; steps < count; sequences++) {
    const result = fuzzCore(`${seed + sequences}`, MOVES);
    steps += result.steps;
    mostEffects = Math.max(mostEffects, result.mostEffects);
    mostLooks = Math.max(mostLooks, result.mostLooks);
  }
  console.log(
    `core: ${steps} inputs in ${sequences} sequences, at most ${mostEffects} effects of one and ` +
      `${mostLooks} looks into a feed, ${seconds(start)}`,
  );
}

function fuzzSessions(): void {
  const start = performance.now();
  const fuzzer = new SessionFuzzer();
  let [bytes, messages, refused, largest] = [0, 0, 0, 0];
  for (let n = 0; n < count; n++) {
    const result = fuzzer.run(`${seed + n}`);
    bytes += result.bytes;
    messages += result.messages;
    if (result.refused) refused++;
    largest = Math.max(largest, result.largestAllocation);
    if ((n + 1) % SEQUENCES_A_LINE === 0) console.log(`session: ${n + 1}, ${seconds(start)}`);
  }
  console.log(
    `session: ${count} sequences of ${bytes} bytes, ${messages} messages taken, ${refused} refused, ` +
      `largest allocation ${largest} bytes, ${seconds(start)}`,
  );
}

function seconds(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}
