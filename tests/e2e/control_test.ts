/** Real peers among themselves: when these fail, the fault lies with the harness and not in trove. */
import assert from "node:assert/strict";
import { runPeer } from "../support/processes.ts";
import { heldBlocks } from "../support/held_blocks.ts";
import { GENERATIONS, HYPERDRIVE, shareWithPeer } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import {
  assertSameTree,
  AWKWARD_FILES,
  digestTree,
  withoutEmptyFiles,
  withoutModes,
  writeTree,
} from "../support/trees.ts";

for (const gen of GENERATIONS) {
  const other = gen === "6" ? "7" : "6";
  Deno.test(`${HYPERDRIVE[other]} clones from ${HYPERDRIVE[gen]}`, async () => {
    using temp = tempFolder();
    const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
    writeTree(folder, AWKWARD_FILES, `control ${gen}`);
    await using sharer = await shareWithPeer("share_folder", [folder, "--gen", gen], {
      home: temp.folder("home-of-sharer"),
    });
    const lines = await runPeer(
      "clone_folder",
      [sharer.key, sharer.address, copy, "--gen", other],
      { home: temp.folder("home-of-cloner") },
    );
    const expected = withoutModes(withoutEmptyFiles(digestTree(folder)));
    assertSameTree(withoutModes(digestTree(copy)), expected);
    const held = heldBlocks(copy, "metadata").size + heldBlocks(copy, "content").size;
    assert.equal(held, lines.find((line) => line.event === "synced")?.blocks);
  });
}
