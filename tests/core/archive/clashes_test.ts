import assert from "node:assert/strict";
import * as fc from "fast-check";
import { findClashes, foldName } from "../../../src/core/archive/clashes.ts";

const files = (paths: readonly string[]) => paths.map((path) => ({ path }));

// Paths, those kept, and for the others: path, what is in the way, why.
type Row = readonly [readonly string[], readonly string[], readonly (readonly string[])[]];

const ROWS: readonly Row[] = [
  [[], [], []],
  [["/a", "/b/c", "/b/d"], ["/a", "/b/c", "/b/d"], []],
  [["/a", "/a/b", "/a/c/d"], ["/a"], [["/a/b", "/a", "file-in-the-way"], [
    "/a/c/d",
    "/a",
    "file-in-the-way",
  ]]],
  [["/a/b", "/a", "/a/c"], ["/a/b", "/a/c"], [["/a", "/a", "folder-in-the-way"]]],
  [["/a/b/c/d", "/a/b"], ["/a/b/c/d"], [["/a/b", "/a/b", "folder-in-the-way"]]],
  [["/a", "/a"], ["/a"], [["/a", "/a", "same-name"]]],
  // What had no place takes none.
  [["/a", "/a/b", "/a/b/c"], ["/a"], [["/a/b", "/a", "file-in-the-way"], [
    "/a/b/c",
    "/a",
    "file-in-the-way",
  ]]],
  [["/README", "/readme", "/é", "/e\u0301"], ["/README", "/readme", "/é", "/e\u0301"], []],
  [["/ab", "/a"], ["/ab", "/a"], []],
];
for (const [paths, kept, clashes] of ROWS) {
  Deno.test(`findClashes(${JSON.stringify(paths)})`, () => {
    const found = findClashes(files(paths));
    assert.deepEqual(found.kept.map((file) => file.path), kept);
    assert.deepEqual(
      found.clashes.map((clash) => [clash.file.path, clash.with, clash.reason]),
      clashes,
    );
  });
}

const FOLDED: readonly Row[] = [
  [["/README", "/readme"], ["/README"], [["/readme", "/README", "same-name"]]],
  [["/é", "/e\u0301"], ["/é"], [["/e\u0301", "/é", "same-name"]]],
  [["/É", "/e\u0301"], ["/É"], [["/e\u0301", "/É", "same-name"]]],
  [["/Foo/a", "/foo/b", "/Foo/c"], ["/Foo/a", "/Foo/c"], [["/foo/b", "/Foo", "same-name"]]],
  [["/x/Foo", "/x/foo/b"], ["/x/Foo"], [["/x/foo/b", "/x/Foo", "file-in-the-way"]]],
  [["/x/foo/b", "/x/Foo"], ["/x/foo/b"], [["/x/Foo", "/x/foo", "folder-in-the-way"]]],
  [["/a/b", "/a/c"], ["/a/b", "/a/c"], []],
];
for (const [paths, kept, clashes] of FOLDED) {
  Deno.test(`findClashes(${JSON.stringify(paths)}) where case does not count`, () => {
    const found = findClashes(files(paths), { foldNames: true });
    assert.deepEqual(found.kept.map((file) => file.path), kept);
    assert.deepEqual(
      found.clashes.map((clash) => [clash.file.path, clash.with, clash.reason]),
      clashes,
    );
  });
}

Deno.test("findClashes() keeps files that fit beside each other, and refuses none that would", () => {
  const names = fc.array(fc.constantFrom("a", "A", "b"), { minLength: 1, maxLength: 3 });
  const paths = fc.array(names.map((list) => "/" + list.join("/")), { maxLength: 12 });
  fc.assert(
    fc.property(paths, fc.boolean(), (paths, foldNames) => {
      const fold = foldNames ? foldName : (name: string) => name;
      const fits = (a: string, b: string) => {
        const left = a.slice(1).split("/");
        const right = b.slice(1).split("/");
        for (let i = 0; i < Math.min(left.length, right.length); i++) {
          if (fold(left[i]) !== fold(right[i])) return true;
          const isLast = i === left.length - 1 || i === right.length - 1;
          if (isLast || left[i] !== right[i]) return false;
        }
        return true;
      };
      const expected: string[] = [];
      for (const path of paths) if (expected.every((kept) => fits(kept, path))) expected.push(path);
      const { kept, clashes } = findClashes(files(paths), { foldNames });
      assert.deepEqual(kept.map((file) => file.path), expected);
      assert.equal(kept.length + clashes.length, paths.length);
      const once = files([...new Set(paths)]);
      assert.deepEqual(
        findClashes(once, { foldNames, distinct: true }),
        findClashes(once, { foldNames }),
      );
    }),
    { seed: 1, numRuns: 1000 },
  );
});
