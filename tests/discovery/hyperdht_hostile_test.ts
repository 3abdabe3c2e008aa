/** What nodes of hyperswarm's DHT may answer, packet by packet. */
import assert from "node:assert/strict";
import { concat, fromHex } from "../../src/base/bytes.ts";
import { MAX_ADDRESSES, MAX_ANSWERS } from "../../src/discovery/dht_node.ts";
import { isHyperdhtAnswer } from "../../src/discovery/hyperdht_check.ts";
import { HyperdhtNode } from "../../src/discovery/hyperdht_node.ts";
import { LOOPBACK } from "../support/dht.ts";
import { HostileNode, mutate } from "../support/hostile_node.ts";
import "../support/hyperswarm_dht.ts"; // for the timer that it starts
import { Random } from "../support/random.ts";

const TARGET = new Uint8Array(32).fill(0xcd);

/** A node that knows the host at a port of the loopback interface, and so takes that for its network. */
async function openNode(port: number) {
  const node = await HyperdhtNode.open({
    host: LOOPBACK,
    now: () => performance.now(),
    randomBytes: (length) => new Uint8Array(length).fill(9),
  });
  const nodes = [{ host: LOOPBACK, port }];
  await node.enter(nodes, { signal: AbortSignal.timeout(100), onAnswer: () => {} });
  return { node, nodes, [Symbol.asyncDispose]: () => node.close() };
}

/** A field of bytes of a protocol buffer. */
function field(number: number, bytes: Uint8Array): Uint8Array {
  const length = bytes.length < 128
    ? [bytes.length]
    : [bytes.length & 127 | 128, bytes.length >> 7];
  return concat([Uint8Array.of(number << 3 | 2, ...length), bytes]);
}

/** Version, type, and the number of the question. */
function headOf(question: Uint8Array, type: number): Uint8Array {
  const end = question.subarray(4).findIndex((byte, i) => i > 0 && byte < 128) + 5;
  return concat([Uint8Array.of(0x58, 1, 8, type), question.subarray(4, end)]);
}

const addressOf = (port: number) => Uint8Array.of(127, 0, 0, 1, port >> 8, port & 255);

function answer(
  question: Uint8Array,
  { id, nodes = [], peers }: {
    readonly id: Uint8Array;
    readonly nodes?: readonly Uint8Array[];
    readonly peers: Uint8Array;
  },
): Uint8Array {
  return concat([
    headOf(question, 3),
    field(3, id),
    field(5, concat(nodes)),
    field(6, new Uint8Array(32).fill(1)),
    field(9, field(1, peers)),
  ]);
}

Deno.test("isHyperdhtAnswer() lets in answers and nothing else", () => {
  const cases: [string, boolean][] = [
    ["580108031007", true],
    ["0803108080043202abcd", false],
    ["080310ffff033202abcd", true],
    ["580108011007", false], // a question
    ["580108021007", false], // an update
    ["58010803", false],
    ["", false],
    ["08", false],
    ["080310073a05", false],
    ["08031007" + "3a00".repeat(14), true],
    ["08031007" + "3a00".repeat(15), false],
  ];
  for (const [hex, isAnswer] of cases) assert.equal(isHyperdhtAnswer(fromHex(hex)), isAnswer, hex);
});

Deno.test("Mutated answers of hyperswarm nodes do no harm", async () => {
  const random = new Random("hyperdht");
  const id = new Uint8Array(32).fill(0xaa);
  let isCalm = false;
  await using hostile = await HostileNode.open((question) => {
    const nodes = [concat([id.subarray(1), Uint8Array.of(1), addressOf(9)])];
    const good = answer(question, { id, nodes, peers: Uint8Array.of(8, 8, 4, 4, 12, 210) });
    return isCalm ? [good] : [...Array(4)].map(() => mutate(good, random)).concat([good]);
  });
  await using opened = await openNode(hostile.port);
  const { node, nodes } = opened;
  let answers = 0;
  for (let round = 0; round < 40; round++) {
    await node.enter(nodes, { signal: AbortSignal.timeout(30), onAnswer: () => answers++ });
    await node.visit({
      ...{ target: TARGET, announce: 3282, signal: AbortSignal.timeout(30) },
      onAnswer: () => answers++,
      onAddress: () => {},
    });
    for (let i = 0; i < 20; i++) {
      hostile.send(mutate(headOf(Uint8Array.of(0, 0, 0, 0, 16, 7), 1), random), node.port);
    }
  }
  assert.ok(answers >= 40, `${answers} answers`);
  assert.ok(node.nodes().length < 500);
  // It is as good as new.
  isCalm = true;
  await node.enter(nodes, { signal: AbortSignal.timeout(100), onAnswer: () => {} });
  const found: string[] = [];
  await node.visit({
    ...{ target: TARGET, announce: undefined, signal: AbortSignal.timeout(500) },
    onAnswer: () => {},
    onAddress: ({ host, port }, from) => found.push(`${host}:${port} ${from}`),
  });
  assert.ok(found.includes(`8.8.4.4:3282 ${LOOPBACK}`), found.join());
});

Deno.test("Hyperswarm nodes that name closer ones for ever are left alone", async () => {
  const hostiles: HostileNode[] = [];
  /** Three of them share no bit with the target, three one bit, and so on: closer and closer. */
  const idOf = (i: number) => {
    const id = Uint8Array.from(TARGET);
    const bit = Math.floor(i / 3);
    id[bit >> 3] ^= 0x80 >> (bit & 7);
    id[31] ^= i % 3;
    return id;
  };
  for (let i = 0; i < MAX_ANSWERS + 100; i++) {
    const peers = concat([...Array(100)].map((_, n) => Uint8Array.of(8, i >> 8, i & 255, n, 1, 1)));
    hostiles.push(
      await HostileNode.open((question) => {
        const nodes = hostiles.slice(i + 1, i + 9)
          .map(({ port }, n) => concat([idOf(i + 1 + n), addressOf(port)]));
        return [answer(question, { id: idOf(i), nodes, peers })];
      }),
    );
  }
  try {
    await using opened = await openNode(hostiles[0].port);
    let [answers, addresses] = [0, 0];
    await opened.node.visit({
      ...{ target: TARGET, announce: undefined, signal: AbortSignal.timeout(20_000) },
      onAnswer: () => answers++,
      onAddress: () => addresses++,
    });
    assert.equal(answers, MAX_ANSWERS);
    assert.equal(addresses, MAX_ADDRESSES);
    const asked = hostiles.filter(({ packets }) => packets > 0).length;
    assert.ok(asked < MAX_ANSWERS + 100, `${asked} were asked`);
  } finally {
    for (const hostile of hostiles) await hostile[Symbol.asyncDispose]();
  }
});
