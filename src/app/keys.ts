/**
 * What can be told of an archive's keys. The secret one is in no message, no log and no argument.
 * Source: spec of the dat directory, section 2.
 */
import { toHex } from "../base/bytes.ts";
import { TroveError } from "../base/errors.ts";
import type { World } from "../base/world.ts";
import { discoveryKey } from "../crypto/hash.ts";
import { formatLink } from "../crypto/link.ts";
import { lookAt } from "../io/folder.ts";
import { type ArchivePaths, secretKeyPath } from "./archive_folder.ts";
import { readPublicKey } from "./open_archive.ts";
import { findSecretKey, isExposed } from "./secret_keys.ts";

/** An archive's keys but the secret one, and where that is. */
export interface KeyReport {
  readonly link: string;
  /** Hex. */
  readonly discoveryKey: string;
  /** Under which name it is looked for by multicast. Source: discovery-channel 5. */
  readonly dnsName: string;
  /** The archive's folder; absent for a bare link. */
  readonly dir?: string;
  /** Whether the archive in the folder can be changed by this user. */
  readonly writable: boolean;
  /** The file of the secret key, if it is here. */
  readonly secretKey?: string;
  /** Whether others than its owner can read that file. */
  readonly readableByOthers: boolean;
  /** Why the archive is not writable where it might be. */
  readonly problem?: string;
}

/** The keys of the archive in a folder. @throws {StorageError} If its public key is damaged. */
export function reportKeys(paths: ArchivePaths, world: World): KeyReport {
  const publicKey = readPublicKey(paths);
  const report = { ...reportLink(publicKey, world), dir: paths.dir };
  try {
    const { path, warning } = findSecretKey(paths, publicKey, world);
    if (path !== undefined) {
      return { ...report, writable: true, secretKey: path, readableByOthers: isExposed(path) };
    }
    if (warning !== undefined) return { ...report, problem: warning };
  } catch (error) {
    if (!(error instanceof TroveError)) throw error;
    return { ...report, problem: error.message };
  }
  if (report.secretKey === undefined) return report;
  return { ...report, problem: "This folder is a copy; trove keys import makes it an original" };
}

/** What a bare public key tells, and whether this user has the secret key to it. */
export function reportLink(publicKey: Uint8Array, world: World): KeyReport {
  const name = discoveryKey(publicKey);
  // Without a home there is no key store.
  const path = world.home() === undefined ? undefined : secretKeyPath(world, name);
  const here = path !== undefined && lookAt(path)?.isFile;
  return {
    link: formatLink(publicKey),
    discoveryKey: toHex(name),
    dnsName: `${toHex(name).slice(0, 40)}.dat.local`,
    writable: false,
    ...(here && { secretKey: path }),
    readableByOthers: here === true && isExposed(path),
  };
}
