import assert from "node:assert/strict";
import { tempFolder } from "./temp.ts";
import { AWKWARD_FILES, differences, digestTree, withoutEmptyFiles, writeTree } from "./trees.ts";

Deno.test("two trees written from one seed have no differences", () => {
  using temp = tempFolder();
  const [one, other] = [temp.folder("one"), temp.folder("other")];
  writeTree(one, AWKWARD_FILES, "a seed");
  writeTree(other, AWKWARD_FILES, "a seed");
  assert.equal(digestTree(one).size, AWKWARD_FILES.length);
  assert.deepEqual(differences(digestTree(other), digestTree(one)), []);
});

Deno.test("differences() names every file that is missing, added or changed", () => {
  using temp = tempFolder();
  const [before, after] = [temp.folder("before"), temp.folder("after")];
  const files = ["bytes", "gone", "mode", "size"].map((path) => ({ path, size: 10 }));
  writeTree(before, files, "a seed");
  writeTree(after, files, "a seed");
  Deno.removeSync(`${after}/gone`);
  Deno.writeTextFileSync(`${after}/bytes`, "ten bytes!");
  Deno.writeTextFileSync(`${after}/size`, "more than ten bytes");
  Deno.chmodSync(`${after}/mode`, 0o755);
  Deno.writeTextFileSync(`${after}/new`, "");
  assert.deepEqual(differences(digestTree(after), digestTree(before)), [
    'bytes: "bytes" (10 bytes) differs',
    'missing: "gone" (10 bytes)',
    'mode: "mode" is 755, not 644',
    'size: "size" has 19 bytes, not 10',
    'unexpected: "new" (0 bytes)',
  ]);
});

Deno.test("withoutEmptyFiles() leaves out empty files and nothing else", () => {
  using temp = tempFolder();
  writeTree(temp.path, [{ path: "empty", size: 0 }, { path: "full", size: 1 }], "a seed");
  assert.deepEqual([...withoutEmptyFiles(digestTree(temp.path)).keys()], ["full"]);
});
