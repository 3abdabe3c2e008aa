import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import packet from "dns-packet";
import fc from "fast-check";
import { fromHex } from "../../src/base/bytes.ts";
import {
  encodeDatAnswer,
  encodeDatQuestion,
  encodeHyperswarmAnswer,
  encodeHyperswarmQuestion,
  type Item,
  markOf,
  readItems,
} from "../../src/discovery/mdns_packets.ts";
import { Topic } from "../../src/discovery/topic.ts";
import * as hyperswarm from "../support/hyperswarm_packets.ts";
import { assertSameBytes } from "../support/same_bytes.ts";
import { readVector } from "../support/vectors.ts";

interface MdnsVectors {
  readonly discoveryKey: string;
  readonly packets: {
    readonly raw: string;
    readonly type: string;
    readonly txt: { token: string; peers: string }[];
    readonly peers: { host: string; port: number }[][];
  }[];
}

const VECTORS = readVector<MdnsVectors>("mdns.json");
const LABEL = new Topic(fromHex(VECTORS.discoveryKey)).label;
const DAT = `${LABEL}.dat.local`;
const HYPERSWARM = `${LABEL}.hyperswarm.local`;

Deno.test("Every packet of real dat 13 peers is understood, and written again byte for byte", () => {
  assert.equal(VECTORS.packets.length, 5);
  for (const { raw, type, txt, peers } of VECTORS.packets) {
    const bytes = fromHex(raw);
    if (type === "query") {
      const question = { kind: "question", dialect: "dat", label: LABEL, type: "TXT" };
      assert.deepEqual(readItems(bytes), [{ ...question, mark: undefined }]);
      assertSameBytes(encodeDatQuestion(LABEL), bytes);
      continue;
    }
    const [{ token }] = txt;
    const [[{ port }]] = peers;
    const said = { kind: "peers", dialect: "dat", label: LABEL, mark: token };
    assert.deepEqual(readItems(bytes), [{ ...said, peers: [{ host: undefined, port }] }]);
    const answer = { label: LABEL, port, token, address: undefined };
    assertSameBytes(encodeDatAnswer({ ...answer, types: ["TXT"] }), bytes);
  }
});

Deno.test("The question of the older dialect has the bytes of the specification", () => {
  const label = "e4bbed90872ba99de7f01f3bd05cd8c94127a4dd";
  const text = new TextEncoder().encode(label);
  const expected = [
    ...fromHex("00000000000100000000000028"),
    ...text,
    ...fromHex("03646174056c6f63616c0000100001"),
  ];
  assertSameBytes(encodeDatQuestion(label), new Uint8Array(expected));
});

Deno.test("Every packet of real dat 14 peers is understood, and written again byte for byte", () => {
  const { TOPIC: { label }, ID } = hyperswarm;
  const about = { dialect: "hyperswarm", label } as const;
  assertSameBytes(encodeHyperswarmQuestion(label), hyperswarm.QUESTION);
  assert.deepEqual(readItems(hyperswarm.QUESTION), [
    { kind: "question", ...about, type: "SRV", mark: undefined },
  ]);
  const said: Item = {
    ...{ kind: "peers", ...about, mark: markOf(ID) },
    peers: [{ host: undefined, port: 3282 }],
  };
  const answer = { label, port: 3282, id: ID };
  assertSameBytes(
    encodeHyperswarmAnswer({ ...answer, asker: undefined }),
    hyperswarm.ANNOUNCEMENT,
  );
  assertSameBytes(encodeHyperswarmAnswer({ ...answer, asker: "127.0.0.1" }), hyperswarm.ANSWER);
  assert.deepEqual(readItems(hyperswarm.ANNOUNCEMENT), [said]);
  assert.deepEqual(readItems(hyperswarm.ANSWER), [said]);
});

Deno.test("Who asks in the newer dialect may say who it is", () => {
  const id = Buffer.concat([Buffer.from("id="), Buffer.from(hyperswarm.ID)]);
  const bytes = packet.encode({
    type: "query",
    questions: [{ type: "SRV", name: HYPERSWARM }],
    answers: [{ type: "TXT", name: HYPERSWARM, data: [id] }],
  });
  const question = { kind: "question", dialect: "hyperswarm", label: LABEL, type: "SRV" };
  assert.deepEqual(readItems(bytes), [{ ...question, mark: markOf(hyperswarm.ID) }]);
});

Deno.test("Each type that was asked for is answered in one packet", () => {
  const about = { label: LABEL, port: 3283, token: "AAAA" };
  const decode = (address: string | undefined) =>
    packet.decode(Buffer.from(
      encodeDatAnswer({ ...about, types: ["SRV", "A", "TXT"], address }),
    ));
  const { questions, answers, flags, type } = decode("10.0.0.1");
  assert.deepEqual([type, flags], ["response", packet.AUTHORITATIVE_ANSWER]);
  assert.deepEqual(questions.map((one: { type: string }) => one.type), ["SRV", "A", "TXT"]);
  assert.deepEqual(answers[0].data, { priority: 0, weight: 0, port: 3283, target: "0.0.0.0" });
  assert.equal(answers[1].data, "10.0.0.1");
  assert.deepEqual(answers[2].data.map(String), ["token=AAAA", "peers=AAAAAAzT"]);
  assert.deepEqual(
    decode(undefined).answers.map((one: { type: string }) => one.type),
    ["SRV", "TXT"],
  );
});

Deno.test("Peers come in SRV records too, in answers and behind them, and in queries of dat 13", () => {
  const srv = (name: string, target: string, port: number) => ({
    ...{ type: "SRV", name, data: { target, port } },
  });
  const records = {
    answers: [srv(DAT, "0.0.0.0", 0), srv(DAT, "peer.example", 1), srv(HYPERSWARM, "1.2.3.4", 5)],
    additionals: [srv(DAT, "10.0.0.9", 3282), srv(HYPERSWARM, "10.0.0.9", 6)],
  };
  const read = (type: string) =>
    readItems(packet.encode({ type, ...records })).map((item) =>
      item.kind === "peers" ? [item.dialect, ...item.peers.map(Object.values)] : item
    );
  const dat = [["dat", [undefined, undefined]], ["dat"], ["dat", ["10.0.0.9", 3282]]];
  assert.deepEqual(read("query"), dat);
  assert.deepEqual(read("response"), [...dat, ["hyperswarm", ["1.2.3.4", 5]]]);
});

const TXT_OF_DAT: Record<string, [strings: (string | Uint8Array)[], peers: unknown[]]> = {
  "nothing": [[], []],
  "no base64": [["peers=%%%"], []],
  "half an entry behind a whole one": [["peers=CgAAAQzSCgAA"], [["10.0.0.1", 3282]]],
  "a string without a value": [["peers", "x"], []],
  "100 peers of 101": [
    [`peers=${Buffer.from(new Uint8Array(606).fill(1)).toString("base64")}`],
    Array(100).fill(["1.1.1.1", 257]),
  ],
};
for (const [what, [data, peers]] of Object.entries(TXT_OF_DAT)) {
  Deno.test(`A TXT record with ${what}`, () => {
    const answers = [{ type: "TXT", name: DAT, data }];
    const [item] = readItems(packet.encode({ type: "response", answers }));
    assert.ok(item.kind === "peers");
    assert.deepEqual(item.peers.map(Object.values), peers);
  });
}

Deno.test("Names of other domains, types and lengths say nothing", () => {
  const names = ["dat.local", `x.${DAT}`, `${LABEL}.example.local`, `${LABEL}0.dat.local`, "."];
  for (const name of names) {
    const answers = [{ type: "TXT", name, data: ["peers=CgAAAQzS"] }];
    assert.deepEqual(readItems(packet.encode({ type: "response", answers })), []);
    const questions = [{ type: "TXT", name }];
    assert.deepEqual(readItems(packet.encode({ type: "query", questions })), []);
  }
  const questions = [{ type: "PTR", name: DAT }, { type: "TXT", name: DAT.toUpperCase() }];
  assert.equal(readItems(packet.encode({ type: "query", questions })).length, 1);
  const long = Buffer.alloc(1501);
  encodeDatQuestion(LABEL).forEach((byte, at) => long[at] = byte);
  assert.deepEqual(readItems(long), []);
});

const HEADER = "000084000000";
const BROKEN: Record<string, string> = {
  "nothing": "",
  "a header alone that claims 65535 of everything": "00008400" + "ffff".repeat(4),
  "a name that points at itself": `${HEADER}000100000000` + "c00c00100001000000000000",
  "a name that points forward": `${HEADER}000100000000` + "c01000100001000000000000",
  "two names that point at each other": `${HEADER}000200000000` + "c00e" + "c00c" +
    "00100001000000000000".repeat(2),
  "a label that leads out of the packet": `${HEADER}000100000000` + "3f6161616161616161616161",
  "a label of a kind that does not exist": `${HEADER}000100000000` + "80".repeat(12),
  "a record that leads out of the packet": `${HEADER}000100000000` + "0000100001000000000fff",
};
for (const [what, hex] of Object.entries(BROKEN)) {
  Deno.test(`${what} is no packet`, () => assert.deepEqual(readItems(fromHex(hex)), []));
}

const SAMPLES = [
  ...VECTORS.packets.map(({ raw }) => fromHex(raw)),
  ...[hyperswarm.QUESTION, hyperswarm.ANNOUNCEMENT, hyperswarm.ANSWER],
];

Deno.test("Random packets, and real ones with bytes changed, cut off or doubled, never throw", () => {
  const changed = fc.tuple(
    fc.constantFrom(...SAMPLES),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
    fc.nat(),
    fc.boolean(),
  ).map(([sample, changes, end, doubled]) => {
    const bytes = new Uint8Array([...sample, ...(doubled ? sample : [])]);
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes.subarray(0, 1 + end % bytes.length);
  });
  const random = fc.uint8Array({ maxLength: 1500 });
  fc.assert(
    fc.property(fc.oneof(changed, random), (bytes) => {
      let peers = 0;
      for (const item of readItems(bytes)) {
        assert.match(item.label, /^[0-9a-f]{40}$/);
        if (item.kind === "peers") peers += item.peers.length;
      }
      assert.ok(peers <= bytes.length);
    }),
    { seed: 50, numRuns: 3000 },
  );
});

Deno.test("The worst chain of names in a packet takes a bounded number of steps", () => {
  // Pointers that each lead to the one before, and as many records as fit that all follow them.
  const bytes = new Uint8Array(1500);
  const view = new DataView(bytes.buffer);
  const start = 12 + 11;
  const pointers = 360;
  for (let i = 0; i < pointers; i++) {
    view.setUint16(start + 2 * i, 0xc000 | (i === 0 ? 12 : start + 2 * (i - 1)));
  }
  const records = Math.floor((1500 - start - 2 * pointers) / 12);
  view.setUint16(2, 0x8400);
  view.setUint16(6, 1 + records);
  view.setUint16(12 + 9, 2 * pointers); // the first record's data holds the pointers
  for (let i = 0; i < records; i++) {
    const at = start + 2 * pointers + 12 * i;
    view.setUint16(at, 0xc000 | (start + 2 * (pointers - 1)));
    view.setUint16(at + 2, 16);
  }
  const before = performance.now();
  for (let i = 0; i < 20; i++) assert.deepEqual(readItems(bytes), []);
  assert.ok(performance.now() - before < 2000, "20 of them within two seconds");
});
