/**
 * Input that makes no sense, for every reader of foreign bytes: see `tests/sim/parser_targets.ts`,
 * `web_targets.ts`, `file_targets.ts`, `core_fuzz.ts` and `session_fuzz.ts`, which the tests run too.
 *
 * deno task campaign:fuzz [--seed N] [--count CASES] [--seconds N] [--only frames,dns,…]
 *
 * `--count` and `--seconds` are for each target. A failure tells its number: with that as `--seed`,
 * `--count 1` and its target as `--only` it is run alone. For `core` a case is one input, and its
 * seed that of a sequence of them.
 */
import { fuzzCore } from "../../tests/sim/core_fuzz.ts";
import { feedsTarget, FilesTarget } from "../../tests/sim/file_targets.ts";
import { fuzzParser, type ParserTarget } from "../../tests/sim/parser_fuzz.ts";
import { PARSER_TARGETS } from "../../tests/sim/parser_targets.ts";
import { SessionFuzzer } from "../../tests/sim/session_fuzz.ts";
import { type CampaignOptions, campaignOptions, Tally } from "./campaign.ts";

/** Moves of one sequence for the core. */
const MOVES = 1500;
/** Cases between two looks at the clock. */
const STRIDE = 64;
/** Most bad ones of a target: then it is known to be bad. */
const MOST_BAD = 20;

const PARTS = [...Object.keys(PARSER_TARGETS), "feeds", "files", "core", "session"];
const options = campaignOptions(PARTS, 10_000_000);
console.log(
  `fuzz: ${options.only.join(", ")}: ${options.count} cases each, from seed ${options.seed}`,
);
// Refusing is what most cases come to; where it came from is of no use.
Reflect.deleteProperty(Error, "stackTraceLimit");
for (const part of options.only) await run(part, options);

async function run(part: string, options: CampaignOptions): Promise<void> {
  if (part === "core") return fuzzCores(new Tally("fuzz core", options));
  if (part === "session") return fuzzSessions(new Tally("fuzz session", options));
  if (part !== "files") {
    const target = part === "feeds" ? feedsTarget() : PARSER_TARGETS[part]();
    return await fuzzTarget(target, new Tally(`fuzz ${part}`, options));
  }
  using files = new FilesTarget();
  await fuzzTarget(files, new Tally("fuzz files", options));
}

async function fuzzTarget(target: ParserTarget, tally: Tally): Promise<void> {
  const waiting: Promise<void>[] = [];
  for (let seed = options.seed; tally.goesOn && tally.bad < MOST_BAD;) {
    const cases = Math.min(STRIDE, options.count - tally.cases);
    for (const end = seed + cases; seed < end; seed++) {
      try {
        const running = fuzzParser(target, seed);
        // Many at a time: what is waited for is another thread, or only the next turn.
        if (running !== undefined) waiting.push(running.catch((error) => tally.fail(error)));
      } catch (error) {
        tally.fail(error);
      }
    }
    await Promise.all(waiting.splice(0));
    tally.add(cases);
  }
  tally.end();
}

function fuzzCores(tally: Tally): void {
  let [mostEffects, mostLooks] = [0, 0];
  for (let seed = options.seed; tally.goesOn && tally.bad < MOST_BAD; seed++) {
    try {
      const result = fuzzCore(String(seed), MOVES);
      mostEffects = Math.max(mostEffects, result.mostEffects);
      mostLooks = Math.max(mostLooks, result.mostLooks);
      tally.add(result.steps);
    } catch (error) {
      tally.fail(error);
      tally.add(1);
    }
  }
  tally.end(`, at most ${mostEffects} effects of one and ${mostLooks} looks into a feed`);
}

function fuzzSessions(tally: Tally): void {
  const fuzzer = new SessionFuzzer();
  let [bytes, messages, refused, largest] = [0, 0, 0, 0];
  for (let seed = options.seed; tally.goesOn && tally.bad < MOST_BAD; seed++) {
    try {
      const result = fuzzer.run(seed);
      bytes += result.bytes;
      messages += result.messages;
      refused += Number(result.refused);
      largest = Math.max(largest, result.largestAllocation);
    } catch (error) {
      tally.fail(error);
    }
    tally.add(1);
  }
  tally.end(
    `: ${bytes} bytes, ${messages} messages taken, ${refused} refused, ` +
      `largest allocation ${largest} bytes`,
  );
}
