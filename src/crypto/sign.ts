/**
 * Ed25519 key pairs and signatures; secret keys in libsodium's 64-byte form (seed, public key).
 *
 * The runtime's own crypto does the arithmetic. It asks that S is below the group order, that A is
 * written in its one proper form, and that R is the exact bytes of S·B - k·A. libsodium, with which
 * the programs in the field check, asks besides that neither A nor R is of small order; so do we.
 */
import type { KeyObject } from "node:crypto";
import { Buffer } from "node:buffer";
import { getBuiltinModule } from "node:process";
import { concat, equalBytes, fromHex } from "../base/bytes.ts";
import { noblePublicKey, nobleSign, nobleVerify } from "./noble_sign.ts";

type NodeCrypto = typeof import("node:crypto");
let loaded: NodeCrypto | undefined;

/** The runtime's crypto. It takes a while to load, so that whoever signs and checks nothing has none. */
function nodeCrypto(): NodeCrypto {
  return loaded ??= getBuiltinModule("node:crypto");
}

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

/**
 * The key pair of a 32-byte seed.
 *
 * @throws {RangeError} If `seed` is not 32 bytes.
 */
export function keyPair(seed: Uint8Array): KeyPair {
  if (seed.length !== SEED_BYTES) {
    throw new RangeError(`Cannot make a key pair from ${seed.length} bytes, need ${SEED_BYTES}`);
  }
  const key = privateKeys.get(seed);
  const publicKey = key === undefined
    ? noblePublicKey(seed)
    : nodeCrypto().createPublicKey(key).export({ format: "der", type: "spki" });
  const last32 = new Uint8Array(publicKey.subarray(-PUBLIC_KEY_BYTES));
  return { publicKey: last32, secretKey: concat([seed, last32]) };
}

/**
 * A 64-byte detached signature, the same one each time.
 *
 * @throws {RangeError} If `secretKey` is not 64 bytes.
 */
export function sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  if (secretKey.length !== SECRET_KEY_BYTES) {
    throw new RangeError(`Cannot sign with ${secretKey.length} bytes, need ${SECRET_KEY_BYTES}`);
  }
  const seed = secretKey.subarray(0, SEED_BYTES);
  const key = privateKeys.get(seed);
  return key === undefined
    ? nobleSign(message, seed)
    : new Uint8Array(nodeCrypto().sign(null, message, key));
}

/** Whether `signature` over `message` is good under `publicKey`, as strictly as libsodium asks. */
export function verify(
  message: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== PUBLIC_KEY_BYTES) return false;
  if (isSmallOrder(publicKey) || isSmallOrder(signature)) return false;
  const key = publicKeys.get(publicKey);
  return key === undefined
    ? nobleVerify(message, signature, publicKey)
    : nodeCrypto().verify(null, message, key, signature);
}

/**
 * Points whose multiples are a handful of points, so that a signature under them says nothing: by
 * their y coordinate, least significant byte first. The top bit of a point is the sign of x.
 */
const SMALL_ORDER_Y = [
  "0100000000000000000000000000000000000000000000000000000000000000", // order 1
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
  "0000000000000000000000000000000000000000000000000000000000000000", // order 4
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
].map(fromHex);

/** Whether the first 32 bytes are a point of small order. */
function isSmallOrder(point: Uint8Array): boolean {
  return SMALL_ORDER_Y.some((y) => {
    for (let at = 0; at < 31; at++) if (point[at] !== y[at]) return false;
    return (point[31] & 0x7f) === y[31];
  });
}

/** The last few keys in the form the runtime wants, since making it costs as much as signing. */
class KeyCache {
  readonly #entries: { readonly bytes: Uint8Array; readonly key: KeyObject | undefined }[] = [];
  readonly #limit: number;
  readonly #make: (bytes: Uint8Array) => KeyObject;

  constructor(limit: number, make: (bytes: Uint8Array) => KeyObject) {
    this.#limit = limit;
    this.#make = make;
  }

  /** The key, or undefined if the runtime refuses to make one. */
  get(bytes: Uint8Array): KeyObject | undefined {
    for (const entry of this.#entries) if (equalBytes(entry.bytes, bytes)) return entry.key;
    const entry = { bytes: new Uint8Array(bytes), key: this.#tryMake(bytes) };
    if (this.#entries.length === this.#limit) this.#entries.shift();
    this.#entries.push(entry);
    return entry.key;
  }

  #tryMake(bytes: Uint8Array): KeyObject | undefined {
    try {
      return this.#make(bytes);
    } catch {
      return undefined;
    }
  }
}

/** What stands before a raw key in its standard encoding. Source: RFC 8410, sections 4 and 7. */
const PUBLIC_PREFIX = fromHex("302a300506032b6570032100");
const PRIVATE_PREFIX = fromHex("302e020100300506032b657004220420");

function importPublicKey(bytes: Uint8Array): KeyObject {
  const key = Buffer.from(concat([PUBLIC_PREFIX, bytes]));
  return nodeCrypto().createPublicKey({ key, format: "der", type: "spki" });
}

function importSeed(bytes: Uint8Array): KeyObject {
  const key = Buffer.from(concat([PRIVATE_PREFIX, bytes]));
  return nodeCrypto().createPrivateKey({ key, format: "der", type: "pkcs8" });
}

const publicKeys = new KeyCache(16, importPublicKey); // the feeds of eight archives
const privateKeys = new KeyCache(4, importSeed); // those of two
