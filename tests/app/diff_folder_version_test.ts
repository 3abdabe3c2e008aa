/** A version of an archive against the folder it lies in. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { archiveIn } from "../../src/app/archive_folder.ts";
import { ArchiveView } from "../../src/app/archive_view.ts";
import { diffFolder } from "../../src/app/diff_folder_version.ts";
import type { Difference } from "../../src/app/difference.ts";
import { openArchive } from "../../src/app/open_archive.ts";
import { UsageError } from "../../src/base/errors.ts";
import { leafHash } from "../../src/crypto/hash.ts";
import { copyTree, vectorFeedFolders } from "../support/archives.ts";
import { CraftedArchive, CraftedCopy } from "../support/crafted_archive.ts";
import { importInto } from "../support/imported.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";

const BLOCK_BYTES = 64 * 1024;

/** A folder, what is changed in it after its import, and what differs then. */
class Compared {
  readonly world: TestWorld;
  readonly dir: string;
  readonly skipped: string[] = [];
  /** How much had been read at the end, and of how much. */
  read: readonly [number, number] = [0, 0];

  constructor(temp: TempFolder, dir = temp.folder("folder"), home = "home") {
    this.world = new TestWorld(temp, { home });
    this.dir = dir;
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  write(name: string, content: string | Uint8Array, mode = 0o644): void {
    Deno.mkdirSync(dirname(this.path(name)), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(this.path(name), content);
    else Deno.writeFileSync(this.path(name), content);
    Deno.chmodSync(this.path(name), mode);
  }

  async import(): Promise<void> {
    await importInto(this.dir, this.world);
  }

  async differences(version?: number): Promise<Difference[]> {
    assert.ok(archiveIn(this.dir) !== undefined);
    using archive = openArchive(this.dir, { world: this.world, access: "read" });
    const options = {
      onSkip: (path: string, reason: string) => void this.skipped.push(`${path}: ${reason}`),
      onProgress: (done: number, total: number) => void (this.read = [done, total]),
    };
    return await Array.fromAsync(diffFolder(new ArchiveView(archive, version), options));
  }

  /** `kind path` of each. */
  async changes(version?: number): Promise<string[]> {
    return (await this.differences(version)).map(({ change, path }) => `${change} ${path}`);
  }
}

Deno.test("a folder as it was imported does not differ, whatever the times of its files", async () => {
  using temp = tempFolder();
  const folder = new Compared(temp);
  folder.write("a/b/c.txt", "c");
  folder.write("a.txt", new Uint8Array(3 * BLOCK_BYTES + 5));
  folder.write("empty", "");
  folder.write("run.sh", "x", 0o755);
  await folder.import();
  assert.deepEqual(await folder.changes(), []);
  assert.deepEqual(folder.read, [3 * BLOCK_BYTES + 7, 3 * BLOCK_BYTES + 7]);
  Deno.utimeSync(folder.path("a.txt"), new Date(), new Date(Date.UTC(2199, 0, 1)));
  assert.deepEqual(await folder.changes(), []);
});

Deno.test("what was added, removed, changed or got another mode is told in the order of a listing", async () => {
  using temp = tempFolder();
  const folder = new Compared(temp);
  for (const name of ["a/1", "a/2", "a.txt", "b", "d/deep/er", "z"]) folder.write(name, name);
  await folder.import();
  folder.write("a/0", "new");
  folder.write("a/2", "longer than before");
  Deno.chmodSync(folder.path("a.txt"), 0o600);
  Deno.removeSync(folder.path("b"));
  Deno.removeSync(folder.path("d"), { recursive: true });
  folder.write("c/new", "new");
  const found = await folder.differences();
  assert.deepEqual(found, [
    { path: "/a/0", change: "added", before: undefined, after: { size: 3, mode: 0o100644 } },
    {
      ...{ path: "/a/2", change: "changed", before: { size: 3, mode: 0o100644, seq: 2 } },
      after: { size: 18, mode: 0o100644 },
    },
    {
      ...{ path: "/a.txt", change: "mode", before: { size: 5, mode: 0o100644, seq: 3 } },
      after: { size: 5, mode: 0o100600 },
    },
    {
      path: "/b",
      change: "removed",
      before: { size: 1, mode: 0o100644, seq: 4 },
      after: undefined,
    },
    { path: "/c/new", change: "added", before: undefined, after: { size: 3, mode: 0o100644 } },
    {
      ...{ path: "/d/deep/er", change: "removed" },
      ...{ before: { size: 9, mode: 0o100644, seq: 5 }, after: undefined },
    },
  ]);
});

Deno.test("a single byte is noticed where size and time are as before", async () => {
  using temp = tempFolder();
  const folder = new Compared(temp);
  const bytes = new Uint8Array(3 * BLOCK_BYTES + 1);
  folder.write("file", bytes);
  const { mtime } = Deno.statSync(folder.path("file"));
  await folder.import();
  for (const at of [0, BLOCK_BYTES - 1, 2 * BLOCK_BYTES, bytes.length - 1]) {
    bytes[at] = 1;
    folder.write("file", bytes);
    Deno.utimeSync(folder.path("file"), mtime!, mtime!);
    assert.deepEqual(await folder.changes(), ["changed /file"], `byte ${at}`);
    bytes[at] = 0;
  }
  folder.write("file", bytes);
  assert.deepEqual(await folder.changes(), []);
});

Deno.test("a file in a folder's place, and a folder in a file's", async () => {
  using temp = tempFolder();
  const folder = new Compared(temp);
  folder.write("was-file", "x");
  folder.write("was-folder/inside", "x");
  await folder.import();
  Deno.removeSync(folder.path("was-file"));
  folder.write("was-file/inside", "x");
  Deno.removeSync(folder.path("was-folder"), { recursive: true });
  folder.write("was-folder", "x");
  assert.deepEqual(await folder.changes(), [
    "removed /was-file",
    "added /was-file/inside",
    "added /was-folder",
    "removed /was-folder/inside",
  ]);
});

Deno.test("an older version is compared with what is here now, as far as hashes tell", async () => {
  using temp = tempFolder();
  const folder = new Compared(temp);
  folder.write("back", "one");
  folder.write("same", "same");
  await folder.import();
  folder.write("back", "second");
  folder.write("later", "later");
  await folder.import();
  assert.deepEqual(await folder.changes(2), ["changed /back", "added /later"]);
  // The bytes of version 2 are nowhere, and still it is known that these are they.
  folder.write("back", "one");
  assert.deepEqual(await folder.changes(2), ["added /later"]);
  assert.deepEqual(await folder.changes(), ["changed /back"]);
  assert.deepEqual(await folder.changes(0), ["added /back", "added /later", "added /same"]);
});

Deno.test("what an import leaves out is left out, on both sides", async () => {
  using temp = tempFolder();
  const folder = new Compared(temp);
  folder.write("kept", "x");
  folder.write("secret.txt", "x");
  folder.write("logs/old", "x");
  await folder.import();
  folder.write(".datignore", "secret.txt\nlogs\n*.tmp\n!keep.tmp");
  folder.write(".hidden/file", "x");
  folder.write(".well-known/dat", "x");
  folder.write("a.tmp", "x");
  folder.write("keep.tmp", "x");
  folder.write("logs/new", "x");
  folder.write("secret.txt", "changed");
  Deno.removeSync(folder.path("logs/old"));
  assert.deepEqual(await folder.changes(), ["added /.well-known/dat", "added /keep.tmp"]);
  await folder.import();
  assert.deepEqual(await folder.changes(), []);
});

Deno.test("what cannot be compared is told, and links inside the folder are what they lead to", async () => {
  using temp = tempFolder();
  const folder = new Compared(temp);
  folder.write("target", "x".repeat(100));
  folder.write("folder/file", "y");
  await folder.import();
  Deno.writeTextFileSync(temp.join("outside"), "x");
  Deno.symlinkSync("target", folder.path("link"));
  Deno.symlinkSync("folder", folder.path("linked-folder"));
  Deno.symlinkSync("../outside", folder.path("out"));
  Deno.symlinkSync("nowhere", folder.path("dangling"));
  folder.write("back\\slash", "x");
  assert.deepEqual(await folder.changes(), ["added /link", "added /linked-folder/file"]);
  assert.deepEqual(folder.skipped.map((text) => text.split(":")[0]), [
    "back\\slash",
    "dangling",
    "out",
  ]);
  await folder.import();
  assert.deepEqual(await folder.changes(), []);
  folder.write("target", "z".repeat(100));
  assert.deepEqual(await folder.changes(), ["changed /link", "changed /target"]);
});

Deno.test("in a copy of another's archive every file of it counts, hidden ones too", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp);
  owner.put("/.hidden", "hidden");
  owner.put("/.config/deep/file", "deep");
  owner.put("/plain", "plain", { mode: 0o104755 });
  const copy = new CraftedCopy(temp, owner);
  await copy.pull();
  const folder = new Compared(temp, copy.dir, "copy-home");
  assert.deepEqual(await folder.changes(), []);
  Deno.writeTextFileSync(copy.path(".hidden"), "HIDDEN");
  Deno.removeSync(copy.path(".config"), { recursive: true });
  Deno.writeTextFileSync(copy.path(".own"), "mine");
  assert.deepEqual(await folder.changes(), ["removed /.config/deep/file", "changed /.hidden"]);
});

Deno.test("blocks of any size are compared, as other programs cut files differently", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp);
  const text = "one, two, and three";
  const parts = ["one,", " two", ", and three"].map((part) => new TextEncoder().encode(part));
  const { content } = owner;
  content.appendLeaves(parts.map((part) => ({ hash: leafHash(part), size: part.length })));
  content.commit();
  owner.putStat("/file", { size: text.length, blocks: 3, offset: 0, byteOffset: 0 });
  const dir = temp.join("owner");
  const folder = new Compared(temp, dir, "owner-home");
  folder.write("file", text);
  assert.deepEqual(await folder.changes(), []);
  folder.write("file", text.toUpperCase());
  assert.deepEqual(await folder.changes(), ["changed /file"]);
});

Deno.test("modes that a system made up are no change", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp);
  for (const [n, mode] of [0, 0o100000, 0o100666, 0o100444].entries()) {
    owner.put(`/${n}`, "x", { mode });
  }
  const folder = new Compared(temp, temp.join("owner"), "owner-home");
  for (let n = 0; n < 4; n++) folder.write(`${n}`, "x");
  assert.deepEqual(await folder.changes(), []);
});

Deno.test("a folder made on purpose is there, or was removed, or is a file", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp);
  owner.putStat("/made", { mode: 0o040755 });
  const folder = new Compared(temp, temp.join("owner"), "owner-home");
  assert.deepEqual(await folder.changes(), ["removed /made"]);
  Deno.mkdirSync(folder.path("made"));
  assert.deepEqual(await folder.changes(), []);
  Deno.removeSync(folder.path("made"));
  folder.write("made", "file");
  assert.deepEqual(await folder.changes(), ["changed /made"]);
});

Deno.test("an archive without working files cannot be compared with any", async () => {
  using temp = tempFolder();
  const dir = temp.join("feeds");
  copyTree([...vectorFeedFolders().values()][0], dir);
  const folder = new Compared(temp, dir);
  await assert.rejects(folder.changes(), (error: Error) => {
    assert.ok(error instanceof UsageError);
    return /no working files/.test(error.message);
  });
});
