/** Archives that other programs wrote, read through the commands: every version, every block. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createArchive } from "../../src/app/open_archive.ts";
import { fromHex } from "../../src/base/bytes.ts";
import { MODE_DIRECTORY } from "../../src/core/archive/entry.ts";
import { recordedTrees } from "../core/archive/recorded.ts";
import {
  type ArchiveVector,
  borrowArchive,
  vectorArchives,
  vectorFeedFolders,
} from "../support/archives.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { type JsonLine, runIn, TestWorld } from "../support/test_world.ts";

interface RecordedFile {
  readonly path: string;
  readonly seq: number;
  readonly mode: number;
  readonly size: number;
  readonly blocks: number;
  readonly offset: number;
  readonly mtime: number;
}

interface FullVector extends ArchiveVector {
  readonly versions: readonly {
    readonly version: number;
    readonly tree: readonly RecordedFile[];
  }[];
  readonly bodies?: readonly {
    readonly version: number;
    readonly path: string;
    readonly sha256: string;
  }[];
}

const NAMES = [
  ...vectorArchives({ owned: true }),
  ...vectorArchives({ owned: false }),
  ...vectorFeedFolders().keys(),
];

function borrow(name: string, temp: TempFolder) {
  const world = new TestWorld(temp);
  const { dir, expected } = borrowArchive(name, temp, world);
  return { world, dir, expected: expected as FullVector };
}

/** Without what every line has, and what is not compared. */
function plain({ event: _event, time: _time, ...record }: JsonLine): JsonLine {
  return record;
}

function byPath<T extends { path: string }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => a.path < b.path ? -1 : 1);
}

function heldBlocks(
  { offset, blocks }: Pick<RecordedFile, "offset" | "blocks">,
  expected: FullVector,
): number[] {
  const held: number[] = [];
  for (let block = offset; block < offset + blocks; block++) {
    const here = expected.contentBlocksPresent.some(([start, end]) =>
      start <= block && block < end
    );
    if (here) held.push(block);
  }
  return held;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

Deno.test("there are vectors of every kind", () => {
  assert.ok(NAMES.length >= 5, NAMES.join());
});

for (const name of NAMES) {
  Deno.test(`ls -r lists every version of ${name}`, async () => {
    using temp = tempFolder();
    const { world, dir, expected } = borrow(name, temp);
    assert.equal(expected.versions.length, expected.version + 1);
    for (const { version, tree } of expected.versions) {
      const ran = await runIn(world, "ls", "-r", dir, "--version", `${version}`, "--json");
      assert.deepEqual([ran.code, ran.stderr], [0, ""]);
      const wanted = byPath(tree).map((file) => {
        const { path, seq, size, mode, mtime, blocks, offset } = file;
        const folder = (mode & MODE_DIRECTORY) !== 0;
        const held = heldBlocks(file, expected).length;
        return { path, size, mode, mtime, blocks, offset, version: seq, folder, held };
      });
      assert.deepEqual(byPath(ran.json.map(plain) as RecordedFile[]), wanted, `version ${version}`);
    }
    const newest = await runIn(world, "ls", "-r", "--json", "--dir", dir);
    const last = expected.versions[expected.version];
    assert.deepEqual(
      byPath(newest.json as unknown as RecordedFile[]).map(({ path }) => path),
      byPath(last.tree).map(({ path }) => path),
    );
  });

  Deno.test(`ls shows each folder of every version of ${name}`, async () => {
    using temp = tempFolder();
    const { world, dir, expected } = borrow(name, temp);
    for (const { version, tree } of expected.versions) {
      const children = new Map<string, Set<string>>([["/", new Set()]]);
      for (const { path } of tree) {
        for (let at = path; at !== "/"; at = dirname(at)) {
          const names = children.get(dirname(at)) ?? new Set();
          children.set(dirname(at), names.add(at));
        }
      }
      for (const [folder, paths] of children) {
        const ran = await runIn(
          world,
          ...["ls", folder, "-d", dir, "--version", `${version}`, "--json"],
        );
        assert.deepEqual([ran.code, ran.stderr], [0, ""]);
        assert.deepEqual(
          ran.json.map(({ path }) => path),
          [...paths].sort(),
          `${version} ${folder}`,
        );
        for (const { path, folder } of ran.json) {
          const file = tree.find((file) => file.path === path);
          const isFolder = children.has(path) || (file!.mode & MODE_DIRECTORY) !== 0;
          assert.equal(folder, isFolder, path);
        }
      }
    }
  });

  Deno.test(`cat reads every file of every version of ${name} that is held, and no other`, async () => {
    using temp = tempFolder();
    const { world, dir, expected } = borrow(name, temp);
    let read = 0;
    let refused = 0;
    for (const { version, tree } of expected.versions) {
      for (const file of tree) {
        const { path, size, mode, blocks, offset, seq } = file;
        const before = world.stdout.bytes.length;
        const args = ["cat", path, "--dir", dir, "--version", `${version}`];
        const told = await runIn(world, ...args, "--json");
        if ((mode & MODE_DIRECTORY) !== 0) {
          assert.equal(told.code, 2);
          continue;
        }
        const held = heldBlocks(file, expected);
        if (held.length < blocks) {
          const missing = Array.from({ length: blocks }, (_, n) => offset + n)
            .filter((block) => !held.includes(block));
          assert.equal(told.code, 9, path);
          const { message, code } = told.json.at(-1)!;
          assert.equal(code, "not-found");
          assert.ok(message.includes(`${missing[0]}`) && message.includes(path.slice(1)), message);
          assert.equal((await runIn(world, ...args)).code, 9);
          assert.equal(world.stdout.bytes.length, before, "nothing is printed");
          refused++;
          continue;
        }
        assert.equal((await runIn(world, ...args)).code, 0, path);
        const bytes = world.stdout.bytes.subarray(before);
        assert.equal(bytes.length, size);
        const [record] = told.json;
        assert.deepEqual([record.sha256, record.path], [sha256(bytes), path]);
        assert.deepEqual([record.size, record.version, record.blocks], [size, seq, blocks]);
        const body = expected.bodies?.find((body) => body.version === seq && body.path === path);
        if (expected.bodies !== undefined) assert.ok(body !== undefined || size === 0, path);
        if (body !== undefined) assert.equal(record.sha256, body.sha256);
        else if (existsSync(join(dir, path))) {
          assert.equal(record.sha256, sha256(Deno.readFileSync(join(dir, path))));
        }
        read++;
      }
    }
    assert.ok(read > 0);
    // Only an archive that keeps every version can give every file.
    assert.equal(refused === 0, expected.bodies !== undefined);
  });

  Deno.test(`log tells the history of ${name}, whole and in part`, async () => {
    using temp = tempFolder();
    const { world, dir, expected } = borrow(name, temp);
    const wanted = expected.history.map(({ version, type, path, size, mode, blocks, ...more }) => {
      if (type === "del") return { version, type, path };
      const { mtime, offset } = more as unknown as RecordedFile;
      const held = heldBlocks({ offset, blocks: blocks! }, expected).length;
      return { version, type, path, size, blocks, mode, mtime, offset, held };
    });
    for (let version = 0; version <= expected.version; version++) {
      for (
        const [args, part] of [
          [["--version", `${version}`], wanted.slice(0, version)],
          [["--since", `${version}`], wanted.slice(version)],
        ] as const
      ) {
        const ran = await runIn(world, "log", dir, ...args, "--json");
        assert.deepEqual([ran.code, ran.stderr], [0, ""]);
        assert.deepEqual(ran.json.map(plain), part, args.join(" "));
      }
    }
  });

  Deno.test(`diff between any two versions of ${name} is what their trees have differently`, async () => {
    using temp = tempFolder();
    const { world, dir, expected } = borrow(name, temp);
    for (const from of expected.versions) {
      for (const to of expected.versions) {
        const args = ["diff", `${from.version}`, `${to.version}`, dir, "--json"];
        const { code, json } = await runIn(world, ...args);
        assert.equal(code, 0);
        const found = json.map(({ type, path, version, size, mode }) =>
          JSON.stringify([type, path, version, size, mode])
        );
        const [before, after] = [from, to].map(({ tree }) =>
          new Map(tree.map((file) => [`${file.path} ${file.seq}`, file]))
        );
        const side = (type: string, files: Map<string, RecordedFile>, others: typeof files) =>
          [...files].filter(([key]) => !others.has(key))
            .map(([, { path, seq, size, mode }]) => JSON.stringify([type, path, seq, size, mode]));
        const wanted = [...side("del", before, after), ...side("put", after, before)];
        assert.deepEqual(found.sort(), wanted.sort(), args.join(" "));
        for (const { path, change, type } of json) {
          const [was, is] = [from, to].map(({ tree }) => tree.some((file) => file.path === path));
          if (was && is) assert.ok(["changed", "mode", "touched"].includes(change), path);
          else assert.deepEqual([change, type], was ? ["removed", "del"] : ["added", "put"]);
        }
      }
    }
  });
}

for (const name of [...vectorArchives({ owned: true }), ...vectorArchives({ owned: false })]) {
  Deno.test(`the folder of ${name} differs from its newest version where a file is missing`, async () => {
    using temp = tempFolder();
    const { world, dir, expected } = borrow(name, temp);
    const missing: string[] = [];
    for (const { path, mode } of expected.versions[expected.version].tree) {
      // What git does not keep.
      if ((mode & MODE_DIRECTORY) !== 0) Deno.mkdirSync(join(dir, path), { recursive: true });
      else if (existsSync(join(dir, path))) Deno.chmodSync(join(dir, path), mode & 0o777);
      else missing.push(path);
    }
    const { code, json } = await runIn(world, "diff", "--dir", dir, "--json");
    assert.equal(code, 0);
    const found = json.map(({ type, path, change }) => [type, path, change]);
    assert.deepEqual(found, missing.map((path) => ["del", path, "removed"]));
  });
}

for (const { name, metadata, diffs } of recordedTrees()) {
  Deno.test(`diff --as-dat of ${name} is what was recorded, in that order`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const dir = temp.folder("tree");
    {
      using archive = createArchive(dir, world);
      archive.metadata.append(metadata.slice(1).map(({ bytes }) => fromHex(bytes)));
      archive.metadata.commit();
    }
    for (const { from, to, diff } of diffs) {
      const ran = await runIn(world, "diff", `${from}`, `${to}`, "--as-dat", "--json", "-d", dir);
      assert.equal(ran.code, 0);
      const found = ran.json.map(({ type, path, version }) => ({ type, path, seq: version }));
      assert.deepEqual(found, diff);
    }
  });
}
