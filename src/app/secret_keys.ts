/** Reading and writing the secret key of an archive. Source: spec of the dat directory, section 2. */
import { equalBytes } from "../base/bytes.ts";
import { StorageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { discoveryKey } from "../crypto/hash.ts";
import { keyPair, SECRET_KEY_BYTES, SEED_BYTES } from "../crypto/sign.ts";
import { storageError } from "../io/handle_cache.ts";
import {
  type ArchivePaths,
  readSmallFile,
  secretKeyPath,
  writeSmallFile,
} from "./archive_folder.ts";

/** What came of looking for a secret key. */
export interface FoundKey {
  /** 64 bytes; absent when this user does not own the archive. */
  readonly secretKey?: Uint8Array;
  /** Where it lies. */
  readonly path?: string;
  /** Something the user should hear, if anything. */
  readonly warning?: string;
}

/**
 * The secret key of the archive in a folder, if its `metadata.ogd` says that it originated here and
 * the key is in the user's key store, or if it lies in `.dat` as the oldest archives have it.
 *
 * @param use `look`: nothing will be signed, so that the public key that is noted in it is enough to
 *   go by, which takes no arithmetic.
 * @throws {StorageError} If the key that is there does not fit the archive.
 */
export function findSecretKey(
  paths: ArchivePaths,
  publicKey: Uint8Array,
  world: World,
  use: "sign" | "look" = "sign",
): FoundKey {
  const beside = paths.feed("metadata", "secret_key");
  const originated = (readSmallFile(paths.ogd)?.length ?? 0) > 0;
  const inside = readSmallFile(beside);
  if (!originated && inside === undefined) return {};
  // Without a home there is only the key inside, if any.
  const places = originated && (inside === undefined || world.home() !== undefined)
    ? [secretKeyPath(world, discoveryKey(publicKey)), beside]
    : [beside];
  for (const path of places) {
    const secretKey = readSmallFile(path);
    if (secretKey === undefined) continue;
    const fits = use === "sign" ? fitsPublicKey : namesPublicKey;
    if (!fits(secretKey, publicKey)) {
      throw new StorageError(
        `Cannot use the secret key in "${path}": it belongs to another archive`,
      );
    }
    return { secretKey, path, warning: exposure(path) };
  }
  return {
    warning: `The secret key of this archive is missing from "${
      places[0]
    }", so it cannot be changed`,
  };
}

/** Whether these are the 64 bytes of the secret key to a public key. */
export function fitsPublicKey(secretKey: Uint8Array, publicKey: Uint8Array): boolean {
  return namesPublicKey(secretKey, publicKey) &&
    equalBytes(keyPair(secretKey.subarray(0, SEED_BYTES)).publicKey, publicKey);
}

/** Whether they are 64 bytes whose second half is the public key. */
function namesPublicKey(secretKey: Uint8Array, publicKey: Uint8Array): boolean {
  return secretKey.length === SECRET_KEY_BYTES &&
    equalBytes(secretKey.subarray(SEED_BYTES), publicKey);
}

/**
 * Whether others than its owner can read a file. dat made the files of secret keys so.
 *
 * @throws {StorageError}
 */
export function isExposed(path: string): boolean {
  if (Deno.build.os === "windows") return false;
  try {
    const { mode } = Deno.statSync(path);
    return mode !== null && (mode & 0o077) !== 0;
  } catch (error) {
    throw storageError(`Cannot look at "${path}"`, error);
  }
}

function exposure(path: string): string | undefined {
  if (!isExposed(path)) return undefined;
  return `The secret key in "${path}" can be read by others; run: chmod 600 "${path}"`;
}

/**
 * Keep a new secret key where dat looks for it, readable by its owner alone.
 *
 * @returns The file.
 */
export function keepSecretKey(publicKey: Uint8Array, secretKey: Uint8Array, world: World): string {
  const path = secretKeyPath(world, discoveryKey(publicKey));
  writeSmallFile(path, secretKey, { mode: 0o600 });
  return path;
}
