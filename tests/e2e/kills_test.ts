/**
 * Two hundred kills at random moments, over import, clone, update and checkout. After each one the
 * archive opens and verifies and no working file is half new; in the end everything completes. And one
 * kill of a pull, in the middle of it.
 */
import assert from "node:assert/strict";
import { heldBlocks } from "../support/held_blocks.ts";
import { runTrove, trove } from "../support/processes.ts";
import { Random } from "../support/random.ts";
import { cloneArguments, cloneWithTrove, shareWithTrove } from "../support/sharing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, shareIn, TestWorld } from "../support/test_world.ts";
import {
  assertSameTree,
  digestTree,
  type FilePlan,
  manyFiles,
  type TreeDigest,
  writeTree,
} from "../support/trees.ts";

/** Kills of each kind. */
const KILLS = 50;
/** Runs of each kind, at most: some are over before they are killed. */
const MAX_RUNS = 4 * KILLS;
/** Kills in a row before one run is left alone: what is killed all the time gets nowhere. */
const KILLS_IN_A_ROW = 7;
/** Milliseconds in which a run begins and most of one passes. */
const WINDOW_MS = 450;

/** Runs a command again and again and kills it, until it was killed often enough. */
class Killer {
  kills = 0;
  readonly #random: Random;
  readonly #home: string;
  #runs = 0;
  #inARow = 0;

  constructor(temp: TempFolder, seed: string) {
    this.#random = new Random(seed);
    this.#home = temp.folder("home");
  }

  get done(): boolean {
    return this.kills >= KILLS;
  }

  /** Whether it was killed; otherwise it was complete before that. */
  async run(args: readonly string[]): Promise<boolean> {
    this.#runs++;
    assert.ok(this.#runs <= MAX_RUNS, `${this.kills} of ${MAX_RUNS} runs lived to be killed`);
    await using process = await trove(args, { home: this.#home });
    if (this.#inARow < KILLS_IN_A_ROW && !this.done) {
      await new Promise((resolve) => setTimeout(resolve, this.#random.below(WINDOW_MS)));
      process.signal("SIGKILL");
    }
    const exit = await process.exit;
    if (exit.signal === "SIGKILL") {
      this.kills++;
      this.#inARow++;
      return true;
    }
    this.#inARow = 0;
    assert.equal(exit.code, 0, exit.stdout + exit.stderr);
    return false;
  }
}

/**
 * The archive opens, and nothing in it is damaged: at most something is not here yet. Files that
 * were changed since they were imported may differ.
 */
async function assertVerifies(
  world: TestWorld,
  dir: string,
  changed: ReadonlySet<string> = new Set(),
): Promise<void> {
  const { code, json, stdout } = await runIn(world, "verify", dir, "--json");
  const damage = json.filter(({ event, harmless }) => event === "problem" && !harmless);
  const others = damage.filter(({ path }) =>
    !(typeof path === "string" && changed.has(path.replace(/^\//, "")))
  );
  assert.deepEqual(others, []);
  assert.equal(code, damage.length > 0 ? 5 : 0, stdout);
}

/** Every file is, whole, the one that some version has at its place. */
function assertWhole(dir: string, versions: readonly TreeDigest[]): void {
  for (const [path, { sha256 }] of digestTree(dir)) {
    const known = versions.some((version) => version.get(path)?.sha256 === sha256);
    assert.ok(known, `"${path}" is no version of itself`);
  }
}

/** The files of a version: some stay, some change their bytes and size, some come and some go. */
function filesOf(version: number): FilePlan[] {
  const stay = manyFiles(15, { seed: "stay", largest: 150_000 });
  const change = manyFiles(15, { seed: "change", smallest: 70_000, largest: 200_000 })
    .map(({ path, size }) => ({ path: `changing/${path}`, size: size + 1000 * version }));
  const come = manyFiles(15, { seed: `version ${version}`, largest: 150_000 })
    .map(({ path, size }) => ({ path: `of-version-${version}/${path}`, size }));
  return [...stay, ...change, ...come, { path: "long", size: 1_500_000 + 100_000 * version }];
}

/** Make a folder hold a version and nothing else. */
function writeVersion(dir: string, version: number): TreeDigest {
  for (const { name } of [...Deno.readDirSync(dir)]) {
    if (name !== ".dat") Deno.removeSync(`${dir}/${name}`, { recursive: true });
  }
  writeTree(dir, filesOf(version), `version ${version}`);
  return digestTree(dir);
}

function differences(a: TreeDigest, b: TreeDigest): Set<string> {
  const paths = new Set([...a.keys(), ...b.keys()]);
  return new Set([...paths].filter((path) => a.get(path)?.sha256 !== b.get(path)?.sha256));
}

/** The arguments of a `share` that ends when the import is done. */
function importArguments(dir: string): string[] {
  return ["share", dir, "--host", "127.0.0.1", "--port", "0", "--timeout", "1ms", "--json"];
}

Deno.test(`${KILLS} kills of imports lose nothing`, async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp, { running: true });
  const killer = new Killer(temp, "kills of imports");
  const links = new Set<string>();
  const dir = temp.folder("folder");
  let before: TreeDigest = new Map();
  for (let version = 1; !killer.done; version++) {
    const tree = writeVersion(dir, version);
    const changed = differences(before, tree);
    while (await killer.run(importArguments(dir))) {
      assertSameTree(digestTree(dir), tree);
      if ((await runIn(world, "status", dir, "--json")).code === 0) {
        await assertVerifies(world, dir, changed);
      } else assert.equal(links.size, 0, "an archive that was there is gone");
    }
    links.add((await runIn(world, "status", dir, "--json")).json.at(-1)!.link);
    await assertVerifies(world, dir);
    before = tree;
  }
  assert.equal(links.size, 1, "the link stays");
  await using shared = await shareIn(new TestWorld(temp), dir);
  const cloner = new TestWorld(temp, { home: "home of cloner", running: true });
  const { code, stderr } = await runIn(
    cloner,
    ...["clone", shared.link, "copy", "--peer", shared.address],
  );
  assert.equal(code, 0, stderr);
  assertSameTree(digestTree(temp.join("copy")), digestTree(dir));
});

Deno.test(`${KILLS} kills of clones leave whole files, and each completes`, async () => {
  using temp = tempFolder();
  const dir = temp.folder("folder");
  const tree = writeVersion(dir, 1);
  const world = new TestWorld(temp, { home: "home of cloner", running: true });
  const killer = new Killer(temp, "kills of clones");
  await using shared = await shareIn(new TestWorld(temp), dir);
  for (let n = 1; !killer.done; n++) {
    const copy = temp.folder(`copy-${n}`);
    const args = cloneArguments(shared.link, copy, [shared.address]);
    while (await killer.run(args)) {
      assertWhole(copy, [tree]);
      if ((await runIn(world, "status", copy, "--json")).code === 0) {
        await assertVerifies(world, copy);
      }
    }
    assertSameTree(digestTree(copy), tree);
    await assertVerifies(world, copy);
    Deno.removeSync(copy, { recursive: true });
  }
});

Deno.test(`${KILLS} kills of updates leave each file old or new`, async () => {
  using temp = tempFolder();
  const [dir, copy] = [temp.folder("folder"), temp.folder("copy")];
  const world = new TestWorld(temp, { home: "home of cloner", running: true });
  const killer = new Killer(temp, "kills of updates");
  let before: TreeDigest = new Map();
  for (let version = 1; !killer.done; version++) {
    const tree = writeVersion(dir, version);
    await using shared = await shareIn(new TestWorld(temp), dir);
    const args = cloneArguments(shared.link, copy, [shared.address]);
    while (await killer.run(args)) {
      assertWhole(copy, [before, tree]);
      if ((await runIn(world, "status", copy, "--json")).code === 0) {
        await assertVerifies(world, copy, differences(before, tree));
      }
    }
    assertSameTree(digestTree(copy), tree);
    await assertVerifies(world, copy);
    before = tree;
  }
});

Deno.test(`${KILLS} kills of checkouts leave each file old or new`, async () => {
  using temp = tempFolder();
  const [dir, target] = [temp.folder("folder"), temp.folder("target")];
  const world = new TestWorld(temp, { running: true });
  const killer = new Killer(temp, "kills of checkouts");
  const trees: TreeDigest[] = [];
  const versions: number[] = [];
  for (const n of [1, 2, 3]) {
    trees.push(writeVersion(dir, n));
    const history = n === 1 ? ["--history"] : [];
    const { code, stderr } = await runIn(world, ...importArguments(dir), ...history);
    assert.equal(code, 0, stderr);
    versions.push((await runIn(world, "status", dir, "--json")).json.at(-1)!.version);
  }
  const newest = digestTree(dir);
  for (let n = 0; !killer.done; n++) {
    const version = String(versions[n % versions.length]);
    const args = ["checkout", "/", "--dir", dir, "--to", target, "--version", version];
    while (await killer.run([...args, "--overwrite", "--json"])) {
      assertWhole(target, trees);
      await assertVerifies(world, dir);
    }
    const tree = trees[n % trees.length];
    const found = digestTree(target);
    for (const [path, { sha256 }] of tree) assert.equal(found.get(path)?.sha256, sha256, path);
  }
  assertSameTree(digestTree(dir), newest);
});

Deno.test("a pull killed midway leaves each file old or new, and the next one brings the rest", async () => {
  using temp = tempFolder();
  const [dir, copy] = [temp.folder("folder"), temp.folder("copy")];
  const [home, cloner] = [temp.folder("home"), temp.folder("home of cloner")];
  const before = writeVersion(dir, 1);
  {
    await using sharer = await shareWithTrove(dir, { home });
    const exit = await cloneWithTrove([sharer], copy, { home: cloner });
    assert.equal(exit.code, 0, exit.stderr);
  }
  const after = writeVersion(dir, 2);
  const atFirst = heldBlocks(copy, "content");
  // Some 5 MB are new, so that it takes some seconds.
  await using sharer = await shareWithTrove(dir, { home }, ["--up", "2mb"]);
  const args = ["pull", copy, "--peer", sharer.address, "--json"];
  {
    await using pull = await trove(args, { home: cloner });
    await pull.event("progress", {
      matches: ({ blocks, blocksTotal }) => blocks > blocksTotal / 2 && blocks < blocksTotal,
    });
    pull.signal("SIGKILL");
    assert.equal((await pull.exit).signal, "SIGKILL", "it was over before it was killed");
  }
  const kept = heldBlocks(copy, "content").difference(atFirst);
  assert.ok(kept.size > 0, "nothing of what came was kept");
  assertWhole(copy, [before, after]);
  const world = new TestWorld(temp, { home: "home of cloner", running: true });
  await assertVerifies(world, copy, differences(before, after));

  const exit = await runTrove(args, { home: cloner });
  assert.equal(exit.code, 0, exit.stderr);
  const { downloadedBytes } = exit.lines.at(-1)!;
  const newBytes = [...differences(before, after)]
    .reduce((sum, path) => sum + (filesOf(2).find((file) => file.path === path)?.size ?? 0), 0);
  assert.ok(downloadedBytes > 0, "there was a rest");
  assert.ok(downloadedBytes < newBytes, `${downloadedBytes} of ${newBytes} bytes came again`);
  assertSameTree(digestTree(copy), after);
  await assertVerifies(world, copy);
});
