/**
 * Where an archive keeps its files, and what a folder is. Source: spec of the dat directory,
 * sections 1 to 4.
 */
import { dirname, join } from "node:path";
import { toHex } from "../base/bytes.ts";
import { UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";

/** Bytes of a SLEEP file that holds nothing but its header. */
const HEADER_BYTES = 32;

/** The names of one feed's files, without the feed's prefix. */
export type FeedFile = "key" | "tree" | "signatures" | "bitfield" | "data";

export interface ArchivePaths {
  /** The working folder, absolute. */
  readonly dir: string;
  readonly dat: string;
  readonly ogd: string;
  readonly latest: string;
  /** Our own: who has the archive open. */
  readonly lock: string;
  /** Our own: files on their way to their final names. */
  readonly staging: string;
  /** Our own: which blocks lie in `staging`. */
  readonly staged: string;
  feed(feed: "metadata" | "content", file: FeedFile): string;
}

export function archivePaths(dir: string): ArchivePaths {
  const dat = join(dir, ".dat");
  return {
    dir,
    dat,
    ogd: join(dat, "metadata.ogd"),
    latest: join(dat, "metadata.latest"),
    lock: join(dat, "trove.lock"),
    staging: join(dat, "trove.staging"),
    staged: join(dat, "trove.staged"),
    feed: (feed, file) => join(dat, `${feed}.${file}`),
  };
}

/** What is at a path: nothing, a folder without an archive, or one with. */
export type FolderKind = "missing" | "empty" | "plain" | "archive";

/**
 * Look at a folder without changing anything.
 *
 * @throws {UsageError} If it is a file, or holds an archive of a kind that is not understood.
 * @throws {StorageError} If it cannot be read.
 */
export function inspectFolder(dir: string): FolderKind {
  const entries = readFolder(dir, "name a folder");
  if (entries === undefined) return "missing";
  const { dat } = archivePaths(dir);
  const inside = readFolder(dat, "an archive needs a folder of that name: move the file away") ??
    [];
  if (inside.includes("metadata.key")) return "archive";
  // Its files would be taken for files to share, a secret key among them.
  if (entries.includes("metadata.key") && entries.includes("metadata.tree")) {
    throw new UsageError(`Cannot use "${dir}": the files of an archive lie in it without a .dat`, {
      hint: "move all metadata.* and content.* files into a folder .dat in it",
    });
  }
  // Files with no more than a header are what a crash leaves behind before there is a key, and our
  // own extra files say nothing about the archive.
  const telling = inside.filter((name) => {
    if (name.startsWith("trove.")) return false;
    const info = lookAt(join(dat, name));
    return info !== undefined && (info.isDirectory || info.size > HEADER_BYTES);
  });
  if (telling.length > 0) {
    throw new UsageError(
      `Cannot use "${dir}": its .dat folder is of a kind that is not understood`,
      {
        hint: "dat archives from before 2017 must be shared anew: move .dat away first",
      },
    );
  }
  return entries.some((name) => name !== ".dat") ? "plain" : "empty";
}

/** Names in a folder, or undefined if there is none. `hint` is for when it is a file. */
function readFolder(dir: string, hint: string): string[] | undefined {
  try {
    return [...Deno.readDirSync(dir)].map((entry) => entry.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.NotADirectory || isFile(dir)) {
      throw new UsageError(`Cannot use "${dir}": it is a file`, { hint });
    }
    throw storageError(`Cannot read the folder "${dir}"`, error);
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/**
 * Where the secret key of an archive lies: outside the folder, under the discovery key of its
 * metadata feed.
 *
 * @throws {UsageError} If the environment does not say where home is.
 */
export function secretKeyPath(world: World, discoveryKey: Uint8Array): string {
  const home = world.home();
  if (home === undefined) {
    throw new UsageError("Cannot find the secret keys: no home directory is set", {
      hint: "set HOME",
    });
  }
  const name = toHex(discoveryKey);
  return join(home, ".dat", "secret_keys", name.slice(0, 2), name.slice(2));
}

/** The bytes of a small file, or undefined if it does not exist. @throws {StorageError} */
export function readSmallFile(path: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw storageError(`Cannot read "${path}"`, error);
  }
}

/**
 * Replace a small file as a whole: written beside it, brought to disk, then renamed.
 *
 * @param options.mode Permission bits of the new file.
 * @throws {StorageError}
 */
export function writeSmallFile(
  path: string,
  bytes: Uint8Array,
  options: { mode: number },
): void {
  const temporary = `${path}.trove-new`;
  try {
    Deno.mkdirSync(dirname(path), { recursive: true, mode: options.mode | dirBits(options.mode) });
    {
      const { mode } = options;
      using file = Deno.openSync(temporary, { write: true, create: true, truncate: true, mode });
      // A file left from before keeps its bits, so they are set once more.
      if (Deno.build.os !== "windows") Deno.chmodSync(temporary, mode);
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
      file.syncSync();
    }
    Deno.renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    throw storageError(`Cannot write "${path}"`, error);
  }
}

/** Whoever may read a file must be able to enter its folder. */
function dirBits(mode: number): number {
  return (mode & 0o444) >> 2;
}

/** Bring a folder's list of names to disk. */
function syncFolder(dir: string): void {
  if (Deno.build.os === "windows") return; // folders cannot be opened there
  using folder = Deno.openSync(dir, { read: true });
  folder.syncSync();
}
