/** Answering HTTP requests. What is answered is up to others. */
import { UsageError } from "../base/errors.ts";
import { formatAddress } from "./peer_address.ts";

export interface HttpListenOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** The port was asked for: when it is taken that is an error, not a reason to take another. */
  readonly exact: boolean;
  /** What to choose another port with, for the hint. */
  readonly option: string;
}

/** Called with every request; must not throw. */
export type HttpHandler = (request: Request) => Promise<Response>;

export class HttpListener implements AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #abort: AbortController;

  constructor(server: Deno.HttpServer<Deno.NetAddr>, abort: AbortController) {
    this.#server = server;
    this.#abort = abort;
    this.host = server.addr.hostname;
    this.port = server.addr.port;
  }

  /** Where a browser goes. */
  get url(): string {
    const host = this.host === "0.0.0.0" || this.host === "::" ? "localhost" : this.host;
    return `http://${formatAddress({ host, port: this.port })}/`;
  }

  /** Takes no more requests and cuts those that are being answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#server.finished;
  }
}

/** @throws {UsageError} If the port is taken and was asked for, or the host is not ours. */
export function listenHttp(options: HttpListenOptions, handler: HttpHandler): HttpListener {
  const { host: hostname, exact, option } = options;
  const listen = (port: number) => {
    const abort = new AbortController();
    const { signal } = abort;
    const onListen = () => {};
    const server = Deno.serve({ hostname, port, signal, onListen }, handler);
    return new HttpListener(server, abort);
  };
  try {
    return listen(options.port);
  } catch (error) {
    const at = formatAddress({ host: hostname, port: options.port });
    if (error instanceof Deno.errors.AddrInUse) {
      if (!exact) return listen(0);
      throw new UsageError(`Cannot serve HTTP on ${at}: the port is taken`, {
        cause: error,
        hint: `choose another one with ${option}, or 0 for any free one`,
      });
    }
    const text = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot serve HTTP on ${at}: ${text}`, { cause: error });
  }
}
