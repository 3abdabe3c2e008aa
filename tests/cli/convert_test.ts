/** `trove convert`: from one way of keeping content to the other, and back. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ArchiveView } from "../../src/app/archive_view.ts";
import { convertToHistory } from "../../src/app/convert_archive.ts";
import { convertToLatest, planLatest } from "../../src/app/convert_to_latest.ts";
import { openArchive } from "../../src/app/open_archive.ts";
import { fromUtf8 } from "../../src/base/bytes.ts";
import { archiveBytes, borrowArchive, vectorArchives } from "../support/archives.ts";
import { CraftedArchive, CraftedCopy } from "../support/crafted_archive.ts";
import { importInto } from "../support/imported.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, AWKWARD_FILES, digestTree, writeTree } from "../support/trees.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

/** The held content blocks, each of which has to verify. */
function heldBlocks(dir: string, world: TestWorld): number[] {
  using archive = openArchive(dir, { world, access: "read" });
  const view = new ArchiveView(archive);
  for (const file of view.files()) {
    if (view.missing(file).length > 0) continue;
    for (const bytes of view.read(file)) assert.ok(bytes.length > 0);
  }
  const content = archive.content!;
  const { invalid } = content.audit();
  assert.deepEqual(invalid, []);
  return Array.from({ length: content.length }, (_, n) => n).filter((n) => content.hasBlock(n));
}

async function convert(world: TestWorld, dir: string, ...args: string[]) {
  const ran = await runIn(world, "convert", dir, "--to", ...args, "--json");
  const { event: _event, time: _time, ...record } = ran.json.at(-1)!;
  return { ...ran, record };
}

/** What is in `.dat`, by name. */
function names(dir: string): string[] {
  return Object.keys(archiveBytes(dir)).filter((name) => !name.startsWith("trove."));
}

for (const name of [...vectorArchives({ owned: true }), ...vectorArchives({ owned: false })]) {
  Deno.test(`${name} keeps every block it has, to history and back`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const { dir, expected } = borrowArchive(name, temp, world);
    const blocks = expected.contentBlocksPresent.flatMap(([from, to]) =>
      Array.from({ length: to - from }, (_, n) => from + n)
    );
    const tree = digestTree(dir);
    const before = names(dir);
    assert.deepEqual(heldBlocks(dir, world), blocks);

    const { code, record, stderr } = await convert(world, dir, "history");
    assert.equal(code, 0, stderr);
    assert.deepEqual([record.changed, record.blocks], [true, blocks.length]);
    assert.deepEqual(names(dir), [...before, "content.data"].sort());
    assert.deepEqual(heldBlocks(dir, world), blocks);
    assertSameTree(digestTree(dir), tree);
    // The bytes do not depend on the files any more.
    const put = expected.history.find(({ path, size = 0 }) => size > 0 && tree.has(path.slice(1)));
    const some = put!.path.slice(1);
    const text = Deno.readFileSync(join(dir, some));
    Deno.writeTextFileSync(join(dir, some), "changed");
    assert.deepEqual(heldBlocks(dir, world), blocks);
    assert.equal((await convert(world, dir, "latest")).code, 2);
    Deno.writeFileSync(join(dir, some), text);

    const back = await convert(world, dir, "latest");
    assert.equal(back.code, 0, back.stderr);
    assert.deepEqual([back.record.files, back.record.givenBlocks], [0, 0]);
    assert.deepEqual(names(dir), before);
    assert.deepEqual(heldBlocks(dir, world), blocks);
    assertSameTree(digestTree(dir), tree);
  });
}

/** An archive that keeps three versions, and its file `b` is deleted in the last. */
async function threeVersions(temp: TempFolder): Promise<{ world: TestWorld; dir: string }> {
  const world = new TestWorld(temp);
  const dir = temp.folder("archive");
  writeTree(dir, AWKWARD_FILES, "one");
  await importInto(dir, world, { history: true });
  writeTree(dir, AWKWARD_FILES.map((file) => ({ ...file, size: file.size + 1 })), "two");
  await importInto(dir, world);
  Deno.removeSync(join(dir, "one-byte"));
  await importInto(dir, world);
  return { world, dir };
}

Deno.test("to latest gives up old versions, writes missing files, and makes no bit lie", async () => {
  using temp = tempFolder();
  const { world, dir } = await threeVersions(temp);
  const tree = digestTree(dir);
  Deno.removeSync(join(dir, "program.sh"));
  Deno.removeSync(join(dir, "same"), { recursive: true });
  const dry = await convert(world, dir, "latest", "--dry-run");
  const { code, record } = await convert(world, dir, "latest");
  assert.equal(code, 0);
  assert.deepEqual({ ...dry.record, dryRun: false, changed: true }, record);
  assert.equal(record.files, 4);
  assert.ok(record.givenBlocks > AWKWARD_FILES.length / 2);
  assertSameTree(digestTree(dir), tree);
  assert.ok(!names(dir).includes("content.data"));
  const held = new Set(heldBlocks(dir, world));
  using archive = openArchive(dir, { world, access: "read" });
  const live = new Set<number>();
  for (const { stat } of new ArchiveView(archive).files()) {
    for (let n = 0; n < stat.blocks; n++) live.add(stat.offset + n);
  }
  assert.deepEqual(held, live);
  assert.equal(archive.content!.length, Math.max(...live) + 1);
});

Deno.test("to latest refuses to lose local changes, unless --overwrite", async () => {
  using temp = tempFolder();
  const { world, dir } = await threeVersions(temp);
  const tree = digestTree(dir);
  Deno.writeTextFileSync(join(dir, "program.sh"), "mine");
  const before = archiveBytes(dir);
  const { code, stderr } = await convert(world, dir, "latest");
  assert.equal(code, 2);
  assert.match(stderr, /"program.sh" was changed here since version \d+; import .*--overwrite/);
  assert.deepEqual(archiveBytes(dir), before);
  assert.equal(Deno.readTextFileSync(join(dir, "program.sh")), "mine");
  assert.equal((await convert(world, dir, "latest", "--overwrite")).code, 0);
  assertSameTree(digestTree(dir), tree);

  // A folder in the place of a file goes under no circumstances.
  assert.equal((await convert(world, dir, "history")).code, 0);
  Deno.removeSync(join(dir, "program.sh"));
  Deno.mkdirSync(join(dir, "program.sh", "mine"), { recursive: true });
  assert.equal((await convert(world, dir, "latest", "--overwrite")).code, 2);
  assert.ok(existsSync(join(dir, ".dat", "content.data")));
});

Deno.test("to latest gives nothing up when a file cannot be restored", async () => {
  using temp = tempFolder();
  const { world, dir } = await threeVersions(temp);
  const data = join(dir, ".dat", "content.data");
  Deno.removeSync(join(dir, "private.txt"));
  const bytes = Deno.readFileSync(data);
  const { byteOffset } = statOf(dir, world, "/private.txt");
  bytes[byteOffset] ^= 1;
  Deno.writeFileSync(data, bytes);
  const { code, stderr } = await convert(world, dir, "latest");
  assert.equal(code, 5);
  assert.match(stderr, /"private.txt" cannot be restored/);
  assertSameBytes(Deno.readFileSync(data), bytes);
  assert.ok(!existsSync(join(dir, "private.txt")));
  assert.equal((await runIn(world, "status", dir, "--json")).json[0].history, true);
});

function statOf(dir: string, world: TestWorld, path: string) {
  using archive = openArchive(dir, { world, access: "read" });
  return new ArchiveView(archive).find(path)!.stat;
}

Deno.test("to history refuses where bytes are gone, unless --partial; those stay away", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = temp.folder("archive");
  writeTree(dir, AWKWARD_FILES, "partial");
  await importInto(dir, world);
  const held = heldBlocks(dir, world);
  Deno.writeTextFileSync(join(dir, "program.sh"), "mine");
  Deno.removeSync(join(dir, "private.txt"));
  const before = archiveBytes(dir);
  const { code, stderr } = await convert(world, dir, "history");
  assert.equal(code, 2);
  assert.match(stderr, /"private.txt", "program.sh" were changed or deleted/);
  assert.match(stderr, /import the changes with trove share first/);
  assert.deepEqual(archiveBytes(dir), before);
  const { record } = await convert(world, dir, "history", "--partial");
  assert.deepEqual([record.changed, record.givenBlocks], [true, 2]);
  assert.equal(heldBlocks(dir, world).length, held.length - 2);
  // A file that came back is as good as ever.
  writeTree(dir, AWKWARD_FILES.filter(({ path }) => path === "private.txt"), "partial");
  const back = await convert(world, dir, "latest");
  assert.equal(back.code, 0, back.stderr);
  assert.equal(heldBlocks(dir, world).length, held.length - 1);
});

Deno.test("a download that is half done goes over to history", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp);
  owner.put("/whole", "whole");
  owner.put("/half", new Uint8Array(200_000).fill(7));
  owner.put("/none", "none");
  const copy = new CraftedCopy(temp, owner);
  await copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    copy.fetch(archive, plan, (block) => block < 3);
  });
  const { world, dir } = copy;
  const { code, record, stderr } = await convert(world, dir, "history");
  assert.equal(code, 0, stderr);
  assert.equal(record.blocks, 3);
  assert.deepEqual(heldBlocks(dir, world), [0, 1, 2]);
  assert.ok(!existsSync(copy.path(".dat", "trove.staging")));
  assert.ok(!existsSync(copy.path(".dat", "trove.staged")));
  // Part of a file has no place among the working files.
  const back = await convert(world, dir, "latest");
  assert.equal(back.code, 9);
  assert.match(back.stderr, /"half" \(200 kB, 2 of 4 blocks missing\)/);
  assert.deepEqual(heldBlocks(dir, world), [0, 1, 2]);
  // What was never fetched is not missed.
  await copy.open((archive) => {
    for (const block of [3, 4]) copy.take(archive, block);
    archive.content!.commit();
  });
  assert.equal((await convert(world, dir, "latest")).code, 0);
  assert.deepEqual(heldBlocks(dir, world), [0, 1, 2, 3, 4]);
  assert.deepEqual(Object.keys(copy.files()).sort(), ["half", "whole"]);
});

Deno.test("files that cannot be written here keep an archive from giving up their bytes", async () => {
  using temp = tempFolder();
  {
    using owner = new CraftedArchive(temp, { history: true });
    owner.put("/fine", "fine");
    owner.put("/bad\\name", "precious");
  }
  const world = new TestWorld(temp, { home: "owner-home" });
  const { code, stderr } = await convert(world, temp.join("owner"), "latest");
  assert.equal(code, 2);
  assert.match(stderr, /bad\\name" cannot be written here, and would be lost/);
  assert.deepEqual(heldBlocks(temp.join("owner"), world), [0, 1]);
});

Deno.test("an aborted conversion changes nothing, either way", async () => {
  using temp = tempFolder();
  const { world, dir } = await threeVersions(temp);
  const stopped = new AbortController();
  stopped.abort(new Error("stopped"));
  const [emit, { signal }] = [() => {}, stopped];
  const kept = heldBlocks(dir, world);
  {
    using archive = openArchive(dir, { world, access: "write" });
    const plan = await planLatest(archive, { emit });
    await assert.rejects(convertToLatest(archive, plan, { emit, signal }), /stopped/);
  }
  assert.deepEqual(heldBlocks(dir, world), kept);
  assert.equal((await convert(world, dir, "latest")).code, 0);
  const before = archiveBytes(dir);
  {
    using archive = openArchive(dir, { world, access: "write" });
    await assert.rejects(convertToHistory(archive, { signal }), /stopped/);
  }
  assert.deepEqual(archiveBytes(dir), before);
});

Deno.test("what a killed conversion leaves is in nobody's way", async () => {
  using temp = tempFolder();
  const { world, dir } = await threeVersions(temp);
  assert.equal((await convert(world, dir, "latest")).code, 0);
  const kept = heldBlocks(dir, world);
  Deno.writeTextFileSync(join(dir, ".dat", "trove.content"), "half a copy");
  assert.deepEqual(heldBlocks(dir, world), kept);
  assert.equal((await convert(world, dir, "history")).code, 0);
  assert.ok(!existsSync(join(dir, ".dat", "trove.content")));
  assert.deepEqual(heldBlocks(dir, world), kept);
  const text = fromUtf8(Deno.readFileSync(join(dir, ".dat", "content.data")).slice(0, 4));
  assert.notEqual(text, "half");
});

Deno.test("convert says what there is to do, and refuses what has no working files", async () => {
  using temp = tempFolder();
  const { world, dir } = await threeVersions(temp);
  const { record } = await convert(world, dir, "history");
  assert.deepEqual([record.changed, record.already], [false, true]);
  const ran = await runIn(world, "convert", dir, "--to", "history");
  assert.equal(ran.stderr, `Nothing to do: ${dir} keeps every version already\n`);
  assert.equal((await runIn(world, "convert", dir)).code, 2);
  assert.equal((await runIn(world, "convert", dir, "--to", "nothing")).code, 2);
  const plain = borrowArchive("full-history", temp, world);
  const { code, stderr } = await convert(world, plain.dir, "latest");
  assert.equal(code, 2);
  assert.match(stderr, /no working files/);
  assert.equal((await convert(world, temp.folder("nothing"), "latest")).code, 9);
});
