/**
 * Byte chunks, split anywhere, to whole frames; and the frame header.
 *
 *     length: varint, at most 4 bytes | header: varint, channel << 4 | type | payload
 *                                     '--------------- length bytes --------------'
 *
 * Source: spec of the wire, section 3; limits, section 2.
 */
import { EMPTY_BYTES } from "../../base/bytes.ts";
import { RemoteProtocolError } from "../../base/errors.ts";
import { readVarint } from "../../base/varint.ts";

/** Largest frame body, in bytes, either way. Source: hypercore-protocol 6.12.0 (8 MiB). */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024;

/**
 * Largest body of the first frame, which comes before anything shows that the remote knows the key.
 * Source: limits, section 3; a Feed needs 61 bytes.
 */
export const MAX_FIRST_FRAME_BYTES = 4 * 1024;

/** Channels per direction. Source: hypercore-protocol 6.12.0. */
export const MAX_CHANNELS = 256;

/** Bytes of the length in front of a frame. Source: hypercore-protocol 6.12.0. */
const MAX_LENGTH_BYTES = 4;

/** The first buffer of a frame that spans chunks; it doubles as bytes arrive. Fits a usual block. */
const FIRST_BUFFER_BYTES = 128 * 1024;

/** Cuts frames out of chunks. Nothing is reserved for bytes that are only announced. */
export class FrameReader {
  #limit: number;
  #chunk: Uint8Array = EMPTY_BYTES;
  #at = 0;

  /** Bytes of the length read so far, and what they make. */
  #lengthBytes = 0;
  #length = 0;
  /** Whether the length is complete and the body is awaited. */
  #inBody = false;

  /** Body bytes of a frame that began in an earlier chunk. */
  #body: Uint8Array = EMPTY_BYTES;
  #filled = 0;

  /** @param limit Largest body, in bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Change the largest body, in bytes, for the frames whose length is not read yet. */
  set limit(bytes: number) {
    this.#limit = bytes;
  }

  /** How many bytes of an unfinished frame have come, its length included. */
  get partialBytes(): number {
    return this.#lengthBytes + this.#filled;
  }

  /** Bytes given and not read yet. */
  get unread(): Uint8Array {
    return this.#chunk.subarray(this.#at);
  }

  /** Give the next bytes, after `next` has answered undefined for those before. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /**
   * The body of the next whole frame, empty for a keepalive; undefined when more bytes are needed.
   *
   * A frame inside one chunk shares its memory; one over several chunks has a buffer of its own,
   * which is never used again.
   *
   * @throws {RemoteProtocolError} If the length is longer than 4 bytes or above the limit.
   */
  next(): Uint8Array | undefined {
    if (!this.#inBody && !this.#readLength()) return undefined;
    const end = this.#at + this.#length;
    if (this.#filled === 0 && end <= this.#chunk.length) {
      const frame = this.#chunk.subarray(this.#at, end);
      this.#at = end;
      this.#reset();
      return frame;
    }
    this.#fillBody();
    if (this.#filled < this.#length) return undefined;
    const frame = this.#body;
    this.#reset();
    return frame;
  }

  /** Whether the length is complete. */
  #readLength(): boolean {
    while (this.#at < this.#chunk.length) {
      const byte = this.#chunk[this.#at++];
      this.#length += (byte & 0x7f) << (7 * this.#lengthBytes);
      this.#lengthBytes++;
      if (byte < 0x80) {
        if (this.#length > this.#limit) {
          throw new RemoteProtocolError(
            `Cannot read frame of ${this.#length} bytes, limit is ${this.#limit}`,
          );
        }
        this.#inBody = true;
        return true;
      }
      if (this.#lengthBytes === MAX_LENGTH_BYTES) {
        throw new RemoteProtocolError(
          `Cannot read frame: its length takes more than ${MAX_LENGTH_BYTES} bytes`,
        );
      }
    }
    return false;
  }

  #fillBody(): void {
    const count = Math.min(this.#length - this.#filled, this.#chunk.length - this.#at);
    if (count === 0) return;
    const needed = this.#filled + count;
    if (needed > this.#body.length) {
      const size = Math.max(needed, 2 * this.#body.length, FIRST_BUFFER_BYTES);
      // The last step ends at the exact size, so that the buffer itself is the frame.
      const grown = new Uint8Array(Math.min(size, this.#length));
      grown.set(this.#body.subarray(0, this.#filled));
      this.#body = grown;
    }
    this.#body.set(this.#chunk.subarray(this.#at, this.#at + count), this.#filled);
    this.#at += count;
    this.#filled = needed;
  }

  #reset(): void {
    this.#lengthBytes = 0;
    this.#length = 0;
    this.#inBody = false;
    this.#body = EMPTY_BYTES;
    this.#filled = 0;
  }
}

export interface FrameParts {
  /** The sender's number for the feed, 0 to 255. */
  readonly channel: number;
  /** 0 to 15. */
  readonly type: number;
  /** Shares memory with the frame. */
  readonly payload: Uint8Array;
}

/**
 * Split a frame body into its header and payload.
 *
 * @throws {RemoteProtocolError} If the header does not end inside the frame, or its channel is
 *   above 255.
 */
export function splitFrame(frame: Uint8Array): FrameParts {
  const cursor = { pos: 0 };
  const header = readVarint(frame, cursor, frame.length);
  if (header < 0) {
    throw new RemoteProtocolError(`Cannot read header of a frame of ${frame.length} bytes`);
  }
  const type = header % 16;
  const channel = (header - type) / 16;
  if (channel >= MAX_CHANNELS) {
    throw new RemoteProtocolError(
      `Cannot read frame for channel ${channel}, the last is ${MAX_CHANNELS - 1}`,
    );
  }
  return { channel, type, payload: frame.subarray(cursor.pos) };
}
