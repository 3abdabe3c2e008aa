/** What a fetch must not take in, and what an import and a fetch put right. */
import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { archiveBytes, copyTree } from "../support/archives.ts";
import { tempFolder } from "../support/temp.ts";
import { runIn, shareIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

for (
  const [name, ours, theirs] of [["longer", 2, 6], ["equal", 2, 2], ["shorter", 3, 1]] as const
) {
  Deno.test(`another history of ${name} length is not fetched, by owner or reader`, async () => {
    using temp = tempFolder();
    const dir = temp.folder("folder");
    writeTree(dir, [{ path: "a", size: 10 }, { path: "b", size: 10 }], "common");
    {
      await using _shared = await shareIn(new TestWorld(temp), dir);
    }
    const fork = temp.join("fork");
    copyTree(dir, fork);
    copyTree(temp.join("home"), temp.join("home of fork"));
    const grow = (folder: string, files: number) =>
      writeTree(
        folder,
        Array.from(
          { length: files },
          (_, n) => ({ path: `of-${basename(folder)}-${n}`, size: 100 }),
        ),
        folder,
      );
    grow(dir, ours);
    grow(fork, theirs);
    const reader = new TestWorld(temp, { home: "home of reader", running: true });
    {
      await using shared = await shareIn(new TestWorld(temp), dir);
      const args = ["clone", shared.link, "copy", "--peer", shared.address];
      assert.equal((await runIn(reader, ...args)).code, 0);
    }
    await using forked = await shareIn(new TestWorld(temp, { home: "home of fork" }), fork);
    const owner = new TestWorld(temp, { running: true });
    for (const [world, folder] of [[owner, dir], [reader, temp.join("copy")]] as const) {
      const before = archiveBytes(folder);
      const files = digestTree(folder);
      const pulled = await runIn(world, "pull", folder, "--peer", forked.address, "--json");
      assert.deepEqual([pulled.code, pulled.json.at(-1)!.code], [8, "fork"], pulled.stdout);
      assertSameTree(digestTree(folder), files);
      const { ["trove.pulling"]: _note, ...after } = archiveBytes(folder);
      assert.deepEqual(after, before);
      assert.equal((await runIn(world, "verify", folder)).code, 0);
    }
  });
}

Deno.test("lost bits of the content come back when its files are what they were", async () => {
  using temp = tempFolder();
  const dir = temp.folder("folder");
  writeTree(dir, [{ path: "a", size: 200_000 }, { path: "b/c", size: 7 }], "bits");
  {
    await using _shared = await shareIn(new TestWorld(temp), dir);
  }
  Deno.removeSync(join(dir, ".dat/content.bitfield"));
  await using shared = await shareIn(new TestWorld(temp), dir);
  const reader = new TestWorld(temp, { home: "home of reader", running: true });
  const args = ["clone", shared.link, "copy", "--peer", shared.address];
  assert.equal((await runIn(reader, ...args)).code, 0, reader.stderr.text);
  assertSameTree(digestTree(temp.join("copy")), digestTree(dir));
});

Deno.test("permissions that were changed in a clone are put back, or left with --keep-local", async () => {
  using temp = tempFolder();
  const dir = temp.folder("folder");
  writeTree(dir, [{ path: "a", size: 10, mode: 0o640 }], "modes");
  await using shared = await shareIn(new TestWorld(temp), dir);
  const reader = new TestWorld(temp, { home: "home of reader", running: true });
  const args = ["clone", shared.link, "copy", "--peer", shared.address];
  assert.equal((await runIn(reader, ...args)).code, 0);
  const file = join(temp.join("copy"), "a");
  const mode = () => Deno.statSync(file).mode! & 0o777;
  Deno.chmodSync(file, 0o600);
  assert.equal((await runIn(reader, ...args, "--keep-local")).code, 0);
  assert.equal(mode(), 0o600);
  assert.equal((await runIn(reader, ...args)).code, 0);
  assert.equal(mode(), 0o640);
});
