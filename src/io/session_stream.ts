/** The inbound half of a session as a stream: what `conn.readable` is piped through. */
import { TroveError } from "../base/errors.ts";
import type { Received, Session } from "../core/wire/session.ts";

/** What one chunk brought. */
export interface Batch {
  /** The messages it completed, often none. */
  readonly messages: readonly Received[];
  /** The chunk itself: values of the messages share memory with it. */
  readonly chunk: Uint8Array;
  /** How many bytes of an unfinished frame have come, this chunk included. */
  readonly partialBytes: number;
}

/**
 * Turns chunks from the socket into batches, one for one, so that the reader hears of bytes that
 * complete nothing. Chunks are changed in place.
 *
 * The readable side fails with `RemoteProtocolError` when the peer breaks the protocol, and with a
 * plain `TroveError` when its bytes end inside a frame.
 */
export function sessionStream(session: Session): TransformStream<Uint8Array, Batch> {
  return new TransformStream({
    transform(chunk, controller) {
      const messages = session.receive(chunk);
      controller.enqueue({ messages, chunk, partialBytes: session.partialBytes });
    },
    flush() {
      const partialBytes = session.partialBytes;
      if (session.end()) {
        // A connection that was cut is nobody's breach: the peer is dialled again.
        throw new TroveError(
          `Cannot read the last frame: the stream ended ${partialBytes} bytes into it`,
        );
      }
    },
  });
}
