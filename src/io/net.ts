/** Dialling and listening over TCP. */
import { TroveError, UsageError } from "../base/errors.ts";

/** Source: discovery-swarm allows 3 s from dial to connection; slow links get a little more. */
const CONNECT_MS = 5000;

/** The port that dat has always used. */
export const DEFAULT_PORT = 3282;

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/**
 * Read `host:port`, `[v6]:port`, or a host alone, which means the usual port.
 *
 * @throws {UsageError}
 */
export function parseAddress(text: string): HostPort {
  const match =
    /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^:[\]\s]+)|([0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*))(?::(\d+))?$/
      .exec(text);
  const port = match?.[4] === undefined ? DEFAULT_PORT : Number(match[4]);
  const host = match?.[1] ?? match?.[2] ?? match?.[3];
  if (host === undefined || port < 1 || port > 65535) {
    throw new UsageError(`Cannot use "${text}" as a peer`, {
      hint: "give it as HOST:PORT with a port from 1 to 65535, for example 192.0.2.7:3282",
    });
  }
  return { host, port };
}

export function formatAddress({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Open a connection.
 *
 * @throws {TroveError} If it cannot be had; the message is fit for people.
 */
export async function dialPeer(
  address: HostPort,
  options: { signal: AbortSignal },
): Promise<Deno.TcpConn> {
  const { host: hostname, port } = address;
  const deadline = AbortSignal.timeout(CONNECT_MS);
  const signal = AbortSignal.any([options.signal, deadline]);
  try {
    const conn = await Deno.connect({ hostname, port, signal });
    conn.setNoDelay(true);
    return conn;
  } catch (error) {
    throw new TroveError(dialFailure(error, deadline.aborted), { cause: error });
  }
}

function dialFailure(error: unknown, timedOut: boolean): string {
  if (timedOut) return `no connection within ${CONNECT_MS / 1000} s`;
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  if (error instanceof Deno.errors.NotCapable) return "not permitted (run with --allow-net)";
  const text = error instanceof Error ? error.message : String(error);
  if (/lookup|resolve|Name or service not known/i.test(text)) return "no such host";
  return text.replace(/ \(os error \d+\)$/, "").toLowerCase();
}

/** How a listening port is chosen. */
export interface ListenOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** The port was asked for: when it is taken that is an error, not a reason to take another. */
  readonly exact: boolean;
}

/** @throws {UsageError} If the port is taken and was asked for, or the host is not ours. */
export function listenForPeers({ host, port, exact }: ListenOptions): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: host, port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      if (!exact) return Deno.listen({ hostname: host, port: 0 });
      throw new UsageError(`Cannot listen on ${formatAddress({ host, port })}: the port is taken`, {
        cause: error,
        hint: "choose another one with --port, or --port 0 for any free one",
      });
    }
    const text = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot listen on ${formatAddress({ host, port })}: ${text}`, {
      cause: error,
    });
  }
}
