/** What `trove clone` gets from real peers of both generations. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type JsonLine, runPeer } from "../support/processes.ts";
import {
  cloneWithTrove,
  GENERATIONS,
  HYPERDRIVE,
  shareWithPeer,
  shareWithTrove,
} from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import {
  assertSameTree,
  AWKWARD_FILES,
  digestTree,
  type FilePlan,
  manyFiles,
  writeTree,
} from "../support/trees.ts";

const TREES: ReadonlyMap<string, readonly FilePlan[]> = new Map([
  ["awkward names and sizes", AWKWARD_FILES],
  ["1,000 files", manyFiles(1000, { seed: "real sharer", largest: 4000 })],
]);

for (const gen of GENERATIONS) {
  for (const [what, files] of TREES) {
    Deno.test(`trove clone gets ${what} from ${HYPERDRIVE[gen]}`, async () => {
      using temp = tempFolder();
      const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
      writeTree(folder, files, `real sharer ${gen}`);
      await using sharer = await shareWithPeer("share_folder", [folder, "--gen", gen], {
        home: temp.folder("home-of-sharer"),
      });
      const home = temp.folder("home-of-cloner");
      const exit = await cloneWithTrove([sharer], copy, { home });
      assert.equal(exit.code, 0, exit.stderr);
      assertSameTree(digestTree(copy), digestTree(folder));

      const synced = exit.lines.find((line) => line.event === "synced");
      assert.equal(synced?.version, files.length);
      assert.equal(synced?.files, files.length);
      const bytes = files.reduce((sum, { size }) => sum + size, 0);
      assert.equal(synced?.bytes, bytes);

      // What trove wrote is an archive that the real peer accepts, block by block.
      const report = await runPeer("own_folder", [copy, "--gen", gen, "--no-list"], { home });
      const audit = report.find((line) => line.event === "audit");
      assert.equal(audit?.metadata.valid, files.length + 1);
      assert.equal(audit?.metadata.invalid, 0);
      assert.equal(audit?.content.valid, report[0].contentBlocks);
      assert.equal(audit?.content.invalid, 0);
      assert.equal(report[0].writable, false);
    });
  }
}

for (const gen of GENERATIONS) {
  Deno.test(`trove clone does not part from ${HYPERDRIVE[gen]} over a file that is another for a moment`, async () => {
    using temp = tempFolder();
    const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
    const files = [{ path: "a", size: 3000 }, { path: "b", size: 3000 }];
    writeTree(folder, files, `changed ${gen}`);
    const shared = digestTree(folder);
    const path = join(folder, "b");
    const bytes = Deno.readFileSync(path);
    const args = [folder, "--gen", gen, "--trace"];
    const home = temp.folder("home-of-sharer");
    await using sharer = await shareWithPeer("share_folder", args, { home });
    // Content blocks are in the order of the import. The real peer sends what the file has now.
    Deno.writeFileSync(path, bytes.map((byte) => byte ^ 1));
    const cloning = cloneWithTrove([sharer], copy, { home: temp.folder("home-of-cloner") });
    const isOfB = (line: JsonLine) => line.feed === "content" && line.block === 1;
    await sharer.process.event("uploaded", { matches: isOfB });
    Deno.writeFileSync(path, bytes);
    const exit = await cloning;
    assert.equal(exit.code, 0, exit.stderr);
    assertSameTree(digestTree(copy), shared);
    const said = (event: string) => sharer.process.lines.filter((line) => line.event === event);
    assert.equal(said("connected").length, 1);
    assert.ok(said("uploaded").filter(isOfB).length > 1, "it was wrong the first time");
  });
}

Deno.test("trove clone gets from trove share what was shared, with modes and times", async () => {
  using temp = tempFolder();
  const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
  writeTree(folder, AWKWARD_FILES, "trove to trove");
  const before = Date.now();
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home-of-sharer") });
  const after = Date.now();
  const exit = await cloneWithTrove([sharer], copy, { home: temp.folder("home-of-cloner") });
  assert.equal(exit.code, 0, exit.stderr);
  assertSameTree(digestTree(copy), digestTree(folder));
  for (const { path } of AWKWARD_FILES) {
    // The archive keeps the time of the import, as every Dat program has it.
    const time = Deno.statSync(join(copy, path)).mtime!.getTime();
    assert.ok(before <= time && time <= after, `${path} is of ${new Date(time).toISOString()}`);
  }
});
