/**
 * A disk that gets full, at import, clone, update and checkout: one line, exit code 6, nothing lost,
 * and the same command goes on where there is room again.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { SmallDisk } from "../support/failures.ts";
import { type Exit, runTrove } from "../support/processes.ts";
import { cloneArguments, shareWithTrove } from "../support/sharing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import {
  assertSameTree,
  digestTree,
  type FilePlan,
  manyFiles,
  type TreeDigest,
  writeTree,
} from "../support/trees.ts";

const MB = 1_000_000;

/** How a command that met the limit has to end. */
function assertFull(exit: Exit): void {
  const said = `stdout:\n${exit.stdout}\nstderr:\n${exit.stderr}`;
  assert.equal(exit.code, 6, said);
  const last = exit.lines.at(-1);
  assert.deepEqual([last?.event, last?.code, last?.exitCode], ["error", "storage", 6], said);
  assert.equal(exit.stderr.trimEnd().split("\n").length, 1, said);
  assert.match(exit.stderr, /^error: Cannot /, said);
  assert.match(exit.stderr, /space|large|full/i, said);
}

/** `share` that ends by itself once the import is done. */
function importArguments(folder: string, ...extra: readonly string[]): string[] {
  const where = ["--host", "127.0.0.1", "--port", "0", "--timeout", "1ms"];
  return ["share", folder, ...where, "--json", ...extra];
}

async function assertVerifies(folder: string, home: string): Promise<void> {
  const exit = await runTrove(["verify", folder, "--json"], { home });
  assert.equal(exit.code, 0, exit.stdout);
}

/** Every file has its name with the bytes of one of these trees, or does not stand there at all. */
function assertWhole(folder: string, ...trees: readonly TreeDigest[]): void {
  for (const [path, { sha256 }] of digestTree(folder)) {
    const known = trees.some((tree) => tree.get(path)?.sha256 === sha256);
    assert.ok(known, `"${path}" is neither old nor new`);
  }
}

async function assertCloneEquals(
  folder: string,
  temp: TempFolder,
  home: string,
): Promise<void> {
  await using sharer = await shareWithTrove(folder, { home });
  const check = temp.folder("check");
  const exit = await runTrove(cloneArguments(sharer.link, check, [sharer.address]), {
    home: temp.folder("home-of-checker"),
  });
  assert.equal(exit.code, 0, exit.stderr);
  assertSameTree(digestTree(check), digestTree(folder));
}

/** Imports that need more room than there is, and how much there is besides the files. */
const IMPORTS: readonly { name: string; files: FilePlan[]; room: number; extra: string[] }[] = [
  {
    // One folder with many names: its metadata takes more room than its files.
    name: "an import",
    files: Array.from({ length: 2000 }, (_, n) => ({ path: `flat/file-${n}`, size: 1 })),
    room: 1 * MB,
    extra: [],
  },
  {
    name: "an import that keeps every version",
    files: [
      ...manyFiles(30, { seed: "history", smallest: 50_000, largest: 200_000 }),
      { path: "long", size: 2 * MB },
    ],
    room: 2 * MB,
    extra: ["--history"],
  },
];

for (const { name, files, room, extra } of IMPORTS) {
  Deno.test(`${name} loses nothing on a full disk and is completed when there is room`, async () => {
    using temp = tempFolder();
    const [folder, home] = [temp.folder("folder"), temp.folder("home")];
    using disk = new SmallDisk(folder, 40 * MB);
    writeTree(folder, files, name);
    const before = digestTree(folder);
    disk.grow(disk.wrapper.length > 0 ? room : occupied(folder) + room);
    const args = importArguments(folder, ...extra);
    assertFull(await runTrove(args, { home, wrapper: disk.wrapper }));
    assertSameTree(digestTree(folder), before);

    disk.grow(40 * MB);
    const exit = await runTrove(args, { home, wrapper: disk.wrapper });
    assert.equal(exit.code, 0, exit.stderr);
    await assertVerifies(folder, home);
    await assertCloneEquals(folder, temp, home);
  });
}

Deno.test("a clone and an update onto a full disk keep what is good and go on", async () => {
  using temp = tempFolder();
  const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
  const [owner, home] = [temp.folder("home-of-sharer"), temp.folder("home")];
  using disk = new SmallDisk(copy, 3 * MB);
  writeTree(folder, [{ path: "large", size: 5 * MB }, { path: "small", size: 10 }], "old");
  const old = digestTree(folder);
  {
    await using sharer = await shareWithTrove(folder, { home: owner });
    const args = cloneArguments(sharer.link, copy, [sharer.address], ["--timeout", "30s"]);
    assertFull(await runTrove(args, { home, wrapper: disk.wrapper }));
    assertWhole(copy, old);
    await assertVerifies(copy, home);
    disk.grow(7 * MB);
    const exit = await runTrove(args, { home, wrapper: disk.wrapper });
    assert.equal(exit.code, 0, exit.stderr);
    assertSameTree(digestTree(copy), old);
  }
  // The next version does not fit beside the old one, which stays until the new one is complete.
  writeTree(folder, [{ path: "large", size: 8 * MB }, { path: "small", size: 20 }], "new");
  const fresh = digestTree(folder);
  await using sharer = await shareWithTrove(folder, { home: owner });
  const args = cloneArguments(sharer.link, copy, [sharer.address], ["--timeout", "30s"]);
  assertFull(await runTrove(args, { home, wrapper: disk.wrapper }));
  assertWhole(copy, old, fresh);
  assert.equal(digestTree(copy).get("large")?.sha256, old.get("large")?.sha256);
  disk.grow(40 * MB);
  const exit = await runTrove(args, { home, wrapper: disk.wrapper });
  assert.equal(exit.code, 0, exit.stderr);
  assertSameTree(digestTree(copy), fresh);
  await assertVerifies(copy, home);
});

Deno.test("a checkout onto a full disk leaves whole files only and goes on", async () => {
  using temp = tempFolder();
  const [folder, target] = [temp.folder("folder"), temp.folder("target")];
  const home = temp.folder("home");
  writeTree(folder, manyFiles(20, { seed: "checkout", smallest: 300_000, largest: 500_000 }), "c");
  assert.equal((await runTrove(importArguments(folder), { home })).code, 0);
  const tree = digestTree(folder);
  using disk = new SmallDisk(target, 3 * MB);
  if (disk.wrapper.length > 0) disk.grow(MB / 4);
  const args = ["checkout", "/", "--dir", folder, "--to", target, "--json"];
  assertFull(await runTrove(args, { home, wrapper: disk.wrapper }));
  assertWhole(target, tree);
  disk.grow(40 * MB);
  const exit = await runTrove(args, { home, wrapper: disk.wrapper });
  assert.equal(exit.code, 0, exit.stderr);
  assertSameTree(digestTree(target), tree);
  assertSameTree(digestTree(folder), tree);
});

/** Bytes that the files below a folder take on its disk, as far as anybody can tell. */
function occupied(folder: string): number {
  let bytes = 0;
  for (const entry of Deno.readDirSync(folder)) {
    const path = join(folder, entry.name);
    // A page at least for each file, and one for its name.
    bytes += entry.isDirectory ? occupied(path) : Math.ceil(Deno.statSync(path).size / 4096) * 4096;
  }
  return bytes;
}
