import assert from "node:assert/strict";
import * as fc from "fast-check";
import { concat, fromHex, toHex, toUtf8 } from "../../../src/base/bytes.ts";
import { LocalProtocolError, TroveError } from "../../../src/base/errors.ts";
import { ArchiveError } from "../../../src/core/archive/archive_error.ts";
import {
  decodeEntry,
  decodeIndex,
  decodeStat,
  encodeEntry,
  encodeIndex,
  encodeStat,
  kindOfMode,
  type Stat,
  STAT_FIELDS,
} from "../../../src/core/archive/entry.ts";
import { plainStat, recordedEntries, recordedMetadata } from "./recorded.ts";

const STAT: Stat = {
  mode: 0o100644,
  uid: 0,
  gid: 0,
  size: 2,
  blocks: 1,
  offset: 0,
  byteOffset: 0,
  mtime: 1000,
  ctime: 1000,
};
const KEY = new Uint8Array(32).fill(7);

for (const recorded of recordedMetadata()) {
  const { name, metadata } = recorded;

  Deno.test(`decodeIndex() reads the content key of ${name}, and encodeIndex() writes it`, () => {
    const { bytes, index } = metadata[0];
    assert.ok(index !== undefined);
    const { contentKey } = decodeIndex(fromHex(bytes));
    assert.equal(toHex(contentKey), index.content);
    assert.equal(toHex(encodeIndex(contentKey)), bytes);
  });

  Deno.test(`decodeEntry() reads every entry of ${name} as recorded`, () => {
    for (const block of recordedEntries(recorded)) {
      const entry = decodeEntry(fromHex(block.bytes), block.seq);
      const { bytes: _, ...stat } = block.stat ?? { bytes: "" };
      assert.equal(entry.seq, block.seq);
      assert.equal(entry.path, block.name);
      assert.deepEqual(plainStat(entry.stat), block.stat === null ? null : stat);
      assert.equal(toHex(entry.paths), block.paths.bytes);
    }
  });

  Deno.test(`encodeEntry() writes every entry of ${name} byte for byte`, () => {
    for (const block of recordedEntries(recorded)) {
      const entry = decodeEntry(fromHex(block.bytes), block.seq);
      assert.equal(toHex(encodeEntry(entry)), block.bytes);
      if (entry.stat !== undefined) assert.equal(toHex(encodeStat(entry.stat)), block.stat?.bytes);
    }
  });
}

Deno.test("encodeEntry() writes the worked example of the spec", () => {
  const block = encodeEntry({ path: "/a", stat: STAT, paths: fromHex("010000") });
  assert.equal(
    toHex(block),
    "0a022f61" + "1216" + "08a48302" + "10001800" + "20022801" + "30003800" + "40e80748e807" +
      "1a03010000",
  );
});

Deno.test("encodeStat() leaves out absent fields and nothing else", () => {
  assert.equal(
    toHex(encodeStat({ ...STAT, absent: ["uid", "gid", "size", "blocks"] })).slice(0, 16),
    [
      "08a48302",
      "30003800",
    ].join(""),
  );
  assert.equal(encodeStat({ ...STAT, absent: [...STAT_FIELDS] }).length, 0);
});

Deno.test("decodeStat() reads absent fields as zero and tells which they were", () => {
  assert.deepEqual(decodeStat(fromHex("08a48302")), {
    ...STAT,
    size: 0,
    blocks: 0,
    mtime: 0,
    ctime: 0,
    absent: STAT_FIELDS.slice(1),
  });
});

Deno.test("decodeStat() undoes encodeStat() for every set of fields and every safe integer", () => {
  const value = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 127, 128, 2 ** 32, 2 ** 53 - 1));
  const values = fc.tuple(...STAT_FIELDS.map(() => fc.option(value, { nil: undefined })));
  fc.assert(
    fc.property(values, (numbers) => {
      const absent = STAT_FIELDS.filter((_, i) => numbers[i] === undefined);
      const named = Object.fromEntries(STAT_FIELDS.map((name, i) => [name, numbers[i] ?? 0]));
      const stat = (absent.length === 0 ? named : { ...named, absent }) as unknown as Stat;
      assert.deepEqual(decodeStat(encodeStat(stat)), stat);
    }),
    { seed: 1 },
  );
});

Deno.test("decodeEntry() takes fields in any order, the last of several, and skips unknown ones", () => {
  const unknown = fromHex("20ffffffffffffffffff01" + "2a03616263" + "3100112233445566773d00112233");
  const block = concat([
    unknown,
    fromHex("1a03010000"),
    fromHex("0a02" + "2f78"),
    fromHex("0a022f61"),
  ]);
  const entry = decodeEntry(block, 4);
  assert.equal(entry.path, "/a");
  assert.equal(entry.stat, undefined);
  assert.equal(toHex(entry.paths), "010000");
});

Deno.test("decodeEntry() keeps a byte order mark and replaces what is not UTF-8", () => {
  assert.equal(decodeEntry(fromHex("0a05" + "2fefbbbf61"), 1).path, "/\ufeffa");
  assert.equal(decodeEntry(fromHex("0a03" + "2fff61"), 1).path, "/\ufffda");
});

const MALFORMED: readonly [string, string][] = [
  ["without a name", "1a03010000"],
  ["empty", ""],
  ["with a name past its end", "0a042f61"],
  ["with a name of four gigabytes", "0affffffff0f2f61"],
  ["with a name length of 2^53", "0a8080808080808010" + "2f61"],
  ["with a name that is a number", "0801"],
  ["with a Stat that is a number", "0a022f611001"],
  ["with a Stat whose mode is a string", "0a022f61" + "1203" + "0a0131"],
  ["with a size of 2^53", "0a022f61" + "1209" + "208080808080808010"],
  ["with a size of eleven bytes", "0a022f61" + "120c" + "20ffffffffffffffffffff01"],
  ["with a Stat that is cut off", "0a022f61" + "1202" + "20ff"],
  ["with field number 0", "0a022f610001"],
  ["with a group", "0a022f612324"],
  ["with wire type 7", "0a022f6127"],
  ["that ends inside an unknown number", "0a022f6120ff"],
  ["that ends inside an unknown 64-bit field", "0a022f612100"],
  ["that ends inside a tag", "0a022f6180"],
];
for (const [what, hex] of MALFORMED) {
  Deno.test(`decodeEntry() refuses a block ${what}`, () => {
    assert.throws(() => decodeEntry(fromHex(hex), 1), ArchiveError);
  });
}

Deno.test("decodeEntry() and decodeIndex() throw nothing but ArchiveError, whatever the bytes", () => {
  const valid = encodeEntry({ path: "/a/b", stat: STAT, paths: fromHex("01000000") });
  const mutated = fc.tuple(fc.nat(valid.length - 1), fc.nat(255)).map(([at, byte]) =>
    valid.with(at, byte)
  );
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 60 }), mutated);
  fc.assert(
    fc.property(bytes, (block) => {
      for (const decode of [() => decodeEntry(block, 1), () => decodeIndex(block)]) {
        try {
          decode();
        } catch (error) {
          assert.ok(error instanceof ArchiveError, String(error));
        }
      }
    }),
    { seed: 2, numRuns: 2000 },
  );
});

const NOT_ARCHIVES: readonly [string, string][] = [
  ["another type", "0a09" + toHex(toUtf8("hypertrie")) + "1220" + toHex(KEY)],
  ["a longer type", "0a0b" + toHex(toUtf8("hyperdrive2")) + "1220" + toHex(KEY)],
  ["no type", "1220" + toHex(KEY)],
  ["no content key", "0a0a" + toHex(toUtf8("hyperdrive"))],
  ["a content key of 31 bytes", "0a0a" + toHex(toUtf8("hyperdrive")) + "121f" + "07".repeat(31)],
  ["nothing in it", ""],
];
for (const [what, hex] of NOT_ARCHIVES) {
  Deno.test(`decodeIndex() refuses a block with ${what}`, () => {
    assert.throws(() => decodeIndex(fromHex(hex)), ArchiveError);
  });
}

Deno.test("decodeIndex() skips unknown fields", () => {
  const block = concat([fromHex("1805"), encodeIndex(KEY), fromHex("220178")]);
  assert.deepEqual(decodeIndex(block).contentKey, KEY);
});

Deno.test("encoding refuses what the format cannot hold", () => {
  const paths = fromHex("010000");
  assert.throws(() => encodeIndex(new Uint8Array(31)), LocalProtocolError);
  assert.throws(() => encodeEntry({ path: "/\ud800", paths }), LocalProtocolError);
  for (const size of [-1, 0.5, 2 ** 53, NaN]) {
    assert.throws(() => encodeStat({ ...STAT, size }), TroveError);
  }
});

const KINDS: readonly [number, string][] = [
  [0o100644, "file"],
  [0o100755, "file"],
  [0o644, "file"],
  [0o040755, "directory"],
  [0o120777, "other"],
  [0o060644, "other"],
  [0o010644, "other"],
  [0o140755, "other"],
];
for (const [mode, kind] of KINDS) {
  Deno.test(`kindOfMode(0o${mode.toString(8)}) is ${kind}`, () => {
    assert.equal(kindOfMode(mode), kind);
  });
}
