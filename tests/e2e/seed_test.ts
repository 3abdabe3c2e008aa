/** What `trove seed` serves, as real peers get it: several archives from one port. */
import assert from "node:assert/strict";
import { runPeer, runTrove, trove } from "../support/processes.ts";
import { GENERATIONS } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import {
  assertSameTree,
  AWKWARD_FILES,
  digestTree,
  manyFiles,
  withoutEmptyFiles,
  withoutModes,
  writeTree,
} from "../support/trees.ts";

Deno.test("a real peer of each generation clones its archive from the one port of trove seed", async () => {
  using temp = tempFolder();
  const home = temp.folder("home");
  const trees = [AWKWARD_FILES, manyFiles(50, { seed: "seed", largest: 4000 })];
  const dirs = trees.map((files, n) => {
    const dir = temp.folder("archives", `${n}`);
    writeTree(dir, files, `seed ${n}`);
    return dir;
  });
  const listen = ["--host", "127.0.0.1", "--port", "0", "--json"];
  for (const dir of dirs) {
    const { code } = await runTrove(["share", dir, "--timeout", "1ms", ...listen], { home });
    assert.equal(code, 0);
  }
  await using seeder = await trove(["seed", "--list", temp.join("archives"), ...listen], { home });
  const { host, port } = await seeder.event("listening");
  await Promise.all(GENERATIONS.map(async (gen, n) => {
    const dir = dirs[n];
    const { link } = await seeder.event("archive", { matches: (line) => line.dir === dir });
    const copy = temp.folder(`copy ${n}`);
    await runPeer(
      "clone_folder",
      [link.slice("dat://".length), `${host}:${port}`, copy, "--gen", gen],
      { home: temp.folder(`home of ${n}`) },
    );
    const expected = withoutModes(withoutEmptyFiles(digestTree(dir)));
    assertSameTree(withoutModes(digestTree(copy)), expected);
  }));
  seeder.signal("SIGINT");
  await seeder.ended(0);
});
