/** What was served once is never signed a second time, whatever happened to the folder since. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { copyTree } from "../support/archives.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, shareIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const VERSIONS = 6;

/** An archive of several versions, a copy of its first ones, and a complete clone. */
async function published(temp: TempFolder): Promise<{ dir: string; old: string; copy: string }> {
  const dir = temp.folder("folder");
  const old = temp.join("old");
  for (let version = 1; version <= VERSIONS; version++) {
    writeTree(dir, [{ path: `file-${version}`, size: 70_000 }], "served");
    await using _shared = await shareIn(new TestWorld(temp), dir);
    if (version === 3) copyTree(dir, old);
  }
  await using shared = await shareIn(new TestWorld(temp), dir);
  const reader = new TestWorld(temp, { home: "home of reader", running: true });
  const args = ["clone", shared.link, "copy", "--peer", shared.address];
  assert.equal((await runIn(reader, ...args)).code, 0, reader.stderr.text);
  return { dir, old, copy: temp.join("copy") };
}

function putBack(from: string, to: string, ...names: readonly string[]): void {
  for (const name of names) Deno.copyFileSync(join(from, ".dat", name), join(to, ".dat", name));
}

/** What can happen to a folder so that it holds less than was served from it. */
const LOSSES = new Map<string, (dir: string, old: string) => void>([
  [
    "metadata bits and signatures of an older copy",
    (dir, old) => putBack(old, dir, "metadata.bitfield", "metadata.signatures"),
  ],
  ["bits and signatures of an older copy", (dir, old) => {
    putBack(old, dir, "metadata.bitfield", "metadata.signatures");
    putBack(old, dir, "content.bitfield", "content.signatures");
  }],
  ["no bits and no newest signature", (dir) => {
    Deno.removeSync(join(dir, ".dat/metadata.bitfield"));
    Deno.truncateSync(join(dir, ".dat/metadata.signatures"), 32 + 64 * (VERSIONS - 1));
  }],
  ["half a tree and no signatures", (dir) => {
    Deno.truncateSync(join(dir, ".dat/metadata.tree"), 32 + 40 * VERSIONS);
    Deno.removeSync(join(dir, ".dat/metadata.signatures"));
  }],
  ["no tree and no signatures", (dir) => {
    Deno.removeSync(join(dir, ".dat/metadata.tree"));
    Deno.removeSync(join(dir, ".dat/metadata.signatures"));
  }],
  ["the whole .dat of an older copy", (dir, old) => {
    Deno.removeSync(join(dir, ".dat"), { recursive: true });
    copyTree(join(old, ".dat"), join(dir, ".dat"));
  }],
]);

for (const [name, lose] of LOSSES) {
  Deno.test(`an archive with ${name} is not added to, and says so`, async () => {
    using temp = tempFolder();
    const { dir, old, copy } = await published(temp);
    const before = digestTree(dir);
    lose(dir, old);
    const world = new TestWorld(temp, { running: true });
    assert.equal((await runIn(world, "verify", dir)).code, 5);
    await runIn(world, "repair", dir);
    writeTree(dir, [{ path: "more", size: 10 }], "served");
    const where = ["--host", "127.0.0.1", "--port", "0", "--timeout", "1ms", "--json"];
    const { code, json } = await runIn(world, "share", dir, ...where);
    assert.ok(code === 8 || code === 6, `share ended with ${code}`);
    assert.ok(!json.some(({ event }) => event === "imported" || event === "listening"));
    Deno.removeSync(join(dir, "more"));

    // Whoever has a complete copy can still be followed, and nothing there contradicts it.
    const reader = new TestWorld(temp, { home: "home of reader" });
    await using shared = await shareIn(reader, copy);
    const again = await runIn(world, "clone", shared.link, "again", "--peer", shared.address);
    assert.equal(again.code, 0, again.stderr);
    assertSameTree(digestTree(temp.join("again")), before);
  });
}

Deno.test("an older copy goes on after a pull from somebody who has the newest version", async () => {
  using temp = tempFolder();
  const { dir, old, copy } = await published(temp);
  const world = new TestWorld(temp, { running: true });
  {
    await using shared = await shareIn(
      new TestWorld(temp, { home: "home of reader" }),
      copy,
    );
    const pulled = await runIn(world, "pull", old, "--peer", shared.address);
    assert.equal(pulled.code, 0, pulled.stderr);
  }
  assertSameTree(digestTree(old), digestTree(dir));
  writeTree(old, [{ path: "more", size: 10 }], "served");
  await using _shared = await shareIn(new TestWorld(temp), old);
  const { json } = await runIn(world, "status", old, "--json");
  assert.equal(json[0].version, VERSIONS + 1);
});

Deno.test("signatures of another archive are not taken for a reason to sign", async () => {
  using temp = tempFolder();
  const { dir } = await published(temp);
  const other = temp.folder("other");
  for (const size of [10, 20, 30]) {
    writeTree(other, [{ path: "file", size }], "other");
    await using _shared = await shareIn(new TestWorld(temp, { seed: "other" }), other);
  }
  putBack(other, dir, "metadata.key", "metadata.signatures");
  const foreign = Deno.readFileSync(join(other, ".dat/metadata.signatures"));
  const world = new TestWorld(temp, { running: true });
  assert.equal((await runIn(world, "repair", dir)).code, 5);
  assertSameBytes(Deno.readFileSync(join(dir, ".dat/metadata.signatures")), foreign);
});
