/**
 * A feed by itself in a folder, as hypercore lays it out: files `key`, `tree`, `signatures`,
 * `bitfield` and `data`, and none of an archive. What is ours beside them is `trove.lock` alone, and
 * only while somebody writes.
 *
 * Source: spec of storage, section 1; hypercore 7.7.1, `lib/storage.js`.
 */
import { join } from "node:path";
import { equalBytes, toHex } from "../base/bytes.ts";
import { NotFoundError, StorageError, UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { PUBLIC_KEY_BYTES } from "../crypto/sign.ts";
import { DataFile } from "../io/data_file.ts";
import { FeedStore } from "../io/feed_store.ts";
import { lookAt } from "../io/folder.ts";
import { storageError } from "../io/handle_cache.ts";
import { openFile } from "../io/random_access.ts";
import { archiveIn, type FeedFile, readSmallFile, writeSmallFile } from "./archive_folder.ts";
import { lockFolder } from "./archive_lock.ts";

export interface FeedPaths {
  readonly dir: string;
  readonly lock: string;
  path(file: FeedFile): string;
}

/** What may be in a folder that a killed run has begun, besides the key. */
const OUR_FILES = ["tree", "signatures", "bitfield", "data", "trove.lock", "key.trove-new"];

export function feedPaths(dir: string): FeedPaths {
  return { dir, lock: join(dir, "trove.lock"), path: (file) => join(dir, file) };
}

/** The feed that lies in exactly this folder by itself, or undefined if none does. */
export function feedIn(dir: string): FeedPaths | undefined {
  const paths = feedPaths(dir);
  const isThere = lookAt(paths.path("key"))?.size === PUBLIC_KEY_BYTES &&
    lookAt(paths.path("tree"))?.isFile && lookAt(paths.path("bitfield"))?.isFile;
  return isThere && archiveIn(dir) === undefined ? paths : undefined;
}

/** An open feed, locked where it may be written. */
export class FeedFolder implements Disposable {
  readonly paths: FeedPaths;
  readonly feed: FeedStore;
  readonly #lock: Disposable;

  constructor(paths: FeedPaths, feed: FeedStore, lock: Disposable) {
    this.paths = paths;
    this.feed = feed;
    this.#lock = lock;
  }

  [Symbol.dispose](): void {
    using stack = new DisposableStack();
    stack.use(this.#lock);
    stack.use(this.feed);
  }
}

/**
 * Open the folder of a feed. It is never opened as its owner: whatever is there, nothing is signed.
 *
 * @throws {NotFoundError} If there is none.
 * @throws {LockedError} If another process writes to it.
 */
export function openFeedFolder(dir: string, world: World): FeedFolder {
  const paths = feedIn(dir);
  const publicKey = paths && readSmallFile(paths.path("key"));
  if (paths === undefined || publicKey === undefined) {
    throw new NotFoundError(`Cannot find a feed in "${dir}"`, {
      hint: "name the folder that trove clone --feed made",
    });
  }
  return openLocked(paths, publicKey, world);
}

/**
 * Open the folder to fetch a feed into, making what is missing.
 *
 * @throws {UsageError} If it holds something else, or is where the feed is written.
 * @throws {LockedError} If another process writes to it.
 */
export function openFeedClone(dir: string, publicKey: Uint8Array, world: World): FeedFolder {
  const paths = feedPaths(dir);
  const refuse = (why: string) =>
    new UsageError(`Cannot fetch the feed into "${dir}": ${why}`, { hint: "name another folder" });
  const stored = checkNames(dir, refuse).includes("key")
    ? readSmallFile(paths.path("key"))
    : undefined;
  if (stored === undefined) makeFolder(dir);
  else if (stored.length !== PUBLIC_KEY_BYTES || archiveIn(dir) !== undefined) {
    throw refuse("there is something else in it");
  } else if (!equalBytes(stored, publicKey)) {
    throw refuse(`it holds another one, ${toHex(stored)}`);
  }
  if (lookAt(paths.path("secret_key")) !== undefined) throw refuse("that is where it is written");
  return openLocked(paths, publicKey, world, () => {
    if (stored === undefined) writeSmallFile(paths.path("key"), publicKey, { mode: 0o644 });
  });
}

/** The names in the folder, which have to be those of a feed, or none. */
function checkNames(dir: string, refuse: (why: string) => UsageError): string[] {
  let names: string[];
  try {
    names = [...Deno.readDirSync(dir)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    if (error instanceof Deno.errors.NotADirectory) throw refuse("it is a file");
    throw storageError(`Cannot read the folder "${dir}"`, error);
  }
  // Files called `data` or `tree` may be anybody's, unless the key is with them.
  const isOurs = names.includes("key") || names.every((name) => OUR_FILES.includes(name));
  if (!isOurs) throw refuse("it is not empty");
  return names;
}

function makeFolder(dir: string): void {
  try {
    Deno.mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw storageError(`Cannot make the folder "${dir}"`, error);
  }
}

function openLocked(
  paths: FeedPaths,
  publicKey: Uint8Array,
  world: World,
  prepare = () => {},
): FeedFolder {
  using stack = new DisposableStack();
  const { dir, lock } = paths;
  const locked = stack.use(lockFolder({ dir, lock, bitfield: paths.path("bitfield") }, world));
  prepare();
  const file = (name: FeedFile) => openFile(paths.path(name), { access: "write" });
  const feed = FeedStore.open({
    files: {
      tree: file("tree"),
      signatures: file("signatures"),
      bitfield: file("bitfield"),
      blocks: new DataFile(file("data")),
    },
    publicKey,
    access: "write",
  });
  stack.move();
  return new FeedFolder(paths, feed, locked);
}

/** Take away what opening a clone made, where nothing of the feed came: a key may be mistyped. */
export function removeUnusedFeed(paths: FeedPaths, options: { madeFolder: boolean }): void {
  try {
    for (const name of ["key", ...OUR_FILES]) {
      const path = join(paths.dir, name);
      if (lookAt(path)?.isFile) Deno.removeSync(path);
    }
    if (options.madeFolder) Deno.removeSync(paths.dir);
  } catch (error) {
    throw new StorageError(`Cannot take away what was begun in "${paths.dir}"`, { cause: error });
  }
}
