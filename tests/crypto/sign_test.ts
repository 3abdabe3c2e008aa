import assert from "node:assert/strict";
import * as ed25519 from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { concat, fromHex, toHex } from "../../src/base/bytes.ts";
import { noblePublicKey, nobleSign, nobleVerify } from "../../src/crypto/noble_sign.ts";
import { keyPair, sign, verify } from "../../src/crypto/sign.ts";
import { readVector } from "../support/vectors.ts";

interface CryptoVectors {
  readonly keys: readonly { seed: string; publicKey: string; secretKey: string }[];
  readonly trees: readonly {
    publicKey: string;
    rootHash: string;
    signature: string;
    signatureValid: boolean;
    tamperedSignature: string;
    tamperedValid: boolean;
  }[];
}

const vectors = readVector<CryptoVectors>("crypto.json");

Deno.test("keyPair() makes the recorded keys from their seeds", () => {
  assert.ok(vectors.keys.length > 0);
  for (const { seed, publicKey, secretKey } of vectors.keys) {
    const pair = keyPair(fromHex(seed));
    assert.equal(toHex(pair.publicKey), publicKey);
    assert.equal(toHex(pair.secretKey), secretKey);
  }
});

Deno.test("sign() and verify() agree with the recorded signatures over root hashes", () => {
  const secretKeys = new Map(vectors.keys.map((key) => [key.publicKey, fromHex(key.secretKey)]));
  let signed = 0;
  for (const tree of vectors.trees) {
    const message = fromHex(tree.rootHash);
    const key = fromHex(tree.publicKey);
    assert.equal(verify(message, fromHex(tree.signature), key), tree.signatureValid);
    assert.equal(verify(message, fromHex(tree.tamperedSignature), key), tree.tamperedValid);
    const secretKey = secretKeys.get(tree.publicKey);
    if (secretKey === undefined || !tree.signatureValid) continue;
    assert.equal(toHex(sign(message, secretKey)), tree.signature);
    signed++;
  }
  assert.ok(signed > 0);
});

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });

Deno.test("keys and signatures are, byte for byte, those of the pure JavaScript way", () => {
  fc.assert(
    fc.property(seeds, fc.uint8Array({ maxLength: 80 }), (seed, message) => {
      const { publicKey, secretKey } = keyPair(seed);
      const signature = sign(message, secretKey);
      assert.deepEqual(publicKey, noblePublicKey(seed));
      assert.deepEqual(signature, nobleSign(message, seed));
      assert.ok(verify(message, signature, publicKey));
      assert.ok(nobleVerify(message, signature, publicKey));
    }),
    { seed: 20, numRuns: 30 },
  );
});

Deno.test("verify() refuses a flipped bit anywhere", () => {
  const { publicKey, secretKey } = keyPair(new Uint8Array(32).fill(1));
  const parts = [new Uint8Array(32).fill(7), new Uint8Array(64), publicKey];
  parts[1].set(sign(parts[0], secretKey));
  for (const part of parts) {
    for (let bit = 0; bit < 8 * part.length; bit++) {
      part[bit >> 3] ^= 1 << (bit & 7);
      assert.equal(verify(parts[0], parts[1], parts[2]), false);
      part[bit >> 3] ^= 1 << (bit & 7);
    }
  }
  assert.ok(verify(parts[0], parts[1], parts[2]));
});

Deno.test("verify() takes any bytes for a key or signature without throwing", () => {
  const bytes = fc.uint8Array({ maxLength: 70 });
  const sized = fc.tuple(
    fc.oneof(fc.uint8Array({ minLength: 64, maxLength: 64 }), bytes),
    fc.oneof(seeds, bytes),
  );
  fc.assert(
    fc.property(sized, ([signature, publicKey]) => {
      assert.equal(verify(new Uint8Array(32), signature, publicKey), false);
    }),
    { seed: 21, numRuns: 300 },
  );
});

Deno.test("results are plain Uint8Arrays of their own", () => {
  const seed = new Uint8Array(32).fill(3);
  const { publicKey, secretKey } = keyPair(seed);
  for (const bytes of [publicKey, secretKey, sign(seed, secretKey)]) {
    assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
    assert.equal(bytes.buffer.byteLength, bytes.length);
  }
});

Deno.test("keyPair() and sign() refuse keys of the wrong length", () => {
  assert.throws(() => keyPair(new Uint8Array(31)), RangeError);
  assert.throws(() => keyPair(new Uint8Array(64)), RangeError);
  assert.throws(() => sign(new Uint8Array(1), new Uint8Array(32)), RangeError);
});

Deno.test("keys stay apart however many are in use, and however their bytes change later", () => {
  const pairs = Array.from({ length: 40 }, (_, at) => keyPair(new Uint8Array(32).fill(at)));
  const message = Uint8Array.of(1, 2, 3);
  for (const { publicKey, secretKey } of [...pairs, ...pairs]) {
    const signature = sign(message, secretKey);
    assert.deepEqual(signature, nobleSign(message, secretKey.subarray(0, 32)));
    assert.ok(verify(message, signature, publicKey));
  }
  const [{ publicKey, secretKey }, other] = pairs;
  const signature = sign(message, secretKey);
  assert.ok(verify(message, signature, publicKey));
  publicKey.set(other.publicKey); // the same array, another key
  assert.equal(verify(message, signature, publicKey), false);
});

// What follows makes signatures that some verifiers take and libsodium does not. It needs points
// and scalars, and the secret scalar of the key, which only the key's owner has.

const { Point } = ed25519;
type Point = InstanceType<typeof Point>;
const PRIME = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const SEED = new Uint8Array(32).fill(1);
const PUBLIC_KEY = noblePublicKey(SEED);

function toBytes(value: bigint): Uint8Array {
  return new Uint8Array(32).map((_, at) => Number(value >> BigInt(8 * at) & 0xffn));
}

function toScalar(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
}

function secretScalar(): bigint {
  const half = sha512(SEED).subarray(0, 32).slice();
  half[0] &= 248;
  half[31] = half[31] & 127 | 64;
  return toScalar(half);
}

function challenge(r: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint {
  return toScalar(sha512(concat([r, publicKey, message]))) % ORDER;
}

function times(point: Point, scalar: bigint): Point {
  let sum = Point.ZERO;
  let power = point;
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) sum = sum.add(power);
    power = power.double();
  }
  return sum;
}

/** The eight points whose order divides 8, as multiples of one of order 8. */
function torsion(): Point[] {
  for (let y = 2n;; y++) {
    try {
      const point = times(Point.fromBytes(toBytes(y), true), ORDER);
      if (!times(point, 4n).is0()) {
        return Array.from({ length: 8 }, (_, n) => times(point, BigInt(n)));
      }
    } catch {
      // no point has this y
    }
  }
}
const TORSION = torsion();

/**
 * A signature with this R and key, good in the sense of S·B = R + k·A up to a point of small order;
 * `rScalar` and `aScalar` are the multiples of B in R and A.
 */
function forge(
  { r, rScalar, a, aScalar, message }: {
    r: Uint8Array;
    rScalar: bigint;
    a: Uint8Array;
    aScalar: bigint;
    message: Uint8Array;
  },
): Uint8Array {
  const k = challenge(r, a, message);
  return concat([r, toBytes((rScalar + k * aScalar) % ORDER)]);
}

function messages(): Uint8Array[] {
  return Array.from({ length: 64 }, (_, at) => new Uint8Array(32).fill(at));
}

function accepted(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  const answer = verify(message, signature, publicKey);
  // The two ways may differ only where the checks before them have decided already.
  if (answer) assert.ok(nobleVerify(message, signature, publicKey));
  return answer;
}

Deno.test("forge() makes good signatures from ordinary points", () => {
  const [message] = messages();
  const r = Point.BASE.multiply(777n).toBytes();
  const signature = forge({ r, rScalar: 777n, a: PUBLIC_KEY, aScalar: secretScalar(), message });
  assert.ok(accepted(message, signature, PUBLIC_KEY));
});

Deno.test("verify() refuses S that is not below the group order", () => {
  const message = new Uint8Array(32);
  const signature = nobleSign(message, SEED);
  const s = toScalar(signature.subarray(32));
  for (let higher = s + ORDER; higher < 2n ** 256n; higher += ORDER) {
    const same = concat([signature.subarray(0, 32), toBytes(higher)]);
    assert.equal(verify(message, same, PUBLIC_KEY), false);
    assert.equal(nobleVerify(message, same, PUBLIC_KEY), false);
  }
});

Deno.test("verify() refuses a public key of small order, in every form it can be written", () => {
  let loose = 0;
  for (const a of smallOrderForms()) {
    for (const message of messages().slice(0, 16)) {
      for (const addend of TORSION) {
        const r = Point.BASE.multiply(5n).add(addend).toBytes();
        const signature = concat([r, toBytes(5n)]);
        assert.equal(verify(message, signature, a), false);
        if (nobleVerify(message, signature, a)) loose++;
      }
    }
  }
  assert.ok(loose > 0, "some of these satisfy the equation, and only the check keeps them out");
});

Deno.test("verify() refuses an R of small order, in every form it can be written", () => {
  let loose = 0;
  for (const r of smallOrderForms()) {
    for (const message of messages().slice(0, 4)) {
      const signature = forge({ r, rScalar: 0n, a: PUBLIC_KEY, aScalar: secretScalar(), message });
      assert.equal(verify(message, signature, PUBLIC_KEY), false);
      if (nobleVerify(message, signature, PUBLIC_KEY)) loose++;
    }
  }
  assert.ok(loose > 0, "some of these satisfy the equation, and only the check keeps them out");
});

/** Every point of small order, with y as it is and with the prime added, and either sign of x. */
function smallOrderForms(): Uint8Array[] {
  const forms: Uint8Array[] = [];
  for (const point of TORSION) {
    const y = toScalar(point.toBytes()) % 2n ** 255n;
    for (const form of [y, y + PRIME].filter((form) => form < 2n ** 255n)) {
      forms.push(toBytes(form), toBytes(form + 2n ** 255n));
    }
  }
  return forms;
}

Deno.test("verify() compares R byte for byte, not up to a point of small order", () => {
  const a = secretScalar();
  let exact = 0;
  for (const addend of TORSION.slice(1)) {
    const mixedKey = Point.fromBytes(PUBLIC_KEY).add(addend).toBytes();
    const mixedR = Point.BASE.multiply(777n).add(addend).toBytes();
    const r = Point.BASE.multiply(777n).toBytes();
    for (const message of messages()) {
      const forgedR = forge({ r: mixedR, rScalar: 777n, a: PUBLIC_KEY, aScalar: a, message });
      assert.equal(accepted(message, forgedR, PUBLIC_KEY), false);

      // With such a key the equation holds for some messages, and then libsodium says yes as well.
      const forgedKey = forge({ r, rScalar: 777n, a: mixedKey, aScalar: a, message });
      const holds = times(addend, challenge(r, mixedKey, message)).is0();
      assert.equal(accepted(message, forgedKey, mixedKey), holds);
      if (holds) exact++;
    }
  }
  assert.ok(exact > 0);
});
