/** `trove checkout`: files of a version, brought back. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MODE_DIRECTORY } from "../../src/core/archive/entry.ts";
import {
  archiveBytes,
  type ArchiveVector,
  borrowArchive,
  vectorFeedFolders,
} from "../support/archives.ts";
import { CraftedArchive, CraftedCopy } from "../support/crafted_archive.ts";
import { importInto } from "../support/imported.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { type JsonLine, type Ran, runIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, AWKWARD_FILES, digestTree, writeTree } from "../support/trees.ts";

interface Archived {
  readonly world: TestWorld;
  readonly dir: string;
}

/** A new archive in the folder `archive`, with its first files imported. */
async function archived(
  temp: TempFolder,
  files: Record<string, string>,
  options: { history: boolean },
): Promise<Archived> {
  const world = new TestWorld(temp);
  const dir = temp.folder("archive");
  write(dir, files);
  await importInto(dir, world, options);
  return { world, dir };
}

function write(dir: string, files: Record<string, string | undefined>): void {
  for (const [path, text] of Object.entries(files)) {
    Deno.mkdirSync(join(dir, path, ".."), { recursive: true });
    if (text === undefined) Deno.removeSync(join(dir, path));
    else Deno.writeTextFileSync(join(dir, path), text);
  }
}

/** Import once more. The clock goes on, so that changes show. */
async function update(
  { world, dir }: Archived,
  files: Record<string, string | undefined>,
): Promise<void> {
  write(dir, files);
  for (const [path, text] of Object.entries(files)) {
    world.clock.wallMs += 10_000;
    const time = new Date(world.clock.wallMs - 5000);
    if (text !== undefined) Deno.utimeSync(join(dir, path), time, time);
  }
  world.clock.wallMs += 10_000;
  await importInto(dir, world);
}

/** Every file below a folder with its text; folders end in a slash. */
function texts(dir: string, below = ""): Record<string, string> {
  const found: [string, string][] = [];
  for (const { name, isDirectory, isSymlink } of Deno.readDirSync(join(dir, below))) {
    const path = below + name;
    if (path === ".dat") continue;
    if (isSymlink) found.push([path, `-> ${Deno.readLinkSync(join(dir, path))}`]);
    else if (!isDirectory) found.push([path, Deno.readTextFileSync(join(dir, path))]);
    else found.push([`${path}/`, ""], ...Object.entries(texts(dir, `${path}/`)));
  }
  return Object.fromEntries(found.sort(([a], [b]) => a < b ? -1 : 1));
}

function summary({ code, json, stderr }: Ran): JsonLine {
  assert.equal(code, 0, stderr);
  const { event, ...fields } = json.at(-1)!;
  assert.equal(event, "restored");
  return fields;
}

/** Nothing private is left beside the files. */
function assertTidy(...dirs: string[]): void {
  for (const dir of dirs) {
    const names = existsSync(join(dir, ".dat"))
      ? [...Deno.readDirSync(join(dir, ".dat"))].map(({ name }) => name)
      : [];
    assert.deepEqual(names.filter((name) => /checkout|lock/.test(name)), []);
  }
}

Deno.test("a whole version is restored into another folder, and again without a write", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = temp.folder("archive");
  writeTree(dir, AWKWARD_FILES, "checkout");
  await importInto(dir, world);
  const ran = await runIn(world, "checkout", "/", "-d", dir, "--to", "new/out", "--json");
  const { files, same, refused, bytes } = summary(ran);
  assert.deepEqual([files, same, refused], [AWKWARD_FILES.length, 0, 0]);
  assert.equal(bytes, AWKWARD_FILES.reduce((sum, { size }) => sum + size, 0));
  assertSameTree(digestTree(temp.join("new/out")), digestTree(dir));
  assert.ok(!existsSync(temp.join("new/out/.dat")), "nothing of ours is left");
  const records = ran.json.filter(({ event }) => event === "checkout");
  assert.equal(records.length, files);
  for (const { path, mtime, size } of records) {
    const info = Deno.statSync(join(temp.join("new/out"), path));
    assert.deepEqual([info.mtime?.getTime(), info.size], [mtime, size], path);
  }
  const again = summary(
    await runIn(world, "checkout", "/", "-d", dir, "--to", "new/out", "--json"),
  );
  assert.deepEqual([again.files, again.same], [0, AWKWARD_FILES.length]);
});

for (const [name] of vectorFeedFolders()) {
  Deno.test(`every version of ${name} is restored as it was`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const { dir, expected } = borrowArchive(name, temp, world);
    const { versions, bodies } = expected as ArchiveVector & {
      versions: { version: number; tree: { path: string; seq: number; size: number }[] }[];
      bodies: { version: number; path: string; sha256: string }[];
    };
    for (const { version, tree } of versions) {
      const out = temp.join(`out-${version}`);
      const args = ["checkout", "/", "-d", dir, "--version", `${version}`, "--to", out, "--json"];
      assert.equal(summary(await runIn(world, ...args)).files, tree.length);
      const found = version === 0 ? [] : [...digestTree(out)];
      const wanted = tree.map(({ path, seq }): [string, string] => [
        path.slice(1),
        bodies.find((body) => body.version === seq && body.path === path)!.sha256,
      ]);
      assert.deepEqual(
        found.map(([path, { sha256 }]) => [path, sha256]).sort(),
        wanted.sort(([a], [b]) => a < b ? -1 : 1),
      );
    }
    // There are no working files to restore.
    const { code, stderr } = await runIn(world, "checkout", "/", "-d", dir);
    assert.equal(code, 2);
    assert.match(stderr, /no working files; .*--to/);
    for (const place of [dir, join(dir, ".dat"), join(dir, "content.data")]) {
      assert.equal((await runIn(world, "checkout", "/", "-d", dir, "--to", place)).code, 2, place);
    }
  });
}

Deno.test("files, folders and everything of an old version come back into the folder itself", async () => {
  using temp = tempFolder();
  const first = { a: "one", "sub/b": "b", "sub/deep/c": "c", empty: "", same: "same" };
  const archive = await archived(temp, first, { history: true });
  const { world, dir } = archive;
  await update(archive, {
    a: "two",
    "sub/b": undefined,
    "sub/deep/c": "C",
    empty: "full",
    new: "n",
  });
  const newest = texts(dir);
  const version = String((await runIn(world, "status", dir, "--json")).json[0].version);
  const old = ["--version", "5", "--dir", dir, "--json"];

  const one = summary(await runIn(world, "checkout", "a", ...old));
  assert.deepEqual([one.files, one.local], [1, 1]);
  assert.deepEqual(texts(dir), { ...newest, a: "one" });
  const folder = summary(await runIn(world, "checkout", "sub", "empty", "a", ...old));
  assert.deepEqual([folder.files, folder.same], [3, 1]);
  const all = summary(await runIn(world, "checkout", "/", ...old));
  assert.deepEqual([all.files, all.same], [0, 5]);
  assert.deepEqual(texts(dir), { ...first, "sub/": "", "sub/deep/": "", new: "n" });

  // They are local changes now, whatever their sizes: the next import has them.
  const summaryOfImport = await importInto(dir, world);
  assert.equal(summaryOfImport.put, 4);
  // And what they replaced is still there.
  const back = summary(
    await runIn(world, "checkout", "/", "--version", version, "-d", dir, "--json"),
  );
  assert.equal(back.files, 3);
  assert.equal(texts(dir).a, "two");
  assertTidy(dir);
});

Deno.test("people are told what became of the files that differ from the newest version", async () => {
  using temp = tempFolder();
  const archive = await archived(temp, { a: "one", b: "b" }, { history: true });
  const { world, dir } = archive;
  await update(archive, { a: "two" });
  world.workFolder = dir;
  const ran = await runIn(world, "checkout", ".", "--version", "2");
  assert.deepEqual([ran.code, ran.stdout], [0, ""]);
  assert.equal(
    ran.stderr,
    `Restored: 1 file (3 B), 1 there already of version 2 in ${dir}\n` +
      "1 file differs from version 3, the newest: the next share imports it as a change\n",
  );
  const newest = await runIn(world, "checkout", "a");
  assert.equal(newest.stderr, `Restored: 1 file (3 B) of version 3 in ${dir}\n`);
});

Deno.test("local changes are not replaced unless that is asked for", async () => {
  using temp = tempFolder();
  const archive = await archived(temp, { a: "one", b: "b" }, { history: true });
  const { world, dir } = archive;
  await update(archive, { a: "two" });
  write(dir, { a: "mine", b: "B" });
  const before = texts(dir);
  const { code, stderr } = await runIn(world, "checkout", "/", "--version", "2", "-d", dir);
  assert.equal(code, 2);
  assert.match(stderr, /"a", "b" are in the way: .*--overwrite; nothing was changed/);
  assert.deepEqual(texts(dir), before);
  const ran = await runIn(world, "checkout", "/", "--version", "2", "-d", dir, "--overwrite");
  assert.equal(ran.code, 0);
  assert.deepEqual(texts(dir), { a: "one", b: "b" });
});

Deno.test("in another folder nothing is replaced, and folders never", async () => {
  using temp = tempFolder();
  const { world, dir } = await archived(temp, { a: "a", b: "b", "c/d": "d" }, { history: true });
  write(temp.path, { "out/a": "x", "out/b/inside": "y", "out/c": "z" });
  const before = texts(temp.join("out"));
  const args = ["checkout", "/", "-d", dir, "--to", "out"];
  for (const more of [[], ["--overwrite"]]) {
    const { code, stderr } = await runIn(world, ...args, ...more);
    assert.equal(code, 2, stderr);
    assert.deepEqual(texts(temp.join("out")), before);
  }
  Deno.removeSync(temp.join("out/b"), { recursive: true });
  Deno.removeSync(temp.join("out/c"));
  assert.equal((await runIn(world, ...args)).code, 2);
  assert.deepEqual(texts(temp.join("out")), { a: "x" });
  assert.equal((await runIn(world, ...args, "--overwrite")).code, 0);
  assert.deepEqual(texts(temp.join("out")), { a: "a", b: "b", "c/": "", "c/d": "d" });
});

Deno.test("where the working files are the content, the only copy of a file is never replaced", async () => {
  using temp = tempFolder();
  // The same blocks under two names, then under one of them others.
  {
    using owner = new CraftedArchive(temp);
    const stat = owner.put("/a", "first");
    owner.put("/b", "", stat);
    owner.put("/a", "later");
  }
  const dir = temp.join("owner");
  const world = new TestWorld(temp, { home: "owner-home" });
  write(dir, { a: "later", b: "first" });
  for (const more of [[], ["--overwrite"]]) {
    const ran = await runIn(world, "checkout", "a", "--version", "1", "-d", dir, ...more);
    assert.equal(ran.code, 2);
    assert.match(
      ran.stderr,
      /Cannot replace "a": nothing else holds the bytes of version 3; .*--to/,
    );
    assert.equal(texts(dir).a, "later");
  }
  // Below it, too: another folder to write into does not make it another file.
  write(dir, { "x/a": "later" });
  const ran = await runIn(world, "checkout", "a", "--version", "1", "-d", dir, "--to", "out");
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(Deno.readTextFileSync(temp.join("out/a")), "first");
  // One that was changed is no copy of anything.
  write(dir, { a: "mine!" });
  const change = ["checkout", "a", "--version", "1", "-d", dir];
  assert.equal((await runIn(world, ...change)).code, 2);
  assert.equal((await runIn(world, ...change, "--overwrite")).code, 0);
  assert.equal(texts(dir).a, "first");
});

Deno.test("what is not here is named and nothing is written; --partial writes the rest", async () => {
  using temp = tempFolder();
  const archive = await archived(temp, { a: "one", b: "b", "c/d": "d" }, { history: false });
  const { world, dir } = archive;
  await update(archive, { a: "two", "c/d": undefined });
  const args = ["checkout", "/", "-d", dir, "--version", "3", "--to", "out"];
  const refused = await runIn(world, ...args);
  assert.equal(refused.code, 9);
  assert.match(
    refused.stderr,
    /version 3: 2 files \(4 B; 2 content blocks\) are not all here: "a"/,
  );
  assert.match(refused.stderr, /"c\/d" \(1 B, 1 of 1 block missing\)/);
  assert.ok(!existsSync(temp.join("out")));
  const { code, json } = await runIn(world, ...args, "--partial", "--json");
  assert.equal(code, 9);
  assert.deepEqual(
    json.map(({ event, path }) => [event, path]),
    [
      ["missing", "/a"],
      ["missing", "/c/d"],
      ["checkout", "/b"],
      ["restored", undefined],
      ["error", undefined],
    ],
  );
  assert.deepEqual(texts(temp.join("out")), { b: "b" });
  for (const [path, more] of [["nope", []], ["a", ["--version", "99"]]] as const) {
    assert.equal((await runIn(world, "checkout", path, "-d", dir, ...more)).code, 9);
  }
});

Deno.test("a dry run lists and writes nothing", async () => {
  using temp = tempFolder();
  const archive = await archived(temp, { a: "one", b: "b" }, { history: true });
  const { world, dir } = archive;
  await update(archive, { a: "longer" });
  const before = [texts(dir), archiveBytes(dir)];
  const args = ["checkout", "/", "-d", dir, "--version", "2", "--dry-run"];
  const ran = await runIn(world, ...args);
  assert.deepEqual([ran.code, ran.stdout], [0, "    3 B  a\n"]);
  const { files, dryRun } = summary(await runIn(world, ...args, "--json"));
  assert.deepEqual([files, dryRun], [1, true]);
  assert.deepEqual([texts(dir), archiveBytes(dir)], before);
  const to = await runIn(world, ...args, "--to", "out");
  assert.equal(to.code, 0);
  assert.ok(!existsSync(temp.join("out")));
});

Deno.test("folders made on purpose, permissions and unchanged files", async () => {
  using temp = tempFolder();
  {
    using owner = new CraftedArchive(temp, { history: true });
    owner.put("/made/deep", "", { mode: MODE_DIRECTORY | 0o755 });
    owner.put("/run", "run", { mode: 0o100755 });
    owner.put("/empty", "", { mode: 0o100600 });
  }
  const dir = temp.join("owner");
  const world = new TestWorld(temp, { home: "owner-home" });
  const done = summary(await runIn(world, "checkout", "/", "-d", dir, "--json"));
  assert.deepEqual([done.files, done.folders], [2, 1]);
  assert.deepEqual(texts(dir), { empty: "", "made/": "", "made/deep/": "", run: "run" });
  const time = Deno.statSync(join(dir, "run")).mtime;
  Deno.chmodSync(join(dir, "run"), 0o644);
  const again = summary(await runIn(world, "checkout", "/", "-d", dir, "--json"));
  assert.deepEqual([again.files, again.modes, again.same, again.folders], [0, 1, 1, 0]);
  const info = Deno.statSync(join(dir, "run"));
  assert.deepEqual([info.mode! & 0o777, info.mtime], [0o755, time]);
});

Deno.test("bytes that rotted are never written, and keep no other file from being saved", async () => {
  using temp = tempFolder();
  const { world, dir } = await archived(temp, { a: "aaaa", b: "bbbb", c: "cccc" }, {
    history: true,
  });
  const data = join(dir, ".dat", "content.data");
  const bytes = Deno.readFileSync(data);
  bytes[5] ^= 1;
  Deno.writeFileSync(data, bytes);
  const { code, json } = await runIn(world, "checkout", "/", "-d", dir, "--to", "out", "--json");
  assert.equal(code, 5);
  assert.deepEqual(texts(temp.join("out")), { a: "aaaa", c: "cccc" });
  const warning = json.find(({ event }) => event === "warning")!;
  assert.equal(warning.code, "damaged");
  assert.match(warning.message, /"b"/);
  assert.ok(!existsSync(temp.join("out/.dat")));
});

Deno.test("a second process in the same folder is told to wait", async () => {
  using temp = tempFolder();
  const { world, dir } = await archived(temp, { a: "a" }, { history: true });
  Deno.removeSync(join(dir, "a"));
  {
    using file = Deno.openSync(join(dir, ".dat", "metadata.bitfield"), { read: true, write: true });
    file.lockSync(true);
    assert.equal((await runIn(world, "checkout", "a", "-d", dir)).code, 7);
    // Elsewhere there is nobody in the way.
    assert.equal((await runIn(world, "checkout", "a", "-d", dir, "--to", "out")).code, 0);
  }
  Deno.mkdirSync(temp.join("other", ".dat"), { recursive: true });
  {
    const lock = temp.join("other", ".dat", "trove.checkout.lock");
    using file = Deno.openSync(lock, { read: true, write: true, create: true });
    file.lockSync(true);
    assert.equal((await runIn(world, "checkout", "a", "-d", dir, "--to", "other")).code, 7);
  }
  // What a killed process left is no obstacle, and goes.
  write(temp.join("other"), { ".dat/trove.checkout/0": "half" });
  assert.equal((await runIn(world, "checkout", "a", "-d", dir, "--to", "other")).code, 0);
  assert.ok(!existsSync(temp.join("other", ".dat")));
});

Deno.test("checkout refuses two archives at once, and places that are archives' own", async () => {
  using temp = tempFolder();
  const { world, dir } = await archived(temp, { a: "a" }, { history: true });
  write(temp.path, { "second/b": "b" });
  await importInto(temp.join("second"), world);
  assert.equal((await runIn(world, "checkout", "archive/a", "second/b")).code, 2);
  for (const to of ["archive/.dat", "archive/.dat/sub", "archive/a"]) {
    assert.equal((await runIn(world, "checkout", "archive/a", "--to", to)).code, 2, to);
  }
  Deno.symlinkSync(join(dir, ".dat"), temp.join("sly"));
  assert.equal((await runIn(world, "checkout", "archive/a", "--to", "sly")).code, 2);
  // The archive's own folder by another name is still its own.
  Deno.symlinkSync(dir, temp.join("link"));
  write(dir, { a: "mine" });
  assert.equal((await runIn(world, "checkout", "archive/a", "--to", "link")).code, 2);
  assert.deepEqual(texts(dir), { a: "mine" });
});

Deno.test("a copy of somebody else's archive is told what the next pull does", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp);
  const stat = owner.put("/moved", "text");
  owner.put("/moved-here", "", stat);
  owner.delete("/moved");
  const copy = new CraftedCopy(temp, owner);
  await copy.pull();
  assert.deepEqual(copy.files(), { "moved-here": "text" });
  const { world, dir } = copy;
  const { code, stderr } = await runIn(world, "checkout", "/", "--version", "1", "-d", dir);
  assert.equal(code, 0, stderr);
  assert.deepEqual(copy.files(), { moved: "text", "moved-here": "text" });
  assert.match(
    stderr,
    /1 file differs from version 3, the newest: the next pull puts that one back/,
  );
});

for (const command of ["checkout", "export", "convert"]) {
  Deno.test(`trove ${command} --help fits a screen and gives examples`, async () => {
    using temp = tempFolder();
    const { code, stdout } = await runIn(new TestWorld(temp), command, "--help");
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`Examples:\n +trove ${command}`));
    assert.ok(stdout.split("\n").length <= 25, `${stdout.split("\n").length} lines`);
    assert.ok(stdout.split("\n").every((line) => line.length <= 80), stdout);
  });
}
