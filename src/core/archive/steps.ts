/**
 * How a lookup asks for metadata entries without reading them itself: it is a generator that yields
 * the sequence number of the entry it needs and is given the entry, or undefined if it is not held.
 * So the same code serves a store, a test's array, and a feed still being downloaded.
 */
import { IncompleteError } from "../../base/errors.ts";
import { ArchiveError } from "./archive_error.ts";
import type { Entry } from "./entry.ts";

/**
 * A lookup under way: yields sequence numbers to be answered with entries, and items found so far;
 * ends with a result.
 */
export type Steps<Item, Result> = Generator<number | Item, Result, Entry | undefined>;

/** The entry in metadata block `seq`, or undefined if it is not held. */
export type LoadEntry = (seq: number) => Entry | undefined;

/** What may still be asked for before the feed is taken for a hostile one. */
export interface Budget {
  left: number;
}

/** Run a lookup to its result. */
export function runLookup<Result>(steps: Steps<never, Result>, load: LoadEntry): Result {
  let step = steps.next();
  while (!step.done) step = steps.next(load(step.value));
  return step.value;
}

/** Run a lookup that finds items on its way, and yield them as they are found. */
export function* runItems<Item extends object>(
  steps: Steps<Item, void>,
  load: LoadEntry,
): Generator<Item, void, void> {
  let step = steps.next();
  while (!step.done) {
    if (typeof step.value === "number") {
      step = steps.next(load(step.value));
    } else {
      yield step.value;
      step = steps.next();
    }
  }
}

/**
 * No honest archive makes a lookup at `version` ask for more: an entry is listed by one other at
 * most, and twice that leaves room for what old programs wrote.
 */
export function budgetFor(version: number): Budget {
  return { left: 2 * version };
}

/**
 * Ask for an entry.
 *
 * @throws {ArchiveError} If far more was asked for than an honest feed can make us.
 */
export function* ask(seq: number, budget: Budget): Steps<never, Entry | undefined> {
  if (--budget.left < 0) {
    throw new ArchiveError("Cannot read metadata: its entries list each other over and over");
  }
  return yield seq;
}

/**
 * Ask for an entry that the lookup cannot do without.
 *
 * @throws {IncompleteError} If it is not held.
 * @throws {ArchiveError} As `ask`.
 */
export function* need(seq: number, budget: Budget): Steps<never, Entry> {
  const entry = yield* ask(seq, budget);
  if (entry === undefined) throw notHeld(seq);
  return entry;
}

export function notHeld(seq: number): IncompleteError {
  return new IncompleteError(`Cannot read metadata entry ${seq}: it is not here yet`);
}
