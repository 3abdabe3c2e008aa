/** Archives that lost more than a bit: what `verify` says of them, and what `repair` makes of them. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openArchive } from "../../src/app/open_archive.ts";
import { archiveBytes, copyTree } from "../support/archives.ts";
import { prepareArchives, readAll, Snapshot } from "../support/damaged_archives.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { type JsonLine, type Ran, runIn, shareIn, TestWorld } from "../support/test_world.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

interface Damage {
  readonly name: string;
  /** A file of the archive that is damaged, below its folder. */
  readonly file: string;
  /** What becomes of its bytes; undefined: it is removed. */
  readonly change: (bytes: Uint8Array) => Uint8Array | undefined;
  /** A problem of this kind has to be named. */
  readonly kind: string;
  /** Whether what is here is enough for the owner, and for a clone. */
  readonly local: readonly [owner: boolean, clone: boolean];
  /** Tree nodes of blocks that nobody has any more are gone for good. */
  readonly forgetsNodes?: boolean;
}

const gone = () => undefined;
const cut = (size: number) => (bytes: Uint8Array) => bytes.slice(0, size);
const fill = (start: number, end: number) => (bytes: Uint8Array) =>
  bytes.slice().fill(0xaa, start, end);

const DAMAGES: readonly Damage[] = [
  {
    name: "bitfield gone",
    file: ".dat/metadata.bitfield",
    change: gone,
    kind: "header",
    local: [true, true],
  },
  {
    name: "bitfield empty",
    file: ".dat/content.bitfield",
    change: cut(0),
    kind: "header",
    local: [true, true],
  },
  {
    name: "bitfield cut",
    file: ".dat/content.bitfield",
    change: cut(900),
    kind: "length",
    local: [true, true],
  },
  {
    name: "bitfield overwritten",
    file: ".dat/metadata.bitfield",
    change: fill(32, 3616),
    kind: "node-bit",
    local: [true, true],
  },
  {
    name: "header of the tree wrong",
    file: ".dat/content.tree",
    change: fill(0, 8),
    kind: "header",
    local: [true, true],
  },
  {
    name: "header of the bitfield wrong",
    file: ".dat/metadata.bitfield",
    change: fill(0, 8),
    kind: "header",
    local: [true, true],
  },
  {
    name: "tree cut",
    file: ".dat/metadata.tree",
    change: cut(500),
    kind: "node",
    local: [true, true],
  },
  {
    name: "tree gone",
    file: ".dat/metadata.tree",
    change: gone,
    kind: "header",
    local: [true, true],
  },
  {
    name: "tree overwritten",
    file: ".dat/content.tree",
    change: fill(32, 400),
    kind: "node",
    local: [false, false],
  },
  {
    name: "tree of the content gone",
    file: ".dat/content.tree",
    change: gone,
    kind: "header",
    local: [false, false],
    forgetsNodes: true,
  },
  {
    name: "signatures gone",
    file: ".dat/metadata.signatures",
    change: gone,
    kind: "header",
    local: [true, false],
  },
  {
    name: "signatures of the content cut",
    file: ".dat/content.signatures",
    change: cut(32),
    kind: "length",
    local: [true, false],
  },
  {
    name: "entries overwritten",
    file: ".dat/metadata.data",
    change: fill(60, 300),
    kind: "block",
    local: [false, false],
  },
  {
    name: "entries gone",
    file: ".dat/metadata.data",
    change: gone,
    kind: "block",
    local: [false, false],
  },
  {
    name: "key cut",
    file: ".dat/metadata.key",
    change: cut(31),
    kind: "key",
    local: [true, false],
  },
  { name: "key gone", file: ".dat/metadata.key", change: gone, kind: "key", local: [true, false] },
  {
    name: "content key gone",
    file: ".dat/content.key",
    change: gone,
    kind: "key",
    local: [true, true],
  },
  {
    name: "content key overwritten",
    file: ".dat/content.key",
    change: fill(0, 32),
    kind: "key",
    local: [true, true],
  },
];

async function damage(dir: string, { file, change }: Damage, snapshot: Snapshot): Promise<void> {
  const bytes = change(snapshot.files.get(file)!.bytes);
  if (bytes === undefined) await Deno.remove(join(dir, file));
  else snapshot.write(file, bytes);
}

function told(ran: Ran): string {
  return `exit code ${ran.code}\n${ran.stdout}${ran.stderr}`;
}

function problems(ran: Ran): JsonLine[] {
  return ran.json.filter(({ event }) => event === "problem");
}

for (const history of [false, true]) {
  const label = history ? "with every version" : "with files as content";
  Deno.test(`lost and damaged files of an archive ${label}`, async () => {
    using temp = tempFolder();
    const { owner, clone, worlds, peer } = await prepareArchives(temp, { history });
    await using _peer = peer;
    for (const [at, dir] of [owner, clone].entries()) {
      const world = worlds[at];
      const snapshot = new Snapshot(dir);
      const before = readAll(dir, world);
      for (const one of DAMAGES) {
        const where = `${one.name}, ${at === 0 ? "owner" : "clone"}, ${label}`;
        await damage(dir, one, snapshot);
        const left = archiveBytes(dir);
        const verified = await runIn(world, "verify", dir, "--json");
        assert.equal(verified.code, 5, `${where}\n${told(verified)}`);
        assert.ok(
          problems(verified).some(({ kind }) => kind === one.kind),
          `${where}\n${told(verified)}`,
        );
        assert.deepEqual(archiveBytes(dir), left, `${where}: verify changes nothing`);

        const alone = await runIn(world, "repair", dir, "--json");
        const message = `${where}\n${told(verified)}\nalone: ${told(alone)}`;
        if (one.local[at]) assert.equal(alone.code, 0, message);
        if (alone.code !== 0) {
          assert.equal(alone.code, 5, message);
          const helped = await runIn(
            world,
            ...["repair", dir, "--json", "--peer", peer.address],
            ...(one.kind === "key" ? ["--key", peer.link] : []),
          );
          assert.equal(helped.code, 0, `${message}\nwith a peer: ${told(helped)}`);
        }
        assertRead(readAll(dir, world), before, message, one);
        snapshot.restore();
      }
    }
  });
}

/** Old signatures that a clone had may be lost; everything else has to be there again. */
function assertRead(
  after: Map<string, string>,
  before: Map<string, string>,
  message: string,
  { forgetsNodes = false }: { forgetsNodes?: boolean } = {},
): void {
  for (const [name, value] of before) {
    const mayBeGone = name.includes(" signature ") || forgetsNodes && name.includes(" node ");
    if (mayBeGone && after.get(name) === undefined) continue;
    assert.equal(after.get(name), value, `${name}\n${message}`);
  }
}

async function withArchives(
  body: (made: Awaited<ReturnType<typeof prepareArchives>>, temp: TempFolder) => Promise<void>,
  options = { history: false },
): Promise<void> {
  using temp = tempFolder();
  const made = await prepareArchives(temp, options);
  await using _peer = made.peer;
  await body(made, temp);
}

Deno.test("what the owner changed is no damage: it is named, and repair leaves it", async () => {
  await withArchives(async ({ owner, worlds: [world] }) => {
    Deno.writeTextFileSync(join(owner, "notes/file-3.txt"), "my own words");
    const verified = await runIn(world, "verify", owner, "--json");
    assert.equal(verified.code, 5, told(verified));
    assert.deepEqual(problems(verified).map(({ kind, path, repair }) => [kind, path, repair]), [
      ["changed", "/notes/file-3.txt", "share"],
    ]);
    const repaired = await runIn(world, "repair", owner);
    assert.equal(repaired.code, 5, told(repaired));
    assert.match(repaired.stderr, /trove share imports/);
    assert.equal(Deno.readTextFileSync(join(owner, "notes/file-3.txt")), "my own words");
  });
});

Deno.test("a file of a clone is mended from a peer, and the damaged one is kept", async () => {
  await withArchives(async ({ clone, worlds: [, world], peer }) => {
    const path = join(clone, "numbers.bin");
    const whole = Deno.readFileSync(path);
    const damaged = whole.slice();
    damaged[70_000] ^= 1;
    Deno.writeFileSync(path, damaged);
    const alone = await runIn(world, "repair", clone, "--json");
    assert.equal(alone.code, 5, told(alone));
    assertSameBytes(Deno.readFileSync(path), damaged, "nothing better is here");
    const repaired = await runIn(world, "repair", clone, "--json", "--peer", peer.address);
    assert.equal(repaired.code, 0, told(repaired));
    assertSameBytes(Deno.readFileSync(path), whole);
    const { keptIn, kept, fetched } = repaired.json.find(({ event }) => event === "repair")!;
    assert.equal(fetched, 1, "the good blocks are taken over");
    assert.ok(kept.includes(join("files", "numbers.bin")), told(repaired));
    assertSameBytes(Deno.readFileSync(join(keptIn, "files", "numbers.bin")), damaged);
  });
});

Deno.test("with --discard nothing is kept, with --dry-run nothing is done", async () => {
  await withArchives(async ({ clone, worlds: [, world], peer }) => {
    Deno.writeTextFileSync(join(clone, "notes/file-3.txt"), "not what was signed");
    const left = archiveBytes(clone);
    const dry = await runIn(world, "repair", clone, "--dry-run", "--peer", peer.address);
    assert.equal(dry.code, 5, told(dry));
    assert.deepEqual(archiveBytes(clone), left);
    const repaired = await runIn(world, "repair", clone, "--discard", "--peer", peer.address);
    assert.equal(repaired.code, 0, told(repaired));
    assert.ok(!existsSync(join(clone, ".dat", "trove.kept")));
  });
});

Deno.test("where every version is kept, file and content mend each other", async () => {
  await withArchives(async ({ owner, worlds: [world] }) => {
    const before = readAll(owner, world);
    const file = join(owner, "photos/one.jpg");
    const { mtime } = Deno.statSync(file);
    const whole = Deno.readFileSync(file);
    Deno.writeFileSync(file, whole.slice().fill(0, 100, 300));
    Deno.utimeSync(file, mtime!, mtime!);
    const rewritten = await runIn(world, "repair", owner, "--json");
    assert.equal(rewritten.code, 0, told(rewritten));
    assertSameBytes(Deno.readFileSync(file), whole);

    const data = join(owner, ".dat", "content.data");
    const bytes = Deno.readFileSync(data);
    // Somewhere inside a file of the newest version.
    const at = bytes.length - 60_000;
    Deno.writeFileSync(data, bytes.slice().fill(0, at, at + 100));
    const mended = await runIn(world, "repair", owner, "--json");
    assert.equal(mended.code, 0, told(mended));
    assert.deepEqual(readAll(owner, world), before);
  }, { history: true });
});

/** Ways to lose the newest entry of the owner's metadata, and how its signature may be left. */
const LOSSES: readonly { readonly name: string; readonly lose: (dir: string) => void }[] = [
  { name: "its leaf is blank", lose: (dir) => loseNewest(dir, 0) },
  { name: "its leaf is garbage", lose: (dir) => loseNewest(dir, 0x5a) },
  {
    name: "its leaf is garbage and its signature is gone",
    lose: (dir) => {
      loseNewest(dir, 0x5a);
      const path = join(dir, ".dat", "metadata.signatures");
      Deno.truncateSync(path, Deno.statSync(path).size - 64);
    },
  },
];

/** Only the signature of the newest block stays. Its leaf is a root. */
function loseNewest(dir: string, filler: number): void {
  const path = (file: string) => join(dir, ".dat", `metadata.${file}`);
  const tree = Deno.readFileSync(path("tree"));
  Deno.writeFileSync(path("tree"), tree.fill(filler, tree.length - 40, tree.length - 8));
  const data = Deno.readFileSync(path("data"));
  Deno.writeFileSync(path("data"), data.subarray(0, data.length - 20));
}

for (const { name, lose } of LOSSES) {
  Deno.test(`an owner's newest entry that is lost is never signed anew: ${name}`, async () => {
    await withArchives(async ({ owner, worlds: [world], peer }, temp) => {
      const before = readAll(owner, world);
      const snapshot = new Snapshot(owner);
      lose(owner);
      const verified = await runIn(world, "verify", owner, "--json");
      assert.equal(verified.code, 5, told(verified));
      const alone = await runIn(world, "repair", owner, "--json");
      assert.equal(alone.code, 5, told(alone));
      assertRefusesToAppend(owner, world);

      // A peer that has nothing new changes nothing about that.
      const nobody = new TestWorld(temp, { home: "nobody" });
      const stale = temp.folder("stale");
      copyTree(owner, stale);
      {
        await using useless = await shareIn(nobody, stale);
        await runIn(world, "repair", owner, "--json", "--peer", useless.address);
      }
      assertRefusesToAppend(owner, world);

      const helped = await runIn(world, "repair", owner, "--json", "--peer", peer.address);
      assert.equal(helped.code, 0, told(helped));
      assertRead(readAll(owner, world), before, told(helped));
      snapshot.restore();

      lose(owner);
      const given = await runIn(world, "repair", owner, "--json", "--discard");
      using archive = openArchive(owner, { world, access: "write" });
      assert.equal(archive.metadata.recovery.kind, "none", told(given));
      assert.ok(archive.metadata.length < 25, "the newest entry is given up");
    });
  });
}

function assertRefusesToAppend(dir: string, world: TestWorld): void {
  using archive = openArchive(dir, { world, access: "write" });
  assert.equal(archive.metadata.recovery.kind, "back");
  assert.throws(() => archive.metadata.append([new Uint8Array(1)]), /were signed/);
}

Deno.test("verify: quick, read-only, and where there is nothing", async () => {
  await withArchives(async ({ clone, worlds: [, world] }, temp) => {
    const verified = await runIn(world, "verify", join(clone, "notes"), "--json", "--quick");
    assert.equal(verified.code, 0, told(verified));
    const feeds = verified.json.filter(({ event }) => event === "verify").map(({ feed }) => feed);
    assert.deepEqual(feeds, ["metadata", "content"]);
    Deno.truncateSync(join(clone, "numbers.bin"), 100_000);
    assert.equal((await runIn(world, "verify", clone, "--quick")).code, 5);
    assert.equal((await runIn(world, "verify", temp.folder("nothing"))).code, 9);
    assert.equal((await runIn(world, "repair", temp.join("missing"))).code, 9);
    using _open = openArchive(clone, { world, access: "write" });
    assert.equal((await runIn(world, "repair", clone)).code, 7);
    assert.equal((await runIn(world, "verify", clone)).code, 5, "beside a writer");
  });
});
