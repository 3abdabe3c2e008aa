/** The readers of foreign bytes that need no files: wire, entries, discovery, names, proxies. */
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import packet from "dns-packet";
import { fromHex, toUtf8 } from "../../src/base/bytes.ts";
import { RemoteProtocolError, TroveError, UsageError } from "../../src/base/errors.ts";
import { ArchiveError } from "../../src/core/archive/archive_error.ts";
import { childList, decodeChildren } from "../../src/core/archive/children.ts";
import { decodeEntry, decodeIndex } from "../../src/core/archive/entry.ts";
import { compileIgnore } from "../../src/core/archive/ignore_rules.ts";
import { safePath } from "../../src/core/archive/safe_path.ts";
import { WANT_BLOCKS } from "../../src/core/sync/limits.ts";
import { decodeMessage } from "../../src/core/wire/decode.ts";
import { FrameReader, MAX_FIRST_FRAME_BYTES, splitFrame } from "../../src/core/wire/frame.ts";
import { decodeHaveRuns, encodeHaveRuns } from "../../src/core/wire/have_bitfield.ts";
import { hasKey, parseLink } from "../../src/crypto/link.ts";
import { readBencode } from "../../src/discovery/bencode_check.ts";
import {
  answeredValues,
  decodePacket,
  decodePeers,
  encodeProbe,
  encodeRequest,
  MAX_PEERS_PER_ANSWER,
} from "../../src/discovery/dns_packets.ts";
import { isHyperdhtAnswer } from "../../src/discovery/hyperdht_check.ts";
import { kindOfKrpc } from "../../src/discovery/krpc_check.ts";
import { encodeHyperswarmAnswer, readItems } from "../../src/discovery/mdns_packets.ts";
import { readDnsAnswer, readNameFile, recordsFor } from "../../src/discovery/name_records.ts";
import { parseName } from "../../src/discovery/name_text.ts";
import { readHead } from "../../src/io/http_head.ts";
import { parseAddress, parsePeer, parseProxy } from "../../src/io/peer_address.ts";
import { connectThrough } from "../../src/io/socks5.ts";
import { FrameDecoder, OPCODE, writeHeader } from "../../src/io/ws_frames.ts";
import { grantWebSocket } from "../../src/io/ws_handshake.ts";
import { readVector } from "../support/vectors.ts";
import { recordedDirections } from "../support/wire_vectors.ts";
import type { CaseRandom } from "./mutate.ts";
import { type ParserTarget, refusing } from "./parser_fuzz.ts";

/** Of a case, in bytes: longer ones find nothing that these do not. */
const MAX_BYTES = 600;

const KEY = "6b".repeat(32);
const LABEL = "e06652c4cd6b6ebd9af5f62a918131a71f17f75b";

/** Frames as they go over a connection, without its encryption; and their messages. */
export function framesTarget(): ParserTarget {
  const samples = recordedDirections().flatMap(({ frames }) => frames)
    .map(({ bytes }) => bytes.slice(0, MAX_BYTES));
  return {
    name: "frames",
    samples,
    maxBytes: 2 * MAX_BYTES,
    // The first buffer of a frame in pieces has room for a usual block.
    slackBytes: 128 * 1024,
    run(bytes, random) {
      const reader = new FrameReader(MAX_FIRST_FRAME_BYTES);
      const cut = random.below(bytes.length + 1);
      refusing(RemoteProtocolError, () => {
        for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
          reader.push(piece);
          for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
            if (frame.length > 0) readMessage(frame);
          }
          assert.ok(reader.partialBytes <= bytes.length, "more bytes wait than came");
        }
      });
    },
  };
}

function readMessage(frame: Uint8Array): void {
  const { type, payload } = splitFrame(frame);
  const message = decodeMessage(type, payload);
  if (message?.type !== "have" || message.bitfield === undefined) return;
  for (const run of decodeHaveRuns(message.bitfield, { maxBits: WANT_BLOCKS })) checkRun(run, 0);
}

function checkRun({ start, end }: { start: number; end: number }, from: number): void {
  assert.ok(start >= from && end > start && end <= WANT_BLOCKS, `run ${start} to ${end}`);
}

/** The bitfield of a Have by itself: what comes out goes in again and comes out the same. */
export function bitfieldTarget(): ParserTarget {
  const { examples } = readVector<{ examples: { encoded: string }[] }>("bitfield-rle.json");
  const samples = examples.map(({ encoded }) => fromHex(encoded)).filter(({ length }) => length > 0)
    .map((bytes) => bytes.slice(0, 200));
  return {
    name: "bitfield",
    samples,
    maxBytes: 200,
    run(bytes) {
      const runs = refusing(
        RemoteProtocolError,
        () => [...decodeHaveRuns(bytes, { maxBits: WANT_BLOCKS })],
      );
      if (runs === undefined) return;
      let from = 0;
      for (const run of runs) {
        checkRun(run, from);
        from = run.end + 1;
      }
      const again = [
        ...decodeHaveRuns(encodeHaveRuns(runs, WANT_BLOCKS), { maxBits: WANT_BLOCKS }),
      ];
      assert.equal(again.length, runs.length);
      assert.equal(again.at(-1)?.end, runs.at(-1)?.end);
    },
  };
}

/** Blocks of the metadata feed, and the paths in them. */
export function entriesTarget(): ParserTarget {
  const { trees } = readVector<{ trees: { metadata: { bytes: string }[] }[] }>("metadata.json");
  const samples = trees.flatMap(({ metadata }) => metadata)
    .map(({ bytes }) => fromHex(bytes).slice(0, MAX_BYTES));
  return {
    name: "entries",
    samples,
    maxBytes: MAX_BYTES,
    run(bytes, random) {
      const seq = random.below(1000);
      refusing(ArchiveError, () => decodeIndex(bytes));
      refusing(ArchiveError, () => childList(bytes, seq, random.below(4)));
      const entry = refusing(ArchiveError, () => decodeEntry(bytes, seq));
      if (entry === undefined) return;
      refusing(ArchiveError, () => {
        for (const list of decodeChildren(entry.paths, seq)) {
          for (const child of list) assert.ok(child < seq || child === seq, `child ${child}`);
        }
      });
      const safe = safePath(entry.path, { windows: random.below(2) === 0 });
      if (safe.kind === "refused") return;
      for (const name of safe.components) {
        assert.ok(name !== "" && name !== "." && name !== ".." && !/[/\\\0]/.test(name), name);
      }
      assert.notEqual(safe.components[0].toLowerCase(), ".dat");
    },
  };
}

/** Packets of multicast DNS and of dat's DNS servers. */
export function dnsTarget(): ParserTarget {
  const { packets } = readVector<{ packets: { raw: string }[] }>("mdns.json");
  const name = `${LABEL}.dat.local`;
  const peers = Buffer.from(Uint8Array.from({ length: 60 }, (_, n) => n)).toString("base64");
  const answer = packet.encode({
    type: "response",
    id: 7,
    answers: [{ type: "TXT", name, data: [`token=${"a".repeat(32)}`, `peers=${peers}`] }],
  });
  const samples = [
    ...packets.map(({ raw }) => fromHex(raw)),
    encodeProbe(1, "discovery1.example"),
    encodeRequest(2, { name, token: "t", subscribe: true, announce: 3282 }),
    encodeHyperswarmAnswer({
      label: LABEL,
      port: 1,
      id: new Uint8Array(32),
      asker: "127.0.0.1",
    }),
    new Uint8Array(answer),
  ];
  return {
    name: "dns",
    samples,
    maxBytes: MAX_BYTES,
    run(bytes) {
      for (const item of readItems(bytes)) {
        if (item.kind === "peers") assert.ok(item.peers.length <= MAX_PEERS_PER_ANSWER);
      }
      const message = decodePacket(bytes);
      if (message === undefined) return;
      const found = answeredValues(message, name)?.get("peers");
      if (found !== undefined) {
        for (const { port } of decodePeers(found)) assert.ok(port >= 0 && port < 65536);
      }
    },
  };
}

/** Packets of both DHTs. */
export function dhtTarget(): ParserTarget {
  const id = "i".repeat(20);
  const samples = [
    `d1:ad2:id20:${id}e1:q4:ping1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${id}6:target20:${id}e1:q9:find_node1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${id}9:info_hash20:${id}e1:q9:get_peers1:t2:aa1:y1:qe`,
    `d1:rd2:id20:${id}5:nodes26:${"n".repeat(26)}e1:t2:aa1:y1:re`,
    `d1:rd2:id20:${id}5:token1:x6:valuesl6:abcdefee1:t2:aa1:y1:re`,
    "d1:eli201e4:oopse1:t2:aa1:y1:ee",
  ].map(toUtf8);
  const hyper = Uint8Array.of(8, 3, 16, 200, 1, 26, 4, 1, 2, 3, 4, 34, 3, 9, 9, 9, 56, 1);
  return {
    name: "dht",
    samples: [...samples, hyper],
    maxBytes: MAX_BYTES,
    run(bytes) {
      readBencode(bytes);
      kindOfKrpc(bytes);
      isHyperdhtAnswer(bytes);
    },
  };
}

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

/** Patterns of `.datignore`. */
export function patternsTarget(): ParserTarget {
  const samples = [
    "**/*.log\nnode_modules",
    "!keep/{a,b}*",
    "[a-z]?/+(x|y)",
    "*.txt\r\n!!a",
    "(",
    "a**b/**",
  ]
    .map(toUtf8);
  const paths = ["a/b/c.log", `${"a".repeat(60)}/x`, "keep/b", ".hidden", "x".repeat(120)];
  return {
    name: "patterns",
    samples,
    maxBytes: 120,
    run(bytes) {
      const datignore = new TextDecoder().decode(bytes);
      const isIgnored = refusing(
        UsageError,
        () => compileIgnore({ datignore, isDirectory: () => false, ignoreHidden: true }),
      );
      if (isIgnored === undefined) return;
      for (const path of paths) isIgnored(path);
      assert.equal(isIgnored(".dat/x"), true);
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

export const PARSER_TARGETS: Readonly<Record<string, () => ParserTarget>> = {
  frames: framesTarget,
  bitfield: bitfieldTarget,
  entries: entriesTarget,
  dns: dnsTarget,
  dht: dhtTarget,
  names: namesTarget,
  patterns: patternsTarget,
  websocket: webSocketTarget,
  proxies: proxiesTarget,
};
