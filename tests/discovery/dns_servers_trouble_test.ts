/** Discovery servers that are not there, and what is told of them. */
import assert from "node:assert/strict";
import { Topic } from "../../src/discovery/topic.ts";
import { DnsWorld } from "../support/dns_world.ts";

const TOPIC = new Topic(new Uint8Array(32).fill(7));
const LOOK = { lookup: true, announce: undefined };
const SERVE = { lookup: true, announce: 3282 };
const ONE = "198.51.1.1";
const TWO = "198.51.1.2";
const SERVERS = [{ host: ONE, ports: [5300, 53] }, { host: TWO, ports: [5300, 53] }];
const topicOf = (i: number) => new Topic(new Uint8Array(32).fill(i).fill(i >> 8, 0, 1));

Deno.test("a name that cannot be resolved is told, and tried again", async () => {
  const world = new DnsWorld();
  world.addServer(TWO);
  const names: string[] = [];
  const addresses: string[] = [];
  const resolveHost = (name: string) => {
    names.push(name);
    return addresses.length === 0
      ? Promise.reject(new Error("none"))
      : Promise.resolve(addresses[0]);
  };
  const servers = [{ host: "one.example.org", ports: [5300] }];
  const peer = world.addSource("10.0.0.1", { servers, resolveHost });
  peer.source.join(TOPIC, LOOK);
  await world.runSlowly(1000);
  assert.equal(peer.stateOf(TOPIC), "failed: cannot resolve one.example.org");
  addresses.push(TWO);
  await world.runSlowly(71_000);
  assert.equal(peer.stateOf(TOPIC), "working: asked 1 server, 1 answered");
  assert.deepEqual(names, ["one.example.org", "one.example.org"]);
  await peer.source.close();
});

Deno.test("a name that takes for ever to resolve is given up, and holds up no other server", async () => {
  const world = new DnsWorld();
  world.addServer(TWO);
  let aborted = false;
  const resolveHost = (_: string, signal: AbortSignal) => {
    signal.addEventListener("abort", () => aborted = true);
    return new Promise<string>(() => {});
  };
  const servers = [{ host: "one.example.org", ports: [5300] }];
  const both = world.addSource("10.0.0.1", { servers: [...servers, SERVERS[1]], resolveHost });
  const alone = world.addSource("10.0.0.2", { servers, resolveHost });
  both.source.join(TOPIC, LOOK);
  alone.source.join(TOPIC, LOOK);
  await world.runSlowly(1000);
  assert.equal(both.stateOf(TOPIC), "working: asked 2 servers, 1 answered");
  assert.equal(alone.stateOf(TOPIC), "waiting: asked 1 server, none answered yet");
  await world.runSlowly(4500);
  assert.ok(aborted);
  assert.equal(alone.stateOf(TOPIC), "failed: cannot resolve one.example.org");
  await Promise.all([both.source.close(), alone.source.close()]);
  assert.equal(world.clock.timers, 0);
});

Deno.test("what failed is told of each server", async () => {
  const world = new DnsWorld();
  const resolveHost = () => Promise.reject(new Error("none"));
  const servers = [...SERVERS, { host: "one.example.org", ports: [5300] }];
  const peer = world.addSource("10.0.0.1", { servers, resolveHost });
  peer.source.join(TOPIC, LOOK);
  await world.runSlowly(16_000);
  assert.equal(
    peer.stateOf(TOPIC),
    "failed: asked 2 servers, none answered in 15.5 s, cannot resolve one.example.org",
  );
  const none = world.addSource("10.0.0.2", { servers: [] });
  assert.equal(none.stateOf(TOPIC), "failed: there are no servers to ask");
  await peer.source.close();
});

Deno.test("a server that falls silent is found out, and costs no more than its probes", () => {
  const world = new DnsWorld();
  const server = world.addServer(ONE);
  const peer = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  for (let i = 0; i < 200; i++) peer.source.join(topicOf(i), SERVE);
  world.run(30_000);
  world.isLost = ({ from }) => from.startsWith(ONE);
  world.run(120_000);
  assert.match(peer.stateOf(topicOf(3)), /^failed: asked 1 server, none answered in 15.5 s$/);
  const before = world.sent.length;
  world.run(600_000);
  const asked = world.sent.slice(before).filter(({ to }) => to.startsWith(ONE)).length;
  assert.ok(asked <= 10 * 10, `${asked} packets`);
  world.isLost = () => false;
  server.log.length = 0;
  world.run(100_000);
  assert.match(peer.stateOf(topicOf(3)), /^working/);
  for (let i = 0; i < 200; i++) assert.match(peer.stateOf(topicOf(i)), /^working/);
});

Deno.test("a socket that fails is told, and another one is opened", () => {
  const world = new DnsWorld();
  const peer = world.addSource("10.0.0.1", { servers: [SERVERS[0]] });
  peer.source.join(TOPIC, LOOK);
  peer.events!.failed(new Error("no room"));
  assert.equal(peer.stateOf(TOPIC), "failed: cannot use UDP: no room");
  world.addServer(ONE);
  world.run(1000);
  assert.equal(peer.stateOf(TOPIC), "working: asked 1 server, 1 answered");
  assert.deepEqual(peer.news.slice(0, 2), ["all", "all"]);
});
