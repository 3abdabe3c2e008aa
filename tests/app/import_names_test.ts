/** Names and links that are hard on some system: each is in the archive, or told, or both. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openArchive } from "../../src/app/open_archive.ts";
import { importDir, later, liveFiles, put, testIn } from "../support/importing.ts";

/** The name as bash writes it in `$'…'`, and what is expected of it. */
type Row = readonly [name: string, expected: "fine" | "warned" | "skipped"];

const long = "x".repeat(255);
const AWKWARD: readonly Row[] = [
  // Dat takes a backslash for a slash, and has no way to write what is not UTF-8.
  ["back\\\\slash", "skipped"],
  ["\\\\", "skipped"],
  ["..\\\\..\\\\up", "skipped"],
  ["c:\\\\windows", "skipped"],
  ["\\xff", "skipped"],
  ["latin-\\xe9", "skipped"],
  ["cut-\\xe2\\x82", "skipped"],
  ["overlong-\\xc0\\xaf", "skipped"],
  ["surrogate-\\xed\\xa0\\x80", "skipped"],
  // Control characters, and what is reserved on Windows.
  ["new\\nline", "warned"],
  ["tab\\tin", "warned"],
  ["\\x01", "warned"],
  ["escape\\x1b[31m", "warned"],
  ["bell\\a", "warned"],
  ["return\\r", "warned"],
  ["what?", "warned"],
  ["a*b", "warned"],
  ["a<b", "warned"],
  ["a>b", "warned"],
  ["a|b", "warned"],
  ['a"b', "warned"],
  ["a:b", "warned"],
  ["file:stream", "warned"],
  ["con", "warned"],
  ["CON", "warned"],
  ["prn.txt", "warned"],
  ["aux", "warned"],
  ["nul.tar.gz", "warned"],
  ["COM1", "warned"],
  ["lpt9.log", "warned"],
  ["com\\u00b9", "warned"],
  ["CONIN$", "warned"],
  ["dot.", "warned"],
  ["dots...", "warned"],
  ["space ", "warned"],
  [" ", "warned"],
  // One name where case or normalisation do not count: of two, one is told.
  ["caf\\u00e9", "fine"],
  ["cafe\\u0301", "warned"],
  ["Readme", "fine"],
  ["README", "fine"],
  ["\\u212bngstrom", "fine"],
  ["\\u00c5ngstrom", "fine"],
  // Odd, and fine everywhere.
  ["\\x7f", "fine"],
  ["-rf", "fine"],
  ["--help", "fine"],
  ["~", "fine"],
  ["$HOME", "fine"],
  ["a b  c", "fine"],
  [" leading", "fine"],
  [".hidden", "fine"],
  ["%2e%2e%2f", "fine"],
  ["#hash", "fine"],
  ["a&b;c", "fine"],
  ["quote'", "fine"],
  ["`tick`", "fine"],
  ["__proto__", "fine"],
  ["constructor", "fine"],
  ["toString", "fine"],
  ["\\ufeffbom", "fine"],
  ["rtl-\\u202egpj", "fine"],
  ["\\U1f980", "fine"],
  ["zero\\u200bwidth", "fine"],
  ["shown-as-\\ufffd", "fine"],
  ["con_txt", "fine"],
  [long, "fine"],
];

testIn(
  `${AWKWARD.length} awkward names: none disappears without a word`,
  async ({ world, dir }) => {
    for (const [name] of AWKWARD) {
      const quoted = name.replaceAll("'", "\\'");
      const script = `printf x > "$1"/$'${quoted}'`;
      const made = new Deno.Command("bash", {
        args: ["-c", script, "bash", dir],
        env: { LC_ALL: "C.UTF-8" },
      }).outputSync();
      assert.ok(made.success, `${name}: ${new TextDecoder().decode(made.stderr)}`);
    }
    const count = [...Deno.readDirSync(dir)].length;
    assert.equal(count, AWKWARD.length, "each is a name of its own");
    const { put: puts, skipped, warnings } = await importDir(dir, world, { ignoreHidden: false });
    assert.equal(puts + skipped, count);
    const expected = (kind: string) => AWKWARD.filter((row) => row[1] === kind).length;
    assert.equal(skipped, expected("skipped"));
    using archive = openArchive(dir, { world, access: "read" });
    const live = liveFiles(archive);
    for (const [name, kind] of AWKWARD) {
      if (kind === "skipped") continue;
      const path = `/${unquoted(name)}`;
      assert.equal(live[path], 1, `${JSON.stringify(path)} is in the archive`);
      const told = warnings.some((text) => text.startsWith(`"${path.slice(1)}" `));
      if (kind === "warned") assert.ok(told, `${JSON.stringify(path)} is told`);
    }
    const clashes = warnings.filter((text) => text.includes("normalisation"));
    assert.equal(
      clashes.length,
      4,
      "four pairs of names differ in case or normalisation only",
    );
    assert.equal(warnings.filter((text) => text.startsWith("Skipped")).length, skipped);

    later(world);
    const again = await importDir(dir, world, { ignoreHidden: false });
    assert.deepEqual([again.put, again.deleted, again.skipped], [0, 0, skipped]);
    assert.equal(again.warnings.length, skipped, "what is in the archive is told once");
  },
);

/** What bash makes of the escapes that stand in the table. */
function unquoted(name: string): string {
  const codes: Record<string, string> = { n: "\n", t: "\t", r: "\r", a: "\x07", "\\": "\\" };
  return name.replace(
    /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{5})|(.))/g,
    (_, x, u, long, short) =>
      short === undefined ? String.fromCodePoint(parseInt(x ?? u ?? long, 16)) : codes[short],
  );
}

testIn("a folder that cannot be named is told once, with what is in it", async ({ world, dir }) => {
  for (let n = 0; n < 5; n++) put(dir, `bad\\folder/sub/${n}`, "x");
  put(dir, "nul/a", "x");
  put(dir, "nul/b", "x");
  const { entries, skipped, warnings } = await importDir(dir, world);
  assert.deepEqual(entries, ["put /nul/a", "put /nul/b"]);
  assert.equal(skipped, 1);
  assert.equal(warnings.length, 2);
  assert.match(warnings[0], /"bad\\folder": .*backslash.* everything below/);
  assert.match(warnings[1], /^"nul" .*Windows/);
});

/** Folders, files and links, by path; a link has what it points at. */
const tree = (dir: string, files: readonly string[], links: Record<string, string>) => {
  for (const path of files) put(dir, path, path);
  for (const [path, to] of Object.entries(links)) Deno.symlinkSync(to, join(dir, path));
};

testIn("links to folders inside are followed, loops are told", async ({ world, dir }) => {
  tree(dir, ["real/a", "real/sub/b", "other/c"], {
    "linked": "real",
    "also": "real/sub",
    "real/up": "..",
    "real/self": ".",
    "real/sub/back": "../..",
    "other/across": "../real",
    "real/over": "../other",
  });
  const { entries, warnings } = await importDir(dir, world);
  const live = entries.map((entry) => entry.slice("put ".length));
  for (const path of ["/linked/a", "/linked/sub/b", "/also/b", "/other/across/a", "/real/over/c"]) {
    assert.ok(live.includes(path), path);
  }
  // No path goes through the same folder twice.
  assert.ok(live.every((path) => !/(up|self|back)\//.test(path)), live.join(" "));
  assert.ok(live.every((path) => !/across.*over|over.*across/.test(path)), live.join(" "));
  for (const name of ["real/up", "real/self", "real/sub/back", "other/across/over"]) {
    assert.equal(warnings.filter((text) => text.includes(`"${name}": leads to`)).length, 1, name);
  }
  later(world);
  const again = await importDir(dir, world);
  assert.deepEqual([again.entries, again.same], [[], entries.length]);
});

testIn("folders full of links to each other do not multiply", async ({ world, dir }) => {
  const names = Array.from({ length: 12 }, (_, n) => `${n}`);
  const files = names.map((name) => `${name}/file`);
  const links: Record<string, string> = {};
  for (const name of names) {
    for (const other of names) if (name !== other) links[`${name}/to ${other}`] = `../${other}`;
  }
  tree(dir, files, links);
  // Without a limit there would be a path for each order of the twelve.
  const { put: puts, skipped } = await importDir(dir, world);
  assert.equal(puts, 12 + 12 * 11 + 12);
  assert.ok(skipped > 0);
});

testIn(
  "a link to a folder that leads out later takes its files out of the archive",
  async (place) => {
    const { temp, world, dir } = place;
    put(temp.path, "outside/secret", "secret");
    tree(dir, ["real/a"], { linked: "real" });
    await importDir(dir, world);
    Deno.removeSync(join(dir, "linked"));
    Deno.symlinkSync("../outside", join(dir, "linked"));
    const { entries, skipped } = await importDir(dir, world);
    assert.deepEqual([entries, skipped], [["del /linked/a"], 1]);
  },
);
