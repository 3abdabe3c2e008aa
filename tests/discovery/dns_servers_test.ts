import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeReceipt } from "../../src/discovery/dns_packets.ts";
import { DNS_PACKETS_PER_MINUTE } from "../../src/discovery/dns_servers.ts";
import { Topic } from "../../src/discovery/topic.ts";
import { DELAY_MS, DnsWorld } from "../support/dns_world.ts";

const TOPIC = new Topic(new Uint8Array(32).fill(7));
const OTHER = new Topic(new Uint8Array(32).fill(9));
const LOOK = { lookup: true, announce: undefined };
const SERVE = { lookup: true, announce: 3282 };
const ONE = "198.51.1.1";
const TWO = "198.51.1.2";
const SERVERS = [{ host: ONE, ports: [5300, 53] }, { host: TWO, ports: [5300, 53] }];
const topicOf = (i: number) => new Topic(new Uint8Array(32).fill(i).fill(i >> 8, 0, 1));

Deno.test("peers that announce an archive are found by those that look for it", () => {
  const world = new DnsWorld();
  const server = world.addServer(ONE);
  const owner = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  const peer = world.addSource("10.0.0.2", { servers: [SERVERS[0]] });
  owner.source.join(TOPIC, { lookup: false, announce: 3282 });
  world.run(1000);
  assert.deepEqual(server.log, ["probe", "announce"]);
  assert.equal(owner.stateOf(TOPIC), "working: asked 1 server, 1 answered");
  peer.source.join(TOPIC, LOOK);
  assert.equal(peer.stateOf(TOPIC), "waiting: asked 1 server, none answered yet");
  world.run(1000);
  assert.deepEqual(server.log.slice(2), ["probe", "subscribe"]);
  assert.deepEqual(peer.found, [`07 10.0.0.1:3282 by ${ONE}`]);
  assert.deepEqual(owner.found, []);
});

Deno.test("who announces an archive later is told of at once, and the server hears that we know", () => {
  const world = new DnsWorld();
  world.addServer(ONE);
  const peer = world.addSource("10.0.0.2", { servers: [SERVERS[0]] });
  peer.source.join(TOPIC, LOOK);
  peer.source.join(OTHER, LOOK);
  world.run(1000);
  const owner = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  owner.source.join(TOPIC, { lookup: false, announce: 3283 });
  const before = world.sent.length;
  world.run(10_000);
  assert.deepEqual(peer.found, [`07 10.0.0.1:3283 by ${ONE}`]);
  const pushes = world.sent.slice(before).filter(({ to }) => to === "10.0.0.2:40000");
  assert.equal(pushes.length, 1, "it was not pushed again");
});

Deno.test("an archive is asked for again after 60 to 70 seconds, and we are not found by ourselves", () => {
  const world = new DnsWorld();
  const server = world.addServer(ONE);
  const { source, found } = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  source.join(TOPIC, SERVE);
  world.run(59_000);
  assert.deepEqual(server.log, ["probe", "subscribe announce"]);
  world.run(12_000);
  assert.deepEqual(server.log.slice(2), ["subscribe announce"]);
  world.run(3600_000);
  assert.equal(server.log.filter((line) => line === "probe").length, 1, "answers renew the token");
  assert.ok(server.log.every((line) => !line.includes("wrong")));
  // One more every five minutes, when the server has a new secret.
  assert.ok(server.log.length > 3600 / 70 && server.log.length < 4 + 3600 / 60 + 12);
  assert.deepEqual(found, []);
});

Deno.test("a question is sent five times, then at the other port, and again after a minute", () => {
  const world = new DnsWorld();
  const peer = world.addSource("10.0.0.1", { servers: SERVERS.slice(0, 1) });
  peer.source.join(TOPIC, LOOK);
  peer.source.join(OTHER, LOOK);
  world.run(20_000);
  const times = (port: number) =>
    world.sent.filter(({ to }) => to === `${ONE}:${port}`).map(({ at }) => at);
  assert.deepEqual(times(5300), [0, 500, 1500, 3500, 7500]);
  assert.deepEqual(times(53), [0, 500, 1500, 3500, 7500].map((ms) => 7750 + ms));
  assert.equal(peer.stateOf(TOPIC), "failed: asked 1 server, none answered in 15.5 s");
  assert.deepEqual(peer.news, ["all"]);
  world.run(55_000);
  assert.equal(world.sent.length, 10);
  world.addServer(ONE);
  world.run(20_000);
  assert.equal(peer.stateOf(TOPIC), "working: asked 1 server, 1 answered");
  assert.equal(peer.stateOf(OTHER), "working: asked 1 server, 1 answered");
});

Deno.test("the port that answers is kept", () => {
  const world = new DnsWorld();
  const server = world.addServer(ONE, 53);
  const peer = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  peer.source.join(TOPIC, LOOK);
  world.run(10_000);
  assert.deepEqual(server.log, ["probe", "subscribe"]);
  peer.source.join(OTHER, LOOK);
  world.run(1000);
  assert.equal(server.log.length, 3);
  assert.equal(peer.stateOf(OTHER), "working: asked 1 server, 1 answered");
});

Deno.test("a lost answer is asked for again", () => {
  const world = new DnsWorld();
  const server = world.addServer(ONE);
  const peer = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  let lost = 0;
  world.isLost = ({ from }) => from.startsWith(ONE) && lost++ % 3 !== 2;
  peer.source.join(TOPIC, LOOK);
  world.run(10_000);
  assert.deepEqual(server.log, ["probe", "probe", "probe", ...Array(3).fill("subscribe")]);
  assert.equal(peer.stateOf(TOPIC), "working: asked 1 server, 1 answered");
});

Deno.test("answers with another id, or from elsewhere, are none", () => {
  const world = new DnsWorld();
  const server = world.addServer(ONE);
  world.isLost = ({ from }) => from.startsWith(ONE);
  const peer = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  peer.source.join(TOPIC, LOOK);
  world.run(100);
  const answer = world.sent.find(({ from }) => from.startsWith(ONE))!.bytes;
  const give = (bytes: Uint8Array, from: { host: string; port: number }) =>
    peer.events!.received(new Uint8Array(bytes), from);
  give(answer, { host: TWO, port: 5300 });
  give(answer, { host: ONE, port: 53 });
  give(answer.with(1, answer[1] ^ 1), { host: ONE, port: 5300 });
  give(answer.subarray(0, 40), { host: ONE, port: 5300 });
  world.run(100);
  assert.deepEqual(server.log, ["probe"]);
  give(answer, { host: ONE, port: 5300 });
  world.run(100);
  assert.deepEqual(server.log, ["probe", "subscribe"]);
});

Deno.test("pushes from strangers are not heeded", () => {
  const world = new DnsWorld();
  world.addServer(ONE);
  const peer = world.addSource("10.0.0.2", { servers: [SERVERS[0]] });
  peer.source.join(TOPIC, LOOK);
  world.run(1000);
  world.addSource("10.0.0.1", { servers: [SERVERS[0]] }).source.join(TOPIC, SERVE);
  world.isLost = ({ to }) => to === "10.0.0.2:40000";
  world.run(100);
  const push = world.sent.findLast(({ to }) => to === "10.0.0.2:40000")!.bytes;
  const before = world.sent.length;
  peer.events!.received(push, { host: TWO, port: 5300 });
  peer.events!.received(push, { host: ONE, port: 40_000 });
  assert.equal(world.sent.length, before);
  assert.deepEqual(peer.found, []);
  peer.events!.received(push, { host: ONE, port: 53 });
  assert.deepEqual(world.sent.at(-1)!.bytes, encodeReceipt(push[0] << 8 | push[1]));
  assert.equal(peer.found.length, 1);
});

Deno.test("a server that was started anew gets its new token at once", () => {
  const world = new DnsWorld();
  const server = world.addServer(ONE);
  const { source } = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  source.join(TOPIC, SERVE);
  world.run(1000);
  server.forgetSecrets();
  server.announced.clear();
  world.run(70_000);
  assert.deepEqual(server.log.slice(2), [
    "subscribe announce (wrong token)",
    "subscribe announce",
  ]);
  assert.deepEqual([...server.announced.get(TOPIC.label)!], ["10.0.0.1:3282"]);
});

Deno.test("a server whose tokens are never right is asked twice, and no more", () => {
  const world = new DnsWorld();
  const server = world.addServer(ONE);
  let tokens = 0;
  server.tokenFor = () => String(tokens++);
  world.addSource("10.0.0.1", { servers: [SERVERS[0]] }).source.join(TOPIC, SERVE);
  world.run(50_000);
  assert.equal(server.log.length, 3);
});

Deno.test("what was announced is withdrawn on leaving, and when the port changes", () => {
  const world = new DnsWorld();
  const server = world.addServer(ONE);
  const { source } = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  source.join(TOPIC, SERVE);
  source.join(OTHER, LOOK);
  world.run(1000);
  source.join(TOPIC, { lookup: true, announce: 3300 });
  world.run(1000);
  assert.deepEqual([...server.announced.get(TOPIC.label)!], ["10.0.0.1:3300"]);
  source.leave(TOPIC);
  source.leave(OTHER);
  world.run(1000);
  assert.equal(server.announced.get(TOPIC.label)!.size, 0);
  assert.deepEqual(server.log.slice(-3), ["unannounce", "subscribe announce", "unannounce"]);
  world.run(200_000);
  assert.equal(server.log.length, 6, "nothing is asked after that");
  assert.equal(world.clock.timers, 0);
});

Deno.test("who comes back at once stays announced", () => {
  const world = new DnsWorld();
  const server = world.addServer(ONE);
  const { source } = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  source.join(TOPIC, SERVE);
  world.run(1000);
  source.join(OTHER, LOOK); // takes this moment
  source.leave(TOPIC);
  source.join(TOPIC, SERVE);
  world.run(1000);
  assert.ok(!server.log.includes("unannounce"));
  assert.equal(server.announced.get(TOPIC.label)!.size, 1);
});

Deno.test("closing withdraws everything, from hundreds of archives too", async () => {
  const world = new DnsWorld();
  const servers = [world.addServer(ONE), world.addServer(TWO)];
  const peer = world.addSource("10.0.0.1", { servers: SERVERS });
  for (let i = 0; i < 200; i++) peer.source.join(topicOf(i), SERVE);
  world.run(30_000);
  for (const server of servers) assert.equal(server.announced.size, 200);
  const before = world.sent.length;
  const closing = peer.source.close();
  await world.runSlowly(1800);
  await closing;
  assert.ok(peer.closed);
  for (const server of servers) {
    assert.ok([...server.announced.values()].every((known) => known.size === 0));
  }
  assert.ok(world.sent.length - before <= 4 * 200);
  peer.source.join(TOPIC, SERVE);
  world.run(100_000);
  assert.ok(world.sent.length - before <= 4 * 200, "and that is all");
  assert.equal(world.clock.timers, 0);
});

Deno.test("closing takes two seconds at most, and none where nothing was announced", async () => {
  const world = new DnsWorld();
  world.addServer(ONE);
  const peer = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  peer.source.join(TOPIC, LOOK);
  world.run(1000);
  await peer.source.close();
  const silent = world.addSource("10.0.0.2", { servers: SERVERS });
  silent.source.join(TOPIC, SERVE);
  await silent.source.close();
  const cut = world.addSource("10.0.0.3", { servers: [SERVERS[0]] });
  cut.source.join(TOPIC, SERVE);
  world.run(1000);
  world.isLost = () => true;
  const begun = world.clock.now();
  const closing = cut.source.close();
  await world.runSlowly(2000);
  await closing;
  const tries = world.sent.filter(({ from, at }) => from.startsWith("10.0.0.3") && at >= begun);
  assert.deepEqual(tries.map(({ at }) => at - begun), [0, 500, 1500]);
  world.run(3000); // until the server gives up on the first one
  assert.equal(world.clock.timers, 0);
});

Deno.test("hundreds of archives are asked for one after the other, and no more often than stated", () => {
  const world = new DnsWorld();
  world.addServer(ONE);
  const peer = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  for (let i = 0; i < 200; i++) peer.source.join(topicOf(i), SERVE);
  world.run(20_000);
  const from = world.sent.length;
  world.run(600_000);
  const perMinute = (world.sent.length - from) / 200 / 10;
  assert.ok(Math.abs(perMinute - DNS_PACKETS_PER_MINUTE) < 0.1, `${perMinute} packets a minute`);
  const times = world.sent.filter(({ to }) => to === `${ONE}:5300`).map(({ at }) => at);
  const busiest = Math.max(...times.map((at, i) => {
    let end = i;
    while (times[end] < at + 1000) end++;
    return end - i;
  }));
  assert.ok(busiest <= 51, `${busiest} packets in a second`);
});

Deno.test("our public address is known when two servers agree on it", () => {
  const seen = (one: string, two?: string) => {
    const world = new DnsWorld();
    const servers = [world.addServer(ONE), ...two === undefined ? [] : [world.addServer(TWO)]];
    const peer = world.addSource("10.0.0.1", { servers: SERVERS });
    for (const [i, text] of [one, two].slice(0, servers.length).entries()) {
      const [host, port] = text!.split(":");
      const { receive } = servers[i];
      servers[i].receive = (bytes, from) => {
        world.connect({ host, port: Number(port) }, {
          received: (bytes) => peer.events!.received(bytes, { host: SERVERS[i].host, port: 5300 }),
          failed: () => {},
        });
        receive.call(servers[i], bytes, { ...from, host, port: Number(port) });
      };
    }
    peer.source.join(TOPIC, LOOK);
    world.run(1000);
    return peer.source.publicAddress;
  };
  assert.deepEqual(seen("8.8.4.4:77", "8.8.4.4:77"), { host: "8.8.4.4", port: 77 });
  assert.deepEqual(seen("8.8.4.4:77", "8.8.4.4:78"), { host: "8.8.4.4", port: 0 });
  assert.deepEqual(seen("8.8.4.4:77", "8.8.4.5:77"), undefined);
  assert.deepEqual(seen("8.8.4.4:77"), { host: "8.8.4.4", port: 0 });
});

Deno.test("a server's word for its own host is its address", () => {
  const world = new DnsWorld();
  const server = world.addServer(ONE);
  server.announced.set(TOPIC.label, new Set(["0.0.0.0:4000", "10.9.9.9:1"]));
  const peer = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  peer.source.join(TOPIC, LOOK);
  world.run(1000);
  assert.deepEqual(peer.found, [`07 ${ONE}:4000 by ${ONE}`, `07 10.9.9.9:1 by ${ONE}`]);
});

Deno.test("no packets that a server sends upset the source", () => {
  const world = new DnsWorld();
  world.addServer(ONE);
  const peer = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  peer.source.join(TOPIC, SERVE);
  world.run(1000);
  const real = world.sent.filter(({ from }) => from.startsWith(ONE)).map(({ bytes }) => bytes);
  const change = fc.tuple(fc.nat(200), fc.nat(255));
  const packet = fc.tuple(fc.constantFrom(...real), fc.array(change, { maxLength: 5 }))
    .map(([bytes, changes]) => {
      const copy = bytes.slice();
      for (const [at, value] of changes) copy[at % copy.length] = value;
      return copy;
    });
  fc.assert(fc.property(fc.oneof(packet, fc.uint8Array({ maxLength: 600 })), (bytes) => {
    peer.events!.received(bytes, { host: ONE, port: 5300 });
    world.run(DELAY_MS);
  }));
  assert.ok(world.clock.timers < 10, `${world.clock.timers} timers`);
});
