/** Ed25519 key pairs and signatures; secret keys in libsodium's 64-byte form (seed, public key). */
import * as ed25519 from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";
import { concat } from "../base/bytes.ts";

ed25519.hashes.sha512 = sha512;

export const PUBLIC_KEY_BYTES = 32;
export const SECRET_KEY_BYTES = 64;
export const SIGNATURE_BYTES = 64;
export const SEED_BYTES = 32;

export interface KeyPair {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes: the seed, then the public key. */
  readonly secretKey: Uint8Array;
}

/** The key pair of a 32-byte seed. */
export function keyPair(seed: Uint8Array): KeyPair {
  const publicKey = ed25519.getPublicKey(seed);
  return { publicKey, secretKey: concat([seed, publicKey]) };
}

/** A 64-byte detached signature. */
export function sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  return ed25519.sign(message, secretKey.subarray(0, SEED_BYTES));
}

/** Whether `signature` over `message` is good under `publicKey`, as strictly as libsodium asks. */
export function verify(
  message: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  try {
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false;
  }
}
