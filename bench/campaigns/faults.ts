/**
 * Disks and clocks that fail: import, clone, update, checkout, repair and conversion, each with an
 * I/O error at its N-th read, write, rename or fsync, a disk that is full or gone or denies
 * everything from then on, a file that is replaced by something else, a clock that jumps.
 *
 * deno task campaign:faults [--seed N] [--count RUNS] [--seconds N] [--only import,…] [--every N]
 */
import { FAULT_NAMES, meetFaults } from "../../tests/sim/faults.ts";
import { OPERATION_NAMES, type OperationName } from "../../tests/sim/disk_operations.ts";
import { tempFolder } from "../../tests/support/temp.ts";
import { campaignOptions, Tally } from "./campaign.ts";

const options = campaignOptions([...OPERATION_NAMES, ...FAULT_NAMES], 100_000);
const chosen = <T extends string>(names: readonly T[]) => {
  const some = names.filter((name) => options.only.includes(name));
  return some.length > 0 ? some : names;
};
console.log(`faults: at every ${options.every}th call of a kind, from seed ${options.seed}`);
const tally = new Tally("faults", options);
for (const name of chosen<OperationName>(OPERATION_NAMES)) {
  for (const fault of chosen(FAULT_NAMES)) {
    if (!tally.goesOn) break;
    using temp = tempFolder();
    let runs = 0;
    await meetFaults(name, fault, temp, {
      seed: options.seed,
      every: options.every,
      goesOn: () => tally.goesOn,
      onRun(failure) {
        runs++;
        tally.add(1);
        if (failure !== undefined) tally.fail(failure);
      },
    });
    console.log(`faults: ${name}, ${fault}: ${runs} runs`);
  }
}
tally.end();
