import assert from "node:assert/strict";
import { toHex } from "../../src/base/bytes.ts";
import { hyperswarmDht } from "../../src/discovery/hyperswarm_dht.ts";
import type { HyperdhtAnswer } from "../../src/discovery/hyperdht.ts";
import { Topic } from "../../src/discovery/topic.ts";
import { LOOPBACK, own } from "../support/dht.ts";
import { HostileNode } from "../support/hostile_node.ts";
import { HyperswarmNetwork } from "../support/hyperswarm_dht.ts";
import { tempFolder } from "../support/temp.ts";

const TOPIC = new Topic(new Uint8Array(32).fill(0xcd));

Deno.test("Two that know the same hyperswarm DHT find each other, until one leaves", async () => {
  await using network = await HyperswarmNetwork.open(5);
  const make = hyperswarmDht({ bootstrap: network.bootstrap, host: LOOPBACK });
  await using sharer = own(make);
  const announced = network.heard("announce");
  sharer.source.join(TOPIC, { lookup: true, announce: 3282 });
  await announced;
  await using cloner = own(make);
  cloner.source.join(TOPIC, { lookup: true, announce: undefined });
  await cloner.heard.until(() => cloner.heard.told.length > 0);
  assert.equal(cloner.heard.told[0], `cd ${LOOPBACK}:3282 ${LOOPBACK}`);
  assert.match(cloner.source.stateOf(TOPIC).message, /^\d nodes? answered, [01] address(es)?$/);
  const gone = network.heard("unannounce");
  sharer.source.leave(TOPIC);
  await gone;
});

Deno.test("@hyperswarm/dht finds what we announce, and we what it announces", async () => {
  await using network = await HyperswarmNetwork.open(4);
  const target = Buffer.from(TOPIC.discoveryKey);
  const [, , theirs, other] = network.nodes;
  await new Promise<void>((done) => {
    theirs.announce(target, { port: 4001 }).on("data", () => {});
    network.heard("announce").then(done);
  });
  await using ours = own(hyperswarmDht({ bootstrap: network.bootstrap, host: LOOPBACK }));
  const announced = network.heard("announce");
  ours.source.join(TOPIC, { lookup: true, announce: 3282 });
  await Promise.all([announced, ours.heard.until(() => ours.heard.told.length > 0)]);
  assert.equal(ours.heard.told[0], `cd ${LOOPBACK}:4001 ${LOOPBACK}`);
  const ports = new Set<number>();
  await new Promise<void>((done) => {
    const query = other.lookup(target, {});
    query.on("data", ({ peers }: HyperdhtAnswer) => peers?.forEach(({ port }) => ports.add(port)));
    query.on("end", done);
  });
  assert.deepEqual([...ports].sort(), [3282, 4001]);
});

Deno.test("A restart needs no bootstrap node of hyperswarm", async () => {
  using temp = tempFolder();
  await using network = await HyperswarmNetwork.open(3);
  {
    const options = { bootstrap: network.bootstrap, host: LOOPBACK, folder: temp.path };
    await using first = own(hyperswarmDht(options));
    first.source.join(TOPIC, { lookup: true, announce: undefined });
    await first.heard.until(() => first.source.stateOf(TOPIC).state === "working");
  }
  assert.ok(Deno.readTextFileSync(temp.join("hyperswarm-nodes.json")).includes(LOOPBACK));
  await using second = own(hyperswarmDht({ bootstrap: [], host: LOOPBACK, folder: temp.path }));
  second.source.join(TOPIC, { lookup: true, announce: undefined });
  await second.heard.until(() => second.source.stateOf(TOPIC).state === "working");
});

Deno.test("What is asked is byte for byte what the specification has", async () => {
  const packets: string[] = [];
  await using node = await HostileNode.open((packet) => {
    const text = toHex(packet);
    packets.push(text);
    // The answer of a node that knows nobody: version, response, the same number, its id.
    const rid = /^58010801(10(?:[89a-f].){0,2}..)5206/.exec(text)![1];
    const answer = `58010803${rid}1a20${"ab".repeat(32)}`;
    return [Uint8Array.from(answer.match(/../g)!, (hex) => parseInt(hex, 16))];
  });
  await using ours = own(hyperswarmDht({ bootstrap: node.bootstrap, host: LOOPBACK }));
  ours.source.join(TOPIC, { lookup: true, announce: 3282 });
  await ours.heard.until(() => packets.some((packet) => packet.includes("7065657273")));
  const to = `7f000001${node.port.toString(16).padStart(4, "0")}`;
  // Source: spec of discovery, section 7; number and address differ.
  const expected = new RegExp(
    `^5801080110(?:[89a-f].){0,2}[0-7].5206${to}2220(?:cd){32}3a0570656572734a0308d219$`,
  );
  const [first] = packets.filter((packet) => packet.includes("7065657273"));
  assert.match(first, expected);
});
