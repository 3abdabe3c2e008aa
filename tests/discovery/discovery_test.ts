import assert from "node:assert/strict";
import { Discovery, type DiscoveryOptions, type Found } from "../../src/discovery/discovery.ts";
import type { SourceContext, SourceName } from "../../src/discovery/source.ts";
import { Topic } from "../../src/discovery/topic.ts";
import { ScriptedSource } from "../support/scripted_source.ts";

const TOPIC = new Topic(new Uint8Array(32).fill(7));
const OTHER = new Topic(new Uint8Array(32).fill(9));

function setUp(options: Partial<DiscoveryOptions> = {}) {
  let now = 0;
  const found: Found[] = [];
  const news: string[] = [];
  const sources: ScriptedSource[] = [];
  const make = (name: SourceName) => (context: SourceContext) => {
    const source = new ScriptedSource(name, context);
    sources.push(source);
    return source;
  };
  const discovery = new Discovery({
    timers: { now: () => now, after: () => () => {} },
    random: () => 0,
    randomBytes: (length) => new Uint8Array(length),
    sources: { mdns: make("mdns"), dht: make("dht") },
    onFound: (one) => found.push(one),
    onNews: (topic, { source, state, message, found }) =>
      news.push(`${topic.name.slice(0, 2)} ${source} ${state} ${message} ${found}`),
    ...options,
  });
  return { discovery, found, news, sources, wait: (ms: number) => now += ms };
}

Deno.test("Every source hears of each topic, once for each change", async () => {
  const { discovery, sources } = setUp();
  discovery.join(TOPIC, { lookup: true, announce: undefined });
  discovery.join(TOPIC, { lookup: true, announce: undefined });
  discovery.join(TOPIC, { lookup: true, announce: 3282 });
  discovery.leave(OTHER);
  discovery.leave(TOPIC);
  await discovery.close();
  discovery.join(TOPIC, { lookup: true, announce: 3282 });
  for (const { asked } of sources) {
    assert.deepEqual(asked, ["join 07 true undefined", "join 07 true 3282", "leave 07", "close"]);
  }
});

Deno.test("An address is told once, and again when it is named again later", () => {
  const { discovery, found, sources: [mdns, dht], wait } = setUp();
  discovery.join(TOPIC, { lookup: true, announce: undefined });
  const peer = { host: "8.8.4.4", port: 3282 };
  mdns.context.found(TOPIC, peer, "10.0.0.1");
  dht.context.found(TOPIC, peer, "8.8.8.8");
  mdns.context.found(OTHER, peer, "10.0.0.1");
  dht.context.found(TOPIC, { host: "10.0.0.5", port: 1 }, "8.8.8.8");
  assert.deepEqual(found, [{ topic: TOPIC, source: "mdns", isNew: true, isOwn: false, ...peer }]);
  wait(14_999);
  dht.context.found(TOPIC, peer, "8.8.8.8");
  assert.equal(found.length, 1);
  wait(1);
  dht.context.found(TOPIC, peer, "8.8.8.8");
  assert.equal(found.length, 2);
  assert.equal(found[1].isNew, false);
  assert.deepEqual(discovery.newsOf(TOPIC).map(({ source, found }) => [source, found]), [
    ["mdns", 1],
    ["dht", 1],
  ]);
});

Deno.test("Private addresses that were left alone are told of", () => {
  const { discovery, found, sources: [mdns, dht] } = setUp();
  discovery.join(TOPIC, { lookup: true, announce: undefined });
  for (const last of [5, 6, 5]) {
    dht.context.found(TOPIC, { host: `10.0.0.${last}`, port: 3282 }, "8.8.8.8");
  }
  dht.context.found(TOPIC, { host: "224.0.0.1", port: 3282 }, "8.8.8.8");
  mdns.context.found(TOPIC, { host: "10.0.0.5", port: 3282 }, "10.0.0.5");
  assert.deepEqual(found.map(({ source, isOwn }) => [source, isOwn]), [["mdns", true]]);
  assert.deepEqual(discovery.newsOf(TOPIC).map(({ message }) => message), [
    "asked once",
    "asked once, of which 2 private and not tried (--allow-private tries them)",
  ]);
});

Deno.test("Sources that ask seldom are told when somebody is looked for now", () => {
  const { discovery, sources: [mdns] } = setUp();
  discovery.askAgain(TOPIC);
  discovery.join(TOPIC, { lookup: true, announce: undefined });
  discovery.askAgain(TOPIC);
  assert.deepEqual(mdns.asked, ["join 07 true undefined", "again 07"]);
});

Deno.test("A flood of addresses is kept in mind up to a limit", () => {
  const { discovery, found, sources: [mdns] } = setUp();
  discovery.join(TOPIC, { lookup: true, announce: undefined });
  const name = (i: number) =>
    mdns.context.found(TOPIC, { host: `8.8.${i >> 8}.${i & 255}`, port: 1 }, "10.0.0.1");
  for (let i = 0; i < 2000; i++) name(i);
  assert.equal(found.length, 2000);
  name(1999); // remembered
  assert.equal(found.length, 2000);
  name(0); // forgotten
  assert.equal(found.length, 2001);
  assert.equal(discovery.newsOf(TOPIC)[0].found, 1000);
});

Deno.test("A port of the router is announced to all but the local network", () => {
  const { discovery, sources: [mdns, dht] } = setUp();
  discovery.join(TOPIC, { lookup: true, announce: 3282 });
  discovery.join(OTHER, { lookup: true, announce: undefined });
  discovery.setPublicPort(40_000);
  discovery.setPublicPort(40_000);
  discovery.join(TOPIC, { lookup: false, announce: 3282 });
  discovery.setPublicPort(undefined);
  const both = ["join 07 true 3282", "join 09 true undefined"];
  assert.deepEqual(mdns.asked, [...both, "join 07 false 3282"]);
  const moved = ["join 07 true 40000", "join 07 false 40000", "join 07 false 3282"];
  assert.deepEqual(dht.asked, [...both, ...moved]);
});

Deno.test("Nobody is looked for where a topic is announced only", () => {
  const { discovery, found, sources: [mdns] } = setUp();
  discovery.join(TOPIC, { lookup: false, announce: 3282 });
  mdns.context.found(TOPIC, { host: "8.8.4.4", port: 3282 }, "10.0.0.1");
  assert.deepEqual(found, []);
});

Deno.test("News of a source is told when it changes, for the topics that it is about", () => {
  const { discovery, news, sources: [mdns] } = setUp();
  discovery.join(TOPIC, { lookup: true, announce: undefined });
  discovery.join(OTHER, { lookup: true, announce: undefined });
  mdns.context.changed(TOPIC);
  mdns.context.changed(TOPIC);
  mdns.state = { state: "failed", message: "no multicast here" };
  mdns.context.changed();
  assert.deepEqual(news, [
    "07 mdns waiting asked once 0",
    "07 mdns failed no multicast here 0",
    "09 mdns failed no multicast here 0",
  ]);
});
