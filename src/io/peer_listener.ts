/** Connections that come in, from all the places where we listen. */
import type { Connection } from "./connection.ts";
import { delay } from "./pause.ts";

/** After a connection that could not be accepted, for example because there are too many files. */
const ACCEPT_PAUSE_MS = 100;

/** Where peers can connect. Of a Unix socket `hostname` is `unix:PATH` and the port 0. */
export interface ListenAddress {
  readonly transport: "tcp" | "ws" | "unix";
  readonly hostname: string;
  readonly port: number;
}

/** One place. */
export interface ConnectionSource {
  readonly addr: ListenAddress;
  /** The next connection; undefined if it was gone before we had it. */
  accept(): Promise<Connection | undefined>;
  close(): void;
}

export class PeerListener implements Disposable {
  readonly #sources: readonly ConnectionSource[];
  #closed = false;

  /** Owns the sources from here on. */
  constructor(sources: readonly ConnectionSource[]) {
    this.#sources = sources;
  }

  /** Where it listens, the main place first. */
  get addrs(): readonly ListenAddress[] {
    return this.#sources.map(({ addr }) => addr);
  }

  /** The main place. */
  get addr(): ListenAddress {
    return this.#sources[0].addr;
  }

  /**
   * Accept until `close`, whatever goes wrong meanwhile.
   *
   * @param welcome Takes the connection over; it must close it where it is one too many.
   */
  async serve(welcome: (connection: Connection) => void): Promise<void> {
    await Promise.all(this.#sources.map((source) => this.#serve(source, welcome)));
  }

  async #serve(
    source: ConnectionSource,
    welcome: (connection: Connection) => void,
  ): Promise<void> {
    while (!this.#closed) {
      let connection: Connection | undefined;
      try {
        connection = await source.accept();
      } catch {
        // Closing the source is how this ends; all else may pass.
        if (!this.#closed) await delay(ACCEPT_PAUSE_MS);
        continue;
      }
      if (connection === undefined) continue;
      if (this.#closed) connection.close();
      else welcome(connection);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const source of this.#sources) source.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
