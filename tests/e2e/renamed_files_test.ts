/** What clones make of an archive in which files were renamed, with and without reused content. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { runPeer } from "../support/processes.ts";
import { cloneWithTrove, type Sharer, shareWithTrove } from "../support/sharing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import {
  assertSameTree,
  differences,
  digestTree,
  type TreeDigest,
  withoutModes,
  writeTree,
} from "../support/trees.ts";

const FILES = ["a", "b", "c", "d", "e"].map((path, n) => ({ path, size: 150_000 + n }));

interface Renamed {
  readonly sharer: Sharer;
  readonly expected: TreeDigest;
  /** Blocks of the content feed that the second import appended. */
  readonly appended: number;
}

/** Share a folder, rename two of its files, and share it again. */
async function shareRenamed(temp: TempFolder, extra: readonly string[]): Promise<Renamed> {
  const home = temp.folder("home");
  const folder = temp.folder("folder");
  writeTree(folder, FILES, "renamed");
  const tree = join(folder, ".dat", "content.tree");
  {
    await using first = await shareWithTrove(folder, { home }, extra);
    await first.process.event("listening");
  }
  const before = Deno.statSync(tree).size;
  Deno.renameSync(join(folder, "a"), join(folder, "z"));
  Deno.mkdirSync(join(folder, "below"));
  Deno.renameSync(join(folder, "c"), join(folder, "below", "c"));
  const sharer = await shareWithTrove(folder, { home }, extra);
  const appended = (Deno.statSync(tree).size - before) / 80;
  return { sharer, expected: withoutModes(digestTree(folder)), appended };
}

/** How a clone by a real peer differs from what was shared. */
async function realClone({ sharer, expected }: Renamed, temp: TempFolder): Promise<string[]> {
  const copy = temp.folder("copy of a real peer");
  await runPeer("clone_folder", [sharer.key, sharer.address, copy, "--timeout", "10"], {
    home: temp.folder("home of a real peer"),
  });
  return differences(withoutModes(digestTree(copy)), expected);
}

async function troveClone({ sharer, expected }: Renamed, temp: TempFolder): Promise<void> {
  const copy = temp.folder("copy of trove");
  const exit = await cloneWithTrove([sharer], copy, { home: temp.folder("home of a cloner") });
  assert.equal(exit.code, 0, exit.stderr);
  assertSameTree(withoutModes(digestTree(copy)), expected);
}

for (const extra of [[], ["--history", "--no-reuse-content"]]) {
  Deno.test(`files renamed by ${["share", ...extra].join(" ")} come right to all`, async () => {
    using temp = tempFolder();
    const renamed = await shareRenamed(temp, extra);
    await using _sharer = renamed.sharer;
    assert.equal(renamed.appended, 6);
    await troveClone(renamed, temp);
    assert.deepEqual(await realClone(renamed, temp), []);
  });
}

for (const extra of [["--reuse-content"], ["--history"]]) {
  Deno.test(`share ${extra[0]} appends nothing for renamed files, and trove clones them`, async () => {
    using temp = tempFolder();
    const renamed = await shareRenamed(temp, extra);
    await using _sharer = renamed.sharer;
    assert.equal(renamed.appended, 0);
    await troveClone(renamed, temp);
  });
}

Deno.test("a clone made by dat goes wrong where content is reused: why that has to be asked for", async () => {
  using temp = tempFolder();
  const renamed = await shareRenamed(temp, ["--reuse-content"]);
  await using _sharer = renamed.sharer;
  // It says that all is well, and the bytes lie under the old names.
  assert.deepEqual(await realClone(renamed, temp), [
    'missing: "below/c" (150002 bytes)',
    'missing: "z" (150000 bytes)',
    'unexpected: "a" (150000 bytes)',
    'unexpected: "c" (150002 bytes)',
  ]);
});
