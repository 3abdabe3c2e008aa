/** What must not be lost or believed when the disk, a killed process or an archive misbehaves. */
import assert from "node:assert/strict";
import { StorageError } from "../../src/base/errors.ts";
import { CraftedArchive, CraftedCopy } from "../support/crafted_archive.ts";
import { tempFolder } from "../support/temp.ts";
import { runIn, shareIn, TestWorld } from "../support/test_world.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const BLOCK = 64 * 1024;

Deno.test("no bit speaks of bytes that the disk did not take", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp);
  const copy = new CraftedCopy(temp, owner);
  const large = new Uint8Array(4 * BLOCK).fill(7);
  owner.put("/large", large);
  const staged = copy.path(".dat/trove.staging/0");
  const run = copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    copy.fetch(archive, plan, (block) => block === 0);
    archive.contentFiles!.setFiles(plan.files, archive.content!); // lets go of the open file
    Deno.renameSync(staged, `${staged}.aside`);
    Deno.mkdirSync(staged);
    assert.throws(() => copy.fetch(archive, plan, (block) => block < 3), StorageError);
  });
  // Closing commits once more, and fails once more.
  await assert.rejects(run, StorageError);
  Deno.removeSync(staged);
  Deno.renameSync(`${staged}.aside`, staged);
  assert.deepEqual(await copy.pull(), [1, 2, 3]);
  assertSameBytes(Deno.readFileSync(copy.path("large")), large);
});

Deno.test("a plan costs nothing for blocks that a hostile entry only claims", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp);
  const copy = new CraftedCopy(temp, owner);
  owner.put("/huge", "x", { blocks: 2 ** 50, size: 2 ** 50 });
  await copy.open((archive) => copy.plan(archive)); // would not end in years
});

Deno.test("a file that cannot be read does not end the share", async () => {
  using temp = tempFolder();
  const dir = temp.folder("folder");
  Deno.writeTextFileSync(temp.join("folder", "file"), "x");
  const owner = new TestWorld(temp);
  const shared = await shareIn(owner, dir);
  Deno.removeSync(temp.join("folder", "file"));
  Deno.symlinkSync("file", temp.join("folder", "file")); // every look at it fails
  const world = new TestWorld(temp, { home: "home of cloner", running: true });
  const peer = ["--peer", shared.address, "--timeout", "1s"];
  const { code } = await runIn(world, "clone", shared.link, "copy", "--json", ...peer);
  assert.equal(code, 4);
  owner.raise("SIGTERM");
  assert.equal(await shared.code, 0, owner.stderr.text);
});
