/**
 * Comparing bytes. `assert.deepEqual` takes gigabytes of memory to tell how two long arrays differ,
 * so a test that fails would take the machine down with it.
 */
import assert from "node:assert/strict";
import { equalBytes } from "../../src/base/bytes.ts";

/** Fail unless both are the same bytes; says where they part. */
export function assertSameBytes(
  actual: Uint8Array | undefined,
  expected: Uint8Array | undefined,
  message = "bytes",
): void {
  if (actual === undefined || expected === undefined) {
    return assert.equal(actual?.length, expected?.length, `${message}: one of them is missing`);
  }
  if (equalBytes(actual, expected)) return;
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  assert.fail(
    `${message}: ${actual.length} bytes, expected ${expected.length}; they part at ${
      at === -1 ? actual.length : at
    }`,
  );
}
