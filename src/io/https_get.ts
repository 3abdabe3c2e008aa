/**
 * One GET over HTTPS, to an address that was looked at before: no redirect is followed, nothing is
 * remembered, and no more is read than was agreed. `fetch` tells nobody which address it connects to.
 *
 * Source: RFC 9112, sections 3, 6 and 7.
 */
import { concat, toUtf8 } from "../base/bytes.ts";
import { TroveError } from "../base/errors.ts";
import { writeAll } from "./connection.ts";
import { dialFailure } from "./dial_error.ts";
import { readHead } from "./http_head.ts";
import { openTls } from "./net.ts";
import type { Proxy } from "./peer_address.ts";

export interface HttpsGetOptions {
  /** Ends it, with whatever it was aborted with. */
  readonly signal: AbortSignal;
  /** Of the body. */
  readonly maxBytes: number;
  /** What is accepted, as the Accept field has it. */
  readonly accept?: string;
  /** Whether an address may be connected to; any if left out. Not asked where a proxy does it. */
  readonly isAllowed?: (address: string) => boolean;
  /** The addresses of a name, those to try first before the others. */
  readonly resolveHost?: (name: string, signal: AbortSignal) => Promise<readonly string[]>;
  readonly proxy?: Proxy;
  /** Certificates to trust besides those that are trusted anyway. PEM. */
  readonly caCerts?: readonly string[];
}

export interface HttpsAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

/**
 * @param url Its scheme is not looked at.
 * @throws {UnreachableError} If nobody could be connected to.
 * @throws {TroveError} If what came is no answer, or more than was agreed. The message is a clause
 * for people in either case.
 */
export type HttpsGet = (url: URL, options: HttpsGetOptions) => Promise<HttpsAnswer>;

/** There is no such host, or nobody answers there. */
export class UnreachableError extends TroveError {}

/** Of a host that has several addresses, so many are tried. */
const MAX_ADDRESSES = 4;

/** An address that does not answer by then is passed over for the next one. */
const NEXT_ADDRESS_MS = 700;

/** Read at once. */
const PIECE_BYTES = 4096;

/** The line with a chunk's size, with what may stand behind it. */
const MAX_CHUNK_LINE = 1024;

/** An interim answer is passed over: 103, say. */
const MAX_INTERIM = 4;

export const httpsGet: HttpsGet = async (url, options) => {
  using conn = await connect(url, options);
  // Nothing below takes the signal: closing the connection ends it.
  const onAbort = () => close(conn);
  options.signal.addEventListener("abort", onAbort);
  try {
    const { accept = "*/*", maxBytes } = options;
    const request = `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n` +
      `Accept: ${accept}\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n`;
    await writeAll(conn, toUtf8(request));
    return await readAnswer(new Pieces(conn), maxBytes);
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof TroveError) throw error;
    throw new TroveError(`the connection broke: ${dialFailure(error)}`, { cause: error });
  } finally {
    options.signal.removeEventListener("abort", onAbort);
  }
};

async function connect(url: URL, options: HttpsGetOptions): Promise<Deno.TlsConn> {
  const { signal, proxy, caCerts } = options;
  const hostname = url.hostname;
  const port = Number(url.port || 443);
  const open = (host: string, signal: AbortSignal) =>
    openTls({ host, port }, { hostname, signal, proxy, caCerts: caCerts && [...caCerts] });
  // Whoever uses a proxy wants nobody here to hear of the name.
  const addresses = proxy === undefined ? await addressesOf(hostname, options) : [hostname];
  let failure: unknown;
  const queue = [...addresses];
  for (let tried = 0; tried < queue.length; tried++) {
    const passesOver = tried < addresses.length - 1;
    const passing = AbortSignal.timeout(NEXT_ADDRESS_MS);
    const deadline = passesOver ? AbortSignal.any([signal, passing]) : signal;
    try {
      return await open(queue[tried], deadline);
    } catch (error) {
      signal.throwIfAborted();
      const why = dialFailure(error);
      if (/certificate/i.test(why)) throw new TroveError(why, { cause: error });
      failure = error;
      // It may only be slow: it has all the time that is left if nobody else answers.
      if (passesOver && passing.aborted) queue.push(queue[tried]);
    }
  }
  throw new UnreachableError(dialFailure(failure), { cause: failure });
}

async function addressesOf(
  name: string,
  { signal, isAllowed = () => true, resolveHost = resolveByDns }: HttpsGetOptions,
): Promise<string[]> {
  const found = /^[\d.]+$/.test(name) ? [name] : await resolveHost(name, signal);
  const allowed = found.filter(isAllowed).slice(0, MAX_ADDRESSES);
  if (found.length === 0) throw new UnreachableError("no such host");
  if (allowed.length === 0) {
    throw new TroveError(`it leads to ${found[0]}, which is not a public address`);
  }
  return allowed;
}

/** Asks the system's own servers, after the file of hosts. None is no error. */
async function resolveByDns(name: string, signal: AbortSignal): Promise<string[]> {
  const asked = (["A", "AAAA"] as const).map((type) => Deno.resolveDns(name, type, { signal }));
  const answers = await Promise.allSettled(asked);
  signal.throwIfAborted();
  for (const answer of answers) {
    if (answer.status === "rejected" && answer.reason instanceof Deno.errors.NotCapable) {
      throw new UnreachableError(dialFailure(answer.reason), { cause: answer.reason });
    }
  }
  return answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
}

/** What comes in, with the possibility to put something back. */
class Pieces {
  readonly #conn: Pick<Deno.Conn, "read">;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(conn: Pick<Deno.Conn, "read">) {
    this.#conn = conn;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.#rest.length === 0) return await this.#conn.read(into);
    const count = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  unread(bytes: Uint8Array): void {
    this.#rest = this.#rest.length === 0 ? bytes : concat([bytes, this.#rest]);
  }

  /** The next bytes, as many as there are at once; undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    const rest = this.#rest;
    if (rest.length > 0) {
      this.#rest = rest.subarray(rest.length);
      return rest;
    }
    const piece = new Uint8Array(PIECE_BYTES);
    const count = await this.#conn.read(piece);
    return count === null ? undefined : piece.subarray(0, count);
  }

  /** Up to a line feed, which is left out, with a carriage return before it. */
  async line(): Promise<string> {
    let text = "";
    for (;;) {
      const piece = await this.next();
      if (piece === undefined) throw new TroveError("the answer is cut off");
      const end = piece.indexOf(10);
      text += new TextDecoder("latin1").decode(end < 0 ? piece : piece.subarray(0, end));
      if (text.length > MAX_CHUNK_LINE) throw new TroveError("the answer makes no sense");
      if (end < 0) continue;
      this.unread(piece.subarray(end + 1));
      return text.replace(/\r$/, "");
    }
  }
}

async function readAnswer(pieces: Pieces, maxBytes: number): Promise<HttpsAnswer> {
  for (let interim = 0; interim <= MAX_INTERIM; interim++) {
    const head = await readHead(pieces);
    const match = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(head?.first ?? "");
    if (head === undefined || match === null) throw new TroveError("what answers is no web server");
    pieces.unread(head.rest);
    const status = Number(match[1]);
    if (status < 200) continue;
    // Of what was not found nobody wants to see more.
    if (status !== 200) return { status, body: new Uint8Array(0) };
    return { status, body: await readBody(pieces, head.fields, maxBytes) };
  }
  throw new TroveError("what answers is no web server");
}

async function readBody(
  pieces: Pieces,
  fields: ReadonlyMap<string, string>,
  maxBytes: number,
): Promise<Uint8Array> {
  const encoding = fields.get("content-encoding") ?? "identity";
  if (encoding !== "identity") throw new TroveError(`the answer is in ${encoding}, unasked`);
  const body = new BoundedBody(pieces, maxBytes);
  const transfer = fields.get("transfer-encoding");
  const length = fields.get("content-length");
  if (transfer !== undefined) {
    if (transfer.toLowerCase() !== "chunked") throw new TroveError("the answer makes no sense");
    for (;;) {
      const size = /^([0-9a-f]{1,8})[ \t]*(?:;.*)?$/i.exec(await pieces.line())?.[1];
      if (size === undefined) throw new TroveError("the answer makes no sense");
      if (/^0+$/.test(size)) return body.bytes;
      await body.take(parseInt(size, 16));
      if (await pieces.line() !== "") throw new TroveError("the answer makes no sense");
    }
  }
  if (length === undefined) await body.takeAll();
  else if (/^\d{1,15}$/.test(length)) await body.take(Number(length));
  else throw new TroveError("the answer makes no sense");
  return body.bytes;
}

class BoundedBody {
  readonly #pieces: Pieces;
  readonly #maxBytes: number;
  readonly #taken: Uint8Array[] = [];
  #size = 0;

  constructor(pieces: Pieces, maxBytes: number) {
    this.#pieces = pieces;
    this.#maxBytes = maxBytes;
  }

  get bytes(): Uint8Array {
    return concat(this.#taken);
  }

  async take(count: number): Promise<void> {
    if (count > this.#maxBytes - this.#size) this.#refuse();
    for (let left = count; left > 0;) {
      const piece = await this.#pieces.next();
      if (piece === undefined) throw new TroveError("the answer is cut off");
      const part = piece.subarray(0, left);
      this.#pieces.unread(piece.subarray(part.length));
      left -= part.length;
      this.#add(part);
    }
  }

  async takeAll(): Promise<void> {
    for (let piece = await this.#pieces.next(); piece; piece = await this.#pieces.next()) {
      this.#add(piece);
    }
  }

  #add(part: Uint8Array): void {
    this.#size += part.length;
    if (this.#size > this.#maxBytes) this.#refuse();
    this.#taken.push(part);
  }

  #refuse(): never {
    throw new TroveError(`the answer has more than ${this.#maxBytes} bytes`);
  }
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It was closed already.
  }
}
