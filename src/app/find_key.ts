/** Which public key an archive on disk is of, should the file that says it be damaged. */
import { join } from "node:path";
import { equalBytes } from "../base/bytes.ts";
import { turnBack } from "../base/turned_bit.ts";
import type { World } from "../base/world.ts";
import { discoveryKey, rootHash } from "../crypto/hash.ts";
import { PUBLIC_KEY_BYTES, SECRET_KEY_BYTES, SEED_BYTES, verify } from "../crypto/sign.ts";
import type { RawFeed } from "../io/raw_feed.ts";
import { readSmallFile, secretKeyPath } from "./archive_folder.ts";

/** Signatures that are tried, the newest first: more than one may be damaged. */
const MAX_SIGNATURES = 4;

export interface FoundPublicKey {
  readonly publicKey: Uint8Array;
  /** Where it is from: the file itself, or what else says it. */
  readonly from: "file" | "given" | "secret-key" | "turned-bit";
}

/**
 * The key under which the feed's signatures are good; where nothing tells, the one in the file.
 *
 * @param stored What the key file holds.
 * @param given What the user says it is.
 */
export function findPublicKey(
  raw: RawFeed,
  { stored, given, world }: { stored?: Uint8Array; given?: Uint8Array; world: World },
): FoundPublicKey | undefined {
  const isKey = stored?.length === PUBLIC_KEY_BYTES;
  const signed = signedRoots(raw);
  const isRight = (publicKey: Uint8Array) =>
    signed.some(({ root, signature }) => verify(root, signature, publicKey));
  const mayBeRight = isKey && (given === undefined || equalBytes(stored, given));
  // Where nothing that is signed is left, nothing speaks against it.
  if (mayBeRight && (signed.length === 0 || isRight(stored))) {
    return { publicKey: stored, from: "file" };
  }
  if (given !== undefined && (signed.length === 0 || isRight(given))) {
    return { publicKey: given, from: "given" };
  }
  if (signed.length > 0) {
    for (const publicKey of ownKeys(world)) {
      if (isRight(publicKey)) return { publicKey, from: "secret-key" };
    }
    const turned = isKey ? turnBack(stored, isRight) : undefined;
    if (turned !== undefined) return { publicKey: turned, from: "turned-bit" };
  }
  return isKey ? { publicKey: stored, from: "file" } : undefined;
}

/** What the newest signatures are about, where the roots are there. */
function signedRoots(raw: RawFeed): { root: Uint8Array; signature: Uint8Array }[] {
  const found: { root: Uint8Array; signature: Uint8Array }[] = [];
  let length = raw.newestSignature();
  while (length > 0 && found.length < MAX_SIGNATURES) {
    const roots = raw.roots(length);
    if (roots !== undefined) {
      found.push({ root: rootHash(roots), signature: raw.signature(length)! });
    }
    length = raw.newestSignature(length - 1);
  }
  return found;
}

/** The public keys of the archives that this user owns. */
function* ownKeys(world: World): Generator<Uint8Array> {
  const home = world.home();
  if (home === undefined) return;
  const store = join(home, ".dat", "secret_keys");
  for (const folder of namesIn(store)) {
    for (const name of namesIn(join(store, folder))) {
      const path = join(store, folder, name);
      const secretKey = readSmallFile(path);
      if (secretKey?.length !== SECRET_KEY_BYTES) continue;
      const publicKey = secretKey.slice(SEED_BYTES);
      if (secretKeyPath(world, discoveryKey(publicKey)) === path) yield publicKey;
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  } catch {
    return []; // no such folder, or nothing to look at
  }
}
