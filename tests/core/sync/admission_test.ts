/** How many links there may be, and who makes room for whom. */
import assert from "node:assert/strict";
import { hostOf, isLocal } from "../../../src/core/sync/hosts.ts";
import {
  FIRST_WORD_MS,
  HANDSHAKE_MS,
  IDLE_MS,
  MAX_ACCEPTED,
  MAX_FROM_HOST,
  MAX_HALF_OPEN,
  MAX_PER_HOST,
  SWAP_MS,
  UNPROVEN_IDLE_MS,
} from "../../../src/core/sync/limits.ts";
import { CoreDriver, emptyCopy, ownFeed } from "../../support/core_driver.ts";
import { PacedDownload } from "../../support/paced_sources.ts";

function connect(driver: CoreDriver, peer: number, address: string): void {
  driver.give({ kind: "linked", peer, address });
}

/** End what the core ended, as the rim does. */
function sweep(driver: CoreDriver, swept: Set<number>): void {
  for (const peer of driver.ended.keys()) {
    if (swept.has(peer)) continue;
    swept.add(peer);
    driver.unlinked(peer);
  }
}

Deno.test("the host of an address is what connections from one place have in common", () => {
  const hosts = [
    ["192.0.2.7:3282", "192.0.2.7"],
    ["[::ffff:192.0.2.7]:3282", "192.0.2.7"],
    ["[2001:db8:1:2:3:4:5:6]:1", "2001:db8:1:2::/64"],
    ["[2001:0db8:1:2::6]:1", "2001:db8:1:2::/64"],
    ["[fe80::1%eth0]:1", "fe80:0:0:0::/64"],
    ["[::1]:3282", "::1"],
    ["", ""],
    ["/run/trove.sock", ""],
    ["stdio", ""],
  ];
  for (const [address, host] of hosts) assert.equal(hostOf(address), host, address);
  for (const address of ["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "stdio"]) {
    assert.equal(isLocal(hostOf(address)), true, address);
  }
  assert.equal(isLocal(hostOf("192.0.2.7:3282")), false);
});

Deno.test("one host may open only so many links for an archive, this machine as many as there are", () => {
  const driver = new CoreDriver(ownFeed(2));
  for (let peer = 1; peer <= MAX_PER_HOST; peer++) {
    driver.open(peer, { address: `192.0.2.7:${peer}` });
  }
  connect(driver, 50, "192.0.2.7:50");
  assert.equal(driver.ended.size, 0, "it may be for another one");
  driver.name(50, 0, 0);
  assert.deepEqual([...driver.ended], [[50, "closed"]]);
  driver.open(51, { address: "192.0.2.8:51" });
  for (let peer = 60; peer < 60 + 2 * MAX_PER_HOST; peer++) {
    driver.open(peer, { address: `127.0.0.1:${peer}` });
  }
  assert.equal(driver.ended.size, 1);
  driver.unlinked(50);
  driver.unlinked(3);
  driver.open(52, { address: "192.0.2.7:52" });
  assert.equal(driver.ended.size, 1, "one has left");
  const strict = new CoreDriver(ownFeed(2), { maxPerHost: 1 });
  for (const peer of [1, 2]) strict.open(peer, { address: `192.0.2.7:${peer}` });
  assert.deepEqual([...strict.ended.keys()], [2]);
});

Deno.test("one host may open as many links again for another archive, up to a limit", () => {
  const driver = new CoreDriver(ownFeed(2));
  for (let feed = 1; feed < 10; feed++) driver.join(feed, ownFeed(2, 1 + feed), feed);
  let peer = 0;
  for (const feed of driver.feeds.keys()) {
    for (let n = 0; n < MAX_PER_HOST; n++) {
      driver.open(++peer, { address: `192.0.2.7:${peer}`, feed });
    }
  }
  assert.deepEqual(
    [...driver.ended.keys()],
    Array.from({ length: 16 }, (_, n) => MAX_FROM_HOST + 1 + n),
  );
});

Deno.test("strangers who say nothing fill a part of the room, and push out their like", () => {
  const driver = new CoreDriver(ownFeed(2));
  for (let peer = 1; peer <= MAX_HALF_OPEN; peer++) connect(driver, peer, `${peer}`);
  driver.pass(FIRST_WORD_MS);
  assert.equal(driver.ended.size, 0);
  connect(driver, 999, "one too many");
  assert.deepEqual([...driver.ended], [[1, "closed"]], "the oldest");
  driver.give({ kind: "linked", peer: 1000, address: "dialled", primary: 0 });
  assert.equal(driver.ended.size, 1, "those that we dial are not counted");
});

Deno.test("of a crowd that came just now nobody goes before its first words, while there is room", () => {
  const driver = new CoreDriver(ownFeed(2));
  for (let peer = 1; peer <= MAX_ACCEPTED; peer++) connect(driver, peer, `127.0.0.1:${peer}`);
  assert.equal(driver.ended.size, 0);
  driver.greet(1, {});
  connect(driver, 999, "127.0.0.1:999");
  assert.deepEqual([...driver.ended], [[2, "closed"]], "the oldest that is silent");
});

Deno.test("those who open many links push out their own, and nobody who named an archive", () => {
  const driver = new CoreDriver(ownFeed(2));
  connect(driver, 1, "198.51.100.1:1");
  driver.name(1, 0, 0);
  connect(driver, 2, "198.51.100.2:1");
  for (let peer = 10; peer < 10 + MAX_HALF_OPEN; peer++) {
    connect(driver, peer, `192.0.2.${1 + peer % 5}:${peer}`);
    if (peer === 30) driver.pass(FIRST_WORD_MS);
  }
  assert.equal(driver.ended.has(1), false);
  assert.equal(driver.ended.has(2), false, "the only one from there");
  assert.equal(driver.ended.size, 2);
});

Deno.test("when nobody but who named an archive is half open, no more are let in", () => {
  const driver = new CoreDriver(ownFeed(2));
  for (let peer = 1; peer <= MAX_HALF_OPEN; peer++) {
    connect(driver, peer, `${peer}`);
    driver.name(peer, 0, 0);
  }
  connect(driver, 999, "one too many");
  assert.deepEqual([...driver.ended], [[999, "closed"]]);
});

Deno.test("thousands of garbage connections keep no honest peer out", () => {
  for (const hosts of [3, 1000]) {
    const driver = new CoreDriver(ownFeed(2));
    const swept = new Set<number>();
    let honest = 0;
    for (let n = 0; n < 5000; n++) {
      const peer = 10_000 + n;
      connect(driver, peer, `10.0.${n % hosts >> 8}.${n % hosts & 255}:${peer}`);
      if (n % 500 === 499) {
        honest++;
        connect(driver, honest, `203.0.113.${honest}:1`);
      }
      // Its first words come a little later, while others go on knocking.
      if (n % 500 === 19 && honest > 0) driver.greet(honest, {});
      sweep(driver, swept);
      if (n % 5 === 0) driver.pass(10);
    }
    assert.equal(driver.core.openPeers, honest - 1);
    assert.ok(driver.core.sizes().peers <= MAX_ACCEPTED);
    driver.pass(HANDSHAKE_MS + 1000);
    sweep(driver, swept);
    assert.equal(driver.core.sizes().peers, driver.core.openPeers);
  }
});

Deno.test("when all room is taken, the idlest goes if it was idle for long", () => {
  const driver = new CoreDriver(ownFeed(2));
  const peers = Array.from({ length: MAX_ACCEPTED }, (_, i) => i + 1);
  for (const peer of peers) driver.open(peer);
  driver.give({ kind: "linked", peer: 500, address: "early" });
  assert.deepEqual([...driver.ended], [[500, "closed"]], "everybody was active just now");
  driver.unlinked(500);
  for (const peer of peers) if (peer !== 77) driver.ask(peer, 0);
  driver.pass(UNPROVEN_IDLE_MS, ...peers);
  driver.open(501);
  assert.deepEqual([...driver.ended.keys()], [500, 77], "it never moved a block");
  driver.unlinked(77);
  driver.open(502);
  driver.unlinked(502);
  assert.deepEqual([...driver.ended.keys()], [500, 77, 502]);
  driver.pass(IDLE_MS, ...peers, 501);
  for (const peer of [...peers, 501]) if (peer !== 78 && peer !== 77) driver.ask(peer, 0);
  driver.open(503);
  assert.deepEqual([...driver.ended.keys()], [500, 77, 502, 78]);
});

Deno.test("dialling pauses when all links there may be are there, and goes on", () => {
  const driver = new CoreDriver(ownFeed(2), { maxPeers: 3 });
  for (let i = 0; i < 5; i++) driver.give({ kind: "found", address: `a${i}:1`, primary: 0 });
  assert.deepEqual(driver.dials, ["a0:1", "a1:1", "a2:1"]);
  for (const peer of [0, 1, 2]) driver.dial(peer, { address: `a${peer}:1` });
  driver.pass(20_000, 0, 1, 2);
  assert.equal(driver.dials.length, 3);
  driver.open(9);
  assert.deepEqual([...driver.ended.keys()], [9], "those that we dialled stay");
  driver.unlinked(9);
  driver.unlinked(0);
  driver.pass(1000, 1, 2);
  assert.deepEqual(driver.dials.slice(3), ["a3:1"]);
});

Deno.test("with no room left, an idle link makes some for an address that was never tried", () => {
  const driver = new CoreDriver(ownFeed(2), { maxPeers: 2 });
  for (const i of [1, 2]) {
    driver.give({ kind: "found", address: `a${i}:1`, primary: 0 });
    driver.dial(i, { address: `a${i}:1` });
  }
  driver.pass(2 * SWAP_MS, 1, 2);
  assert.equal(driver.ended.size, 0, "nobody waits");
  for (const i of [3, 4]) driver.give({ kind: "found", address: `a${i}:1`, primary: 0 });
  driver.ask(1, 0);
  driver.pass(1000, 1, 2);
  assert.deepEqual([...driver.ended.keys()], [2]);
  driver.unlinked(2);
  driver.pass(1000, 1);
  assert.deepEqual(driver.dials.slice(2), ["a3:1"]);
  driver.dial(3, { address: "a3:1" });
  driver.pass(SWAP_MS - 4000, 1, 3);
  assert.equal(driver.ended.size, 1, "not more often than so");
});

Deno.test("with no room left, a link that brings little makes some for an untried address", () => {
  const download = new PacedDownload(ownFeed(6000), [
    { pace: 100, rttMs: 20 },
    { pace: 5, rttMs: 20 },
    { pace: 90, rttMs: 20 },
  ], { maxPeers: 3 });
  download.run(SWAP_MS / 2, () => false);
  download.give({ kind: "found", address: "a:1", primary: 0 });
  download.run(SWAP_MS + 5000, () => false);
  assert.deepEqual([...download.ended.keys()], [2]);
});

Deno.test("an archive that leaves takes its dials with it", () => {
  const driver = new CoreDriver(ownFeed(2));
  driver.join(4, emptyCopy(ownFeed(3, 2)), 4);
  for (let i = 0; i < 20; i++) driver.give({ kind: "found", address: `a${i}:1`, primary: 4 });
  const dials = driver.dials.length;
  driver.give({ kind: "leave", primary: 4 });
  for (let i = 0; i < 20; i++) driver.give({ kind: "found", address: `b${i}:1`, primary: 0 });
  assert.equal(driver.dials.length, 2 * dials);
});
