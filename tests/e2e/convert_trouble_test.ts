/** Conversions that are killed, or find the disk full: the archive is one or the other, and whole. */
import assert from "node:assert/strict";
import { openArchive } from "../../src/app/open_archive.ts";
import { ArchiveView } from "../../src/app/archive_view.ts";
import { SmallDisk } from "../support/failures.ts";
import { importInto } from "../support/imported.ts";
import { runTrove, trove } from "../support/processes.ts";
import { tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, manyFiles, writeTree } from "../support/trees.ts";

const FILES = manyFiles(25, { seed: "conversions", smallest: 100_000, largest: 400_000 });

/** Milliseconds after which a run is killed: from before it begins to after its end. */
const DELAYS = Array.from({ length: 5 }, (_, n) => 150 + 120 * n);

/** Every held block verifies where it lies, and every live file can be read. */
function assertWhole(dir: string, world: TestWorld): void {
  using archive = openArchive(dir, { world, access: "read" });
  const view = new ArchiveView(archive);
  for (const file of view.files()) {
    for (const bytes of view.read(file)) assert.ok(bytes.length > 0);
  }
  assert.deepEqual(archive.content!.audit().invalid, []);
  assert.deepEqual(archive.metadata.audit().invalid, []);
}

Deno.test("a conversion that is killed leaves an archive of one kind or the other", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = temp.folder("archive");
  writeTree(dir, FILES, "killed");
  await importInto(dir, world);
  const tree = digestTree(dir);
  let kills = 0;
  for (const delay of DELAYS) {
    for (const to of ["history", "latest"]) {
      // What is missing has to be written back.
      const [{ path }] = FILES;
      if (to === "latest") Deno.removeSync(`${dir}/${path}`);
      await using process = await trove(["convert", dir, "--to", to], { home: temp.join("home") });
      await new Promise((resolve) => setTimeout(resolve, delay));
      process.signal("SIGKILL");
      if ((await process.exit).signal === "SIGKILL") kills++;
      if (to === "history") assertSameTree(digestTree(dir), tree);
      const { code, stderr } = await runIn(world, "convert", dir, "--to", to);
      assert.equal(code, 0, stderr);
      assertWhole(dir, world);
      assertSameTree(digestTree(dir), tree);
    }
  }
  assert.ok(kills > 0);
});

Deno.test("between a kill and the next run nothing is wrong either", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = temp.folder("archive");
  writeTree(dir, FILES, "killed");
  await importInto(dir, world);
  const tree = digestTree(dir);
  let to = "history";
  for (const delay of DELAYS) {
    await using process = await trove(["convert", dir, "--to", to], { home: temp.join("home") });
    await new Promise((resolve) => setTimeout(resolve, delay + 40));
    process.signal("SIGKILL");
    await process.exit;
    assertWhole(dir, world);
    assertSameTree(digestTree(dir), tree);
    const { history } = (await runIn(world, "status", dir, "--json")).json[0];
    to = history ? "latest" : "history";
  }
});

Deno.test("a conversion that finds the disk full changes nothing, and goes on when there is room", async () => {
  using temp = tempFolder();
  const [dir, home] = [temp.folder("archive"), temp.folder("home")];
  using disk = new SmallDisk(dir, 60_000_000);
  const world = new TestWorld(temp);
  writeTree(dir, FILES, "full");
  await importInto(dir, world);
  const tree = digestTree(dir);
  const bytes = FILES.reduce((sum, { size }) => sum + size, 0);
  disk.grow(disk.wrapper.length > 0 ? 1_000_000 : bytes + 3_000_000);
  const run = async (to: string) => {
    const args = ["convert", dir, "--to", to, "--json"];
    return await runTrove(args, { home, wrapper: disk.wrapper });
  };
  const full = await run("history");
  assert.equal(full.code, 6, full.stdout + full.stderr);
  assert.match(full.stderr, /^error: Cannot write .*trove\.content" .*disk is full/);
  assertWhole(dir, world);
  assertSameTree(digestTree(dir), tree);
  const { history } = (await runIn(world, "status", dir, "--json")).json[0];
  assert.equal(history, false);

  disk.grow(60_000_000);
  assert.equal((await run("history")).code, 0);
  for (const { path } of FILES) Deno.removeSync(`${dir}/${path}`);
  disk.grow(disk.wrapper.length > 0 ? 50_000 : bytes + 3_000_000);
  const again = await run("latest");
  assert.equal(again.code, 6, again.stdout + again.stderr);
  assertWhole(dir, world);
  disk.grow(60_000_000);
  assert.equal((await run("latest")).code, 0);
  assertSameTree(digestTree(dir), tree);
  assertWhole(dir, world);
});
