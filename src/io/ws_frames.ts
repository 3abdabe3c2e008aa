/**
 * WebSocket frames, as far as a stream of bytes needs them: binary messages in any number of pieces,
 * whose borders mean nothing, and the three kinds of control frame.
 *
 *     FIN RSV3 opcode4 | mask length7 | 2 or 8 bytes of length | 4 bytes of mask | payload
 *
 * Source: RFC 6455, sections 5 and 7.
 */
import { RemoteProtocolError } from "../base/errors.ts";

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Status codes of a Close frame. Source: RFC 6455, section 7.4.1. */
export const CLOSE = { normal: 1000, away: 1001, protocol: 1002, unsupported: 1003, none: 1005 };

/** Longest payload of a control frame, in bytes. */
export const MAX_CONTROL_BYTES = 125;

/** Header, longest length and mask. */
export const MAX_HEADER_BYTES = 14;

/** A breach of the framing, with the code to end the connection with. */
export class WebSocketError extends RemoteProtocolError {
  constructor(message: string, readonly closeCode: number = CLOSE.protocol) {
    super(message);
  }
}

/** What came besides payload. The bytes are a copy. */
export type Control =
  | { readonly kind: "ping"; readonly payload: Uint8Array }
  /** The remote ends the connection; nothing after this counts. */
  | { readonly kind: "close"; readonly code: number };

/**
 * Write the header of a frame.
 *
 * @param mask The four bytes that the payload is masked with, which clients must and servers must
 * not have.
 * @returns How many bytes it takes.
 */
export function writeHeader(
  into: Uint8Array,
  opcode: number,
  length: number,
  mask?: Uint8Array,
): number {
  const masked = mask === undefined ? 0 : 0x80;
  into[0] = 0x80 | opcode;
  let at = 2;
  if (length < 126) {
    into[1] = masked | length;
  } else if (length < 65536) {
    into[1] = masked | 126;
    into[at++] = length >> 8;
    into[at++] = length & 0xff;
  } else {
    into[1] = masked | 127;
    new DataView(into.buffer, into.byteOffset).setBigUint64(at, BigInt(length));
    at += 8;
  }
  if (mask !== undefined) {
    into.set(mask, at);
    at += 4;
  }
  return at;
}

/** XOR with the mask, beginning `offset` bytes into the payload. */
export function applyMask(bytes: Uint8Array, mask: Uint8Array, offset = 0): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] ^= mask[(offset + i) & 3];
}

/** Takes payload out of frames, wherever these were cut. It keeps no payload and no chunk. */
export class FrameDecoder {
  /** Whether frames must be masked: those of clients are, those of servers are not. */
  readonly #masked: boolean;
  readonly #header = new Uint8Array(MAX_HEADER_BYTES);
  #headerBytes = 0;
  #inPayload = false;
  #opcode = 0;
  /** Payload bytes of the frame that are still to come, and how many came. */
  #left = 0;
  #done = 0;
  readonly #mask = new Uint8Array(4);
  readonly #control = new Uint8Array(MAX_CONTROL_BYTES);
  /** A message has begun and its last frame has not. */
  #inMessage = false;
  #closed = false;

  constructor(options: { masked: boolean }) {
    this.#masked = options.masked;
  }

  /**
   * Move the payload bytes of `chunk` to its start, unmasked, and answer how many there are. What
   * comes after a Close is left out.
   *
   * @throws {WebSocketError} If the frames break the rules.
   */
  decode(chunk: Uint8Array, onControl: (control: Control) => void): number {
    let count = 0;
    for (let at = 0; at < chunk.length && !this.#closed;) {
      if (!this.#inPayload) {
        this.#takeHeader(chunk[at++], onControl);
        continue;
      }
      const piece = chunk.subarray(at, at + this.#left);
      at += piece.length;
      if (this.#masked) applyMask(piece, this.#mask, this.#done);
      if (this.#opcode >= OPCODE.close) {
        this.#control.set(piece, this.#done);
      } else {
        chunk.copyWithin(count, at - piece.length, at);
        count += piece.length;
      }
      this.#done += piece.length;
      this.#left -= piece.length;
      if (this.#left === 0) this.#endFrame(onControl);
    }
    return count;
  }

  #takeHeader(byte: number, onControl: (control: Control) => void): void {
    this.#header[this.#headerBytes++] = byte;
    if (this.#headerBytes === 1) return this.#checkFirst(byte);
    if (this.#headerBytes === 2 && (byte >= 0x80) !== this.#masked) {
      throw new WebSocketError(
        this.#masked ? "Cannot accept a frame that is not masked" : "Cannot accept a masked frame",
      );
    }
    const short = this.#header[1] & 0x7f;
    const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
    if (this.#headerBytes < 2 + lengthBytes + (this.#masked ? 4 : 0)) return;
    this.#left = this.#readLength(short);
    if (this.#opcode >= OPCODE.close && this.#left > MAX_CONTROL_BYTES) {
      throw new WebSocketError(`Cannot accept a control frame of ${this.#left} bytes`);
    }
    if (this.#masked) this.#mask.set(this.#header.subarray(2 + lengthBytes, 6 + lengthBytes));
    this.#headerBytes = 0;
    this.#done = 0;
    this.#inPayload = true;
    if (this.#left === 0) this.#endFrame(onControl);
  }

  #readLength(short: number): number {
    if (short < 126) return short;
    const view = new DataView(this.#header.buffer);
    if (short === 126) return view.getUint16(2);
    const length = view.getBigUint64(2);
    // Nothing is reserved for it, but it has to be a number that can be counted down.
    if (length <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(length);
    throw new WebSocketError(`Cannot accept a frame of ${length} bytes`);
  }

  #checkFirst(byte: number): void {
    const opcode = byte & 0x0f;
    const final = byte >= 0x80;
    if ((byte & 0x70) !== 0) {
      throw new WebSocketError("Cannot accept a frame of an extension that was not agreed on");
    }
    switch (opcode) {
      case OPCODE.text:
        throw new WebSocketError("Cannot accept text, only binary messages", CLOSE.unsupported);
      case OPCODE.binary:
      case OPCODE.continuation:
        if ((opcode === OPCODE.continuation) !== this.#inMessage) {
          throw new WebSocketError("Cannot accept a message that begins inside of another one");
        }
        this.#inMessage = !final;
        break;
      case OPCODE.close:
      case OPCODE.ping:
      case OPCODE.pong:
        if (!final) throw new WebSocketError("Cannot accept a control frame in pieces");
        break;
      default:
        throw new WebSocketError(`Cannot accept a frame with opcode ${opcode}`);
    }
    this.#opcode = opcode;
  }

  #endFrame(onControl: (control: Control) => void): void {
    this.#inPayload = false;
    if (this.#opcode !== OPCODE.ping && this.#opcode !== OPCODE.close) return;
    const payload = this.#control.slice(0, this.#done);
    if (this.#opcode === OPCODE.ping) return onControl({ kind: "ping", payload });
    if (payload.length === 1) throw new WebSocketError("Cannot accept a Close of one byte");
    this.#closed = true;
    const code = payload.length === 0 ? CLOSE.none : payload[0] << 8 | payload[1];
    onControl({ kind: "close", code });
  }
}
