import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import packet from "dns-packet";
import { concat, fromHex } from "../../src/base/bytes.ts";
import {
  encodeDatAnswer,
  encodeDatQuestion,
  encodeHyperswarmAnswer,
  encodeHyperswarmQuestion,
  readItems,
} from "../../src/discovery/mdns_packets.ts";
import { QUESTIONS_PER_MINUTE } from "../../src/discovery/mdns_topic.ts";
import { Topic } from "../../src/discovery/topic.ts";
import { MdnsNetwork } from "../support/mdns_network.ts";
import { assertSameBytes } from "../support/same_bytes.ts";
import { readVector } from "../support/vectors.ts";

const TOPIC = new Topic(new Uint8Array(32).fill(7));
const OTHER = new Topic(new Uint8Array(32).fill(9));
const DIALECTS = ["dat", "hyperswarm"] as const;
const LOOKUP = { lookup: true, announce: undefined };
const announced = (port: number, lookup = false) => ({ lookup, announce: port });

/** Times between one packet and the next, in milliseconds. */
function gaps(sent: readonly { readonly at: number }[]): number[] {
  return sent.slice(1).map(({ at }, i) => at - sent[i].at);
}

Deno.test("Who looks finds who announced before, in both dialects at once", async () => {
  const network = new MdnsNetwork();
  const [a, b] = [network.peer("10.0.0.1"), network.peer("10.0.0.2")];
  a.source.join(TOPIC, announced(3282));
  network.wait(10_000);
  b.source.join(TOPIC, LOOKUP);
  network.wait(1000);
  assert.deepEqual(b.found, Array(2).fill("07 10.0.0.1:3282 from 10.0.0.1"));
  assert.deepEqual(a.found, []);
  await Promise.all([a.source.close(), b.source.close()]);
});

Deno.test("Who waits hears at once of who announces later, in both dialects", async () => {
  const network = new MdnsNetwork();
  const [a, b] = [network.peer("10.0.0.1"), network.peer("10.0.0.2")];
  a.source.join(TOPIC, LOOKUP);
  network.wait(1000);
  for (const [i, interest] of [announced(3282), announced(3283)].entries()) {
    b.source.join(TOPIC, interest); // the second time with another port
    network.wait(1500);
    assert.deepEqual(a.found, [
      ...Array(2).fill("07 10.0.0.2:3282 from 10.0.0.2"),
      ...Array(2 * i).fill("07 10.0.0.2:3283 from 10.0.0.2"),
    ]);
  }
  for (const dialect of DIALECTS) assert.equal(network.sent("peers", dialect).length, 2);
  await Promise.all([a.source.close(), b.source.close()]);
});

Deno.test("What a source sends first has the bytes that others send", async () => {
  const network = new MdnsNetwork();
  const { source } = network.peer("10.0.0.1");
  source.join(TOPIC, announced(3282, true));
  network.wait(1000);
  const { label } = TOPIC;
  const { sent } = network.hub;
  assert.equal(sent.length, 4);
  assertSameBytes(sent[0].bytes, encodeDatQuestion(label));
  const [dat] = readItems(sent[1].bytes).slice(-1);
  assert.ok(dat.kind === "peers" && dat.mark !== undefined);
  assert.equal(Buffer.from(dat.mark, "base64").length, 32);
  const about = { label, port: 3282 };
  assertSameBytes(
    sent[1].bytes,
    encodeDatAnswer({ ...about, token: dat.mark, types: ["TXT"], address: undefined }),
  );
  assertSameBytes(sent[2].bytes, encodeHyperswarmQuestion(label));
  const [hyperswarm] = readItems(sent[3].bytes);
  assert.ok(hyperswarm.mark !== undefined);
  const id = fromHex(hyperswarm.mark);
  assert.equal(id.length, 32);
  assertSameBytes(sent[3].bytes, encodeHyperswarmAnswer({ ...about, id, asker: undefined }));
  assert.deepEqual(sent.map(({ port }) => port), Array(4).fill(5353));
  await source.close();
});

Deno.test("Answers of real dat 13 peers are understood", async () => {
  const { discoveryKey, packets } = readVector<{
    discoveryKey: string;
    packets: { raw: string }[];
  }>("mdns.json");
  const topic = new Topic(fromHex(discoveryKey));
  const network = new MdnsNetwork();
  const { source, found } = network.peer("10.0.0.1");
  source.join(topic, announced(4000, true));
  network.wait(1000);
  for (const { raw } of packets) network.hub.say(fromHex(raw), { host: "10.0.0.8" });
  const from = "10.0.0.8 from 10.0.0.8".split(" ");
  assert.deepEqual(
    found,
    [3282, 3282, 3283].map((port) => `e0 ${from[0]}:${port} from ${from[0]}`),
  );
  assert.deepEqual(source.stateOf(topic), {
    state: "working",
    message: "asked once, 1 host answered, 1 host asked for it",
  });
  await source.close();
});

Deno.test("A source does not find itself, and does not answer itself", async () => {
  const network = new MdnsNetwork();
  const { source, found } = network.peer("10.0.0.1");
  source.join(TOPIC, announced(3282, true));
  network.wait(600_000);
  for (const dialect of DIALECTS) assert.equal(network.sent("peers", dialect).length, 1, dialect);
  // Others ask: our answers come back, some with a mark and some without.
  const name = `${TOPIC.label}.dat.local`;
  for (const type of ["TXT", "SRV", "A"]) {
    network.hub.say(packet.encode({ questions: [{ type, name }] }), { host: "10.0.0.9" });
    network.wait(2000);
  }
  network.hub.say(encodeHyperswarmQuestion(TOPIC.label), { host: "10.0.0.9" });
  network.wait(2000);
  assert.equal(network.sent("peers", "dat").length, 3);
  assert.equal(network.sent("peers", "hyperswarm").length, 2);
  assert.deepEqual(found, []);
  await source.close();
});

Deno.test("Programs of one host find each other, also when they begin at the same moment", async () => {
  const network = new MdnsNetwork();
  const peers = [network.peer("10.0.0.1"), network.peer("10.0.0.1")];
  for (const [i, { source }] of peers.entries()) source.join(TOPIC, announced(3282 + i, true));
  network.wait(2500);
  for (const [i, { found }] of peers.entries()) {
    assert.deepEqual(new Set(found), new Set([`07 10.0.0.1:${3283 - i} from 10.0.0.1`]));
  }
  await Promise.all(peers.map(({ source }) => source.close()));
});

Deno.test("An answer goes to the port that was asked from in dat's dialect, to 5353 in the other", async () => {
  const network = new MdnsNetwork();
  const { source } = network.peer("10.0.0.1");
  source.join(TOPIC, announced(3282));
  network.wait(2000);
  network.hub.sent.length = 0;
  network.hub.say(encodeDatQuestion(TOPIC.label), { host: "10.0.0.9", port: 4444 });
  network.hub.say(encodeHyperswarmQuestion(TOPIC.label), { host: "10.0.0.9", port: 4444 });
  network.wait(100);
  assert.deepEqual(network.sent("peers", "dat").map(({ port }) => port), [4444]);
  assert.deepEqual(network.sent("peers", "hyperswarm").map(({ port }) => port), [5353]);
  const [{ bytes }] = network.sent("peers", "hyperswarm");
  const referrer = packet.decode(Buffer.from(bytes)).answers[2];
  assert.deepEqual([referrer.name, referrer.data], ["referrer.hyperswarm.local", "10.0.0.9"]);
  await source.close();
});

Deno.test("Who asks for an address is told the one on its own network", async () => {
  const network = new MdnsNetwork();
  const { source, host } = network.peer("10.0.0.1");
  host.list = [...host.list, { name: "wlan0", address: "192.168.7.1", netmask: "255.255.255.0" }];
  source.join(TOPIC, announced(3282));
  network.wait(2000);
  network.hub.sent.length = 0;
  const questions = [{ type: "A", name: `${TOPIC.label}.dat.local` }];
  network.hub.say(packet.encode({ questions }), { host: "192.168.7.30" });
  network.wait(100);
  const answers = network.hub.sent.map(({ bytes }) => packet.decode(Buffer.from(bytes)).answers);
  assert.deepEqual(answers.flat().map(({ data }) => data), ["192.168.7.1", "192.168.7.1"]);
  await source.close();
});

Deno.test("A name is answered once a second however often it is asked, and the last asker is not forgotten", async () => {
  const network = new MdnsNetwork();
  const { source } = network.peer("10.0.0.1");
  source.join(TOPIC, announced(3282));
  network.wait(5000);
  network.hub.sent.length = 0;
  for (let i = 0; i < 500; i++) {
    network.hub.say(encodeDatQuestion(TOPIC.label), { host: `10.0.0.${2 + i % 200}` });
    network.hub.say(encodeHyperswarmQuestion(TOPIC.label), { host: "10.0.0.9" });
    network.wait(3);
  }
  const last = network.clock.now();
  network.wait(5000);
  for (const dialect of DIALECTS) {
    const sent = network.sent("peers", dialect);
    assert.equal(sent.length, 4, dialect); // at 0, 1, 2 and 3 s
    assert.ok(gaps(sent).every((gap) => gap >= 1000), `${gaps(sent)}`);
    assert.ok(sent[3].at > last);
  }
  await source.close();
});

Deno.test("Nothing is said of what is not announced, and of what was left", async () => {
  const network = new MdnsNetwork();
  const { source, found } = network.peer("10.0.0.1");
  source.join(TOPIC, LOOKUP);
  source.join(OTHER, announced(3282));
  network.wait(2000);
  network.hub.sent.length = 0;
  const ask = (topic: Topic) => {
    network.hub.say(encodeDatQuestion(topic.label), { host: "10.0.0.9" });
    network.hub.say(encodeHyperswarmQuestion(topic.label), { host: "10.0.0.9" });
  };
  ask(TOPIC);
  ask(new Topic(new Uint8Array(32).fill(1)));
  network.hub.say(packet.encode({ questions: [{ type: "TXT", name: "dat.local" }] }), {
    host: "10.0.0.9",
  });
  network.wait(2000);
  assert.equal(network.hub.sent.length, 0);
  ask(OTHER);
  network.wait(500);
  ask(OTHER); // to be answered when the second is over
  assert.equal(network.hub.sent.length, 2);
  source.leave(OTHER);
  ask(OTHER);
  source.leave(TOPIC);
  const answer = { label: TOPIC.label, port: 1, token: "AAAA", address: undefined };
  network.hub.say(encodeDatAnswer({ ...answer, types: ["TXT"] }), { host: "10.0.0.9" });
  network.wait(200_000);
  assert.equal(network.hub.sent.length, 2);
  assert.deepEqual(found, []);
  await source.close();
  assert.equal(network.clock.timers, 0);
});

Deno.test("No longer announced is no longer answered, and looked for still", async () => {
  const network = new MdnsNetwork();
  const { source } = network.peer("10.0.0.1");
  source.join(TOPIC, announced(3282, true));
  network.wait(2000);
  source.join(TOPIC, LOOKUP);
  network.hub.sent.length = 0;
  network.hub.say(encodeDatQuestion(TOPIC.label), { host: "10.0.0.9" });
  network.wait(120_000);
  assert.equal(network.sent("peers", "dat").length, 0);
  assert.ok(network.sent("question", "dat").length > 0);
  await source.close();
});

Deno.test("Questions are repeated as often as the dialects say", async () => {
  const network = new MdnsNetwork();
  const { source } = network.peer("10.0.0.1");
  source.join(TOPIC, announced(3282, true));
  source.join(OTHER, announced(3282));
  network.wait(3_600_000);
  for (const topic of [TOPIC, OTHER]) {
    const dat = gaps(network.sent("question", "dat", topic));
    assert.ok(dat.length >= 51 && dat.every((gap) => gap >= 60_000 && gap <= 70_040), `${dat}`);
    assert.ok(new Set(dat).size > 10, "they are spread");
  }
  const hyperswarm = gaps(network.sent("question", "hyperswarm", TOPIC));
  assert.ok(hyperswarm.every((gap) => gap >= 30_000 && gap <= 60_040), `${hyperswarm}`);
  assert.equal(network.sent("question", "hyperswarm", OTHER).length, 0);
  const all = network.hub.sent.filter(({ bytes }) =>
    readItems(bytes).some(({ kind, label }) => kind === "question" && label === TOPIC.label)
  );
  assert.ok(Math.abs(all.length / 60 - QUESTIONS_PER_MINUTE) < 0.1, `${all.length}`);
  await source.close();
});

Deno.test("A thousand archives are spread over time, and all have their turn", async () => {
  const network = new MdnsNetwork();
  const { source } = network.peer("10.0.0.1");
  const topics = Array.from({ length: 1000 }, (_, i) => {
    const key = new Uint8Array(32);
    new DataView(key.buffer).setUint32(0, i);
    return new Topic(key);
  });
  for (const topic of topics) source.join(topic, announced(3282, true));
  network.wait(90_000);
  const labels = network.hub.sent.flatMap(({ bytes }) =>
    readItems(bytes).map(({ label }) => label)
  );
  assert.equal(new Set(labels).size, 1000);
  assert.equal(network.hub.sent.length, 4000, "asked and announced in two dialects");
  assert.ok(gaps(network.hub.sent).every((gap) => gap >= 20), "50 a second at most");
  network.hub.sent.length = 0;
  network.wait(1_200_000);
  const perMinute = network.hub.sent.length / 20;
  assert.ok(perMinute > 500 && perMinute < 600, `${perMinute} packets a minute`);
  await source.close();
  assert.equal(network.clock.timers, 0);
});

Deno.test("A flood is not looked at, nor what comes from far away", async () => {
  const network = new MdnsNetwork();
  const { source, found } = network.peer("10.0.0.1");
  source.join(TOPIC, LOOKUP);
  network.wait(2000);
  const answer = { label: TOPIC.label, port: 1, token: "AAAA", address: undefined };
  const bytes = encodeDatAnswer({ ...answer, types: ["TXT"] });
  for (const host of ["8.8.8.8", "224.0.0.251", "10.0.0.9"]) network.hub.say(bytes, { host });
  network.hub.say(bytes, { host: "10.0.0.9", port: 0 });
  assert.deepEqual(found, ["07 10.0.0.9:1 from 10.0.0.9"]);
  network.wait(1000);
  found.length = 0;
  for (let i = 0; i < 3000; i++) network.hub.deliver(bytes, { host: "10.0.0.9", port: 5353 });
  network.wait(1);
  assert.equal(found.length, 1000);
  network.wait(1000);
  network.hub.say(bytes, { host: "10.0.0.9" });
  assert.equal(found.length, 1001);
  await source.close();
});

Deno.test("Who has a public address hears those of its own network", async () => {
  const network = new MdnsNetwork();
  const { source, found } = network.peer("5.6.7.8");
  source.join(TOPIC, LOOKUP);
  network.wait(2000);
  const answer = { label: TOPIC.label, port: 1, token: "AAAA", address: undefined };
  const bytes = encodeDatAnswer({ ...answer, types: ["TXT"] });
  for (const host of ["5.6.8.9", "5.6.7.9"]) network.hub.say(bytes, { host });
  assert.deepEqual(found, ["07 5.6.7.9:1 from 5.6.7.9"]);
  await source.close();
});

Deno.test("Two packets in one are none, and one that asks and tells is both", async () => {
  const network = new MdnsNetwork();
  const { source, found } = network.peer("10.0.0.1");
  source.join(TOPIC, announced(3282, true));
  network.wait(5000);
  network.hub.sent.length = 0;
  const name = `${TOPIC.label}.dat.local`;
  const both = packet.encode({
    questions: [{ type: "TXT", name }, { type: "TXT", name }],
    additionals: [{ type: "SRV", name, data: { target: "10.0.0.77", port: 80 } }],
  });
  network.hub.say(concat([both, both]), { host: "10.0.0.9" });
  network.wait(5000);
  assert.deepEqual(found, ["07 10.0.0.77:80 from 10.0.0.9"]);
  assert.equal(network.sent("peers", "dat").length, 1);
  await source.close();
});
