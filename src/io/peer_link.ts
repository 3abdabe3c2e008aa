/**
 * One live connection: a task that reads whole messages into the shared inbound channel, and one
 * that writes what the outbox holds. It knows no protocol; `core/wire/session.ts` does.
 */
import { LocalProtocolError, TroveError } from "../base/errors.ts";
import type { Outgoing, Session } from "../core/wire/session.ts";
import type { Input, PeerId, QuietEnd } from "../core/sync/inputs.ts";
import type { Received } from "../core/wire/session.ts";
import type { Sender } from "../csp/channel.ts";
import { sessionStream } from "./session_stream.ts";

/** What links put into the inbound channel. */
export type Inbound =
  | Extract<Input, { kind: "linked" | "flushed" | "unlinked" | "unreachable" }>
  /** The whole messages of one piece of the stream. */
  | {
    kind: "received";
    peer: PeerId;
    messages: readonly Received[];
    partialBytes: number;
  };

/** Bytes asked of the socket at once: a few blocks, so that a read is not mostly overhead. */
const READ_BYTES = 256 * 1024;

/** Bytes gathered into one write. */
const WRITE_BYTES = 256 * 1024;

/** Pieces without a whole message are told this often, so that a trickle costs nothing. */
const PARTIAL_NEWS_MS = 500;

export class PeerLink {
  readonly peer: PeerId;
  readonly #conn: Deno.Conn;
  readonly #session: Session;
  readonly #inbound: Sender<Inbound>;
  readonly #outbox: { outgoing: Outgoing; bytes: number }[] = [];
  #wake: () => void = () => {};
  #ending = false;
  #closed = false;

  constructor(
    peer: PeerId,
    options: { conn: Deno.Conn; session: Session; inbound: Sender<Inbound> },
  ) {
    this.peer = peer;
    this.#conn = options.conn;
    this.#session = options.session;
    this.#inbound = options.inbound;
  }

  /** Run both tasks until the connection is gone, then say so in the inbound channel. */
  async run(): Promise<void> {
    let failure: TroveError | undefined;
    const writing = this.#write().catch((error) => {
      failure = linkError(error);
      this.abort();
    });
    const end = await this.#read();
    this.abort();
    await writing;
    const reason = end === "closed" ? failure ?? end : end;
    await this.#inbound.send({ kind: "unlinked", peer: this.peer, reason });
  }

  /** Queue something; the core keeps the queue bounded. `bytes` comes back as `flushed`. */
  send(outgoing: Outgoing, bytes: number): void {
    if (this.#ending) return;
    this.#outbox.push({ outgoing, bytes });
    this.#wake();
  }

  /** Send what is queued, end our side, and wait for the remote to end its own. */
  finish(): void {
    this.#ending = true;
    this.#wake();
  }

  /** Drop the connection at once. */
  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ending = true;
    try {
      this.#conn.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
    this.#wake();
  }

  async #read(): Promise<TroveError | QuietEnd> {
    const { peer } = this;
    let toldAt = 0;
    try {
      const batches = socketStream(this.#conn).pipeThrough(sessionStream(this.#session));
      for await (const { messages, partialBytes } of batches) {
        const now = performance.now();
        if (messages.length === 0 && now - toldAt < PARTIAL_NEWS_MS) continue;
        toldAt = now;
        // Waiting here is the back-pressure: the socket is not read, and TCP tells the remote.
        await this.#inbound.send({ kind: "received", peer, messages, partialBytes });
      }
      return "closed";
    } catch (error) {
      return this.#closed && !(error instanceof TroveError) ? "closed" : linkError(error);
    }
  }

  async #write(): Promise<void> {
    const { peer } = this;
    while (!this.#closed) {
      if (this.#outbox.length === 0) {
        if (this.#ending) return await this.#conn.closeWrite();
        await new Promise<void>((resolve) => this.#wake = resolve);
        continue;
      }
      let bytes = 0;
      let count = 0;
      while (count < this.#outbox.length && bytes < WRITE_BYTES) {
        bytes += this.#outbox[count++].bytes;
      }
      const batch = this.#outbox.splice(0, count);
      // The remote broke the protocol or left while we waited; the reader says so.
      if (this.#session.phase === "closed") return;
      let rest = this.#session.encode(batch.map(({ outgoing }) => outgoing));
      while (rest.length > 0) rest = rest.subarray(await this.#conn.write(rest));
      await this.#inbound.send({ kind: "flushed", peer, bytes });
    }
  }
}

/** The socket as a stream that reads only when asked, in large pieces. */
function socketStream(conn: Deno.Conn): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = new Uint8Array(READ_BYTES);
      const count = await conn.read(piece);
      if (count === null) controller.close();
      else controller.enqueue(piece.subarray(0, count));
    },
  }, { highWaterMark: 0 });
}

function linkError(error: unknown): TroveError {
  if (error instanceof LocalProtocolError) throw error; // a bug of ours: let it surface
  if (error instanceof TroveError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new TroveError(`Cannot keep the connection: ${text}`, { cause: error });
}
