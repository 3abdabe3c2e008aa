/**
 * Where an archive keeps its files, and what a folder is. Source: spec of the dat directory,
 * sections 1 to 4.
 */
import { basename, dirname, join } from "node:path";
import { toHex } from "../base/bytes.ts";
import { NotFoundError, StorageError, UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";

/** Bytes of a SLEEP file that holds nothing but its header. */
const HEADER_BYTES = 32;

/** The names of one feed's files, without the feed's prefix. */
export type FeedFile = "key" | "secret_key" | "tree" | "signatures" | "bitfield" | "data";

/**
 * How the files of an archive lie: `dat`, in a folder `.dat` beside the working files, which is what
 * dat and trove make; `plain`, in the folder itself with names such as `metadata.key` (dat-node
 * without latest mode); `hyperdrive`, in folders `metadata` and `content` (hyperdrive itself). The
 * latter two have no working files. Source: spec of the dat directory, section 1.
 */
export type ArchiveLayout = "dat" | "plain" | "hyperdrive";

export interface ArchivePaths {
  readonly layout: ArchiveLayout;
  /** The working folder, or that of an archive without working files; absolute. */
  readonly dir: string;
  /** Where the feeds and our own files lie. */
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

export function archivePaths(dir: string, layout: ArchiveLayout = "dat"): ArchivePaths {
  const dat = layout === "dat" ? join(dir, ".dat") : dir;
  return {
    layout,
    dir,
    dat,
    ogd: join(dat, "metadata.ogd"),
    latest: join(dat, "metadata.latest"),
    lock: join(dat, "trove.lock"),
    staging: join(dat, "trove.staging"),
    staged: join(dat, "trove.staged"),
    feed: (feed, file) =>
      layout === "hyperdrive" ? join(dat, feed, file) : join(dat, `${feed}.${file}`),
  };
}

/** Tried in this order. */
const LAYOUTS: readonly ArchiveLayout[] = ["dat", "plain", "hyperdrive"];

/** The places of the archive that lies in exactly this folder, or undefined if none does. */
export function archiveIn(dir: string): ArchivePaths | undefined {
  // The feeds in a `.dat` are those of the folder around it, where the working files are.
  if (basename(dir) === ".dat") return undefined;
  return LAYOUTS.map((layout) => archivePaths(dir, layout)).find((paths) =>
    lookAt(paths.feed("metadata", "key"))?.isFile &&
    (paths.layout === "dat" || lookAt(paths.feed("metadata", "tree"))?.isFile)
  );
}

/**
 * The archive that a folder is in: the nearest one from the folder upwards.
 *
 * @throws {NotFoundError} If there is none.
 */
export function findArchive(dir: string): ArchivePaths {
  for (let at = dir;; at = dirname(at)) {
    const found = archiveInReach(at);
    if (found !== undefined && found !== "out of reach") return found;
    if (found === "out of reach" || dirname(at) === at) {
      throw new NotFoundError(`Cannot find an archive in "${dir}" or a folder above it`, {
        hint: "name a folder that was shared or cloned before",
      });
    }
  }
}

/** The same; where the process may not look into a folder, its user did not mean what is in there. */
function archiveInReach(dir: string): ArchivePaths | undefined | "out of reach" {
  try {
    return archiveIn(dir);
  } catch (error) {
    if (error instanceof StorageError && error.cause instanceof Deno.errors.NotCapable) {
      return "out of reach";
    }
    throw error;
  }
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
  if (inside.includes("metadata.key") || archiveIn(dir) !== undefined) return "archive";
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

/** Bring a folder's list of names to disk. @throws {StorageError} */
export function syncFolder(dir: string): void {
  if (Deno.build.os === "windows") return; // folders cannot be opened there
  try {
    using folder = Deno.openSync(dir, { read: true });
    folder.syncSync();
  } catch (error) {
    throw storageError(`Cannot bring the folder "${dir}" to disk`, error);
  }
}
