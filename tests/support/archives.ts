/** Looking at archives on disk from outside, and borrowing those of other programs. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { TempFolder } from "./temp.ts";
import type { TestWorld } from "./test_world.ts";
import { readVector, vectorsDir } from "./vectors.ts";

/** Every file of an archive's `.dat` by name, as hex; the note of a lock is left out. */
export function archiveBytes(dir: string): Record<string, string> {
  const dat = join(dir, ".dat");
  const names = readdirSync(dat).filter((name) => name !== "trove.lock").sort();
  return Object.fromEntries(
    names.filter((name) => Deno.statSync(join(dat, name)).isFile)
      .map((name) => [name, Deno.readFileSync(join(dat, name)).toHex()]),
  );
}

/** Where the secret key of an archive lies, by its discovery key in hex. */
export function secretKeyFile(world: TestWorld, discoveryKey: string): string {
  const store = join(world.homeFolder!, ".dat", "secret_keys");
  return join(store, discoveryKey.slice(0, 2), discoveryKey.slice(2));
}

/** What the vectors tell of an archive. */
export interface ArchiveVector {
  readonly key: string;
  readonly discoveryKey: string;
  readonly version: number;
  readonly metadataLength: number;
  readonly contentLength: number;
  readonly contentBlocksPresent: readonly (readonly [number, number])[];
  readonly history: readonly ({
    readonly version: number;
    readonly type: "put" | "del";
    readonly path: string;
    readonly size?: number;
    readonly mode?: number;
    readonly blocks?: number;
  })[];
}

/** An archive that another program wrote, copied to where it may be changed. */
export interface BorrowedArchive {
  readonly dir: string;
  readonly expected: ArchiveVector;
}

/** Names of the archives of the vectors that lie in a `.dat`; `owned`: with their secret key. */
export function vectorArchives(options: { owned: boolean }): string[] {
  const dir = join(vectorsDir(), "archives");
  return readdirSync(dir)
    .filter((name) => existsSync(join(dir, name, ".dat")))
    .filter((name) => existsSync(join(dir, `${name}.secret_keys`)) === options.owned)
    .sort();
}

/** Folders of the archives of the vectors whose feeds lie in the folder itself, by name. */
export function vectorFeedFolders(): Map<string, string> {
  const dir = join(vectorsDir(), "archives");
  const names = readdirSync(dir).filter((name) => existsSync(join(dir, name, "metadata.key")));
  return new Map(names.sort().map((name) => [name, join(dir, name)]));
}

/** Copy an archive of the vectors, and its secret key into the home of `world`. */
export function borrowArchive(name: string, temp: TempFolder, world: TestWorld): BorrowedArchive {
  const from = join(vectorsDir(), "archives", name);
  const dir = temp.join(name);
  copyTree(from, dir);
  const keys = `${from}.secret_keys`;
  const store = join(world.homeFolder!, ".dat", "secret_keys");
  if (existsSync(keys)) copyTree(keys, store);
  return { dir, expected: readVector(`archives/${name}.json`) };
}

/** Copy a folder with all that is in it. */
export function copyTree(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const entry of Deno.readDirSync(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory) copyTree(source, target);
    else Deno.copyFileSync(source, target);
  }
}
