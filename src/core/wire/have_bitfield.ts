/**
 * The run-length coded bitfield of Have.
 *
 * Bit 0 is the most significant bit of byte 0 and stands for the Have's `start`. The coded form is
 * a sequence of chunks, each a varint h and what it calls for:
 *
 *     h odd    run: h >> 2 bytes, all 00 or (bit 1 of h set) all ff
 *     h even   literal: the next h >> 1 bytes as they are
 *
 * Both directions work on runs of set bits [start, end), so the cost follows the number of runs and
 * never what they span. The encoder gives the same bytes as existing peers.
 *
 * Source: spec of replication, section 3; bitfield-rle 2.2.1 for which runs are worth a chunk.
 */
import { EMPTY_BYTES } from "../../base/bytes.ts";
import { RemoteProtocolError } from "../../base/errors.ts";
import type { Range } from "../../base/ranges.ts";
import { MAX_VARINT_BYTES, readVarint, varintSize, writeVarint } from "../../base/varint.ts";

/** Peers pad bitfields with zeros to a multiple of 4 bytes, so this much more is no offence. */
const PADDING_BYTES = 4;

/**
 * Encode a bitfield that lies in memory.
 *
 * A field without a set bit gives no bytes, as trailing zeros are not encoded.
 */
export function encodeHaveBitfield(bitfield: Uint8Array): Uint8Array {
  const encoder = new Encoder();
  for (const byte of bitfield) encoder.byte(byte);
  return encoder.finish();
}

/**
 * Encode runs of set bits, sorted and without overlaps, relative to the Have's `start`. Bits at or
 * after `lengthInBits` are left out.
 */
export function encodeHaveRuns(runs: Iterable<Range>, lengthInBits: number): Uint8Array {
  const encoder = new Encoder();
  let position = 0; // the byte that `bits` are for
  let bits = 0;
  for (const run of runs) {
    if (run.start >= lengthInBits) break;
    const end = Math.min(run.end, lengthInBits);
    const firstByte = Math.floor(run.start / 8);
    const lastByte = Math.floor(end / 8); // which may hold none of them
    if (firstByte > position) {
      encoder.byte(bits);
      encoder.repeat(0, firstByte - position - 1);
      position = firstByte;
      bits = 0;
    }
    const fromFirst = 0xff >> (run.start % 8);
    const untilLast = 0xff & ~(0xff >> (end % 8));
    if (lastByte === position) {
      bits |= fromFirst & untilLast;
    } else {
      encoder.byte(bits | fromFirst);
      encoder.repeat(0xff, lastByte - position - 1);
      position = lastByte;
      bits = untilLast;
    }
  }
  encoder.byte(bits);
  return encoder.finish();
}

/**
 * The runs of set bits, in order, relative to the Have's `start`; none reaches past `maxBits`.
 *
 * The whole input is checked at the call, before the first run comes out, and nothing of the size
 * it stands for is allocated.
 *
 * @throws {RemoteProtocolError} If a chunk is cut off, or the field is more than 4 bytes longer
 *   than `maxBits` need.
 */
export function decodeHaveRuns(
  encoded: Uint8Array,
  { maxBits }: { readonly maxBits: number },
): IterableIterator<Range> {
  const length = decodedLength(encoded);
  if (length > Math.ceil(maxBits / 8) + PADDING_BYTES) {
    throw new RemoteProtocolError(
      `Cannot read bitfield of ${length} bytes for ${maxBits} blocks`,
    );
  }
  return runsOf(encoded, maxBits);
}

/** Bytes of the decoded field. */
function decodedLength(encoded: Uint8Array): number {
  const cursor = { pos: 0 };
  let length = 0;
  while (cursor.pos < encoded.length) {
    const head = readVarint(encoded, cursor, encoded.length);
    if (head < 0) throw new RemoteProtocolError("Cannot read bitfield: chunk without a length");
    const isRun = head % 2 === 1;
    const count = Math.floor(head / (isRun ? 4 : 2));
    if (!isRun) {
      const left = encoded.length - cursor.pos;
      if (count > left) {
        throw new RemoteProtocolError(
          `Cannot read bitfield: chunk of ${count} bytes where ${left} are left`,
        );
      }
      cursor.pos += count;
    }
    length += count;
  }
  return length;
}

/** `encoded` has been checked. */
function* runsOf(encoded: Uint8Array, maxBits: number): IterableIterator<Range> {
  const cursor = { pos: 0 };
  let bit = 0;
  let start = -1; // of the run that is open at `bit`; -1 for none
  while (cursor.pos < encoded.length && bit < maxBits) {
    const head = readVarint(encoded, cursor, encoded.length);
    if (head % 2 === 1) {
      const count = Math.floor(head / 4);
      const isSet = head % 4 === 3;
      if (count > 0 && isSet !== (start >= 0)) {
        if (!isSet) yield { start, end: bit };
        start = isSet ? bit : -1;
      }
      bit += count * 8;
      continue;
    }
    const chunkEnd = cursor.pos + head / 2;
    for (; cursor.pos < chunkEnd && bit < maxBits; cursor.pos++, bit += 8) {
      // Bits at which the field changes between clear and set, the one before this byte included.
      const byte = encoded[cursor.pos];
      let changes = byte ^ ((byte >> 1) | (start >= 0 ? 0x80 : 0));
      while (changes !== 0) {
        const offset = Math.clz32(changes) - 24;
        const at = bit + offset;
        if (at >= maxBits) break;
        if (start >= 0) yield { start, end: at };
        start = start >= 0 ? -1 : at;
        changes &= ~(0x80 >> offset);
      }
    }
    cursor.pos = chunkEnd;
  }
  if (start >= 0) yield { start, end: Math.min(bit, maxBits) };
}

/** Takes the field byte by byte, or many equal ones at once, and decides what becomes a run. */
class Encoder {
  #out: Uint8Array = EMPTY_BYTES;
  #outLength = 0;
  /** Bytes since the last run that was encoded, which will be a literal unless a run pays off. */
  #literal: Uint8Array = EMPTY_BYTES;
  #literalLength = 0;
  /** The latest bytes, all 00 or all ff. They are not in `#literal` yet. */
  #runByte = 0;
  #runLength = 0;

  byte(byte: number): void {
    if (byte === 0x00 || byte === 0xff) {
      this.repeat(byte, 1);
    } else {
      this.#endRun();
      this.#literal = withRoom(this.#literal, this.#literalLength, 1);
      this.#literal[this.#literalLength++] = byte;
    }
  }

  /** `count` bytes that are all `byte`, 00 or ff. */
  repeat(byte: 0x00 | 0xff, count: number): void {
    if (count === 0) return;
    if (byte !== this.#runByte) this.#endRun();
    this.#runByte = byte;
    this.#runLength += count;
  }

  finish(): Uint8Array {
    // Zeros at the end of the field are left out.
    if (this.#runByte === 0x00) this.#runLength = 0;
    this.#endRun();
    this.#writeLiteral();
    return this.#out.subarray(0, this.#outLength);
  }

  /** Encode the run if that is shorter than to go on with the literal. */
  #endRun(): void {
    const run = this.#runLength;
    if (run === 0) return;
    this.#runLength = 0;
    const literal = this.#literalLength;
    const head = run * 4 + (this.#runByte === 0xff ? 2 : 0) + 1;
    const asRun = varintSize(head) + (literal === 0 ? 0 : literalSize(literal));
    if (asRun < literalSize(literal + run)) {
      this.#writeLiteral();
      this.#writeVarint(head);
    } else {
      // Only runs of a few bytes come here.
      this.#literal = withRoom(this.#literal, literal, run);
      this.#literal.fill(this.#runByte, literal, literal + run);
      this.#literalLength += run;
    }
  }

  #writeLiteral(): void {
    const length = this.#literalLength;
    if (length === 0) return;
    this.#writeVarint(length * 2);
    this.#out = withRoom(this.#out, this.#outLength, length);
    this.#out.set(this.#literal.subarray(0, length), this.#outLength);
    this.#outLength += length;
    this.#literalLength = 0;
  }

  #writeVarint(value: number): void {
    this.#out = withRoom(this.#out, this.#outLength, MAX_VARINT_BYTES);
    this.#outLength = writeVarint(this.#out, this.#outLength, value);
  }
}

function literalSize(length: number): number {
  return varintSize(length * 2) + length;
}

/** `buffer`, or a larger copy of its first `used` bytes that has room for `more`. */
function withRoom(buffer: Uint8Array, used: number, more: number): Uint8Array {
  if (used + more <= buffer.length) return buffer;
  const grown = new Uint8Array(Math.max(used + more, 2 * buffer.length, 64));
  grown.set(buffer.subarray(0, used));
  return grown;
}
