/** Small helpers over `Uint8Array`. */

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const EMPTY_BYTES = new Uint8Array(0);

/** A new array holding the pieces in order. */
export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** Whether both hold the same bytes. Not constant-time: nothing secret is compared here. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += HEX[bytes[i]];
  return text;
}

/** @throws {RangeError} If `text` is not an even number of hex digits. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new RangeError(`Cannot read ${text.length} characters as hex`);
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  }
  return bytes;
}

export function toUtf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** @throws {TypeError} If the bytes are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes);
}

/** Write `value` (0 to 2^53 - 1) as 8 bytes, most significant first. */
export function writeUint64BE(into: Uint8Array, offset: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  const low = value >>> 0;
  into[offset] = high >>> 24;
  into[offset + 1] = high >>> 16;
  into[offset + 2] = high >>> 8;
  into[offset + 3] = high;
  into[offset + 4] = low >>> 24;
  into[offset + 5] = low >>> 16;
  into[offset + 6] = low >>> 8;
  into[offset + 7] = low;
}

/** Read 8 bytes, most significant first. The result may exceed 2^53 - 1: the caller checks. */
export function readUint64BE(from: Uint8Array, offset: number): number {
  const high = from[offset] * 0x100_0000 + (from[offset + 1] << 16) + (from[offset + 2] << 8) +
    from[offset + 3];
  const low = from[offset + 4] * 0x100_0000 + (from[offset + 5] << 16) + (from[offset + 6] << 8) +
    from[offset + 7];
  return high * 0x1_0000_0000 + low;
}
