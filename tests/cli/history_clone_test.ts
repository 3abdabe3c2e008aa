/** Clones that keep the content of every version, in this process over loopback. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ArchiveView } from "../../src/app/archive_view.ts";
import { createArchive, openArchive } from "../../src/app/open_archive.ts";
import { concat } from "../../src/base/bytes.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, type Shared, shareIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, writeRandomFile, writeTree } from "../support/trees.ts";

const FILES = [
  { path: "large", size: 300_000 },
  { path: "sub/small", size: 70 },
  { path: "sub/program", size: 9, mode: 0o755 },
  { path: "empty", size: 0 },
];

let runs = 0;

function share(temp: TempFolder, dir: string): Promise<Shared> {
  runs++;
  const owner = new TestWorld(temp, { seed: `run ${runs}` });
  owner.clock.wallMs += runs * 60_000;
  return shareIn(owner, dir);
}

const cloner = (temp: TempFolder) => new TestWorld(temp, { home: "home of cloner", running: true });

/** A folder whose archive keeps every version, or not, with three versions of one file. */
async function makeOwner(temp: TempFolder, options: { history: boolean }): Promise<string> {
  const dir = temp.folder("folder");
  writeTree(dir, FILES, "1");
  createArchive(dir, new TestWorld(temp), options)[Symbol.dispose]();
  for (const version of ["2", "3"]) {
    await using _shared = await share(temp, dir);
    writeRandomFile(join(dir, "large"), 200_000, version);
  }
  Deno.removeSync(join(dir, "sub/small"));
  return dir;
}

/** The bytes of a file at a version. */
function bytesAt(temp: TempFolder, dir: string, path: string, version: number): Uint8Array {
  using archive = openArchive(dir, { world: cloner(temp), access: "read" });
  const view = new ArchiveView(archive, version);
  return concat([...view.read(view.find(path)!)].map((block) => block.slice()));
}

Deno.test("clone --history gets every version, and writes the newest one's files", async () => {
  using temp = tempFolder();
  const dir = await makeOwner(temp, { history: true });
  await using shared = await share(temp, dir);
  const world = cloner(temp);
  const args = ["clone", shared.link, "copy", "--history", "--peer", shared.address, "--json"];
  const { code, json, stderr } = await runIn(world, ...args);
  assert.equal(code, 0, stderr);
  const synced = json.at(-1)!;
  assert.deepEqual([synced.event, synced.version, synced.missingBlocks], ["synced", 7, undefined]);
  const copy = temp.join("copy");
  assertSameTree(digestTree(copy), digestTree(dir));
  {
    using archive = openArchive(copy, { world, access: "read" });
    const { content } = archive;
    assert.equal(content!.nextMissing(0, content!.length), -1);
    assert.deepEqual(content!.audit().invalid, []);
    const view = new ArchiveView(archive);
    for (const { path, stat } of view.files()) {
      assert.equal(Deno.statSync(join(copy, path)).mtime!.getTime(), stat.mtime, path);
    }
  }
  for (const [version, path] of [[4, "/large"], [5, "/large"], [6, "/sub/small"]] as const) {
    const bytes = bytesAt(temp, copy, path, version);
    assert.deepEqual(bytes, bytesAt(temp, dir, path, version), `${path} of ${version}`);
  }
  assert.ok(!Deno.statSync(join(copy, ".dat", "content.data")).isDirectory);
  assert.throws(() => Deno.lstatSync(join(copy, ".dat", "trove.staging")), Deno.errors.NotFound);

  // Again, and without saying what kind of clone it is.
  const again = await runIn(world, "pull", "copy", "--peer", shared.address, "--json");
  assert.deepEqual([again.code, again.json.at(-1)!.downloadedBytes], [0, 0]);
});

Deno.test("a clone with history follows, restores and deletes like any other", async () => {
  using temp = tempFolder();
  const dir = await makeOwner(temp, { history: true });
  const world = cloner(temp);
  const copy = temp.join("copy");
  {
    await using shared = await share(temp, dir);
    const args = ["clone", shared.link, copy, "--history", "--peer", shared.address];
    assert.equal((await runIn(world, ...args)).code, 0, world.stderr.text);
  }
  writeTree(dir, [{ path: "large", size: 100_000 }, { path: "new", size: 5 }], "4");
  Deno.removeSync(join(dir, "empty"));
  Deno.writeTextFileSync(join(copy, "sub", "program"), "mine");
  await using shared = await share(temp, dir);
  const peer = ["--peer", shared.address, "--json"];
  const dry = await runIn(world, "pull", copy, "--dry-run", ...peer);
  assert.deepEqual(
    dry.json.filter(({ event }) => event === "change").map(({ type, path }) => `${type} ${path}`),
    ["del /empty", "put /large", "put /new", "put /sub/program"],
  );
  const kept = await runIn(world, "pull", copy, "--keep-local", ...peer);
  assert.deepEqual([kept.code, kept.json.at(-1)!.kept], [0, 1]);
  assert.equal(Deno.readTextFileSync(join(copy, "sub", "program")), "mine");
  const { code, json } = await runIn(world, "pull", copy, ...peer);
  assert.deepEqual([code, json.at(-1)!.downloadedBytes], [0, 0]);
  assert.ok(json.some((line) => line.code === "changed-locally"));
  assertSameTree(digestTree(copy), digestTree(dir));
  assert.deepEqual(bytesAt(temp, copy, "/empty", 7), new Uint8Array(0));
  assert.equal(bytesAt(temp, copy, "/large", 7).length, 200_000, "the old one is still there");
});

Deno.test("older blocks that nobody has are counted, and are no failure", async () => {
  using temp = tempFolder();
  const dir = await makeOwner(temp, { history: false });
  await using shared = await share(temp, dir);
  const world = cloner(temp);
  const args = ["clone", shared.link, "copy", "--history", "--peer", shared.address];
  const { code, json } = await runIn(world, ...args, "--json");
  assert.equal(code, 0);
  // 5 blocks of the first large file, 4 of the second, and the small file.
  assert.equal(json.at(-1)!.missingBlocks, 10);
  assertSameTree(digestTree(temp.join("copy")), digestTree(dir));
  const shown = await runIn(world, ...args);
  assert.match(shown.stderr, /10 blocks of older versions not to be had/);
});

Deno.test("clone --history is refused where only the newest files are kept", async () => {
  using temp = tempFolder();
  const dir = await makeOwner(temp, { history: false });
  await using shared = await share(temp, dir);
  const world = cloner(temp);
  const args = ["clone", shared.link, "copy", "--peer", shared.address, "--json"];
  assert.equal((await runIn(world, ...args)).code, 0);
  const { code, json } = await runIn(world, ...args, "--history");
  assert.deepEqual([code, json.at(-1)!.code], [2, "usage"]);
  assertSameTree(digestTree(temp.join("copy")), digestTree(dir));
});

Deno.test("a foreign file in the way of a clone with history is refused before it is written", async () => {
  using temp = tempFolder();
  const dir = await makeOwner(temp, { history: true });
  await using shared = await share(temp, dir);
  const target = temp.folder("target");
  Deno.writeTextFileSync(join(target, "large"), "mine");
  const args = ["clone", shared.link, target, "--history", "--peer", shared.address, "--json"];
  const { code } = await runIn(cloner(temp), ...args);
  assert.equal(code, 2);
  assert.deepEqual([...Deno.readDirSync(target)].map(({ name }) => name), ["large"]);
  assert.equal(Deno.readTextFileSync(join(target, "large")), "mine");
});
