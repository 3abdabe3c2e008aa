/** The source and a server on sockets of this machine. */
import assert from "node:assert/strict";
import { UsageError } from "../../src/base/errors.ts";
import { parseDnsServer } from "../../src/discovery/dns_server_address.ts";
import { DnsServersSource } from "../../src/discovery/dns_servers.ts";
import { Topic } from "../../src/discovery/topic.ts";
import { openUdp } from "../../src/discovery/udp_socket.ts";
import { realTimers } from "../../src/io/timers.ts";
import { startDnsDiscoveryServer } from "../support/dns_discovery_server.ts";

const timers = realTimers({ monotonic: () => performance.now() });
const TOPIC = new Topic(new Uint8Array(32).fill(7));

Deno.test("peers find each other through a server, over UDP", async () => {
  await using running = await startDnsDiscoveryServer({ timers });
  const heard = Promise.withResolvers<string>();
  const make = (found: (text: string) => void) =>
    new DnsServersSource({
      timers,
      random: Math.random,
      randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
      found: (_, { host, port }, from) => found(`${host}:${port} by ${from}`),
      changed: () => {},
    }, { servers: [{ host: running.host, ports: [running.port] }] });
  const peer = make(heard.resolve);
  const owner = make(() => {});
  peer.join(TOPIC, { lookup: true, announce: undefined });
  owner.join(TOPIC, { lookup: false, announce: 3282 });
  assert.equal(await heard.promise, "127.0.0.1:3282 by 127.0.0.1");
  await Promise.all([peer.close(), owner.close()]);
  assert.equal(running.server.announced.get(TOPIC.label)?.size, 0);
});

Deno.test("a socket can be closed at once, and sends to nowhere without a word", async () => {
  const socket = openUdp({ received: () => {}, failed: (error) => assert.fail(error) });
  socket.send(new Uint8Array(3), { host: "no address", port: 5300 });
  socket.send(new Uint8Array(100_000), { host: "127.0.0.1", port: 5300 });
  await socket.close();
  socket.send(new Uint8Array(3), { host: "127.0.0.1", port: 5300 });
  await socket.close();
});

for (
  const [text, host, ports] of [
    ["discovery.example.org", "discovery.example.org", [5300, 53]],
    ["127.0.0.1:4000", "127.0.0.1", [4000]],
    ["one.example.org.:5300,53", "one.example.org", [5300, 53]],
  ] as const
) {
  Deno.test(`parseDnsServer() reads ${text}`, () => {
    assert.deepEqual(parseDnsServer(text), { host, ports });
  });
}

for (const text of ["", ":53", "a:0", "a:65536", "a:1,2,3", "::1", "a b", "a:", "-a", "a/b"]) {
  Deno.test(`parseDnsServer() refuses "${text}"`, () => {
    assert.throws(() => parseDnsServer(text), UsageError);
  });
}
