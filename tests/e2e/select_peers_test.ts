/** Clones of some files only, from real peers of both generations and opened by them. */
import assert from "node:assert/strict";
import { runPeer } from "../support/processes.ts";
import { cloneWithTrove, GENERATIONS, HYPERDRIVE, shareWithPeer } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import { digestTree, writeTree } from "../support/trees.ts";

const FILES = [
  { path: "docs/guide", size: 150_000 },
  { path: "docs/notes.tmp", size: 10 },
  { path: "photos/large", size: 900_000 },
  { path: "readme", size: 40 },
];

for (const gen of GENERATIONS) {
  Deno.test(`trove clone --select takes from ${HYPERDRIVE[gen]} what it says, and no more`, async () => {
    using temp = tempFolder();
    const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
    writeTree(folder, FILES, `select ${gen}`);
    await using sharer = await shareWithPeer("share_folder", [folder, "--gen", gen], {
      home: temp.folder("home-of-sharer"),
    });
    const home = temp.folder("home-of-cloner");
    const options = ["--select", "docs", "--select", "readme", "--exclude", "**/*.tmp"];
    const exit = await cloneWithTrove([sharer], copy, { home }, options);
    assert.equal(exit.code, 0, exit.stderr);
    assert.deepEqual([...digestTree(copy).keys()].sort(), ["docs/guide", "readme"]);
    const synced = exit.lines.find(({ event }) => event === "synced");
    assert.equal(synced?.files, 2);
    assert.ok(synced?.downloadedBytes < 160_000, "the others were not fetched");

    const report = await runPeer("own_folder", [copy, "--gen", gen, "--no-list"], { home });
    const audit = report.find(({ event }) => event === "audit");
    assert.deepEqual(audit?.content, { valid: 4, invalid: 0 });
  });
}
