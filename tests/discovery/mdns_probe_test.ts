import assert from "node:assert/strict";
import { PROBE_MS, probeMulticast } from "../../src/discovery/mdns_probe.ts";
import type { MulticastEvents, MulticastNetwork } from "../../src/discovery/mdns_network.ts";
import { readItems } from "../../src/discovery/mdns_packets.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const NETMASK = "255.255.255.0";
const INTERFACES = [
  { name: "lo", address: "127.0.0.1", netmask: "255.0.0.0" },
  { name: "eth0", address: "10.0.0.1", netmask: NETMASK },
  { name: "wlan0", address: "10.1.0.1", netmask: NETMASK },
];

/**
 * A machine on which a packet comes back as the test says.
 *
 * @param options.echoes The senders that the n-th packet comes back from, 2 ms later.
 */
function setUp(
  { addresses = ["127.0.0.1", "10.0.0.1", "10.1.0.1"], echoes = () => [], trouble }: {
    addresses?: readonly string[];
    echoes?: (packet: number) => readonly string[];
    trouble?: string;
  },
) {
  const clock = new VirtualClock();
  const sent: Uint8Array[] = [];
  let closed = 0;
  const network: MulticastNetwork = {
    interfaces: () =>
      addresses.map((address) =>
        INTERFACES.find((one) => one.address === address) ??
          { name: "", address, netmask: "0.0.0.0" }
      ),
    open(_, events: MulticastEvents) {
      clock.after(5, () => trouble === undefined ? events.opened() : events.failed(trouble));
      return {
        send(bytes, port) {
          const from = echoes(sent.push(bytes) - 1);
          for (const host of from) clock.after(2, () => events.received(bytes, { host, port }));
          clock.after(2, () => events.received(bytes.slice(1), { host: "10.0.0.1", port }));
          return from.length;
        },
        close() {
          closed++;
          return Promise.resolve();
        },
      };
    },
  };
  const probe = async (ms: number) => {
    const result = probeMulticast({
      ...{ network, timers: clock },
      randomBytes: (length) => new Uint8Array(length).fill(0xab),
    });
    clock.runTo(ms);
    const { trouble, interfaces } = await result;
    assert.equal(clock.timers, 0, "no timer is left");
    return { trouble, heard: interfaces.map(({ name, heard }) => `${name} ${heard}`) };
  };
  return { probe, sent, closed: () => closed };
}

Deno.test("probeMulticast() is done as soon as its packet came back on every interface", async () => {
  const { probe, sent, closed } = setUp({ echoes: () => ["10.0.0.1", "10.1.0.1"] });
  assert.deepEqual(await probe(10), { trouble: undefined, heard: ["eth0 true", "wlan0 true"] });
  assert.equal(sent.length, 1);
  assert.deepEqual(readItems(sent[0]).map(({ label }) => label), ["ab".repeat(20)]);
  assert.equal(closed(), 1);
});

Deno.test("probeMulticast() sends again, for packets get lost", async () => {
  const { probe, sent } = setUp({
    echoes: (packet) => ["10.0.0.1", "10.1.0.1"].slice(packet, 1 + packet),
  });
  assert.deepEqual(await probe(400), { trouble: undefined, heard: ["eth0 true", "wlan0 true"] });
  assert.equal(sent.length, 2);
});

Deno.test("probeMulticast() names the interfaces from which nothing came back", async () => {
  const { probe, sent, closed } = setUp({ echoes: () => ["10.1.0.1", "10.9.9.9"] });
  const result = await probe(PROBE_MS);
  assert.deepEqual(result, { trouble: undefined, heard: ["eth0 false", "wlan0 true"] });
  assert.equal(sent.length, 3);
  assert.equal(closed(), 1);
});

Deno.test("probeMulticast() tries loopback where there is nothing else", async () => {
  const { probe } = setUp({ addresses: ["127.0.0.1"], echoes: () => ["127.0.0.1"] });
  assert.deepEqual(await probe(10), { trouble: undefined, heard: ["lo true"] });
});

Deno.test("probeMulticast() takes any sender for an interface that the system does not name", async () => {
  const { probe } = setUp({ addresses: ["0.0.0.0"], echoes: () => ["10.3.0.1"] });
  assert.deepEqual(await probe(10), { trouble: undefined, heard: [" true"] });
});

Deno.test("probeMulticast() tells why there is no socket", async () => {
  const { probe, closed } = setUp({ trouble: "UDP port 5353 is taken" });
  const heard = ["eth0 false", "wlan0 false"];
  assert.deepEqual(await probe(10), { trouble: "UDP port 5353 is taken", heard });
  assert.equal(closed(), 1);
});

Deno.test("probeMulticast() tells that there is no interface", async () => {
  const { probe } = setUp({ addresses: [] });
  const trouble = "no network interface has an IPv4 address";
  assert.deepEqual(await probe(0), { trouble, heard: [] });
});
