import assert from "node:assert/strict";
import { StorageError } from "../../src/base/errors.ts";
import {
  ensureFolder,
  listFolder,
  lookAt,
  pruneEmptyFolders,
  removeEmptyFolders,
} from "../../src/io/folder.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

function names(temp: TempFolder, ...below: string[]): string[] {
  return [...Deno.readDirSync(temp.join(...below))].map((entry) => entry.name).sort();
}

Deno.test("ensureFolder() makes the folders around a target, and not the target", () => {
  using temp = tempFolder();
  for (let round = 0; round < 2; round++) {
    ensureFolder(temp.path, temp.join("a", "b", "c", "file"));
    assert.deepEqual(names(temp, "a", "b"), ["c"]);
    assert.deepEqual(names(temp, "a", "b", "c"), []);
  }
  ensureFolder(temp.path, temp.join("file"));
  assert.deepEqual(names(temp), ["a"]);
});

Deno.test("ensureFolder() refuses a link or a file on the way, wherever it points", () => {
  using temp = tempFolder();
  const outside = temp.folder("outside");
  const root = temp.folder("root");
  Deno.symlinkSync(outside, temp.join("root", "link out"));
  Deno.mkdirSync(temp.join("root", "inside"));
  Deno.symlinkSync("inside", temp.join("root", "link in"));
  Deno.writeTextFileSync(temp.join("root", "file"), "x");
  Deno.symlinkSync("nowhere", temp.join("root", "dangling"));
  for (const name of ["link out", "link in", "file", "dangling"]) {
    const target = temp.join("root", name, "deep", "target");
    assert.throws(() => ensureFolder(root, target), (error) => {
      return error instanceof StorageError &&
        error.message.includes(`"${temp.join("root", name)}"`) &&
        error.hint !== undefined;
    }, name);
  }
  assert.deepEqual(names(temp, "outside"), []);
  assert.deepEqual(names(temp, "root", "inside"), []);
});

Deno.test("lookAt() does not follow links, and finds nothing below a file", () => {
  using temp = tempFolder();
  Deno.writeTextFileSync(temp.join("file"), "x");
  Deno.symlinkSync("file", temp.join("link"));
  Deno.symlinkSync("loop", temp.join("loop"));
  assert.ok(lookAt(temp.join("file"))?.isFile);
  assert.ok(lookAt(temp.join("link"))?.isSymlink);
  assert.ok(lookAt(temp.join("loop"))?.isSymlink);
  assert.equal(lookAt(temp.join("nowhere")), undefined);
  assert.equal(lookAt(temp.join("file", "below")), undefined);
});

Deno.test("pruneEmptyFolders() removes what became empty, and never the root", () => {
  using temp = tempFolder();
  const root = temp.folder("root");
  temp.folder("root", "a", "b", "c");
  temp.folder("root", "a", "kept");
  Deno.writeTextFileSync(temp.join("root", "a", "kept", "file"), "x");
  pruneEmptyFolders(root, temp.join("root", "a", "b", "c", "gone"));
  assert.deepEqual(names(temp, "root", "a"), ["kept"]);
  pruneEmptyFolders(root, temp.join("root", "a", "kept", "gone"));
  assert.deepEqual(names(temp, "root", "a", "kept"), ["file"]);
  Deno.removeSync(temp.join("root", "a"), { recursive: true });
  pruneEmptyFolders(root, temp.join("root", "gone"));
  assert.deepEqual(names(temp), ["root"]);
});

Deno.test("removeEmptyFolders() removes folders and nothing else", () => {
  using temp = tempFolder();
  temp.folder("empty", "a", "b");
  temp.folder("empty", "c");
  removeEmptyFolders(temp.join("empty"));
  assert.deepEqual(names(temp), []);
  temp.folder("full", "a", "b");
  Deno.writeTextFileSync(temp.join("full", "a", "b", "file"), "x");
  Deno.symlinkSync("a", temp.join("full", "link"));
  removeEmptyFolders(temp.join("full"));
  removeEmptyFolders(temp.join("nowhere"));
  assert.equal(Deno.readTextFileSync(temp.join("full", "link", "b", "file")), "x");
});

Deno.test("listFolder() tells kind, size, time and mode", () => {
  using temp = tempFolder();
  Deno.writeTextFileSync(temp.join("file"), "12345");
  Deno.chmodSync(temp.join("file"), 0o751);
  Deno.utimeSync(temp.join("file"), 1000, 1000.25);
  temp.folder("folder");
  const items = listFolder(temp.path, temp.path).sort((a, b) => a.name < b.name ? -1 : 1);
  const { ino } = Deno.statSync(temp.join("file"));
  assert.deepEqual(items[0], {
    ...{ name: "file", kind: "file", size: 5, mtime: 1_000_250, mode: 0o100751, ino },
  });
  assert.equal(items[1].kind, "directory");
  assert.equal(items.length, 2);
});

Deno.test("listFolder() says why something is neither a file nor a folder to go into", () => {
  using temp = tempFolder();
  const root = temp.folder("root");
  temp.folder("root", ".dat");
  temp.folder("root", ".data");
  Deno.writeTextFileSync(temp.join("root", ".dat", "key"), "x");
  Deno.writeTextFileSync(temp.join("root", ".data", "file"), "x");
  Deno.writeTextFileSync(temp.join("rooted"), "beside, with the same beginning");
  const links: Record<string, readonly [string, RegExp | undefined]> = {
    inside: [".data/file", undefined],
    folder: [".data", /to a folder/],
    dangling: ["nowhere", /to nothing/],
    loop: ["loop", /to nothing/],
    out: ["../rooted", /leads out/],
    key: [".dat/key", /\.dat/],
    keys: [".dat", /\.dat/],
    folderOut: ["..", /leads out/],
  };
  for (const [name, [to]] of Object.entries(links)) Deno.symlinkSync(to, temp.join("root", name));
  const items = new Map(listFolder(root, root).map((item) => [item.name, item]));
  for (const [name, [, reason]] of Object.entries(links)) {
    const item = items.get(name)!;
    if (reason === undefined) {
      assert.deepEqual([item.kind, item.size, item.reason], ["file", 1, undefined]);
    } else {
      assert.equal(item.kind, "other", name);
      assert.match(item.reason!, reason);
    }
    assert.equal(item.linkedFolder, name === "folder" ? temp.join("root", ".data") : undefined);
  }
});

Deno.test("listFolder() tells a name that is not UTF-8 from the one it is shown as", () => {
  using temp = tempFolder();
  const script = `printf x > "$1"/$'a\\xff'`;
  const made = new Deno.Command("bash", { args: ["-c", script, "bash", temp.path] }).outputSync();
  assert.ok(made.success);
  const bad = { name: "a\ufffd", kind: "other", reason: "has a name that is not UTF-8" };
  const told = () =>
    listFolder(temp.path, temp.path).map(({ name, kind, reason }) => ({ name, kind, reason }));
  assert.deepEqual(told(), [bad]);
  Deno.writeTextFileSync(temp.join("a\ufffd"), "in fact");
  const both = told().sort((a, b) => a.kind < b.kind ? -1 : 1);
  assert.deepEqual(both, [{ name: "a\ufffd", kind: "file", reason: undefined }, bad]);
});

Deno.test("listFolder() refuses what is no folder", () => {
  using temp = tempFolder();
  Deno.writeTextFileSync(temp.join("file"), "x");
  for (const name of ["file", "nowhere"]) {
    assert.throws(() => listFolder(temp.join(name), temp.path), (error) => {
      return error instanceof StorageError && error.message.includes(`"${temp.join(name)}"`);
    });
  }
});
