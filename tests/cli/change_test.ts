/** `put`, `rm`, `cp` and `mv`: single paths of an archive of one's own; and `purge`. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { secretKeyFile } from "../support/archives.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, shareIn, TestWorld } from "../support/test_world.ts";
import { writeTree } from "../support/trees.ts";

const FILES = [{ path: "a.txt", size: 10 }, { path: "sub/b.txt", size: 20 }];

async function photos(temp: TempFolder) {
  const dir = temp.folder("photos");
  writeTree(dir, FILES, "first");
  const world = new TestWorld(temp);
  const { json } = await runIn(world, "share", dir, "--exit", "--json");
  const [{ link, discoveryKey }] = json;
  /** Paths of the newest version. */
  const list = async () => {
    const { json } = await runIn(world, "ls", "-r", dir, "--json");
    return json.map(({ path }) => path);
  };
  /** Run a command that has to end well, some time later; gives the version it made. */
  const run = async (...args: string[]) => {
    world.clock.wallMs += 60_000;
    const { code, json, stderr } = await runIn(world, ...args, "--json");
    assert.equal(code, 0, stderr);
    return json.at(-1)!.version;
  };
  return { dir, world, link, discoveryKey, list, run };
}

Deno.test("share --exit imports, tells, and ends without serving anybody", async () => {
  using temp = tempFolder();
  const { dir, world, list } = await photos(temp);
  assert.deepEqual(await list(), ["/a.txt", "/sub/b.txt"]);
  const { code, json } = await runIn(world, "share", dir, "--exit", "--json");
  assert.equal(code, 0);
  assert.deepEqual(json.map(({ event }) => event), ["archive", "imported"]);
  for (const other of ["--http", "--until-synced=1", "--no-import", "--stdio"]) {
    assert.equal((await runIn(world, "share", dir, "--exit", other)).code, 2, other);
  }
});

Deno.test("put takes a file or stdin, makes folders, and replaces what is there", async () => {
  using temp = tempFolder();
  const { dir, world, list, run } = await photos(temp);
  const file = temp.join("file");
  Deno.writeTextFileSync(file, "from a file", { mode: 0o640 });
  assert.equal(await run("put", join(dir, "new/deep/c.txt"), file), 3);
  assert.equal(Deno.readTextFileSync(join(dir, "new/deep/c.txt")), "from a file");
  world.stdin.bytes = new TextEncoder().encode("from stdin");
  assert.equal(await run("put", "--dir", dir, "/a.txt"), 4);
  assert.equal(Deno.readTextFileSync(join(dir, "a.txt")), "from stdin");
  assert.equal(await run("put", join(dir, ".hidden"), file), 5);
  assert.deepEqual(await list(), ["/.hidden", "/a.txt", "/new/deep/c.txt", "/sub/b.txt"]);
  // A later import leaves it there: it was meant.
  assert.equal(await run("share", dir, "--exit"), 5);
  assert.equal((await runIn(world, "verify", dir, "--json")).code, 0);
});

Deno.test("put takes in what it is told to, and nothing else of the folder", async () => {
  using temp = tempFolder();
  const { dir, list, run } = await photos(temp);
  Deno.writeTextFileSync(join(dir, "sub/unasked.txt"), "x");
  await run("cp", join(dir, "a.txt"), join(dir, "sub"));
  assert.deepEqual(await list(), ["/a.txt", "/sub/a.txt", "/sub/b.txt"]);
});

Deno.test("put refuses what cannot be, and changes nothing then", async () => {
  using temp = tempFolder();
  const { dir, world } = await photos(temp);
  const file = temp.join("file");
  Deno.writeTextFileSync(file, "x");
  Deno.writeTextFileSync(join(dir, ".datignore"), "*.tmp\n");
  for (
    const [code, ...args] of [
      [2, "put", join(dir, "sub"), file],
      [2, "put", "--dir", dir, "/.dat/x", file],
      [2, "put", "--dir", dir, "/", file],
      [2, "put", join(dir, "a.tmp"), file],
      [9, "put", join(dir, "x"), temp.join("nowhere")],
      [2, "put", join(dir, "x"), dir],
      [9, "put", temp.join("elsewhere"), file],
      [9, "rm", join(dir, "nothing")],
      [9, "rm", join(dir, "a.txt"), join(dir, "nothing")],
      [2, "rm", join(dir, "sub")],
      [2, "rm", "-r", dir],
      [9, "mv", join(dir, "nothing"), join(dir, "x")],
      [2, "cp", join(dir, "sub"), join(dir, "x")],
    ] as const
  ) {
    const ran = await runIn(world, ...args);
    assert.deepEqual([ran.code, args], [code, args], ran.stderr);
    assert.ok(!existsSync(join(dir, ".dat/trove.put")));
  }
  const { json } = await runIn(world, "status", dir, "--json");
  assert.equal(json[0].version, 2);
  assert.ok(existsSync(join(dir, "a.txt")));
});

Deno.test("rm, cp and mv change the folder and the archive alike", async () => {
  using temp = tempFolder();
  const { dir, list, run } = await photos(temp);
  await run("cp", join(dir, "a.txt"), join(dir, "c.txt"));
  assert.deepEqual(await list(), ["/a.txt", "/c.txt", "/sub/b.txt"]);
  await run("mv", join(dir, "sub"), join(dir, "old"));
  assert.deepEqual(await list(), ["/a.txt", "/c.txt", "/old/b.txt"]);
  assert.ok(!existsSync(join(dir, "sub")));
  await run("rm", "-r", join(dir, "old"), join(dir, "c.txt"));
  assert.deepEqual(await list(), ["/a.txt"]);
  assert.ok(!existsSync(join(dir, "old")));
  // What somebody removed by hand is removed from the archive.
  Deno.removeSync(join(dir, "a.txt"));
  await run("rm", join(dir, "a.txt"));
  assert.deepEqual(await list(), []);
});

Deno.test("nobody changes an archive of somebody else's, or one that is served", async () => {
  using temp = tempFolder();
  const { dir, world, link } = await photos(temp);
  const file = temp.join("file");
  Deno.writeTextFileSync(file, "x");
  await using shared = await shareIn(new TestWorld(temp), dir);
  const other = new TestWorld(temp, { home: "other", running: true });
  const copy = temp.join("copy");
  assert.equal((await runIn(other, "clone", link, copy, "--peer", shared.address)).code, 0);
  const theirs = await runIn(other, "put", join(copy, "x"), file);
  assert.equal(theirs.code, 2);
  assert.match(theirs.stderr, /not your own/);
  assert.ok(!existsSync(join(copy, "x")));
  assert.equal((await runIn(world, "put", join(dir, "x"), file)).code, 7);
});

Deno.test("purge asks first, and leaves the files and the secret key", async () => {
  using temp = tempFolder();
  const { dir, world, discoveryKey } = await photos(temp);
  const refused = await runIn(world, "purge", dir);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /--yes/);
  world.stdin.isTerminal = world.stderr.isTerminal = true;
  world.stdin.answers = ["no", "yes"];
  assert.equal((await runIn(world, "purge", dir)).code, 0);
  assert.ok(existsSync(join(dir, ".dat")));
  assert.equal((await runIn(world, "purge", dir)).code, 0);
  assert.match(world.stdin.prompts[1], /\.dat of dat:\/\/.*your own/);
  assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), ["a.txt", "sub"]);
  assert.ok(existsSync(secretKeyFile(world, discoveryKey)));
  assert.equal((await runIn(world, "purge", dir, "--yes")).code, 9);
});
