/**
 * One live connection: a task that reads whole messages into the shared inbound channel, and one
 * that writes what the outbox holds. It knows no protocol; `core/wire/session.ts` does.
 */
import { LocalProtocolError, RemoteProtocolError, TroveError } from "../base/errors.ts";
import type { Outgoing, Received, Session } from "../core/wire/session.ts";
import type { Input, PeerId, QuietEnd } from "../core/sync/inputs.ts";
import type { Message } from "../core/wire/messages.ts";
import { cryptoBackend } from "../crypto/backend.ts";
import { ROOM_BYTES } from "../crypto/rooms.ts";
import type { Sender } from "../csp/channel.ts";
import type { Connection } from "./connection.ts";
import { delay } from "./pause.ts";

/** What links put into the inbound channel. */
export type Inbound =
  | Extract<Input, { kind: "linked" | "flushed" | "unlinked" | "unreachable" }>
  /** The whole messages of one piece of the stream, or some of them where there are very many. */
  | {
    kind: "received";
    peer: PeerId;
    messages: readonly Received[];
    partialBytes: number;
    /** Call it when nothing uses the messages' bytes any more. */
    release: () => void;
  };

/**
 * Bytes asked of the connection at once: little of strangers and of peers that say little, more and
 * more of one that fills what it is given, up to what is deciphered and hashed where it lies. Each
 * piece costs a commit and more, as much as two blocks of it.
 */
const FIRST_READ_BYTES = 512;
const MAX_READ_BYTES = ROOM_BYTES;

/** Pieces with more messages than this are read in small buffers: a flood must not fill memory. */
const MANY_MESSAGES = 1024;
const FLOOD_READ_BYTES = 64 * 1024;

/**
 * Messages handed over at once, if they are no answers to what we asked for: a piece of a flood has
 * thousands, which take tens of milliseconds. Nobody honest has so much to say; whoever does waits
 * between two parts of it, and other peers have their turn. 25,000 a second are let in.
 */
const TURN_MESSAGES = 256;
const FLOOD_PAUSE_MS = 10;

/** Who says no more than this at once has done with its blocks: it need not keep a large buffer. */
const LITTLE_BYTES = 4 * 1024;

/** Frames a second without any meaning that are put up with. Source: spec of limits, section 2. */
const MAX_EMPTY_FRAMES = 1000;

/** Buffers for reading that are kept: one to fill while others are worked on. */
const FREE_READ_BUFFERS = 2;

/** Bytes gathered into one write. */
const WRITE_BYTES = 256 * 1024;

/** Pieces without a whole message are told this often, so that a trickle costs nothing. */
const PARTIAL_NEWS_MS = 500;

export class PeerLink {
  readonly peer: PeerId;
  readonly #conn: Connection;
  readonly #session: Session;
  readonly #inbound: Sender<Inbound>;
  readonly #onEncoded: (message: Message) => void;
  readonly #outbox: { outgoing: Outgoing; bytes: number }[] = [];
  #wake: () => void = () => {};
  #ending = false;
  #closed = false;

  constructor(
    peer: PeerId,
    options: {
      conn: Connection;
      session: Session;
      inbound: Sender<Inbound>;
      /** Told of each message once its bytes are on their way: whatever it holds is free again. */
      onEncoded: (message: Message) => void;
    },
  ) {
    this.peer = peer;
    this.#conn = options.conn;
    this.#session = options.session;
    this.#inbound = options.inbound;
    this.#onEncoded = options.onEncoded;
  }

  /** Run both tasks until the connection is gone, then say so in the inbound channel. */
  async run(): Promise<void> {
    let failure: unknown;
    const writing = this.#write().catch((error) => {
      failure = error;
      this.abort();
    });
    const end = await this.#read();
    this.abort();
    await writing;
    const reason = end !== "closed" || failure === undefined ? end : linkError(failure);
    await this.#inbound.send({ kind: "unlinked", peer: this.peer, reason });
    if (failure instanceof LocalProtocolError) throw failure; // a bug of ours: let it surface
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
    this.#conn.close();
    this.#wake();
  }

  async #read(): Promise<TroveError | QuietEnd> {
    let toldAt = 0;
    const beganAt = performance.now();
    try {
      const socket = new SocketReader(this.#conn);
      for (;;) {
        const chunk = await socket.read();
        if (chunk === undefined) break;
        const messages = this.#session.receive(chunk);
        const { partialBytes } = this.#session;
        const now = performance.now();
        checkFlood(this.#session, now - beganAt);
        // A stranger gets no more room, however much it says.
        if (this.#session.phase === "open") socket.adapt(chunk, messages.length);
        if (messages.length === 0 && now - toldAt < PARTIAL_NEWS_MS) {
          socket.release(chunk);
          continue;
        }
        toldAt = now;
        const release = () => socket.release(chunk);
        await this.#handOver(messages, partialBytes, release);
      }
      endSession(this.#session);
      return "closed";
    } catch (error) {
      return this.#closed && !(error instanceof TroveError) ? "closed" : linkError(error);
    }
  }

  /** Waiting here is the back-pressure: the socket is not read, and TCP tells the remote. */
  async #handOver(
    messages: readonly Received[],
    partialBytes: number,
    release: () => void,
  ): Promise<void> {
    const { peer } = this;
    const kind = "received";
    let at = 0;
    for (; isFlood(messages, at); at += TURN_MESSAGES) {
      const part = messages.slice(at, at + TURN_MESSAGES);
      await this.#inbound.send({ kind, peer, messages: part, partialBytes, release() {} });
      await delay(FLOOD_PAUSE_MS);
      if (this.#closed) at = messages.length; // nobody waits for the rest; the buffer is given back
    }
    await this.#inbound.send({ kind, peer, messages: messages.slice(at), partialBytes, release });
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
      for (const { outgoing } of batch) {
        if (outgoing !== "keepalive") this.#onEncoded(outgoing.message);
      }
      while (rest.length > 0) {
        rest = rest.subarray(await this.#conn.write(rest));
        // A slow peer that takes a little of a large batch is not one that takes nothing.
        if (rest.length > 0) await this.#inbound.send({ kind: "flushed", peer, bytes: 0 });
      }
      await this.#inbound.send({ kind: "flushed", peer, bytes });
    }
  }
}

/** Reads a connection into buffers that are used again. */
class SocketReader {
  readonly #conn: Connection;
  #size = FIRST_READ_BYTES;
  readonly #free: ArrayBuffer[] = [];

  constructor(conn: Connection) {
    this.#conn = conn;
  }

  /** Wait for more. Undefined when the remote has ended its side. */
  async read(): Promise<Uint8Array | undefined> {
    const piece = this.#take();
    let count: number | null = null;
    try {
      count = await this.#conn.read(piece);
    } finally {
      if (count === null) cryptoBackend().rooms?.give(piece);
    }
    return count === null ? undefined : piece.subarray(0, count);
  }

  /** Choose the size of the reads to come by what the last one brought. */
  adapt(chunk: Uint8Array, messages: number): void {
    if (messages > MANY_MESSAGES) this.#size = FLOOD_READ_BYTES;
    else if (chunk.length === this.#size && this.#size < MAX_READ_BYTES) this.#size *= 2;
    else if (chunk.length <= LITTLE_BYTES) this.#size = Math.min(this.#size, FLOOD_READ_BYTES);
  }

  /** Nothing uses the bytes of this chunk any more. */
  release(chunk: Uint8Array): void {
    if (cryptoBackend().rooms?.give(chunk)) return;
    const buffer = chunk.buffer as ArrayBuffer;
    // Those from before the size grew are let go.
    if (buffer.byteLength !== this.#size || this.#free.length >= FREE_READ_BUFFERS) return;
    this.#free.push(buffer);
  }

  #take(): Uint8Array {
    const room = this.#size === ROOM_BYTES ? cryptoBackend().rooms?.take() : undefined;
    if (room !== undefined) return room;
    let buffer = this.#free.pop();
    if (buffer?.byteLength !== this.#size) buffer = new ArrayBuffer(this.#size);
    return new Uint8Array(buffer);
  }
}

/** Whether what is left is more than one part, and most of the next one is no answer. */
function isFlood(messages: readonly Received[], from: number): boolean {
  if (messages.length - from <= TURN_MESSAGES) return false;
  const next = messages.slice(from, from + TURN_MESSAGES);
  return 2 * next.filter(({ message }) => message.type === "data").length < TURN_MESSAGES;
}

/** The remote's bytes have ended. @throws {RemoteProtocolError} If that was inside a frame. */
function endSession(session: Session): void {
  const { partialBytes } = session;
  if (!session.end()) return;
  // A connection that was cut is nobody's breach: the peer is dialled again.
  throw new TroveError(
    `Cannot read the last frame: the stream ended ${partialBytes} bytes into it`,
  );
}

/** @throws {RemoteProtocolError} If the remote sends little but frames that say nothing. */
function checkFlood(session: Session, ms: number): void {
  const empty = session.keepalivesReceived + session.ignoredReceived;
  if (empty <= MAX_EMPTY_FRAMES * (1 + ms / 1000)) return;
  throw new RemoteProtocolError(`Cannot read on: ${empty} empty frames in ${Math.ceil(ms)} ms`);
}

function linkError(error: unknown): TroveError {
  if (error instanceof TroveError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new TroveError(`Cannot keep the connection: ${text}`, { cause: error });
}
