/** `pull` and the download options in this process, over loopback. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { archiveBytes } from "../support/archives.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { type JsonLine, runIn, type Shared, shareIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

const cloner = (temp: TempFolder) => new TestWorld(temp, { home: "home of cloner", running: true });

const peerOf = (shared: Shared) => ["--peer", shared.address, "--json"];

/** A folder, and a complete clone of it beside it. */
class Cloned {
  readonly dir: string;
  readonly copy: string;
  readonly world: TestWorld;
  #runs = 0;

  private constructor(readonly temp: TempFolder) {
    this.dir = temp.folder("folder");
    this.copy = temp.join("copy");
    this.world = cloner(temp);
  }

  static async make(temp: TempFolder): Promise<Cloned> {
    const cloned = new Cloned(temp);
    const files = [{ path: "a", size: 200_000 }, { path: "b/c", size: 7 }, { path: "e", size: 0 }];
    writeTree(cloned.dir, files, "first");
    await using shared = await cloned.share();
    const args = ["clone", shared.link, cloned.copy, ...peerOf(shared)];
    assert.equal((await runIn(cloned.world, ...args)).code, 0, cloned.world.stderr.text);
    return cloned;
  }

  /** Share the folder anew, so that what changed in it is imported. */
  share(): Promise<Shared> {
    this.#runs++;
    const owner = new TestWorld(this.temp, { seed: `run ${this.#runs}` });
    owner.clock.wallMs += this.#runs * 60_000;
    return shareIn(owner, this.dir);
  }

  path(...parts: string[]): string {
    return join(this.copy, ...parts);
  }
}

const codesOf = (json: readonly JsonLine[]) =>
  json.filter(({ event }) => event === "warning").map(({ code }) => code);

Deno.test("pull brings a clone up to date from any folder in it, and then has nothing to do", async () => {
  using temp = tempFolder();
  const cloned = await Cloned.make(temp);
  writeTree(cloned.dir, [{ path: "a", size: 150_000 }, { path: "new/file", size: 10 }], "second");
  Deno.removeSync(join(cloned.dir, "b"), { recursive: true });
  await using shared = await cloned.share();
  cloned.world.workFolder = cloned.path("b");
  const { code, json } = await runIn(cloned.world, "pull", ...peerOf(shared));
  assert.equal(code, 0, cloned.world.stderr.text);
  assertSameTree(digestTree(cloned.copy), digestTree(cloned.dir));
  assert.equal(json[0].dir, cloned.copy);
  const again = await runIn(cloned.world, "pull", cloned.copy, ...peerOf(shared));
  assert.deepEqual([again.code, again.json.at(-1)!.downloadedBytes], [0, 0]);
});

Deno.test("pull restores what was changed and deleted, and fetches no more than that", async () => {
  using temp = tempFolder();
  const cloned = await Cloned.make(temp);
  await using shared = await cloned.share();
  {
    using file = Deno.openSync(cloned.path("a"), { write: true });
    file.writeSync(new Uint8Array(10));
  }
  Deno.removeSync(cloned.path("b"), { recursive: true });
  const { code, json } = await runIn(cloned.world, "pull", cloned.copy, ...peerOf(shared));
  assert.equal(code, 0);
  assertSameTree(digestTree(cloned.copy), digestTree(cloned.dir));
  assert.deepEqual(codesOf(json), ["changed-locally", "deleted-locally"]);
  assert.equal(json.at(-1)!.downloadedBytes, 65536 + 7);
});

Deno.test("pull --keep-local leaves them, says so, and ends well", async () => {
  using temp = tempFolder();
  const cloned = await Cloned.make(temp);
  await using shared = await cloned.share();
  Deno.writeTextFileSync(cloned.path("a"), "mine");
  Deno.removeSync(cloned.path("b"), { recursive: true });
  const args = ["pull", cloned.copy, "--keep-local", ...peerOf(shared)];
  for (const _ of [1, 2]) {
    const { code, json } = await runIn(cloned.world, ...args);
    assert.equal(code, 0);
    assert.deepEqual(codesOf(json), ["changed-locally", "deleted-locally"]);
    assert.deepEqual([json.at(-1)!.event, json.at(-1)!.kept], ["synced", 2]);
    assert.equal(json.at(-1)!.downloadedBytes, 0);
    assert.equal(Deno.readTextFileSync(cloned.path("a")), "mine");
    assert.throws(() => Deno.lstatSync(cloned.path("b")), Deno.errors.NotFound);
  }
});

Deno.test("pull --max-delete refuses as a usage error, and --keep-deleted keeps", async () => {
  using temp = tempFolder();
  const cloned = await Cloned.make(temp);
  for (const name of ["a", "b"]) Deno.removeSync(join(cloned.dir, name), { recursive: true });
  await using shared = await cloned.share();
  const before = digestTree(cloned.copy);
  const refused = await runIn(
    cloned.world,
    ...["pull", cloned.copy, "--max-delete", "1", ...peerOf(shared)],
  );
  assert.deepEqual([refused.code, refused.json.at(-1)!.code], [2, "usage"]);
  assert.match(refused.json.at(-1)!.message, /2 files would be deleted \("a", "b\/c"\)/);
  assertSameTree(digestTree(cloned.copy), before);
  const kept = await runIn(
    cloned.world,
    ...["pull", cloned.copy, "--max-delete", "0", "--keep-deleted", ...peerOf(shared)],
  );
  assert.equal(kept.code, 0);
  assertSameTree(digestTree(cloned.copy), before);
});

Deno.test("pull --dry-run lists what would change, as lines and as records", async () => {
  using temp = tempFolder();
  const cloned = await Cloned.make(temp);
  Deno.removeSync(join(cloned.dir, "b"), { recursive: true });
  writeTree(cloned.dir, [{ path: "evil\nname", size: 3 }], "second");
  await using shared = await cloned.share();
  const before = digestTree(cloned.copy);
  const run = await runIn(cloned.world, "pull", cloned.copy, "--dry-run", ...peerOf(shared));
  assert.equal(run.code, 0, run.stderr);
  const changes = run.json.filter(({ event }) => event === "change");
  assert.deepEqual(
    changes.map(({ type, path, size }) => ({ type, path, size })),
    [{ type: "del", path: "/b/c", size: 7 }, { type: "put", path: "/evil\nname", size: 3 }],
  );
  assert.ok(!run.json.some(({ event }) => event === "synced"));
  assertSameTree(digestTree(cloned.copy), before);
  const shown = await runIn(
    cloned.world,
    ...["pull", cloned.copy, "--dry-run", "--peer", shared.address],
  );
  const [, ...lines] = shown.stdout.split("\n");
  assert.deepEqual(lines, ["-     7 B  b/c", "+     3 B  evil\\u000aname", ""]);
  assert.match(shown.stderr, /1 file would be written \(3 B\), 1 deleted; nothing was changed/);
});

Deno.test("a dry run of a fresh clone leaves nothing behind", async () => {
  using temp = tempFolder();
  const cloned = await Cloned.make(temp);
  await using shared = await cloned.share();
  const args = ["clone", shared.link, "dry", "--dry-run", ...peerOf(shared)];
  const { code, json } = await runIn(cloned.world, ...args);
  assert.equal(code, 0);
  assert.equal(json.filter(({ event }) => event === "change").length, 3);
  assert.throws(() => Deno.lstatSync(temp.join("dry")), Deno.errors.NotFound);
});

Deno.test("a clash leaves a fresh target as it was, without .dat, until --overwrite", async () => {
  using temp = tempFolder();
  const cloned = await Cloned.make(temp);
  await using shared = await cloned.share();
  const target = temp.folder("target");
  writeTree(target, [{ path: "b/c", size: 3 }, { path: "mine", size: 4 }], "the user's");
  const before = digestTree(target);
  const args = ["clone", shared.link, target, ...peerOf(shared)];
  const { code, json } = await runIn(cloned.world, ...args);
  assert.deepEqual([code, json.at(-1)!.code], [2, "usage"]);
  assert.match(json.at(-1)!.message, /"b\/c" is in the way/);
  assert.deepEqual([...Deno.readDirSync(target)].map(({ name }) => name).sort(), ["b", "mine"]);
  assertSameTree(digestTree(target), before);
  const second = await runIn(cloned.world, ...args, "--overwrite");
  assert.equal(second.code, 0, second.stderr);
  const expected = new Map([...digestTree(cloned.dir), ["mine", before.get("mine")!] as const]);
  assertSameTree(digestTree(target), expected);
  assert.deepEqual(codesOf(second.json), ["overwritten"]);
});

Deno.test("pull says what it needs: an archive, a peer, and versions that are kept", async () => {
  using temp = tempFolder();
  const cloned = await Cloned.make(temp);
  const nowhere = temp.folder("nowhere");
  const fails: readonly (readonly [number, RegExp, readonly string[]])[] = [
    [9, /Cannot find an archive/, [nowhere, "--peer", "127.0.0.1:1"]],
    [2, /Cannot pull without a peer/, [cloned.copy]],
    [2, /keeps the newest files only/, [cloned.copy, "--history", "--peer", "127.0.0.1:1"]],
    [2, /as a number of files/, [cloned.copy, "--max-delete", "-1"]],
  ];
  const before = archiveBytes(cloned.copy);
  for (const [expected, message, args] of fails) {
    const { code, json } = await runIn(cloned.world, "pull", ...args, "--json");
    assert.equal(code, expected, args.join(" "));
    assert.match(json.at(-1)!.message, message);
  }
  assert.deepEqual(archiveBytes(cloned.copy), before);
});
