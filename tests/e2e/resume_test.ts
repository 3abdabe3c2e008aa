/** A clone that is stopped at any moment goes on where it was, and fetches nothing twice. */
import assert from "node:assert/strict";
import { heldBlocks } from "../support/held_blocks.ts";
import { trove } from "../support/processes.ts";
import { Random } from "../support/random.ts";
import { cloneArguments, cloneWithTrove, type Sharer, shareWithPeer } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import { assertSameTree, digestTree, manyFiles, writeTree } from "../support/trees.ts";

const KILLS = 20;
/** Blocks that may be on their way to a cloner when it dies. */
const MOST_REQUESTED = 64;
const SEED = "resume 1";

/** Some 10 MB in files of one block, of many, and of none. */
const FILES = [
  ...manyFiles(120, { seed: SEED, smallest: 1, largest: 20_000 }),
  { path: "folder-1/long.bin", size: 6_000_000 },
  { path: "other-long.bin", size: 3_000_001 },
  { path: "empty", size: 0 },
];
/** Bytes a second: a clone takes longer than all the runs that are killed together. */
const SLOW = "1500000";
/** Bytes a second: a clone takes long enough to be interrupted once. */
const MEDIUM = "6000000";

/** The blocks of both feeds on disk, such as `content 17`. */
function blocksOnDisk(folder: string): Set<string> {
  const feeds = ["metadata", "content"] as const;
  return new Set(feeds.flatMap((feed) => [...heldBlocks(folder, feed)].map((n) => `${feed} ${n}`)));
}

/** The blocks that the sharer sent from its `from`-th line on. */
function blocksSent(sharer: Sharer, from: number): string[] {
  return sharer.process.lines.slice(from)
    .filter((line) => line.event === "uploaded")
    .map((line) => `${line.feed} ${line.block}`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test(`a clone killed ${KILLS} times goes on each time without a block fetched twice`, async () => {
  using temp = tempFolder();
  const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
  const home = temp.folder("home");
  writeTree(folder, FILES, SEED);
  const random = new Random(SEED);
  await using sharer = await shareWithPeer(
    "share_folder",
    [folder, "--trace", "--rate", SLOW],
    { home: temp.folder("home-of-sharer") },
  );
  const args = cloneArguments(sharer.link, copy, [sharer.address]);

  let partial = 0;
  for (let kill = 1; kill <= KILLS; kill++) {
    const before = blocksOnDisk(copy);
    const from = sharer.process.lines.length;
    await using cloner = await trove(args, { home });
    // Every fifth one dies while it starts, the others while blocks come in.
    if (kill % 5 === 0) await pause(random.below(400));
    else {
      const sent = blocksSent(sharer, 0).length + 1 + random.below(6);
      let uploaded = 0;
      await sharer.process.event("uploaded", { matches: () => ++uploaded >= sent });
      await pause(50 + random.below(150));
    }
    cloner.signal("SIGKILL");
    const exit = await cloner.exit;
    assert.equal(exit.signal, "SIGKILL", `run ${kill} was over before it was killed`);
    const again = blocksSent(sharer, from).filter((block) => before.has(block));
    assert.deepEqual(again, [], `run ${kill} fetched what was on disk before it`);
    const after = blocksOnDisk(copy);
    const lost = [...before].filter((block) => !after.has(block));
    assert.deepEqual(lost, [], `run ${kill} lost what was on disk before it`);
    if (after.size > before.size) partial++;
  }
  assert.ok(partial >= KILLS / 2, `only ${partial} of the runs got anything before they died`);

  const before = blocksOnDisk(copy);
  const from = sharer.process.lines.length;
  const exit = await cloneWithTrove([sharer], copy, { home });
  assert.equal(exit.code, 0, exit.stderr);
  assert.deepEqual(blocksSent(sharer, from).filter((block) => before.has(block)), []);
  assertSameTree(digestTree(copy), digestTree(folder));
  const wasted = blocksSent(sharer, 0).length - blocksOnDisk(copy).size;
  assert.ok(wasted <= KILLS * MOST_REQUESTED, `${wasted} blocks were sent in vain`);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  const code = signal === "SIGINT" ? 130 : 143;
  Deno.test(`${signal} ends a clone with ${code}, and the next run goes on`, async () => {
    using temp = tempFolder();
    const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
    const home = temp.folder("home");
    writeTree(folder, FILES, signal);
    await using sharer = await shareWithPeer(
      "share_folder",
      [folder, "--trace", "--rate", MEDIUM],
      { home: temp.folder("home-of-sharer") },
    );
    {
      await using cloner = await trove(cloneArguments(sharer.link, copy, [sharer.address]), {
        home,
      });
      await sharer.process.event("uploaded", { matches: (line) => line.feed === "content" });
      await pause(200);
      cloner.signal(signal);
      const exit = await cloner.ended(code);
      const last = exit.lines.at(-1);
      assert.equal(last?.event, "error");
      assert.equal(last?.code, "interrupted");
      assert.equal(last?.exitCode, code);
    }
    const before = blocksOnDisk(copy);
    assert.ok(before.size > 0);
    const from = sharer.process.lines.length;
    const exit = await cloneWithTrove([sharer], copy, { home });
    assert.equal(exit.code, 0, exit.stderr);
    assert.deepEqual(blocksSent(sharer, from).filter((block) => before.has(block)), []);
    assertSameTree(digestTree(copy), digestTree(folder));
  });
}
