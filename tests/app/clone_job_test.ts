/** Jobs inside of another program: several archives on one synchronizer, no signals, each its end. */
import assert from "node:assert/strict";
import { CloneJob } from "../../src/app/clone_job.ts";
import type { TroveEvent } from "../../src/app/events.ts";
import { openClone } from "../../src/app/open_archive.ts";
import { type Director, Synchronizer } from "../../src/app/synchronizer.ts";
import { LiveOwner } from "../support/live_owner.ts";
import { tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, withoutModes } from "../support/trees.ts";

Deno.test("two live jobs share a synchronizer, and one ends without the other", async () => {
  using temp = tempFolder();
  await using one = await LiveOwner.share(temp, [{ path: "a", size: 70_000 }], "one");
  await using two = await LiveOwner.share(temp, [{ path: "b", size: 10 }], "two");
  const world = new TestWorld(temp, { home: "home", running: true });
  const owners = [one, two];
  let wake = () => {};
  const synced: string[] = [];
  const ends: unknown[] = [];
  using stack = new DisposableStack();
  const archives = owners.map(({ archive }, n) =>
    stack.use(openClone(temp.join(`copy ${n}`), { world, publicKey: archive.metadata.publicKey }))
  );
  const jobs = archives.map((archive, n) => {
    const emit = (event: TroveEvent) => {
      if (event.event !== "synced") return;
      synced.push(`${n}: ${event.version}`);
      wake();
    };
    const feeds = { metadata: 2 * n, content: 2 * n + 1 };
    return new CloneJob(archive, { world, feeds, live: true, emit }, (failure) => {
      ends.push(failure);
    });
  });
  const director: Director = {
    onReport(report, sync) {
      if (!("feed" in report)) return;
      jobs[report.feed >> 1].onReport(report, sync);
    },
    onTick: (sync) => jobs.forEach((job) => job.onTick(sync)),
  };
  const sync = new Synchronizer({ world, director, live: true, persistent: true });
  owners.forEach(({ address }, n) => {
    jobs[n].join(sync);
    sync.input({ kind: "found", address, primary: 2 * n });
  });
  const running = sync.run();
  const until = async (line: string) => {
    while (!synced.includes(line)) await new Promise<void>((resolve) => wake = resolve);
  };
  await until("0: 1");
  await until("1: 1");
  await jobs[0].end();
  two.write([{ path: "c", size: 20 }]);
  await two.import();
  await until("1: 2");
  assertSameTree(
    withoutModes(digestTree(temp.join("copy 1"))),
    withoutModes(digestTree(two.dir)),
  );
  assert.equal(jobs[1].wasComplete, true);
  await jobs[1].end();
  sync.stop();
  await running;
  assert.deepEqual(ends, []);
  assert.equal(world.listens, false);
});
