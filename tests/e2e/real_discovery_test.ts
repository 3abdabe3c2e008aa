/**
 * How the published peers find each other in a lab, without trove: when one of these fails, it is the
 * lab or the peers. Seen on two cores, from the start of a clone to its end: 1 s by multicast, by the
 * DNS server or by hyperswarm's DHT, 4 s by the BitTorrent DHT.
 *
 * - Multicast takes no more than a cable: no name server, no way out. A peer asks when it starts and
 *   is answered at once.
 * - dat 14 announces once unasked when it starts. dns-discovery does not look at the domain of an
 *   answer, so a dat 13 that runs already dials it; one that starts later does not hear of it.
 * - The names of servers that are built into them are told in the hosts' files. dat 13 uses its
 *   DHT only when its two DNS servers have told it its address, or after about 4 s. dat 14 waits for
 *   each of its three about 8 s before it announces or is done with looking, so it is told them all;
 *   who looked before that looks again minutes later.
 * - dat 13 has uTP here as it had in its day, and sends to the DNS server and the DHT from port 3282.
 */
import assert from "node:assert/strict";
import type { LabHost } from "../support/lab_host.ts";
import { NetLab, netLabAvailable } from "../support/net_lab.ts";
import { dat, peer, type Process } from "../support/processes.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { digestTree, manyFiles, writeTree } from "../support/trees.ts";

type Version = "13" | "14";

/** Files in a shared folder. */
const FILES = 20;

/** Time for a clone, in milliseconds. */
const CLONE_DEADLINE_MS = 40_000;

/** Versions of the sharer and the cloner, and their hosts. */
interface Pair {
  readonly versions: readonly [Version, Version];
  readonly hosts: readonly [LabHost, LabHost];
  /** Where the sharer is to be announced before the other one looks, if not by multicast. */
  readonly server?: Process;
}

/** Share a folder on one host with the dat command and clone it on another, told the link alone. */
async function shareAndClone({ versions, hosts, server }: Pair, temp: TempFolder): Promise<void> {
  const [sharer, cloner] = hosts;
  const name = sharer.name;
  const [folder, copy] = [temp.folder(`folder-${name}`), temp.join(`copy-${name}`)];
  writeTree(folder, manyFiles(FILES, { seed: name, largest: 200_000 }), name);
  await using sharing = await dat(versions[0], ["share"], {
    home: temp.folder(`home-of-sharer-${name}`),
    cwd: folder,
    wrapper: sharer.wrapper,
  });
  const [link] = await sharing.says(/dat:\/\/[0-9a-f]{64}/);
  await sharing.says(/Watching for file updates/);
  await server?.event("announced", { matches: ({ host }) => host === sharer.address });
  await using cloning = await dat(versions[1], ["clone", link, copy], {
    home: temp.folder(`home-of-cloner-${name}`),
    cwd: temp.path,
    wrapper: cloner.wrapper,
  });
  const timer = setTimeout(() => cloning.signal("SIGKILL"), CLONE_DEADLINE_MS);
  await cloning.ended().finally(() => clearTimeout(timer));
  assert.deepEqual(contentsOf(copy), contentsOf(folder));
}

/** Hashes of the files by path. Not their modes: dat 13 may leave before it has set the last one. */
function contentsOf(folder: string): Record<string, string> {
  const files = [...digestTree(folder)].map(([path, { sha256 }]) => [path, sha256]);
  assert.equal(files.length, FILES);
  return Object.fromEntries(files);
}

Deno.test({
  name: "dat 13 and dat 14 find their own kind by multicast, and a dat 13 hears a new dat 14",
  ignore: !netLabAvailable(),
  async fn() {
    using temp = tempFolder();
    await using lab = await NetLab.open({ lan: { hosts: ["a", "b", "c", "d", "e", "f"] } });
    const pairs: Pair[] = [
      { versions: ["13", "13"], hosts: [lab.host("a"), lab.host("b")] },
      { versions: ["14", "14"], hosts: [lab.host("c"), lab.host("d")] },
      { versions: ["13", "14"], hosts: [lab.host("e"), lab.host("f")] },
    ];
    await Promise.all(pairs.map((pair) => shareAndClone(pair, temp)));
  },
});

Deno.test({
  name: "real peers find each other through a DNS server, the BitTorrent DHT and hyperswarm's DHT",
  ignore: !netLabAvailable({ filters: true }),
  async fn() {
    using temp = tempFolder();
    await using lab = await NetLab.open({
      servers: { hosts: ["server"] },
      one: { hosts: ["a", "b", "c"], multicast: false },
      two: { hosts: ["d", "e", "f"], multicast: false },
    });
    const host = lab.host("server");
    const options = { home: temp.path, wrapper: host.wrapper };
    await using names = await peer("dns_server", [], options);
    await using torrents = await peer("bittorrent_dht", [host.address, "--nodes", "3"], options);
    await using hyper = await peer("hyperswarm_dht", [host.address, "--nodes", "3"], options);
    await Promise.all([names, torrents, hyper].map((process) => process.event("listening")));

    const ways = [
      {
        version: "13",
        hosts: ["a", "d"],
        server: names,
        at: [1, 2].map((n) => `discovery${n}.datprotocol.com`),
      },
      { version: "13", hosts: ["b", "e"], server: torrents, at: ["bootstrap1.datprotocol.com"] },
      {
        version: "14",
        hosts: ["c", "f"],
        server: hyper,
        at: [1, 2, 3].map((n) => `bootstrap${n}.hyperdht.org`),
      },
    ] as const;
    await Promise.all(ways.map(({ version, hosts: [sharer, cloner], server, at }) => {
      const known = Object.fromEntries(at.map((name) => [name, host.address]));
      for (const name of [sharer, cloner]) lab.setNames(name, known);
      return shareAndClone({
        versions: [version, version],
        hosts: [lab.host(sharer), lab.host(cloner)],
        server,
      }, temp);
    }));
    const announced = [names, torrents, hyper].map(({ lines }) => {
      const hosts = lines.filter(({ event }) => event === "announced").map(({ host }) => host);
      return [...new Set(hosts)].sort();
    });
    const expected = ways.map(({ hosts }) => hosts.map((host) => lab.host(host).address).sort());
    assert.deepEqual(announced, expected);
    assert.deepEqual(await lab.strays(), []);
  },
});
