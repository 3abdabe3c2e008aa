/** What counts as a change of a file: size, permissions, and a time other than it was imported with. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openArchive } from "../../src/app/open_archive.ts";
import { importDir, later, put, testIn, touch } from "../support/importing.ts";
import { START_MS } from "../support/test_world.ts";

/** Days after the imports, as a camera with a wrong clock has it. */
const FUTURE = new Date(START_MS + 1000 * 24 * 3600 * 1000);

for (const history of [false, true]) {
  const mode = history ? "with history" : "in latest mode";

  testIn(`a file from the future is imported once, ${mode}`, async ({ world, dir }) => {
    put(dir, "photo", "1234");
    Deno.utimeSync(join(dir, "photo"), FUTURE, FUTURE);
    assert.equal((await importDir(dir, world, { history })).put, 1);
    for (let n = 0; n < 2; n++) {
      later(world);
      const { put: puts, same } = await importDir(dir, world);
      assert.deepEqual([puts, same], [0, 1]);
    }
    put(dir, "photo", "4321", world);
    later(world);
    assert.deepEqual((await importDir(dir, world)).entries, ["put /photo"]);
  });

  testIn(`a file that is touched only makes no new version, ${mode}`, async ({ world, dir }) => {
    put(dir, "a", 200_000);
    const { version } = await importDir(dir, world, { history });
    later(world);
    touch(join(dir, "a"), world);
    later(world);
    const touched = await importDir(dir, world);
    assert.deepEqual([touched.version, touched.same], [version, 1]);
    using archive = openArchive(dir, { world, access: "read" });
    assert.equal(archive.content!.length, 4);
  });

  testIn(`permissions that changed make a new version, ${mode}`, async ({ world, dir }) => {
    put(dir, "script", "#!/bin/sh\n");
    put(dir, "other", "other");
    await importDir(dir, world, { history });
    Deno.chmodSync(join(dir, "script"), 0o755);
    later(world);
    const { entries } = await importDir(dir, world);
    assert.deepEqual(entries, ["put /script"]);
    using archive = openArchive(dir, { world, access: "read" });
    assert.equal(archive.entry(archive.version)!.stat!.mode, 0o100755);
    // dat needs content in the order of the log; where it is kept, the old blocks are the content.
    assert.equal(archive.content!.length, history ? 2 : 3);
  });
}

testIn("a file replaced by an older one of the same size is noticed", async ({ world, dir }) => {
  for (const name of ["moved", "copied", "kept"]) put(dir, name, "new data");
  put(dir, ".backup", "old data");
  for (const name of ["moved", "copied", "kept", ".backup"]) {
    const time = new Date(name === ".backup" ? 5_000_000 : 9_000_000);
    Deno.utimeSync(join(dir, name), time, time);
  }
  await importDir(dir, world);
  later(world);
  Deno.copyFileSync(join(dir, ".backup"), join(dir, "copied"));
  Deno.utimeSync(join(dir, "copied"), new Date(5_000_000), new Date(5_000_000));
  Deno.renameSync(join(dir, ".backup"), join(dir, "moved"));
  const { entries } = await importDir(dir, world);
  assert.deepEqual(entries, ["put /copied", "put /moved"]);
});

testIn("without the private list the entry's time is all there is", async ({ world, dir }) => {
  put(dir, "older", "1234");
  put(dir, "same", "1234");
  await importDir(dir, world);
  Deno.removeSync(join(dir, ".dat", "trove.times"));
  later(world);
  put(dir, "older", "4321");
  const { entries, same } = await importDir(dir, world);
  assert.deepEqual([entries, same], [[], 2]);
});

testIn(
  "a block that was given up is held again once its bytes are back",
  async ({ world, dir }) => {
    put(dir, "a", "as it was");
    await importDir(dir, world);
    {
      // What a peer's request does after the file was changed.
      using archive = openArchive(dir, { world, access: "write" });
      archive.content!.clear({ start: 0, end: 1 });
    }
    later(world);
    touch(join(dir, "a"), world);
    later(world);
    await importDir(dir, world);
    using archive = openArchive(dir, { world, access: "read" });
    assert.deepEqual([archive.version, archive.content!.hasBlock(0)], [1, true]);
  },
);
