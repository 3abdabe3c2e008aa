import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { salsa20 } from "@noble/ciphers/salsa.js";
import fc from "fast-check";
import { concat, toHex, toUtf8 } from "../../src/base/bytes.ts";
import { nobleBackend, nobleKeystreamAt } from "../../src/crypto/noble.ts";
import { salsa20Block, salsa20State } from "../../src/crypto/salsa20.ts";

/*
 * Salsa20 once more, straight from its specification and in integers of any size: the state is a
 * matrix, a double round works on columns, then on rows, which are the columns of the transpose.
 */

const WORD = 2n ** 32n;
const rotate = (word: bigint, bits: bigint) => (word << bits | word >> (32n - bits)) % WORD;

function quarterRound([a, b, c, d]: bigint[]): bigint[] {
  const b1 = b ^ rotate((a + d) % WORD, 7n);
  const c1 = c ^ rotate((b1 + a) % WORD, 9n);
  const d1 = d ^ rotate((c1 + b1) % WORD, 13n);
  return [a ^ rotate((d1 + c1) % WORD, 18n), b1, c1, d1];
}

const transpose = (matrix: bigint[][]) => matrix.map((_, i) => matrix.map((row) => row[i]));

function roundOnRows(matrix: bigint[][]): bigint[][] {
  return matrix.map((row, i) => {
    const turned = quarterRound([...row.slice(i), ...row.slice(0, i)]);
    return [...turned.slice(4 - i), ...turned.slice(0, 4 - i)];
  });
}

function tenDoubleRounds(words: bigint[]): bigint[] {
  let matrix = [0, 4, 8, 12].map((at) => words.slice(at, at + 4));
  for (let round = 0; round < 10; round++) {
    matrix = roundOnRows(transpose(roundOnRows(transpose(matrix))));
  }
  return matrix.flat();
}

const toWords = (bytes: Uint8Array) =>
  Array.from(
    { length: bytes.length / 4 },
    (_, at) =>
      bytes.slice(4 * at, 4 * at + 4).reduceRight((word, byte) => word << 8n | BigInt(byte), 0n),
  );
const toBytes = (words: bigint[]) =>
  Uint8Array.from(
    words.flatMap((word) => [0n, 8n, 16n, 24n].map((by) => Number(word >> by & 255n))),
  );

function expand(key: bigint[], middle: bigint[]): bigint[] {
  const [s0, s1, s2, s3] = toWords(toUtf8("expand 32-byte k"));
  return [s0, ...key.slice(0, 4), s1, ...middle, s2, ...key.slice(4), s3];
}

function slowXsalsa20Block(key: Uint8Array, nonce: Uint8Array, block: bigint): Uint8Array {
  const first = tenDoubleRounds(expand(toWords(key), toWords(nonce.slice(0, 16))));
  const derived = [0, 5, 10, 15, 6, 7, 8, 9].map((at) => first[at]);
  const middle = [...toWords(nonce.slice(16)), block % WORD, block / WORD];
  const input = expand(derived, middle);
  return toBytes(tenDoubleRounds(input).map((word, at) => (word + input[at]) % WORD));
}

const KEY = new Uint8Array(32).map((_, at) => 7 * at + 1);
const NONCE = new Uint8Array(24).map((_, at) => 11 * at + 3);

function slowKeystream(block: number, count: number): Uint8Array {
  return concat(
    Array.from(
      { length: count },
      (_, at) => slowXsalsa20Block(KEY, NONCE, BigInt(block) + BigInt(at)),
    ),
  );
}

Deno.test("the keystream's first blocks are those of the slow Salsa20", () => {
  const bytes = new Uint8Array(5 * 64);
  nobleBackend.keystream(KEY, NONCE).apply(bytes);
  assert.deepEqual(bytes, slowKeystream(0, 5));
});

Deno.test("the keystream goes on beyond 2^32 blocks, where its number needs a second word", () => {
  const starts = fc.oneof(
    fc.integer({ min: -4, max: 4 }).map((off) => 2 ** 32 + off),
    fc.integer({ min: -4, max: 4 }).map((off) => 3 * 2 ** 32 + off),
    fc.maxSafeNat().map((n) => n % 2 ** 47),
  );
  const cuts = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(starts, cuts, (start, cuts) => {
      const keystream = nobleKeystreamAt(KEY, NONCE, start);
      const pieces = cuts.map((length) => new Uint8Array(length));
      for (const piece of pieces) keystream.apply(piece);
      const joined = concat(pieces);
      const expected = slowKeystream(start, Math.ceil(joined.length / 64));
      assert.deepEqual(joined, expected.slice(0, joined.length));
    }),
    { seed: 31, numRuns: 60 },
  );
});

Deno.test("block 2^32 of the keystream is not block 0 again", () => {
  const first = new Uint8Array(64);
  const later = new Uint8Array(64);
  nobleKeystreamAt(KEY, NONCE, 0).apply(first);
  nobleKeystreamAt(KEY, NONCE, 2 ** 32).apply(later);
  assert.notDeepEqual(first, later);
});

Deno.test("salsa20Block() makes the blocks that noble makes, as far as noble goes", () => {
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const nonce = fc.uint8Array({ minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(key, nonce, fc.nat(2 ** 32 - 3), (key, nonce, block) => {
      const bytes = new Uint8Array(64);
      salsa20Block(salsa20State(key, nonce), block, bytes);
      assert.deepEqual(bytes, salsa20(key, nonce, new Uint8Array(64), undefined, block));
    }),
    { seed: 32, numRuns: 200 },
  );
});

Deno.test("the keystream takes key and nonce from the middle of a Buffer", () => {
  const shared = Buffer.concat([Buffer.of(0), KEY, NONCE]);
  const bytes = new Uint8Array(100);
  const expected = new Uint8Array(100);
  nobleBackend.keystream(shared.subarray(1, 33), shared.subarray(33)).apply(bytes);
  nobleBackend.keystream(KEY, NONCE).apply(expected);
  assert.deepEqual(bytes, expected);
});

Deno.test("hashing pieces is hashing their sum", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 }), (pieces) => {
      assert.deepEqual(nobleBackend.hash(pieces), nobleBackend.hash([concat(pieces)]));
    }),
    { seed: 33, numRuns: 100 },
  );
});

Deno.test("key, salt and personalisation each change the hash", () => {
  const message = [toUtf8("abc")];
  const options = [
    undefined,
    {},
    { key: new Uint8Array(32) },
    { salt: new Uint8Array(16).fill(1) },
    { personal: new Uint8Array(16).fill(1) },
  ];
  const hashes = options.map((option) => toHex(nobleBackend.hash(message, option)));
  assert.equal(hashes[0], hashes[1]);
  assert.equal(new Set(hashes).size, 4);
});
