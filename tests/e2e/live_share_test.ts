/** A folder that changes while it is shared, as real peers that stay connected follow it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Churn } from "../support/churn.ts";
import { peer, type Process } from "../support/processes.ts";
import { GENERATIONS, HYPERDRIVE, shareWithTrove } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import { untilSameTree } from "../support/trees_in_time.ts";

const CHANGES = 500;
const PAUSES = 10;
/** Changes in a row after each pause; the others wait until these are imported. */
const FIRST_PART = 30;

const of = (process: Process, name: string) =>
  process.lines.filter(({ event }) => event === name).length;

const followers = GENERATIONS.map((gen) => HYPERDRIVE[gen]).join(" and ");

Deno.test(`${followers} follow a folder of which nothing stays as it was`, async () => {
  using temp = tempFolder();
  const folder = temp.folder("folder");
  const write = (name: string, text: string) => Deno.writeTextFileSync(join(folder, name), text);
  write("one", "one");
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home-of-sharer") });
  await using peers = new AsyncDisposableStack();
  const copies = GENERATIONS.map((gen) => temp.folder(`copy-${gen}`));
  for (const [n, gen] of GENERATIONS.entries()) {
    const args = [sharer.key, sharer.address, copies[n], "--gen", gen, "--stay"];
    peers.use(await peer("clone_folder", args, { home: temp.folder(`home-${gen}`) }));
  }
  const same = async () => {
    for (const copy of copies) await untilSameTree(copy, folder, { onlyContent: true });
  };
  await same();
  write("one", "one that was changed"); // the only block of the content
  await same();
  Deno.removeSync(join(folder, "one"));
  await same();
  for (const round of ["first", "second"]) {
    for (let n = 0; n < 5; n++) write(`file ${n}`, `${round} ${n}`);
    await same();
  }
  for (let n = 0; n < 5; n++) Deno.removeSync(join(folder, `file ${n}`));
  await same();
  write("last", "last");
  await same();
  assert.equal(of(sharer.process, "peer"), copies.length, "everybody stayed connected");
});

Deno.test(`${followers} follow ${CHANGES} changes of a folder that trove shares`, async () => {
  using temp = tempFolder();
  const folder = temp.folder("folder");
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home-of-sharer") });
  await using peers = new AsyncDisposableStack();
  const copies = GENERATIONS.map((gen) => temp.folder(`copy-${gen}`));
  for (const [n, gen] of GENERATIONS.entries()) {
    const args = [sharer.key, sharer.address, copies[n], "--gen", gen, "--stay"];
    peers.use(await peer("clone_folder", args, { home: temp.folder(`home-${gen}`) }));
  }
  const churn = new Churn(folder, { seed: "live share", largest: 200_000 });
  for (let pause = 0; pause < PAUSES; pause++) {
    const imported = of(sharer.process, "imported");
    for (let change = 1; change <= CHANGES / PAUSES; change++) {
      churn.step();
      // The rest comes while the first part is on its way.
      if (change === FIRST_PART) {
        const matches = () => of(sharer.process, "imported") > imported;
        await sharer.process.event("imported", { matches });
      }
    }
    for (const copy of copies) await untilSameTree(copy, folder, { onlyContent: true });
  }
  assert.equal(Object.values(churn.done).reduce((sum, n) => sum + n), CHANGES);
  assert.equal(of(sharer.process, "peer"), copies.length, "everybody stayed connected");
  assert.equal(of(sharer.process, "warning"), 0);
  sharer.process.signal("SIGTERM");
  await sharer.process.ended(0);
});
