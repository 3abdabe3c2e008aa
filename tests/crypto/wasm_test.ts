/** The module against noble: the same bytes for everything. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { toHex } from "../../src/base/bytes.ts";
import { cryptoBackend, type HashOptions } from "../../src/crypto/backend.ts";
import { nobleBackend, nobleKeystreamAt } from "../../src/crypto/noble.ts";
import { openModule, WasmBackend } from "../../src/crypto/wasm.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const module = openModule();
const wasm = new WasmBackend(module);

const KEY = new Uint8Array(32).map((_, at) => 7 * at + 1);
const NONCE = new Uint8Array(24).map((_, at) => 11 * at + 3);

/** Bytes that look random and are the same each time, lying anywhere in their buffer. */
function noise(length: number, offset = 0): Uint8Array {
  const bytes = new Uint8Array(offset + length);
  let state = length + 1;
  for (let at = 0; at < bytes.length; at++) {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    bytes[at] = state >>> 24;
  }
  return bytes.subarray(offset);
}

function assertSameHash(pieces: readonly Uint8Array[], options?: HashOptions): void {
  assert.equal(toHex(wasm.hash(pieces, options)), toHex(nobleBackend.hash(pieces, options)));
}

/** Lengths near everything that could matter: blocks, pairs of them, what the module holds. */
const lengths = fc.oneof(
  { weight: 4, arbitrary: fc.nat(300) },
  { weight: 1, arbitrary: fc.nat(200_000) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(1, 2, 3), fc.integer({ min: -70, max: 70 }))
      .map(([times, off]) => times * module.dataBytes() + off),
  },
);
const views = fc.tuple(lengths, fc.nat(9)).map(([length, offset]) => noise(length, offset));
const someBytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

Deno.test("the module is what this program hashes and encrypts with", () => {
  assert.equal(cryptoBackend().name, "wasm");
});

Deno.test("hashes of all lengths up to 300 bytes are noble's", () => {
  for (let length = 0; length <= 300; length++) assertSameHash([noise(length, length % 8)]);
});

Deno.test("hashes of pieces of any length, from anywhere in their buffers, are noble's", () => {
  fc.assert(
    fc.property(fc.array(views, { maxLength: 4 }), (pieces) => assertSameHash(pieces)),
    { seed: 40, numRuns: 150 },
  );
});

Deno.test("hashes of data around what the module holds at once are noble's", () => {
  for (const times of [1, 2]) {
    for (const off of [-129, -128, -127, -1, 0, 1, 127, 128, 129]) {
      const length = times * module.dataBytes() + off;
      assertSameHash([noise(length)]);
      assertSameHash([noise(9), noise(length - 9), new Uint8Array(0)]);
    }
  }
});

Deno.test("hashes with key, salt and personalisation are noble's", () => {
  const options = fc.record({
    key: fc.uint8Array({ minLength: 1, maxLength: 64 }),
    salt: someBytes(16),
    personal: someBytes(16),
  }, { requiredKeys: [] });
  fc.assert(
    fc.property(fc.array(views, { maxLength: 3 }), options, (pieces, options) => {
      assertSameHash(pieces, options);
    }),
    { seed: 41, numRuns: 200 },
  );
});

Deno.test("a hash takes Buffers, leaves its input alone and is nobody else's memory", () => {
  const input = Buffer.from("some bytes");
  const first = wasm.hash([input]);
  const kept = first.slice();
  assert.equal(input.toString(), "some bytes");
  assert.equal(first.buffer.byteLength, 32);
  wasm.hash([noise(1000)]);
  assertSameBytes(first, kept);
});

Deno.test("keystreams are noble's however their bytes are cut and however many run at once", () => {
  const cut = fc.tuple(fc.nat(2), views);
  fc.assert(
    fc.property(
      someBytes(32),
      someBytes(24),
      fc.array(cut, { maxLength: 6 }),
      (key, nonce, cuts) => {
        const nonces = [0, 1, 2].map((n) => nonce.map((byte) => byte ^ n));
        const ours = nonces.map((nonce) => wasm.keystream(key, nonce));
        const theirs = nonces.map((nonce) => nobleBackend.keystream(key, nonce));
        for (const [which, bytes] of cuts) {
          const expected = bytes.slice();
          theirs[which].apply(expected);
          ours[which].apply(bytes);
          assertSameBytes(bytes, expected);
        }
      },
    ),
    { seed: 42, numRuns: 100 },
  );
});

Deno.test("keystreams of all lengths up to 300 bytes are noble's, and touch nothing beside", () => {
  for (let length = 0; length <= 300; length++) {
    const bytes = noise(length + 2);
    const expected = bytes.slice();
    nobleBackend.keystream(KEY, NONCE).apply(expected.subarray(1, 1 + length));
    wasm.keystream(KEY, NONCE).apply(bytes.subarray(1, 1 + length));
    assertSameBytes(bytes, expected);
  }
});

Deno.test("the keystream goes on beyond 2^32 blocks, also in the middle of four", () => {
  const starts = fc.oneof(
    fc.tuple(fc.constantFrom(1, 3), fc.integer({ min: -9, max: 4 }))
      .map(([times, off]) => times * 2 ** 32 + off),
    fc.maxSafeNat().map((n) => n % 2 ** 46),
  );
  const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(starts, cuts, (start, cuts) => {
      const ours = wasm.keystreamAt(KEY, NONCE, start);
      const theirs = nobleKeystreamAt(KEY, NONCE, start);
      for (const length of cuts) {
        const bytes = new Uint8Array(length);
        const expected = new Uint8Array(length);
        ours.apply(bytes);
        theirs.apply(expected);
        assertSameBytes(bytes, expected);
      }
    }),
    { seed: 43, numRuns: 60 },
  );
});

Deno.test("large inputs leave the module's memory as large as it was", () => {
  const before = module.memory.buffer.byteLength;
  const bytes = noise(20_000_003);
  const expected = bytes.slice();
  assertSameHash([bytes]);
  wasm.keystream(KEY, NONCE).apply(bytes);
  nobleBackend.keystream(KEY, NONCE).apply(expected);
  assertSameBytes(bytes, expected);
  assert.equal(module.memory.buffer.byteLength, before);
});

Deno.test("a hash between two pieces of a keystream disturbs neither", () => {
  const whole = new Uint8Array(1000);
  const cut = new Uint8Array(1000);
  wasm.keystream(KEY, NONCE).apply(whole);
  const keystream = wasm.keystream(KEY, NONCE);
  keystream.apply(cut.subarray(0, 101));
  assertSameHash([noise(500)]);
  keystream.apply(cut.subarray(101));
  assertSameBytes(cut, whole);
});

/** No WebAssembly at all; and a processor that has no vectors, which on others is another set. */
const hindrances = ["--jitless", ...(Deno.build.arch === "x86_64" ? ["--no-enable-sse4-1"] : [])];

for (const flag of hindrances) {
  Deno.test(`where the module cannot run, noble does its work (${flag})`, async () => {
    const code = `const { cryptoBackend } = await import("./src/crypto/backend.ts");
      console.log(cryptoBackend().name);`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", `--v8-flags=${flag}`, code],
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
    });
    const { stdout, stderr } = await child.output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert.equal(text(stdout), "noble\n", text(stderr));
  });
}
