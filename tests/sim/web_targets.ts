/** The readers of what comes over the web: names, WebSockets, requests to `serve`, proxies. */
import assert from "node:assert/strict";
import { fromHex, toUtf8 } from "../../src/base/bytes.ts";
import { RemoteProtocolError, TroveError, UsageError } from "../../src/base/errors.ts";
import { matchesTag } from "../../src/app/http/etag.ts";
import { chooseFormat } from "../../src/app/http/listing.ts";
import { parseRange } from "../../src/app/http/ranges.ts";
import { encodePath, isOurHost, readTarget } from "../../src/app/http/target.ts";
import { hasKey, parseLink } from "../../src/crypto/link.ts";
import { readDnsAnswer, readNameFile, recordsFor } from "../../src/discovery/name_records.ts";
import { parseName } from "../../src/discovery/name_text.ts";
import { readHead } from "../../src/io/http_head.ts";
import { parseAddress, parsePeer, parseProxy } from "../../src/io/peer_address.ts";
import { connectThrough } from "../../src/io/socks5.ts";
import { FrameDecoder, OPCODE, writeHeader } from "../../src/io/ws_frames.ts";
import { grantWebSocket } from "../../src/io/ws_handshake.ts";
import type { CaseRandom } from "./mutate.ts";
import { type ParserTarget, refusing } from "./parser_fuzz.ts";

/** Of a case, in bytes: longer ones find nothing that these do not. */
const MAX_BYTES = 600;

const KEY = "6b".repeat(32);
const latin1 = new TextDecoder("latin1");

/** What web servers answer about a name, and names and links as people type them. */
export function namesTarget(): ParserTarget {
  const { txt, file } = recordsFor(fromHex(KEY));
  const doh = { Status: 0, Answer: [{ type: 16, TTL: 60, data: `"${txt}" "more"` }] };
  const samples = [
    file,
    JSON.stringify(doh),
    `dat://${KEY}+12/path`,
    `dat://example.org/a?b#c`,
    "ws://user:secret@[::1%25lo]:3282/path",
    "socks5://name:word@127.0.0.1:1080",
    "127.0.0.1:3282",
  ].map(toUtf8);
  return {
    name: "names",
    samples,
    maxBytes: MAX_BYTES,
    run(bytes) {
      readNameFile(bytes);
      readDnsAnswer(bytes);
      const text = new TextDecoder().decode(bytes);
      hasKey(text);
      for (const parse of [parseLink, parseName, parsePeer, parseAddress, parseProxy]) {
        refusing(UsageError, () => parse(text));
      }
    },
  };
}

/** Frames of a WebSocket, in pieces. */
export function webSocketTarget(): ParserTarget {
  const frame = (opcode: number, length: number, mask?: Uint8Array) => {
    const bytes = new Uint8Array(14 + length);
    return bytes.slice(0, writeHeader(bytes, opcode, length, mask) + length);
  };
  const samples = [
    frame(OPCODE.binary, 20, Uint8Array.of(1, 2, 3, 4)),
    frame(OPCODE.binary, 300),
    frame(OPCODE.ping, 5, Uint8Array.of(1, 2, 3, 4)),
    frame(OPCODE.close, 2),
    frame(OPCODE.continuation, 0),
  ];
  return {
    name: "websocket",
    samples,
    maxBytes: MAX_BYTES,
    run(bytes, random) {
      const decoder = new FrameDecoder({ masked: random.below(2) === 0 });
      const cut = random.below(bytes.length + 1);
      refusing(RemoteProtocolError, () => {
        for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
          const count = decoder.decode(piece, (control) => {
            if (control.kind === "ping") assert.ok(control.payload.length <= 125);
          });
          assert.ok(count <= piece.length);
        }
      });
    },
  };
}

/** What browsers ask of `serve`: paths, hosts, and the fields that are looked at. */
export function httpTarget(): ParserTarget {
  const tag = `W/"${"ab".repeat(16)}"`;
  const samples = [
    `/${KEY}+12/a%20b/%c3%a9/?version=3&wait=4#x`,
    "/x/%2e%2e/./y//z?viewSource",
    "bytes=0-99, 200-, -5",
    "bytes=9007199254740993-18446744073709551616",
    "[::1]:8080",
    "localhost.:8080",
    `"a", ${tag}, *`,
    "text/html, application/json;q=0.9, */*",
  ].map(toUtf8);
  return {
    name: "http",
    samples,
    maxBytes: MAX_BYTES,
    run(bytes, random) {
      // Fields come as one character a byte.
      const text = latin1.decode(bytes);
      const size = random.pick([0, 1, 100, Number.MAX_SAFE_INTEGER]);
      const range = parseRange(text, size);
      if (typeof range === "object") {
        assert.ok(range.start >= 0 && range.start < range.end && range.end <= size, text);
      }
      isOurHost(text, 8080, ["example.org"]);
      matchesTag(text, tag, { weak: random.below(2) === 0 });
      chooseFormat(text);
      const url = URL.parse(`http://localhost/${text}`);
      const target = url === null ? undefined : readTarget(url);
      if (target === undefined) return;
      for (const name of target.names) {
        assert.ok(name !== "" && name !== "." && name !== ".." && !/[/\\\0]/.test(name), name);
      }
      const again = readTarget(
        new URL(`http://localhost${encodePath(target.names, target.isFolder)}`),
      );
      assert.equal(again?.names.join("/"), target.names.join("/"));
    },
  };
}

/** Heads of HTTP, and what a SOCKS proxy answers. */
export function proxiesTarget(): ParserTarget {
  const samples = [
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc",
    "GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  ].map(toUtf8);
  const socks = [
    [5, 0, 5, 0, 0, 1, 127, 0, 0, 1, 9, 9],
    [5, 2, 1, 0, 5, 0, 0, 3, 2, 65, 66, 1, 1],
    [5, 0, 5, 5, 0, 4, ...Array(18).fill(1)],
  ].map((bytes) => Uint8Array.from(bytes));
  return {
    name: "proxies",
    samples: [...samples, ...socks],
    maxBytes: MAX_BYTES,
    async run(bytes, random) {
      await readHead(streamOf(bytes, random));
      await grantWebSocket(streamOf(bytes, random));
      const to = { host: "example.org", port: 1 };
      const credentials = random.below(2) === 0 ? {} : { user: "u", password: "p" };
      try {
        await connectThrough(streamOf(bytes, random), credentials, to);
      } catch (error) {
        if (!(error instanceof TroveError)) throw error;
      }
    },
  };
}

/** A remote that says these bytes, in pieces, and takes anything. */
function streamOf(bytes: Uint8Array, random: CaseRandom) {
  let at = 0;
  return {
    read(into: Uint8Array): Promise<number | null> {
      if (at >= bytes.length) return Promise.resolve(null);
      const piece = bytes.subarray(at, at + Math.min(into.length, 1 + random.below(300)));
      into.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length);
    },
    write: (sent: Uint8Array) => Promise.resolve(sent.length),
  };
}
