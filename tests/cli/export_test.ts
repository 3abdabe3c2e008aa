/** `trove export`: versions as tar archives. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { extract, type Header } from "tar-stream";
import type { ArchiveView } from "../../src/app/archive_view.ts";
import { tarOf } from "../../src/app/export_version.ts";
import { openArchive } from "../../src/app/open_archive.ts";
import { fromUtf8 } from "../../src/base/bytes.ts";
import { MODE_DIRECTORY, type Stat } from "../../src/core/archive/entry.ts";
import {
  type ArchiveVector,
  borrowArchive,
  vectorArchives,
  vectorFeedFolders,
} from "../support/archives.ts";
import { CraftedArchive } from "../support/crafted_archive.ts";
import { importInto } from "../support/imported.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, AWKWARD_FILES, digestTree, writeTree } from "../support/trees.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

interface TreeFile {
  readonly path: string;
  readonly seq: number;
  readonly mode: number;
  readonly size: number;
  readonly blocks: number;
  readonly offset: number;
  readonly mtime: number;
}

interface VersionedVector extends ArchiveVector {
  readonly versions: readonly { readonly version: number; readonly tree: readonly TreeFile[] }[];
  readonly bodies?: readonly {
    readonly version: number;
    readonly path: string;
    readonly sha256: string;
  }[];
}

interface TarEntry {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly mode: number;
  readonly mtime: number;
  readonly owner: string;
  readonly sha256: string;
}

/** Every entry of a tar archive, in order. */
async function readTar(bytes: Uint8Array): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  const reader = extract();
  Readable.from([bytes]).pipe(reader as unknown as NodeJS.WritableStream);
  for await (const entry of reader) {
    const { name, type, size, mode, mtime, uid, gid, uname, gname, pax } = entry.header as
      & Header
      & { pax: Record<string, string> | null };
    const hash = createHash("sha256");
    for await (const piece of entry) hash.update(piece as Uint8Array);
    const seconds = Number(pax?.mtime ?? mtime.getTime() / 1000);
    const owner = [uid, gid, uname, gname].join(":");
    entries.push({ name, type, size, mode, mtime: seconds, owner, sha256: hash.digest("hex") });
  }
  return entries;
}

/** What a command printed on stdout, as bytes. */
async function bytesOf(world: TestWorld, ...args: string[]): Promise<Uint8Array> {
  const before = world.stdout.bytes.length;
  const { code, stderr } = await runIn(world, ...args);
  assert.equal(code, 0, stderr);
  return world.stdout.bytes.slice(before);
}

function isHeld({ offset, blocks }: TreeFile, { contentBlocksPresent }: ArchiveVector): boolean {
  return Array.from({ length: blocks }, (_, n) => offset + n)
    .every((block) => contentBlocksPresent.some(([from, to]) => from <= block && block < to));
}

for (
  const name of [
    ...vectorArchives({ owned: true }),
    ...vectorArchives({ owned: false }),
    ...vectorFeedFolders().keys(),
  ]
) {
  Deno.test(`export gives every version of ${name} that is held, and names what is not`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const { dir, expected } = borrowArchive(name, temp, world);
    const { versions, bodies } = expected as VersionedVector;
    let held = 0;
    for (const { version, tree } of versions) {
      const missing = tree.filter((file) => !isHeld(file, expected));
      if (missing.length > 0) {
        const before = world.stdout.bytes.length;
        const told = await runIn(world, "export", dir, "--version", `${version}`);
        assert.equal(told.code, 9);
        assert.equal(world.stdout.bytes.length, before, "nothing was printed");
        assert.ok(told.stderr.includes(`version ${version}: ${missing.length} file`), told.stderr);
        for (const { path } of missing.slice(0, 5)) {
          assert.ok(told.stderr.includes(`"${path.slice(1)}"`), told.stderr);
        }
        const args = ["export", dir, "--version", `${version}`, "-o", "x.tar", "--json"];
        const { json } = await runIn(world, ...args);
        assert.deepEqual(
          json.filter(({ event }) => event === "missing").map(({ path }) => path).sort(),
          missing.map(({ path }) => path).sort(),
        );
        assert.ok(!existsSync(temp.join("x.tar")));
        continue;
      }
      held++;
      const entries = await readTar(await bytesOf(world, "export", dir, "--version", `${version}`));
      const isFolder = ({ mode }: TreeFile) => (mode & MODE_DIRECTORY) !== 0;
      assert.deepEqual(
        entries.map(({ sha256: _, ...entry }) => entry),
        [...tree].sort((a, b) => compareTrees(a.path, b.path)).map((file) => ({
          name: isFolder(file) ? `${file.path.slice(1)}/` : file.path.slice(1),
          type: isFolder(file) ? "directory" : "file",
          size: file.size,
          mode: file.mode & 0o777,
          mtime: Math.floor(file.mtime / 1000),
          owner: "0:0::",
        })),
      );
      for (const file of tree) {
        const entry = entries.find(({ name }) => name.replace(/\/$/, "") === file.path.slice(1))!;
        const body = bodies?.find((body) => body.version === file.seq && body.path === file.path);
        const onDisk = join(dir, file.path);
        if (body !== undefined) assert.equal(entry.sha256, body.sha256, file.path);
        else if (file.size > 0) {
          const hash = createHash("sha256").update(Deno.readFileSync(onDisk)).digest("hex");
          assert.equal(entry.sha256, hash, file.path);
        }
      }
    }
    assert.ok(held > 1, `${held} versions were held`);
    assert.equal(held === versions.length, bodies !== undefined);
  });
}

/** Depth first, within a folder by name in UTF-16 code units. */
function compareTrees(a: string, b: string): number {
  const [left, right] = [a.split("/"), b.split("/")];
  const at = left.findIndex((name, n) => name !== right[n]);
  if (at === -1) return left.length - right.length;
  return right[at] === undefined ? 1 : left[at] < right[at] ? -1 : 1;
}

/** Unpack with the system's own tar. */
function unpack(tar: string, folder: string): void {
  Deno.mkdirSync(folder);
  const { success, stderr } = new Deno.Command("tar", { args: ["-xpf", tar, "-C", folder] })
    .outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
}

async function awkward(temp: TempFolder): Promise<{ world: TestWorld; dir: string }> {
  const world = new TestWorld(temp);
  world.clock.wallMs = Date.UTC(2026, 0, 1);
  const dir = temp.folder("archive");
  writeTree(dir, AWKWARD_FILES, "export");
  await importInto(dir, world);
  return { world, dir };
}

Deno.test("tar unpacks an export to the very same tree, however awkward its names", async () => {
  using temp = tempFolder();
  const { world, dir } = await awkward(temp);
  const { code, json } = await runIn(world, "export", dir, "-o", "out.tar", "--json");
  assert.equal(code, 0);
  const file = temp.join("out.tar");
  assert.deepEqual(
    json.map(({ event, file, version, files, bytes }) => ({ event, file, version, files, bytes })),
    [{
      ...{ event: "export", file, version: AWKWARD_FILES.length, files: AWKWARD_FILES.length },
      bytes: Deno.statSync(file).size,
    }],
  );
  unpack(file, temp.join("unpacked"));
  assertSameTree(digestTree(temp.join("unpacked")), digestTree(dir));
});

Deno.test("two exports of a version are the same bytes, to a file or a pipe, and however old", async () => {
  using temp = tempFolder();
  const { world, dir } = await awkward(temp);
  const piped = await bytesOf(world, "export", dir);
  const { version } = (await runIn(world, "status", dir, "--json")).json[0];
  // The files' own times, another clock, newer versions: all of no account.
  Deno.utimeSync(join(dir, "one-byte"), new Date(1), new Date(1));
  world.clock.wallMs += 1e9;
  Deno.writeTextFileSync(join(dir, "newer"), "newer");
  await importInto(dir, world);
  await runIn(world, "export", dir, "--version", `${version}`, "-o", "out.tar");
  assertSameBytes(Deno.readFileSync(temp.join("out.tar")), piped);
  assert.notDeepEqual(await bytesOf(world, "export", dir), piped);
});

Deno.test("late times and sizes beyond what fits a plain header are right", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp, { history: true });
  const late = Date.UTC(2200, 5, 1);
  owner.put("/late", "late", { mtime: late });
  owner.put("/odd", "odd", { mode: 0, mtime: 999 });
  owner.put("/folder", "", { mode: MODE_DIRECTORY | 0o700, mtime: 5000 });
  const world = new TestWorld(temp);
  const entries = await readTar(await bytesOf(world, "export", temp.join("owner")));
  assert.deepEqual(
    entries.map(({ name, type, mode, mtime }) => [name, type, mode, mtime]),
    [
      ["folder/", "directory", 0o700, 5],
      ["late", "file", 0o644, late / 1000],
      ["odd", "file", 0o644, 0],
    ],
  );
});

Deno.test("a file of more than 8 GiB has its size in both headers", async () => {
  const size = 9 * 2 ** 30 + 5;
  const stat = { mode: 0o100644, size, blocks: 1, mtime: 0 } as Stat;
  const entries = [{ path: "/huge", stat, seq: 1 }];
  const view = {
    *read() {
      for (;;) yield new Uint8Array(1024);
    },
  } as unknown as ArchiveView;
  const pieces: Uint8Array[] = [];
  for await (const piece of tarOf({ view, entries, refused: 0, files: 1, bytes: size })) {
    pieces.push(piece.slice());
    if (pieces.length === 4) break; // pax header, its value, padding, header
  }
  assert.match(fromUtf8(pieces[1]), new RegExp(`^\\d+ path=huge\n\\d+ size=${size}\n$`));
  const field = new DataView(pieces[3].buffer, 124, 12);
  assert.deepEqual([field.getUint8(0), Number(field.getBigUint64(4))], [0x80, size]);
});

Deno.test("export leaves hostile names out, says so, and ends with 1", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp, { history: true });
  for (
    const path of ["/../out", "/a/../../b", "//etc/x", "/.dat/key", "/a\\b", "/zero\0", "/fine"]
  ) {
    owner.put(path, path);
  }
  owner.put("/link", "", { mode: 0o120777 });
  owner.put("/lying", "", { size: 5 });
  owner.put("/both/inside", "inside");
  owner.put("/both", "a file");
  const world = new TestWorld(temp);
  const { code, stderr } = await runIn(world, "export", temp.join("owner"), "-o", "out.tar");
  assert.equal(code, 1, stderr);
  assert.equal(stderr.match(/warning: Cannot export/g)?.length, 9, stderr);
  const entries = await readTar(Deno.readFileSync(temp.join("out.tar")));
  assert.deepEqual(entries.map(({ name }) => name), ["both", "fine"]);
});

Deno.test("export refuses what makes no sense, and the archive's own files", async () => {
  using temp = tempFolder();
  const { world, dir } = await awkward(temp);
  assert.equal((await runIn(world, "export", dir, "--json")).code, 2);
  world.stdout.isTerminal = true;
  assert.equal((await runIn(world, "export", dir)).code, 2);
  world.stdout.isTerminal = false;
  assert.equal((await runIn(world, "export", dir, "--version", "999")).code, 9);
  for (const place of ["one-byte", "same/prefix", ".dat/metadata.key", ".dat/new"]) {
    const before = digestTree(dir);
    assert.equal((await runIn(world, "export", dir, "-o", join(dir, place))).code, 2, place);
    assertSameTree(digestTree(dir), before);
    assert.ok(!existsSync(join(dir, `${place}.trove-new`)));
  }
  assert.equal((await runIn(world, "export", dir, "-o", dir)).code, 6);
  assert.equal(world.stdout.pieces.length, 0);
});

Deno.test("a file that was changed here stops the export, and leaves no file", async () => {
  using temp = tempFolder();
  const { world, dir } = await awkward(temp);
  Deno.writeTextFileSync(temp.join("out.tar"), "before");
  const path = join(dir, "just-above-a-block");
  const bytes = Deno.readFileSync(path);
  bytes[bytes.length - 1] ^= 1;
  Deno.writeFileSync(path, bytes);
  const { code, stderr } = await runIn(world, "export", dir, "-o", "out.tar");
  assert.equal(code, 5, stderr);
  assert.equal(Deno.readTextFileSync(temp.join("out.tar")), "before");
  assert.deepEqual(
    [...Deno.readDirSync(temp.path)].map(({ name }) => name).filter((name) => /tar/.test(name)),
    ["out.tar"],
  );
  // One that is gone is told before anything is written.
  Deno.removeSync(path);
  const told = await runIn(world, "export", dir);
  assert.equal(told.code, 9);
  assert.equal(world.stdout.pieces.length, 0);
  assert.match(told.stderr, /1 file .* is not all here: "just-above-a-block"/);
});

Deno.test("an export that nobody reads to the end stops without a word", async () => {
  using temp = tempFolder();
  const { world, dir } = await awkward(temp);
  let pieces = 0;
  world.stdout.writeBytes = () => ++pieces < 3;
  const { code, stderr } = await runIn(world, "export", dir);
  assert.deepEqual([code, stderr, pieces], [0, "", 3]);
});

Deno.test("a signal stops an export and leaves no file", async () => {
  using temp = tempFolder();
  const { world, dir } = await awkward(temp);
  const running = runIn(world, "export", dir, "-o", "out.tar");
  await world.heard();
  world.raise("SIGINT");
  assert.equal((await running).code, 130);
  assert.ok(!existsSync(temp.join("out.tar")) && !existsSync(temp.join("out.tar.trove-new")));
  assert.ok(!world.listens);
  // The archive is in order.
  using archive = openArchive(dir, { world, access: "write" });
  assert.equal(archive.version, AWKWARD_FILES.length);
});
