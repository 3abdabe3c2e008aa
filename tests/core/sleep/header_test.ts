import assert from "node:assert/strict";
import { StorageError } from "../../../src/base/errors.ts";
import { encodeHeader, parseHeader, type SleepKind } from "../../../src/core/sleep/header.ts";
import { HEADER_BYTES } from "../../../src/core/sleep/layout.ts";
import { allFeeds } from "../../support/stored_feeds.ts";

/** Entry sizes as the spec of storage, section 2, has them. */
const ENTRY_BYTES: readonly (readonly [SleepKind, number])[] = [
  ["bitfield", 3584],
  ["signatures", 64],
  ["tree", 40],
];

for (const [kind, entryBytes] of ENTRY_BYTES) {
  Deno.test(`encodeHeader() writes the ${kind} header of other programs`, () => {
    const headers = allFeeds().map((feed) => feed.file(kind)!.subarray(0, HEADER_BYTES))
      .filter((header) => header[5] * 256 + header[6] === entryBytes);
    assert.ok(headers.length > 0);
    for (const header of headers) assert.deepEqual(encodeHeader(kind), header);
  });

  Deno.test(`parseHeader() reads back the ${kind} header`, () => {
    assert.equal(parseHeader(encodeHeader(kind), kind, "file"), entryBytes);
  });

  Deno.test(`parseHeader() takes a ${kind} header with anything in its padding`, () => {
    const header = encodeHeader(kind);
    header.fill(0xee, 8 + header[7]);
    assert.equal(parseHeader(header, kind, "file"), entryBytes);
  });

  Deno.test(`parseHeader() takes a ${kind} header without an algorithm`, () => {
    const header = encodeHeader(kind);
    header.fill(0, 7);
    assert.equal(parseHeader(header, kind, "file"), entryBytes);
  });

  Deno.test(`parseHeader() refuses a damaged ${kind} header`, () => {
    // Magic, type, version, entry size, and a name longer than the header.
    for (
      const [at, value] of [[0, 6], [1, 3], [2, 0x58], [3, 3], [4, 1], [5, 1], [6, 1], [7, 25]]
    ) {
      const header = encodeHeader(kind);
      header[at] = value;
      assert.throws(() => parseHeader(header, kind, "some file"), (error) => {
        assert.ok(error instanceof StorageError);
        assert.match(error.message, /"some file"/);
        assert.ok(error.hint);
        return true;
      }, `byte ${at}`);
    }
  });
}

Deno.test("parseHeader() reads the page size of old bitfields", () => {
  const header = encodeHeader("bitfield");
  header[5] = 3328 >> 8;
  header[6] = 3328 & 0xff;
  assert.equal(parseHeader(header, "bitfield", "file"), 3328);
});

Deno.test("parseHeader() refuses the header of another kind of file", () => {
  for (const [kind] of ENTRY_BYTES) {
    for (const [other] of ENTRY_BYTES) {
      if (kind === other) continue;
      assert.throws(() => parseHeader(encodeHeader(kind), other, "file"), StorageError);
    }
  }
});

Deno.test("parseHeader() refuses another algorithm", () => {
  const header = encodeHeader("tree");
  header[8] = "S".charCodeAt(0);
  assert.throws(() => parseHeader(header, "tree", "file"), /algorithm "SLAKE2b", need "BLAKE2b"/);
});

Deno.test("parseHeader() refuses a header cut short", () => {
  const header = encodeHeader("tree").subarray(0, HEADER_BYTES - 1);
  assert.throws(() => parseHeader(header, "tree", "file"), /31 bytes, a header has 32/);
});
