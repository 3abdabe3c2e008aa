/** That a folder which is followed, version by version, is what a checkout from nothing gives. */
import assert from "node:assert/strict";
import { finishCheckout } from "../../src/app/checkout.ts";
import { type CheckoutPlan, planFiles } from "../../src/app/checkout_plan.ts";
import type { Archive } from "../../src/app/open_archive.ts";
import { concat, toHex } from "../../src/base/bytes.ts";
import { UsageError } from "../../src/base/errors.ts";
import { MODE_DIRECTORY } from "../../src/core/archive/entry.ts";
import { leafHash } from "../../src/crypto/hash.ts";
import { CraftedArchive, CraftedCopy } from "../support/crafted_archive.ts";
import { Random } from "../support/random.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

const SIZES = [0, 1, 20, 30, 40, 70_000];

/** Change some paths of an archive; gives those of files that were put. */
function change(owner: CraftedArchive, live: Set<string>, random: Random): string[] {
  const changed: string[] = [];
  for (
    const path of ["a", "b", "c", "d", "e", "f", "g", "h"].flatMap((n) => [`/${n}`, `/${n}/sub`])
  ) {
    if (live.delete(path)) owner.delete(path);
  }
  for (let count = 1 + random.below(6); count > 0; count--) {
    const name = () => "abcdefgh"[random.below(8)];
    const file = `${name()}${random.below(30)}`;
    const folder = ["", `/${name()}`, `/${name()}/sub`][random.below(3)];
    // Now and then a file takes the place of a folder, for a while.
    const path = random.below(40) === 0 ? folder || "/a" : `${folder}/${file}`;
    const what = random.below(20);
    if (what < 6) {
      const [victim] = [...live].slice(random.below(Math.max(1, live.size)));
      if (victim === undefined) continue;
      owner.delete(victim);
      live.delete(victim);
    } else if (what === 6) {
      owner.putStat(path, { mode: MODE_DIRECTORY | 0o755 });
      live.add(path);
    } else {
      const bytes = random.bytes(SIZES[random.below(SIZES.length)]).slice();
      owner.put(path, bytes, { mode: 0o100000 | (random.below(2) === 0 ? 0o755 : 0o644) });
      live.add(path);
      changed.push(path);
    }
  }
  return changed.filter((path) => live.has(path));
}

/** Files made here, changed or gone. */
function edit(copy: CraftedCopy, path: string, random: Random): void {
  try {
    if (!Deno.lstatSync(copy.path(path)).isFile) return;
    if (random.below(3) === 0) Deno.removeSync(copy.path(path));
    else Deno.writeTextFileSync(copy.path(path), `mine ${random.below(1000)}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) {
      throw error;
    }
  }
}

function removeIfThere(path: string): void {
  try {
    if (Deno.lstatSync(path).isFile) Deno.removeSync(path);
  } catch {
    // Nothing there.
  }
}

/** Files with their modes and a hash of their bytes, and folders, which end in a slash. */
type Tree = ReadonlyMap<string, string>;

const describe = (bytes: Uint8Array, mode: number) =>
  `${bytes.length} ${(mode & 0o777).toString(8)} ${toHex(leafHash(bytes).subarray(0, 8))}`;

/** What a walk over everything says. */
function expectedTree({ archive, blocks }: CraftedArchive): Tree {
  const { files, emptyFiles, folders } = planFiles(archive, () => {}, { dir: "/" });
  const tree = new Map<string, string>();
  const addFolder = (path: string) => {
    for (let end = path.indexOf("/", 1); end > 0; end = path.indexOf("/", end + 1)) {
      tree.set(path.slice(1, end + 1), "");
    }
  };
  for (const { path } of folders) addFolder(`${path}/`);
  for (const { path, offset, blocks: count, mode } of [...files, ...emptyFiles]) {
    addFolder(path);
    tree.set(path.slice(1), describe(concat(blocks.slice(offset, offset + count)), mode));
  }
  return new Map([...tree].sort(([a], [b]) => a < b ? -1 : 1));
}

function treeOf(dir: string): Tree {
  const tree = new Map<string, string>();
  const walk = (below: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(`${dir}/${below}`)) {
      const path = below + name;
      if (path === ".dat") continue;
      if (!isDirectory) {
        const { mode } = Deno.lstatSync(`${dir}/${path}`);
        tree.set(path, describe(Deno.readFileSync(`${dir}/${path}`), mode!));
        continue;
      }
      tree.set(`${path}/`, "");
      walk(`${path}/`);
    }
  };
  walk("");
  return new Map([...tree].sort(([a], [b]) => a < b ? -1 : 1));
}

/** Which blocks of the plan's version are under their names, and that nothing else waits. */
function checkBlocks(archive: Archive, plan: CheckoutPlan): void {
  const { content, paths } = archive;
  for (const { start, end } of plan.ranges) {
    for (let block = start; block < end; block++) assert.ok(content!.hasFinal(block), `${block}`);
  }
  assert.throws(() => Deno.lstatSync(paths.staging), Deno.errors.NotFound);
  for (const { start, end } of plan.ranges) {
    assert.equal(content!.countHeld(start, end), end - start);
  }
}

async function follow(temp: TempFolder, seed: string, options: { edits: boolean }) {
  const random = new Random(`followed ${seed}`);
  using owner = new CraftedArchive(temp);
  const copy = new CraftedCopy(temp, owner);
  // Whatever happens to names, nothing of the archive is in the way of another of its files.
  copy.choices = { overwrite: true };
  const live = new Set<string>();
  const versions = 30;
  for (let i = 0; i < 10; i++) change(owner, live, random);
  await copy.open(async (archive) => {
    let plan: CheckoutPlan | undefined;
    let edited: string[] = [];
    for (let i = 0; i < versions; i++) {
      copy.update(archive);
      try {
        plan = await copy.follow(archive, plan);
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        // Edited files are below a folder that a file takes the place of.
        for (const path of edited) removeIfThere(copy.path(path));
        plan = await copy.follow(archive, plan);
      }
      assert.equal(plan.version, owner.archive.version);
      const isComplete = random.below(3) > 0 || i === versions - 1;
      const chance = random.below(4);
      copy.fetch(archive, plan, () => isComplete || random.below(4) < chance);
      if (isComplete) {
        finishCheckout(archive, plan);
        checkBlocks(archive, plan);
        const expected = expectedTree(owner);
        assert.deepEqual(treeOf(copy.dir), expected, `version ${plan.version}`);
        const files = [...expected.keys()].filter((path) => !path.endsWith("/"));
        assert.equal(plan.total, files.length);
      }
      const changed = change(owner, live, random);
      if (options.edits && random.below(2) === 0) {
        edited = changed;
        for (const path of edited) edit(copy, path, random);
      }
    }
  });
  return { versions, wholePlans: copy.wholePlans };
}

for (const seed of ["1", "2"]) {
  for (const edits of [false, true]) {
    const what = edits ? " with files that are changed here" : "";
    Deno.test(`a followed folder is what a new clone is${what}, seed ${seed}`, async () => {
      using temp = tempFolder();
      const { versions, wholePlans } = await follow(temp, seed, { edits });
      assert.ok(wholePlans < versions, `${wholePlans} of ${versions} plans were whole`);
    });
  }
}
