/** Commands that look at an archive by its link, in this process over loopback. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { folderOf, isLink, isLinkOrName, pathIn } from "../../src/cli/links.ts";
import { assertSameBytes } from "../support/same_bytes.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { TemporaryFolders } from "../support/temporary_folders.ts";
import { type JsonLine, runIn, type Shared, shareIn, TestWorld } from "../support/test_world.ts";
import { writeTree } from "../support/trees.ts";

const KEY = "ab".repeat(32);

const FILES = [{ path: "a b.txt", size: 10 }, { path: "big", size: 300_000 }, {
  path: "sub/c",
  size: 5,
}];

/** A folder that is shared, and somebody who has nothing of it. */
async function scene(temp: TempFolder): Promise<{ dir: string; shared: Shared; world: TestWorld }> {
  const dir = temp.folder("photos");
  writeTree(dir, FILES, "first");
  const shared = await shareIn(new TestWorld(temp), dir);
  return { dir, shared, world: new TestWorld(temp, { home: "reader", running: true }) };
}

Deno.test("a link is told from a folder, and its path from the rest", () => {
  for (
    const text of [KEY, `dat://${KEY}`, `${KEY}+3`, `dat://${KEY}+3/a`, `https://x.org/${KEY}`]
  ) {
    assert.ok(isLink(text), text);
  }
  for (const text of ["photos", `backup-${KEY}`, `./${KEY}`, "dat://example.org", "example.org"]) {
    assert.ok(!isLink(text), text);
  }
  assert.ok(isLinkOrName("dat://example.org/a"));
  assert.ok(!isLinkOrName("example.org"));
  assert.equal(pathIn(`dat://${KEY}`), "/");
  assert.equal(pathIn(`dat://${KEY}+3/a%20b/c?x#y`), "/a b/c");
  assert.equal(pathIn(`${KEY}/50%`), "/50%");
  assert.equal(folderOf(`dat://${KEY.toUpperCase()}+3/a`), KEY);
  assert.equal(folderOf("dat://example.org/a"), "example.org");
});

Deno.test("ls, log, status, cat, diff and export take a link, and leave nothing behind", async () => {
  using temp = tempFolder();
  const { dir, shared, world } = await scene(temp);
  await using _sharing = shared;
  using folders = new TemporaryFolders();
  const { link } = shared;
  const run = async (...args: string[]): Promise<JsonLine[]> => {
    const ran = await runIn(world, ...args, "--peer", shared.address, "--json");
    assert.equal(ran.code, 0, ran.stderr);
    return ran.json;
  };
  const paths = (lines: JsonLine[]) => lines.map(({ path }) => path);
  assert.deepEqual(paths(await run("ls", "-r", link)), ["/a b.txt", "/big", "/sub/c"]);
  assert.deepEqual(paths(await run("ls", `${link}/sub`)), ["/sub/c"]);
  assert.deepEqual(paths(await run("ls", "-r", `${link}+1`)), ["/a b.txt"]);
  assert.deepEqual(paths(await run("ls", "-r", link, "--version", "1")), ["/a b.txt"]);
  assert.deepEqual(paths(await run("log", link, "--since", "1")), ["/big", "/sub/c"]);
  assert.deepEqual(paths(await run("diff", "1", "2", link)), ["/big"]);
  const [{ version, files, bytes, writable, dir: folder }] = await run("status", link);
  assert.deepEqual([version, files, bytes, writable, folder], [3, 3, 300_015, false, undefined]);
  const here = (await runIn(world, "cat", join(dir, "big"), "--json")).json[0].sha256;
  assert.equal((await run("cat", `${link}/big`))[0].sha256, here);
  const ran = await runIn(world, "cat", `${link}/a%20b.txt`, "--peer", shared.address);
  assert.equal(ran.code, 0, ran.stderr);
  assertSameBytes(world.stdout.bytes, Deno.readFileSync(join(dir, "a b.txt")));
  const both = await run("cat", `${link}/big`, `${link}/a%20b.txt`, `${link}/big`);
  assert.deepEqual(paths(both), ["/big", "/a b.txt", "/big"]);
  assert.deepEqual([both[0].sha256, both[2].sha256], [here, here]);
  const [one, other] = [temp.join("1.tar"), temp.join("2.tar")];
  await run("export", link, "-o", one);
  assert.equal((await runIn(world, "export", dir, "-o", other)).code, 0);
  assertSameBytes(Deno.readFileSync(one), Deno.readFileSync(other));
  folders.assertGone();
  assert.deepEqual([...Deno.readDirSync(world.homeFolder!)], []);
});

Deno.test("a link whose archive, version or path cannot be had ends with a code that says why", async () => {
  using temp = tempFolder();
  const { shared, world } = await scene(temp);
  await using _sharing = shared;
  using folders = new TemporaryFolders();
  const { link, address } = shared;
  for (
    const [code, ...args] of [
      [9, "cat", `${link}/nothing`, "--peer", address],
      [2, "cat", `${link}/sub`, "--peer", address],
      [9, "ls", `${link}+99`, "--peer", address],
      [2, "cat", `${link}/big`, "photos/big", "--peer", address],
      [2, "diff", "1", link, "--peer", address],
      [2, "ls", link],
      [3, "ls", `dat://${KEY}`, "--peer", address, "--timeout", "2s"],
      [3, "log", link, "--peer", "127.0.0.1:1", "--timeout", "100ms"],
    ] as const
  ) {
    const ran = await runIn(world, ...args);
    assert.deepEqual([ran.code, args], [code, args], ran.stderr);
  }
  folders.assertGone();
});

Deno.test("Ctrl-C ends what reads a link, and takes everything away", async () => {
  using temp = tempFolder();
  using folders = new TemporaryFolders();
  const world = new TestWorld(temp, { running: true });
  const code = world.run("ls", `dat://${KEY}`, "--peer", "127.0.0.1:1", "--timeout", "1m");
  await world.stderr.waitFor(({ text }) => /connection refused/.test(text) || undefined);
  world.raise("SIGINT");
  assert.equal(await code, 130);
  folders.assertGone();
});

Deno.test("log --live goes on with every change, of a folder and of a link", async () => {
  using temp = tempFolder();
  const dir = temp.folder("photos");
  writeTree(dir, FILES, "first");
  const owner = new TestWorld(temp, { running: true });
  const where = ["--host", "127.0.0.1", "--port", "0", "--json"];
  const sharing = owner.run("share", dir, ...where);
  const [{ link }, { port }] = await Promise.all([
    owner.stdout.event("archive"),
    owner.stdout.event("listening"),
  ]);
  const local = new TestWorld(temp, { running: true });
  const remote = new TestWorld(temp, { home: "reader", running: true });
  const codes = [
    local.run("log", dir, "--live", "--json"),
    remote.run("log", link, "--live", "--json", "--peer", `127.0.0.1:${port}`),
  ];
  const until = (world: TestWorld, version: number) =>
    world.stdout.waitFor(({ lines }) =>
      lines.map((line) => JSON.parse(line)).find((line) => line.version === version)
    );
  await Promise.all([until(local, 3), until(remote, 3)]);
  Deno.writeTextFileSync(join(dir, "new"), "new");
  for (const world of [local, remote]) {
    const { event, type, path } = await until(world, 4);
    assert.deepEqual([event, type, path], ["log", "put", "/new"]);
    world.raise("SIGINT");
  }
  assert.deepEqual(await Promise.all(codes), [0, 0]);
  assert.equal(remote.stdout.lines.length, 4);
  owner.raise("SIGINT");
  assert.equal(await sharing, 0);
});
