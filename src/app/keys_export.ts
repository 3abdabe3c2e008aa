/** The secret key on its way out: to be kept in another place. */
import { dirname, resolve } from "node:path";
import { toHex, toUtf8 } from "../base/bytes.ts";
import { NotFoundError, UsageError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { storageError } from "../io/handle_cache.ts";
import { type ArchivePaths, findArchive } from "./archive_folder.ts";
import { readPublicKey } from "./open_archive.ts";
import { findSecretKey } from "./secret_keys.ts";

/**
 * The secret key as people carry it: 128 lower-case hex digits.
 *
 * @throws {NotFoundError} If it is not here.
 * @throws {StorageError} If what is here is another key.
 */
export function exportKey(paths: ArchivePaths, world: World): string {
  const { secretKey } = findSecretKey(paths, readPublicKey(paths), world);
  if (secretKey !== undefined) return toHex(secretKey);
  throw new NotFoundError(`Cannot export the secret key of "${paths.dir}": it is not here`, {
    hint: "it is where the archive was made, or with whoever shares it",
  });
}

/**
 * Write an exported key to a file that only its owner can read. Nothing stands under that name
 * before all of it does.
 *
 * @throws {UsageError} If the file exists and is not to be replaced, or lies in an archive's folder.
 * @throws {StorageError}
 */
export function writeKeyFile(
  file: string,
  hex: string,
  { world, overwrite }: { world: World; overwrite: boolean },
): void {
  const path = resolve(world.cwd(), file);
  refuseInsideArchive(path);
  if (!overwrite) reserve(path);
  // Made anew under a name that nobody knows beforehand, so that it is ours alone.
  const temporary = `${path}.${toHex(world.randomBytes(8))}`;
  try {
    {
      using target = Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 });
      for (let rest = toUtf8(`${hex}\n`); rest.length > 0;) {
        rest = rest.subarray(target.writeSync(rest));
      }
      target.syncSync();
    }
    Deno.renameSync(temporary, path);
  } catch (error) {
    removeQuietly(temporary);
    if (!overwrite) removeQuietly(path);
    throw storageError(`Cannot write "${path}"`, error);
  }
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Not there, or whatever keeps us from writing keeps us from this as well.
  }
}

/** A key in a folder that is shared would be published with the next import. */
function refuseInsideArchive(path: string): void {
  let folder: string;
  try {
    folder = Deno.realPathSync(dirname(path));
  } catch (error) {
    throw storageError(`Cannot write "${path}"`, error);
  }
  let dir: string;
  try {
    dir = findArchive(folder).dir;
  } catch (error) {
    if (error instanceof NotFoundError) return;
    throw error;
  }
  throw new UsageError(
    `Cannot write the secret key to "${path}": that is inside of the archive in "${dir}", which ` +
      "may be shared with everybody",
    { hint: "choose a place outside of it" },
  );
}

/** Make the file, empty, so that no other can come between. */
function reserve(path: string): void {
  try {
    Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw storageError(`Cannot write "${path}"`, error);
    }
    throw new UsageError(`Cannot write the secret key to "${path}": it exists`, {
      hint: "choose another name, or add --overwrite",
    });
  }
}
