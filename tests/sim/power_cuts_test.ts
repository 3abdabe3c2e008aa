/** Power cuts and failing disks, a few of each: the short forms of campaign:power and campaign:faults. */
import assert from "node:assert/strict";
import { tempFolder } from "../support/temp.ts";
import { OPERATION_NAMES } from "./disk_operations.ts";
import { FAULT_NAMES, meetFaults } from "./faults.ts";
import { tryMalicious } from "./malicious.ts";
import { cutPower } from "./power_cuts.ts";

/** Cuts of each operation; an import takes a second. */
const HISTORIES = { import: 2, clone: 12, update: 12, checkout: 12, repair: 8, convert: 12 };

for (const name of OPERATION_NAMES) {
  Deno.test(`power cuts during ${name} lose nothing`, async () => {
    using temp = tempFolder();
    const steps: number[] = [];
    await cutPower(name, temp, {
      seed: 1,
      histories: HISTORIES[name],
      scale: "tiny",
      onHistory(result) {
        if (result instanceof Error) throw result;
        steps.push(result);
      },
    });
    assert.equal(steps.length, HISTORIES[name]);
    // A copy may have to be mended with the help of its peers; nothing else needs more than a second run.
    if (name !== "clone" && name !== "update") assert.equal(Math.max(...steps), 1);
  });
}

/** Runs of each kind of fault. */
const RUNS = 2;

for (const name of ["clone", "update", "checkout", "convert"] as const) {
  Deno.test(`whatever fails during ${name} is told, and it completes afterwards`, async () => {
    for (const fault of FAULT_NAMES) {
      using temp = tempFolder();
      let runs = 0;
      await meetFaults(name, fault, temp, {
        seed: 3,
        every: 17,
        goesOn: () => runs < RUNS,
        onRun(failure) {
          runs++;
          if (failure !== undefined) throw failure;
        },
      });
      assert.ok(runs > 0);
    }
  });
}

Deno.test("malicious archives touch nothing outside of their folder", async () => {
  for (let seed = 0; seed < 4; seed++) {
    using temp = tempFolder();
    await tryMalicious(temp, seed);
  }
});
