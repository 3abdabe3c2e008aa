/** `clone --live` and `sync`: folders that follow an archive until they are asked to stop. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { LiveOwner, Staying } from "../support/live_owner.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, shareIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, withoutModes } from "../support/trees.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const HERE = ["--host", "127.0.0.1", "--port", "0"];

/** Follow an owner's archive in the folder "copy"; each call is another process. */
function follow(temp: TempFolder, owner: LiveOwner, ...extra: readonly string[]): Staying {
  const world = new TestWorld(temp, { home: "reader", running: true });
  const args = ["clone", owner.link, "copy", "--live", "--peer", owner.address, ...HERE];
  return new Staying(world, ...args, ...extra);
}

function assertFollowed(temp: TempFolder, owner: LiveOwner): void {
  assertSameTree(
    withoutModes(digestTree(temp.join("copy"))),
    withoutModes(digestTree(owner.dir)),
  );
}

const FILES = [
  { path: "a", size: 100 },
  { path: "empty", size: 0 },
  { path: "large", size: 200_000 },
  { path: "sub/b", size: 70_000 },
  { path: "sub/deep/c", size: 10 },
];

Deno.test("a live clone follows additions, changes, renames, modes and deletions, and ends well", async () => {
  using temp = tempFolder();
  await using owner = await LiveOwner.share(temp, FILES);
  await using clone = follow(temp, owner);
  await clone.synced(owner.version);
  assertFollowed(temp, owner);

  owner.write([{ path: "a", size: 101 }, { path: "new/x", size: 90_000 }, { path: "e2", size: 0 }]);
  await owner.import();
  await clone.synced(owner.version);
  assertFollowed(temp, owner);

  Deno.renameSync(owner.path("large"), owner.path("sub/large"));
  Deno.chmodSync(owner.path("new/x"), 0o755);
  Deno.removeSync(owner.path("empty"));
  await owner.import();
  await clone.synced(owner.version);
  assertFollowed(temp, owner);
  assert.equal(Deno.statSync(temp.join("copy/new/x")).mode! & 0o777, 0o755);

  Deno.removeSync(owner.path("sub"), { recursive: true });
  await owner.import();
  const line = await clone.synced(owner.version);
  assertFollowed(temp, owner);
  assert.equal(line.files, 3);
  assert.equal(line.bytes, 90_101);
  assert.equal(await clone.stop(), 0);
});

Deno.test("a live clone that keeps every version follows as well", async () => {
  using temp = tempFolder();
  await using owner = await LiveOwner.share(temp, FILES);
  await using clone = follow(temp, owner, "--history");
  await clone.synced(owner.version);
  owner.write([{ path: "a", size: 101 }, { path: "new/x", size: 90_000 }]);
  Deno.removeSync(owner.path("sub"), { recursive: true });
  await owner.import();
  await clone.synced(owner.version);
  assertFollowed(temp, owner);
  assert.equal(await clone.stop(), 0);
  const { code } = await runIn(clone.world, "cat", "copy/sub/b", "--version", "5", "-q");
  assert.equal(code, 0);
});

Deno.test("a live clone that was never complete ends as an interrupted one", async () => {
  using temp = tempFolder();
  await using owner = await LiveOwner.share(temp, FILES);
  await owner.leave();
  const world = new TestWorld(temp, { home: "reader", running: true });
  const clone = new Staying(world, "clone", owner.link, "copy", "--live", ...HERE);
  await clone.until((line) => line.event === "listening");
  assert.equal(await clone.stop(), 143);
  assert.throws(() => Deno.lstatSync(temp.join("copy")), Deno.errors.NotFound);
  const { code } = await runIn(
    new TestWorld(temp, { home: "reader", running: true }),
    ...["clone", owner.link, "copy", "--live", ...HERE, "--timeout", "500ms"],
  );
  assert.equal(code, 3);
});

Deno.test("--live and --dry-run exclude each other, and --timeout ends a live clone well", async () => {
  using temp = tempFolder();
  await using owner = await LiveOwner.share(temp, FILES);
  const world = new TestWorld(temp, { home: "reader", running: true });
  const link = [owner.link, "copy", "--peer", owner.address];
  assert.equal(await world.run("clone", ...link, "--live", "--dry-run"), 2);
  assert.match(world.stderr.text, /without changing anything; leave --dry-run out/);
  assert.equal(await world.run("clone", ...link, "--live", ...HERE, "--timeout", "2s"), 0);
  assertFollowed(temp, owner);
});

Deno.test("what is changed here comes back with the next update of that file", async () => {
  using temp = tempFolder();
  await using owner = await LiveOwner.share(temp, FILES);
  await using clone = follow(temp, owner);
  await clone.synced(owner.version);
  const copy = temp.join("copy");
  Deno.writeTextFileSync(join(copy, "a"), "mine");
  Deno.removeSync(join(copy, "sub/b"));
  owner.write([{ path: "a", size: 102 }, { path: "sub/b", size: 70_001 }]);
  await owner.import();
  await clone.synced(owner.version);
  assertFollowed(temp, owner);
  assert.equal(clone.warnings("changed-locally").length, 1);
  assert.equal(clone.warnings("deleted-locally").length, 1);
});

Deno.test("--keep-local and --keep-deleted hold while an archive is followed", async () => {
  using temp = tempFolder();
  await using owner = await LiveOwner.share(temp, FILES);
  await using clone = follow(temp, owner, "--keep-local", "--keep-deleted");
  await clone.synced(owner.version);
  const copy = temp.join("copy");
  Deno.writeTextFileSync(join(copy, "a"), "mine");
  owner.write([{ path: "a", size: 102 }, { path: "x", size: 5 }]);
  Deno.removeSync(owner.path("large"));
  await owner.import();
  const { kept } = await clone.synced(owner.version);
  assert.equal(kept, 1);
  assert.equal(Deno.readTextFileSync(join(copy, "a")), "mine");
  assert.equal(Deno.statSync(join(copy, "large")).size, 200_000);
  owner.write([{ path: "x", size: 6 }]);
  await owner.import();
  await clone.synced(owner.version);
  assert.equal(Deno.readTextFileSync(join(copy, "a")), "mine");
});

Deno.test("an update that is refused is told once, and tried again with the next version", async () => {
  using temp = tempFolder();
  await using owner = await LiveOwner.share(temp, FILES);
  await using clone = follow(temp, owner, "--max-delete", "1");
  const first = owner.version;
  await clone.synced(first);
  Deno.removeSync(owner.path("sub"), { recursive: true });
  await owner.import();
  const { message } = await clone.until((line) => line.code === "update-refused");
  assert.match(message as string, /2 files would be deleted .*The next version is tried again/);
  assert.equal(Deno.statSync(temp.join("copy/sub/b")).size, 70_000);

  // What is here is served meanwhile.
  const world = new TestWorld(temp, { home: "third", running: true });
  const other = await runIn(
    world,
    ...["clone", owner.link, "other", "--peer", await clone.address(), "--timeout", "20s"],
  );
  assert.equal(other.code, 0, other.stderr);
  assert.equal(Deno.statSync(temp.join("other/large")).size, 200_000);

  owner.write([{ path: "sub/b", size: 70_000 }, { path: "z", size: 1 }]);
  await owner.import();
  await clone.synced(owner.version);
  assertFollowed(temp, owner);
  assert.equal(clone.warnings("update-refused").length, 1);
  assert.equal(await clone.stop(), 0);
});

Deno.test("a stranger's file in the way does not end a live clone, and is not touched", async () => {
  using temp = tempFolder();
  await using owner = await LiveOwner.share(temp, FILES);
  await using clone = follow(temp, owner);
  await clone.synced(owner.version);
  Deno.writeTextFileSync(temp.join("copy/new"), "mine");
  owner.write([{ path: "new", size: 10 }, { path: "a", size: 99 }]);
  await owner.import();
  await clone.until((line) => line.code === "update-refused");
  assert.equal(Deno.statSync(temp.join("copy/a")).size, 100);
  Deno.removeSync(temp.join("copy/new"));
  owner.write([{ path: "b", size: 10 }]);
  await owner.import();
  await clone.synced(owner.version);
  assertFollowed(temp, owner);
});

Deno.test("content that the origin lost does not hang a live clone: the next version heals it", async () => {
  using temp = tempFolder();
  await using owner = await LiveOwner.share(temp, FILES);
  // Changed after it was imported, so nobody has the bytes of that version.
  Deno.writeTextFileSync(owner.path("large"), "other bytes");
  await using clone = follow(temp, owner);
  const world = new TestWorld(temp, { home: "once", running: true });
  const once = await runIn(
    world,
    ...["clone", owner.link, "once", "--peer", owner.address, "--timeout", "1500ms"],
  );
  assert.equal(once.code, 4, once.stderr);
  assert.equal(Deno.statSync(temp.join("copy/sub/b")).size, 70_000);
  await owner.import();
  await clone.synced(owner.version);
  assertFollowed(temp, owner);
  assert.throws(() => Deno.lstatSync(temp.join("copy/.dat/trove.staging")), Deno.errors.NotFound);
});

Deno.test("a file that is changed here while its update is fetched is put back with a word", async () => {
  using temp = tempFolder();
  await using owner = await LiveOwner.share(temp, FILES);
  {
    await using clone = follow(temp, owner);
    await clone.synced(owner.version);
  }
  owner.write([{ path: "large", size: 210_000 }]);
  await owner.import();
  const other = new TestWorld(temp, { home: "other", running: true });
  assert.equal(await other.run("clone", owner.link, "other", "--peer", owner.address), 0);
  const bytes = Deno.readFileSync(owner.path("large"));
  Deno.writeFileSync(owner.path("large"), bytes.slice().fill(0, 131_072));

  await using clone = follow(temp, owner);
  // All but the two blocks that the origin lost.
  await clone.until(({ event, blocks, blocksTotal }) =>
    event === "progress" && blocks === 15 - 2 && blocksTotal === 15
  );
  Deno.writeTextFileSync(temp.join("copy/large"), "mine");
  const from = new TestWorld(temp, { home: "other", running: true });
  await using _other = new Staying(from, "sync", "other", "--peer", await clone.address(), ...HERE);
  await clone.synced(owner.version);
  assertSameBytes(Deno.readFileSync(temp.join("copy/large")), bytes);
  assert.equal(clone.warnings("obstacle").length, 1);
  assert.equal(clone.warnings("changed-locally").length, 1);
});

Deno.test("a clone that has half of an archive gives that half to others", async () => {
  using temp = tempFolder();
  await using owner = await LiveOwner.share(temp, FILES);
  // The second half of the file is lost: its first blocks are staged in the clone for ever.
  const bytes = Deno.readFileSync(owner.path("large"));
  bytes.fill(0, 131_072);
  Deno.writeFileSync(owner.path("large"), bytes);
  await using clone = follow(temp, owner);
  const held = 2 + 2 + 1 + 1; // blocks of all files but the last ones of the large one
  await clone.until((line) => line.event === "progress" && line.blocks === 6 + held);
  await owner.leave();
  await using third = new Staying(
    new TestWorld(temp, { home: "third", running: true }),
    ...["clone", owner.link, "third", "--live", "--peer", await clone.address(), ...HERE],
  );
  await third.until((line) => line.event === "progress" && line.blocks === 6 + held);
  assert.equal(Deno.statSync(temp.join("third/sub/b")).size, 70_000);
});

Deno.test("sync goes on with a clone, whether or not its origin is there", async () => {
  using temp = tempFolder();
  await using owner = await LiveOwner.share(temp, FILES);
  {
    await using clone = follow(temp, owner);
    await clone.synced(owner.version);
  }
  await owner.leave();
  const world = new TestWorld(temp, { home: "reader", running: true });
  await using sync = new Staying(world, "sync", "copy", ...HERE);
  await sync.synced(owner.version);
  const third = new TestWorld(temp, { home: "third", running: true });
  const peer = await sync.address();
  assert.equal(await third.run("clone", owner.link, "third", "--peer", peer, ...HERE), 0);
  assertSameTree(digestTree(temp.join("third")), digestTree(temp.join("copy")));
  assert.equal(await sync.stop(), 0);
});

Deno.test("sync in the owner's folder shares it, and takes no options of clones", async () => {
  using temp = tempFolder();
  const dir = temp.folder("mine");
  Deno.writeTextFileSync(join(dir, "file"), "text");
  {
    await using _shared = await shareIn(new TestWorld(temp), dir);
  }
  Deno.writeTextFileSync(join(dir, "another"), "text");
  const world = new TestWorld(temp, { running: true });
  assert.equal(await world.run("sync", "mine", "--max-delete", "3", ...HERE), 2);
  assert.match(world.stderr.text, /Cannot use --max-delete .* your own/);
  await using sync = new Staying(new TestWorld(temp, { running: true }), "sync", "mine", ...HERE);
  const imported = await sync.until((line) => line.event === "imported");
  assert.equal(imported.put, 1);
  await sync.address();
  assert.equal(await sync.stop(), 0);
});

for (const extra of [[], ["--history"]]) {
  Deno.test(`what is selected is followed, and nothing else ${extra.join()}`.trim(), async () => {
    using temp = tempFolder();
    await using owner = await LiveOwner.share(temp, FILES);
    const selected = ["--select", "sub", "--select", "z", "--exclude", "sub/x"];
    const clone = follow(temp, owner, ...selected, ...extra);
    {
      await using _ended = clone;
      const first = await clone.synced(owner.version);
      assert.equal(first.files, 2);
      assert.deepEqual(namesIn(temp.join("copy")), ["sub/b", "sub/deep/c"]);

      owner.write([
        ...[{ path: "a", size: 101 }, { path: "new", size: 7 }, { path: "sub/b", size: 80_000 }],
        ...[{ path: "sub/x", size: 5 }, { path: "sub/y", size: 6 }],
      ]);
      Deno.removeSync(owner.path("sub/deep"), { recursive: true });
      Deno.removeSync(owner.path("large"));
      await owner.import();
      const second = await clone.synced(owner.version);
      assert.deepEqual([second.files, second.bytes], [2, 80_006]);
      assert.deepEqual(namesIn(temp.join("copy")), ["sub/b", "sub/y"]);
      assert.equal(clone.warnings("no-match").length, 2, "of z and sub/x, when it began");
    }
    const world = new TestWorld(temp, { home: "reader", running: true });
    const from = ["--peer", owner.address, ...HERE];
    {
      // The folder knows what it has; what comes later is told by the same patterns.
      await using sync = new Staying(world, "sync", "copy", ...from);
      await sync.synced(owner.version);
      owner.write([{ path: "z", size: 70_001 }, { path: "a", size: 102 }]);
      await owner.import();
      await sync.synced(owner.version);
      assert.deepEqual(namesIn(temp.join("copy")), ["sub/b", "sub/y", "z"]);
      assertSameBytes(Deno.readFileSync(temp.join("copy/z")), Deno.readFileSync(owner.path("z")));
    }
    const all = new TestWorld(temp, { home: "reader", running: true });
    await using sync = new Staying(all, "sync", "copy", "--select", "**", ...from);
    await sync.synced(owner.version);
    assertFollowed(temp, owner);
    Deno.removeSync(owner.path("sub/x"));
    await owner.import();
    await sync.synced(owner.version);
    assertFollowed(temp, owner);
  });
}

Deno.test("sync in the owner's folder takes no selection, and a feed by itself is not followed", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  await using _shared = await shareIn(world, temp.folder("mine"));
  const other = new TestWorld(temp, { running: true });
  assert.equal(await other.run("sync", "mine", "--select", "a", ...HERE), 2);
  assert.match(other.stderr.text, /Cannot use --select .* your own/);
  const feed = ["--feed", "ab".repeat(32), "--live", ...HERE];
  assert.equal(await new TestWorld(temp).run("clone", "feed", ...feed), 2);
});

function namesIn(dir: string): string[] {
  return [...digestTree(dir).keys()];
}
