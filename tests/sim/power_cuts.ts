/**
 * Power cuts: an operation is recorded once, and then gone on with from states that a power cut at
 * any moment of it may leave on the disk.
 */
import assert from "node:assert/strict";
import type { TempFolder } from "../support/temp.ts";
import { type OperationName, prepareOperation } from "./disk_operations.ts";
import type { Scale } from "./disk_place.ts";
import { CaseRandom } from "./mutate.ts";
import { type Loss, WriteLog } from "./write_log.ts";

const LOSSES: readonly Loss[] = ["everything", "some", "some", "some", "nothing"];

export interface PowerCut {
  /** What the operation is drawn from. */
  readonly seed: number;
  /** The cuts, each with a number of its own from here on. */
  readonly histories: number;
  readonly scale: Scale;
  /** Told of each: how far one had to go until all was well again, or what was wrong. */
  readonly onHistory: (result: number | Error) => void;
}

/** Record the operation, and go on from so many states. */
export async function cutPower(
  name: OperationName,
  temp: TempFolder,
  { seed, histories, scale, onHistory }: PowerCut,
): Promise<void> {
  await using operation = await prepareOperation(name, temp, { seed: `${name} ${seed}`, scale });
  using log = new WriteLog([operation.dir, operation.home]);
  const { code, stderr } = await operation.run();
  log[Symbol.dispose]();
  assert.equal(code, 0, stderr);
  for (let n = 0; n < histories; n++) {
    const random = new CaseRandom(1000 * seed + n);
    const loss = random.pick(LOSSES);
    const changes = random.below(log.length + 1);
    try {
      log.replay(changes, loss, random);
      // Where the process alone was killed, what holds after every kill has to hold.
      if (loss === "nothing") await operation.check();
      const steps = await operation.recover();
      await operation.checkDone();
      onHistory(steps);
    } catch (error) {
      const { message } = error as Error;
      const where =
        `${name}, seed ${seed}, history ${n} (after ${changes} of ${log.length} changes)`;
      onHistory(new Error(`${where}: ${message}`, { cause: error }));
    }
  }
}
