/**
 * Kills at random moments of import, clone, update, checkout, repair and conversion, each in processes
 * of its own: after each one the archive opens and verifies and no file is half new; in the end
 * everything completes. `deno task campaign:crash` has a thousand of them. And one kill of a pull, in
 * the middle of it.
 */
import assert from "node:assert/strict";
import { OPERATION_NAMES } from "../sim/disk_operations.ts";
import { assertVerifies, assertWhole, differingPaths, filesOf } from "../sim/disk_place.ts";
import { killOperation } from "../sim/kills.ts";
import { heldBlocks } from "../support/held_blocks.ts";
import { runTrove, trove } from "../support/processes.ts";
import { cloneWithTrove, shareWithTrove } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, type TreeDigest, writeTree } from "../support/trees.ts";

/** Kills of each kind. */
const KILLS = 25;
/** Operations in which they have to be done: some are over before they are killed. */
const MAX_OPERATIONS = 30;

for (const name of OPERATION_NAMES) {
  Deno.test(`${KILLS} kills of ${name} lose nothing, and it completes after each`, async () => {
    let kills = 0;
    for (let seed = 0; kills < KILLS; seed++) {
      assert.ok(seed < MAX_OPERATIONS, `only ${kills} runs lived to be killed`);
      using temp = tempFolder();
      const options = { seed: `${seed}`, scale: "small", most: KILLS - kills } as const;
      kills += await killOperation(name, temp, options);
    }
  });
}

/** Make a folder hold a version and nothing else. */
function writeVersion(dir: string, version: number): TreeDigest {
  for (const { name } of [...Deno.readDirSync(dir)]) {
    if (name !== ".dat") Deno.removeSync(`${dir}/${name}`, { recursive: true });
  }
  writeTree(dir, filesOf(version, "large"), `version ${version}`);
  return digestTree(dir);
}

Deno.test("a pull killed midway leaves each file old or new, and the next one brings the rest", async () => {
  using temp = tempFolder();
  const [dir, copy] = [temp.folder("folder"), temp.folder("copy")];
  const [home, cloner] = [temp.folder("home"), temp.folder("home of cloner")];
  const before = writeVersion(dir, 1);
  {
    await using sharer = await shareWithTrove(dir, { home });
    const exit = await cloneWithTrove([sharer], copy, { home: cloner });
    assert.equal(exit.code, 0, exit.stderr);
  }
  const after = writeVersion(dir, 2);
  const atFirst = heldBlocks(copy, "content");
  // Some 5 MB are new, so that it takes some seconds.
  await using sharer = await shareWithTrove(dir, { home }, ["--up", "2mb"]);
  const args = ["pull", copy, "--peer", sharer.address, "--json"];
  {
    await using pull = await trove(args, { home: cloner });
    await pull.event("progress", {
      matches: ({ blocks, blocksTotal }) => blocks > blocksTotal / 2 && blocks < blocksTotal,
    });
    pull.signal("SIGKILL");
    assert.equal((await pull.exit).signal, "SIGKILL", "it was over before it was killed");
  }
  const kept = heldBlocks(copy, "content").difference(atFirst);
  assert.ok(kept.size > 0, "nothing of what came was kept");
  assertWhole(copy, [before, after]);
  const world = new TestWorld(temp, { home: "home of cloner", running: true });
  await assertVerifies(world, copy, differingPaths(before, after));

  const exit = await runTrove(args, { home: cloner });
  assert.equal(exit.code, 0, exit.stderr);
  const { downloadedBytes } = exit.lines.at(-1)!;
  const newBytes = [...differingPaths(before, after)]
    .reduce(
      (sum, path) => sum + (filesOf(2, "large").find((file) => file.path === path)?.size ?? 0),
      0,
    );
  assert.ok(downloadedBytes > 0, "there was a rest");
  assert.ok(downloadedBytes < newBytes, `${downloadedBytes} of ${newBytes} bytes came again`);
  assertSameTree(digestTree(copy), after);
  await assertVerifies(world, copy);
});
