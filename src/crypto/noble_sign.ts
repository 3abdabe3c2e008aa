/**
 * Ed25519 in pure JavaScript: for a runtime whose own crypto has none, and the oracle that the fast
 * way of `sign.ts` is tested against. It takes about fifty times as long.
 */
import * as ed25519 from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";
import { concat, equalBytes } from "../base/bytes.ts";

ed25519.hashes.sha512 = sha512;

/** Order of the base point. */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The public key of a 32-byte seed. */
export function noblePublicKey(seed: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(seed);
}

/** A 64-byte signature. */
export function nobleSign(message: Uint8Array, seed: Uint8Array): Uint8Array {
  return ed25519.sign(message, seed);
}

/**
 * Whether R, as bytes, is S·B - k·A. noble's own `verify` multiplies both sides by 8 first and so
 * takes some signatures that programs of libsodium's kind refuse.
 */
export function nobleVerify(
  message: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  try {
    const r = signature.subarray(0, 32);
    const s = littleEndian(signature.subarray(32));
    if (s >= ORDER) return false;
    const a = ed25519.Point.fromBytes(publicKey, false);
    const k = littleEndian(sha512(concat([r, publicKey, message]))) % ORDER;
    const expected = ed25519.Point.BASE.multiply(s, false).subtract(a.multiply(k, false));
    return equalBytes(expected.toBytes(), r);
  } catch {
    return false; // the public key is no point of the curve
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at--) value = value << 8n | BigInt(bytes[at]);
  return value;
}
