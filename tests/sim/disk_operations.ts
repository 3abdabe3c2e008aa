/**
 * What trove does to a disk: import, clone, update, checkout, repair and conversion, each with the
 * archive that it needs, the command line that does it, what must hold whenever it was cut off, and
 * what must hold when it was done. Kills, power cuts and failing disks are tried on the same ones.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { cloneArguments } from "../support/sharing.ts";
import type { TempFolder } from "../support/temp.ts";
import { type Ran, runIn, type Shared, type TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, type TreeDigest } from "../support/trees.ts";
import {
  archiveOpens,
  assertNothingGone,
  assertVerifies,
  assertWhole,
  differingPaths,
  importArguments,
  Place,
  type PlaceOptions,
} from "./disk_place.ts";

export const OPERATION_NAMES = [
  "import",
  "clone",
  "update",
  "checkout",
  "repair",
  "convert",
] as const;
export type OperationName = typeof OPERATION_NAMES[number];

/** An operation that is ready to run. Everything is in a folder of its own, which is removed. */
export interface Operation extends AsyncDisposable {
  readonly args: readonly string[];
  /** The folder that it writes to. */
  readonly dir: string;
  /** Where HOME is for it. */
  readonly home: string;
  /** Whose it is: its clock can be told to jump. */
  readonly world: TestWorld;
  /** Run it in this process. */
  run(): Promise<Ran>;
  /**
   * Run it again after a power cut, and where that is not enough go on to what the documentation
   * says: mend, and as the last resort fetch anew. Gives how far it had to go, from 1.
   */
  recover(): Promise<number>;
  /** What must hold after it was cut off. */
  check(): Promise<void>;
  /** What must hold after it ended well. */
  checkDone(): Promise<void>;
}

/** Make ready: what it needs is imported and cloned. */
export async function prepareOperation(
  name: OperationName,
  temp: TempFolder,
  options: PlaceOptions,
): Promise<Operation> {
  const place = new Place(temp, options);
  const prepared = await PREPARE[name](place);
  const { shared, ...rest } = prepared;
  return {
    ...rest,
    home: place.home,
    world: place.world,
    run: () => runIn(place.world, ...rest.args),
    recover: () => recover(place, prepared),
    async [Symbol.asyncDispose]() {
      await shared?.[Symbol.asyncDispose]();
      place.remove();
    },
  };
}

type Prepared = Pick<Operation, "args" | "dir" | "check" | "checkDone"> & {
  /** Whoever is fetched from. */
  readonly shared?: Shared;
};

async function recover(place: Place, { args, dir, shared }: Prepared): Promise<number> {
  const { world } = place;
  const first = await runIn(world, ...args);
  if (first.code === 0 && await isSound(place, dir)) return 1;
  assert.ok(shared !== undefined, `it cannot be completed: ${first.stderr}`);
  const mend = () => runIn(world, "repair", dir, "--discard", "--peer", shared.address);
  await mend();
  const replacing = args[0] === "repair" ? args : [...args, "--overwrite"];
  const second = await runIn(world, ...replacing);
  if (second.code === 0) {
    if (!await isSound(place, dir)) await mend();
    return 2;
  }
  Deno.removeSync(join(dir, ".dat"), { recursive: true });
  await place.run(...cloneArguments(shared.link, dir, [shared.address], ["--overwrite"]));
  return 3;
}

/** Whether nothing is wrong but bits of blocks that no file has, which cost nothing. */
async function isSound({ world }: Place, dir: string): Promise<boolean> {
  const { code, json } = await runIn(world, "verify", dir, "--json");
  if (code === 9) return true; // no archive: what was checked out
  const problems = json.filter(({ event, harmless }) => event === "problem" && !harmless);
  for (const { kind, message } of problems) assert.equal(kind, "block-bit", message);
  return code === 0;
}

const PREPARE: Record<OperationName, (place: Place) => Promise<Prepared>> = {
  import: prepareImport,
  clone: prepareClone,
  update: prepareUpdate,
  checkout: prepareCheckout,
  repair: prepareRepair,
  convert: prepareConvert,
};

/** A first import, or one of a folder that was changed, in either way of keeping content. */
async function prepareImport(place: Place): Promise<Prepared> {
  const { world, random } = place;
  const dir = place.folder("folder");
  const history = random.below(2) === 0;
  const isFirst = random.below(2) === 0;
  let [before, version]: [TreeDigest, number] = [new Map(), 0];
  if (!isFirst) {
    before = place.write(dir, 1);
    version = await place.import(dir, { history });
  }
  const tree = place.write(dir, 2);
  const changed = differingPaths(before, tree);
  // Who serves nobody is done at once, and not at the next tick.
  const args = random.below(2) === 0 ? importArguments(dir) : ["share", dir, "--exit", "--json"];
  return {
    args: [...args, ...(isFirst && history ? ["--history"] : [])],
    dir,
    async check() {
      assertSameTree(digestTree(dir), tree);
      if (await archiveOpens(world, dir)) {
        const status = (await runIn(world, "status", dir, "--json")).json.at(-1)!;
        assert.ok(status.version >= version, "versions were lost");
        await assertVerifies(world, dir, changed);
      } else assert.ok(isFirst, "an archive that was there is gone");
    },
    async checkDone() {
      await assertVerifies(world, dir);
      const copy = place.folder("check");
      {
        await using shared = await place.share(dir, "home");
        await place.runOther(...cloneArguments(shared.link, copy, [shared.address]));
      }
      assertSameTree(digestTree(copy), tree);
      assertSameTree(digestTree(dir), tree);
      Deno.removeSync(copy, { recursive: true });
    },
  };
}

async function prepareClone(place: Place): Promise<Prepared> {
  const [dir, copy] = [place.folder("folder"), place.folder("copy")];
  const tree = place.write(dir, 1);
  const shared = await place.share(dir, "other");
  return {
    args: cloneArguments(shared.link, copy, [shared.address]),
    dir: copy,
    shared,
    async check() {
      assertWhole(copy, [tree]);
      if (await archiveOpens(place.world, copy)) await assertVerifies(place.world, copy);
    },
    async checkDone() {
      assertSameTree(digestTree(copy), tree);
      await assertVerifies(place.world, copy);
    },
  };
}

/** A clone of the version before is brought up to date. */
async function prepareUpdate(place: Place): Promise<Prepared> {
  const { world } = place;
  const [dir, copy] = [place.folder("folder"), place.folder("copy")];
  const before = place.write(dir, 1);
  {
    await using shared = await place.share(dir, "other");
    await place.run(...cloneArguments(shared.link, copy, [shared.address]));
  }
  const tree = place.write(dir, 2);
  const shared = await place.share(dir, "other");
  return {
    args: ["pull", copy, "--peer", shared.address, "--json"],
    dir: copy,
    shared,
    async check() {
      assertWhole(copy, [before, tree]);
      assertNothingGone(copy, [before, tree]);
      assert.ok(await archiveOpens(world, copy), "an archive that was there is gone");
      await assertVerifies(world, copy, differingPaths(before, tree));
    },
    async checkDone() {
      assertSameTree(digestTree(copy), tree);
      await assertVerifies(world, copy);
    },
  };
}

/** A folder with another version in it gets an older or newer one. */
async function prepareCheckout(place: Place): Promise<Prepared> {
  const { world, random } = place;
  const [dir, target] = [place.folder("folder"), place.folder("target")];
  const trees: TreeDigest[] = [];
  const versions: number[] = [];
  for (const n of [1, 2]) {
    trees.push(place.write(dir, n));
    versions.push(await place.import(dir, { history: true }));
  }
  const newest = digestTree(dir);
  const wanted = random.below(2);
  const arguments_ = (version: number) => {
    const args = ["checkout", "/", "--dir", dir, "--to", target, "--overwrite", "--json"];
    return [...args, "--version", String(version)];
  };
  const isFresh = random.below(2) === 0;
  if (!isFresh) await place.run(...arguments_(versions[1 - wanted]));
  return {
    args: arguments_(versions[wanted]),
    dir: target,
    async check() {
      assertWhole(target, trees);
      if (!isFresh) assertNothingGone(target, trees);
      await assertVerifies(world, dir);
    },
    async checkDone() {
      const found = digestTree(target);
      for (const [path, { sha256 }] of trees[wanted]) {
        assert.equal(found.get(path)?.sha256, sha256, path);
      }
      assertSameTree(digestTree(dir), newest);
      await assertVerifies(world, dir);
    },
  };
}

/** A clone with damage in its tree, its bits and its files is mended with the help of a peer. */
async function prepareRepair(place: Place): Promise<Prepared> {
  const { world, random } = place;
  const [dir, copy] = [place.folder("folder"), place.folder("copy")];
  const tree = place.write(dir, 1);
  const shared = await place.share(dir, "other");
  await place.run(...cloneArguments(shared.link, copy, [shared.address]));
  for (const path of [...tree.keys()].filter((_, n) => n % 3 === 0)) {
    spoil(join(copy, path), (size) => random.below(Math.max(1, size)));
  }
  const feed = random.below(2) === 0 ? "content" : "metadata";
  const inEntries = (size: number) => 32 + random.below(size - 32);
  for (let n = 0; n < 3; n++) spoil(join(copy, ".dat", `${feed}.tree`), inEntries);
  spoil(join(copy, ".dat", "content.bitfield"), inEntries);
  const damaged = digestTree(copy);
  return {
    args: ["repair", copy, "--peer", shared.address, "--json"],
    dir: copy,
    shared,
    async check() {
      assertWhole(copy, [damaged, tree]);
      const { code, stderr } = await runIn(world, "verify", copy, "--json");
      assert.ok(code === 0 || code === 5, `verify ended with ${code}: ${stderr}`);
    },
    async checkDone() {
      assertSameTree(digestTree(copy), tree);
      await assertVerifies(world, copy);
    },
  };
}

/** Turn a bit, and leave the file's time as it was. */
function spoil(path: string, at: (size: number) => number): void {
  const { mtime, mode } = Deno.statSync(path);
  const bytes = Deno.readFileSync(path);
  if (bytes.length === 0) return;
  bytes[at(bytes.length)] ^= 4;
  Deno.writeFileSync(path, bytes);
  Deno.chmodSync(path, mode! & 0o777);
  Deno.utimeSync(path, mtime!, mtime!);
}

/** From the one way of keeping content to the other. */
async function prepareConvert(place: Place): Promise<Prepared> {
  const { world, random } = place;
  const dir = place.folder("folder");
  const toHistory = random.below(2) === 0;
  const tree = place.write(dir, 1);
  await place.import(dir, { history: !toHistory });
  // What is not in the folder has to be written back into it.
  const gone = toHistory ? [] : [...tree.keys()].filter((_, n) => n % 2 === 0);
  for (const path of gone) Deno.removeSync(join(dir, path));
  const kept = digestTree(dir);
  return {
    args: ["convert", dir, "--to", toHistory ? "history" : "latest", "--json"],
    dir,
    async check() {
      assertWhole(dir, [tree]);
      assertNothingGone(dir, [kept]);
      await assertVerifies(world, dir, new Set(gone));
    },
    async checkDone() {
      assertSameTree(digestTree(dir), tree);
      await assertVerifies(world, dir);
      const { history } = (await runIn(world, "status", dir, "--json")).json[0];
      assert.equal(history, toHistory);
    },
  };
}
