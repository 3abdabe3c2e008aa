/** The head of an HTTP message, of a request or an answer. Source: RFC 9112, sections 2 and 5. */
import { concat, EMPTY_BYTES } from "../base/bytes.ts";
import type { Connection } from "./connection.ts";

/** Longest head of a request or an answer, in bytes. A browser sends its cookies along. */
const MAX_HEAD_BYTES = 8 * 1024;

/** Read at once while the head is awaited. */
const HEAD_READ_BYTES = 1024;

export interface Head {
  /** The request or status line. */
  readonly first: string;
  /** By names in lower case; repeated ones are joined by commas. */
  readonly fields: ReadonlyMap<string, string>;
  /** What came behind the head already. */
  readonly rest: Uint8Array;
}

/** The head of a message; undefined if it ends before, is too long, or is no head at all. */
export async function readHead(
  stream: Pick<Connection, "read">,
): Promise<Head | undefined> {
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
export function hasToken(list: string | undefined, token: string): boolean {
  return (list ?? "").toLowerCase().split(",").some((item) => item.trim() === token);
}
