/**
 * How a WebSocket opens: one HTTP request and its answer, on either side.
 *
 * Source: RFC 6455, section 4.
 */
import { toUtf8 } from "../base/bytes.ts";
import { TroveError } from "../base/errors.ts";
import { type Connection, writeAll } from "./connection.ts";
import { hasToken, readHead } from "./http_head.ts";

/** What the key is hashed with. Source: RFC 6455, section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** What of a connection is used here. */
type Stream = Pick<Connection, "read" | "write">;

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

/** 16 bytes in base64. */
function isKey(text: string): boolean {
  return /^[A-Za-z0-9+/]{22}==$/.test(text);
}

async function acceptKey(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(key + GUID));
  return new Uint8Array(digest).toBase64();
}
