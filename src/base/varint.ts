/**
 * Unsigned LEB128 integers, as in protocol buffers: 7 bits per byte, least significant group first,
 * top bit set on all bytes but the last.
 *
 * Values are plain numbers from 0 to 2^53 - 1. Non-minimal forms (`80 00` for zero) are read, and
 * never written. Source: spec of the wire, section 2.
 */

/** The longest form that is read: what 64 bits need. */
export const MAX_VARINT_BYTES = 10;

/** `readVarint`: the bytes end before the number does. */
export const VARINT_INCOMPLETE = -1;

/** `readVarint`: longer than 10 bytes, or larger than 2^53 - 1. */
export const VARINT_UNSAFE = -2;

/** How many bytes `writeVarint` needs for `value` (0 to 2^53 - 1). */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  let size = 5;
  for (let limit = 2 ** 35; value >= limit; limit *= 128) size++;
  return size;
}

/** Write `value` (0 to 2^53 - 1) at `offset` in its shortest form. Returns the offset after it. */
export function writeVarint(into: Uint8Array, offset: number, value: number): number {
  while (value >= 0x80) {
    into[offset++] = (value % 0x80) | 0x80;
    value = Math.floor(value / 0x80);
  }
  into[offset++] = value;
  return offset;
}

/**
 * Read a number that begins at `cursor.pos` and lies before `end`.
 *
 * Returns it and moves the cursor past it; or returns `VARINT_INCOMPLETE` or `VARINT_UNSAFE`, both
 * negative, and leaves the cursor where it was.
 */
export function readVarint(from: Uint8Array, cursor: { pos: number }, end: number): number {
  let pos = cursor.pos;
  let value = 0;
  let scale = 1;
  for (let count = 0; count < MAX_VARINT_BYTES; count++) {
    if (pos >= end) return VARINT_INCOMPLETE;
    const byte = from[pos++];
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      // Sums below 2^53 are exact, and larger ones never round down to a safe integer.
      if (value > Number.MAX_SAFE_INTEGER) return VARINT_UNSAFE;
      cursor.pos = pos;
      return value;
    }
    scale *= 0x80;
  }
  return VARINT_UNSAFE;
}
