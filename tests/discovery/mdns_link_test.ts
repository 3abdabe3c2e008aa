/** The multicast DNS source while its socket comes and goes, and what it tells people. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Discovery } from "../../src/discovery/discovery.ts";
import { MdnsSource } from "../../src/discovery/mdns.ts";
import { LOOK_MS } from "../../src/discovery/mdns_link.ts";
import {
  encodeDatAnswer,
  encodeDatQuestion,
  encodeHyperswarmAnswer,
  encodeHyperswarmQuestion,
} from "../../src/discovery/mdns_packets.ts";
import { Topic } from "../../src/discovery/topic.ts";
import { MdnsNetwork } from "../support/mdns_network.ts";

const TOPIC = new Topic(new Uint8Array(32).fill(7));
const OTHER = new Topic(new Uint8Array(32).fill(9));
const LOOKUP = { lookup: true, announce: undefined };

const ANSWER = encodeDatAnswer({
  ...{ label: TOPIC.label, port: 3282, token: "AAAA" },
  ...{ types: ["TXT"], address: undefined },
});

Deno.test("What is told of a topic that is looked for", async () => {
  const network = new MdnsNetwork();
  const { source, states } = network.peer("10.0.0.1");
  source.join(TOPIC, LOOKUP);
  const state = () => Object.values(source.stateOf(TOPIC)).join(": ");
  assert.equal(state(), "waiting: about to ask the local network");
  network.wait(1000);
  assert.equal(state(), "waiting: asked once, nobody answered");
  network.wait(240_000);
  assert.match(state(), /^waiting: asked [4-8] times, nobody answered$/);
  network.hub.say(ANSWER, { host: "10.0.0.2" });
  network.hub.say(ANSWER, { host: "10.0.0.2" });
  assert.match(state(), /^working: asked [4-8] times, 1 host answered$/);
  for (let i = 3; i < 250; i++) network.hub.say(ANSWER, { host: `10.0.0.${i}` });
  assert.match(state(), /^working: asked [4-8] times, 100 hosts or more answered$/);
  const told = states.filter((state, at) => state !== states[at - 1]);
  assert.deepEqual(told.slice(0, 1), ["asked once, nobody answered"]);
  assert.ok(told.length <= 1 + 100, "and then of each host, up to a limit");
  await source.close();
});

Deno.test("What is told of a topic that is announced", async () => {
  const network = new MdnsNetwork();
  const { source } = network.peer("10.0.0.1");
  source.join(TOPIC, { lookup: false, announce: 3282 });
  network.wait(1000);
  const state = () => Object.values(source.stateOf(TOPIC)).join(": ");
  assert.equal(state(), "waiting: announced, nobody asked for it");
  network.hub.say(encodeHyperswarmQuestion(TOPIC.label), { host: "10.0.0.2" });
  network.hub.say(encodeDatQuestion(TOPIC.label), { host: "10.0.0.3" });
  assert.equal(state(), "working: announced, 2 hosts asked for it");
  source.join(TOPIC, { lookup: true, announce: 3282 });
  network.wait(1000);
  assert.equal(state(), "working: asked once, nobody answered, 2 hosts asked for it");
  await source.close();
});

Deno.test("A port that is refused is told of, tried again, and asked through once it is there", async () => {
  const network = new MdnsNetwork();
  const { source, host, states } = network.peer("10.0.0.1");
  host.trouble = "UDP port 5353 is taken by a program that does not share it";
  source.join(TOPIC, LOOKUP);
  network.wait(100_000);
  assert.deepEqual(source.stateOf(TOPIC), { state: "failed", message: host.trouble });
  assert.equal(host.opened, 1 + Math.floor(100_000 / LOOK_MS));
  assert.equal(network.hub.sent.length, 0);
  host.trouble = undefined;
  source.join(OTHER, LOOKUP);
  network.wait(LOOK_MS + 1000);
  for (const topic of [TOPIC, OTHER]) {
    assert.equal(network.sent("question", "dat", topic).length, 1);
    assert.equal(source.stateOf(topic).message, "asked once, nobody answered");
  }
  assert.ok(states.includes("all"));
  await source.close();
});

Deno.test("Where packets cannot be sent that is told until one went out", async () => {
  const network = new MdnsNetwork();
  const { source, host, states } = network.peer("10.0.0.1");
  host.blocked = "multicast packets cannot be sent";
  source.join(TOPIC, LOOKUP);
  network.wait(100);
  for (let i = 0; i < 300; i++) {
    network.wait(333);
    assert.deepEqual(source.stateOf(TOPIC), { state: "failed", message: host.blocked });
  }
  host.blocked = undefined;
  states.length = 0;
  network.wait(LOOK_MS + 10);
  assert.deepEqual(source.stateOf(TOPIC), {
    state: "waiting",
    message: "asked once, nobody answered",
  });
  assert.ok(states.includes("all"));
  await source.close();
});

Deno.test("A network that comes later is used, and one that changes is asked anew", async () => {
  const network = new MdnsNetwork();
  const { source, host } = network.peer("10.0.0.1");
  const [eth0] = host.list;
  host.list = [];
  source.join(TOPIC, { lookup: true, announce: 3282 });
  network.wait(50_000);
  const none = "no network interface has an IPv4 address";
  assert.deepEqual(source.stateOf(TOPIC), { state: "failed", message: none });
  assert.equal(host.opened, 0);
  host.list = [eth0];
  network.wait(LOOK_MS + 1000);
  network.hub.say(ANSWER, { host: "10.0.0.2" });
  assert.equal(source.stateOf(TOPIC).state, "working");
  host.list = [{ ...eth0, address: "10.5.0.1" }];
  network.hub.sent.length = 0;
  network.wait(LOOK_MS);
  const own = network.hub.sent.filter(({ host }) => host === "10.5.0.1");
  assert.equal(own.length, 4, "asked and announced in two dialects");
  assert.equal(source.stateOf(TOPIC).state, "waiting");
  assert.equal(host.opened, 2);
  host.list = [];
  network.wait(LOOK_MS);
  assert.equal(source.stateOf(TOPIC).message, none);
  network.hub.sent.length = 0;
  network.wait(120_000);
  assert.equal(network.hub.sent.length, 0);
  await source.close();
  assert.equal(network.clock.timers, 0);
});

Deno.test("A source that is closed while it opens says and hears nothing", async () => {
  const network = new MdnsNetwork();
  const { source, host, found } = network.peer("10.0.0.1");
  source.join(TOPIC, { lookup: true, announce: 3282 });
  const closed = source.close();
  source.join(OTHER, LOOKUP);
  network.hub.say(ANSWER, { host: "10.0.0.2" });
  network.wait(100_000);
  await closed;
  await source.close();
  assert.deepEqual([host.opened, found.length, network.hub.sent.length], [1, 0, 0]);
  assert.equal(network.clock.timers, 0);
});

Deno.test("It is a source like others", async () => {
  const network = new MdnsNetwork();
  const found: string[] = [];
  const news: string[] = [];
  const discovery = new Discovery({
    timers: network.clock,
    random: () => 0,
    randomBytes: (length) => new Uint8Array(length),
    sources: { mdns: (context) => new MdnsSource(context, network.hub.host("10.0.0.1")) },
    onFound: ({ source, host, port }) => found.push(`${source} ${host}:${port}`),
    onNews: (_, { state, message, found }) => news.push(`${state}: ${message}, ${found} found`),
  });
  discovery.join(TOPIC, LOOKUP);
  network.wait(1000);
  network.hub.say(ANSWER, { host: "10.0.0.2" });
  network.hub.say(ANSWER, { host: "10.0.0.2" });
  assert.deepEqual(found, ["mdns 10.0.0.2:3282"]);
  assert.deepEqual(news, [
    "waiting: asked once, nobody answered, 0 found",
    "working: asked once, 1 host answered, 1 found",
  ]);
  await discovery.close();
});

Deno.test("Whatever comes in whatever order, a source throws nothing and says little", async () => {
  const { label } = TOPIC;
  const id = new Uint8Array(32).fill(3);
  const samples = [
    ANSWER,
    encodeDatQuestion(label),
    encodeHyperswarmQuestion(label),
    encodeHyperswarmAnswer({ label, port: 3282, id, asker: "10.0.0.1" }),
  ];
  const bytes = fc.oneof(
    fc.constantFrom(...samples),
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(fc.constantFrom(...samples), fc.nat(), fc.nat(255)).map(([sample, at, value]) => {
      const changed = sample.slice();
      changed[at % changed.length] = value;
      return changed;
    }),
  );
  const hosts = fc.constantFrom("10.0.0.1", "10.0.0.2", "127.0.0.1", "8.8.8.8", "::1", "", "x");
  const step = fc.record({
    bytes,
    host: hosts,
    port: fc.constantFrom(0, 1, 5353, 65535),
    wait: fc.integer({ min: 0, max: 400 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.nat(3), async (steps, kind) => {
      const network = new MdnsNetwork();
      const { source, found } = network.peer("10.0.0.1");
      source.join(TOPIC, {
        lookup: kind % 2 === 0,
        announce: kind > 0 ? 3282 : undefined,
      });
      for (const { bytes, host, port, wait } of steps) {
        network.hub.say(bytes, { host, port });
        network.wait(wait);
      }
      network.wait(2000);
      for (const dialect of ["dat", "hyperswarm"] as const) {
        const answers = network.sent("peers", dialect).map(({ at }) => at);
        assert.ok(answers.every((at, i) => i === 0 || at - answers[i - 1] >= 1000), `${answers}`);
      }
      assert.ok(found.length <= 4 * steps.length);
      await source.close();
      assert.equal(network.clock.timers, 0);
    }),
    { seed: 51, numRuns: 300 },
  );
});
