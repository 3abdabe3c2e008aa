/**
 * `kill -9` at random points of import, clone, update, checkout, repair and conversion: real
 * processes on real files. After each kill the archive opens and verifies and every file is whole;
 * what was cut off completes when it is run again.
 *
 * deno task campaign:crash [--seed N] [--count KILLS] [--seconds N] [--only import,clone,…]
 */
import { OPERATION_NAMES, type OperationName } from "../../tests/sim/disk_operations.ts";
import { killOperation } from "../../tests/sim/kills.ts";
import { tempFolder } from "../../tests/support/temp.ts";
import { campaignOptions, Tally } from "./campaign.ts";

const options = campaignOptions(OPERATION_NAMES, 1000);
const names = options.only as OperationName[];
console.log(
  `crash: kill -9 of ${
    names.join(", ")
  } in turn, ${options.count} kills, from seed ${options.seed}`,
);
const kills = new Map<OperationName, number>(names.map((name) => [name, 0]));
const tally = new Tally("crash", options);
for (let n = 0; tally.goesOn; n++) {
  // The one that was killed least so far.
  const name = names.reduce((least, name) => kills.get(name)! < kills.get(least)! ? name : least);
  using temp = tempFolder();
  const most = Math.min(options.count - tally.cases, Math.ceil(options.count / names.length));
  let count = 1;
  try {
    count = await killOperation(name, temp, {
      seed: String(options.seed + n),
      scale: "small",
      most,
    });
  } catch (error) {
    tally.fail(error);
  }
  kills.set(name, kills.get(name)! + count);
  tally.add(count);
}
tally.end(` (${[...kills].map(([name, count]) => `${name} ${count}`).join(", ")})`);
