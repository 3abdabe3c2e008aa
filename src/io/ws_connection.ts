/**
 * A connection inside of a WebSocket: bytes travel as binary messages whose borders mean nothing.
 *
 * It is written over a plain connection and not with the platform's `WebSocket`, which reads on
 * whether or not anybody takes the messages: here a reader that stops reading stops the remote, as
 * with any other connection. It also goes through a proxy that way.
 */
import { TroveError } from "../base/errors.ts";
import { type Connection, writeAll } from "./connection.ts";
import {
  applyMask,
  CLOSE,
  type Control,
  FrameDecoder,
  MAX_CONTROL_BYTES,
  MAX_HEADER_BYTES,
  OPCODE,
  WebSocketError,
  writeHeader,
} from "./ws_frames.ts";
import { grantWebSocket } from "./ws_handshake.ts";

/**
 * Payload of a frame, in bytes. A slow peer takes a frame of this size within the time after which
 * it would be given up.
 */
const FRAME_BYTES = 16 * 1024;

/** Closing in good order, by the remote or by whatever stands between us. */
const QUIET_CODES: ReadonlySet<number> = new Set([CLOSE.normal, CLOSE.away, CLOSE.none]);

export class WsConnection implements Connection {
  readonly remote: string;
  readonly #inner: Connection;
  readonly #isClient: boolean;
  readonly #decoder: FrameDecoder;
  readonly #opened: Promise<void>;
  /** What came behind the head of the handshake. */
  #early: Uint8Array | undefined;
  /** Frames go out one after the other. */
  #writing: Promise<unknown> = Promise.resolve();
  /** A ping that is not answered yet; of several the last one. Source: RFC 6455, section 5.5.3. */
  #ping: Uint8Array | undefined;
  #sentClose = false;
  /** How the remote ended it. */
  #closeCode: number | undefined;
  /** Frames are made here; it grows when there is something to send. */
  #frame = new Uint8Array(MAX_HEADER_BYTES + MAX_CONTROL_BYTES);

  private constructor(
    inner: Connection,
    options: { remote: string; isClient: boolean; early: Promise<Uint8Array | undefined> },
  ) {
    this.#inner = inner;
    this.remote = options.remote;
    this.#isClient = options.isClient;
    this.#decoder = new FrameDecoder({ masked: !options.isClient });
    this.#opened = options.early.then((early) => {
      this.#early = early;
      if (early === undefined) this.#closeCode = CLOSE.none;
    });
    this.#opened.catch(() => {}); // whoever reads or writes is told
  }

  /** Over a connection on which the server granted it; `early` is what came behind its answer. */
  static asClient(inner: Connection, remote: string, early: Uint8Array): WsConnection {
    return new WsConnection(inner, { remote, isClient: true, early: Promise.resolve(early) });
  }

  /**
   * Over a connection that came in. The request is read in the background; whoever asks for
   * anything but a WebSocket is told so, and ends without having said anything.
   */
  static asServer(inner: Connection): WsConnection {
    const early = grantWebSocket(inner);
    return new WsConnection(inner, { remote: inner.remote, isClient: false, early });
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    await this.#opened;
    while (this.#closeCode === undefined) {
      const count = await this.#readRaw(buffer);
      if (count === null) return null; // killed, or cut: as with any other connection
      const payload = await this.#decode(buffer.subarray(0, count));
      if (payload > 0) return payload;
    }
    await this.#writing; // our own Close
    if (QUIET_CODES.has(this.#closeCode)) return null;
    throw new TroveError(`the peer closed the WebSocket with code ${this.#closeCode}`);
  }

  async #readRaw(buffer: Uint8Array): Promise<number | null> {
    const early = this.#early!;
    if (early.length === 0) return await this.#inner.read(buffer);
    const piece = early.subarray(0, buffer.length);
    buffer.set(piece);
    this.#early = early.subarray(piece.length);
    return piece.length;
  }

  async #decode(chunk: Uint8Array): Promise<number> {
    try {
      return this.#decoder.decode(chunk, (control) => this.#onControl(control));
    } catch (error) {
      if (error instanceof WebSocketError) await this.#sayClose(error.closeCode);
      throw error;
    }
  }

  #onControl(control: Control): void {
    if (control.kind === "ping") {
      const answering = this.#ping !== undefined;
      this.#ping = control.payload;
      if (!answering) this.#inTurn(() => this.#answerPing()).catch(() => {});
      return;
    }
    this.#closeCode = control.code;
    this.#sayClose(control.code === CLOSE.none ? CLOSE.normal : control.code);
  }

  async #answerPing(): Promise<void> {
    const payload = this.#ping;
    this.#ping = undefined;
    if (payload !== undefined && !this.#sentClose) await this.#writeFrame(OPCODE.pong, payload);
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#opened;
    const piece = bytes.subarray(0, FRAME_BYTES);
    await this.#inTurn(async () => {
      if (this.#sentClose) throw new TroveError("the WebSocket is closed");
      await this.#writeFrame(OPCODE.binary, piece);
    });
    return piece.length;
  }

  /** A WebSocket cannot be half open for long: the remote answers a Close as soon as it can. */
  async closeWrite(): Promise<void> {
    await this.#opened;
    await this.#sayClose(CLOSE.normal);
  }

  /** Say Close, once. That nobody hears it is no harm. */
  async #sayClose(code: number): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#sentClose) return;
      this.#sentClose = true;
      await this.#writeFrame(OPCODE.close, Uint8Array.of(code >> 8, code & 0xff));
    }).catch(() => {});
  }

  /** Do something when all frames before it are out. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#writing.then(work);
    this.#writing = turn.catch(() => {});
    return turn;
  }

  async #writeFrame(opcode: number, payload: Uint8Array): Promise<void> {
    const mask = this.#isClient ? crypto.getRandomValues(new Uint8Array(4)) : undefined;
    if (MAX_HEADER_BYTES + payload.length > this.#frame.length) {
      this.#frame = new Uint8Array(MAX_HEADER_BYTES + FRAME_BYTES);
    }
    const frame = this.#frame;
    const start = writeHeader(frame, opcode, payload.length, mask);
    const end = start + payload.length;
    frame.set(payload, start);
    if (mask !== undefined) applyMask(frame.subarray(start, end), mask);
    await writeAll(this.#inner, frame.subarray(0, end));
  }

  close(): void {
    this.#inner.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
