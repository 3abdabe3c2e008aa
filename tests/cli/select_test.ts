/** Clones of some files only: `--select` and `--exclude`, in this process over loopback. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { mapWorkingFiles } from "../../src/app/checkout.ts";
import { createArchive, openArchive } from "../../src/app/open_archive.ts";
import { copyTree } from "../support/archives.ts";
import { serveArchive } from "../support/serve_archive.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import {
  type JsonLine,
  type Ran,
  runIn,
  type Shared,
  shareIn,
  TestWorld,
} from "../support/test_world.ts";
import { digestTree, writeTree } from "../support/trees.ts";

const FILES = [
  { path: "docs/guide.md", size: 3000 },
  { path: "docs/img/logo", size: 70_000 },
  { path: "notes.txt", size: 40 },
  { path: "photos/2019/a.jpg", size: 150_000 },
  { path: "photos/2019/a.tmp", size: 10 },
  { path: "photos/b.jpg", size: 90_000 },
  { path: "photos/empty", size: 0 },
];

const peerOf = ({ address }: Shared) => ["--peer", address, "--timeout", "20s", "--json"];

/** A folder that is shared, and copies of it. */
class Scene {
  readonly dir: string;
  readonly world: TestWorld;
  #runs = 0;

  constructor(readonly temp: TempFolder) {
    this.dir = temp.folder("folder");
    this.world = new TestWorld(temp, { home: "home of cloner", running: true });
    writeTree(this.dir, FILES, "first");
  }

  share(): Promise<Shared> {
    this.#runs++;
    const owner = new TestWorld(this.temp, { seed: `run ${this.#runs}` });
    owner.clock.wallMs += this.#runs * 60_000;
    return shareIn(owner, this.dir);
  }

  /** Run a command that has to end well. */
  async run(...args: string[]): Promise<Ran> {
    const ran = await runIn(this.world, ...args);
    assert.equal(ran.code, 0, `${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
    return ran;
  }

  clone(shared: Shared, dir: string, ...extra: string[]): Promise<Ran> {
    return this.run("clone", shared.link, dir, ...peerOf(shared), ...extra);
  }

  pull(shared: Shared, dir: string, ...extra: string[]): Promise<Ran> {
    return this.run("pull", dir, ...peerOf(shared), ...extra);
  }

  /** Put files into the shared folder, or take them away. */
  change(files: Readonly<Record<string, string | undefined>>): void {
    for (const [path, text] of Object.entries(files)) {
      if (text === undefined) Deno.removeSync(join(this.dir, path));
      else Deno.writeTextFileSync(join(this.dir, path), text);
    }
  }
}

const filesIn = (dir: string) => [...digestTree(dir).keys()].sort();
const synced = ({ json }: Ran) => json.find(({ event }) => event === "synced")!;
const warnings = ({ json }: Ran) =>
  json.filter(({ event }: JsonLine) => event === "warning").map(({ code }) => code);

/** The content blocks that are here. */
function heldBlocks(world: TestWorld, dir: string): number {
  using archive = openArchive(dir, { world, access: "read" });
  const { content } = archive;
  mapWorkingFiles(archive);
  assert.deepEqual(content!.audit().invalid, []);
  return content!.countHeld(0, content!.length);
}

Deno.test("clone --select fetches and places the chosen files only, and pull keeps to it", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const copy = temp.join("copy");
  const chosen = ["notes.txt", "photos/2019/a.jpg", "photos/b.jpg", "photos/empty"];
  {
    await using shared = await scene.share();
    const options = ["--select", "photos", "--select", "*.txt", "--exclude", "**/*.tmp"];
    const ran = await scene.clone(shared, copy, ...options);
    const { files, bytes, version } = synced(ran);
    assert.deepEqual([files, bytes, version], [4, 240_040, 7]);
    assert.deepEqual(warnings(ran), []);
    assert.deepEqual(filesIn(copy), chosen);
    assert.equal(heldBlocks(scene.world, copy), 3 + 2 + 1);
  }
  writeTree(scene.dir, [{ path: "photos/new.tmp", size: 9 }, { path: "photos/new", size: 9 }], "2");
  scene.change({ "docs/guide.md": "other", "notes.txt": "other", "photos/2019/a.jpg": undefined });
  await using shared = await scene.share();
  await scene.pull(shared, copy);
  assert.deepEqual(filesIn(copy), ["notes.txt", "photos/b.jpg", "photos/empty", "photos/new"]);
  assert.equal(Deno.readTextFileSync(join(copy, "notes.txt")), "other");

  // Everything again, and nothing that was here is fetched once more.
  const wide = await scene.pull(shared, copy, "--select", "**");
  assert.deepEqual(digestTree(copy), digestTree(scene.dir));
  assert.deepEqual(warnings(wide), []);
  assert.equal(synced(wide).downloadedBytes, 70_000 + 5 + 10 + 9);
  await scene.run("verify", copy);
});

Deno.test("a narrower selection deletes nothing, and follows only what the origin deletes", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const copy = temp.join("copy");
  {
    await using shared = await scene.share();
    await scene.clone(shared, copy);
    await scene.pull(shared, copy, "--select", "docs");
    assert.deepEqual(filesIn(copy), filesIn(scene.dir));
    assert.equal(heldBlocks(scene.world, copy), 1 + 2 + 1 + 3 + 1 + 2, "they are still served");
  }
  const old = digestTree(copy);
  scene.change({ "notes.txt": "other", "photos/b.jpg": undefined });
  await using shared = await scene.share();
  assert.deepEqual(warnings(await scene.pull(shared, copy)), []);
  assert.deepEqual(filesIn(copy), filesIn(scene.dir));
  assert.deepEqual(digestTree(copy).get("notes.txt"), old.get("notes.txt"), "it is not updated");
  heldBlocks(scene.world, copy);
  await scene.run("verify", copy);

  // Whoever takes them away to save room is not told that they are missing.
  Deno.removeSync(join(copy, "photos"), { recursive: true });
  assert.match((await scene.run("verify", copy)).stdout, /note: 4 files not selected: docs/);
  assert.equal((await scene.run("diff", copy, "--exit-code")).stdout, "");
  const repaired = await scene.run("repair", copy, "--peer", shared.address);
  assert.deepEqual(filesIn(copy), ["docs/guide.md", "docs/img/logo", "notes.txt"], repaired.stdout);
  await scene.pull(shared, copy);
  assert.equal(heldBlocks(scene.world, copy), 3);
  await scene.pull(shared, copy, "--select", "**");
  assert.deepEqual(digestTree(copy), digestTree(scene.dir));
});

Deno.test("a file of the user's at a path that was not selected is never replaced", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const copy = temp.join("copy");
  await using shared = await scene.share();
  await scene.clone(shared, copy, "--select", "docs");
  const mine = join(copy, "notes.txt");
  Deno.writeTextFileSync(mine, "mine");
  await scene.pull(shared, copy);
  const args = ["pull", copy, "--select", "**", "--peer", shared.address, "--json"];
  for (const extra of [[], ["--keep-deleted"]]) {
    const { code, json } = await runIn(scene.world, ...args, ...extra);
    assert.deepEqual([code, json.at(-1)!.code], [2, "usage"]);
    assert.match(json.at(-1)!.message, /"notes.txt" is in the way/);
    assert.equal(Deno.readTextFileSync(mine), "mine");
  }
  // What was refused is not remembered.
  assert.deepEqual(filesIn(copy), ["docs/guide.md", "docs/img/logo", "notes.txt"]);
  assert.match((await scene.run("status", copy)).stdout, /only +docs \(5 files not selected\)/);
  // With --keep-local it is no file that the archive had here either.
  const kept = await runIn(scene.world, ...args, "--keep-local");
  assert.equal(kept.code, 2);
  await scene.run(...args, "--overwrite");
  assert.deepEqual(digestTree(copy), digestTree(scene.dir));
});

Deno.test("a clone that was cut off goes on with its selection", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const copy = temp.join("copy");
  {
    await using _shared = await scene.share();
  }
  const owner = new TestWorld(temp, { running: true });
  {
    // A peer that lacks an entry: nobody can tell what there is to be selected.
    const lacking = temp.join("lacking");
    copyTree(scene.dir, lacking);
    using archive = openArchive(lacking, { world: owner, access: "write" });
    archive.metadata.clear({ start: 3, end: 4 });
    await using served = serveArchive(archive, owner);
    const args = ["clone", served.link, copy, "--select", "docs", "--peer", served.address];
    const { code } = await runIn(scene.world, ...args, "--timeout", "1s", "--json");
    assert.equal(code, 4);
    assert.deepEqual(filesIn(copy), []);
  }
  await using shared = await scene.share();
  await scene.clone(shared, copy);
  assert.deepEqual(filesIn(copy), ["docs/guide.md", "docs/img/logo"]);
});

Deno.test("status, ls and diff count what is selected", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const copy = temp.join("copy");
  await using shared = await scene.share();
  await scene.clone(shared, copy, "--select", "docs", "--exclude", "docs/img/");
  const [status] = (await scene.run("status", copy, "--json")).json;
  assert.deepEqual(status.selection, { select: ["docs"], exclude: ["docs/img/"] });
  assert.deepEqual([status.files, status.bytes, status.unselected], [1, 3000, 6]);
  assert.deepEqual([status.blocks, status.blocksTotal], [9, 9]);
  const listed = await scene.run("ls", "-r", copy);
  assert.match(listed.stderr, /7 files \(313 kB\), 5 not selected/);
  assert.equal(
    (await scene.run("ls", "-r", copy, "--json")).json.filter((file) => file.selected === false)
      .length,
    6,
  );
  Deno.writeTextFileSync(join(copy, "extra"), "x");
  const { json } = await scene.run("diff", copy, "--json");
  assert.deepEqual(json.map(({ type, path }) => `${type} ${path}`), ["put /extra"]);
  const { json: found } = await scene.run("verify", copy, "--json");
  assert.deepEqual(found.filter(({ event }) => event === "problem").map(({ count }) => count), [6]);
});

Deno.test("patterns that match nothing are warned of, and those that make no sense refused", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  await using shared = await scene.share();
  const ran = await scene.clone(
    shared,
    "copy",
    ...["--select", "notes.txt", "--select", "phots", "--exclude", "*.TXT"],
  );
  const told = ran.json.filter(({ event }) => event === "warning");
  assert.deepEqual(warnings(ran), ["no-match", "no-match"]);
  assert.match(told[0].message, /"phots" matches no file of version 7/);
  assert.match(told[1].message, /"\*\.TXT" matches/);
  for (const pattern of ["", "[a", "../x", "!notes.txt"]) {
    const args = ["clone", shared.link, "bad", "--select", pattern, "--peer", shared.address];
    const { code, json } = await runIn(scene.world, ...args, "--json");
    assert.deepEqual([code, json.at(-1)!.code], [2, "usage"], pattern);
  }
  const own = ["pull", scene.dir, "--select", "docs", "--peer", shared.address, "--json"];
  const owner = new TestWorld(temp, { running: true });
  await shared[Symbol.asyncDispose]();
  const { code, json } = await runIn(owner, ...own);
  assert.deepEqual([code, json.at(-1)!.code], [2, "usage"]);
});

Deno.test("clone --select --history wants the newest version of the chosen files only", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const copy = temp.join("copy");
  {
    await using _shared = await scene.share();
  }
  scene.change({ "docs/guide.md": "second" });
  await using shared = await scene.share();
  const ran = await scene.clone(shared, copy, "--select", "docs", "--history");
  assert.deepEqual([synced(ran).files, synced(ran).missingBlocks], [2, undefined]);
  assert.deepEqual(filesIn(copy), ["docs/guide.md", "docs/img/logo"]);
  assert.equal(heldBlocks(scene.world, copy), 3);
  await scene.run("verify", copy);
  assert.equal(synced(await scene.pull(shared, copy)).downloadedBytes, 0);
  // The folder of the owner keeps the newest files only, so one older block is not to be had.
  const wide = await scene.pull(shared, copy, "--select", "**");
  assert.deepEqual([warnings(wide), synced(wide).missingBlocks], [[], 1]);
  assert.deepEqual(digestTree(copy), digestTree(scene.dir));
});

Deno.test("a clone serves what it has selected to others who select the same", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const [copy, second] = [temp.join("copy"), temp.join("second")];
  {
    await using shared = await scene.share();
    await scene.clone(shared, copy, "--select", "docs", "--select", "photos/2019");
  }
  const world = new TestWorld(temp, { home: "home of cloner", seed: "serves" });
  await using shared = await shareIn(world, copy);
  await scene.clone(shared, second, "--select", "photos/2019", "--select", "docs");
  assert.deepEqual(digestTree(second), digestTree(copy));
});

Deno.test("of two files with the same blocks, the one that is selected is read and served", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const [copy, second] = [temp.join("copy"), temp.join("second")];
  createArchive(scene.dir, new TestWorld(temp), { history: true })[Symbol.dispose]();
  {
    await using _shared = await scene.share();
  }
  Deno.mkdirSync(join(scene.dir, "zoo"));
  Deno.copyFileSync(join(scene.dir, "docs/img/logo"), join(scene.dir, "zoo/logo"));
  {
    await using shared = await scene.share();
    await scene.clone(shared, copy, "--select", "zoo");
  }
  assert.deepEqual(filesIn(copy), ["zoo/logo"]);
  await scene.run("verify", copy);
  assert.equal((await scene.run("cat", "zoo/logo", "--dir", copy)).code, 0);
  const world = new TestWorld(temp, { home: "home of cloner", seed: "serves" });
  await using shared = await shareIn(world, copy);
  await scene.clone(shared, second, "--select", "docs/img");
  assert.deepEqual(filesIn(second), ["docs/img/logo"]);
});

Deno.test("a .datdownload selects where nobody else did, unless the archive has it", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const copy = temp.folder("copy");
  Deno.writeTextFileSync(join(copy, ".datdownload"), "/docs/img\r\nnotes.txt\n\n");
  await using shared = await scene.share();
  await scene.clone(shared, copy);
  const chosen = [".datdownload", "docs/img/logo", "notes.txt"];
  assert.deepEqual(filesIn(copy), chosen);
  await scene.run("verify", copy);
  await scene.pull(shared, copy, "--select", "docs");
  assert.deepEqual(filesIn(copy), [...chosen, "docs/guide.md"].sort());
});

Deno.test("an owner of some files only cannot sign that the others are gone", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const copy = temp.join("copy");
  await using shared = await scene.share();
  const owner = new TestWorld(temp);
  const key = (await runIn(owner, "keys", "export", scene.dir)).stdout.trim();
  await scene.clone(shared, copy, "--select", "docs");
  scene.world.stdin.bytes = new TextEncoder().encode(key);
  const args = ["keys", "import", copy, "--json"];
  const refused = await runIn(scene.world, ...args);
  assert.deepEqual([refused.code, refused.json.at(-1)!.code], [2, "usage"]);
  assert.match(refused.json.at(-1)!.message, /count as deleted/);
  await scene.pull(shared, copy, "--select", "**");
  await scene.run(...args);
});

Deno.test("a note that makes no sense stops a pull, and a new selection replaces it", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const copy = temp.join("copy");
  await using shared = await scene.share();
  await scene.clone(shared, copy, "--select", "docs");
  Deno.writeTextFileSync(join(copy, ".dat/trove.select"), "{");
  const args = ["pull", copy, "--peer", shared.address, "--json"];
  assert.equal((await runIn(scene.world, ...args)).code, 6);
  assert.equal((await runIn(scene.world, "verify", copy)).code, 5);
  await scene.run(...args, "--select", "docs");
  await scene.run("verify", copy);
});
