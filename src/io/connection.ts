/** What a link runs over: two ordered streams of bytes, whatever carries them. */

export interface Connection extends Disposable {
  /**
   * Who is at the other end: what was dialled, or for one that came in `host:port`, whatever it
   * carries, so that it can be seen which machine it is from; `unix:PATH` and `stdio` have none.
   */
  readonly remote: string;
  /**
   * Wait for bytes and put them at the start of `buffer`. Answers how many, or null when the remote
   * has ended its side. Back-pressure is not to call this.
   *
   * @throws {RemoteProtocolError} If the remote breaks the rules of the transport.
   */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Hand over the first bytes of these, at least one. Answers how many; `bytes` is free again. */
  write(bytes: Uint8Array): Promise<number>;
  /** End our side once what was written is out. The remote may go on. */
  closeWrite(): Promise<void>;
  /** Drop everything. What waits in `read` or `write` fails. A second time does nothing. */
  close(): void;
}

/** A connection of the system's: TCP, a Unix socket, or TLS. */
export class SocketConnection implements Connection {
  readonly remote: string;
  readonly #conn: Deno.Conn;

  constructor(conn: Deno.Conn, remote: string) {
    this.#conn = conn;
    this.remote = remote;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#conn.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    try {
      this.#conn.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Write all of `bytes`. */
export async function writeAll(
  connection: Pick<Connection, "write">,
  bytes: Uint8Array,
): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
}
