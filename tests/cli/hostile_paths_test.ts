/**
 * A validly signed archive full of paths that its owner should not have: cloned over loopback, none
 * of them leads out of the folder or into its `.dat`, and none disappears without a word.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { toUtf8 } from "../../src/base/bytes.ts";
import { printable } from "../../src/base/format.ts";
import { archiveBytes } from "../support/archives.ts";
import { CraftedArchive } from "../support/crafted_archive.ts";
import { serveArchive } from "../support/serve_archive.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { type JsonLine, runIn, TestWorld } from "../support/test_world.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const deep = (names: number, length: number) => `/${"d".repeat(length)}`.repeat(names);

/** Paths that are refused on every system. */
const REFUSED: readonly string[] = [
  // Out of the folder.
  ...["/../outside", "/../../outside", "/sub/../../outside", "/../copy/x"],
  ...["/...//../outside", "/sub/../.dat/metadata.key", "/sub/..", "/..", "/./.dat/metadata.key"],
  // Absolute, and nothing at all.
  ...["//etc/outside", "///outside", "/tmp//outside", "//home"],
  // Names that are none.
  ...["/./here", "/here/.", "/a//b", "/a/./b", "/a//c/"],
  ...["/zero\0byte", "/zero.txt\0.png", "/.dat\0/metadata.key"],
  // Into .dat, in disguise.
  ...[
    "/.dat/metadata.key",
    "/.dat/content.key",
    "/.dat/trove.staging/0",
    "/.dat/new/file",
    "/.dat",
  ],
  ...["/.DAT/metadata.key", "/.Dat/metadata.key", "/.dAt/secret", "/.dat./metadata.key"],
  ...["/.dat /metadata.key", "/.dat. . /x", "/.d\u200cat/metadata.key", "/\ufeff.dat/x"],
  ...["/.da\u200et/x", "/.\u2060dat/x", "/.DAT\u202e/x"],
  // Backslashes and what they mean elsewhere.
  ...["/..\\outside", "/..\\..\\outside", "/\\\\server\\share\\x", "/C:\\outside", "/sub\\file"],
  ...["/.dat\\metadata.key", "/..\\.dat\\metadata.key"],
  // Too long for any disk.
  ...[
    `/${"n".repeat(256)}`,
    `/${"\u00e9".repeat(128)}`,
    `/fine/${"n".repeat(300)}/x`,
    deep(17, 250),
  ],
];

/** Paths that some systems cannot hold and this one can: written, and inside. */
const WRITTEN: readonly string[] = [
  ...["/C:/outside", "/c:outside", "/con", "/NUL.txt", "/com1.log", "/aux/x", "/lpt\u00b9"],
  ...["/trailing.", "/trailing ", "/trailing. /x", "/file:stream", "/question?", "/star*", "/<>|"],
  ...[
    "/~/x",
    "/~root",
    "/$HOME/x",
    "/`id`",
    "/-rf",
    "/%2e%2e/x",
    "/..%2foutside",
    "/....",
    "/.. x",
  ],
  ...[
    "/sub/.dat/metadata.key",
    "/.dat2/x",
    "/xdat",
    "/.datignore",
    "/new\nline",
    "/\u001b[2Jclear",
  ],
  ...[
    "/\u202egnp.exe",
    "/Case",
    "/case",
    "/CASE/x",
    "/caf\u00e9",
    "/cafe\u0301",
    `/${"n".repeat(255)}`,
  ],
  ...["/\u{1F980}", "/__proto__", "/constructor/x", "/nbsp\u00a0"],
];

/** Put a path as it is: a writer would leave out a slash at the end. */
function putAsIs(owner: CraftedArchive, path: string, text: string): void {
  if (!path.endsWith("/")) return void owner.put(path, text);
  owner.put(`${path.slice(0, -1)}#`, text, {}, (entry) => {
    const altered = entry.slice();
    altered[altered.indexOf("#".charCodeAt(0))] = "/".charCodeAt(0);
    return altered;
  });
}

const relative = (path: string) => path.slice(1);

/** Everything in a folder by relative path, links not followed; without `.dat`. */
function filesOf(folder: string, below = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of Deno.readDirSync(join(folder, below))) {
    const path = below + entry.name;
    if (path === ".dat") continue;
    assert.ok(!entry.isSymlink, path);
    if (!entry.isDirectory) found.set(path, Deno.readTextFileSync(join(folder, path)));
    else for (const [inside, text] of filesOf(folder, `${path}/`)) found.set(inside, text);
  }
  return found;
}

const warnings = (json: readonly JsonLine[]): string[] =>
  json.filter(({ event, code }) => event === "warning" && code === "refused")
    .map(({ message }) => message);

/** Clone what `owner` has into `copy`, with everything around it watched. */
async function cloneCrafted(temp: TempFolder, owner: CraftedArchive, ...extra: string[]) {
  const server = new TestWorld(temp, { home: "server", running: true });
  await using served = serveArchive(owner.archive, server);
  const world = new TestWorld(temp, { home: "home of cloner", running: true });
  const args = ["clone", served.link, "copy", "--peer", served.address, "--json", ...extra];
  return await runIn(world, ...args);
}

for (const extra of [[], ["--history"]]) {
  const what = extra.length === 0 ? "a clone" : "a clone with history";
  Deno.test(`${what} of ${REFUSED.length + WRITTEN.length} hostile paths stays in its folder`, async () => {
    using temp = tempFolder();
    using owner = new CraftedArchive(temp, { history: true });
    owner.put("/before", "before");
    for (const path of REFUSED) putAsIs(owner, path, `content of ${JSON.stringify(path)}`);
    for (const path of WRITTEN) owner.put(path, `content of ${JSON.stringify(path)}`);
    owner.put("/zzz/after", "after");
    const around = [...Deno.readDirSync(temp.path)].map(({ name }) => name);
    const { code, json, stderr } = await cloneCrafted(temp, owner, ...extra);
    assert.equal(code, 1, stderr);
    assert.deepEqual([json.at(-1)!.event, json.at(-1)!.code], ["error", "failure"]);

    // Nothing beside the copy, and in it exactly what may be there.
    assert.deepEqual(
      [...Deno.readDirSync(temp.path)].map(({ name }) => name).sort(),
      [...around, "copy", "server", "home of cloner"].sort(),
    );
    const expected = new Map([["before", "before"], ["zzz/after", "after"]]);
    for (const path of WRITTEN) expected.set(relative(path), `content of ${JSON.stringify(path)}`);
    const found = filesOf(temp.join("copy"));
    assert.deepEqual([...found.keys()].sort(), [...expected.keys()].sort());
    for (const [path, text] of expected) assert.equal(found.get(path), text, path);

    // Each of the others is named in a warning.
    const told = warnings(json);
    for (const path of REFUSED) {
      assert.ok(told.some((text) => text.startsWith(`Cannot write "${path}"`)), printable(path));
    }
    assert.equal(told.length, REFUSED.length);
    assert.match(json.at(-1)!.message, new RegExp(`Cannot write ${REFUSED.length} of`));

    // The feeds are whole.
    const { publicKey } = owner.archive.metadata;
    const dat = archiveBytes(temp.join("copy"));
    assertSameBytes(Deno.readFileSync(temp.join("copy", ".dat", "metadata.key")), publicKey);
    assert.ok([...Object.keys(dat)].every((name) => !name.includes("secret")));
  });
}

Deno.test("names that are not UTF-8 are written under the name they read as", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp, { history: true });
  // Half a surrogate pair, as a careless program may write it: bytes that are no UTF-8.
  const placeholder = toUtf8("\ue000");
  const lone = new Uint8Array([0xed, 0xa0, 0x80]);
  owner.put("/half\ue000", "half", {}, (entry) => {
    const altered = entry.slice();
    const at = altered.findIndex((_, i) => placeholder.every((byte, n) => altered[i + n] === byte));
    altered.set(lone, at);
    return altered;
  });
  owner.put("/other", "other");
  const { code } = await cloneCrafted(temp, owner);
  assert.equal(code, 0);
  assert.deepEqual(
    filesOf(temp.join("copy")),
    new Map([["half\ufffd\ufffd\ufffd", "half"], ["other", "other"]]),
  );
});

Deno.test("a file and a folder of one name, and a name without a slash, are told", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp, { history: true });
  owner.put("/one/inside", "inside");
  owner.put("/one/deep/er", "deeper");
  owner.put("/one", "a file");
  // An entry whose name begins without a slash.
  owner.put("/two", "no slash", {}, (entry) => {
    const altered = entry.slice();
    altered[altered.indexOf("/".charCodeAt(0))] = "x".charCodeAt(0);
    return altered;
  });
  owner.put("/fine", "fine");
  const { code, json } = await cloneCrafted(temp, owner);
  assert.equal(code, 1);
  assert.deepEqual(filesOf(temp.join("copy")), new Map([["fine", "fine"], ["one", "a file"]]));
  const told = warnings(json);
  for (const path of ["/one/inside", "/one/deep/er", "xtwo"]) {
    assert.ok(told.some((text) => text.startsWith(`Cannot write "${path}"`)), path);
  }
  assert.equal(told.length, 3);
});

Deno.test("a path that is too long with its folder is refused, and the rest arrives", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp, { history: true });
  // Alone it would fit; behind the folder's own name it does not.
  const long = deep(16, 254) + "/end";
  owner.put(long, "long");
  owner.put("/fine", "fine");
  const { code, json } = await cloneCrafted(temp, owner);
  assert.equal(code, 1);
  assert.deepEqual(filesOf(temp.join("copy")), new Map([["fine", "fine"]]));
  assert.match(warnings(json)[0], /with its folder it has more than \d+ bytes/);
});

/** Where somebody puts a link while files arrive, and how it is to be noticed. */
const SWAPS = ["sub", "sub/deep", ".dat/trove.staging"];

for (const extra of [[], ["--history"]]) {
  for (const swapped of SWAPS) {
    Deno.test(`a link that takes the place of ${swapped} while files come${extra.join("")} is not followed`, async () => {
      using temp = tempFolder();
      using owner = new CraftedArchive(temp, { history: true });
      for (let n = 0; n < 40; n++) owner.put(`/sub/deep/f${n}`, `${n} `.repeat(5000));
      const outside = temp.folder("outside");
      // Whatever name it may look for there, and what it could do to such a file.
      const names = Array.from({ length: 50 }, (_, n) => [`f${n}`, `${n}`, `${n}.file`]).flat();
      for (const name of names) Deno.writeTextFileSync(join(outside, name), "precious");
      const modes = () => names.map((name) => Deno.statSync(join(outside, name)).mode);
      const before = modes();
      // After the plan was made and before the last file is named: when the tenth file gets its name.
      const { renameSync } = Deno;
      let named = 0;
      Deno.renameSync = (from, to) => {
        renameSync(from, to);
        if (!/f\d+$/.test(String(to)) || ++named !== 10) return;
        const place = temp.join("copy", ...swapped.split("/"));
        renameSync(place, temp.join("moved away"));
        Deno.symlinkSync(outside, place);
      };
      let ran;
      try {
        ran = await cloneCrafted(temp, owner, ...extra);
      } finally {
        Deno.renameSync = renameSync;
      }
      assert.equal(named, 10, "it ends there");
      assert.equal(ran.code, 6, ran.stderr);
      assert.match(ran.json.at(-1)!.message, /symbolic link|changed meanwhile/);
      assert.deepEqual([...Deno.readDirSync(outside)].length, names.length);
      assert.deepEqual(modes(), before);
      for (const name of names) {
        assert.equal(Deno.readTextFileSync(join(outside, name)), "precious");
      }
    });
  }
}

Deno.test("a file that has others below its path is told of, and does not disappear silently", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp, { history: true });
  owner.put("/dir", "a file");
  owner.put("/dir/below", "below it");
  owner.put("/other", "another");
  const server = new TestWorld(temp, { home: "home of server", running: true });
  await using served = serveArchive(owner.archive, server);
  const world = new TestWorld(temp, { home: "home of cloner", running: true });
  const args = ["clone", served.link, "copy", "--peer", served.address, "--json"];
  const { code, json } = await runIn(world, ...args);
  assert.equal(code, 1);
  const told = json.filter((line) => line.code === "refused").map(({ message }) => message);
  assert.deepEqual(told, ['Cannot write "/dir": there is something below it']);
  assert.equal(Deno.readTextFileSync(join(temp.join("copy"), "dir", "below")), "below it");
  assert.equal(Deno.readTextFileSync(join(temp.join("copy"), "other")), "another");
});
