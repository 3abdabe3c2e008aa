/**
 * That peers of different networks, which hear no multicast of each other, meet through dat's DNS
 * servers, the BitTorrent DHT and hyperswarm's DHT: all of the lab's own, made of the packages that
 * dat 13 and dat 14 are made of.
 *
 * - Seen alone on two cores, from the start of a clone to its end: trove 1 s in each way, dat 13 by the
 *   BitTorrent DHT 4 s, dat 14 by hyperswarm's 1 s.
 * - The names that are built into the dat commands are told in the hosts' files. dat 13 uses its DHT
 *   only when its two DNS servers have told it its address, or after 4 s. dat 14 waits for each of its
 *   three nodes about 8 s before it announces or is done with looking, so it is told them all.
 */
import assert from "node:assert/strict";
import type { LabHost } from "../support/lab_host.ts";
import { LabPeers, report } from "../support/lab_peers.ts";
import { NetLab, netLabAvailable } from "../support/net_lab.ts";
import { type JsonLine, peer, type Process } from "../support/processes.ts";
import { tempFolder } from "../support/temp.ts";

const BOUND_SECONDS = 30;

/** Wait until a server or node was told of a host. */
function announced(process: Process, host: LabHost) {
  return process.event("announced", { matches: (line) => line.host === host.address });
}

Deno.test({
  name: "peers of different networks meet through a DNS server, the BitTorrent DHT or hyperswarm's",
  ignore: !netLabAvailable({ filters: true }),
  async fn() {
    using temp = tempFolder();
    const peers = new LabPeers(temp);
    const multicast = false;
    await using lab = await NetLab.open({
      servers: { hosts: ["server"], multicast },
      one: { hosts: ["ours", "fourteen"], multicast },
      two: { hosts: ["a", "b", "c", "d", "e"], multicast },
      home: { hosts: ["inside"], nat: true, multicast },
    });
    const server = lab.host("server");
    const { address } = server;
    const options = { home: temp.path, wrapper: server.wrapper };
    await using names = await peer("dns_server", [], options);
    await using torrents = await peer("bittorrent_dht", [address, "--nodes", "3"], options);
    await using hyper = await peer("hyperswarm_dht", [address, "--nodes", "3"], options);
    await Promise.all([names, torrents, hyper].map((process) => process.event("listening")));
    const torrentNames = { "bootstrap1.datprotocol.com": address };
    const hyperNames = Object.fromEntries(
      [1, 2, 3].map((n) => [`bootstrap${n}.hyperdht.org`, address]),
    );
    lab.setNames("d", torrentNames);
    for (const host of ["e", "fourteen"]) lab.setNames(host, hyperNames);
    const by = (...ways: string[]) => [
      "--allow-private",
      ...["--discovery", ways.join()],
      ...ways.flatMap((way) => ["--bootstrap", `${way}=${address}`]),
    ];

    const [ours, fourteen] = ["ours", "fourteen"].map((name) => lab.host(name));
    const shares = [
      peers.share("trove", ours, { args: by("dns", "dht", "hyperswarm") }),
      peers.share("14", fourteen),
    ];
    await using shared = await shares[0];
    await using sharedBy14 = await shares[1];
    await Promise.all([
      ...[names, torrents, hyper].map((process) => announced(process, ours)),
      announced(hyper, fourteen),
    ]);

    const seconds: Record<string, number> = {};
    const clone = async (...[kind, host, from, args]: Parameters<LabPeers["clone"]>) => {
      const who = kind === "trove" ? "trove" : `dat ${kind}`;
      const what = `${who} on ${host.name} ${args?.[2] ?? ""}`.trim();
      seconds[what] = await peers.clone(kind, host, from, args);
    };
    await Promise.all([
      clone("13", lab.host("d"), shared),
      clone("14", lab.host("e"), shared),
      clone("trove", lab.host("a"), shared, by("dns")),
      clone("trove", lab.host("b"), shared, by("hyperswarm")),
      clone("trove", lab.host("c"), sharedBy14, by("hyperswarm")),
      clone("trove", lab.host("inside"), shared, by("dht")),
    ]);
    report(seconds);
    for (const [what, time] of Object.entries(seconds)) {
      assert.ok(time < BOUND_SECONDS, `${what}: ${time} s`);
    }

    // What can be taken back is taken back.
    shared.process.signal("SIGINT");
    await shared.process.ended();
    const isOurs = ({ host }: JsonLine) => host === ours.address;
    await hyper.event("unannounced", { matches: isOurs });
    await names.event("query", {
      matches: (line) => isOurs(line) && line.strings.includes("unannounce=3282"),
    });
    assert.deepEqual(await lab.strays(), []);
  },
});
