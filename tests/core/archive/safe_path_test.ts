import assert from "node:assert/strict";
import * as fc from "fast-check";
import { archivePath, safePath } from "../../../src/core/archive/safe_path.ts";

const SAFE: readonly [string, readonly string[]][] = [
  ["/a", ["a"]],
  ["/a/b/c.txt", ["a", "b", "c.txt"]],
  ["/ünï/文件 name", ["ünï", "文件 name"]],
  ["/...", ["..."]],
  ["/..a/b..", ["..a", "b.."]],
  ["/sub/.dat/x", ["sub", ".dat", "x"]],
  ["/.data", [".data"]],
  ["/.datignore", [".datignore"]],
  ["/dat", ["dat"]],
  ["/con/aux.txt", ["con", "aux.txt"]],
  ["/a:b", ["a:b"]],
  ["/~/$HOME", ["~", "$HOME"]],
  ["/" + "x".repeat(255), ["x".repeat(255)]],
  ["/" + "é".repeat(127), ["é".repeat(127)]],
];
for (const [path, components] of SAFE) {
  Deno.test(`safePath(${JSON.stringify(path).slice(0, 40)}) is allowed`, () => {
    assert.deepEqual(safePath(path), { kind: "safe", components });
    assert.deepEqual(archivePath(components), { kind: "named", path });
  });
}

const REFUSED: readonly [string, RegExp][] = [
  ["", /slash/],
  ["a", /slash/],
  ["a/b", /slash/],
  ["C:\\x", /slash/],
  ["/", /empty/],
  ["//", /empty/],
  ["//a", /empty/],
  ["/a/", /empty/],
  ["/a//b", /empty/],
  ["/.", /"\."/],
  ["/..", /"\.\."/],
  ["/../etc/passwd", /"\.\."/],
  ["/a/../../b", /"\.\."/],
  ["/a/./b", /"\."/],
  ["/a\0b", /zero/],
  ["/a\\..\\b", /backslash/],
  ["/a/\ud800", /UTF-8/],
  ["/.dat", /\.dat/],
  ["/.dat/metadata.key", /\.dat/],
  ["/.DAT/x", /\.dat/],
  ["/.dAt/x", /\.dat/],
  ["/.dat./x", /\.dat/],
  ["/.dat /x", /\.dat/],
  ["/.dat. ./x", /\.dat/],
  ["/.d\u200cat/x", /\.dat/],
  ["/\ufeff.dat/x", /\.dat/],
  ["/" + "x".repeat(256), /255/],
  ["/a/" + "é".repeat(128), /255/],
  ["/a".repeat(2049), /4096/],
];
for (const [path, reason] of REFUSED) {
  Deno.test(`safePath(${JSON.stringify(path).slice(0, 40)}) is refused`, () => {
    const answer = safePath(path);
    assert.ok(answer.kind === "refused");
    assert.match(answer.reason, reason);
  });
}

const REFUSED_ON_WINDOWS = [
  "/a:b",
  "/.dat::$INDEX_ALLOCATION",
  '/a"b',
  "/a?",
  "/a*b",
  "/a<b",
  "/a>b",
  "/a|b",
  "/a\u0001b",
  "/con",
  "/NUL.txt",
  "/x/aux.tar.gz",
  "/prn .txt",
  "/COM1",
  "/lpt9.x",
  "/com\u00b2",
  "/CONIN$",
  "/a.",
  "/a /b",
  "/DAT~1/x",
];
for (const path of REFUSED_ON_WINDOWS) {
  Deno.test(`safePath(${JSON.stringify(path)}) is refused on Windows only`, () => {
    assert.equal(safePath(path, { windows: true }).kind, "refused");
    assert.equal(safePath(path).kind, "safe");
  });
}

for (const path of ["/a/b.txt", "/console", "/nullable", "/com10", "/com", "/x/dat~1", "/.a"]) {
  Deno.test(`safePath("${path}") is allowed on Windows`, () => {
    assert.equal(safePath(path, { windows: true }).kind, "safe");
  });
}

const UNNAMEABLE: readonly [readonly string[], RegExp][] = [
  [[], /empty/],
  [["a", ""], /empty/],
  [["a/b"], /slash/],
  [["a\\b"], /backslash/],
  [["a", "\udc00"], /UTF-8/],
  [["a\0"], /zero/],
  [[".."], /"\.\."/],
  [[".dat", "x"], /\.dat/],
];
for (const [components, reason] of UNNAMEABLE) {
  Deno.test(`archivePath(${JSON.stringify(components)}) is refused`, () => {
    const answer = archivePath(components);
    assert.ok(answer.kind === "refused");
    assert.match(answer.reason, reason);
  });
}

Deno.test("safePath() never leads out of the folder or into .dat, and archivePath() undoes it", () => {
  const piece = fc.constantFrom(
    "/",
    "..",
    ".",
    "a",
    ".dat",
    ".DAT",
    "\\",
    "\0",
    " ",
    "é",
    "\ud800",
  );
  const path = fc.array(piece, { maxLength: 12 }).map((pieces) => "/" + pieces.join(""));
  fc.assert(
    fc.property(path, fc.boolean(), (path, windows) => {
      const answer = safePath(path, { windows });
      if (answer.kind === "refused") return;
      const joined = new URL("file:///base/" + answer.components.map(encodeURIComponent).join("/"));
      assert.ok(joined.pathname.startsWith("/base/"));
      assert.equal(joined.pathname.split("/").length, answer.components.length + 2);
      assert.notEqual(answer.components[0].toLowerCase(), ".dat");
      assert.deepEqual(archivePath(answer.components), { kind: "named", path });
    }),
    { seed: 1, numRuns: 2000 },
  );
});
