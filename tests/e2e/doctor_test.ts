/**
 * What `trove doctor` says on hosts with which something is wrong, each in its own way, and on one
 * with which nothing is. All of them at once, as most of it is waiting.
 */
import assert from "node:assert/strict";
import type { LabHost } from "../support/lab_host.ts";
import { LabPeers } from "../support/lab_peers.ts";
import { NetLab, netLabAvailable } from "../support/net_lab.ts";
import { type JsonLine, peer } from "../support/processes.ts";
import { tempFolder } from "../support/temp.ts";

/** The lines of a check that are as expected: `state: message`, in part. */
type Expected = Readonly<Record<string, RegExp | readonly RegExp[]>>;

/** What is said of ways to find peers where no name is known. */
const NO_NAMES = {
  names: /^problem: Names of servers cannot be looked up/,
  dns: /^note: DNS servers: cannot resolve discovery1\.\S+ and discovery2\.\S+$/,
  dht: /^problem: BitTorrent DHT: cannot resolve /,
  hyperswarm: /^problem: Hyperswarm DHT: cannot resolve /,
};

/** What is said of a host that is in order. */
const IN_ORDER = {
  listen: /^ok: Port 3282 is free/,
  addresses: /^note: This machine's addresses: \S+ \(eth0\), \S+ \(eth0\)\. All are private/,
  multicast: /^ok: Multicast works here \(10\.77\.1\.\d+\)/,
};

const HOPELESS = { error: /^no-peers: Cannot find peers from this machine$/ };

function firewall(hook: "input" | "output", rule: string): string {
  return `add table inet fw; add chain inet fw x { type filter hook ${hook} priority 0; }; ` +
    `add rule inet fw x ${rule}`;
}

/** Everything that was said, by the check; a problem or note has to say what to do. */
function said(lines: readonly JsonLine[]): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const { event, check, state, message, hint, code } of lines) {
    if (event === "error") all.error = [`${code}: ${message}`];
    if (event !== "check") continue;
    (all[check] ??= []).push(`${state}: ${message}`);
    assert.ok(state === "ok" || hint !== undefined || check === "mdns", `${message}: no hint`);
  }
  return all;
}

Deno.test({
  name: "trove doctor finds what is wrong, and nothing where nothing is",
  ignore: !netLabAvailable({ filters: true }),
  async fn() {
    using temp = tempFolder();
    const peers = new LabPeers(temp);
    const names = ["sharer", "well", "closed", "deaf", "six", "proxied", "empty", "server"];
    await using lab = await NetLab.open({ lan: { hosts: names } });
    const [sharer, well, closed, deaf, six, proxied, empty, server] = names.map((name) =>
      lab.host(name)
    );
    const options = { home: temp.path, wrapper: server.wrapper };
    await using dns = await peer("dns_server", [], options);
    await using torrents = await peer("bittorrent_dht", [server.address], options);
    await using hyper = await peer("hyperswarm_dht", [server.address], options);
    await using shared = await peers.share("trove", sharer);
    // It looks for an archive that nobody has, and is found by whoever else does.
    const nowhere = `dat://${"0".repeat(63)}1`;
    await using waiting = await peers.trove(empty, ["clone", nowhere, peers.place()]);
    await waiting.says(/Looking for peers: local network/);
    await Promise.all([dns, torrents, hyper].map((process) => process.event("listening")));
    lab.setNames(
      "well",
      Object.fromEntries(
        [
          ...["discovery1", "discovery2", "bootstrap1"].map((name) => `${name}.datprotocol.com`),
          "bootstrap1.hyperdht.org",
        ].map((name) => [name, server.address]),
      ),
    );
    await closed.run(["nft", firewall("input", "tcp dport 3282 drop")]);
    await deaf.run(["nft", firewall("input", "udp dport 5353 drop")]);
    await six.run(["ip", "-4", "addr", "flush", "dev", "eth0"]);

    const check = async (host: LabHost, args: string[], code: 0 | 3, expected: Expected) => {
      await using doctor = await peers.trove(host, ["doctor", "--json", ...args]);
      const all = said((await doctor.ended(code)).lines);
      const what = `doctor ${args.join(" ")} on ${host.name}: ${JSON.stringify(all, null, 2)}`;
      assert.deepEqual(Object.keys(all).sort(), Object.keys(expected).sort(), what);
      for (const [name, lines] of Object.entries(expected)) {
        const patterns = [lines].flat();
        assert.equal(all[name].length, patterns.length, what);
        for (const [n, pattern] of patterns.entries()) assert.match(all[name][n], pattern, what);
      }
    };
    const { multicast: _, ...unheard } = IN_ORDER;
    await Promise.all([
      check(well, [], 0, {
        ...IN_ORDER,
        names: /^ok: A name server answers$/,
        dns: /^ok: DNS servers: asked 2 servers, [12] answered$/,
        dht: /^ok: BitTorrent DHT: 1 node answered/,
        hyperswarm: /^ok: Hyperswarm DHT: 1 node answered/,
      }),
      check(closed, [], 0, {
        ...IN_ORDER,
        ...NO_NAMES,
        listen: /^problem: Port 3282 is closed: not even this machine can connect to 10\.77\.1\.3:/,
      }),
      check(deaf, [], 3, {
        ...unheard,
        ...NO_NAMES,
        ...HOPELESS,
        multicast: /^problem: Multicast does not come back to this machine \(10\.77\.1\.4\)/,
      }),
      check(six, [], 3, {
        ...IN_ORDER,
        ...NO_NAMES,
        ...HOPELESS,
        addresses: /^note: This machine's addresses: fd77\S+ \(eth0\)\. All are private/,
        multicast:
          /^problem: Multicast works within this machine only: it has IPv6 addresses alone/,
      }),
      check(proxied, ["--proxy", `socks5://${server.address}:1080`, "--port", "0"], 3, {
        ...unheard,
        ...HOPELESS,
        listen: /^ok: Port \d+ is free/,
        proxy:
          /^problem: Nobody can be reached: the proxy at 10\.77\.1\.8:1080: connection refused$/,
        discovery: /^problem: Behind a proxy nobody is looked for/,
      }),
      check(server, [shared.link, "--peer", empty.address, "--discovery", "mdns"], 0, {
        ...IN_ORDER,
        peer: /^problem: Peer 10\.77\.1\.7:3282: connected, and the peer hung up: most likely/,
        mdns: /^ok: local network: asked once, 1 host answered$/,
        found: /^ok: Found 10\.77\.1\.1:3282 \(local network\): it answered, and has this archive$/,
      }),
      check(sharer, [nowhere, "--discovery", "mdns", "--timeout", "3s"], 3, {
        ...IN_ORDER,
        listen: /^note: Port 3282 is taken, maybe by another trove or dat: port \d+ was free/,
        mdns: /^ok: local network: asked once, 1 host answered$/,
        found: /^note: Found 10\.77\.1\.7:3282 \(local network\): it answered, and has nothing of/,
        error: /^no-peers: Cannot find and reach a peer that has this archive$/,
      }),
      check(proxied, ["--proxy", `socks5://${sharer.address}:3282`], 3, {
        ...unheard,
        ...HOPELESS,
        proxy: /^problem: Nobody can be reached: the proxy at 10\.77\.1\.1:3282: no answer within/,
        discovery: /^problem: Behind a proxy nobody is looked for/,
      }),
    ]);
    assert.deepEqual(await lab.strays(), []);
  },
});
