import assert from "node:assert/strict";
import { isWorthATry, reachOf } from "../../src/discovery/candidates.ts";

Deno.test("An address is public, private, of this machine, or leads nowhere", () => {
  const cases: [string, ReturnType<typeof reachOf>][] = [
    ["8.8.4.4", "public"],
    ["172.15.255.255", "public"],
    ["172.16.0.0", "private"],
    ["172.31.255.255", "private"],
    ["172.32.0.0", "public"],
    ["10.1.2.3", "private"],
    ["192.168.0.1", "private"],
    ["169.254.7.7", "private"],
    ["100.64.0.1", "private"],
    ["127.0.0.1", "loopback"],
    ["0.0.0.0", "none"],
    ["0.1.2.3", "none"],
    ["192.0.2.7", "none"],
    ["224.0.0.251", "none"],
    ["255.255.255.255", "none"],
    ["256.1.1.1", "none"],
    ["1.2.3", "none"],
    ["::1", "loopback"],
    ["::", "none"],
    ["::ffff:10.0.0.1", "private"],
    ["::ffff:808:404", "public"],
    ["fe80::1%eth0", "private"],
    ["fd00::7", "private"],
    ["2a00:1450::1", "public"],
    ["2001:db8::1", "none"],
    ["ff02::fb", "none"],
    ["1::2::3", "none"],
    ["1:2:3:4:5:6:7:8:9", "none"],
    ["example.org", "none"],
    ["", "none"],
  ];
  for (const [host, reach] of cases) assert.equal(reachOf(host), reach, host);
});

Deno.test("Private addresses are taken from the local network, and from DHTs where that was allowed", () => {
  const usual = { allowPrivate: false, from: "10.0.0.9" };
  const lan = { host: "10.0.0.1", port: 3282 };
  assert.ok(isWorthATry(lan, { ...usual, source: "mdns" }));
  assert.ok(isWorthATry(lan, { ...usual, source: "dns" }));
  assert.ok(!isWorthATry(lan, { ...usual, source: "dht" }));
  assert.ok(!isWorthATry(lan, { ...usual, source: "hyperswarm" }));
  assert.ok(isWorthATry(lan, { ...usual, source: "dht", allowPrivate: true }));
  const self = { host: "127.0.0.1", port: 3282 };
  assert.ok(!isWorthATry(self, { ...usual, source: "mdns" }));
  assert.ok(isWorthATry(self, { ...usual, source: "dht", from: "127.0.0.1" }));
  for (const port of [0, -1, 65536, 1.5, NaN]) {
    assert.ok(!isWorthATry({ host: "8.8.4.4", port }, { ...usual, source: "dht" }), `${port}`);
  }
});
