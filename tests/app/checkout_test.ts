import assert from "node:assert/strict";
import { join } from "node:path";
import { finishCheckout, planCheckout, refusedError } from "../../src/app/checkout.ts";
import { openArchive } from "../../src/app/open_archive.ts";
import { InterruptedError, StorageError, UsageError } from "../../src/base/errors.ts";
import { archiveBytes, borrowArchive, vectorArchives } from "../support/archives.ts";
import { CraftedArchive, CraftedCopy } from "../support/crafted_archive.ts";
import { Random } from "../support/random.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const BLOCK = 64 * 1024;
const DIRECTORY = { mode: 0o040755 };

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

const bytes = (size: number, seed: string): Uint8Array => new Random(seed).bytes(size);

/** The number of `metadata.latest`, or undefined. */
function latest(copy: CraftedCopy): number | undefined {
  try {
    const file = Deno.readFileSync(copy.path(".dat", "metadata.latest"));
    return Number(new DataView(file.buffer).getBigUint64(0));
  } catch {
    return undefined;
  }
}

/** Rejects with a UsageError that names these paths, and leaves every byte as it was. */
async function assertRefused(copy: CraftedCopy, ...names: readonly string[]): Promise<void> {
  const files = copy.files();
  await copy.open(() => {});
  const before = archiveBytes(copy.dir);
  await copy.open(async (archive) => {
    await assert.rejects(copy.plan(archive), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      for (const name of names) assert.ok(error.message.includes(`"${name}"`), error.message);
      return true;
    });
  });
  assert.deepEqual(copy.files(), files);
  assert.deepEqual(archiveBytes(copy.dir), before);
}

testPair("a fresh checkout makes files, empty ones too, with mode and time", async (pair) => {
  const { owner, copy } = pair;
  const large = bytes(3 * BLOCK + 1, "large");
  const stats = new Map([
    ["a.txt", owner.put("/a.txt", "a")],
    ["sub/deep/large", owner.put("/sub/deep/large", large)],
    ["sub/program", owner.put("/sub/program", "#!", { mode: 0o100755 })],
    ["private", owner.put("/private", "p", { mode: 0o100600 })],
    ["no mode", owner.put("/no mode", "n", { mode: 0 })],
    ["empty", owner.put("/empty", "", { mode: 0o100640 })],
    ["sub/empty", owner.put("/sub/empty", "")],
    ["set-uid", owner.put("/set-uid", "s", { mode: 0o106755 })],
  ]);
  assert.deepEqual(await copy.pull(), owner.blocks.map((_, n) => n));
  const found = Object.keys(copy.files()).filter((path) => !path.endsWith("/"));
  assert.deepEqual(found, [...stats.keys()].sort());
  assertSameBytes(Deno.readFileSync(copy.path("sub/deep/large")), large);
  for (const [path, { mode, mtime, size }] of stats) {
    const info = Deno.statSync(copy.path(path));
    assert.equal(info.size, size, path);
    assert.equal(info.mode! & 0o7777, mode === 0 ? 0o644 : mode & 0o777, path);
    assert.equal(info.mtime!.getTime(), mtime, path);
  }
  assert.equal(latest(copy), owner.archive.version);
  assert.deepEqual(copy.warnings, []);
  assert.throws(() => Deno.statSync(copy.path(".dat/trove.staging")), Deno.errors.NotFound);
});

testPair("a second checkout of the same version changes nothing", async ({ owner, copy }) => {
  owner.put("/a", "a");
  owner.put("/empty", "");
  await copy.pull();
  const before = archiveBytes(copy.dir);
  assert.deepEqual(await copy.pull(), []);
  assert.deepEqual(archiveBytes(copy.dir), before);
});

testPair("a checkout goes on where it stopped, and no half file has its name", async (pair) => {
  const { owner, copy } = pair;
  const large = bytes(4 * BLOCK, "large");
  owner.put("/large", large);
  owner.put("/small", "small");
  await copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    assert.deepEqual(copy.fetch(archive, plan, (block) => block % 2 === 0), [0, 2, 4]);
  });
  assert.deepEqual(copy.files(), { small: "small" });
  assert.deepEqual(await copy.pull(), [1, 3]);
  assertSameBytes(Deno.readFileSync(copy.path("large")), large);
});

testPair("an update removes, replaces and adds, and leaves the rest alone", async (pair) => {
  const { owner, copy } = pair;
  for (const path of ["/gone", "/sub/gone", "/sub/deep/gone", "/kept", "/new size", "/new bytes"]) {
    owner.put(path, path);
  }
  owner.put("/emptied", "full");
  owner.put("/filled", "");
  await copy.pull();
  Deno.writeTextFileSync(copy.path("mine"), "the user's own");
  for (const path of ["/gone", "/sub/gone", "/sub/deep/gone"]) owner.delete(path);
  owner.put("/new size", "another size");
  owner.put("/new bytes", "/New Bytes");
  owner.put("/emptied", "");
  owner.put("/filled", "full");
  owner.put("/added/x", "x");
  assert.equal((await copy.pull()).length, 4);
  assert.deepEqual(copy.files(), {
    ...{ "added/": "", "added/x": "x", "emptied": "", "filled": "full", "kept": "/kept" },
    ...{ "mine": "the user's own", "new bytes": "/New Bytes", "new size": "another size" },
  });
  assert.equal(latest(copy), owner.archive.version);
  await copy.open((archive) => {
    const held = owner.blocks.map((_, n) => archive.content!.hasBlock(n));
    // Blocks 0 to 2 were of deleted files, 4 to 6 of replaced ones.
    assert.deepEqual(held.slice(0, 7), [false, false, false, true, false, false, false]);
    assert.ok(held.slice(7).every((there) => there));
  });
});

testPair("an old file stands until the new one is complete", async ({ owner, copy }) => {
  owner.put("/file", "old");
  await copy.pull();
  owner.put("/file", bytes(2 * BLOCK, "new"));
  await copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    copy.fetch(archive, plan, (block) => block === 1);
  });
  assert.deepEqual(copy.files(), { file: "old" });
  assert.deepEqual(await copy.pull(), [2]);
  assertSameBytes(Deno.readFileSync(copy.path("file")), bytes(2 * BLOCK, "new"));
});

testPair("a file becomes a folder and a folder a file", async ({ owner, copy }) => {
  owner.put("/file", "file");
  owner.put("/empty", "");
  owner.put("/folder/a", "a");
  owner.put("/folder/sub/b", "");
  await copy.pull();
  owner.delete("/file");
  owner.put("/file/inside", "inside");
  owner.delete("/empty");
  owner.put("/empty/sub/inside", "too");
  owner.delete("/folder/a");
  owner.delete("/folder/sub/b");
  owner.put("/folder", "now a file");
  await copy.pull();
  assert.deepEqual(copy.files(), {
    ...{ "empty/": "", "empty/sub/": "", "empty/sub/inside": "too" },
    ...{ "file/": "", "file/inside": "inside", "folder": "now a file" },
  });
  owner.delete("/folder");
  owner.put("/folder/a", "again");
  owner.delete("/file/inside");
  owner.put("/file", "");
  await copy.pull();
  assert.deepEqual(copy.files(), {
    ...{ "empty/": "", "empty/sub/": "", "empty/sub/inside": "too" },
    ...{ "file": "", "folder/": "", "folder/a": "again" },
  });
});

testPair("folders made on purpose are made, and give way to files", async ({ owner, copy }) => {
  owner.putStat("/made", DIRECTORY);
  owner.putStat("/made/below/it", DIRECTORY);
  owner.put("/a", "a");
  await copy.pull();
  assert.deepEqual(copy.files(), {
    "a": "a",
    "made/": "",
    "made/below/": "",
    "made/below/it/": "",
  });
  owner.delete("/made/below/it");
  owner.delete("/made");
  owner.put("/made", "a file now");
  await copy.pull();
  assert.deepEqual(copy.files(), { "a": "a", "made": "a file now" });
});

testPair(
  "a folder made on purpose inside of a file is refused, and the rest is done",
  async (pair) => {
    const { owner, copy } = pair;
    owner.putStat("/clash/folder", DIRECTORY);
    owner.put("/clash", "a file");
    owner.put("/other", "other");
    await copy.pull();
    assert.deepEqual(copy.files(), { clash: "a file", other: "other" });
    assert.equal(copy.warnings.length, 1);
    assert.match(copy.warnings[0], /"\/clash\/folder"/);
  },
);

for (const content of ["somebody else's", "", "s"]) {
  const text = JSON.stringify(content);
  testPair(`a foreign file ${text} in the way is refused and nothing is changed`, async (pair) => {
    const { owner, copy } = pair;
    owner.put("/a", "a");
    owner.put("/taken", "the archive's");
    Deno.mkdirSync(copy.dir);
    Deno.writeTextFileSync(copy.path("taken"), content);
    await assertRefused(copy, "taken");
    Deno.removeSync(copy.path("taken"));
    await copy.pull();
    assert.deepEqual(copy.files(), { a: "a", taken: "the archive's" });
  });
}

testPair(
  "a foreign file in the way of an empty one is refused, an empty one is not",
  async (pair) => {
    const { owner, copy } = pair;
    owner.put("/empty", "");
    Deno.mkdirSync(copy.dir);
    Deno.writeTextFileSync(copy.path("empty"), "not empty");
    await assertRefused(copy, "empty");
    Deno.writeTextFileSync(copy.path("empty"), "");
    await copy.pull();
    assert.deepEqual(copy.files(), { empty: "" });
  },
);

testPair("a file with the archive's own bytes is no obstacle", async ({ owner, copy }) => {
  const large = bytes(2 * BLOCK + 7, "large");
  const { mtime } = owner.put("/large", large);
  owner.put("/small", "small");
  await copy.pull();
  // As after `.dat` was lost. The time tells, as long as there are no hashes yet.
  Deno.removeSync(copy.path(".dat"), { recursive: true });
  await copy.open((archive) => copy.plan(archive));
  Deno.utimeSync(copy.path("large"), 1, 1);
  await assertRefused(copy, "large");
  await copy.open((archive) => copy.learn(archive, [0, 1, 2], { held: false }));
  // Its hashes are known, and as a neighbour in the tree that of the other file: nothing is fetched.
  assert.deepEqual(await copy.pull(), []);
  assert.equal(Deno.statSync(copy.path("large")).mtime!.getTime(), mtime);
  assertSameBytes(Deno.readFileSync(copy.path("large")), large);
});

testPair("a file that differs in one byte is an obstacle", async ({ owner, copy }) => {
  const large = bytes(2 * BLOCK + 7, "large");
  owner.put("/large", large);
  await copy.open((archive) => copy.learn(archive, [0, 1, 2], { held: false }));
  large[BLOCK] ^= 1;
  Deno.writeFileSync(copy.path("large"), large);
  await assertRefused(copy, "large");
  large[BLOCK] ^= 1;
  Deno.writeFileSync(copy.path("large"), large);
  await copy.open((archive) => copy.plan(archive));
});

const IN_THE_WAY: ReadonlyMap<string, readonly [string, string, string]> = new Map([
  // the archive's path, what the user has there, what the message names
  ["a folder with a file stands where a file must go", ["/x", "x/mine", "x"]],
  ["a file stands where a folder must go", ["/x/y/z", "x", "x"]],
  ["a file stands further down where a folder must go", ["/x/y/z", "x/y", "x/y"]],
]);

for (const [what, [path, mine, named]] of IN_THE_WAY) {
  testPair(`when ${what}, that is refused and nothing is changed`, async ({ owner, copy }) => {
    owner.put("/before", "before");
    owner.put(path, "the archive's");
    owner.put("/x/later", "later");
    Deno.mkdirSync(join(copy.path(mine), ".."), { recursive: true });
    Deno.writeTextFileSync(copy.path(mine), "mine");
    if (path === "/x") owner.delete("/x/later");
    await assertRefused(copy, named);
  });
}

testPair("many obstacles are counted, the first of them named", async ({ owner, copy }) => {
  Deno.mkdirSync(copy.dir);
  for (let n = 0; n < 8; n++) {
    owner.put(`/f${n}`, "the archive's");
    Deno.writeTextFileSync(copy.path(`f${n}`), "mine");
  }
  await copy.open(async (archive) => {
    await assert.rejects(copy.plan(archive), /"f0".*"f4" and 3 more are in the way/);
  });
});

testPair("nothing is written or removed through a symbolic link", async ({ temp, owner, copy }) => {
  owner.put("/sub/file", "v1");
  owner.put("/sub/gone", "gone");
  owner.put("/link", "v1");
  await copy.pull();
  // The user moved the folder elsewhere and left a link.
  const outside = temp.join("outside");
  Deno.renameSync(copy.path("sub"), outside);
  Deno.symlinkSync(outside, copy.path("sub"));
  owner.delete("/sub/gone");
  await assertRefused(copy, "sub");
  owner.delete("/sub/file");
  await copy.pull();
  assert.equal(Deno.readTextFileSync(join(outside, "gone")), "gone");
  assert.equal(Deno.readTextFileSync(join(outside, "file")), "v1");
  assert.ok(Deno.lstatSync(copy.path("sub")).isSymlink);

  Deno.removeSync(copy.path("link"));
  Deno.symlinkSync(join(outside, "file"), copy.path("link"));
  owner.put("/link", "v2");
  await assertRefused(copy, "link");
  owner.put("/link", "");
  await assertRefused(copy, "link");
  assert.equal(Deno.readTextFileSync(join(outside, "file")), "v1");
});

testPair("a link that appears while blocks come is not followed", async ({ temp, owner, copy }) => {
  owner.put("/sub/file", "bytes");
  owner.put("/sub/empty", "");
  const outside = temp.folder("outside");
  Deno.mkdirSync(copy.dir);
  await copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    Deno.symlinkSync(outside, copy.path("sub"));
    assert.throws(() => copy.fetch(archive, plan), StorageError);
    assert.throws(() => finishCheckout(archive, plan), StorageError);
  }).catch((error) => assert.ok(error instanceof StorageError));
  assert.deepEqual([...Deno.readDirSync(outside)], []);
});

testPair("an empty file is not written through a link that appears late", async (pair) => {
  const { temp, owner, copy } = pair;
  owner.put("/empty", "");
  Deno.writeTextFileSync(temp.join("outside"), "precious");
  await copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    Deno.symlinkSync(temp.join("outside"), copy.path("empty"));
    assert.throws(() => finishCheckout(archive, plan), StorageError);
  });
  assert.equal(Deno.readTextFileSync(temp.join("outside")), "precious");
});

testPair("a file that the user deleted is fetched again", async ({ owner, copy }) => {
  owner.put("/sub/file", bytes(2 * BLOCK, "file"));
  owner.put("/empty", "");
  owner.put("/other", "other");
  await copy.pull();
  Deno.removeSync(copy.path("sub"), { recursive: true });
  Deno.removeSync(copy.path("empty"));
  assert.deepEqual(await copy.pull(), [0, 1]);
  assertSameBytes(Deno.readFileSync(copy.path("sub/file")), bytes(2 * BLOCK, "file"));
  assert.equal(copy.files().empty, "");
});

testPair("a file that was renamed by the archive comes under its new name alone", async (pair) => {
  const { owner, copy } = pair;
  owner.put("/old", "bytes");
  await copy.pull();
  owner.delete("/old");
  owner.put("/new", "bytes");
  await copy.pull();
  assert.deepEqual(copy.files(), { new: "bytes" });
});

testPair("entries with the very same blocks both get the bytes", async ({ owner, copy }) => {
  const large = bytes(2 * BLOCK + 1, "large");
  const { offset, blocks, byteOffset, size } = owner.put("/one", large);
  owner.putStat("/other/two", { offset, blocks, byteOffset, size });
  assert.deepEqual(await copy.pull(), [0, 1, 2]);
  assertSameBytes(Deno.readFileSync(copy.path("one")), large);
  assertSameBytes(Deno.readFileSync(copy.path("other/two")), large);
  Deno.removeSync(copy.path("other"), { recursive: true });
  await copy.pull();
  assertSameBytes(Deno.readFileSync(copy.path("other/two")), large);
  // One more, later.
  owner.putStat("/three", { offset, blocks, byteOffset, size });
  await copy.pull();
  assertSameBytes(Deno.readFileSync(copy.path("three")), large);
  // One goes, and the blocks stay for the others.
  owner.delete("/one");
  assert.deepEqual(await copy.pull(), []);
  assert.throws(() => Deno.lstatSync(copy.path("one")), Deno.errors.NotFound);
  assertSameBytes(Deno.readFileSync(copy.path("three")), large);
});

testPair("entries that share some blocks only are refused but for one", async ({ owner, copy }) => {
  const { offset, byteOffset } = owner.put("/first", bytes(3 * BLOCK, "first"));
  const next = { offset: offset + 1, blocks: 2, byteOffset: byteOffset + BLOCK, size: 2 * BLOCK };
  owner.putStat("/overlapping", next);
  owner.put("/other", "other");
  await copy.pull();
  assert.deepEqual(Object.keys(copy.files()), ["first", "other"]);
  assert.equal(copy.warnings.length, 1);
  assert.match(copy.warnings[0], /"\/overlapping".*"\/first"/);
});

for (
  const path of [
    ...["/../outside", "/sub/../../outside", "/./x", "/a//b", "/.dat/metadata.key", "/.DAT/x"],
    ...["/back\\slash", "/zero\0byte", `/${"x".repeat(300)}`],
  ]
) {
  testPair(
    `the path ${JSON.stringify(path.slice(0, 30))} is refused and the rest is done`,
    async (pair) => {
      const { temp, owner, copy } = pair;
      const outside = temp.folder("outside");
      owner.put("/fine", "fine");
      owner.put(path, "hostile");
      const key = owner.archive.metadata.publicKey;
      const fetched = await copy.pull();
      assert.deepEqual(fetched, [0], "nothing is fetched for it");
      assert.deepEqual(copy.files(), { fine: "fine" });
      assert.equal(copy.warnings.length, 1);
      assertSameBytes(Deno.readFileSync(copy.path(".dat/metadata.key")), key);
      assert.deepEqual([...Deno.readDirSync(outside)], []);
      assert.deepEqual([...Deno.readDirSync(temp.path)].map(({ name }) => name).sort(), [
        ...["copy", "copy-home", "outside", "owner", "owner-home"],
      ]);
    },
  );
}

testPair(
  "what is neither file nor folder is refused, and so is a size without blocks",
  async (pair) => {
    const { owner, copy } = pair;
    owner.put("/socket", "x", { mode: 0o140644 });
    owner.put("/symlink", "/etc/passwd", { mode: 0o120777 });
    owner.putStat("/liar", { size: 1000 });
    owner.put("/fine", "fine");
    await copy.open(async (archive) => {
      const plan = await copy.plan(archive);
      assert.equal(plan.refused, 3);
      assert.equal(copy.warnings.length, 3);
      assert.match(refusedError(plan.refused).message, /3/);
    });
    await copy.pull();
    assert.deepEqual(copy.files(), { fine: "fine" });
  },
);

testPair("of a file and a folder with one name the file that was put last stays", async (pair) => {
  const { owner, copy } = pair;
  owner.put("/clash/inside", "inside");
  owner.put("/clash", "file");
  owner.put("/other", "other");
  await copy.pull();
  assert.deepEqual(copy.files(), { clash: "file", other: "other" });
  assert.equal(copy.warnings.length, 1);
});

testPair(
  "an entry whose place does not fit its blocks is no reason to write elsewhere",
  async (pair) => {
    const { owner, copy } = pair;
    owner.put("/first", "12345");
    owner.put("/shifted", "67890", { byteOffset: 3 });
    await copy.open(async (archive) => {
      const plan = await copy.plan(archive);
      assert.throws(() => copy.fetch(archive, plan), /entries and its content disagree/);
    });
  },
);

/** Bitfield files, as they were before the last step of a commit. */
const BITS = ["content.bitfield", "trove.staged"];

testPair("a kill between the name and the final bits costs nothing", async ({ owner, copy }) => {
  const large = bytes(3 * BLOCK, "large");
  owner.put("/large", large);
  owner.put("/small", "small");
  const saved = new Map<string, Uint8Array>();
  await copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    copy.fetch(archive, plan, (block) => block < 2);
    // What is on disk when all bytes are staged, and no name is given.
    copy.take(archive, 2);
    const content = archive.content!;
    const files = archive.contentFiles!;
    const settle = files.settle.bind(files);
    files.settle = () => {
      for (const name of BITS) saved.set(name, Deno.readFileSync(copy.path(".dat", name)));
      files.settle = settle;
      return settle();
    };
    content.commit();
  });
  assertSameBytes(Deno.readFileSync(copy.path("large")), large);
  for (const [name, before] of saved) Deno.writeFileSync(copy.path(".dat", name), before);
  await copy.open((archive) => {
    assert.deepEqual([0, 1, 2].map((block) => archive.content!.hasStaged(block)), [
      true,
      true,
      true,
    ]);
  });
  assert.deepEqual(await copy.pull(), [3]);
  assertSameBytes(Deno.readFileSync(copy.path("large")), large);
  await copy.open((archive) => assert.ok(archive.content!.hasFinal(0)));
});

testPair("a kill before the name is given costs nothing", async ({ owner, copy }) => {
  owner.put("/large", bytes(2 * BLOCK, "large"));
  await copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    archive.contentFiles!.settle = () => [];
    copy.fetch(archive, plan);
  });
  assert.deepEqual(copy.files(), {});
  assert.deepEqual(await copy.pull(), []);
  assertSameBytes(Deno.readFileSync(copy.path("large")), bytes(2 * BLOCK, "large"));
});

testPair("staged files that are lost are fetched again", async ({ owner, copy }) => {
  owner.put("/large", bytes(4 * BLOCK, "large"));
  await copy.open(async (archive) => {
    copy.fetch(archive, await copy.plan(archive), (block) => block < 3);
  });
  Deno.removeSync(copy.path(".dat/trove.staging"), { recursive: true });
  assert.deepEqual(await copy.pull(), [0, 1, 2, 3]);
  assertSameBytes(Deno.readFileSync(copy.path("large")), bytes(4 * BLOCK, "large"));
});

testPair("our private files may be deleted at any time", async ({ owner, copy }) => {
  owner.put("/large", bytes(4 * BLOCK, "large"));
  owner.put("/small", "small");
  await copy.open(async (archive) => {
    copy.fetch(archive, await copy.plan(archive), (block) => block !== 1);
  });
  for (const { name } of [...Deno.readDirSync(copy.path(".dat"))]) {
    if (name.startsWith("trove.")) Deno.removeSync(copy.path(".dat", name), { recursive: true });
  }
  assert.deepEqual(await copy.pull(), [0, 1, 2, 3]);
  assertSameBytes(Deno.readFileSync(copy.path("large")), bytes(4 * BLOCK, "large"));
});

for (const held of [[0, 2], [1, 2], [3]]) {
  testPair(
    `a file of which another program has blocks ${held} is finished in place`,
    async (pair) => {
      const { owner, copy } = pair;
      const large = bytes(3 * BLOCK + 100, "large");
      owner.put("/large", large);
      await copy.open((archive) => copy.learn(archive, held, { held: true }));
      writeWithHoles(copy.path("large"), large, held);
      const fetched = await copy.open(async (archive) => {
        const fetched = copy.fetch(archive, await copy.plan(archive));
        assert.throws(() => Deno.statSync(copy.path(".dat/trove.staging")), Deno.errors.NotFound);
        return fetched;
      });
      assert.deepEqual(fetched, [0, 1, 2, 3].filter((block) => !held.includes(block)));
      assertSameBytes(Deno.readFileSync(copy.path("large")), large);
      assert.deepEqual(await copy.pull(), []);
    },
  );
}

/** Write some blocks of a file as other programs do: under its name at once, in any order. */
function writeWithHoles(path: string, whole: Uint8Array, blocks: readonly number[]): void {
  using file = Deno.openSync(path, { write: true, createNew: true });
  for (const block of blocks) {
    file.seekSync(block * BLOCK, Deno.SeekMode.Start);
    file.writeSync(whole.subarray(block * BLOCK, (block + 1) * BLOCK));
  }
}

testPair(
  "a file begun by trove and gone on with by another program is whole in the end",
  async (pair) => {
    const { owner, copy } = pair;
    const large = bytes(5 * BLOCK, "large");
    owner.put("/large", large);
    await copy.open(async (archive) => {
      copy.fetch(archive, await copy.plan(archive), (block) => block === 2 || block === 3);
    });
    // It knows nothing of staged blocks, and is stopped as well.
    await copy.open((archive) => copy.learn(archive, [0, 1], { held: true }));
    writeWithHoles(copy.path("large"), large, [0, 1]);
    await copy.pull();
    assertSameBytes(Deno.readFileSync(copy.path("large")), large);
    await copy.open(async (archive) => {
      await copy.plan(archive);
      assert.deepEqual(archive.content!.audit(), { valid: 5, invalid: [] });
      assert.ok([0, 1, 2, 3, 4].every((block) => archive.content!.hasFinal(block)));
    });
  },
);

testPair(
  "what was removed between a kill and the next run goes as well",
  async ({ owner, copy }) => {
    owner.put("/a", "a");
    owner.put("/b", "b");
    owner.put("/c", bytes(2 * BLOCK, "c"));
    await copy.open(async (archive) => {
      // Killed before everything was here.
      copy.fetch(archive, await copy.plan(archive), (block) => block < 3);
    });
    assert.deepEqual(copy.files(), { a: "a", b: "b" });
    owner.delete("/a");
    owner.put("/b", "B");
    await copy.pull();
    assert.deepEqual(Object.keys(copy.files()), ["b", "c"]);
    assert.equal(copy.files().b, "B");
  },
);

testPair("a stop while files are looked at changes nothing", async ({ owner, copy }) => {
  owner.put("/file", bytes(BLOCK, "1"));
  owner.put("/gone", bytes(BLOCK, "2"));
  await copy.pull();
  for (const name of ["file", "gone"]) Deno.utimeSync(copy.path(name), 1, 1);
  owner.delete("/gone");
  const signal = AbortSignal.abort(new InterruptedError("Stopped", "SIGINT"));
  await copy.open(async (archive) => {
    await assert.rejects(copy.plan(archive, signal), InterruptedError);
  });
  assert.deepEqual(Object.keys(copy.files()), ["file", "gone"]);
  await copy.pull();
  assert.deepEqual(Object.keys(copy.files()), ["file"]);
});

testPair("more files than there may be handles are checked out", async ({ owner, copy }) => {
  for (let n = 0; n < 200; n++) {
    owner.put(`/f${n % 7}/${n}`, bytes(n === 3 ? 2 * BLOCK : 9, `${n}`));
  }
  await copy.open(async (archive) => {
    const plan = await copy.plan(archive);
    // From both ends, so that many are begun at once.
    copy.fetch(archive, plan, (block) => block % 2 === 1);
    copy.fetch(archive, plan);
    finishCheckout(archive, plan);
  });
  const files = Object.keys(copy.files()).filter((path) => !path.endsWith("/"));
  assert.equal(files.length, 200);
  await copy.open(async (archive) => {
    await copy.plan(archive);
    assert.equal(archive.content!.audit().invalid.length, 0);
  });
});

for (const name of vectorArchives({ owned: false })) {
  Deno.test(`the download ${name} of another program is whole, and only empty files are added`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const { dir, expected } = borrowArchive(name, temp, world);
    using archive = openArchive(dir, { world, access: "write" });
    assert.ok(!archive.writable);
    const plan = await planCheckout(archive, {
      emit: (event) => assert.fail(JSON.stringify(event)),
    });
    assert.equal(plan.version, expected.version);
    const content = archive.content!;
    for (const { start, end } of plan.ranges) assert.equal(content.nextMissing(start, end), -1);
    const present = expected.contentBlocksPresent.reduce(
      (sum, [start, end]) => sum + end - start,
      0,
    );
    assert.deepEqual(content.audit(), { valid: present, invalid: [] });
    for (const { target } of plan.emptyFiles) {
      assert.throws(() => Deno.lstatSync(target), Deno.errors.NotFound);
    }
    finishCheckout(archive, plan);
    for (const { target, size } of [...plan.files, ...plan.emptyFiles]) {
      assert.equal(Deno.statSync(target).size, size);
    }
  });
}
