/**
 * The hashes of the protocol. All are BLAKE2b with 32-byte output; integers go in as 8 bytes, most
 * significant first. Source: hypercore-crypto 1.0.0, checked against `crypto.json` of the vectors.
 */
import { EMPTY_BYTES, toUtf8, writeUint64BE } from "../base/bytes.ts";
import { cryptoBackend } from "./backend.ts";

export const HASH_BYTES = 32;

/** What a hash covers: its bytes, and how many bytes of data lie below it. */
export interface Hashed {
  readonly hash: Uint8Array;
  readonly size: number;
}

/** A root on its way into the root hash. */
export interface IndexedHash extends Hashed {
  readonly index: number;
}

const DISCOVERY_MESSAGE = toUtf8("hypercore");

/** Written anew for every leaf and parent: nobody keeps it. */
const PREFIX = new Uint8Array(9);

/** A type byte and a 64-bit number: what leaf and parent hashes begin with. */
function prefix(type: number, value: number): Uint8Array {
  PREFIX[0] = type;
  writeUint64BE(PREFIX, 1, value);
  return PREFIX;
}

/** Hash of a block: type 0, its byte length, its bytes. */
export function leafHash(block: Uint8Array): Uint8Array {
  return cryptoBackend().hash([prefix(0, block.length), block]);
}

/** Hash of two siblings, in any order: type 1, the sum of their sizes, left hash, right hash. */
export function parentHash(a: IndexedHash, b: IndexedHash): Uint8Array {
  const [left, right] = a.index < b.index ? [a, b] : [b, a];
  return cryptoBackend().hash([prefix(1, left.size + right.size), left.hash, right.hash]);
}

/** The hash that is signed: type 2, then hash, index and size of every full root, left to right. */
export function rootHash(roots: readonly IndexedHash[]): Uint8Array {
  const input = new Uint8Array(1 + roots.length * (HASH_BYTES + 16));
  input[0] = 2;
  let at = 1;
  for (const root of roots) {
    input.set(root.hash, at);
    writeUint64BE(input, at + HASH_BYTES, root.index);
    writeUint64BE(input, at + HASH_BYTES + 8, root.size);
    at += HASH_BYTES + 16;
  }
  return cryptoBackend().hash([input]);
}

/**
 * The 32-byte name under which peers find a feed without learning its key: BLAKE2b-256 of the
 * ASCII text `hypercore`, keyed with the public key.
 *
 * Source: DEP-0010, "Handshake Procedure". Its text has capital `HYPERCORE`; hypercore-crypto, and
 * so every peer in the field, uses lower case, and so do we.
 *
 * @throws {RangeError} If `publicKey` is not 32 bytes.
 */
export function discoveryKey(publicKey: Uint8Array): Uint8Array {
  if (publicKey.length !== 32) {
    throw new RangeError(`Cannot derive a discovery key from ${publicKey.length} bytes, need 32`);
  }
  return cryptoBackend().hash([DISCOVERY_MESSAGE], { key: publicKey });
}

/**
 * Seed of the content feed's key pair: libsodium's crypto_kdf, subkey 1, context `hyperdri`, from
 * the first 32 bytes of the metadata feed's secret key. Source: hyperdrive 9.16.0.
 */
export function contentSeed(metadataSecretKey: Uint8Array): Uint8Array {
  const salt = new Uint8Array(16);
  salt[0] = 1; // subkey id, 64-bit little-endian
  const personal = new Uint8Array(16);
  personal.set(toUtf8("hyperdri"));
  const key = metadataSecretKey.subarray(0, 32);
  return cryptoBackend().hash([EMPTY_BYTES], { key, salt, personal });
}
