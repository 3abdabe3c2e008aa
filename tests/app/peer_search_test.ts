/** Looking for peers on behalf of a synchronizer, and what people hear of it. */
import assert from "node:assert/strict";
import { NoPeersError } from "../../src/base/errors.ts";
import { PeerFaults } from "../../src/app/clone_faults.ts";
import type { TroveEvent } from "../../src/app/events.ts";
import { archivePaths } from "../../src/app/archive_folder.ts";
import { announcedPort, PeerSearch, type PeerSearchOptions } from "../../src/app/peer_search.ts";
import { rememberedPeers, rememberPeers } from "../../src/app/remembered_peers.ts";
import type { FoundPeer, Synchronizer } from "../../src/app/synchronizer.ts";
import type { Input } from "../../src/core/sync/inputs.ts";
import type { SourceContext, SourceName } from "../../src/discovery/source.ts";
import { Topic } from "../../src/discovery/topic.ts";
import type { PeerListener } from "../../src/io/peer_listener.ts";
import { ScriptedSource } from "../support/scripted_source.ts";
import { tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";

const KEY = new Uint8Array(32).fill(7);
const OTHER_KEY = new Uint8Array(32).fill(9);

function openSearch(options: Partial<PeerSearchOptions> = {}) {
  const temp = tempFolder();
  const events: TroveEvent[] = [];
  const sources: ScriptedSource[] = [];
  const make = (name: SourceName) => (context: SourceContext) => {
    const source = new ScriptedSource(name, context);
    sources.push(source);
    return source;
  };
  const search = new PeerSearch({
    world: new TestWorld(temp),
    choice: {},
    emit: (event) => events.push(event),
    sources: { mdns: make("mdns"), dht: make("dht") },
    ...options,
  });
  const inputs: Input[] = [];
  const sync = { input: (input: Input) => inputs.push(input) } as unknown as Synchronizer;
  const name = (host: string, source = 0, key = KEY) =>
    sources[source].context.found(new Topic(key), { host, port: 3282 }, "10.0.0.1");
  return {
    ...{ search, sync, inputs, events, sources, name },
    taken(): FoundPeer[] {
      const all: FoundPeer[] = [];
      for (;;) {
        const next = search.found.tryReceive();
        if (next === undefined || next.done) return all;
        all.push(next.value);
      }
    },
    async [Symbol.asyncDispose]() {
      await search[Symbol.asyncDispose]();
      temp[Symbol.dispose]();
    },
  };
}

Deno.test("what is found goes to the feed it is for, near ones first", async () => {
  await using set = openSearch({ choice: { allowPrivate: true } });
  const { search, sync, inputs, events, sources, name, taken } = set;
  const quest = { discoveryKey: KEY, primary: 4, lookup: true, announce: 3282 };
  search.begin(sync, { ...quest, remembered: ["a:1"] });
  assert.deepEqual(inputs, [
    { kind: "found", address: "a:1", primary: 4, discovered: true, rank: 0 },
    { kind: "seek", primary: 4, seeking: true },
  ]);
  for (const { asked } of sources) assert.deepEqual(asked, ["join 07 true 3282"]);
  name("10.0.0.5");
  name("8.8.4.4", 1);
  name("10.0.0.6", 1);
  name("10.0.0.7", 0, OTHER_KEY);
  assert.deepEqual(taken(), [
    { address: "10.0.0.5:3282", primary: 4, discovered: true, rank: 2 },
    { address: "8.8.4.4:3282", primary: 4, discovered: true, rank: 3 },
    { address: "10.0.0.6:3282", primary: 4, discovered: true, rank: 4 },
  ]);
  assert.deepEqual(events.map((event) => event.event === "found" && event.called), [
    "local network",
    "BitTorrent DHT",
    "BitTorrent DHT",
  ]);
});

Deno.test("archives that are not open are looked for as well", async () => {
  const found: string[] = [];
  await using set = openSearch({
    onFound: (name, { address }) => found.push(`${name.slice(0, 2)} ${address}`),
  });
  const { search, name, taken } = set;
  for (const key of [KEY, OTHER_KEY]) search.join(key, { lookup: true, announce: 3282 });
  search.direct(OTHER_KEY, 2);
  name("10.0.0.5");
  name("10.0.0.6", 0, OTHER_KEY);
  search.undirect(OTHER_KEY);
  name("10.0.0.7", 0, OTHER_KEY);
  search.stop(OTHER_KEY);
  name("10.0.0.8", 0, OTHER_KEY);
  assert.deepEqual(found, ["07 10.0.0.5:3282", "09 10.0.0.6:3282", "09 10.0.0.7:3282"]);
  assert.deepEqual(taken().map(({ address }) => address), ["10.0.0.6:3282"]);
});

Deno.test("of one archive all news are told, of many only what is news", async () => {
  await using set = openSearch();
  const { search, sync, events, sources: [mdns] } = set;
  const say = (state: "waiting" | "working" | "failed", message: string) => {
    mdns.state = { state, message };
    mdns.context.changed();
  };
  search.begin(sync, { discoveryKey: KEY, primary: 0, lookup: true, announce: undefined });
  say("waiting", "asked once");
  say("waiting", "asked twice");
  search.join(OTHER_KEY, { lookup: true, announce: undefined });
  say("waiting", "asked three times");
  say("failed", "no multicast here");
  say("failed", "still none");
  const told = events.map((event) => event.event === "discovery" && event.message);
  assert.deepEqual(told, ["asked once", "asked twice", "no multicast here"]);
});

Deno.test("whoever finds nobody says what was asked, what was tried, and what came of it", async () => {
  await using set = openSearch();
  const { search, sync, sources: [mdns, dht] } = set;
  search.begin(sync, { discoveryKey: KEY, primary: 0, lookup: true, announce: undefined });
  mdns.state = { state: "waiting", message: "asked 3 times, nobody answered" };
  dht.state = { state: "failed", message: "no node answered" };
  const faults = new PeerFaults(() => search.explain(KEY));
  const sought = "local network: asked 3 times, nobody answered; BitTorrent DHT: no node answered";
  assert.equal(
    faults.whyLate(10_000).message,
    `Cannot find a peer that has this archive (tried for 10 s): ${sought}; no address was found`,
  );
  for (const address of ["a:1", "b:1", "b:1"]) {
    const report = {
      kind: "peer-failed",
      address,
      reason: "connection refused",
      discovered: true,
    } as const;
    faults.take(report);
  }
  faults.take({ kind: "peer-failed", address: "guest:9", reason: "it hung up" });
  const why = faults.whyAlone();
  assert.ok(why instanceof NoPeersError);
  assert.match(why.message, /; 2 addresses were tried in vain, the last b:1: connection refused$/);
});

Deno.test("a port is announced where others can reach it", () => {
  const listener = (...addrs: PeerListener["addrs"]) => ({ addrs }) as PeerListener;
  const tcp = (hostname: string) => ({ transport: "tcp", hostname, port: 3282 }) as const;
  assert.equal(announcedPort(listener(tcp("::"), tcp("0.0.0.0"))), 3282);
  assert.equal(announcedPort(listener(tcp("10.0.0.1"))), 3282);
  assert.equal(announcedPort(listener(tcp("127.0.0.1"))), undefined);
  assert.equal(announcedPort(listener({ ...tcp("::"), transport: "ws" })), undefined);
  assert.equal(announcedPort(undefined), undefined);
});

Deno.test("addresses that worked are remembered, the latest first, and nothing else", () => {
  using temp = tempFolder();
  const paths = archivePaths(temp.path);
  Deno.mkdirSync(paths.dat);
  const place = `${paths.dat}/trove.peers`;
  assert.deepEqual(rememberedPeers(paths), []);
  rememberPeers(paths, ["stdio", "unix:/run/x", ""]);
  assert.throws(() => Deno.statSync(place), Deno.errors.NotFound);
  rememberPeers(paths, ["10.0.0.1:3282", "ws://example.org:80/x"]);
  rememberPeers(paths, ["[fd00::1]:3282", "10.0.0.1:3282"]);
  assert.deepEqual(rememberedPeers(paths), [
    "[fd00::1]:3282",
    "10.0.0.1:3282",
    "ws://example.org:80/x",
  ]);
  assert.equal(Deno.statSync(place).mode! & 0o777, 0o600);
  for (let i = 0; i < 50; i++) rememberPeers(paths, [`10.0.1.${i}:3282`]);
  assert.equal(rememberedPeers(paths).length, 16);
  Deno.writeTextFileSync(place, `\0\x1b[2J\n${"x".repeat(100_000)}\n10.0.0.9:1\nhost:99999\n`);
  assert.deepEqual(rememberedPeers(paths), ["10.0.0.9:1"]);
});
