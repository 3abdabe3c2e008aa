/** The ground of other tests: hosts in network namespaces that reach whom they should, and nobody else. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { LabHost } from "../support/lab_host.ts";
import { NetLab, netLabAvailable } from "../support/net_lab.ts";
import type { Process } from "../support/processes.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

const PROBE = fileURLToPath(new URL("../support/lab_probe.ts", import.meta.url));
const GROUP = "239.77.0.1";
const ignore = !netLabAvailable();
const ignoreFilters = !netLabAvailable({ filters: true });

/** A probe on a host, ready. */
async function probe(host: LabHost, temp: TempFolder): Promise<Process> {
  const command = [Deno.execPath(), "run", "-A", "--no-config", PROBE];
  const process = await host.spawn(command, { home: temp.path, stdin: "piped" });
  await process.event("ready");
  return process;
}

/** The packet with this text, once it is there. */
function packet(process: Process, text: string) {
  return process.event("packet", { matches: (line) => line.text === text });
}

/** Where packets came from, by their texts. */
function packetsOf({ lines }: Process): Record<string, string> {
  const packets = lines.filter(({ event }) => event === "packet");
  return Object.fromEntries(packets.map(({ text, from }) => [text, from]));
}

/** What is left of labs on this machine: in names of namespaces and of settings. */
function leftovers(namespaces: readonly string[]): string[] {
  return ["/run/netns", "/etc/netns"].flatMap((folder) =>
    Deno.readDirSync(folder).map(({ name }) => name).toArray()
  ).filter((name) => namespaces.includes(name));
}

Deno.test({
  name: "hosts of one subnet reach each other by IPv4, IPv6 and multicast, and nothing outside",
  ignore,
  async fn() {
    using temp = tempFolder();
    await using lab = await NetLab.open({ lan: { hosts: ["a", "b"] } });
    const [a, b] = [lab.host("a"), lab.host("b")];
    await using onA = await probe(a, temp);
    await using onB = await probe(b, temp);

    await onA.tell(`udp ${b.address} unicast`);
    assert.equal((await packet(onB, "unicast")).from, a.address);
    await onA.tell(`udp ${GROUP} multicast`);
    assert.equal((await packet(onB, "multicast")).from, a.address);
    await onA.tell(`tcp ${b.address6}`);
    await onA.event("dialled");
    assert.equal((await onB.event("connection")).from, a.address6);

    const startedAt = performance.now();
    await onA.tell("tcp 192.0.2.1");
    await onA.event("refused", { matches: ({ address }) => address === "192.0.2.1" });
    await onA.tell("tcp 2001:db8::1");
    await onA.event("refused", { matches: ({ address }) => address === "2001:db8::1" });
    await onA.tell("ask name.example");
    await onA.event("unresolved");
    assert.ok(performance.now() - startedAt < 10_000, "what is not there is not waited for");
    const traffic = await a.cable.traffic();
    assert.ok(traffic.sentPackets >= 5 && traffic.receivedPackets >= 3, JSON.stringify(traffic));
  },
});

Deno.test({
  name: "a cable is cut and restored, and a host moves to another address and subnet",
  ignore,
  async fn() {
    using temp = tempFolder();
    await using lab = await NetLab.open({ lan: { hosts: ["a", "b"] }, far: { hosts: ["c"] } });
    const [a, b, c] = [lab.host("a"), lab.host("b"), lab.host("c")];
    await using onA = await probe(a, temp);
    await using onB = await probe(b, temp);
    await using onC = await probe(c, temp);

    await onA.tell(`udp ${GROUP} to-all`);
    await onA.tell(`udp ${c.address} routed`);
    assert.equal((await packet(onC, "routed")).from, "10.77.1.1");
    await packet(onB, "to-all");

    await b.cable.cut();
    await onA.tell(`udp ${GROUP} cut`);
    await onA.tell(`udp ${c.address} after-cut`);
    await packet(onC, "after-cut");
    await b.cable.restore();
    await onA.tell(`udp ${GROUP} restored`);
    await packet(onB, "restored");

    await a.cable.move({ number: 77 });
    await onA.tell(`udp ${b.address} moved`);
    assert.equal((await packet(onB, "moved")).from, "10.77.1.77");
    await a.cable.move({ subnet: lab.subnet("far"), number: 5 });
    await onA.tell(`udp ${GROUP} from-far`);
    assert.equal((await packet(onC, "from-far")).from, "10.77.2.5");
    await onA.tell(`udp ${b.address} routed-back`);
    assert.equal((await packet(onB, "routed-back")).from, "10.77.2.5");

    assert.deepEqual(Object.keys(packetsOf(onB)), ["to-all", "restored", "moved", "routed-back"]);
    assert.deepEqual(Object.keys(packetsOf(onC)), ["routed", "after-cut", "from-far"]);
  },
});

Deno.test({
  name: "multicast can be off, a host can be behind NAT, and packets to elsewhere are noted",
  ignore: ignoreFilters,
  async fn() {
    using temp = tempFolder();
    await using lab = await NetLab.open({
      lan: { hosts: ["a", "b"], multicast: false },
      home: { hosts: ["c"], nat: true },
    });
    const [a, b, c] = [lab.host("a"), lab.host("b"), lab.host("c")];
    await using onA = await probe(a, temp);
    await using onB = await probe(b, temp);
    await using onC = await probe(c, temp);

    await a.recordDestinations();
    await onA.tell(`udp ${GROUP} multicast`);
    await onA.tell(`udp ${b.address} unicast`);
    await packet(onB, "unicast");

    const outside = lab.natAddress("home", { seenIn: "lan" });
    await onC.tell(`tcp ${a.address}`);
    await onC.event("dialled");
    assert.equal((await onA.event("connection")).from, `::ffff:${outside}`);
    await onC.tell(`udp ${a.address} out`);
    assert.equal((await packet(onA, "out")).from, outside);
    // The answer finds its way back; others who try that port do not.
    await onB.tell(`udp ${outside} unasked`);
    await onA.tell(`udp ${outside} answer`);
    assert.equal((await packet(onC, "answer")).from, a.address);
    for (const address of [outside, c.address6]) await onB.tell(`tcp ${address}`);
    await onB.event("refused", { matches: ({ address }) => address === outside });

    assert.deepEqual(await lab.strays(), []);
    await onA.tell("udp 192.0.2.1 stray");
    await onA.tell(`udp ${b.address} last`);
    await packet(onB, "last");
    const stray = { address: "192.0.2.1", protocol: "udp", port: 4000 };
    assert.deepEqual(await lab.strays(), [stray]);
    const sentTo = (await a.destinations()).map(({ address }) => address);
    assert.deepEqual(sentTo.sort(), ["10.77.1.2", outside, "192.0.2.1", GROUP].sort());

    assert.deepEqual(Object.keys(packetsOf(onB)), ["unicast", "last"]);
    assert.deepEqual(Object.keys(packetsOf(onC)), ["answer"]);
    assert.ok(!onC.lines.some(({ event }) => event === "connection"), "nobody dialled in");
  },
});

Deno.test({
  name: "a cable that loses packets loses about as many as it should",
  ignore: ignoreFilters,
  async fn() {
    using temp = tempFolder();
    await using lab = await NetLab.open({ lan: { hosts: ["a", "b"] } });
    const [a, b] = [lab.host("a"), lab.host("b")];
    await using onA = await probe(a, temp);
    await using onB = await probe(b, temp);
    // So that they know each other's hardware addresses.
    await onA.tell(`udp ${b.address} first`);
    await packet(onB, "first");
    await b.cable.lose(50);
    for (let n = 0; n < 200; n++) await onA.tell(`udp ${b.address} lossy-${n}`);
    await onA.tell("ask name.example");
    await onA.event("unresolved");
    await b.cable.lose(0);
    await onA.tell(`udp ${b.address} end`);
    await packet(onB, "end");
    const arrived = Object.keys(packetsOf(onB)).length - 2;
    assert.ok(arrived > 50 && arrived < 150, `${arrived} of 200 arrived`);
  },
});

Deno.test({
  name: "nothing is left of a lab, not even what ran there, and others are left alone",
  ignore,
  async fn() {
    using temp = tempFolder();
    await using other = await NetLab.open({ lan: { hosts: ["a"] } });
    const lab = await NetLab.open({ lan: { hosts: ["a", "b"] } });
    const namespaces = [lab.host("a").namespace, lab.host("b").namespace];
    await using onA = await probe(lab.host("a"), temp);
    assert.equal(leftovers(namespaces).length, 4);
    await lab[Symbol.asyncDispose]();
    assert.deepEqual(leftovers(namespaces), []);
    assert.equal((await onA.exit).signal, "SIGKILL");
    const { namespace } = other.host("a");
    assert.equal(leftovers([namespace]).length, 2);

    // A plan that cannot be built.
    const hosts = ["a", "not a name\n"];
    await assert.rejects(NetLab.open({ lan: { hosts } }));
  },
});
