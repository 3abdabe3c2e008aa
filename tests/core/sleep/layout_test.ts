import assert from "node:assert/strict";
import { StorageError } from "../../../src/base/errors.ts";
import {
  entryCount,
  entryOffset,
  HEADER_BYTES,
  SIGNATURE_ENTRY_BYTES,
  TREE_ENTRY_BYTES,
} from "../../../src/core/sleep/layout.ts";

Deno.test("entryOffset() puts entries back to back after the header", () => {
  assert.equal(entryOffset(0, TREE_ENTRY_BYTES), 32);
  assert.equal(entryOffset(4, TREE_ENTRY_BYTES), 192);
  assert.equal(entryOffset(5, SIGNATURE_ENTRY_BYTES), 352);
  assert.equal(entryOffset(1, 3328), 3360);
});

Deno.test("entryOffset() works beyond 4 GiB", () => {
  assert.equal(entryOffset(2 ** 40, TREE_ENTRY_BYTES), 40 * 2 ** 40 + 32);
});

Deno.test("entryOffset() refuses an entry that ends beyond 2^53 - 1", () => {
  const last = Math.floor((Number.MAX_SAFE_INTEGER - HEADER_BYTES) / 40) - 1;
  assert.equal(entryOffset(last, 40), 32 + 40 * last);
  assert.throws(() => entryOffset(last + 1, 40), StorageError);
  assert.throws(() => entryOffset(2 ** 53 - 1, 40), StorageError);
});

Deno.test("entryCount() counts whole entries only", () => {
  for (const [bytes, count] of [[0, 0], [31, 0], [32, 0], [71, 0], [72, 1], [111, 1], [112, 2]]) {
    assert.equal(entryCount(bytes, 40), count, `${bytes} bytes`);
  }
});
