/** Archives that were cut off before their content had begun, and what `verify` makes of them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { tempFolder } from "../support/temp.ts";
import { runIn, shareIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

/** In the order in which a clone makes them. */
const METADATA_FILES = ["tree", "signatures", "bitfield", "data"].map((file) => `metadata.${file}`);
const CONTENT_FILES = ["key", "tree", "signatures", "bitfield"].map((file) => `content.${file}`);

Deno.test("a clone that was cut off before its content began is sound at every moment", async () => {
  using temp = tempFolder();
  const [dir, copy] = [temp.folder("folder"), temp.join("copy")];
  writeTree(dir, [{ path: "a", size: 100_000 }, { path: "b/c", size: 7 }], "begun");
  await using shared = await shareIn(new TestWorld(temp), dir);
  const world = new TestWorld(temp, { home: "home of cloner", running: true });
  const clone = ["clone", shared.link, copy, "--peer", shared.address];
  assert.equal((await runIn(world, ...clone)).code, 0, world.stderr.text);
  const dat = join(copy, ".dat");

  // All of it gone from a clone that was complete: that is damage.
  for (const file of CONTENT_FILES) Deno.renameSync(join(dat, file), join(dat, `${file}.away`));
  const damaged = await runIn(world, "verify", copy, "--json");
  assert.equal(damaged.code, 5, damaged.stdout);

  // Never complete: only the metadata came, and the files of the content are being made.
  for (const { name } of [...Deno.readDirSync(dat)]) {
    if (/^trove\.|^metadata\.latest$/.test(name)) Deno.removeSync(join(dat, name));
  }
  for (const path of ["a", "b"]) Deno.removeSync(join(copy, path), { recursive: true });
  for (const file of [undefined, ...CONTENT_FILES]) {
    if (file === "content.key") Deno.renameSync(join(dat, `${file}.away`), join(dat, file));
    else if (file !== undefined) Deno.writeFileSync(join(dat, file), new Uint8Array(0));
    const { code, json, stdout } = await runIn(world, "verify", copy, "--json");
    assert.equal(code, 0, stdout);
    const said = json.filter(({ event, feed }) => event === "problem" && feed === "content");
    assert.deepEqual(said.map(({ kind, harmless }) => [kind, harmless]), [["incomplete", true]]);
  }
  // And before that: only the key came, and the files of the metadata are being made.
  for (const { name } of [...Deno.readDirSync(dat)]) {
    if (name !== "metadata.key") Deno.removeSync(join(dat, name), { recursive: true });
  }
  for (const file of [undefined, ...METADATA_FILES]) {
    if (file !== undefined) Deno.writeFileSync(join(dat, file), new Uint8Array(0));
    const { code, json, stdout } = await runIn(world, "verify", copy, "--json");
    assert.equal(code, 0, stdout);
    const said = json.filter(({ event }) => event === "problem");
    assert.deepEqual(said.map(({ kind, harmless }) => [kind, harmless]), [["incomplete", true]]);
  }
  assert.equal((await runIn(world, ...clone)).code, 0, world.stderr.text);
  assertSameTree(digestTree(copy), digestTree(dir));
});

Deno.test("an archive whose creation was cut off is sound, and goes on when it is shared", async () => {
  using temp = tempFolder();
  const [dir, world] = [temp.folder("folder"), new TestWorld(temp, { running: true })];
  assert.equal((await runIn(world, "create", dir)).code, 0, world.stderr.text);
  for (const file of CONTENT_FILES) Deno.removeSync(join(dir, ".dat", file));
  const { code, stdout } = await runIn(world, "verify", dir);
  assert.equal(code, 0, stdout);
  writeTree(dir, [{ path: "a", size: 100_000 }], "later");
  await (await shareIn(new TestWorld(temp, { seed: "later" }), dir))[Symbol.asyncDispose]();
  const { code: later, stdout: said } = await runIn(world, "verify", dir);
  assert.equal(later, 0, said);
});
