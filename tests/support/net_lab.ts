/**
 * Networks of several hosts for tests: each host is a network namespace, the bridges between them lie
 * in a namespace of their own, and no way leads out. All of it is gone at the end of its block.
 *
 *     await using lab = await NetLab.open({
 *       lan: { hosts: ["a", "b"] },
 *       far: { hosts: ["c"], multicast: false },
 *       home: { hosts: ["d"], nat: true },
 *     });
 *     await using sharer = await trove(["share", folder], { home, wrapper: lab.host("a").wrapper });
 *
 *            br1 10.77.1.0/24      br2 10.77.2.0/24     br3 10.77.3.0/24
 *             │ .254     │            │ .254   │           │ .254    │
 *     a .1 ───┤   b .2 ──┤    c .1 ───┤        │   d .1 ───┤         │
 *                        └────────── router ───┴───── NAT ───────────┘
 *
 * Subnets reach each other through a router; multicast stays inside of one. A host that is named in
 * several subnets has a cable into each. Behind NAT a host dials out and nobody dials in. Addresses
 * that are not in the lab are refused by the router at once, and no name is known: there is nothing at
 * the name server's address. `setNames` and `setNameServer` change that.
 *
 * The bridges do not snoop on IGMP: with it, and nobody on them who asks for members, groups other
 * than 224.0.0.x would fall silent after a few minutes.
 *
 * It takes root, iproute2 and, for some parts, nftables. Tests that use it are the only ones that may
 * be skipped: `ignore: !netLabAvailable()`, which the summary counts as skipped.
 */
import {
  address6In,
  addressIn,
  Cable,
  type Destination,
  LabHost,
  recordedIn,
  recordingRules,
  ROUTER,
  type Subnet,
} from "./lab_host.ts";
import { inNamespace, labSupport, runIp, runNft, runTool } from "./net_commands.ts";

/** Where `ip netns exec` takes a namespace's own name servers from. */
const SETTINGS = "/etc/netns";

/** Behind NAT, a subnet's hosts are seen in each other subnet at this number plus that of theirs. */
const NAT_BASE = 200;

/** Where no name server is: asking it fails at once. */
const NO_NAME_SERVER = "127.0.0.1";

export interface SubnetPlan {
  /** Names of hosts; they get the numbers 1, 2, … here. */
  readonly hosts: readonly string[];
  /** Whether multicast gets from host to host: by default it does. To stop it needs nftables. */
  readonly multicast?: boolean;
  /** Whether the router translates the addresses of its hosts: by default not. Needs nftables. */
  readonly nat?: boolean;
}

/** Whether labs can be had here; with `filters` what nftables does as well. Why not is told once. */
export function netLabAvailable({ filters = false } = {}): boolean {
  const { missing, missingFilters } = labSupport();
  return missing === undefined && !(filters && missingFilters !== undefined);
}

export class NetLab implements AsyncDisposable {
  /** In the names of its namespaces, so that labs of other tests and processes are not met. */
  readonly #id = crypto.randomUUID().slice(0, 8);
  readonly #subnets = new Map<string, Subnet>();
  readonly #hosts = new Map<string, LabHost>();
  /** Removes what was made so far, the newest first; every step is tried. */
  readonly #made = new AsyncDisposableStack();

  private constructor() {}

  /** Build a lab. Without support for it, or when a step fails, nothing is left and it throws. */
  static async open(plan: Readonly<Record<string, SubnetPlan>>): Promise<NetLab> {
    const lab = new NetLab();
    try {
      await lab.#build(plan);
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** @throws {RangeError} If there is no such host. */
  host(name: string): LabHost {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new RangeError(`Cannot find host "${name}" in the lab`);
    return host;
  }

  /** @throws {RangeError} If there is no such subnet. */
  subnet(name: string): Subnet {
    const subnet = this.#subnets.get(name);
    if (subnet === undefined) throw new RangeError(`Cannot find subnet "${name}" in the lab`);
    return subnet;
  }

  /** The IPv4 address at which hosts of `subnet`, which is behind NAT, are seen in another one. */
  natAddress(subnet: string, { seenIn }: { seenIn: string }): string {
    return addressIn(this.subnet(seenIn), NAT_BASE + this.subnet(subnet).number);
  }

  /** Have all hosts ask this address for names, also the programs that are running already. */
  setNameServer(address: string): void {
    for (const { namespace } of this.#hosts.values()) writeNameServer(namespace, address);
  }

  /**
   * Have a host know these names, and no others: `{ "bootstrap1.example": "10.77.1.1" }`. Also the
   * programs that are running already.
   */
  setNames(host: string, names: Readonly<Record<string, string>>): void {
    writeNames(this.host(host).namespace, names);
  }

  /** Where hosts tried to send to outside of the lab, each place once. Needs nftables. */
  strays(): Promise<Destination[]> {
    return recordedIn(this.#switch);
  }

  get #switch(): string {
    return `trove-${this.#id}-switch`;
  }

  async #addNamespace(namespace: string): Promise<void> {
    await runTool(["ip", "netns", "add", namespace]);
    this.#made.defer(async () => void await runTool(["ip", "netns", "del", namespace]));
    this.#made.defer(() => killAll(namespace));
    await runIp(namespace, ["link set lo up"]);
  }

  async #build(plan: Readonly<Record<string, SubnetPlan>>): Promise<void> {
    await this.#addNamespace(this.#switch);
    for (const [n, [name, { multicast = true, nat = false }]] of Object.entries(plan).entries()) {
      this.#subnets.set(name, { name, number: n + 1, multicast, nat });
    }
    await runIp(this.#switch, [...this.#subnets.values()].flatMap(bridgeLines));
    await this.#route();

    const cablesOf = new Map<string, Cable[]>();
    let ports = 0;
    for (const [subnet, { hosts }] of Object.entries(plan)) {
      for (const [n, host] of hosts.entries()) {
        const cables = cablesOf.get(host) ?? [];
        cablesOf.set(host, cables);
        cables.push(
          new Cable({
            host: `trove-${this.#id}-${host}`,
            switch: this.#switch,
            port: `port${ports++}`,
            device: `eth${cables.length}`,
            subnet: this.subnet(subnet),
            number: n + 1,
          }),
        );
      }
    }
    for (const [name, cables] of cablesOf) {
      const namespace = `trove-${this.#id}-${name}`;
      this.#made.defer(() => Deno.remove(`${SETTINGS}/${namespace}`, { recursive: true }));
      Deno.mkdirSync(`${SETTINGS}/${namespace}`, { recursive: true });
      writeNameServer(namespace, NO_NAME_SERVER);
      writeNames(namespace, {});
      await this.#addNamespace(namespace);
      this.#hosts.set(name, new LabHost(name, namespace, cables));
      for (const cable of cables) await cable.plugIn();
    }
  }

  /** Make the switch a router between its bridges. */
  async #route(): Promise<void> {
    const settings = [
      "echo 1 > /proc/sys/net/ipv4/ip_forward",
      "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
      // Every packet that leads nowhere is refused, not one a second.
      "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit",
    ];
    await runTool([...inNamespace(this.#switch), "sh", "-c", settings.join(" && ")]);
    const subnets = [...this.#subnets.values()];
    if (!netLabAvailable({ filters: true })) {
      if (subnets.every(({ nat, multicast }) => multicast && !nat)) return;
      throw new Error(`Cannot filter or translate in the lab: ${labSupport().missingFilters}`);
    }
    const except = {
      ipv4: "10.77.0.0/16, 224.0.0.0/4, 255.255.255.255",
      ipv6: "fd77::/48, fe80::/10, ff00::/8",
    };
    await runNft(this.#switch, recordingRules("prerouting", except));
    for (const subnet of subnets.filter(({ nat }) => nat)) {
      const others = subnets.filter((other) => other !== subnet);
      const outside = others.map((other) => addressIn(other, NAT_BASE + subnet.number));
      await runIp(
        this.#switch,
        others.map((other, n) => `addr add ${outside[n]}/24 dev br${other.number}`),
      );
      await runNft(this.#switch, natRules(subnet, others, outside));
    }
  }

  /** Ends what still runs on its hosts and removes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#hosts.clear();
    await this.#made.disposeAsync();
  }
}

function bridgeLines(subnet: Subnet): string[] {
  const bridge = `br${subnet.number}`;
  return [
    `link add ${bridge} type bridge mcast_snooping 0`,
    `addr add ${addressIn(subnet, ROUTER)}/24 brd + dev ${bridge}`,
    `addr add ${address6In(subnet, ROUTER)}/64 dev ${bridge} nodad`,
    `link set ${bridge} up`,
  ];
}

/** Connections of `subnet` get out to each of the others under the address there, and none comes in. */
function natRules(
  subnet: Subnet,
  others: readonly Subnet[],
  outside: readonly string[],
): string {
  const bridge = `br${subnet.number}`;
  const inside = `10.77.${subnet.number}.0/24`;
  const translate = others.map((other, n) =>
    `ip saddr ${inside} oifname br${other.number} snat to ${outside[n]};`
  );
  return `table ip nat_${bridge} {
  chain after { type nat hook postrouting priority 100; ${translate.join(" ")} }
  chain through { type filter hook forward priority 0; ct state established,related accept; iifname != ${bridge} oifname ${bridge} drop; }
}
table ip6 nat_${bridge} {
  chain through { type filter hook forward priority 0; iifname != ${bridge} oifname ${bridge} drop; iifname ${bridge} oifname != ${bridge} drop; }
}
`;
}

function writeNameServer(namespace: string, address: string): void {
  // In place: programs that run have this very file.
  const lines = `nameserver ${address}\noptions timeout:1 attempts:1\n`;
  Deno.writeTextFileSync(`${SETTINGS}/${namespace}/resolv.conf`, lines);
}

function writeNames(namespace: string, names: Readonly<Record<string, string>>): void {
  const known = { localhost: "127.0.0.1", ...names };
  const lines = Object.entries(known).map(([name, address]) => `${address} ${name}\n`);
  Deno.writeTextFileSync(`${SETTINGS}/${namespace}/hosts`, lines.join(""));
}

/** Kill what runs in a namespace, all of it started by the lab's test. */
async function killAll(namespace: string): Promise<void> {
  for (const pid of (await runTool(["ip", "netns", "pids", namespace])).split("\n")) {
    if (pid === "") continue;
    try {
      Deno.kill(Number(pid), "SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}
