/**
 * Where peers are and how they are reached, as people write it: `host:port`, `unix:PATH`,
 * `ws://host:port/path`, `wss://…`; and the proxy in between.
 */
import { UsageError } from "../base/errors.ts";

/** The port that dat has always used. */
export const DEFAULT_PORT = 3282;

/** All addresses of the machine, of both families where there are two. */
export const ANY_HOST = "::";

const UNIX_PREFIX = "unix:";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export type PeerTarget =
  | { readonly kind: "tcp" } & HostPort
  | { readonly kind: "unix"; readonly path: string }
  /** `path` with its query; `secure` is `wss://`. */
  | { readonly kind: "ws"; readonly secure: boolean; readonly path: string } & HostPort;

/** A SOCKS 5 proxy. Host names are always resolved by it, never here. */
export interface Proxy extends HostPort {
  readonly user?: string;
  readonly password?: string;
}

/**
 * Read where a peer is.
 *
 * @throws {UsageError}
 */
export function parsePeer(text: string): PeerTarget {
  if (text.startsWith(UNIX_PREFIX)) return { kind: "unix", path: parseUnix(text)! };
  if (/^wss?:\/\//i.test(text)) return parseWebSocket(text);
  return { kind: "tcp", ...parseAddress(text) };
}

/** The one way in which this program writes where a peer is. */
export function formatPeer(target: PeerTarget): string {
  switch (target.kind) {
    case "tcp":
      return formatAddress(target);
    case "unix":
      return UNIX_PREFIX + target.path;
    case "ws":
      return `${target.secure ? "wss" : "ws"}://${formatAddress(target)}${target.path}`;
  }
}

/**
 * The path of `unix:PATH`; undefined if the text is no such thing.
 *
 * @throws {UsageError} If there is no path.
 */
export function parseUnix(text: string): string | undefined {
  if (!text.startsWith(UNIX_PREFIX)) return undefined;
  const path = text.slice(UNIX_PREFIX.length);
  if (path !== "" && !path.includes("\0")) return path;
  throw new UsageError(`Cannot use "${text}" as a socket`, {
    hint: "give it as unix:PATH, for example unix:/run/trove.sock",
  });
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
      hint: "give it as HOST:PORT with a port from 1 to 65535, for example 192.0.2.7:3282, " +
        "as unix:PATH, or as ws://HOST:PORT/PATH",
    });
  }
  return { host, port };
}

export function formatAddress({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseWebSocket(text: string): PeerTarget {
  const url = /\s/.test(text) ? null : URL.parse(text);
  if (
    url === null || url.hostname === "" || url.username !== "" || url.password !== "" ||
    url.hash !== "" || url.port === "0"
  ) {
    throw new UsageError(`Cannot use "${text}" as a peer`, {
      hint: "give it as ws://HOST:PORT/PATH or wss://HOST/PATH, without a user or a #",
    });
  }
  const secure = url.protocol === "wss:";
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  return { kind: "ws", secure, host: hostOf(url), port, path: url.pathname + url.search };
}

/**
 * Read `socks5://[user:password@]host[:port]`; `socks5h://` means the same.
 *
 * @throws {UsageError} Which does not repeat the text, for there may be a password in it.
 */
export function parseProxy(text: string): Proxy {
  // A scheme that URL knows, so that hosts are read as they are in other addresses.
  const match = /^socks5h?:(\/\/\S+)$/i.exec(text);
  const url = match === null ? null : URL.parse(`ws:${match[1]}`);
  const rest = url === null ? "" : url.search + url.hash + url.pathname.slice(1);
  if (url === null || url.hostname === "" || url.port === "0" || rest !== "") {
    throw new UsageError("Cannot use what was given as a proxy", {
      hint: "give it as socks5://HOST:PORT or socks5://USER:PASSWORD@HOST:PORT",
    });
  }
  // `URL` leaves out the usual port of the borrowed scheme.
  const port = url.port === "" ? (/:80(\/|$)/.test(match![1]) ? 80 : 1080) : Number(url.port);
  const [user, password] = [url.username, url.password].map(decode);
  for (const part of [user, password]) {
    if (new TextEncoder().encode(part).length <= 255) continue;
    throw new UsageError("Cannot use a proxy's user or password of more than 255 bytes");
  }
  return user === "" ? { host: hostOf(url), port } : { host: hostOf(url), port, user, password };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Without the brackets of an IPv6 address. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}
