import assert from "node:assert/strict";
import {
  commonLength,
  compareNames,
  joinPath,
  normalizePath,
  splitPath,
} from "../../../src/core/archive/tree_path.ts";

const COMPONENTS: readonly [string, readonly string[]][] = [
  ["/", []],
  ["/a", ["a"]],
  ["/b/d/e", ["b", "d", "e"]],
  ["/d/", ["d"]],
  ["a/b", ["a", "b"]],
  ["/a//b", ["a", "", "b"]],
];
for (const [path, names] of COMPONENTS) {
  Deno.test(`splitPath("${path}") gives ${names.length} components`, () => {
    assert.deepEqual(splitPath(path), names);
  });
}

const NORMALIZED: readonly [string, string][] = [
  ["../../etc", "/etc"],
  ["./a/../b", "/b"],
  ["", "/"],
  [".", "/"],
  ["a//b/", "/a/b"],
  ["a\\b", "/a/b"],
  ["a\\..\\..\\b", "/b"],
  ["/ünï/...", "/ünï/..."],
];
for (const [text, path] of NORMALIZED) {
  Deno.test(`normalizePath("${text}") is ${path}`, () => assert.equal(normalizePath(text), path));
}

Deno.test("joinPath() makes an absolute name", () => {
  assert.equal(joinPath([]), "/");
  assert.equal(joinPath(["a", "b"]), "/a/b");
});

Deno.test("commonLength() counts leading components only", () => {
  assert.equal(commonLength(["a", "b", "c"], ["a", "x", "c"]), 1);
  assert.equal(commonLength(["a"], ["a", "b"]), 1);
  assert.equal(commonLength([], ["a"]), 0);
});

Deno.test("compareNames() orders by UTF-16 code units, not by locale or code point", () => {
  const names = ["é", "a", "B", "\u{1f600}", "\uffee", "a.txt"];
  assert.deepEqual(names.sort(compareNames), ["B", "a", "a.txt", "é", "\u{1f600}", "\uffee"]);
});
