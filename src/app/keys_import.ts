/**
 * A secret key on its way in: checked against the archive before anything is written.
 * Source: spec of the dat directory, section 2.
 */
import { resolve } from "node:path";
import { equalBytes, fromHex, toUtf8 } from "../base/bytes.ts";
import { NotFoundError, TroveError, UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { decodeIndex } from "../core/archive/entry.ts";
import { contentSeed, discoveryKey } from "../crypto/hash.ts";
import { formatLink } from "../crypto/link.ts";
import { keyPair, SECRET_KEY_BYTES, SEED_BYTES, sign, verify } from "../crypto/sign.ts";
import { storageError } from "../io/handle_cache.ts";
import {
  type ArchivePaths,
  readSmallFile,
  secretKeyPath,
  writeSmallFile,
} from "./archive_folder.ts";
import { lockArchive } from "./archive_lock.ts";
import { openArchive, readPublicKey } from "./open_archive.ts";
import { refusePartialOwner } from "./selection_note.ts";
import { findSecretKey, fitsPublicKey, keepSecretKey } from "./secret_keys.ts";

/** More than any form of a key takes: what is longer is another file. */
export const MAX_KEY_INPUT_BYTES = 4096;

/**
 * A secret key in the forms in which people have it: 128 hex digits in either case with blanks
 * around them, or the 64 bytes of a file of the key store.
 *
 * @returns 64 bytes.
 * @throws {UsageError} If it is neither. Nothing of the input is in the message.
 */
export function parseSecretKey(input: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(input).trim();
  if (/^[0-9a-f]{128}$/i.test(text)) return fromHex(text);
  const digitsOnly = /^[0-9a-f]+$/i.test(text);
  if (input.length === SECRET_KEY_BYTES && !digitsOnly) return input.slice();
  const found = text === ""
    ? "it is empty"
    : digitsOnly
    ? `it has ${text.length} hex digits`
    : `it is ${text.length} characters and not all of them hex digits`;
  throw new UsageError(`Cannot use this as a secret key: ${found}, and 128 hex digits are needed`, {
    hint: "trove keys export prints them where the archive was made",
  });
}

/**
 * The bytes of a file with a secret key.
 *
 * @throws {NotFoundError} If there is no such file.
 * @throws {UsageError} If it cannot be one, by its size.
 */
export function readKeyFile(file: string, world: World): Uint8Array {
  const path = resolve(world.cwd(), file);
  try {
    const { isFile, size } = Deno.statSync(path);
    if (!isFile || size > MAX_KEY_INPUT_BYTES) {
      throw new UsageError(`Cannot read a secret key from "${path}": it holds something else`);
    }
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (!(error instanceof Deno.errors.NotFound)) {
      throw storageError(`Cannot read "${path}"`, error);
    }
    throw new NotFoundError(`Cannot read a secret key from "${path}": there is no such file`);
  }
}

/** What an import did. */
export interface ImportedKey {
  /** The same key was here already, and nothing was written. */
  readonly already: boolean;
  /** Where the key lies. */
  readonly path: string;
  /** Something the user should hear, if anything. */
  readonly warnings: readonly string[];
}

/**
 * Make this user the owner of the archive in a folder.
 *
 * @param secretKey 64 bytes, as `parseSecretKey` gives them.
 * @throws {UsageError} If it is the key of another archive; nothing is written then.
 * @throws {LockedError} If another process has the archive open for writing.
 */
export function importKey(paths: ArchivePaths, secretKey: Uint8Array, world: World): ImportedKey {
  const publicKey = readPublicKey(paths);
  checkGivenKey(secretKey, publicKey, "import");
  using _lock = lockArchive(paths, world);
  const before = tryFind(paths, publicKey, world);
  if (before.path !== undefined) {
    return { already: true, path: before.path, warnings: list(before.warning) };
  }
  refusePartialOwner(paths);
  const aside = setAside(secretKeyPath(world, discoveryKey(publicKey)), secretKey);
  const path = keepSecretKey(publicKey, secretKey, world);
  writeSmallFile(paths.ogd, new Uint8Array(1), { mode: 0o644 });
  return {
    already: false,
    path,
    warnings: [...list(aside), ...list(contentWarning(paths, secretKey, world))],
  };
}

function list(warning: string | undefined): string[] {
  return warning === undefined ? [] : [warning];
}

/** A key that does not fit counts as none: it is what the import puts right. */
function tryFind(paths: ArchivePaths, publicKey: Uint8Array, world: World) {
  try {
    return findSecretKey(paths, publicKey, world);
  } catch (error) {
    if (error instanceof TroveError) return {};
    throw error;
  }
}

/**
 * See that a key belongs to an archive, and can do what it is for.
 *
 * @param what What is to be done with it, for the message.
 * @throws {UsageError} If not. Nothing of the key is in the message.
 */
export function checkGivenKey(secretKey: Uint8Array, publicKey: Uint8Array, what: string): void {
  const derived = keyPair(secretKey.subarray(0, SEED_BYTES)).publicKey;
  if (!equalBytes(derived, secretKey.subarray(SEED_BYTES))) {
    throw new UsageError(`Cannot ${what} this secret key: its two halves do not belong together`, {
      hint: "a digit may be wrong: copy it once more",
    });
  }
  if (!fitsPublicKey(secretKey, publicKey)) {
    throw new UsageError(
      `Cannot ${what} this secret key: it is for ${formatLink(derived)}, and this archive is ` +
        formatLink(publicKey),
    );
  }
  const message = toUtf8("trove keys import");
  if (!verify(message, sign(message, secretKey), publicKey)) {
    throw new UsageError(`Cannot ${what} this secret key: what it signs cannot be verified`);
  }
}

/** Nothing that is called a key is written over: what is there and does not fit gets another name. */
function setAside(path: string, secretKey: Uint8Array): string | undefined {
  const there = readSmallFile(path);
  if (there === undefined || equalBytes(there, secretKey)) return undefined;
  const aside = `${path}.unusable`;
  try {
    Deno.renameSync(path, aside);
  } catch (error) {
    throw storageError(`Cannot rename "${path}"`, error);
  }
  return `What was stored as the key does not fit the archive and is now in "${aside}"`;
}

/** Files can only be added with the key of the content feed as well, which follows from this one. */
function contentWarning(
  paths: ArchivePaths,
  secretKey: Uint8Array,
  world: World,
): string | undefined {
  let contentKey: Uint8Array;
  try {
    using archive = openArchive(paths.dir, { world, access: "read" });
    const block = archive.metadata.readMatching(0);
    if (block === undefined) return undefined;
    contentKey = decodeIndex(block).contentKey.slice();
  } catch (error) {
    if (!(error instanceof TroveError)) throw error;
    return `The key is in place, but the archive cannot be read: ${error.message}`;
  }
  if (equalBytes(keyPair(contentSeed(secretKey)).publicKey, contentKey)) return undefined;
  const own = readSmallFile(paths.feed("content", "secret_key"));
  if (own !== undefined && fitsPublicKey(own, contentKey)) return undefined;
  return "The content of this archive has a secret key of its own, which does not follow from this " +
    `one: files can be added once it is in "${paths.feed("content", "secret_key")}"`;
}
