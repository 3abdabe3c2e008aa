/**
 * A capture: the bytes that one side of a connection sent, from its first byte on. Every frame is
 * decrypted and decoded as far as it goes. Source: spec of the wire, sections 3 to 7.
 */
import { equalBytes, toHex } from "../base/bytes.ts";
import { NotFoundError, RemoteProtocolError, UsageError } from "../base/errors.ts";
import { varintSize } from "../base/varint.ts";
import { decodeMessage } from "../core/wire/decode.ts";
import { MESSAGE_TYPES } from "../core/wire/fields.ts";
import {
  FrameReader,
  MAX_FIRST_FRAME_BYTES,
  MAX_FRAME_BYTES,
  splitFrame,
} from "../core/wire/frame.ts";
import { decodeHaveRuns } from "../core/wire/have_bitfield.ts";
import type { Message } from "../core/wire/messages.ts";
import { discoveryKey } from "../crypto/hash.ts";
import { type Keystream, NONCE_BYTES, openKeystream } from "../crypto/keystream.ts";
import { lookAt } from "../io/folder.ts";
import { openFile } from "../io/random_access.ts";

/** How much of the file is in memory at once; a frame can be larger. */
const PIECE_BYTES = 256 * 1024;

/** Bits of a bitfield that are looked at: as many as the largest Have tells of. */
const MAX_BITS = 1024 * 1024;

const NO_BEGINNING = "it does not begin with a Feed, as the first byte of a connection does";

/** A frame of a capture. */
export interface CapturedFrame {
  /** Counted from 0. */
  readonly frame: number;
  /** Where it begins in the file, and its bytes with the length in front. */
  readonly offset: number;
  readonly bytes: number;
  /** Absent for a keepalive. */
  readonly channel?: number;
  /** The number on the wire, and what it stands for if it is assigned. */
  readonly type?: number;
  readonly name?: string;
  readonly message?: Message;
  /** Of a Have with a bitfield: the blocks that it says are there, as [first, end). */
  readonly bitfieldRuns?: readonly (readonly [number, number])[];
  /** Of an Extension: its name, from the list in the sender's Handshake. */
  readonly extension?: string;
  /** Why the message cannot be decoded. */
  readonly problem?: string;
}

/** What is left where a capture cannot be followed any further. */
export interface CaptureEnd {
  readonly offset: number;
  /** Bytes that are not shown. */
  readonly left: number;
  /** Why; absent where it is encrypted and no key was given. */
  readonly problem?: string;
}

/**
 * Read a capture frame by frame.
 *
 * @param publicKey Of the feed that opened the connection; without it only the first frame, which
 * is in the clear, can be read.
 * @throws {NotFoundError} If there is no such file.
 * @throws {UsageError} If the capture is of another feed.
 */
export function* readCapture(
  path: string,
  publicKey?: Uint8Array,
): Generator<CapturedFrame | CaptureEnd, void, void> {
  const info = lookAt(path);
  if (info === undefined || info.isDirectory) {
    throw new NotFoundError(`Cannot read the capture "${path}": there is no such file`);
  }
  using opened = new DisposableStack();
  const file = openFile(path, { access: "read" });
  opened.defer(() => file.close());
  const size = file.size();
  const reader = new FrameReader(MAX_FIRST_FRAME_BYTES);
  let keystream: Keystream | undefined;
  let offset = 0;
  let frame = 0;
  let extensions: readonly string[] = [];
  const end = (problem?: string) => ({ offset, left: size - offset, problem });
  try {
    for (let at = 0; at < size;) {
      // A new buffer each time: what the frames hold lies in it.
      const piece = new Uint8Array(Math.min(PIECE_BYTES, size - at));
      const found = piece.subarray(0, file.readInto(piece, at));
      if (found.length === 0) break;
      at += found.length;
      keystream?.apply(found);
      reader.push(found);
      for (let body = reader.next(); body !== undefined; body = reader.next()) {
        const bytes = varintSize(body.length) + body.length;
        const read = readBody(body);
        if (read.message?.type === "handshake") extensions = read.message.extensions;
        const extension = read.message?.type === "extension"
          ? extensions[read.message.id]
          : undefined;
        yield { frame, offset, bytes, ...read, ...(extension !== undefined && { extension }) };
        offset += bytes;
        if (frame++ > 0) continue;
        const nonce = nonceOf(read.message, publicKey);
        reader.limit = MAX_FRAME_BYTES;
        if (nonce === undefined) continue; // a connection without encryption
        if (publicKey === undefined) {
          if (offset < size) yield end();
          return;
        }
        keystream = openKeystream(publicKey, nonce);
        keystream.apply(reader.unread);
      }
    }
  } catch (error) {
    if (!(error instanceof RemoteProtocolError)) throw error;
    return yield end(frame === 0 ? NO_BEGINNING : error.message);
  }
  if (offset < size) yield end("the capture ends inside of a frame");
}

function readBody(body: Uint8Array): Omit<CapturedFrame, "frame" | "offset" | "bytes"> {
  if (body.length === 0) return { name: "keepalive" };
  const { channel, type, payload } = splitFrame(body);
  const name = MESSAGE_TYPES[type];
  const base = { channel, type, ...(name !== undefined && { name }) };
  try {
    const message = decodeMessage(type, payload);
    if (message === undefined) return { ...base, problem: `type ${type} is not assigned` };
    return { ...base, message, ...runsOf(message) };
  } catch (error) {
    if (!(error instanceof RemoteProtocolError)) throw error;
    return { ...base, problem: error.message };
  }
}

function runsOf(message: Message): Pick<CapturedFrame, "bitfieldRuns" | "problem"> {
  if (message.type !== "have" || message.bitfield === undefined) return {};
  const { start, length, bitfield } = message;
  try {
    const runs = decodeHaveRuns(bitfield, { maxBits: length > 1 ? length : MAX_BITS });
    return {
      bitfieldRuns: [...runs].map((run): [number, number] => [start + run.start, start + run.end]),
    };
  } catch (error) {
    if (!(error instanceof RemoteProtocolError)) throw error;
    return { problem: error.message };
  }
}

/** The nonce that the first frame of a direction brings, if it is encrypted from there on. */
function nonceOf(
  first: Message | undefined,
  publicKey: Uint8Array | undefined,
): Uint8Array | undefined {
  if (first?.type !== "feed") {
    throw new RemoteProtocolError(NO_BEGINNING);
  }
  const { discoveryKey: captured, nonce } = first;
  if (publicKey !== undefined && !equalBytes(captured, discoveryKey(publicKey))) {
    throw new UsageError(
      `Cannot decrypt the capture with this link: it is of the feed with discovery key ` +
        toHex(captured),
    );
  }
  return nonce?.length === NONCE_BYTES ? nonce.slice() : undefined;
}
