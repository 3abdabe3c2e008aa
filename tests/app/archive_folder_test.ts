import assert from "node:assert/strict";
import { join } from "node:path";
import {
  archiveIn,
  archivePaths,
  findArchive,
  inspectFolder,
  readSmallFile,
  secretKeyPath,
  writeSmallFile,
} from "../../src/app/archive_folder.ts";
import { NotFoundError, StorageError, UsageError } from "../../src/base/errors.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";

/** Make files of these sizes below a folder; a size of -1 makes a folder. */
function make(temp: TempFolder, files: Readonly<Record<string, number>>): string {
  const dir = temp.folder("folder");
  for (const [path, size] of Object.entries(files)) {
    if (size < 0) temp.folder("folder", path);
    else {
      temp.folder("folder", path, "..");
      Deno.writeFileSync(temp.join("folder", path), new Uint8Array(size).fill(1));
    }
  }
  return dir;
}

const KINDS = new Map<string, readonly [Readonly<Record<string, number>>, string]>([
  ["a folder with nothing in it", [{}, "empty"]],
  ["a folder with a file", [{ "a.txt": 1 }, "plain"]],
  ["a folder with a folder", [{ "sub": -1 }, "plain"]],
  ["an empty .dat", [{ ".dat": -1 }, "empty"]],
  ["an empty .dat beside files", [{ ".dat": -1, "a.txt": 5 }, "plain"]],
  ["a .dat with a key", [{ ".dat/metadata.key": 32, ".dat/metadata.tree": 5000 }, "archive"]],
  ["a .dat with a key alone", [{ ".dat/metadata.key": 32 }, "archive"]],
  ["what a crash leaves before there is a key", [
    { ".dat/metadata.bitfield": 0, ".dat/metadata.ogd": 1, ".dat/trove.lock": 40 },
    "empty",
  ]],
  ["files with headers only", [
    {
      ".dat/metadata.bitfield": 32,
      ".dat/metadata.tree": 32,
      ".dat/metadata.signatures": 32,
      ".dat/content.key": 32,
      "a.txt": 1,
    },
    "plain",
  ]],
  ["our own files alone, whatever their size", [{ ".dat/trove.staging/17": 9999 }, "empty"]],
  ["a file named like a key and no tree", [{ "metadata.key": 32 }, "plain"]],
]);

for (const [what, [files, kind]] of KINDS) {
  Deno.test(`inspectFolder() says ${kind} for ${what}, and changes nothing`, () => {
    using temp = tempFolder();
    const dir = make(temp, files);
    assert.equal(inspectFolder(dir), kind);
    const left = [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();
    const made = new Set(Object.keys(files).map((path) => path.split("/")[0]));
    assert.deepEqual(left, [...made].sort());
  });
}

Deno.test("inspectFolder() says missing for a folder that is not there", () => {
  using temp = tempFolder();
  assert.equal(inspectFolder(temp.join("nowhere")), "missing");
  assert.equal(inspectFolder(temp.join("nowhere", "deeper")), "missing");
});

Deno.test("inspectFolder() refuses a file, and a path through one", () => {
  using temp = tempFolder();
  Deno.writeTextFileSync(temp.join("file"), "x");
  assert.throws(() => inspectFolder(temp.join("file")), UsageError);
  assert.throws(() => inspectFolder(temp.join("file", "below")), UsageError);
});

Deno.test("inspectFolder() refuses a folder whose .dat is a file, with a hint that helps", () => {
  using temp = tempFolder();
  const dir = make(temp, { ".dat": 10 });
  assert.throws(() => inspectFolder(dir), (error) => {
    return error instanceof UsageError && /\.dat/.test(error.message) && /move/.test(error.hint!);
  });
});

const NOT_UNDERSTOOD = new Map<string, Readonly<Record<string, number>>>([
  ["the database of a dat from before 2017", {
    ".dat/CURRENT": 16,
    ".dat/LOCK": 0,
    ".dat/LOG": 57,
    ".dat/MANIFEST-000002": 50,
  }],
  ["folders of feeds", { ".dat/metadata": -1 }],
  ["a tree without a key", { ".dat/metadata.tree": 72 }],
]);

for (const [what, files] of NOT_UNDERSTOOD) {
  Deno.test(`inspectFolder() refuses a .dat with ${what}`, () => {
    using temp = tempFolder();
    const dir = make(temp, files);
    assert.throws(() => inspectFolder(dir), (error) => {
      return error instanceof UsageError && error.message.includes(dir) && error.hint !== undefined;
    });
  });
}

Deno.test("inspectFolder() takes feeds that lie in the folder itself for an archive", () => {
  using temp = tempFolder();
  const dir = make(temp, { "metadata.key": 32, "metadata.tree": 72, "metadata.secret_key": 64 });
  assert.equal(inspectFolder(dir), "archive");
  assert.equal(archiveIn(dir)?.layout, "plain");
});

Deno.test("findArchive() takes the nearest folder upwards that holds an archive", () => {
  using temp = tempFolder();
  const outer = make(temp, { ".dat/metadata.key": 32, "a/b/c": 1, "a/.dat/metadata.key": 32 });
  assert.equal(findArchive(join(outer, "a", "b")).dir, join(outer, "a"));
  assert.equal(findArchive(outer).dir, outer);
  assert.throws(() => findArchive(temp.path), NotFoundError);
});

Deno.test("secretKeyPath() is made of the discovery key, two digits first", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const key = new Uint8Array(32).fill(0xab);
  key[0] = 0x0c;
  assert.equal(
    secretKeyPath(world, key),
    temp.join("home", ".dat", "secret_keys", "0c", "ab".repeat(31)),
  );
  world.homeFolder = undefined;
  assert.throws(() => secretKeyPath(world, key), UsageError);
});

Deno.test("writeSmallFile() replaces a file as a whole and leaves nothing else behind", () => {
  using temp = tempFolder();
  const path = temp.join("new", "deep", "file");
  for (const length of [1000, 3, 0]) {
    const bytes = new Uint8Array(length).fill(length % 256);
    writeSmallFile(path, bytes, { mode: 0o644 });
    assert.deepEqual(readSmallFile(path), bytes);
    assert.deepEqual([...Deno.readDirSync(temp.join("new", "deep"))].length, 1);
  }
});

Deno.test("writeSmallFile() keeps a private file and its new folders private", () => {
  using temp = tempFolder();
  const path = temp.join("a", "b", "secret");
  Deno.mkdirSync(temp.join("a"), { mode: 0o755 });
  // A run that was killed left a file that anybody may read.
  Deno.mkdirSync(temp.join("a", "b"), { mode: 0o700 });
  Deno.writeTextFileSync(`${path}.trove-new`, "left over", { mode: 0o644 });
  writeSmallFile(path, Uint8Array.of(1), { mode: 0o600 });
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  writeSmallFile(temp.join("c", "d", "secret"), Uint8Array.of(1), { mode: 0o600 });
  assert.equal(Deno.statSync(temp.join("c")).mode! & 0o777, 0o700);
  assert.equal(Deno.statSync(temp.join("c", "d")).mode! & 0o777, 0o700);
  writeSmallFile(temp.join("e", "public"), Uint8Array.of(1), { mode: 0o644 });
  assert.equal(Deno.statSync(temp.join("e", "public")).mode! & 0o777, 0o644);
});

Deno.test("writeSmallFile() and readSmallFile() say why they failed", () => {
  using temp = tempFolder();
  Deno.writeTextFileSync(temp.join("file"), "x");
  const path = temp.join("file", "below");
  assert.throws(
    () => writeSmallFile(path, Uint8Array.of(1), { mode: 0o644 }),
    (error) => error instanceof StorageError && /Cannot write ".+": \S/.test(error.message),
  );
  assert.throws(
    () => readSmallFile(temp.path),
    (error) => error instanceof StorageError && /Cannot read ".+": \S/.test(error.message),
  );
  assert.equal(readSmallFile(temp.join("nowhere")), undefined);
});

Deno.test("archivePaths() puts everything of its own into .dat", () => {
  const paths = archivePaths("/some/where");
  for (const path of [paths.ogd, paths.latest, paths.lock, paths.staging, paths.staged]) {
    assert.ok(path.startsWith("/some/where/.dat/"), path);
  }
  assert.equal(paths.feed("content", "tree"), "/some/where/.dat/content.tree");
});
