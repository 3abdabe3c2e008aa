/**
 * How a WebSocket opens: one HTTP request and its answer, on either side.
 *
 * Source: RFC 6455, section 4; RFC 9112 for how a head is written.
 */
import { concat, EMPTY_BYTES, toUtf8 } from "../base/bytes.ts";
import { TroveError } from "../base/errors.ts";
import { type Connection, writeAll } from "./connection.ts";

/** Longest head of a request or an answer, in bytes. A browser sends its cookies along. */
const MAX_HEAD_BYTES = 8 * 1024;

/** Read at once while the head is awaited. */
const HEAD_READ_BYTES = 1024;

/** What the key is hashed with. Source: RFC 6455, section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** What of a connection is used here. */
type Stream = Pick<Connection, "read" | "write">;

interface Head {
  /** The request or status line. */
  readonly first: string;
  /** By names in lower case; repeated ones are joined by commas. */
  readonly fields: ReadonlyMap<string, string>;
  /** What came behind the head already. */
  readonly rest: Uint8Array;
}

/**
 * Ask for a WebSocket.
 *
 * @param host As the Host field has it.
 * @returns What came behind the answer already.
 * @throws {TroveError} If it is not granted; the message is fit for people.
 */
export async function askForWebSocket(
  stream: Stream,
  { host, path }: { readonly host: string; readonly path: string },
): Promise<Uint8Array> {
  const key = crypto.getRandomValues(new Uint8Array(16)).toBase64();
  await writeAll(
    stream,
    toUtf8(
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    ),
  );
  const head = await readHead(stream);
  const status = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(head?.first ?? "")?.[1];
  if (head === undefined || status === undefined) {
    throw new TroveError("what answers there is no web server");
  }
  if (status !== "101") {
    throw new TroveError(`no WebSocket there (the server answers with status ${status})`);
  }
  const { fields, rest } = head;
  if (
    !hasToken(fields.get("upgrade"), "websocket") || !hasToken(fields.get("connection"), "upgrade")
  ) throw new TroveError("no WebSocket there (the server answers with another protocol)");
  if (fields.get("sec-websocket-accept") !== await acceptKey(key)) {
    throw new TroveError("no WebSocket there (the server's answer is not to our request)");
  }
  if (fields.has("sec-websocket-extensions") || fields.has("sec-websocket-protocol")) {
    throw new TroveError("the server uses WebSocket in a way that was not asked for");
  }
  return rest;
}

/**
 * Answer whoever connected. A plain HTTP request is told what this is.
 *
 * @returns What came behind the request already; undefined if it asked for no WebSocket, and was
 * told so.
 */
export async function grantWebSocket(stream: Stream): Promise<Uint8Array | undefined> {
  const head = await readHead(stream);
  if (head === undefined) return undefined;
  const request = /^(\S+) \S+ HTTP\/1\.(\d)$/.exec(head.first);
  // Whatever this is, it is no HTTP: there is nothing to answer with.
  if (request === null) return undefined;
  const { fields, rest } = head;
  const key = fields.get("sec-websocket-key") ?? "";
  const isUpgrade = request[1] === "GET" && request[2] !== "0" &&
    hasToken(fields.get("upgrade"), "websocket") && hasToken(fields.get("connection"), "upgrade") &&
    fields.get("sec-websocket-version") === "13" && isKey(key);
  if (!isUpgrade) {
    const text = "This is a trove peer: it speaks the Dat protocol, over WebSocket.\n";
    const answer = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n" +
      "Connection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n" +
      `Content-Type: text/plain\r\nContent-Length: ${text.length}\r\n\r\n`;
    await writeAll(stream, toUtf8(request[1] === "HEAD" ? answer : answer + text));
    return undefined;
  }
  await writeAll(
    stream,
    toUtf8(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${await acceptKey(key)}\r\n\r\n`,
    ),
  );
  return rest;
}

/** The head of a message; undefined if it ends before, is too long, or is no head at all. */
async function readHead(stream: Stream): Promise<Head | undefined> {
  let bytes: Uint8Array = EMPTY_BYTES;
  const piece = new Uint8Array(HEAD_READ_BYTES);
  for (;;) {
    const count = await stream.read(piece);
    if (count === null) return undefined;
    const searched = Math.max(0, bytes.length - 3);
    bytes = concat([bytes, piece.subarray(0, count)]);
    const end = endOfHead(bytes, searched);
    if (end !== undefined) return parseHead(bytes, end);
    if (bytes.length > MAX_HEAD_BYTES) return undefined;
  }
}

/** Where the empty line ends. */
function endOfHead(bytes: Uint8Array, from: number): number | undefined {
  for (let at = from; at + 4 <= bytes.length; at++) {
    if (
      bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10
    ) return at + 4;
  }
}

function parseHead(bytes: Uint8Array, end: number): Head | undefined {
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, end - 4));
  const [first, ...lines] = text.split("\r\n");
  const fields = new Map<string, string>();
  for (const line of lines) {
    const match = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (match === null) return undefined;
    const [name, value] = [match[1].toLowerCase(), match[2]];
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return { first, fields, rest: bytes.slice(end) };
}

/** Whether a list of tokens has this one. */
function hasToken(list: string | undefined, token: string): boolean {
  return (list ?? "").toLowerCase().split(",").some((item) => item.trim() === token);
}

/** 16 bytes in base64. */
function isKey(text: string): boolean {
  return /^[A-Za-z0-9+/]{22}==$/.test(text);
}

async function acceptKey(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(key + GUID));
  return new Uint8Array(digest).toBase64();
}
