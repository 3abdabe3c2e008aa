import assert from "node:assert/strict";
import { equalBytes } from "../../src/base/bytes.ts";
import { turnBack } from "../../src/base/turned_bit.ts";
import { Random } from "../support/random.ts";

Deno.test("turnBack finds the one bit that turned, wherever it is", () => {
  const right = new Random("turned bit").bytes(40).slice();
  for (let bit = 0; bit < 8 * right.length; bit++) {
    const damaged = right.slice();
    damaged[bit >> 3] ^= 1 << (bit & 7);
    const before = damaged.slice();
    assert.deepEqual(turnBack(damaged, (bytes) => equalBytes(bytes, right)), right);
    assert.deepEqual(damaged, before, "the bytes given stay as they were");
  }
});

Deno.test("turnBack finds nothing where two bits turned, or none", () => {
  const right = new Random("turned bits").bytes(40).slice();
  const damaged = right.slice();
  damaged[3] ^= 0x11;
  assert.equal(turnBack(damaged, (bytes) => equalBytes(bytes, right)), undefined);
  assert.equal(turnBack(right, (bytes) => equalBytes(bytes, right)), undefined);
});
