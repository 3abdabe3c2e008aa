/** Renamed files and their old blocks, where content is reused. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { mapWorkingFiles } from "../../src/app/checkout.ts";
import { type Archive, openArchive } from "../../src/app/open_archive.ts";
import { runItems } from "../../src/core/archive/steps.ts";
import { walkFiles } from "../../src/core/archive/walk.ts";
import { importDir, later, type Options, put, testIn } from "../support/importing.ts";

/** First block and number of blocks of what is live. */
function placesOf(archive: Archive): Record<string, [number, number]> {
  return Object.fromEntries(
    [...runItems(walkFiles(archive.version), archive.entry)]
      .map(({ path, stat }) => [path, [stat.offset, stat.blocks]]),
  );
}

const rename = (dir: string, from: string, to: string) =>
  Deno.renameSync(join(dir, from), join(dir, to));

for (const options of [{ history: true }, { reuseContent: true }] satisfies Options[]) {
  const how = Object.keys(options)[0];

  testIn(`a renamed file keeps its blocks wherever it goes, ${how}`, async (place) => {
    const { world, dir } = place;
    for (const path of ["a", "m/b", "z/c"]) put(dir, path, 100_000);
    await importDir(dir, world, options);
    later(world);
    // Before it, after it, and into another folder.
    rename(dir, "z/c", "0");
    rename(dir, "a", "z/a");
    rename(dir, "m/b", "n");
    const { entries, put: puts, deleted } = await importDir(dir, world, options);
    assert.deepEqual([puts, deleted, entries.length], [3, 3, 6]);
    using archive = openArchive(dir, { world, access: "write" });
    assert.deepEqual(placesOf(archive), { "/0": [4, 2], "/n": [2, 2], "/z/a": [0, 2] });
    assert.equal(archive.content!.length, 6);
    mapWorkingFiles(archive);
    assert.deepEqual(archive.content!.audit(), { valid: 6, invalid: [] });
  });

  testIn(`names that changed places and a chain of them, ${how}`, async ({ world, dir }) => {
    for (const path of ["a", "b", "c", "d"]) put(dir, path, 70_000);
    await importDir(dir, world, options);
    later(world);
    rename(dir, "a", ".a");
    rename(dir, "b", "a");
    rename(dir, ".a", "b");
    rename(dir, "d", "e");
    rename(dir, "c", "d");
    for (const name of ["a", "b", "d", "e"]) {
      const time = new Date(world.clock.wallMs);
      Deno.utimeSync(join(dir, name), time, time);
    }
    later(world);
    await importDir(dir, world, options);
    using archive = openArchive(dir, { world, access: "write" });
    mapWorkingFiles(archive);
    assert.deepEqual(archive.content!.audit().invalid, []);
    const places = placesOf(archive);
    for (const [offset, blocks] of Object.values(places)) {
      assert.equal(archive.content!.countHeld(offset, offset + blocks), blocks);
    }
    // The second of a pair is found where the first one gave its blocks up.
    assert.ok(archive.content!.length <= 8 + 2 * 2, `${archive.content!.length} blocks`);
  });

  testIn(`the same size or the same beginning is not the same file, ${how}`, async (place) => {
    const { world, dir } = place;
    put(dir, "a", 200_000);
    await importDir(dir, world, options);
    later(world);
    rename(dir, "a", "b");
    using file = Deno.openSync(join(dir, "b"), { write: true });
    file.seekSync(199_999, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array([file.statSync().size & 0xff]));
    const { entries } = await importDir(dir, world, options);
    assert.equal(entries.length, 2);
    using archive = openArchive(dir, { world, access: "read" });
    assert.deepEqual(placesOf(archive), { "/b": [4, 4] });
  });

  testIn(`a name that is left out now still has its blocks, ${how}`, async ({ world, dir }) => {
    put(dir, "old", 70_000);
    await importDir(dir, world, options);
    put(dir, ".datignore", "old");
    later(world);
    rename(dir, "old", "new");
    const { entries } = await importDir(dir, world, options);
    assert.deepEqual(entries, ["put /new"]);
    using archive = openArchive(dir, { world, access: "read" });
    const { "/old": old, "/new": renamed } = placesOf(archive);
    assert.deepEqual(old, [0, 2]);
    assert.deepEqual(renamed, how === "history" ? [0, 2] : [2, 2]);
  });
}

testIn("copies share blocks where the archive keeps the bytes", async ({ world, dir }) => {
  put(dir, "a", 70_000);
  await importDir(dir, world, { history: true });
  for (const name of ["b", "c"]) Deno.copyFileSync(join(dir, "a"), join(dir, name));
  await importDir(dir, world);
  using archive = openArchive(dir, { world, access: "read" });
  assert.deepEqual(placesOf(archive), { "/a": [0, 2], "/b": [0, 2], "/c": [0, 2] });
});

testIn("where working files are the content, each block is of one path", async ({ world, dir }) => {
  put(dir, "a", 70_000);
  await importDir(dir, world, { reuseContent: true });
  later(world);
  rename(dir, "a", "b");
  Deno.copyFileSync(join(dir, "b"), join(dir, "c"));
  await importDir(dir, world, { reuseContent: true });
  later(world);
  Deno.removeSync(join(dir, "b"));
  await importDir(dir, world, { reuseContent: true });
  using archive = openArchive(dir, { world, access: "write" });
  assert.deepEqual(placesOf(archive), { "/c": [2, 2] });
  mapWorkingFiles(archive);
  assert.deepEqual(archive.content!.audit(), { valid: 2, invalid: [] });
});

testIn("content that was given up is appended again", async ({ world, dir }) => {
  put(dir, "a", 70_000);
  await importDir(dir, world, { history: true });
  {
    using archive = openArchive(dir, { world, access: "write" });
    archive.content!.clear({ start: 1, end: 2 });
  }
  later(world);
  rename(dir, "a", "b");
  await importDir(dir, world);
  using archive = openArchive(dir, { world, access: "read" });
  assert.deepEqual(placesOf(archive), { "/b": [2, 2] });
});

testIn("content that is damaged on disk is not taken for the file's", async ({ world, dir }) => {
  put(dir, "a", 70_000);
  await importDir(dir, world, { history: true });
  using data = Deno.openSync(join(dir, ".dat", "content.data"), { write: true });
  data.seekSync(66_000, Deno.SeekMode.Start);
  data.writeSync(new Uint8Array(4));
  later(world);
  rename(dir, "a", "b");
  await importDir(dir, world);
  using archive = openArchive(dir, { world, access: "read" });
  assert.deepEqual(placesOf(archive), { "/b": [2, 2] });
});

testIn(
  "without being asked to, an archive in latest mode appends in the log's order",
  async (place) => {
    const { world, dir } = place;
    put(dir, "a", 70_000);
    await importDir(dir, world);
    rename(dir, "a", "b");
    await importDir(dir, world);
    using archive = openArchive(dir, { world, access: "read" });
    assert.deepEqual(placesOf(archive), { "/b": [2, 2] });
  },
);
