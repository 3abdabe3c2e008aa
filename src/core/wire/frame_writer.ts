/** Messages to frames, many at a time, in one buffer that is used again. */
import { Writer } from "protobufjs/minimal";
import { LocalProtocolError } from "../../base/errors.ts";
import { varintSize } from "../../base/varint.ts";
import { encodedSize, messageNumber, writeMessage } from "./encode.ts";
import { MAX_CHANNELS, MAX_FRAME_BYTES } from "./frame.ts";
import type { Message } from "./messages.ts";

/** What goes into one frame. `channel` is our own number for the feed; a keepalive has none. */
export type Outgoing = { readonly channel: number; readonly message: Message } | "keepalive";

/** A buffer up to this size is kept for ever; a larger one only while it is needed. */
const KEPT_BYTES = 1024 * 1024;

/** So many small batches in a row show that the large buffer is not needed any more. */
const SMALL_BATCHES = 64;

/** protobufjs makes room for the longest form of a number before it writes a short one. */
const SLACK_BYTES = 16;

export class FrameWriter {
  readonly #writer = new Writer();
  /** Body size of each frame of the batch at hand, in bytes. */
  readonly #bodySizes: number[] = [];
  #smallBatches = 0;

  /** Size of the buffer held, in bytes. */
  get capacity(): number {
    return this.#writer.buf.length;
  }

  /**
   * All frames in order, unencrypted. The result is a view of the internal buffer: it may be
   * changed in place, and is valid until the next call.
   *
   * @throws {LocalProtocolError} If a message cannot be put on the wire.
   */
  encode(outgoing: readonly Outgoing[]): Uint8Array {
    const writer = this.#writer;
    this.#makeRoom(this.#measure(outgoing));
    writer.reset();
    for (let i = 0; i < outgoing.length; i++) {
      const item = outgoing[i];
      writer.uint32(this.#bodySizes[i]);
      if (item === "keepalive") continue;
      writer.uint32(item.channel * 16 + messageNumber(item.message));
      writeMessage(writer, item.message);
    }
    return writer.finish(true);
  }

  /** Fill `#bodySizes`; returns the size of all frames together, in bytes. */
  #measure(outgoing: readonly Outgoing[]): number {
    let total = 0;
    this.#bodySizes.length = 0;
    for (const item of outgoing) {
      const size = bodySize(item);
      this.#bodySizes.push(size);
      total += varintSize(size) + size;
    }
    return total;
  }

  #makeRoom(bytes: number): void {
    const needed = bytes + SLACK_BYTES;
    if (needed <= KEPT_BYTES && this.capacity > KEPT_BYTES) this.#smallBatches++;
    else this.#smallBatches = 0;

    if (needed > this.capacity) {
      this.#replaceBuffer(Math.max(needed, Math.min(2 * this.capacity, KEPT_BYTES)));
    } else if (this.#smallBatches === SMALL_BATCHES) {
      this.#replaceBuffer(KEPT_BYTES);
    }
  }

  #replaceBuffer(bytes: number): void {
    this.#smallBatches = 0;
    this.#writer.buf = new Uint8Array(bytes);
    this.#writer.view = null;
  }
}

/**
 * Size of the whole frame, in bytes.
 *
 * @throws {LocalProtocolError} If the message cannot be put on the wire.
 */
export function frameSize(item: Outgoing): number {
  const size = bodySize(item);
  return varintSize(size) + size;
}

/** What the frame's length will say. */
function bodySize(item: Outgoing): number {
  if (item === "keepalive") return 0;
  const { channel, message } = item;
  if (!Number.isInteger(channel) || channel < 0 || channel >= MAX_CHANNELS) {
    throw new LocalProtocolError(`Cannot send on channel ${channel}, the last is 255`);
  }
  const size = varintSize(channel * 16) + encodedSize(message);
  if (size > MAX_FRAME_BYTES) {
    throw new LocalProtocolError(
      `Cannot send ${message.type} of ${size} bytes, limit is ${MAX_FRAME_BYTES}`,
    );
  }
  return size;
}
