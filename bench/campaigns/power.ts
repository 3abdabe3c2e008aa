/**
 * Power cuts: import, clone, update, checkout, repair and conversion are recorded, and for each
 * history the writes since the last fsync are dropped, torn or reordered, at any moment. Then the
 * same command is run again.
 *
 * deno task campaign:power [--seed N] [--count HISTORIES] [--seconds N] [--only import,clone,…]
 *
 * The last line says how often the command alone was enough, how often `trove repair` was needed,
 * and how often the copy had to be fetched anew. Needing more than the command is bad for import,
 * checkout, repair and conversion.
 */
import { OPERATION_NAMES, type OperationName } from "../../tests/sim/disk_operations.ts";
import { cutPower } from "../../tests/sim/power_cuts.ts";
import { tempFolder } from "../../tests/support/temp.ts";
import { campaignOptions, Tally } from "./campaign.ts";

/** Histories of one recording. */
const HISTORIES = 10;

const options = campaignOptions(OPERATION_NAMES, 500);
console.log(
  `power: cuts during ${options.only.join(", ")} in turn, ${options.count} histories, ` +
    `from seed ${options.seed}`,
);
const names = options.only as OperationName[];
const steps = new Map(names.map((name) => [name, [0, 0, 0]]));
const tally = new Tally("power", options);
for (let n = 0; tally.goesOn; n++) {
  const name = names[n % names.length];
  using temp = tempFolder();
  await cutPower(name, temp, {
    seed: options.seed + n,
    histories: Math.min(HISTORIES, options.count - tally.cases),
    scale: "tiny",
    onHistory(result) {
      tally.add(1);
      if (result instanceof Error) tally.fail(result);
      else steps.get(name)![result - 1]++;
    },
  });
}
const told = [...steps].map(([name, [again, mended, anew]]) =>
  `${name} ${again}/${mended}/${anew}`
);
tally.end(` (run again/mended/anew: ${told.join(", ")})`);
