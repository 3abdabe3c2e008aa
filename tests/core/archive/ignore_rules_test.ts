import assert from "node:assert/strict";
import { UsageError } from "../../../src/base/errors.ts";
import { compileIgnore } from "../../../src/core/archive/ignore_rules.ts";

const FOLDERS = ["node_modules", "build", "a/b", "we[i]rd"];

function ignores(datignore: string, ignoreHidden = true): (path: string) => boolean {
  return compileIgnore({ datignore, ignoreHidden, isDirectory: (name) => FOLDERS.includes(name) });
}

// Source: spec of the drive, section 12.
const CHECKED: readonly [string, boolean][] = [
  [".dat/x", true],
  ["node_modules/a/b", true],
  ["a.dat", false],
  ["s/node_modules/a", true],
  [".hidden", true],
  ["s/.hidden/x", true],
  ["s/build/x", true],
  [".datignore", true],
  [".datdownload", true],
  ["x.log", true],
  [".well-known/dat", false],
  ["s/.well-known/dat", false],
  ["s/x.log", false],
  [".well-known/other", true],
  ["keep.log", false],
  ["dat.json", false],
];
for (const [path, expected] of CHECKED) {
  Deno.test(`${path} is ${expected ? "ignored" : "kept"} under the rules of the spec`, () => {
    assert.equal(ignores("node_modules\nbuild/\n*.log\n!keep.log\n")(path), expected);
  });
}

Deno.test("sub/.dat/x is kept if hidden files are, and the feeds themselves never", () => {
  assert.equal(ignores("", false)("sub/.dat/x"), false);
  assert.equal(ignores("", false)(".hidden"), false);
  for (const path of [".dat", ".dat/metadata.key", ".dat/.well-known/dat"]) {
    assert.equal(ignores("", false)(path), true);
    assert.equal(ignores("!.dat/**\n!**", false)(path), true);
  }
});

// Pattern, path, ignored. As dat-ignore 2.1.3 answers, but for folders with brackets in their names.
const PATTERNS: readonly [string, string, boolean][] = [
  ["*.log", "x.log", true],
  ["*.log", "s/x.log", false],
  ["**/*.log", "s/t/x.log", true],
  ["**/*.log", "x.log", true],
  ["q?", "q1", true],
  ["q?", "q12", false],
  ["{m,n}.txt", "m.txt", true],
  ["{m,n}.txt", "mn.txt", false],
  ["[ab].md", "a.md", true],
  ["[ab].md", "ab.md", false],
  ["+(foo|bar).c", "foobar.c", true],
  ["doc/*", "doc/x", true],
  ["doc/*", "doc/x/y", false],
  ["deep/**", "deep/x/y", true],
  ["deep/**", "deep", false],
  ["# comment", "# comment", true],
  ["a\r\n\r\n  \r\nb", "b", true],
  ["\n  spaced  \n", "spaced", true],
  ["x\n  spaced", "spaced", false],
  ["x\n  spaced", "  spaced", true],
  ["/abs", "abs", false],
  ["a/b", "a/b/c", true],
  ["a/b", "a/c", false],
  ["a/b", "s/b/c", true],
  ["a/b", "b", true],
  ["./build", "s/build/x", true],
  ["build", "build/.cache/x", true],
  ["other", "s/other", false],
  ["other", "other", true],
  ["**\n!keep/**", "keep/a/b", false],
  ["!keep/**\n**", "keep/a/b", false],
  ["**\n!keep/**", "gone/a", true],
  ["!.hidden", ".hidden", false],
  ["!.DS_Store", ".DS_Store", false],
  [".well-known/dat", ".well-known/dat", false],
  ["", "s/.DS_Store", true],
  ["", ".x/.well-known/dat", true],
  ["", ".well-known", true],
  ["", "x", false],
  ["!", "x", false],
  ["!\n*.log", "x.log", true],
  ["we[i]rd", "s/we[i]rd/x", true],
  ["a[1].txt", "a[1].txt", true],
];
for (const [pattern, path, expected] of PATTERNS) {
  const verb = expected ? "ignores" : "keeps";
  Deno.test(`the pattern ${JSON.stringify(pattern)} ${verb} ${JSON.stringify(path)}`, () => {
    assert.equal(ignores(pattern)(path), expected);
  });
}

Deno.test("a folder's pattern does not reach into hidden folders by itself", () => {
  assert.equal(ignores("node_modules", false)("node_modules/.bin/x"), false);
  assert.equal(ignores("node_modules", true)("node_modules/.bin/x"), true);
  assert.equal(ignores("node_modules", false)("node_modules/bin/x"), true);
});

Deno.test("patterns of the caller count like those of the file", () => {
  const ignored = compileIgnore({
    extra: ["*.tmp", "!keep.tmp", "build", ""],
    datignore: "*.log",
    ignoreHidden: true,
    isDirectory: (name) => name === "build",
  });
  assert.deepEqual(
    ["x.tmp", "keep.tmp", "s/build/x", "x.log", "x.txt"].map(ignored),
    [true, false, true, true, false],
  );
});

Deno.test("patterns that repeat a group are refused: a match may take longer than a life", () => {
  const options = { isDirectory: () => false, ignoreHidden: true };
  for (
    const datignore of ["{a,*}+", "{a,aa}+", "(a|b*)+", "[a-z]+[a-z]+[a-z]+[a-z]+", "(a+a+a+a+)"]
  ) {
    assert.throws(() => compileIgnore({ ...options, datignore }), UsageError, datignore);
  }
  const isIgnored = compileIgnore({ ...options, datignore: "c++++\n{a,b}*\n[0-9]+.txt" });
  assert.deepEqual(["c++++", "b1", "12.txt", "c"].map(isIgnored), [true, true, true, false]);
});
