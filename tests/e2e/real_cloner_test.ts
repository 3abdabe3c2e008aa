/** What `trove share` serves, as real peers of both generations get it. */
import assert from "node:assert/strict";
import { runPeer } from "../support/processes.ts";
import { GENERATIONS, HYPERDRIVE, shareWithTrove } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import {
  assertSameTree,
  AWKWARD_FILES,
  digestTree,
  type FilePlan,
  manyFiles,
  withoutEmptyFiles,
  withoutModes,
  writeTree,
} from "../support/trees.ts";

const TREES: ReadonlyMap<string, readonly FilePlan[]> = new Map([
  ["awkward names and sizes", AWKWARD_FILES],
  ["1,000 files", manyFiles(1000, { seed: "real cloner", largest: 4000 })],
]);

for (const gen of GENERATIONS) {
  for (const [what, files] of TREES) {
    Deno.test(`${HYPERDRIVE[gen]} clones ${what} from trove share`, async () => {
      using temp = tempFolder();
      const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
      writeTree(folder, files, `real cloner ${gen}`);
      await using sharer = await shareWithTrove(folder, { home: temp.folder("home-of-sharer") });
      const lines = await runPeer(
        "clone_folder",
        [sharer.key, sharer.address, copy, "--gen", gen],
        { home: temp.folder("home-of-cloner") },
      );
      assert.equal(lines.at(-1)?.version, files.length);
      const expected = withoutModes(withoutEmptyFiles(digestTree(folder)));
      assertSameTree(withoutModes(digestTree(copy)), expected);
    });
  }

  Deno.test(`${HYPERDRIVE[gen]} reads single files out of what trove shares`, async () => {
    using temp = tempFolder();
    const folder = temp.folder("folder");
    writeTree(folder, AWKWARD_FILES, `sparse reader ${gen}`);
    await using sharer = await shareWithTrove(folder, { home: temp.folder("home-of-sharer") });
    const wanted = ["exactly-a-block", "日本語/ファイル.bin", "empty", "just-above-a-block"];
    const lines = await runPeer(
      "read_files",
      [sharer.key, sharer.address, "--gen", gen, ...wanted.map((path) => `/${path}`)],
      { home: temp.folder("home-of-reader") },
    );
    const tree = digestTree(folder);
    for (const [at, path] of wanted.entries()) {
      const { size, sha256 } = tree.get(path)!;
      assert.deepEqual(lines[at], { event: "file", path: `/${path}`, size, sha256 });
    }
    assert.equal(lines.at(-1)?.downloaded, 4, "1 + 1 + 0 + 2 blocks hold the four files");
  });
}
