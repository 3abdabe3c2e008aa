/** What becomes of files in a clone that its user changed, deleted, or put in the way. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { planCheckout } from "../../src/app/checkout.ts";
import type { DownloadChoices } from "../../src/app/checkout_plan.ts";
import type { TroveEvent } from "../../src/app/events.ts";
import { StorageError, UsageError } from "../../src/base/errors.ts";
import { archiveBytes } from "../support/archives.ts";
import { CraftedArchive, CraftedCopy } from "../support/crafted_archive.ts";
import { Random } from "../support/random.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const BLOCK = 64 * 1024;

interface Pair {
  readonly temp: TempFolder;
  readonly owner: CraftedArchive;
  readonly copy: CraftedCopy;
}

function testPair(name: string, body: (pair: Pair) => Promise<void>): void {
  Deno.test(name, async () => {
    using temp = tempFolder();
    using owner = new CraftedArchive(temp);
    await body({ temp, owner, copy: new CraftedCopy(temp, owner) });
  });
}

const bytes = (size: number, seed: string): Uint8Array => new Random(seed).bytes(size).slice();

/** The numbers of the blocks that the copy holds, of the first `count`. */
function held(copy: CraftedCopy, count: number): Promise<number[]> {
  return copy.open(({ content }) =>
    Array.from({ length: count }, (_, n) => n).filter((n) => content!.hasBlock(n))
  );
}

/** Pull in this way; gives the blocks that were fetched. */
function pullWith(copy: CraftedCopy, choices: DownloadChoices): Promise<number[]> {
  copy.choices = choices;
  return copy.pull();
}

/** A pull in this way fails with this message, and not a byte is other than before. */
async function assertRefused(
  copy: CraftedCopy,
  choices: DownloadChoices,
  message: RegExp,
): Promise<void> {
  await copy.open(() => {});
  const [files, before] = [copy.files(), archiveBytes(copy.dir)];
  copy.choices = choices;
  await copy.open((archive) =>
    assert.rejects(copy.plan(archive), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, message);
      return true;
    })
  );
  assert.deepEqual(copy.files(), files);
  assert.deepEqual(archiveBytes(copy.dir), before);
}

const EDITS: ReadonlyMap<string, (whole: Uint8Array) => Uint8Array> = new Map([
  ["in one byte", (whole) => whole.with(2 * BLOCK, whole[2 * BLOCK] ^ 1)],
  ["by being longer", (whole) => new Uint8Array([...whole, 1])],
  ["by being cut", (whole) => whole.slice(0, 2 * BLOCK + 5)],
]);

for (const [how, edit] of EDITS) {
  testPair(`a file that was changed ${how} is restored from what is left of it`, async (pair) => {
    const { owner, copy } = pair;
    const whole = bytes(3 * BLOCK, "whole");
    const { mtime } = owner.put("/sub/file", whole);
    owner.put("/other", "other");
    await copy.pull();
    Deno.writeFileSync(copy.path("sub/file"), edit(whole));
    // Only the block that is not there any more comes from a peer.
    assert.deepEqual(await copy.pull(), how === "by being longer" ? [] : [2]);
    assertSameBytes(Deno.readFileSync(copy.path("sub/file")), whole);
    assert.equal(Deno.statSync(copy.path("sub/file")).mtime!.getTime(), mtime);
    assert.equal(copy.warnings.length, 1);
    assert.match(copy.warnings[0], /"sub\/file" was changed here and is replaced/);
    assert.deepEqual(await copy.pull(), []);
    assert.equal(copy.warnings.length, 1);
  });
}

testPair("a changed file keeps its name until the right one is complete", async (pair) => {
  const { owner, copy } = pair;
  const whole = bytes(3 * BLOCK, "whole");
  owner.put("/file", whole);
  await copy.pull();
  const edited = whole.with(0, whole[0] ^ 1);
  Deno.writeFileSync(copy.path("file"), edited);
  await copy.open(async (archive) => {
    // Ended before the block came.
    assert.deepEqual(copy.fetch(archive, await copy.plan(archive), () => false), []);
  });
  assertSameBytes(Deno.readFileSync(copy.path("file")), edited);
  assert.deepEqual(await copy.pull(), [0]);
  assertSameBytes(Deno.readFileSync(copy.path("file")), whole);
});

testPair("a time that changed alone is put right, and nothing is fetched", async (pair) => {
  const { owner, copy } = pair;
  const { mtime } = owner.put("/file", bytes(BLOCK + 1, "file"), { mode: 0o100755 });
  await copy.pull();
  Deno.utimeSync(copy.path("file"), 1, 1);
  Deno.chmodSync(copy.path("file"), 0o600);
  assert.deepEqual(await copy.pull(), []);
  const info = Deno.statSync(copy.path("file"));
  assert.deepEqual([info.mtime!.getTime(), info.mode! & 0o777], [mtime, 0o755]);
  assert.deepEqual(copy.warnings, []);
});

testPair("a deleted file is told and comes back, an empty one too", async ({ owner, copy }) => {
  owner.put("/a", "a");
  owner.put("/empty", "");
  owner.put("/b", "b");
  await copy.pull();
  Deno.removeSync(copy.path("a"));
  Deno.removeSync(copy.path("empty"));
  assert.deepEqual(await copy.pull(), [0]);
  assert.deepEqual(copy.files(), { a: "a", b: "b", empty: "" });
  assert.equal(copy.warnings.length, 2);
  for (const warning of copy.warnings) assert.match(warning, /was deleted here and is fetched/);
});

testPair("an empty file that was written into is emptied again", async ({ owner, copy }) => {
  owner.put("/empty", "");
  await copy.pull();
  Deno.writeTextFileSync(copy.path("empty"), "text");
  await copy.pull();
  assert.deepEqual(copy.files(), { empty: "" });
  assert.match(copy.warnings[0], /"empty" was changed here/);
});

testPair("an update replaces a file that was changed here, and says so", async (pair) => {
  const { owner, copy } = pair;
  owner.put("/file", "version 1");
  owner.put("/gone", "version 1");
  await copy.pull();
  Deno.writeTextFileSync(copy.path("file"), "changed by the user");
  Deno.writeTextFileSync(copy.path("gone"), "changed by the user");
  owner.put("/file", bytes(2 * BLOCK, "version 2"));
  owner.delete("/gone");
  await copy.open(async (archive) => {
    copy.fetch(archive, await copy.plan(archive), (block) => block === 2);
  });
  assert.equal(copy.files().file, "changed by the user", "until the new one is complete");
  // The run that goes on knows it again, although the old blocks were given up.
  assert.deepEqual(await copy.pull(), [3]);
  assertSameBytes(Deno.readFileSync(copy.path("file")), bytes(2 * BLOCK, "version 2"));
  // What the archive deleted and the user changed is the user's.
  assert.equal(copy.files().gone, "changed by the user");
  assert.ok(copy.warnings.some((text) => /"gone" was changed here, so it stays/.test(text)));
});

testPair("keepLocal leaves changed and deleted files, now and later", async ({ owner, copy }) => {
  owner.put("/changed", bytes(2 * BLOCK, "changed"));
  owner.put("/deleted", "deleted");
  owner.put("/empty", "");
  owner.put("/other", "other");
  await copy.pull();
  Deno.writeTextFileSync(copy.path("changed"), "mine");
  Deno.removeSync(copy.path("deleted"));
  Deno.writeTextFileSync(copy.path("empty"), "mine, too");
  const mine = { changed: "mine", empty: "mine, too", other: "other" };
  for (const _ of [1, 2]) {
    assert.deepEqual(await pullWith(copy, { keepLocal: true }), []);
    assert.deepEqual(copy.files(), mine);
    assert.deepEqual(await held(copy, 4), [3], "nothing is offered that is not here");
    assert.equal(copy.warnings.splice(0).length, 3);
  }
  // An update of it, too.
  owner.put("/changed", "version 2");
  owner.put("/new", "new");
  assert.deepEqual(await pullWith(copy, { keepLocal: true }), [5]);
  assert.deepEqual(copy.files(), { ...mine, new: "new" });
  // Until the user wants the archive's again.
  assert.deepEqual(await pullWith(copy, {}), [2, 4]);
  assert.deepEqual(copy.files(), {
    ...{ changed: "version 2", deleted: "deleted", empty: "", new: "new", other: "other" },
  });
});

testPair("a changed file that is put back is taken as it is", async ({ owner, copy }) => {
  const whole = bytes(2 * BLOCK + 9, "whole");
  owner.put("/file", whole);
  await copy.pull();
  Deno.writeTextFileSync(copy.path("file"), "mine");
  await pullWith(copy, { keepLocal: true });
  assert.deepEqual(await held(copy, 3), []);
  Deno.writeFileSync(copy.path("file"), whole);
  assert.deepEqual(await pullWith(copy, {}), []);
  assert.deepEqual(await held(copy, 3), [0, 1, 2]);
});

testPair("overwrite replaces foreign files, links and files in place of folders", async (pair) => {
  const { temp, owner, copy } = pair;
  for (const path of ["/file", "/link", "/way/to/file", "/empty"]) {
    owner.put(path, path === "/empty" ? "" : path);
  }
  Deno.mkdirSync(copy.dir);
  Deno.writeTextFileSync(temp.join("outside"), "precious");
  Deno.writeTextFileSync(copy.path("file"), "mine");
  Deno.writeTextFileSync(copy.path("way"), "mine");
  Deno.writeTextFileSync(copy.path("mine"), "mine");
  Deno.symlinkSync(temp.join("outside"), copy.path("link"));
  Deno.symlinkSync(temp.join("outside"), copy.path("empty"));
  await assertRefused(copy, {}, /"file", "link", "way", "empty" are in the way/);
  await pullWith(copy, { overwrite: true });
  assert.deepEqual(copy.files(), {
    ...{ empty: "", file: "/file", link: "/link", mine: "mine" },
    ...{ "way/": "", "way/to/": "", "way/to/file": "/way/to/file" },
  });
  assert.equal(Deno.readTextFileSync(temp.join("outside")), "precious");
  assert.equal(copy.warnings.length, 4);
});

testPair("overwrite takes no folder away", async ({ owner, copy }) => {
  owner.put("/file", "file");
  Deno.mkdirSync(copy.path("file"), { recursive: true });
  Deno.writeTextFileSync(copy.path("file", "mine"), "mine");
  await assertRefused(copy, { overwrite: true }, /"file" is in the way/);
});

testPair(
  "a foreign file under a name that shares its blocks with another is safe",
  async (pair) => {
    const { owner, copy } = pair;
    const { offset, blocks, byteOffset, size } = owner.put("/one", "the same");
    await copy.pull();
    Deno.writeTextFileSync(copy.path("two"), "mine");
    owner.putStat("/two", { offset, blocks, byteOffset, size });
    await assertRefused(copy, {}, /"two" is in the way/);
    Deno.removeSync(copy.path("two"));
    assert.deepEqual(await copy.pull(), [], "a copy costs no download");
    assert.deepEqual(copy.files(), { one: "the same", two: "the same" });
  },
);

testPair("of two names for one content a change here costs only itself", async (pair) => {
  const { owner, copy } = pair;
  const whole = bytes(2 * BLOCK, "whole");
  const { offset, blocks, byteOffset, size } = owner.put("/one", whole);
  owner.putStat("/two", { offset, blocks, byteOffset, size });
  await copy.pull();
  Deno.writeTextFileSync(copy.path("one"), "mine");
  await pullWith(copy, { keepLocal: true });
  assert.equal(copy.files().one, "mine");
  assertSameBytes(Deno.readFileSync(copy.path("two")), whole);
  assert.deepEqual(await held(copy, 2), [0, 1]);
  assert.deepEqual(await pullWith(copy, {}), []);
  assertSameBytes(Deno.readFileSync(copy.path("one")), whole);
});

testPair(
  "a renamed file is moved, not fetched, also into a folder of its old name",
  async (pair) => {
    const { owner, copy } = pair;
    const whole = bytes(3 * BLOCK + 1, "whole");
    const { offset, blocks, byteOffset, size } = owner.put("/a", whole);
    await copy.pull();
    owner.delete("/a");
    owner.putStat("/a/b", { offset, blocks, byteOffset, size });
    assert.deepEqual(await copy.pull(), []);
    assert.deepEqual(Object.keys(copy.files()), ["a/", "a/b"]);
    assertSameBytes(Deno.readFileSync(copy.path("a/b")), whole);
    assert.deepEqual(await held(copy, 4), [0, 1, 2, 3]);
  },
);

testPair("a mode that changed alone is applied without fetching", async ({ owner, copy }) => {
  const { offset, blocks, byteOffset, size } = owner.put("/program", "#!");
  await copy.pull();
  owner.putStat("/program", { offset, blocks, byteOffset, size, mode: 0o100755 });
  assert.deepEqual(await copy.pull(), []);
  assert.equal(Deno.statSync(copy.path("program")).mode! & 0o777, 0o755);
});

testPair("keepDeleted leaves what the archive deleted", async ({ owner, copy }) => {
  owner.put("/gone", "gone");
  owner.put("/stays", "stays");
  await copy.pull();
  owner.delete("/gone");
  await pullWith(copy, { keepDeleted: true });
  assert.deepEqual(copy.files(), { gone: "gone", stays: "stays" });
  assert.deepEqual(await held(copy, 2), [1]);
  // It is not the archive's any more, so a later one of that name knows it and takes its place.
  owner.put("/gone", "again");
  await pullWith(copy, {});
  assert.equal(copy.files().gone, "again");
});

testPair("maxDelete refuses before anything is touched, and decides anew later", async (pair) => {
  const { owner, copy } = pair;
  for (let n = 0; n < 7; n++) owner.put(`/f${n}`, `${n}`);
  await copy.pull();
  for (let n = 0; n < 7; n++) owner.delete(`/f${n}`);
  owner.put("/new", "new");
  const refusal = /7 files would be deleted \(.*"f2".* and 2 more\), at most 6 may be/;
  await assertRefused(copy, { maxDelete: 6 }, refusal);
  await assertRefused(copy, { maxDelete: 0 }, /at most 0/);
  for (let n = 0; n < 3; n++) owner.put(`/f${n}`, "again");
  await pullWith(copy, { maxDelete: 4 });
  assert.deepEqual(Object.keys(copy.files()), ["f0", "f1", "f2", "new"]);
});

testPair("a dry run tells what would change and changes nothing", async ({ owner, copy }) => {
  owner.put("/gone", "gone");
  owner.put("/same", "same");
  owner.put("/changed", "changed");
  await copy.pull();
  Deno.writeTextFileSync(copy.path("changed"), "mine");
  owner.delete("/gone");
  owner.put("/new", "new!");
  owner.put("/empty", "");
  await copy.open(() => {});
  const [files, before] = [copy.files(), archiveBytes(copy.dir)];
  copy.choices = { dryRun: true };
  await copy.open((archive) => copy.plan(archive));
  assert.deepEqual(copy.events, [
    { event: "change", type: "del", path: "/gone", size: 4 },
    { event: "change", type: "put", path: "/changed", size: 7 },
    { event: "change", type: "put", path: "/empty", size: 0 },
    { event: "change", type: "put", path: "/new", size: 4 },
    { event: "planned", put: 3, deleted: 1, bytes: 11, version: owner.archive.version },
  ]);
  assert.deepEqual(copy.files(), files);
  assert.deepEqual(archiveBytes(copy.dir), before);
});

testPair("what comes into the way while blocks come is not replaced", async ({ owner, copy }) => {
  owner.put("/new", bytes(2 * BLOCK, "new"));
  await copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    Deno.writeTextFileSync(copy.path("new"), "mine");
    assert.throws(() => copy.fetch(archive, plan), StorageError);
  });
  assert.deepEqual(copy.files(), { new: "mine" });
});

testPair("a half-fetched file of another program that was changed is restored", async (pair) => {
  const { owner, copy } = pair;
  const whole = bytes(3 * BLOCK + 100, "whole");
  owner.put("/file", whole);
  await copy.open((archive) => copy.learn(archive, [0, 1], { held: true }));
  // As another program has it: two blocks, the rest a hole; and somebody wrote into the first.
  const half = whole.slice(0, 2 * BLOCK);
  half[5] ^= 1;
  Deno.writeFileSync(copy.path("file"), half);
  await copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    assert.deepEqual([0, 1].map((block) => archive.content!.hasBlock(block)), [false, true]);
    assert.ok(archive.content!.hasStaged(1));
    copy.fetch(archive, plan, (block) => block === 0);
    assertSameBytes(Deno.readFileSync(copy.path("file")), half);
    assert.deepEqual(copy.fetch(archive, plan), [2, 3]);
  });
  assertSameBytes(Deno.readFileSync(copy.path("file")), whole);
});

testPair("a lost private file is not taken for an old file of its size", async (pair) => {
  const { owner, copy } = pair;
  owner.put("/file", bytes(2 * BLOCK, "old"));
  await copy.pull();
  owner.put("/file", bytes(2 * BLOCK, "new"));
  await copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    archive.contentFiles!.settle = () => [];
    copy.fetch(archive, plan);
  });
  Deno.removeSync(copy.path(".dat/trove.staging"), { recursive: true });
  assert.deepEqual(await copy.pull(), [2, 3]);
  assertSameBytes(Deno.readFileSync(copy.path("file")), bytes(2 * BLOCK, "new"));
});

testPair("no file is removed through a folder that was swapped for a link", async (pair) => {
  const { temp, owner, copy } = pair;
  owner.put("/sub/gone", "gone");
  owner.put("/sub/a", "a");
  await copy.pull();
  owner.delete("/sub/gone");
  owner.put("/other", bytes(BLOCK, "other"));
  const outside = temp.folder("outside");
  for (const name of ["gone", "a"]) Deno.writeTextFileSync(join(outside, name), name);
  await copy.open(async (archive) => {
    Deno.writeTextFileSync(copy.path("sub/a"), "changed");
    const swap = (event: TroveEvent) => {
      // The last thing that happens before the first file is touched.
      if (event.event !== "warning") return;
      Deno.renameSync(copy.path("sub"), temp.join("moved"));
      Deno.symlinkSync(outside, copy.path("sub"));
    };
    const plan = await planCheckout(archive, { emit: swap });
    assert.ok(Deno.lstatSync(copy.path("sub")).isSymlink);
    assert.throws(() => copy.fetch(archive, plan), StorageError);
  }).catch((error) => assert.ok(error instanceof StorageError, String(error)));
  for (const name of ["gone", "a"]) assert.equal(Deno.readTextFileSync(join(outside, name)), name);
  assert.deepEqual([...Deno.readDirSync(outside)].length, 2);
});
