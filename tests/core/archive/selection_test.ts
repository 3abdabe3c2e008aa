import assert from "node:assert/strict";
import fc from "fast-check";
import { checkPattern, escapePattern, Selection } from "../../../src/core/archive/selection.ts";

const selects = (select: string[], path: string, exclude: string[] = [], folder = false) =>
  new Selection({ select, exclude }).selects(path, { folder });

/** Pattern, and paths that it selects and does not. */
const PATTERNS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["photos", ["/photos", "/photos/a", "/photos/.b/c"], ["/photos2", "/x/photos", "/Photos"]],
  ["photos/", ["/photos/a", "/photos/.b/c"], ["/photos", "/photos2/a"]],
  ["/photos/a", ["/photos/a", "/photos/a/b"], ["/photos/ab"]],
  ["./photos//", ["/photos/a"], ["/photos"]],
  ["*.jpg", ["/a.jpg", "/.a.jpg"], ["/a/b.jpg", "/a.JPG"]],
  ["**/*.jpg", ["/a.jpg", "/a/.b/c.jpg"], ["/a.jpg/b"]],
  ["**/*", ["/a", "/.a/b", "/line\nend", "/a/b\u2028c"], []],
  ["*", ["/a", "/.a"], ["/a/b"]],
  ["*/", ["/a/b", "/a/b/c"], ["/a"]],
  ["photos/**", ["/photos/a"], ["/photos"]],
  ["{a,b}/?", ["/a/x", "/b/y"], ["/c/x", "/a/xy"]],
  ["a[1].txt", ["/a[1].txt", "/a1.txt"], ["/a2.txt"]],
  ["!(a|b)", ["/c"], ["/a", "/b"]],
  ["\\!a", ["/!a"], ["/a"]],
  ["日本/*", ["/日本/x"], ["/日本語/x"]],
];

for (const [pattern, yes, no] of PATTERNS) {
  Deno.test(`the pattern ${pattern} selects what it says`, () => {
    for (const path of yes) assert.ok(selects([pattern], path), `${pattern} selects ${path}`);
    for (const path of no) assert.ok(!selects([pattern], path), `${pattern} leaves ${path}`);
  });
}

Deno.test("exclude wins over select, and without select everything is in", () => {
  assert.ok(selects([], "/anything"));
  assert.ok(!selects([], "/a/b.tmp", ["**/*.tmp"]));
  assert.ok(!selects(["a/b.tmp"], "/a/b.tmp", ["a"]));
  assert.ok(selects(["a", "b"], "/b"));
});

Deno.test("a folder made on purpose is selected by its name and by what is below it", () => {
  for (const pattern of ["a", "a/", "a/**", "*/"]) {
    assert.ok(selects([pattern], "/a", [], true), pattern);
  }
  assert.ok(!selects(["**/*.jpg"], "/a", [], true));
});

Deno.test("only rules that can leave nothing out are everything", () => {
  const is = (select: string[], exclude: string[] = []) =>
    new Selection({ select, exclude }).isEverything;
  assert.deepEqual([is([]), is(["a", "**"]), is(["/**"])], [true, true, true]);
  assert.deepEqual([is(["**/*"]), is(["**"], ["a"]), is([], ["a"])], [false, false, false]);
});

Deno.test("patterns that matched nothing are known", () => {
  const selection = new Selection({ select: ["a", "b", "**/c"], exclude: ["d", "*.x"] });
  for (const path of ["/a/c", "/z.x"]) selection.selects(path);
  assert.deepEqual(selection.unused(), ["b", "d"]);
});

for (const pattern of ["", "/", ".", "..", "a/../b", "./../x", "[a", "(a", "!a", "a\0b"]) {
  Deno.test(`${JSON.stringify(pattern)} is no pattern`, () => {
    assert.throws(() => checkPattern(pattern), { name: "UsageError" });
  });
}

Deno.test("an escaped name selects that file and what is below it only", () => {
  const name = fc.string({ unit: "binary", minLength: 1, maxLength: 12 })
    .filter((text) => !/^\.{1,2}$/.test(text) && !/[/\0]/.test(text));
  fc.assert(
    fc.property(name, name, (wanted, other) => {
      const pattern = escapePattern(wanted);
      assert.ok(selects([pattern], `/${wanted}`));
      assert.equal(selects([pattern], `/${other}`), other === wanted);
    }),
    { numRuns: 50 },
  );
});

Deno.test("a path as long as a stranger likes takes no time", () => {
  const path = `/${"ab".repeat(1_000_000)}`;
  assert.ok(!selects(["*a*b*a*b*a*c"], path));
  const long = path.slice(0, 20_000);
  assert.ok(selects([long], long), "its name selects it nevertheless");
});
