/**
 * Every function that reads what strangers wrote, with input that makes no sense: it gives an answer
 * or throws the one kind of error that its caller expects, soon, and asks for no more memory than
 * the input is worth.
 */
import { largestAllocation } from "../support/allocations.ts";
import { CaseRandom, mutate } from "./mutate.ts";

/** The place where foreign bytes come in. */
export interface ParserTarget {
  readonly name: string;
  /** What honest programs write there. */
  readonly samples: readonly Uint8Array[];
  /** Bytes of a case at most. */
  readonly maxBytes: number;
  /** Largest array that a case may ask for, besides a few times its own bytes. */
  readonly slackBytes?: number;
  /** Read it. Throws if anything that must hold does not. */
  run(bytes: Uint8Array, random: CaseRandom): void | Promise<void>;
}

/** A case that takes longer is a way to keep us busy, in milliseconds. */
const MAX_MS = 1000;
/** Looking at allocations costs more than most cases: one in so many is looked at. */
const LOOK_EVERY = 10_000;
const SLACK_BYTES = 64 * 1024;

/**
 * One case, which follows from its number.
 *
 * @returns How it took the input: a promise only where the reader is asynchronous.
 * @throws {Error} With the number, if anything that must hold does not.
 */
export function fuzzParser(target: ParserTarget, seed: number): void | Promise<void> {
  const end = (ms: number, isAgain: boolean): void | Promise<void> => {
    if (ms <= MAX_MS) return;
    if (isAgain) throw named(target, seed, new Error(`it took ${Math.round(ms)} ms, twice`));
    // The machine may have had something else to do.
    return runCase(target, seed, (ms) => end(ms, true));
  };
  return runCase(target, seed, (ms) => end(ms, false));
}

function runCase(
  target: ParserTarget,
  seed: number,
  end: (ms: number) => void | Promise<void>,
): void | Promise<void> {
  const random = new CaseRandom(seed);
  const bytes = mutate(random, target.samples, target.maxBytes);
  const start = performance.now();
  let running: void | Promise<void> = undefined;
  try {
    if (seed % LOOK_EVERY === 0) {
      const largest = largestAllocation(() => running = target.run(bytes, random));
      const most = (target.slackBytes ?? SLACK_BYTES) + 16 * bytes.length;
      if (largest > most) throw new Error(`${largest} bytes asked for, for ${bytes.length}`);
    } else running = target.run(bytes, random);
  } catch (error) {
    throw named(target, seed, error);
  }
  if (running === undefined) return end(performance.now() - start);
  return (running as Promise<void>).catch((error) => {
    throw named(target, seed, error);
  }).then(() => end(performance.now() - start));
}

function named({ name }: ParserTarget, seed: number, error: unknown): Error {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Error(`${name}, seed ${seed}: ${message}`, { cause: error });
}

/** Take a refusal of this kind for an answer; anything else is thrown on. */
export function refusing<T>(
  // deno-lint-ignore no-explicit-any -- any class of errors
  kind: abstract new (...args: any[]) => Error,
  read: () => T,
): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof kind) return undefined;
    throw error;
  }
}
