import assert from "node:assert/strict";
import { bittorrentDht } from "../../src/discovery/bittorrent_dht.ts";
import { Topic } from "../../src/discovery/topic.ts";
import { BittorrentNetwork, LOOPBACK, own } from "../support/dht.ts";
import { tempFolder } from "../support/temp.ts";

const TOPIC = new Topic(new Uint8Array(32).fill(7));

Deno.test("Two that know the same DHT find each other", async () => {
  await using network = await BittorrentNetwork.open(5);
  const { bootstrap } = network;
  const make = bittorrentDht({ bootstrap, host: LOOPBACK });
  await using sharer = own(make);
  const announced = network.announced();
  sharer.source.join(TOPIC, { lookup: true, announce: 3282 });
  await announced;
  await using cloner = own(make);
  assert.deepEqual(cloner.source.stateOf(TOPIC), { state: "waiting", message: "asked nobody yet" });
  cloner.source.join(TOPIC, { lookup: true, announce: undefined });
  await cloner.heard.until(() => cloner.heard.told.length > 0);
  assert.equal(cloner.heard.told[0], `07 ${LOOPBACK}:3282 ${LOOPBACK}`);
  await cloner.heard.until(() => cloner.source.stateOf(TOPIC).state === "working");
  assert.match(cloner.source.stateOf(TOPIC).message, /^\d nodes? answered, [01] address(es)?$/);
});

Deno.test("bittorrent-dht finds what we announce, and we what it announces", async () => {
  await using network = await BittorrentNetwork.open(4);
  const infoHash = Buffer.from(TOPIC.infoHash);
  const [, , theirs, other] = network.nodes;
  await new Promise((done) => theirs.announce(infoHash, 4001, done));
  await using ours = own(bittorrentDht({ bootstrap: network.bootstrap, host: LOOPBACK }));
  ours.source.join(TOPIC, { lookup: true, announce: 3282 });
  await ours.heard.until(() => ours.heard.told.length > 0);
  assert.equal(ours.heard.told[0], `07 ${LOOPBACK}:4001 ${LOOPBACK}`);
  const ports = new Set<number>();
  other.on("peer", ({ port }: { port: number }) => ports.add(port));
  while (!ports.has(3282)) await new Promise((done) => other.lookup(infoHash, done));
  assert.deepEqual([...ports].sort(), [3282, 4001]);
});

Deno.test("A restart needs no bootstrap node", async () => {
  using temp = tempFolder();
  await using network = await BittorrentNetwork.open(3);
  {
    await using first = own(
      bittorrentDht({ bootstrap: network.bootstrap, host: LOOPBACK, folder: temp.path }),
    );
    const announced = network.announced();
    first.source.join(TOPIC, { lookup: false, announce: 3282 });
    await announced;
  }
  await using second = own(bittorrentDht({ bootstrap: [], host: LOOPBACK, folder: temp.path }));
  second.source.join(TOPIC, { lookup: true, announce: undefined });
  await second.heard.until(() => second.heard.told.length > 0);
  assert.equal(second.heard.told[0], `07 ${LOOPBACK}:3282 ${LOOPBACK}`);
});
