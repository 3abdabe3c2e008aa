/** What nodes of the BitTorrent DHT may answer and ask, packet by packet. */
import assert from "node:assert/strict";
import { readBencode } from "../../src/discovery/bencode_check.ts";
import { MAX_ADDRESSES, MAX_ANSWERS } from "../../src/discovery/dht_node.ts";
import { KrpcNode } from "../../src/discovery/krpc_node.ts";
import { LOOPBACK } from "../support/dht.ts";
import { HostileNode, mutate } from "../support/hostile_node.ts";
import { Random } from "../support/random.ts";

const TARGET = new Uint8Array(20).fill(7);

/** A node that knows the host at a port of the loopback interface, and so takes that for its network. */
async function openNode(port: number): Promise<KrpcNode> {
  const node = await KrpcNode.open({
    host: LOOPBACK,
    now: () => performance.now(),
    randomBytes: (length) => new Uint8Array(length).fill(9),
  });
  await node.enter([{ host: LOOPBACK, port }], { signal: AbortSignal.abort(), onAnswer: () => {} });
  return node;
}

/** The bytes of a packet written as Latin-1 text. */
function packet(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

const latin = (bytes: ArrayLike<number>) => String.fromCharCode(...Array.from(bytes));
const string = (text: string) => `${text.length}:${text}`;

function transactionOf(question: Uint8Array): string {
  const fields = readBencode(question) as ReadonlyMap<string, Uint8Array>;
  return latin(fields.get("t")!);
}

function answer(
  question: Uint8Array,
  { id, nodes = "", values = [] }: { id: string; nodes?: string; values?: readonly string[] },
): Uint8Array {
  const listed = values.length === 0 ? "" : `6:valuesl${values.map(string).join("")}e`;
  return packet(
    `d1:rd2:id${string(id)}5:nodes${string(nodes)}5:token2:xx${listed}e` +
      `1:t${string(transactionOf(question))}1:y1:re`,
  );
}

Deno.test("Mutated answers and questions do no harm", async () => {
  const random = new Random("krpc");
  const id = "h".repeat(20);
  let isCalm = false;
  const values = ["\x08\x08\x04\x04\x0c\xd2"];
  await using hostile = await HostileNode.open((question) => {
    if (!latin(question).includes("1:y1:q")) return [];
    const good = answer(question, { id, nodes: id.slice(1) + "a\x7f\0\0\x01\0\x09", values });
    return isCalm ? [good] : [...Array(4)].map(() => mutate(good, random)).concat([good]);
  });
  await using node = await openNode(hostile.port).then((node) =>
    Object.assign(node, { [Symbol.asyncDispose]: () => node.close() })
  );
  const questions = [
    `d1:ad2:id20:${id}6:target20:${id}e1:q9:find_node1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${id}9:info_hash20:${id}e1:q9:get_peers1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${id}9:info_hash20:${id}4:porti1e5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe`,
  ].map(packet);
  const nodes = [{ host: LOOPBACK, port: hostile.port }];
  let answers = 0;
  for (let round = 0; round < 40; round++) {
    await node.enter(nodes, { signal: AbortSignal.timeout(100), onAnswer: () => answers++ });
    for (const question of questions) {
      for (let i = 0; i < 10; i++) hostile.send(mutate(question, random), node.port);
    }
    await node.visit({
      ...{ target: TARGET, announce: 3282, signal: AbortSignal.timeout(20) },
      onAnswer: () => answers++,
      onAddress: () => {},
    });
  }
  assert.ok(answers >= 30, `${answers} answers`);
  assert.ok(node.nodes().length < 500);
  // It is as good as new.
  isCalm = true;
  await node.enter(nodes, { signal: AbortSignal.timeout(100), onAnswer: () => {} });
  const found: string[] = [];
  await node.visit({
    ...{ target: TARGET, announce: undefined, signal: AbortSignal.timeout(1000) },
    onAnswer: () => {},
    onAddress: ({ host, port }, from) => found.push(`${host}:${port} ${from}`),
  });
  assert.ok(found.includes(`8.8.4.4:3282 ${LOOPBACK}`), found.join());
});

Deno.test("Nodes that name closer ones for ever, and addresses without number, are left alone", async () => {
  const hostiles: HostileNode[] = [];
  const ids: string[] = [];
  /** Three of them share no bit with the target, three one bit, and so on. */
  const idOf = (i: number) => {
    const id = Uint8Array.from(TARGET);
    const bit = Math.floor(i / 3);
    id[bit >> 3] ^= 0x80 >> (bit & 7);
    id[19] ^= i % 3;
    return latin(id);
  };
  for (let i = 0; i < MAX_ANSWERS + 100; i++) {
    ids.push(idOf(i));
    const values = [...Array(100)].map((_, n) => latin([8, i >> 8, i & 255, n, 1, 1]));
    hostiles.push(
      await HostileNode.open((question) => {
        const next = hostiles.slice(i + 1, i + 9).map(({ port }, n) =>
          ids[i + 1 + n] + latin([127, 0, 0, 1, port >> 8, port & 255])
        );
        return [answer(question, { id: ids[i], nodes: next.join(""), values })];
      }),
    );
  }
  const node = await openNode(hostiles[0].port);
  try {
    let [answers, addresses] = [0, 0];
    await node.visit({
      ...{ target: TARGET, announce: undefined, signal: AbortSignal.timeout(10_000) },
      onAnswer: () => answers++,
      onAddress: () => addresses++,
    });
    assert.equal(answers, MAX_ANSWERS);
    assert.equal(addresses, MAX_ADDRESSES);
    const asked = hostiles.filter(({ packets }) => packets > 0).length;
    assert.ok(asked < MAX_ANSWERS + 100, `${asked} were asked`);
  } finally {
    await node.close();
    for (const hostile of hostiles) await hostile[Symbol.asyncDispose]();
  }
});

Deno.test("A node may answer with its whole routing table, as bittorrent-dht does", async () => {
  await using second = await HostileNode.open((question) => [
    answer(question, { id: "2".repeat(20), values: ["\x08\x08\x04\x04\x0c\xd2"] }),
  ]);
  const entry = "2".repeat(20) + latin([127, 0, 0, 1, second.port >> 8, second.port & 255]);
  await using first = await HostileNode.open((question) => [
    answer(question, { id: "1".repeat(20), nodes: entry.repeat(200) }),
  ]);
  const node = await openNode(first.port);
  try {
    const found: string[] = [];
    await node.visit({
      ...{ target: TARGET, announce: undefined, signal: AbortSignal.timeout(5000) },
      onAnswer: () => {},
      onAddress: ({ host, port }) => found.push(`${host}:${port}`),
    });
    assert.deepEqual(found, ["8.8.4.4:3282"]);
  } finally {
    await node.close();
  }
});

Deno.test("An answer that nobody asked for does not get its sender into the routing table", async () => {
  await using stranger = await HostileNode.open(() => []);
  await using asker = await HostileNode.open(() => []);
  const node = await openNode(asker.port);
  try {
    stranger.send(packet(`d1:rd2:id20:${"s".repeat(20)}e1:t2:aa1:y1:re`), node.port);
    asker.send(packet(`d1:ad2:id20:${"a".repeat(20)}e1:q4:ping1:t2:ab1:y1:qe`), node.port);
    while (asker.packets === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(node.nodes(), [{ host: LOOPBACK, port: asker.port }]);
  } finally {
    await node.close();
  }
});
