/** Dialling and listening over TCP. */
import { UsageError } from "../base/errors.ts";
import { type Connection, SocketConnection } from "./connection.ts";
import { ANY_HOST, formatAddress, type HostPort } from "./peer_address.ts";
import type { ConnectionSource } from "./peer_listener.ts";

/** How a listening port is chosen. */
export interface TcpListenOptions {
  /** An address of ours; `::` stands for all of both families. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** The port was asked for: when it is taken that is an error, not a reason to take another. */
  readonly exact: boolean;
  /** What to choose another port with, for the hint. */
  readonly option: string;
}

/** Open a TCP connection. The signal has not been aborted when it is there. */
export async function openTcp(
  { host: hostname, port }: HostPort,
  { signal }: { signal: AbortSignal },
): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname, port, signal });
  try {
    signal.throwIfAborted(); // the connection may have been faster than the news of that
    prepare(conn);
  } catch (error) {
    conn.close();
    throw error;
  }
  return conn;
}

/** Frames are small and answers wait for them; a host that vanished is to be noticed some day. */
function prepare(conn: Deno.TcpConn): void {
  conn.setNoDelay(true);
  conn.setKeepAlive(true);
}

/** Connections to a port, each made into what runs over it. */
export class TcpSource implements ConnectionSource {
  readonly addr: ConnectionSource["addr"];
  readonly #listener: Deno.TcpListener;
  readonly #wrap: (connection: SocketConnection) => Connection;

  constructor(
    listener: Deno.TcpListener,
    transport: "tcp" | "ws" = "tcp",
    wrap: (connection: SocketConnection) => Connection = (connection) => connection,
  ) {
    const { hostname, port } = listener.addr as Deno.NetAddr;
    this.addr = { transport, hostname, port };
    this.#listener = listener;
    this.#wrap = wrap;
  }

  async accept(): Promise<Connection | undefined> {
    const conn = await this.#listener.accept();
    try {
      prepare(conn);
      const { hostname, port } = conn.remoteAddr as Deno.NetAddr;
      const host = withoutMapping(hostname);
      return this.#wrap(new SocketConnection(conn, formatAddress({ host, port })));
    } catch {
      conn.close(); // gone already
      return undefined;
    }
  }

  close(): void {
    this.#listener.close();
  }
}

/** An IPv4 address as a socket of both families shows it, in its own form. */
function withoutMapping(host: string): string {
  return host.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}

/**
 * Listen on a port, of both families if the host stands for all addresses.
 *
 * @throws {UsageError} If the port is taken and was asked for, or the host is not ours.
 */
export function listenTcp(options: TcpListenOptions): Deno.TcpListener[] {
  const { host, port, exact, option } = options;
  try {
    return listenOn(host, port);
  } catch (error) {
    const at = formatAddress({ host, port });
    if (error instanceof Deno.errors.AddrInUse) {
      if (!exact) return listenOn(host, 0);
      throw new UsageError(`Cannot listen on ${at}: the port is taken`, {
        cause: error,
        hint: `choose another one with ${option}, or ${option} 0 for any free one`,
      });
    }
    const text = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot listen on ${at}: ${text}`, { cause: error });
  }
}

function listenOn(host: string, port: number): Deno.TcpListener[] {
  if (host !== ANY_HOST) return [Deno.listen({ hostname: host, port })];
  let both: Deno.TcpListener;
  try {
    both = Deno.listen({ hostname: ANY_HOST, port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.NotCapable) {
      throw error;
    }
    return [Deno.listen({ hostname: "0.0.0.0", port })]; // a machine without IPv6
  }
  try {
    // Most systems serve both families on one socket, and refuse a second one.
    return [both, Deno.listen({ hostname: "0.0.0.0", port: both.addr.port })];
  } catch {
    return [both];
  }
}
