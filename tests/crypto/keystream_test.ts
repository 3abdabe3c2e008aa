import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, fromHex, toHex } from "../../src/base/bytes.ts";
import { cryptoBackend } from "../../src/crypto/backend.ts";
import { type Keystream, openKeystream } from "../../src/crypto/keystream.ts";
import { readVector } from "../support/vectors.ts";

interface Recorded {
  readonly key: string;
  readonly nonce: string;
}

/** Consecutive updates of one cipher. */
interface Updates extends Recorded {
  readonly parts: readonly { plain: string; cipher: string }[];
}

/** The keystream itself: 65536 bytes of it, by their ends and their hash, and the 3 after those. */
interface LongRun extends Recorded {
  readonly first64: string;
  readonly last64: string;
  readonly blake2b256OfFirst65536: string;
  readonly next3: string;
}

const recorded = readVector<{ xsalsa20: readonly (Updates | LongRun)[] }>("crypto.json").xsalsa20;
for (const [at, stream] of recorded.entries()) {
  const open = () => openKeystream(fromHex(stream.key), fromHex(stream.nonce));
  Deno.test(`openKeystream() makes the recorded keystream ${at}`, () => {
    if ("parts" in stream) replayUpdates(stream, open(), open());
    else checkLongRun(stream, open());
  });
}

function replayUpdates({ parts }: Updates, out: Keystream, back: Keystream): void {
  assert.ok(parts.length > 0);
  for (const { plain, cipher } of parts) {
    const bytes = fromHex(plain);
    out.apply(bytes);
    assert.equal(toHex(bytes), cipher);
    back.apply(bytes);
    assert.equal(toHex(bytes), plain);
  }
}

function checkLongRun(stream: LongRun, keystream: Keystream): void {
  const bytes = new Uint8Array(65536);
  keystream.apply(bytes);
  assert.equal(toHex(bytes.subarray(0, 64)), stream.first64);
  assert.equal(toHex(bytes.subarray(-64)), stream.last64);
  assert.equal(toHex(cryptoBackend().hash([bytes])), stream.blake2b256OfFirst65536);
  const next = new Uint8Array(3);
  keystream.apply(next);
  assert.equal(toHex(next), stream.next3);
}

Deno.test("a keystream runs on the same however its bytes are cut", () => {
  const key = new Uint8Array(32).fill(5);
  const nonce = new Uint8Array(24).fill(6);
  const whole = new Uint8Array(5000);
  openKeystream(key, nonce).apply(whole);
  const lengths = fc.array(fc.oneof(fc.nat(70), fc.constantFrom(0, 1, 63, 64, 65, 128)), {
    minLength: 1,
    maxLength: 30,
  });
  fc.assert(
    fc.property(lengths, fc.nat(3), (lengths, shift) => {
      const keystream = openKeystream(key, nonce);
      const pieces = lengths.map((length) => new Uint8Array(length + shift).subarray(shift));
      for (const piece of pieces) keystream.apply(piece);
      const joined = concat(pieces);
      assert.deepEqual(joined, whole.slice(0, joined.length));
    }),
    { seed: 30, numRuns: 200 },
  );
});

Deno.test("a keystream leaves its key and nonce alone and does not follow their changes", () => {
  const key = new Uint8Array(32).fill(5);
  const nonce = new Uint8Array(24).fill(6);
  const keystream = openKeystream(key, nonce);
  assert.deepEqual([key, nonce], [new Uint8Array(32).fill(5), new Uint8Array(24).fill(6)]);
  const expected = new Uint8Array(10);
  openKeystream(key, nonce).apply(expected);
  key.fill(0);
  nonce.fill(0);
  const bytes = new Uint8Array(10);
  keystream.apply(bytes);
  assert.deepEqual(bytes, expected);
});

Deno.test("openKeystream() refuses keys and nonces of other lengths", () => {
  assert.throws(() => openKeystream(new Uint8Array(31), new Uint8Array(24)), RangeError);
  assert.throws(() => openKeystream(new Uint8Array(32), new Uint8Array(8)), RangeError);
});
