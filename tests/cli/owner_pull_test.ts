/** `pull` in an owner's own folder: what was signed on another machine with a copy of the key. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createArchive } from "../../src/app/open_archive.ts";
import { archiveBytes, copyTree } from "../support/archives.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, type Shared, shareIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

let runs = 0;

/** A world of one of the two machines; each run is a minute later. */
function machine(temp: TempFolder, home: string): TestWorld {
  runs++;
  const world = new TestWorld(temp, { home, seed: `run ${runs}`, running: true });
  world.clock.wallMs += runs * 60_000;
  return world;
}

const FILES = ["changed there", "changed here", "deleted there", "deleted here", "same"];

/** A folder and its copy on a second machine, key and all. */
async function makeTwins(
  temp: TempFolder,
  options: { history?: boolean } = {},
): Promise<{ here: string; there: string }> {
  const here = temp.folder("here");
  createArchive(here, machine(temp, "home here"), options)[Symbol.dispose]();
  writeTree(here, FILES.map((path) => ({ path, size: 70_000 })), "first");
  await (await shareIn(machine(temp, "home here"), here))[Symbol.asyncDispose]();
  const there = temp.folder("there");
  copyTree(here, there);
  copyTree(temp.join("home here"), temp.folder("home there"));
  return { here, there };
}

/** Change and share the folder of the other machine. */
function shareThere(temp: TempFolder, there: string): Promise<Shared> {
  writeTree(there, [{ path: "changed there", size: 80_000 }, { path: "new", size: 9 }], "second");
  Deno.removeSync(join(there, "deleted there"));
  return shareIn(machine(temp, "home there"), there);
}

function pull(temp: TempFolder, here: string, shared: Shared, ...extra: string[]) {
  const args = ["pull", here, "--peer", shared.address, "--json", ...extra];
  return runIn(machine(temp, "home here"), ...args);
}

/** What the next share imports. */
async function importHere(temp: TempFolder, here: string) {
  const world = machine(temp, "home here");
  await using _shared = await shareIn(world, here);
  const { put, deleted, version } = await world.stdout.event("imported");
  return { put, deleted, version };
}

for (const history of [false, true]) {
  const kind = history ? " that keeps every version" : "";
  Deno.test(`pull in the owner's folder${kind} takes over what another machine signed`, async () => {
    using temp = tempFolder();
    const { here, there } = await makeTwins(temp, { history });
    Deno.writeTextFileSync(join(here, "same"), "mine, and not imported");
    {
      await using shared = await shareThere(temp, there);
      const { code, json, stderr } = await pull(temp, here, shared);
      assert.equal(code, 0, stderr);
      assert.deepEqual([json[0].writable, json.at(-1)!.version], [true, 8]);
      const expected = new Map(digestTree(there));
      expected.set("same", digestTree(here).get("same")!);
      assertSameTree(digestTree(here), expected);
      assert.equal(Deno.readTextFileSync(join(here, "same")), "mine, and not imported");
      const again = await pull(temp, here, shared);
      assert.deepEqual([again.code, again.json.at(-1)!.downloadedBytes], [0, 0]);
    }
    assert.deepEqual(await importHere(temp, here), { put: 1, deleted: 0, version: 9 });
    assert.ok(![...Deno.readDirSync(join(here, ".dat"))].some(({ name }) => /pulling/.test(name)));
  });
}

Deno.test("what was changed here and not imported is kept where the other machine did not", async () => {
  using temp = tempFolder();
  const { here, there } = await makeTwins(temp);
  Deno.writeTextFileSync(join(here, "changed here"), "mine");
  Deno.removeSync(join(here, "deleted here"));
  Deno.writeTextFileSync(join(here, "added here"), "mine, too");
  {
    await using shared = await shareThere(temp, there);
    const { code, stderr } = await pull(temp, here, shared);
    assert.equal(code, 0, stderr);
  }
  const expected = new Map(digestTree(there));
  expected.delete("deleted here");
  const found = digestTree(here);
  for (const path of ["changed here", "added here"]) expected.set(path, found.get(path)!);
  assertSameTree(found, expected);
  assert.equal(Deno.readTextFileSync(join(here, "changed here")), "mine");
  assert.deepEqual(await importHere(temp, here), { put: 2, deleted: 1, version: 11 });
});

for (
  const [what, change] of [
    ["changed", (dir: string) => Deno.writeTextFileSync(join(dir, "changed there"), "mine")],
    ["changed and deleted there", (dir: string) => {
      Deno.writeTextFileSync(join(dir, "deleted there"), "mine");
    }],
    ["added", (dir: string) => Deno.writeTextFileSync(join(dir, "new"), "mine")],
  ] as const
) {
  Deno.test(`a file that was ${what} on both machines is refused before anything is touched`, async () => {
    using temp = tempFolder();
    const { here, there } = await makeTwins(temp);
    change(here);
    await using shared = await shareThere(temp, there);
    const before = digestTree(here);
    const { code, json } = await pull(temp, here, shared);
    assert.deepEqual([code, json.at(-1)!.code], [2, "usage"]);
    assert.match(json.at(-1)!.message, /is in the way: not from this archive, or changed here/);
    assertSameTree(digestTree(here), before);

    // Until then nothing old can be signed as the newest.
    const share = await runIn(machine(temp, "home here"), "share", here, "--port", "0", "--json");
    assert.deepEqual([share.code, share.json.at(-1)!.code], [2, "usage"], share.stderr);
    assert.match(share.json.at(-1)!.message, /a pull was not finished/);

    // It is decided anew, and the edits are still known for what they are.
    assert.equal((await pull(temp, here, shared)).code, 2);
    assertSameTree(digestTree(here), before);
    const { code: forced, stderr } = await pull(temp, here, shared, "--overwrite");
    assert.equal(forced, 0, stderr);
    const expected = new Map(digestTree(there));
    // What is deleted there and changed here is never thrown away.
    if (what === "changed and deleted there") {
      expected.set("deleted there", before.get("deleted there")!);
    }
    assertSameTree(digestTree(here), expected);
  });
}

Deno.test("an edit that wins over the other machine's goes on from there, without a second history", async () => {
  using temp = tempFolder();
  const { here, there } = await makeTwins(temp);
  // All that the other machine adds is kept out, or deleted again: none of its content is wanted.
  Deno.writeTextFileSync(join(here, "changed there"), "mine");
  Deno.writeTextFileSync(join(here, "new"), "mine");
  {
    await using shared = await shareThere(temp, there);
    const { code, json, stderr } = await pull(temp, here, shared, "--keep-local");
    assert.equal(code, 0, stderr);
    assert.equal(json.at(-1)!.kept, 2);
  }
  assert.equal(Deno.readTextFileSync(join(here, "changed there")), "mine");
  assert.deepEqual(await importHere(temp, here), { put: 2, deleted: 0, version: 10 });
  // The other machine takes that over in turn.
  await using shared = await shareIn(machine(temp, "home here"), here);
  const args = ["pull", there, "--peer", shared.address, "--json"];
  const { code, stderr } = await runIn(machine(temp, "home there"), ...args);
  assert.equal(code, 0, stderr);
  assertSameTree(digestTree(there), digestTree(here));
});

Deno.test("a peer that has nothing newer changes nothing in the owner's folder", async () => {
  using temp = tempFolder();
  const { here, there } = await makeTwins(temp);
  Deno.writeTextFileSync(join(here, "same"), "changed");
  await using shared = await shareIn(machine(temp, "home there"), there);
  const before = archiveBytes(here);
  const { code } = await pull(temp, here, shared);
  assert.equal(code, 0);
  assert.equal(Deno.readTextFileSync(join(here, "same")), "changed");
  const after = archiveBytes(here);
  for (const name of Object.keys(before)) assert.deepEqual(after[name], before[name], name);
});

Deno.test("clone into the owner's folder points at pull", async () => {
  using temp = tempFolder();
  const { here, there } = await makeTwins(temp);
  await using shared = await shareIn(machine(temp, "home there"), there);
  const args = ["clone", shared.link, here, "--peer", shared.address, "--json"];
  const { code, json } = await runIn(machine(temp, "home here"), ...args);
  assert.equal(code, 2);
  assert.match(json.at(-1)!.hint, /trove pull/);
});
