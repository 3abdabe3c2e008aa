/** Where one operation on a disk takes place, the files that it is about, and what must hold. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { importInto } from "../support/imported.ts";
import { Random } from "../support/random.ts";
import type { TempFolder } from "../support/temp.ts";
import { type Ran, runIn, type Shared, shareIn, TestWorld } from "../support/test_world.ts";
import {
  digestTree,
  type FilePlan,
  manyFiles,
  type TreeDigest,
  writeTree,
} from "../support/trees.ts";

/** How many files there are, and how large. */
export type Scale = "tiny" | "small" | "large";

const SCALES: Record<Scale, { files: number; bytes: number; long: number }> = {
  tiny: { files: 2, bytes: 90_000, long: 200_000 },
  small: { files: 4, bytes: 150_000, long: 400_000 },
  large: { files: 15, bytes: 150_000, long: 1_500_000 },
};

export interface PlaceOptions {
  /** What is drawn is drawn from this. */
  readonly seed: string;
  readonly scale: Scale;
}

/** A folder of its own in a temporary one, with a user who does things and another who helps. */
export class Place {
  readonly random: Random;
  /** Where HOME of the user is. */
  readonly home: string;
  readonly world: TestWorld;
  readonly #temp: TempFolder;
  readonly #scale: Scale;
  readonly #name: string;

  constructor(temp: TempFolder, { seed, scale }: PlaceOptions) {
    this.#temp = temp;
    this.#scale = scale;
    this.#name = `of-${seed.replaceAll(/[^a-z0-9]+/gi, "-")}`;
    this.random = new Random(`operation ${seed}`);
    this.home = temp.folder(this.#name, "home");
    this.world = this.#world("home");
  }

  #world(home: string): TestWorld {
    return new TestWorld(this.#temp, { home: `${this.#name}/${home}`, running: true });
  }

  folder(name: string): string {
    return this.#temp.folder(this.#name, name);
  }

  /** Make a folder hold a version and nothing else. */
  write(dir: string, version: number): TreeDigest {
    for (const { name } of [...Deno.readDirSync(dir)]) {
      if (name !== ".dat") Deno.removeSync(join(dir, name), { recursive: true });
    }
    writeTree(dir, filesOf(version, this.#scale), `version ${version}`);
    return digestTree(dir);
  }

  /** Run a command of the user. @throws {AssertionError} If it does not end well. */
  async run(...args: readonly string[]): Promise<Ran> {
    return await runWell(this.world, args);
  }

  /** Import a folder of the user's, and give the version that it has then. */
  async import(dir: string, options: { history?: boolean } = {}): Promise<number> {
    await importInto(dir, this.world, options);
    return (await this.run("status", dir, "--json")).json.at(-1)!.version;
  }

  /** Serve a folder of the user's, or of the other one. */
  share(dir: string, whose: "home" | "other"): Promise<Shared> {
    return shareIn(this.#world(whose), dir);
  }

  /** Run a command of the other one. @throws {AssertionError} If it does not end well. */
  async runOther(...args: readonly string[]): Promise<Ran> {
    return await runWell(this.#world("other"), args);
  }

  /** Remove everything. */
  remove(): void {
    Deno.removeSync(this.#temp.join(this.#name), { recursive: true });
  }
}

async function runWell(world: TestWorld, args: readonly string[]): Promise<Ran> {
  const ran = await runIn(world, ...args);
  assert.equal(ran.code, 0, `${args.join(" ")}\n${ran.stdout}${ran.stderr}`);
  return ran;
}

/** The files of a version: some stay, some change their bytes and size, some come and some go. */
export function filesOf(version: number, scale: Scale): FilePlan[] {
  const { files, bytes, long } = SCALES[scale];
  const stay = manyFiles(files, { seed: "stay", largest: bytes });
  const change = manyFiles(files, { seed: "change", smallest: 70_000, largest: bytes + 50_000 })
    .map(({ path, size }) => ({ path: `changing/${path}`, size: size + 1000 * version }));
  const come = manyFiles(files, { seed: `version ${version}`, largest: bytes })
    .map(({ path, size }) => ({ path: `of-version-${version}/${path}`, size }));
  return [...stay, ...change, ...come, { path: "long", size: long + 100_000 * version }];
}

/** The arguments of a `share` that ends when the import is done. */
export function importArguments(dir: string): string[] {
  return ["share", dir, "--host", "127.0.0.1", "--port", "0", "--timeout", "1ms", "--json"];
}

/**
 * The archive opens, and nothing in it is damaged: at most something is not here yet. Files that
 * were changed since they were imported may differ.
 */
export async function assertVerifies(
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
export function assertWhole(dir: string, versions: readonly TreeDigest[]): void {
  for (const [path, { sha256 }] of digestTree(dir)) {
    const known = versions.some((version) => version.get(path)?.sha256 === sha256);
    assert.ok(known, `"${path}" is no version of itself`);
  }
}

/** What all versions have is there, in one version or the other. */
export function assertNothingGone(dir: string, versions: readonly TreeDigest[]): void {
  const found = digestTree(dir);
  for (const path of versions[0].keys()) {
    if (versions.every((version) => version.has(path))) {
      assert.ok(found.has(path), `"${path}" is gone`);
    }
  }
}

/** The paths whose bytes differ. */
export function differingPaths(a: TreeDigest, b: TreeDigest): Set<string> {
  const paths = new Set([...a.keys(), ...b.keys()]);
  return new Set([...paths].filter((path) => a.get(path)?.sha256 !== b.get(path)?.sha256));
}

/** Whether there is an archive that opens. */
export async function archiveOpens(world: TestWorld, dir: string): Promise<boolean> {
  return (await runIn(world, "status", dir, "--json")).code === 0;
}
