/**
 * An operation in a process of its own that is killed again and again, from outside after a while or
 * from inside in front of one of its changes to files; after each kill what must hold is looked at,
 * and in the end it is let to complete.
 */
import assert from "node:assert/strict";
import { trove } from "../support/processes.ts";
import type { TempFolder } from "../support/temp.ts";
import { type Operation, type OperationName, prepareOperation } from "./disk_operations.ts";
import type { Scale } from "./disk_place.ts";
import { Random } from "../support/random.ts";

/** Kills in a row before the run is left alone: what is killed all the time gets nowhere. */
const MAX_KILLS = 7;
/** Milliseconds in which a run begins and most of one passes. */
const WINDOW_MS = 450;
/** Changes to files that a run of the scale `small` makes, about. */
const CHANGES: Record<OperationName, number> = {
  import: 100,
  clone: 180,
  update: 170,
  checkout: 80,
  repair: 90,
  convert: 46,
};
const KILLED_MAIN = "tests/support/killed_main.ts";

export interface KillOptions {
  readonly seed: string;
  readonly scale: Scale;
  /** Kill at most so often. */
  readonly most: number;
}

/**
 * Kill one operation up to seven times, then let it complete.
 *
 * @returns How often it was killed: other runs were over before that.
 * @throws {Error} With the seed, if anything that must hold does not.
 */
export async function killOperation(
  name: OperationName,
  temp: TempFolder,
  { seed, scale, most }: KillOptions,
): Promise<number> {
  const random = new Random(`kills ${seed}`);
  await using operation = await prepareOperation(name, temp, { seed: `${name} ${seed}`, scale });
  let kills = 0;
  try {
    while (kills < Math.min(MAX_KILLS, most) && await killOnce(operation, random, CHANGES[name])) {
      kills++;
      await operation.check();
    }
    await using process = await trove(operation.args, { home: operation.home });
    await process.ended(0);
    await operation.checkDone();
  } catch (error) {
    const message = `${name}, seed "${seed}", after ${kills} kills: ${(error as Error).message}`;
    throw new Error(message, { cause: error });
  }
  return kills;
}

/** Whether it was killed; otherwise it was complete before that. */
async function killOnce(
  { args, dir, home }: Operation,
  random: Random,
  changes: number,
): Promise<boolean> {
  const isFromInside = random.below(3) > 0;
  // What goes on where the run before was cut off makes fewer.
  const change = 1 + random.below(random.below(2) === 0 ? changes : changes / 4);
  await using process = isFromInside
    ? await trove([String(change), dir, ...args], { home, main: KILLED_MAIN, flags: ["-A"] })
    : await trove(args, { home });
  if (!isFromInside) {
    await new Promise((resolve) => setTimeout(resolve, random.below(WINDOW_MS)));
    process.signal("SIGKILL");
  }
  const exit = await process.exit;
  if (exit.signal === "SIGKILL") return true;
  assert.equal(exit.code, 0, exit.stdout + exit.stderr);
  return false;
}
