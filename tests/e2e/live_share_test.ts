/** A folder that changes while it is shared, as real peers that stay connected follow it. */
import assert from "node:assert/strict";
import { Churn } from "../support/churn.ts";
import { peer } from "../support/processes.ts";
import { GENERATIONS, HYPERDRIVE, shareWithTrove } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import { untilSameTree } from "../support/trees_in_time.ts";

const CHANGES = 250;
const PAUSES = 10;
/** Changes in a row before each pause; the others wait until these are imported. */
const FIRST_PART = 15;

for (const gen of GENERATIONS) {
  Deno.test(`${HYPERDRIVE[gen]} follows ${CHANGES} changes of a shared folder`, async () => {
    using temp = tempFolder();
    const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
    const home = temp.folder("home-of-sharer");
    await using sharer = await shareWithTrove(folder, { home });
    await using follower = await peer(
      "clone_folder",
      [sharer.key, sharer.address, copy, "--gen", gen, "--stay"],
      { home: temp.folder("home-of-cloner") },
    );
    const churn = new Churn(folder, { seed: `live share ${gen}`, largest: 200_000 });
    const imports = () => sharer.process.lines.filter(({ event }) => event === "imported").length;
    for (let pause = 0; pause < PAUSES; pause++) {
      const before = imports();
      for (let change = 1; change <= CHANGES / PAUSES; change++) {
        churn.step();
        // The rest comes while the first part is on its way.
        if (change === FIRST_PART) {
          await sharer.process.event("imported", { matches: () => imports() > before });
        }
      }
      await untilSameTree(copy, folder, { onlyContent: true });
    }
    assert.equal(Object.values(churn.done).reduce((sum, n) => sum + n), CHANGES);
    assert.equal(sharer.process.lines.filter(({ event }) => event === "peer").length, 1);
    assert.deepEqual(sharer.process.lines.filter(({ event }) => event === "warning"), []);
    assert.ok(follower.lines.every(({ event }) => event !== "error"));
    sharer.process.signal("SIGTERM");
    await sharer.process.ended(0);
  });
}
