import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, toHex } from "../../../src/base/bytes.ts";
import { RemoteProtocolError } from "../../../src/base/errors.ts";
import { type Range, RangeSet } from "../../../src/base/ranges.ts";
import {
  decodeHaveRuns,
  encodeHaveBitfield,
  encodeHaveRuns,
} from "../../../src/core/wire/have_bitfield.ts";
import { largestAllocation } from "../../support/allocations.ts";
import { readVector } from "../../support/vectors.ts";
import { recordedDirections } from "../../support/wire_vectors.ts";

type Pair = [start: number, end: number];

interface BitfieldVectors {
  readonly examples: {
    readonly name: string;
    readonly bitLength: number;
    readonly set: readonly Pair[];
    readonly encoded: string;
    readonly decodedBytes: number;
  }[];
  readonly haves: {
    readonly length: number;
    readonly cleared: readonly [] | Pair;
    readonly want: { readonly start: number; readonly length: number };
    readonly bitfield: string;
  }[];
}

const vectors = readVector<BitfieldVectors>("bitfield-rle.json");

function toRanges(pairs: readonly Readonly<Pair>[]): Range[] {
  return pairs.map(([start, end]) => ({ start, end }));
}

function toBitfield(runs: Iterable<Range>, bits: number): Uint8Array {
  const bitfield = new Uint8Array(Math.ceil(bits / 8));
  for (const { start, end } of runs) {
    for (let bit = start; bit < end; bit++) bitfield[bit >> 3] |= 0x80 >> (bit & 7);
  }
  return bitfield;
}

function decoded(encoded: Uint8Array, maxBits: number): Range[] {
  return [...decodeHaveRuns(encoded, { maxBits })];
}

for (const { name, bitLength, set, encoded, decodedBytes } of vectors.examples) {
  const runs = toRanges(set);

  Deno.test(`The bitfield "${name}" is as long as existing peers decode it`, () => {
    const bytes = fromHex(encoded);
    const decode = (length: number) => [...decodeHaveRuns(bytes, { maxBits: 8 * length })];
    const last = decode(decodedBytes).at(-1)?.end ?? 0;
    assert.ok(last <= 8 * decodedBytes && last > 8 * (decodedBytes - 1));
    // Four bytes of padding are allowed, so it is refused where it would be five too long.
    if (decodedBytes > 5) assert.throws(() => decode(decodedBytes - 5), RemoteProtocolError);
  });

  Deno.test(`The bitfield "${name}" is encoded as existing peers do`, () => {
    assert.equal(toHex(encodeHaveRuns(runs, bitLength)), encoded);
    assert.equal(toHex(encodeHaveBitfield(toBitfield(runs, bitLength))), encoded);
  });

  Deno.test(`The bitfield "${name}" is decoded to its runs`, () => {
    assert.deepEqual(decoded(fromHex(encoded), bitLength), runs);
  });
}

for (const { length, cleared, want, bitfield } of vectors.haves) {
  const hole = cleared.length === 0 ? "" : `, ${cleared[0]} to ${cleared[1]} cleared,`;
  const held = new RangeSet([{ start: 0, end: length }]);
  if (cleared.length > 0) held.remove(...cleared as Pair);
  held.remove(0, want.start);
  const runs = [...held].map(({ start, end }) => ({
    start: start - want.start,
    end: end - want.start,
  }));

  Deno.test(`${length} blocks${hole} answer a Want from ${want.start} as existing peers do`, () => {
    assert.equal(toHex(encodeHaveRuns(runs, want.length)), bitfield);
    assert.deepEqual(decoded(fromHex(bitfield), want.length), runs);
  });
}

for (const { name, frames } of recordedDirections()) {
  Deno.test(`The bitfields of ${name} are decoded and encoded as they were sent`, () => {
    for (const { item, bitfieldRuns } of frames) {
      if (item === "keepalive" || item.message.type !== "have") continue;
      const { bitfield, length } = item.message;
      if (bitfield === undefined) continue;
      assert.deepEqual(decoded(bitfield, length), toRanges(bitfieldRuns!));
      assert.equal(toHex(encodeHaveRuns(toRanges(bitfieldRuns!), length)), toHex(bitfield));
    }
  });
}

// Source: spec of replication, section 3.
const ENCODED: [bitfield: string, encoded: string][] = [
  ["e0", "02e0"],
  ["ff", "07"],
  ["ffffffffe0", "1302e0"],
  ["00000000ff", "1107"],
  ["ffff00ff", "0b0507"],
  ["a5a5", "04a5a5"],
  ["0000000000000001", "1d0201"],
  ["ff".repeat(125), "f703"],
  ["ff".repeat(131_072), "838020"],
  ["0000", ""],
  ["", ""],
];

for (const [bitfield, encoded] of ENCODED) {
  const shown = bitfield.length > 20 ? `${bitfield.length / 2} bytes` : `"${bitfield}"`;
  Deno.test(`encodeHaveBitfield() turns ${shown} into "${encoded}"`, () => {
    assert.equal(toHex(encodeHaveBitfield(fromHex(bitfield))), encoded);
  });
}

/** Bitmaps with long runs, short runs and noise. */
function bitmaps() {
  const part = fc.tuple(
    fc.oneof(fc.constant(0x00), fc.constant(0xff), fc.nat(255)),
    fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 200 })),
  );
  return fc.array(part, { maxLength: 20 }).map((parts) =>
    Uint8Array.from(parts.flatMap(([byte, count]) => Array<number>(count).fill(byte)))
  );
}

function runsOfBitmap(bitmap: Uint8Array): Range[] {
  const runs = new RangeSet();
  for (let bit = 0; bit < bitmap.length * 8; bit++) {
    if (bitmap[bit >> 3] & (0x80 >> (bit & 7))) runs.add(bit, bit + 1);
  }
  return [...runs];
}

Deno.test("Encoding runs gives the bytes of encoding the bitmap, and decoding gives the runs", () => {
  fc.assert(
    fc.property(bitmaps(), (bitmap) => {
      const runs = runsOfBitmap(bitmap);
      const encoded = encodeHaveBitfield(bitmap);
      assert.equal(toHex(encodeHaveRuns(runs, bitmap.length * 8)), toHex(encoded));
      assert.deepEqual(decoded(encoded, bitmap.length * 8), runs);
    }),
    { seed: 1 },
  );
});

Deno.test("Encoding runs leaves out bits past the end, and so does decoding", () => {
  fc.assert(
    fc.property(bitmaps(), fc.nat(40), (bitmap, less) => {
      const bits = Math.max(0, bitmap.length * 8 - less);
      const runs = runsOfBitmap(bitmap);
      const clipped = runs.filter(({ start }) => start < bits)
        .map(({ start, end }) => ({ start, end: Math.min(end, bits) }));
      assert.equal(
        toHex(encodeHaveRuns(runs, bits)),
        toHex(encodeHaveBitfield(toBitfield(clipped, bits))),
      );
      if (less <= 32) assert.deepEqual(decoded(encodeHaveBitfield(bitmap), bits), clipped);
    }),
    { seed: 2 },
  );
});

Deno.test("Runs that touch are encoded as one", () => {
  const runs = [{ start: 3, end: 8 }, { start: 8, end: 13 }, { start: 13, end: 40 }];
  assert.deepEqual(encodeHaveRuns(runs, 40), encodeHaveRuns([{ start: 3, end: 40 }], 40));
});

// Any mix of chunks must be accepted, also one that no encoder would choose.
const DECODED: [what: string, encoded: string, maxBits: number, runs: Pair[]][] = [
  ["two runs that touch", "0707", 16, [[0, 16]]],
  ["a run that goes on in a literal", "0702f8", 16, [[0, 13]]],
  ["a literal that goes on in a run", "020f0b", 24, [[4, 24]]],
  ["runs and literals of no bytes", "01030007010003", 8, [[0, 8]]],
  ["zeros at the end", "070d", 32, [[0, 8]]],
  ["a literal of ones and zeros", "06ff00ff", 24, [[0, 8], [16, 24]]],
  ["bits past the end", "0b", 11, [[0, 11]]],
  ["four bytes of padding", "0711", 8, [[0, 8]]],
  ["a field of 2^52 bits", "8380808080808004", 2 ** 52, [[0, 2 ** 52]]],
];

for (const [what, encoded, maxBits, runs] of DECODED) {
  Deno.test(`decodeHaveRuns() reads ${what}`, () => {
    assert.deepEqual(decoded(fromHex(encoded), maxBits), toRanges(runs));
  });
}

const REFUSED: [what: string, encoded: string, maxBits: number][] = [
  ["a run of gigabytes", "f7ffffff0f", 1_048_576],
  ["zeros that go on for gigabytes", "f5ffffff0f", 1_048_576],
  ["many runs that add up", "fbff1f".repeat(10), 1_048_576],
  ["more than four bytes of padding", "0715", 8],
  ["a literal longer than the input", "04ff", 1000],
  ["a chunk head that does not end", "0780", 1000],
  ["a chunk head above 2^53 - 1", "ffffffffffffffffff01", 1000],
];

for (const [what, encoded, maxBits] of REFUSED) {
  Deno.test(`decodeHaveRuns() refuses ${what} at the call, without memory for it`, () => {
    const largest = largestAllocation(() => {
      assert.throws(() => decodeHaveRuns(fromHex(encoded), { maxBits }), RemoteProtocolError);
    });
    assert.ok(largest <= 64, `${largest} bytes`);
  });
}

Deno.test("The cost of a bitfield follows its runs, not what they span", () => {
  const runs = [{ start: 5, end: 2 ** 52 }, { start: 2 ** 52 + 3, end: 2 ** 52 + 4 }];
  let encoded = new Uint8Array(0) as Uint8Array;
  const largest = largestAllocation(() => {
    encoded = encodeHaveRuns(runs, 2 ** 53 - 1);
    assert.deepEqual(decoded(encoded, 2 ** 53 - 1), runs);
  });
  assert.ok(encoded.length < 20 && largest <= 128, `${encoded.length}, ${largest}`);
});

Deno.test("decodeHaveRuns() never fails with anything but RemoteProtocolError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), fc.nat(2000), (encoded, maxBits) => {
      try {
        let last = -1;
        for (const { start, end } of decodeHaveRuns(encoded, { maxBits })) {
          assert.ok(last < start && start < end && end <= maxBits);
          last = end;
        }
      } catch (error) {
        assert.ok(error instanceof RemoteProtocolError, String(error));
      }
    }),
    { seed: 3, numRuns: 3000 },
  );
});
