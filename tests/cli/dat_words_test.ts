/** What dat's users are used to: a link or a folder alone, and dat's options, in this process. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { delay } from "../../src/io/pause.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { type JsonLine, runIn, type Shared, shareIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

const FILES = [
  { path: "a.txt", size: 10 },
  { path: "b,c.txt", size: 10 },
  { path: "big", size: 200_000 },
  { path: "sub/d.txt", size: 5 },
];

class Scene implements AsyncDisposable {
  readonly reader: TestWorld;

  private constructor(
    readonly temp: TempFolder,
    readonly dir: string,
    readonly shared: Shared,
  ) {
    this.reader = new TestWorld(temp, { home: "reader", running: true });
  }

  static async begin(temp: TempFolder): Promise<Scene> {
    const dir = temp.folder("photos");
    writeTree(dir, FILES, "first");
    return new Scene(temp, dir, await shareIn(new TestWorld(temp), dir));
  }

  /** Run the reader's command, which has to end well. */
  async run(...args: string[]): Promise<JsonLine[]> {
    const from = ["--peer", this.shared.address, "--timeout", "20s", "--json"];
    const { code, json, stderr } = await runIn(this.reader, ...args, ...from);
    assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
    return json;
  }

  clone(dir: string, ...extra: string[]): Promise<JsonLine[]> {
    return this.run("clone", this.shared.link, this.temp.join(dir), ...extra);
  }

  /** Names in a folder of the reader's, without `.dat`. */
  names(dir: string): string[] {
    return [...Deno.readDirSync(this.temp.join(dir))].map(({ name }) => name)
      .filter((name) => name !== ".dat").sort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shared[Symbol.asyncDispose]();
  }
}

Deno.test("a folder alone is shared, and one that has an archive goes on", async () => {
  using temp = tempFolder();
  const dir = temp.folder("photos");
  writeTree(dir, FILES, "first");
  const links: string[] = [];
  for (let run = 0; run < 2; run++) {
    const world = new TestWorld(temp, { running: true });
    const code = world.run(dir, "--host", "127.0.0.1", "--port", "0", "--json");
    links.push((await world.stdout.event("archive")).link);
    await world.stdout.event("listening");
    world.raise("SIGINT");
    assert.equal(await code, 0, world.stderr.text);
  }
  assert.equal(links[0], links[1]);
});

Deno.test("a link alone is cloned into a folder of its key, and followed", async () => {
  using temp = tempFolder();
  await using scene = await Scene.begin(temp);
  const { link, address } = scene.shared;
  for (let run = 0; run < 2; run++) {
    const world = new TestWorld(temp, { home: "reader", running: true });
    const args = [link, "--peer", address, "--host", "127.0.0.1", "--port", "0", "--json"];
    const code = world.run(...args);
    const { dir } = await world.stdout.event("archive");
    assert.equal(basename(dir), link.slice("dat://".length));
    const { version } = await world.stdout.event("synced");
    assert.equal(version, 4);
    world.raise("SIGINT");
    assert.equal(await code, 0, world.stderr.text);
    assertSameTree(digestTree(dir), digestTree(scene.dir));
    // A folder that is a clone is followed when it is named alone.
    if (run === 0) continue;
    const again = new TestWorld(temp, { home: "reader", running: true });
    const followed = again.run(dir, ...args.slice(1));
    await again.stdout.event("synced");
    again.raise("SIGINT");
    assert.equal(await followed, 0, again.stderr.text);
  }
});

Deno.test("bare digits are the folder of that name where there is one", async () => {
  using temp = tempFolder();
  await using scene = await Scene.begin(temp);
  const key = scene.shared.link.slice("dat://".length);
  await scene.clone(key);
  for (
    const args of [["status", key], ["log", key], ["cat", `${key}/a.txt`], ["ls", `${key}/sub`]]
  ) {
    const { code, stderr } = await runIn(scene.reader, ...args);
    assert.deepEqual([code, args], [0, args], stderr);
  }
  assert.equal((await runIn(scene.reader, "status", `dat://${key}`)).code, 2);
});

Deno.test("what is no folder and no link is an unknown command, and a command wins", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const unknown = await runIn(world, "stauts");
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /status/);
  temp.folder("status");
  assert.equal((await runIn(world, "status")).code, 9);
  assert.deepEqual([...Deno.readDirSync(temp.join("status"))], []);
  Deno.writeTextFileSync(temp.join("notes"), "x");
  assert.equal((await runIn(world, "notes")).code, 2);
});

Deno.test("-v alone is the version", async () => {
  using temp = tempFolder();
  const { code, stdout } = await runIn(new TestWorld(temp), "-v");
  assert.deepEqual([code, stdout], [0, "1.2.3-test\n"]);
});

Deno.test("clone --sparse and --empty fetch the list of files, and more when that is asked for", async () => {
  using temp = tempFolder();
  await using scene = await Scene.begin(temp);
  for (const option of ["--sparse", "--empty"]) {
    const dir = option.slice(2);
    const synced = (await scene.clone(dir, option)).at(-1)!;
    assert.deepEqual([synced.event, synced.files, synced.version], ["synced", 0, 4]);
    assert.deepEqual(scene.names(dir), []);
    await scene.run("pull", temp.join(dir));
    assert.deepEqual(scene.names(dir), [], "it stays so");
    const { stdout } = await runIn(scene.reader, "status", temp.join(dir));
    assert.match(stdout, /only +nothing \(4 files not selected\)/);
    await scene.run("pull", temp.join(dir), "--select", "a.txt");
    assert.deepEqual(scene.names(dir), ["a.txt"]);
    await scene.run("pull", temp.join(dir), "--select", "**");
    assertSameTree(digestTree(temp.join(dir)), digestTree(scene.dir));
  }
});

Deno.test("--select takes a list as dat does, and a file with one", async () => {
  using temp = tempFolder();
  await using scene = await Scene.begin(temp);
  await scene.clone("listed", "--select", "a.txt,sub");
  assert.deepEqual(scene.names("listed"), ["a.txt", "sub"]);
  await scene.clone("braces", "--select", "{a.txt,big}");
  assert.deepEqual(scene.names("braces"), ["a.txt", "big"]);
  await scene.clone("escaped", "--select", "b\\,c.txt");
  assert.deepEqual(scene.names("escaped"), ["b,c.txt"]);
  Deno.writeTextFileSync(temp.join("list"), "b,c.txt\n\n/sub\r\n");
  await scene.clone("file", "--selectFromFile", temp.join("list"));
  assert.deepEqual(scene.names("file"), ["b,c.txt", "sub"]);
  await scene.clone("both", "--select-from-file", temp.join("list"), "--select", "big");
  assert.deepEqual(scene.names("both"), ["big"]);
  const args = ["clone", scene.shared.link, temp.join("x"), "--select-from-file", "nowhere"];
  const { code, stderr } = await runIn(scene.reader, ...args, "--peer", scene.shared.address);
  assert.equal(code, 2);
  assert.match(stderr, /there is no such file/);
});

Deno.test("clone --no-exit stays, and --http shows what it has", async () => {
  using temp = tempFolder();
  await using scene = await Scene.begin(temp);
  const { reader, shared } = scene;
  const args = ["clone", shared.link, temp.join("copy"), "--no-exit", "--http=0"];
  const where = ["--host", "127.0.0.1", "--port", "0", "--peer", shared.address, "--json"];
  const code = reader.run(...args, ...where);
  const { url } = await reader.stdout.event("http");
  await reader.stdout.event("synced");
  const text = await (await fetch(new URL("/a.txt", url))).text();
  assert.equal(text, Deno.readTextFileSync(join(scene.dir, "a.txt")));
  reader.raise("SIGINT");
  assert.equal(await code, 0, reader.stderr.text);
});

Deno.test("clone --version ends at that version, or fails and leaves nothing", async () => {
  using temp = tempFolder();
  await using scene = await Scene.begin(temp);
  const { link, address } = scene.shared;
  assert.equal((await scene.clone("exact", "--version", "4")).at(-1)!.version, 4);
  assert.equal((await scene.run("clone", `${link}+4`, temp.join("linked"))).at(-1)!.version, 4);
  const args = ["clone", link, temp.join("old"), "--version", "2", "--peer", address];
  const { code, stderr } = await runIn(scene.reader, ...args);
  assert.equal(code, 9);
  assert.match(stderr, /Cannot have version 2/);
  assert.ok(!existsSync(temp.join("old/a.txt")));
});

Deno.test("pull --exit waits for what is new, and ends when it is here", async () => {
  using temp = tempFolder();
  const dir = temp.folder("photos");
  writeTree(dir, FILES, "first");
  const owner = new TestWorld(temp, { running: true });
  const sharing = owner.run("share", dir, "--host", "127.0.0.1", "--port", "0", "--json");
  const [{ link }, { port }] = await Promise.all([
    owner.stdout.event("archive"),
    owner.stdout.event("listening"),
  ]);
  const peer = ["--peer", `127.0.0.1:${port}`, "--json"];
  const copy = temp.join("copy");
  const reader = new TestWorld(temp, { home: "reader", running: true });
  assert.equal((await runIn(reader, "clone", link, copy, ...peer)).code, 0);
  // Nothing comes: it is over when the time is, and that is no failure.
  const quiet = await runIn(reader, "pull", copy, "--exit=1", ...peer);
  assert.equal(quiet.code, 0, quiet.stderr);
  assert.deepEqual(quiet.json.filter(({ event }) => event === "synced").length, 1);
  const waiting = new TestWorld(temp, { home: "reader", running: true });
  const code = waiting.run("pull", copy, "--exit=30s", ...peer);
  // What peers have was here at first; the second link is there to wait.
  await waiting.stdout.waitFor(({ text }) => text.split('"connected"').length > 2 || undefined);
  Deno.writeTextFileSync(join(dir, "new"), "new");
  assert.equal(await code, 0, waiting.stderr.text);
  assert.equal(Deno.readTextFileSync(join(copy, "new")), "new");
  owner.raise("SIGINT");
  assert.equal(await sharing, 0);
});

Deno.test("--no-upload gives nobody anything of what is here", async () => {
  using temp = tempFolder();
  await using scene = await Scene.begin(temp);
  await scene.clone("copy");
  for (const [option, code] of [["--upload", 0], ["--no-upload", 130]] as const) {
    const holder = new TestWorld(temp, { home: "reader", running: true });
    const socket = temp.join(`socket${option}`);
    // The holder dials out: where nobody is served, nobody is listened to.
    const other = new TestWorld(temp, { home: "third", running: true });
    const into = temp.join(`third${option}`);
    const where = ["--host", `unix:${socket}`, "--live", "--timeout", "1m"];
    const asking = other.run("clone", scene.shared.link, into, ...where);
    const told = (what: RegExp) => other.stderr.waitFor(({ text }) => what.test(text) || undefined);
    await told(/Listening/);
    const holding = holder.run("sync", temp.join("copy"), option, "--peer", `unix:${socket}`);
    await told(/connected/);
    await (code === 0 ? told(/Complete/) : delay(500));
    other.raise("SIGINT");
    assert.equal(await asking, code, option);
    assert.equal(/Complete/.test(other.stderr.text), code === 0);
    holder.raise("SIGINT");
    await holding;
  }
});

Deno.test("sync takes what is about imports of an owner, and about downloads of others", async () => {
  using temp = tempFolder();
  await using scene = await Scene.begin(temp);
  await scene.clone("copy");
  const copy = temp.join("copy");
  const mine = temp.folder("mine");
  writeTree(mine, [{ path: ".hidden", size: 3 }], "mine");
  assert.equal((await runIn(scene.reader, "create", mine, "--yes")).code, 0);
  const where = ["--host", "127.0.0.1", "--port", "0", "--timeout", "1ms", "--json"];
  const owned = await runIn(
    scene.reader,
    "sync",
    mine,
    "--no-ignoreHidden",
    "--no-watch",
    ...where,
  );
  assert.equal(owned.code, 0, owned.stderr);
  assert.equal(owned.json.find(({ event }) => event === "imported")!.put, 1);
  for (const option of ["--sparse", "--no-upload", "--select=a"]) {
    assert.equal((await runIn(scene.reader, "sync", mine, option, ...where)).code, 2, option);
  }
  for (const option of ["--no-import", "--no-watch", "--no-ignore-hidden"]) {
    assert.equal((await runIn(scene.reader, "sync", copy, option, ...where)).code, 2, option);
  }
});

Deno.test("peers lists who was named, and what they answer", async () => {
  using temp = tempFolder();
  await using scene = await Scene.begin(temp);
  const { link, address } = scene.shared;
  const named = ["--peer", address, "--peer", "127.0.0.1:1"];
  const { code, json } = await runIn(scene.reader, "peers", link, ...named, "--json");
  assert.equal(code, 0);
  const results = Object.fromEntries(json.map(({ address, result }) => [address, result]));
  assert.deepEqual(results, { [address]: "has", "127.0.0.1:1": "silent" });
  // A clone remembers who had it.
  await scene.clone("copy");
  const remembered = await runIn(scene.reader, "peers", temp.join("copy"));
  assert.equal(remembered.code, 0);
  assert.match(remembered.stdout, new RegExp(`^${address} +worked before +it answered`));
  const nobody = ["peers", `dat://${"cd".repeat(32)}`];
  assert.equal((await runIn(scene.reader, ...nobody, "--peer", "127.0.0.1:1")).code, 3);
  assert.equal((await runIn(scene.reader, ...nobody)).code, 2);
});
