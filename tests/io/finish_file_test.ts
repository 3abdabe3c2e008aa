import assert from "node:assert/strict";
import { join } from "node:path";
import { ObstacleError, StorageError } from "../../src/base/errors.ts";
import {
  dress,
  ensurePrivateFolder,
  FileNamer,
  giveName,
  markOf,
} from "../../src/io/finish_file.ts";
import { openOrMake } from "../../src/io/no_follow.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

/** A folder outside with a precious file in it, and one inside to write into. */
function insideAndOutside(temp: TempFolder) {
  const [root, outside] = [temp.folder("root"), temp.folder("outside")];
  Deno.writeTextFileSync(join(outside, "precious"), "precious");
  Deno.chmodSync(join(outside, "precious"), 0o600);
  Deno.writeTextFileSync(temp.join("staged"), "complete");
  const assertUntouched = () => {
    assert.deepEqual([...Deno.readDirSync(outside)].map(({ name }) => name), ["precious"]);
    assert.equal(Deno.readTextFileSync(join(outside, "precious")), "precious");
    assert.equal(Deno.statSync(join(outside, "precious")).mode! & 0o777, 0o600);
  };
  return { root, outside, staged: temp.join("staged"), assertUntouched };
}

Deno.test("openOrMake() makes a file, opens one, and refuses what is none", () => {
  using temp = tempFolder();
  const { outside, assertUntouched } = insideAndOutside(temp);
  for (const text of ["made", "opened"]) {
    using file = openOrMake(temp.join("file"));
    file.writeSync(new TextEncoder().encode(text));
  }
  assert.equal(Deno.readTextFileSync(temp.join("file")), "opened");
  Deno.symlinkSync(join(outside, "precious"), temp.join("link"));
  Deno.symlinkSync(join(outside, "missing"), temp.join("dangling"));
  assert.throws(() => openOrMake(temp.join("link")), /a symbolic link/);
  assert.throws(() => openOrMake(temp.join("dangling")), /a symbolic link/);
  assert.throws(() => openOrMake(outside), /a folder/);
  assertUntouched();
});

Deno.test("openOrMake() notices a file that was swapped for a link while it is opened", () => {
  using temp = tempFolder();
  const { outside, assertUntouched } = insideAndOutside(temp);
  const path = temp.join("file");
  Deno.writeTextFileSync(path, "mine");
  const { lstatSync } = Deno;
  Deno.lstatSync = (looked) => {
    const info = lstatSync(looked);
    Deno.removeSync(path);
    Deno.symlinkSync(join(outside, "precious"), path);
    return info;
  };
  try {
    assert.throws(() => openOrMake(path), /put something in its place/);
  } finally {
    Deno.lstatSync = lstatSync;
  }
  assertUntouched();
});

Deno.test("giveName() makes the folders, and replaces a link itself", () => {
  using temp = tempFolder();
  const { root, outside, staged, assertUntouched } = insideAndOutside(temp);
  Deno.mkdirSync(join(root, "sub"));
  Deno.symlinkSync(join(outside, "precious"), join(root, "sub", "file"));
  giveName(root, staged, join(root, "sub", "file"));
  assert.ok(Deno.lstatSync(join(root, "sub", "file")).isFile);
  assertUntouched();
});

Deno.test("giveName() goes through no link, at the file's place or above it", () => {
  using temp = tempFolder();
  const { root, outside, staged, assertUntouched } = insideAndOutside(temp);
  Deno.symlinkSync(outside, join(root, "sub"));
  assert.throws(() => giveName(root, staged, join(root, "sub", "precious")), StorageError);
  assert.throws(() => giveName(root, staged, join(root, "sub", "new", "file")), StorageError);
  assertUntouched();
  // What is to be named is no link either.
  Deno.symlinkSync(join(outside, "precious"), temp.join("staged link"));
  assert.throws(() => giveName(root, temp.join("staged link"), join(root, "file")), StorageError);
  assertUntouched();
});

Deno.test("giveName() tells when a folder is swapped for a link between look and name", () => {
  using temp = tempFolder();
  const { root, outside, staged } = insideAndOutside(temp);
  Deno.mkdirSync(join(root, "sub"));
  const { renameSync } = Deno;
  Deno.renameSync = (from, to) => {
    Deno.removeSync(join(root, "sub"));
    Deno.symlinkSync(outside, join(root, "sub"));
    renameSync(from, to);
  };
  try {
    assert.throws(() => giveName(root, staged, join(root, "sub", "file")), /a symbolic link/);
  } finally {
    Deno.renameSync = renameSync;
  }
  assert.equal(Deno.readTextFileSync(join(outside, "precious")), "precious");
});

Deno.test("giveName() replaces what it was told of, and nothing that came since", () => {
  using temp = tempFolder();
  const { root, staged } = insideAndOutside(temp);
  const target = join(root, "file");
  Deno.writeTextFileSync(target, "old");
  const before = markOf(Deno.lstatSync(target));
  assert.throws(() => giveName(root, staged, target, null), /somebody else wrote there/);
  Deno.utimeSync(target, 1, 1);
  assert.throws(() => giveName(root, staged, target, before), /somebody else wrote there/);
  assert.equal(Deno.readTextFileSync(target), "old");
  giveName(root, staged, target, markOf(Deno.lstatSync(target)));
  assert.equal(Deno.readTextFileSync(target), "complete");
});

Deno.test("dress() changes nothing that a link points at", () => {
  using temp = tempFolder();
  const { root, outside, assertUntouched } = insideAndOutside(temp);
  Deno.symlinkSync(join(outside, "precious"), join(root, "link"));
  assert.throws(() => dress(join(root, "link"), { mode: 0o777, mtime: 0 }), StorageError);
  assertUntouched();
});

Deno.test("ensurePrivateFolder() makes a folder, and takes nothing else for one", () => {
  using temp = tempFolder();
  const { outside, staged } = insideAndOutside(temp);
  ensurePrivateFolder(temp.join("private"));
  ensurePrivateFolder(temp.join("private"));
  assert.ok(Deno.lstatSync(temp.join("private")).isDirectory);
  Deno.symlinkSync(outside, temp.join("link"));
  assert.throws(() => ensurePrivateFolder(temp.join("link")), /a symbolic link, not a folder/);
  assert.throws(() => ensurePrivateFolder(staged), /a file, not a folder/);
});

Deno.test("dress() opens a file that its mode closes to its owner", () => {
  using temp = tempFolder();
  const path = temp.join("file");
  Deno.writeTextFileSync(path, "x");
  for (const mode of [0o200, 0o444, 0o600]) {
    dress(path, { mode, mtime: 5000 });
    const info = Deno.statSync(path);
    assert.deepEqual([info.mode! & 0o777, info.mtime!.getTime()], [mode, 5000]);
  }
});

Deno.test("dress() gives a file its very millisecond, so that it is known again", () => {
  using temp = tempFolder();
  const path = temp.join("file");
  Deno.writeTextFileSync(path, "");
  for (const begin of [0, 1, 999, 1_500_000_000_000, 1_795_886_588_000, 4_102_444_800_000]) {
    for (let ms = begin; ms < begin + 200; ms++) {
      dress(path, { mode: 0o644, mtime: ms });
      assert.equal(Deno.statSync(path).mtime!.getTime(), ms);
    }
  }
});

/** Complete files in a private folder, and where they belong. */
function staged(temp: TempFolder, folders: readonly string[]) {
  const dir = temp.folder("private");
  return folders.map((folder, n) => {
    const from = join(dir, String(n));
    Deno.writeTextFileSync(from, `file ${n}`);
    return { from, target: join(temp.join("root"), folder, `file ${n}`), mode: 0o640, mtime: 5000 };
  });
}

Deno.test("FileNamer gives one file after the other its name, mode and time", () => {
  using temp = tempFolder();
  const { root } = insideAndOutside(temp);
  Deno.mkdirSync(join(root, "there"));
  const files = staged(temp, ["a/b", "a/b", "", "a/b", "", "", "there", "there", "a", "a/b"]);
  Deno.writeTextFileSync(files[7].target, "older");
  Deno.chmodSync(files[3].from, 0o640);
  Deno.utimeSync(files[3].from, 5, 5);
  const namer = new FileNamer(root);
  for (const { from, ...file } of files) namer.finish(from, file);
  namer.end();
  for (const [n, { target }] of files.entries()) {
    assert.equal(Deno.readTextFileSync(target), `file ${n}`);
    const info = Deno.lstatSync(target);
    assert.deepEqual([info.mode! & 0o777, info.mtime!.getTime()], [0o640, 5000]);
  }
});

Deno.test("FileNamer tells whenever a folder on the way is swapped for a link", () => {
  const looks = ["before a name", "between look and name", "after the last name"];
  for (const [when, above] of looks.flatMap((when) => [[when, "a"], [when, "a/b"]])) {
    using temp = tempFolder();
    const { root, outside } = insideAndOutside(temp);
    const files = staged(temp, ["a/b", "a/b", "a/b", "a/b"]);
    Deno.mkdirSync(join(outside, "b"));
    const swap = () => {
      Deno.renameSync(join(root, above), temp.join("aside"));
      Deno.symlinkSync(outside, join(root, above));
    };
    const namer = new FileNamer(root);
    const finish = (n: number) => namer.finish(files[n].from, files[n]);
    finish(0);
    finish(1);
    if (when === "after the last name") {
      swap();
      assert.throws(() => namer.end(), StorageError, `${when}, ${above}`);
    } else if (when === "before a name") {
      // The look after the name before is the look before this one; the one after it tells.
      swap();
      assert.throws(() => finish(2), StorageError, `${when}, ${above}`);
    } else {
      const { renameSync } = Deno;
      Deno.renameSync = (from, to) => {
        Deno.renameSync = renameSync;
        swap();
        renameSync(from, to);
      };
      try {
        assert.throws(() => finish(2), StorageError, `${when}, ${above}`);
      } finally {
        Deno.renameSync = renameSync;
      }
    }
    assert.throws(() => finish(3), StorageError, "nor is anything named after that");
    const named = [...Deno.readDirSync(outside), ...Deno.readDirSync(join(outside, "b"))];
    assert.ok(named.filter(({ name }) => name.startsWith("file")).length <= 1);
    assert.equal(Deno.readTextFileSync(join(outside, "precious")), "precious");
  }
});

Deno.test("FileNamer goes on after a file that cannot have its name", () => {
  using temp = tempFolder();
  const { root } = insideAndOutside(temp);
  const files = staged(temp, ["sub", "sub", "sub"]);
  const namer = new FileNamer(root);
  namer.finish(files[0].from, files[0]);
  Deno.writeTextFileSync(files[1].target, "somebody else's");
  assert.throws(() => namer.finish(files[1].from, { ...files[1], before: null }), ObstacleError);
  namer.finish(files[2].from, files[2]);
  namer.end();
  assert.equal(Deno.readTextFileSync(files[1].target), "somebody else's");
  assert.equal(Deno.readTextFileSync(files[1].from), "file 1");
  assert.equal(Deno.readTextFileSync(files[2].target), "file 2");
});
