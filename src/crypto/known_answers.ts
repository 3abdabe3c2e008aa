/**
 * A few results that other programs computed, to see that this machine computes the same. For a
 * self-test: the tests have many more. Source: `crypto.json` of the vectors, recorded from
 * hypercore-crypto 1.0.0 and sodium.
 */
import { EMPTY_BYTES, equalBytes, fromHex, toHex, toUtf8 } from "../base/bytes.ts";
import type { CryptoBackend } from "./backend.ts";
import type { HashOptions } from "./backend.ts";

/** Something whose results are known. */
interface KnownHash {
  readonly what: string;
  readonly pieces: readonly Uint8Array[];
  readonly options?: HashOptions;
  /** 64 hex digits. */
  readonly hash: string;
}

const SEED = fromHex("57324ee3619bf307e40ead9cf90e9e2fb9aebfb8c6b0983399803cb5bb9ffeeb");
const PUBLIC_KEY = fromHex("f5205826a7261128966e4896ca586750fca2b03d57f1d2cb315f1166506d6a37");
/** The root hash of a feed of four blocks, and the signature of the key above over it. */
const SIGNED = fromHex("862457c7b486e2f09a1ec5aae1fffec9b0da8183df79a4834f64641fd1beffb4");
const SIGNATURE = fromHex(
  "ad7b7a1c3a64a2b21e325eba7d49438a087ba4697f2737a8d9edee9150b381dc" +
    "8cf9b7c921d59a51e8c354c5199159a5e17a9a35e29a9c8729618a182ba31002",
);

const KDF_SALT = Uint8Array.from({ length: 16 }, (_, at) => at === 0 ? 1 : 0);
const KDF_PERSONAL = new Uint8Array(16);
KDF_PERSONAL.set(toUtf8("hyperdri"));

const HASHES: readonly KnownHash[] = [
  {
    what: "of an empty block",
    pieces: [new Uint8Array(9)],
    hash: "5187b7a8021bf4f2c004ea3a54cfece1754f11c7624d2363c7f4cf4fddd1441e",
  },
  {
    what: "with a key",
    pieces: [toUtf8("hypercore")],
    options: { key: PUBLIC_KEY },
    hash: "abe00de923eac82f041fafb044aa4555dace97d18ccf4e000db3ceb9facbc924",
  },
  {
    what: "that derives a key",
    pieces: [EMPTY_BYTES],
    options: { key: SEED, salt: KDF_SALT, personal: KDF_PERSONAL },
    hash: "7783705ddc9295978399de749e161b1887cf5f375e406b99f2620a4b43aaab65",
  },
];

/** A keystream from its first byte on, longer than what a module holds at once. */
const STREAM = {
  key: fromHex("c02f1bd3096c4b6e654b2e32fadcacf664f8494f5ad319c19d64d53648201753"),
  nonce: fromHex("225f8e596d4c7223216cbcbba013bcc13445a87f0fa4ad8d"),
  bytes: 65536,
  hash: "b51e71018f9da5a0fd363aedfd1e570f93247a5e824a8fef9ef21175ea3ec460",
  /** The three bytes behind it. */
  next: "f759f8",
};

/** What a backend gets wrong, in words that go on "it gets … wrong"; empty if nothing. */
export function wrongHashes(backend: CryptoBackend): string[] {
  return HASHES.filter(({ pieces, options, hash }) => toHex(backend.hash(pieces, options)) !== hash)
    .map(({ what }) => `the hash ${what}`);
}

/** As `wrongHashes`, for the keystream. Its bytes are hashed by the same backend. */
export function wrongKeystream(backend: CryptoBackend): string[] {
  const stream = backend.keystream(STREAM.key, STREAM.nonce);
  const bytes = new Uint8Array(STREAM.bytes);
  // In pieces that are no multiple of anything, as connections have them.
  for (let at = 0, size = 1; at < bytes.length; at += size, size = 2 * size + 1) {
    stream.apply(bytes.subarray(at, at + size));
  }
  const next = new Uint8Array(STREAM.next.length / 2);
  stream.apply(next);
  const isRight = toHex(backend.hash([bytes])) === STREAM.hash && toHex(next) === STREAM.next;
  return isRight ? [] : [`the keystream or the hash of ${STREAM.bytes} bytes`];
}

/** Somebody who signs: Ed25519, keys as seeds. */
export interface Signer {
  publicKey(seed: Uint8Array): Uint8Array;
  sign(message: Uint8Array, seed: Uint8Array): Uint8Array;
  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean;
}

/** As `wrongHashes`, for signatures; a signature over something else must not be taken for good. */
export function wrongSignatures(signer: Signer): string[] {
  const other = SIGNED.slice();
  other[7] ^= 1;
  const wrong: string[] = [];
  if (!equalBytes(signer.publicKey(SEED), PUBLIC_KEY)) wrong.push("the public key of a seed");
  if (!equalBytes(signer.sign(SIGNED, SEED), SIGNATURE)) wrong.push("a signature");
  if (!signer.verify(SIGNED, SIGNATURE, PUBLIC_KEY)) wrong.push("the check of a good signature");
  if (signer.verify(other, SIGNATURE, PUBLIC_KEY)) wrong.push("the check of a bad signature");
  return wrong;
}
