/**
 * Create or open the two feeds of an archive. Source: spec of the dat directory, sections 1 to 5;
 * of the drive, sections 1 and 2.
 */
import { equalBytes, toHex } from "../base/bytes.ts";
import { NotFoundError, ProofError, StorageError, UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { decodeEntry, decodeIndex, encodeIndex, type Entry } from "../core/archive/entry.ts";
import { contentSeed } from "../crypto/hash.ts";
import { formatLink } from "../crypto/link.ts";
import { keyPair, PUBLIC_KEY_BYTES, SEED_BYTES } from "../crypto/sign.ts";
import { ContentFiles } from "../io/content_files.ts";
import { DataFile } from "../io/data_file.ts";
import { FeedStore, type OpenFeedOptions } from "../io/feed_store.ts";
import { storageError } from "../io/handle_cache.ts";
import { openFile } from "../io/random_access.ts";
import {
  archiveIn,
  type ArchivePaths,
  archivePaths,
  inspectFolder,
  readSmallFile,
  writeSmallFile,
} from "./archive_folder.ts";
import { lockArchive } from "./archive_lock.ts";
import { checkBeginning } from "./lost_history.ts";
import { findSecretKey, type FoundKey, keepSecretKey } from "./secret_keys.ts";

export type Access = "read" | "write";

const PUBLIC_FILE = { mode: 0o644 };

/** An open archive. Its content feed is there once metadata block 0 is. */
export class Archive implements Disposable {
  readonly paths: ArchivePaths;
  readonly metadata: FeedStore;
  /** Something the user should hear about the archive, if anything. */
  readonly warning?: string;
  readonly #access: Access;
  readonly #secretKey?: Uint8Array;
  readonly #lock?: Disposable;
  #content?: FeedStore;
  #contentFiles?: ContentFiles;

  constructor(options: {
    paths: ArchivePaths;
    metadata: FeedStore;
    access: Access;
    secretKey?: Uint8Array;
    lock?: Disposable;
    warning?: string;
  }) {
    this.paths = options.paths;
    this.metadata = options.metadata;
    this.warning = options.warning;
    this.#access = options.access;
    this.#secretKey = options.secretKey;
    this.#lock = options.lock;
  }

  get link(): string {
    return formatLink(this.metadata.publicKey);
  }

  get discoveryKey(): string {
    return toHex(this.metadata.discoveryKey);
  }

  /** Whether we hold the secret key. */
  get owned(): boolean {
    return this.#secretKey !== undefined;
  }

  /** Whether it can be changed: it is ours, and open for writing. */
  get writable(): boolean {
    return this.owned && this.#access === "write";
  }

  /** The newest version known: number of the last metadata entry, 0 for an empty archive. */
  get version(): number {
    return Math.max(0, this.metadata.length - 1);
  }

  get content(): FeedStore | undefined {
    return this.#content;
  }

  /** The working files as the content's bytes; absent when `content.data` keeps every version. */
  get contentFiles(): ContentFiles | undefined {
    return this.#contentFiles;
  }

  /** Whether files lie beside the feeds: what a person works with. */
  get hasWorkingFiles(): boolean {
    return this.paths.layout === "dat";
  }

  /** Whether every version's bytes are kept in `content.data`, or the working files are the bytes. */
  get keepsHistory(): boolean {
    return !this.hasWorkingFiles || isFile(this.paths.feed("content", "data"));
  }

  /**
   * The metadata entry of a version, or undefined if it is not held.
   *
   * @throws {ProofError} If its bytes on disk do not match the signed tree any more.
   */
  readonly entry = (seq: number): Entry | undefined => {
    const block = this.metadata.readMatching(seq);
    if (block !== undefined) return decodeEntry(block, seq);
    if (!this.metadata.hasBlock(seq)) return undefined;
    throw new ProofError(`Cannot use metadata entry ${seq}: its bytes on disk are damaged`, {
      hint: "run trove repair",
    });
  };

  /**
   * Open the content feed that metadata block 0 names.
   *
   * @throws {ArchiveError} If block 0 is not the Index of an archive.
   * @throws {StorageError} If another content feed is stored here.
   */
  openContent(): FeedStore {
    if (this.#content !== undefined) return this.#content;
    const index = this.metadata.readVerified(0);
    if (index === undefined) {
      throw new NotFoundError("Cannot open content: no metadata is here yet");
    }
    const contentKey = decodeIndex(index).contentKey.slice();
    this.#keepContentKey(contentKey);
    const { paths } = this;
    const keepsHistory = this.keepsHistory;
    const file = (path: string) => openFile(path, { access: this.#access });
    if (!keepsHistory) {
      this.#contentFiles = new ContentFiles({ dir: paths.dir, staging: paths.staging });
    }
    const blocks = this.#contentFiles ?? new DataFile(file(paths.feed("content", "data")));
    // Only downloads into working files wait in a private place.
    const staged = keepsHistory ? undefined : file(paths.staged);
    return this.#content = openFeed({
      files: { ...sleepFiles(paths, "content", this.#access), staged, blocks },
      publicKey: contentKey,
      secretKey: this.#contentSecretKey(contentKey),
      access: this.#access,
    });
  }

  [Symbol.dispose](): void {
    using stack = new DisposableStack();
    if (this.#lock !== undefined) stack.use(this.#lock);
    stack.use(this.metadata);
    if (this.#content !== undefined) stack.use(this.#content);
  }

  #keepContentKey(contentKey: Uint8Array): void {
    const path = this.paths.feed("content", "key");
    const stored = readSmallFile(path);
    if (stored === undefined) {
      if (this.#access === "write") writeSmallFile(path, contentKey, PUBLIC_FILE);
    } else if (!equalBytes(stored, contentKey)) {
      throw new StorageError(`Cannot open "${this.paths.dir}": its content is of another archive`);
    }
  }

  #contentSecretKey(contentKey: Uint8Array): Uint8Array | undefined {
    // Whoever reads signs nothing, and deriving a key takes as long as much of the rest.
    if (this.#secretKey === undefined || this.#access === "read") return undefined;
    const derived = keyPair(contentSeed(this.#secretKey));
    if (equalBytes(derived.publicKey, contentKey)) return derived.secretKey;
    // Archives of the oldest kind have a content key of its own.
    const stored = readSmallFile(this.paths.feed("content", "secret_key"));
    return stored !== undefined && equalBytes(stored.subarray(SEED_BYTES), contentKey)
      ? stored
      : undefined;
  }
}

/**
 * Make an empty archive in a folder, which is made too if it is missing. The order of the writes
 * leaves nothing that looks like an archive until the secret key is safe.
 *
 * @param options.history Keep every version's bytes in `content.data`.
 * @throws {UsageError} If there is one already.
 */
export function createArchive(
  dir: string,
  world: World,
  options: { history?: boolean } = {},
): Archive {
  const paths = archivePaths(dir);
  const refuseSecond = () => {
    if (inspectFolder(dir) !== "archive") return;
    throw new UsageError(`Cannot create an archive in "${dir}": it holds one`);
  };
  refuseSecond();
  makeDatFolder(paths);
  using stack = new DisposableStack();
  const lock = stack.use(lockArchive(paths, world));
  // Another process may have made one before we had the lock.
  refuseSecond();
  const { publicKey, secretKey } = keyPair(world.randomBytes(SEED_BYTES));
  keepSecretKey(publicKey, secretKey, world);
  writeSmallFile(paths.ogd, new Uint8Array(1), PUBLIC_FILE);
  if (options.history) keepHistory(paths);
  writeSmallFile(paths.feed("metadata", "key"), publicKey, PUBLIC_FILE);
  const metadata = openMetadata(paths, { publicKey, secretKey, access: "write" });
  stack.defer(() => metadata.close());
  const archive = new Archive({ paths, metadata, secretKey, access: "write", lock });
  finishCreation(archive, secretKey);
  stack.move();
  return archive;
}

/**
 * Open the archive in a folder.
 *
 * @param options.asCopy Without its secret key, should it be our own: nothing can be signed.
 * @param options.secretKey The secret key, 64 bytes that fit the archive, where somebody brings it:
 *   it is used and not kept, and no other is looked for.
 * @throws {NotFoundError} If there is none.
 * @throws {LockedError} If it is to be written and another process does that.
 */
export function openArchive(
  dir: string,
  options: { world: World; access: Access; asCopy?: boolean; secretKey?: Uint8Array },
): Archive {
  const { world, access, asCopy, secretKey: given } = options;
  if (inspectFolder(dir) !== "archive") {
    throw new NotFoundError(`Cannot find an archive in "${dir}"`, {
      hint: "name a folder that was shared or cloned before",
    });
  }
  const paths = archiveIn(dir) ?? archivePaths(dir);
  const publicKey = readPublicKey(paths);
  using stack = new DisposableStack();
  const lock = access === "write" ? stack.use(lockArchive(paths, world)) : undefined;
  const use = access === "write" ? "sign" : "look";
  const found = (): FoundKey => asCopy ? {} : findSecretKey(paths, publicKey, world, use);
  const { secretKey, warning } = given === undefined ? found() : { secretKey: given };
  const signingKey = access === "write" ? secretKey : undefined;
  const metadata = openMetadata(paths, { publicKey, secretKey: signingKey, access });
  stack.defer(() => metadata.close());
  const archive = new Archive({ paths, metadata, secretKey, access, lock, warning });
  if (metadata.length === 0 && secretKey !== undefined && access === "write") {
    // Creating it was interrupted after the key and before the first entry.
    checkBeginning(paths);
    finishCreation(archive, secretKey);
  }
  if (metadata.hasBlock(0)) archive.openContent();
  stack.move();
  return archive;
}

/**
 * Open the folder to download an archive into, making what is missing.
 *
 * @param options.history A new clone keeps every version's bytes in `content.data`.
 * @throws {UsageError} If another archive is there.
 */
export function openClone(
  dir: string,
  options: { world: World; publicKey: Uint8Array; history?: boolean },
): Archive {
  const { world, publicKey } = options;
  const paths = archiveIn(dir) ?? archivePaths(dir);
  const refuseOther = () => {
    const stored = readPublicKey(paths);
    if (equalBytes(stored, publicKey)) return;
    throw new UsageError(`Cannot clone into "${dir}": it holds another archive`, {
      hint: `choose another folder; this one is ${formatLink(stored)}`,
    });
  };
  if (inspectFolder(dir) === "archive") {
    refuseOther();
    return openArchive(dir, { world, access: "write" });
  }
  makeDatFolder(paths);
  using stack = new DisposableStack();
  const lock = stack.use(lockArchive(paths, world));
  // Another process may have made one before we had the lock.
  if (inspectFolder(dir) === "archive") refuseOther();
  else {
    if (options.history) keepHistory(paths);
    writeSmallFile(paths.feed("metadata", "key"), publicKey, PUBLIC_FILE);
  }
  const metadata = openMetadata(paths, { publicKey, access: "write" });
  stack.defer(() => metadata.close());
  const archive = new Archive({ paths, metadata, access: "write", lock });
  if (metadata.hasBlock(0)) archive.openContent();
  stack.move();
  return archive;
}

function finishCreation(archive: Archive, secretKey: Uint8Array): void {
  const { publicKey } = keyPair(contentSeed(secretKey));
  archive.metadata.append([encodeIndex(publicKey)]);
  archive.metadata.commit({ durable: true });
  archive.openContent();
}

/** What says that an archive keeps every version: its `content.data` exists. */
function keepHistory(paths: ArchivePaths): void {
  writeSmallFile(paths.feed("content", "data"), new Uint8Array(0), PUBLIC_FILE);
}

function makeDatFolder(paths: ArchivePaths): void {
  try {
    Deno.mkdirSync(paths.dat, { recursive: true });
  } catch (error) {
    throw storageError(`Cannot make the folder "${paths.dat}"`, error);
  }
}

/**
 * The key that an archive's folder is of, 32 bytes.
 *
 * @throws {StorageError} If the file with it does not hold a key.
 */
export function readPublicKey(paths: ArchivePaths): Uint8Array {
  const path = paths.feed("metadata", "key");
  const publicKey = readSmallFile(path);
  if (publicKey?.length !== PUBLIC_KEY_BYTES) {
    throw new StorageError(
      `Cannot use "${path}": it holds ${publicKey?.length ?? 0} bytes, not 32`,
    );
  }
  return publicKey;
}

function openMetadata(
  paths: ArchivePaths,
  options: { publicKey: Uint8Array; secretKey?: Uint8Array; access: Access },
): FeedStore {
  const { publicKey, secretKey, access } = options;
  const blocks = new DataFile(openFile(paths.feed("metadata", "data"), { access }));
  const files = { ...sleepFiles(paths, "metadata", access), blocks };
  return openFeed({ files, publicKey, secretKey, access });
}

/** Open a feed; where that fails, its files are let go. */
function openFeed(options: OpenFeedOptions): FeedStore {
  try {
    return FeedStore.open(options);
  } catch (error) {
    const { tree, signatures, bitfield, staged, blocks } = options.files;
    for (const file of [tree, signatures, bitfield, staged, blocks]) file?.close();
    throw error;
  }
}

function sleepFiles(paths: ArchivePaths, feed: "metadata" | "content", access: Access) {
  return {
    tree: openFile(paths.feed(feed, "tree"), { access }),
    signatures: openFile(paths.feed(feed, "signatures"), { access }),
    bitfield: openFile(paths.feed(feed, "bitfield"), { access }),
  };
}

/** @throws {StorageError} If the disk does not say: an archive must not be taken for another kind. */
function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw storageError(`Cannot look at "${path}"`, error);
  }
}
