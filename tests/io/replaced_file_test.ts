import assert from "node:assert/strict";
import { LockedError, StorageError } from "../../src/base/errors.ts";
import { toUtf8 } from "../../src/base/bytes.ts";
import { ReplacedFile } from "../../src/io/replaced_file.ts";
import { tempFolder } from "../support/temp.ts";

Deno.test("a file has its name only when it is complete", () => {
  using temp = tempFolder();
  const path = temp.join("out");
  Deno.writeTextFileSync(path, "old");
  {
    using file = new ReplacedFile(path);
    file.write(toUtf8("new"));
    assert.equal(Deno.readTextFileSync(path), "old");
    assert.throws(() => new ReplacedFile(path), LockedError);
  }
  assert.deepEqual([...Deno.readDirSync(temp.path)].map(({ name }) => name), ["out"]);
  assert.equal(Deno.readTextFileSync(path), "old");
  {
    using file = new ReplacedFile(path);
    file.write(toUtf8("n"));
    file.write(toUtf8("ew"));
    file.finish();
  }
  assert.equal(Deno.readTextFileSync(path), "new");
  assert.deepEqual([...Deno.readDirSync(temp.path)].map(({ name }) => name), ["out"]);
});

Deno.test("what a killed process left is taken over, cut to nothing", () => {
  using temp = tempFolder();
  Deno.writeTextFileSync(temp.join("out.trove-new"), "a long half of a file");
  {
    using file = new ReplacedFile(temp.join("out"));
    file.write(toUtf8("short"));
    file.finish();
  }
  assert.equal(Deno.readTextFileSync(temp.join("out")), "short");
});

Deno.test("a link stays a link; one to nothing, and a folder, are refused", () => {
  using temp = tempFolder();
  Deno.writeTextFileSync(temp.join("real"), "old");
  Deno.symlinkSync("real", temp.join("link"));
  {
    using file = new ReplacedFile(temp.join("link"));
    assert.equal(file.target, temp.join("real"));
    file.write(toUtf8("new"));
    file.finish();
  }
  assert.equal(Deno.readTextFileSync(temp.join("real")), "new");
  assert.ok(Deno.lstatSync(temp.join("link")).isSymlink);
  Deno.symlinkSync("nothing", temp.join("broken"));
  for (const path of [temp.join("broken"), temp.path, temp.join("no", "folder")]) {
    assert.throws(() => new ReplacedFile(path), StorageError);
  }
});

Deno.test(
  "a device is written into and stays what it is",
  { ignore: Deno.build.os !== "linux" },
  () => {
    {
      using file = new ReplacedFile("/dev/null");
      file.write(toUtf8("gone"));
      file.finish();
    }
    assert.ok(Deno.statSync("/dev/null").isCharDevice);
  },
);
