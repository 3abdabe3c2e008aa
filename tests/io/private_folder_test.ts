import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { LockedError, StorageError } from "../../src/base/errors.ts";
import { PrivateFolder } from "../../src/io/private_folder.ts";
import { tempFolder } from "../support/temp.ts";

Deno.test("a private folder and the .dat made for it are gone at the end", () => {
  using temp = tempFolder();
  {
    using folder = new PrivateFolder(temp.join("new", "root"));
    const { path, file } = folder.make("a");
    file.close();
    assert.equal(path, temp.join("new", "root", ".dat", "trove.checkout", "a"));
    assert.throws(() => folder.make("a"), StorageError);
  }
  assert.deepEqual([...Deno.readDirSync(temp.join("new", "root"))], []);
});

Deno.test("a .dat that was there stays, with all that is in it", () => {
  using temp = tempFolder();
  Deno.mkdirSync(temp.join(".dat", "trove.checkout", "left"), { recursive: true });
  Deno.writeTextFileSync(temp.join(".dat", "other"), "other");
  {
    using _folder = new PrivateFolder(temp.path);
    assert.ok(!existsSync(temp.join(".dat", "trove.checkout", "left")));
  }
  assert.deepEqual([...Deno.readDirSync(temp.join(".dat"))].map(({ name }) => name), ["other"]);
});

Deno.test("two at once in one place are one too many", () => {
  using temp = tempFolder();
  {
    using _first = new PrivateFolder(temp.path);
    assert.throws(() => new PrivateFolder(temp.path), LockedError);
  }
  using _again = new PrivateFolder(temp.path);
});

for (const name of [".dat", ".dat/trove.checkout", ".dat/trove.checkout.lock"]) {
  Deno.test(`a link in the place of ${name} leads nowhere`, () => {
    using temp = tempFolder();
    const [root, outside] = [temp.folder("root"), temp.folder("outside")];
    Deno.writeTextFileSync(temp.join("outside", "0"), "precious");
    if (name !== ".dat") Deno.mkdirSync(temp.join("root", ".dat"));
    Deno.symlinkSync(outside, temp.join("root", name));
    const work = () => {
      using folder = new PrivateFolder(root);
      folder.make("0").file.close();
    };
    // What is only a leftover goes; what is in the way is not written through.
    if (name === ".dat/trove.checkout") work();
    else assert.throws(work, StorageError);
    assert.deepEqual([...Deno.readDirSync(outside)].map(({ name }) => name), ["0"]);
    assert.equal(Deno.readTextFileSync(temp.join("outside", "0")), "precious");
  });
}
