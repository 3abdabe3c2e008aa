/** One folder, several programs in turn: each goes on where the other stopped. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type ProcessOptions, runPeer } from "../support/processes.ts";
import {
  cloneWithTrove,
  GENERATIONS,
  HYPERDRIVE,
  type Sharer,
  shareWithPeer,
  shareWithTrove,
} from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import {
  assertSameTree,
  AWKWARD_FILES,
  digestTree,
  withoutEmptyFiles,
  withoutModes,
  writeTree,
} from "../support/trees.ts";

/** Clone with a real peer of each generation and compare. */
async function assertRealPeersGet(folder: string, sharer: Sharer, options: ProcessOptions) {
  const expected = withoutModes(withoutEmptyFiles(digestTree(folder)));
  for (const gen of GENERATIONS) {
    using copy = tempFolder();
    const args = [sharer.key, sharer.address, copy.path, "--gen", gen];
    await runPeer("clone_folder", args, options);
    assertSameTree(withoutModes(digestTree(copy.path)), expected);
  }
}

Deno.test("a folder of dat-node is shared by trove under its link and then by dat-node again", async () => {
  using temp = tempFolder();
  const folder = temp.folder("folder");
  const home = temp.folder("home");
  writeTree(folder, AWKWARD_FILES, "by dat-node");
  const [created] = await runPeer("dat_node_folder", [folder], { home });
  assert.equal(created.files, AWKWARD_FILES.length);

  writeTree(folder, [{ path: "changed/by trove", size: 100_000 }], "by trove");
  writeTree(folder, [{ path: "same-prefix", size: 1234 }], "by trove");
  Deno.removeSync(join(folder, "quotes'\"`.txt"));
  {
    await using sharer = await shareWithTrove(folder, { home });
    assert.equal(sharer.key, created.key);
    const imported = await sharer.process.event("imported");
    assert.equal(imported.put, 2);
    assert.equal(imported.deleted, 1);
    assert.equal(imported.same, AWKWARD_FILES.length - 2);
    assert.equal(imported.version, created.version + 3);
    await assertRealPeersGet(folder, sharer, { home });
    const copy = temp.folder("copy");
    const exit = await cloneWithTrove([sharer], copy, { home });
    assert.equal(exit.code, 0, exit.stderr);
    assertSameTree(digestTree(copy), digestTree(folder));
  }

  writeTree(folder, [{ path: "changed/by dat-node", size: 70_000 }], "by dat-node again");
  const [resumed] = await runPeer("dat_node_folder", [folder, "--must-exist"], { home });
  assert.equal(resumed.key, created.key);
  assert.equal(resumed.writable, true);
  assert.equal(resumed.before, created.version + 3);
  assert.equal(resumed.files, 1);
  assert.equal(resumed.version, created.version + 4);

  await using sharer = await shareWithTrove(folder, { home });
  assert.equal(sharer.key, created.key);
  const imported = await sharer.process.event("imported");
  assert.equal(imported.put, 0);
  assert.equal(imported.version, created.version + 4);
  await assertRealPeersGet(folder, sharer, { home });
});

for (const gen of GENERATIONS) {
  Deno.test(`a folder of trove is opened, audited and appended to by ${HYPERDRIVE[gen]}`, async () => {
    using temp = tempFolder();
    const folder = temp.folder("folder");
    const home = temp.folder("home");
    writeTree(folder, AWKWARD_FILES, `made by trove ${gen}`);
    let key: string;
    {
      await using sharer = await shareWithTrove(folder, { home });
      await sharer.process.event("imported");
      key = sharer.key;
    }

    const args = [folder, "--gen", gen, "--write", "added/by a real peer=some text"];
    const report = await runPeer("own_folder", args, { home });
    const [opened] = report;
    assert.equal(opened.key, key);
    assert.equal(opened.writable, true);
    assert.equal(opened.version, AWKWARD_FILES.length);
    const audit = report.find((line) => line.event === "audit")!;
    assert.deepEqual(audit.metadata, { valid: opened.metadataBlocks + 1, invalid: 0 });
    assert.deepEqual(audit.content, { valid: opened.contentBlocks + 1, invalid: 0 });
    const tree = digestTree(folder);
    const files = report.filter((line) => line.event === "file");
    assert.equal(files.length, tree.size);
    for (const { path, size, sha256, mode } of files) {
      const expected = tree.get(path.slice(1));
      assert.deepEqual({ sha256, size, mode: mode & 0o777 }, expected, path);
    }

    await using sharer = await shareWithTrove(folder, { home });
    assert.equal(sharer.key, key);
    const imported = await sharer.process.event("imported");
    assert.equal(imported.put, 0);
    assert.equal(imported.version, AWKWARD_FILES.length + 1);
    await assertRealPeersGet(folder, sharer, { home });
  });
}

Deno.test("a clone that trove made is served on by a real peer", async () => {
  using temp = tempFolder();
  const [folder, copy, second] = ["folder", "copy", "second"].map((name) => temp.folder(name));
  const home = temp.folder("home");
  writeTree(folder, AWKWARD_FILES, "served on");
  {
    await using sharer = await shareWithTrove(folder, { home });
    const exit = await cloneWithTrove([sharer], copy, { home: temp.folder("home-of-cloner") });
    assert.equal(exit.code, 0, exit.stderr);
  }
  await using sharer = await shareWithPeer("share_folder", [copy], {
    home: temp.folder("home-of-cloner"),
  });
  const exit = await cloneWithTrove([sharer], second, { home: temp.folder("home-of-second") });
  assert.equal(exit.code, 0, exit.stderr);
  assertSameTree(digestTree(second), digestTree(folder));
});
