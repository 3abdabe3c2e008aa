/** Dialling and listening, over whatever transport an address names. */
import { TroveError } from "../base/errors.ts";
import { type Connection, SocketConnection } from "./connection.ts";
import { dialFailure } from "./dial_error.ts";
import {
  ANY_HOST,
  formatAddress,
  formatPeer,
  type HostPort,
  parseUnix,
  type PeerTarget,
  type Proxy,
} from "./peer_address.ts";
import { type ConnectionSource, PeerListener } from "./peer_listener.ts";
import { connectThrough, greetProxy } from "./socks5.ts";
import { listenTcp, openTcp, TcpSource } from "./tcp.ts";
import { listenUnix, openUnix } from "./unix_socket.ts";
import { WsConnection } from "./ws_connection.ts";
import { askForWebSocket } from "./ws_handshake.ts";

/** Source: discovery-swarm allows 3 s from dial to connection; slow links get a little more. */
const CONNECT_MS = 5000;

/** A proxy may have far to go: Tor builds a circuit first. TLS and HTTP take their time too. */
const CONNECT_THROUGH_MS = 20_000;

export interface DialOptions {
  readonly signal: AbortSignal;
  /** For everything but Unix sockets. */
  readonly proxy?: Proxy;
  /** Certificates to trust besides those that are trusted anyway. PEM. */
  readonly caCerts?: string[];
}

/**
 * Open a connection.
 *
 * @throws {TroveError} If it cannot be had; the message is fit for people.
 */
export async function dialPeer(target: PeerTarget, options: DialOptions): Promise<Connection> {
  const ms = target.kind === "tcp" && options.proxy === undefined ? CONNECT_MS : CONNECT_THROUGH_MS;
  const deadline = AbortSignal.timeout(ms);
  const signal = AbortSignal.any([options.signal, deadline]);
  try {
    return await open(target, { ...options, signal });
  } catch (error) {
    if (deadline.aborted) {
      throw new TroveError(`no connection within ${ms / 1000} s`, { cause: error });
    }
    const allowed = target.kind === "unix" ? "--allow-read and --allow-write" : "--allow-net";
    throw new TroveError(dialFailure(error, allowed), { cause: error });
  }
}

async function open(target: PeerTarget, options: DialOptions): Promise<Connection> {
  if (target.kind === "unix") return await openUnix(target.path);
  const remote = formatPeer(target);
  if (target.kind === "tcp") return new SocketConnection(await openStream(target, options), remote);
  const stream = target.secure
    ? await openTls(target, { ...options, hostname: target.host })
    : await openStream(target, options);
  // Nothing below takes the signal: closing the stream ends it.
  using _closing = whenAborted(options.signal, () => close(stream));
  try {
    const connection = new SocketConnection(stream, remote);
    const early = await askForWebSocket(connection, { host: hostField(target), path: target.path });
    options.signal.throwIfAborted();
    return WsConnection.asClient(connection, remote, early);
  } catch (error) {
    close(stream);
    throw error;
  }
}

/**
 * Open a connection over TLS, for HTTP.
 *
 * @param options.hostname What the certificate has to be for; `to` may be one of its addresses.
 */
export async function openTls(
  to: HostPort,
  { hostname, ...options }: DialOptions & { readonly hostname: string },
): Promise<Deno.TlsConn> {
  const { signal, caCerts } = options;
  let current: Deno.Conn = await openStream(to, options);
  using _closing = whenAborted(signal, () => close(current));
  try {
    const tls = await Deno.startTls(current as Deno.TcpConn, {
      ...{ hostname, caCerts, alpnProtocols: ["http/1.1"] },
    });
    current = tls;
    await tls.handshake();
    signal.throwIfAborted();
    return tls;
  } catch (error) {
    close(current);
    throw error;
  }
}

/** The Host of a request: without the port if it is the usual one. */
function hostField({ secure, host, port }: Extract<PeerTarget, { kind: "ws" }>): string {
  const text = formatAddress({ host, port });
  return port === (secure ? 443 : 80) ? text.slice(0, text.lastIndexOf(":")) : text;
}

/** A TCP connection, through the proxy if there is one. */
async function openStream(to: HostPort, { signal, proxy }: DialOptions): Promise<Deno.TcpConn> {
  if (proxy === undefined) return await openTcp(to, { signal });
  return await throughProxy(proxy, signal, (conn) => connectThrough(conn, proxy, to));
}

/**
 * See whether there is a proxy, and whether it lets us in. Nobody is connected to.
 *
 * @throws {TroveError} If not; the message is fit for people.
 */
export async function probeProxy(proxy: Proxy, { signal }: { signal: AbortSignal }): Promise<void> {
  const deadline = AbortSignal.timeout(CONNECT_MS);
  const either = AbortSignal.any([signal, deadline]);
  try {
    const conn = await throughProxy(proxy, either, (conn) => greetProxy(conn, proxy));
    conn.close();
  } catch (error) {
    if (error instanceof TroveError && !deadline.aborted) throw error;
    const reason = deadline.aborted
      ? `no answer within ${CONNECT_MS / 1000} s`
      : dialFailure(error);
    throw new TroveError(`the proxy at ${formatAddress(proxy)}: ${reason}`, { cause: error });
  }
}

/** A connection to the proxy after a conversation with it. */
async function throughProxy(
  proxy: Proxy,
  signal: AbortSignal,
  converse: (conn: Deno.TcpConn) => Promise<void>,
): Promise<Deno.TcpConn> {
  let conn: Deno.TcpConn;
  try {
    conn = await openTcp(proxy, { signal });
  } catch (error) {
    throw new TroveError(`the proxy at ${formatAddress(proxy)}: ${dialFailure(error)}`, {
      cause: error,
    });
  }
  using _closing = whenAborted(signal, () => close(conn));
  try {
    await converse(conn);
    signal.throwIfAborted();
    return conn;
  } catch (error) {
    close(conn);
    throw error;
  }
}

/** Do something when the signal is aborted, at once if it is already; until the result is disposed. */
function whenAborted(signal: AbortSignal, act: () => void): Disposable {
  if (signal.aborted) act();
  signal.addEventListener("abort", act);
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", act) };
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed when time was up, or when TLS took it over.
  }
}

/** Where to listen; nothing of it is nowhere. */
export interface ListenOptions {
  /** An address of ours; `::` for all, of both families; or `unix:PATH`. */
  readonly host: string;
  /** 0 lets the system choose; of no meaning for a Unix socket. Absent: no TCP. */
  readonly port?: number;
  /** The port was asked for: when it is taken that is an error, not a reason to take another. */
  readonly exact: boolean;
  /** Take WebSocket connections on this port too; 0 lets the system choose. */
  readonly ws?: number;
}

/** @throws {UsageError} If a port is taken and was asked for, or an address is not ours. */
export async function listenForPeers(options: ListenOptions): Promise<PeerListener> {
  const { host, port, exact, ws } = options;
  const sources: ConnectionSource[] = [];
  try {
    const path = parseUnix(host);
    if (path !== undefined) {
      sources.push(await listenUnix(path));
    } else if (port !== undefined) {
      const listeners = listenTcp({ host, port, exact, option: "--port" });
      sources.push(...listeners.map((listener) => new TcpSource(listener)));
    }
    if (ws !== undefined) {
      const at = path === undefined ? host : ANY_HOST;
      const listeners = listenTcp({ host: at, port: ws, exact: true, option: "--ws" });
      for (const listener of listeners) {
        sources.push(new TcpSource(listener, "ws", WsConnection.asServer));
      }
    }
    return new PeerListener(sources);
  } catch (error) {
    for (const source of sources) source.close();
    throw error;
  }
}
