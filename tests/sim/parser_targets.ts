/** The readers of foreign bytes that need no files: wire, entries, discovery, patterns. */
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import packet from "dns-packet";
import { fromHex, toUtf8 } from "../../src/base/bytes.ts";
import { RemoteProtocolError, UsageError } from "../../src/base/errors.ts";
import { ArchiveError } from "../../src/core/archive/archive_error.ts";
import { childList, decodeChildren } from "../../src/core/archive/children.ts";
import { decodeEntry, decodeIndex } from "../../src/core/archive/entry.ts";
import { compileIgnore } from "../../src/core/archive/ignore_rules.ts";
import { safePath } from "../../src/core/archive/safe_path.ts";
import { WANT_BLOCKS } from "../../src/core/sync/limits.ts";
import { decodeMessage } from "../../src/core/wire/decode.ts";
import { FrameReader, MAX_FIRST_FRAME_BYTES, splitFrame } from "../../src/core/wire/frame.ts";
import { decodeHaveRuns, encodeHaveRuns } from "../../src/core/wire/have_bitfield.ts";
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
import { readVector } from "../support/vectors.ts";
import { recordedDirections } from "../support/wire_vectors.ts";
import { type ParserTarget, refusing } from "./parser_fuzz.ts";
import { httpTarget, namesTarget, proxiesTarget, webSocketTarget } from "./web_targets.ts";

/** Of a case, in bytes: longer ones find nothing that these do not. */
const MAX_BYTES = 600;

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

export const PARSER_TARGETS: Readonly<Record<string, () => ParserTarget>> = {
  frames: framesTarget,
  bitfield: bitfieldTarget,
  entries: entriesTarget,
  dns: dnsTarget,
  dht: dhtTarget,
  names: namesTarget,
  patterns: patternsTarget,
  websocket: webSocketTarget,
  http: httpTarget,
  proxies: proxiesTarget,
};
