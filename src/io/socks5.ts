/**
 * The client's half of SOCKS 5: a TCP connection that a proxy makes for us. Host names go to the
 * proxy as they are, so that no resolver here hears of them.
 *
 *     ours    5, count, methods          | 5, 1 connect, 0, kind, address, port
 *     theirs  5, method                  | 5, reply, 0, kind, address, port
 *
 * and between the two, if the proxy asks for it: 1, length, user, length, password | 1, status.
 *
 * Source: RFC 1928, sections 3 to 6; RFC 1929, section 2.
 */
import { concat, toUtf8 } from "../base/bytes.ts";
import { TroveError } from "../base/errors.ts";
import { writeAll } from "./connection.ts";
import type { HostPort, Proxy } from "./peer_address.ts";

const VERSION = 5;
const NO_AUTHENTICATION = 0;
const USER_AND_PASSWORD = 2;
const NONE_ACCEPTABLE = 0xff;
const AUTHENTICATION_VERSION = 1;
const CONNECT = 1;
const KIND = { ipv4: 1, name: 3, ipv6: 4 } as const;

/** Reply codes, from 1 on. Source: RFC 1928, section 6. */
const REPLIES: readonly string[] = [
  "the proxy failed",
  "not allowed by the proxy's rules",
  "network unreachable",
  "host unreachable",
  "connection refused",
  "no answer in time",
  "the proxy cannot connect to others",
  "the proxy does not know this kind of address",
];

/** What of a connection is used here. */
type Stream = Pick<Deno.Conn, "read" | "write">;

/**
 * Have the proxy at the other end of `conn` connect to `to`. From then on `conn` is the connection.
 *
 * @throws {TroveError} If it does not; the message is fit for people. `conn` is of no use then.
 */
export async function connectThrough(
  conn: Stream,
  credentials: Pick<Proxy, "user" | "password">,
  to: HostPort,
): Promise<void> {
  await greetProxy(conn, credentials);
  await writeAll(conn, concat([Uint8Array.of(VERSION, CONNECT, 0), encodeAddress(to)]));
  const [replyVersion, reply, , kind] = await readExactly(conn, 4);
  if (replyVersion !== VERSION) throw new TroveError("the proxy's answer is not of SOCKS 5");
  if (reply !== 0) {
    throw new TroveError(`${REPLIES[reply - 1] ?? `the proxy says ${reply}`} (through the proxy)`);
  }
  // The address that the proxy connects from: of no use, but what follows it is the remote's.
  await readExactly(conn, await addressLength(conn, kind) + 2);
}

/**
 * The part before that: whether the other end is a proxy and lets us in.
 *
 * @throws {TroveError} If not; the message is fit for people.
 */
export async function greetProxy(
  conn: Stream,
  { user, password }: Pick<Proxy, "user" | "password">,
): Promise<void> {
  const methods = user === undefined ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, USER_AND_PASSWORD];
  await writeAll(conn, Uint8Array.of(VERSION, methods.length, ...methods));
  const [version, method] = await readExactly(conn, 2);
  if (version !== VERSION) throw new TroveError("the proxy does not speak SOCKS 5");
  if (method === NONE_ACCEPTABLE) {
    throw new TroveError(
      user === undefined
        ? "the proxy wants a user and a password"
        : "the proxy accepts neither user and password nor none",
    );
  }
  if (!methods.includes(method)) throw new TroveError(`the proxy chose method ${method} unasked`);
  if (method === USER_AND_PASSWORD) await authenticate(conn, user!, password ?? "");
}

/** Source: RFC 1929, section 2. */
async function authenticate(conn: Stream, user: string, password: string): Promise<void> {
  const [name, secret] = [toUtf8(user), toUtf8(password)];
  await writeAll(
    conn,
    concat([
      Uint8Array.of(AUTHENTICATION_VERSION, name.length),
      name,
      Uint8Array.of(secret.length),
      secret,
    ]),
  );
  const [version, status] = await readExactly(conn, 2);
  if (version !== AUTHENTICATION_VERSION) {
    throw new TroveError("the proxy's answer to the password makes no sense");
  }
  if (status !== 0) throw new TroveError("the proxy refused user and password");
}

/** Bytes of an address in an answer, the port not counted. */
async function addressLength(conn: Stream, kind: number): Promise<number> {
  switch (kind) {
    case KIND.ipv4:
      return 4;
    case KIND.ipv6:
      return 16;
    case KIND.name:
      return (await readExactly(conn, 1))[0];
    default:
      throw new TroveError(`the proxy answered with an address of kind ${kind}`);
  }
}

/** Kind, address and port. */
function encodeAddress({ host, port }: HostPort): Uint8Array {
  const ipv4 = parseIpv4(host);
  const address = ipv4 !== undefined
    ? [KIND.ipv4, ...ipv4]
    : host.includes(":")
    ? [KIND.ipv6, ...parseIpv6(host)]
    : nameBytes(host);
  return Uint8Array.of(...address, port >> 8, port & 0xff);
}

function nameBytes(host: string): number[] {
  const name = toUtf8(host);
  if (name.length > 255) throw new TroveError("the host's name is longer than 255 bytes");
  return [KIND.name, name.length, ...name];
}

function parseIpv4(host: string): number[] | undefined {
  const parts = /^\d{1,3}(\.\d{1,3}){3}$/.test(host) ? host.split(".").map(Number) : undefined;
  return parts?.every((part) => part <= 255) ? parts : undefined;
}

/** The 16 bytes of an address without a zone. */
function parseIpv6(host: string): number[] {
  // `URL` knows the rules, and writes all forms in one, without an IPv4 part.
  const url = URL.parse(`ws://[${host}]`);
  if (url === null) throw new TroveError("the proxy cannot be given this address");
  const [front, back] = url.hostname.slice(1, -1).split("::").map(groupsOf);
  const groups = back === undefined
    ? front
    : [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => parseInt(group, 16));
}

/** Exactly so many bytes and none of those behind them: these belong to the remote. */
async function readExactly(conn: Stream, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let filled = 0; filled < length;) {
    const count = await conn.read(bytes.subarray(filled));
    if (count === null) throw new TroveError("the proxy hung up in the middle of its answer");
    filled += count;
  }
  return bytes;
}
