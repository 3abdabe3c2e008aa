/** A host of a lab: a network namespace, with a cable into each subnet that it is in. */
import type { Process } from "./processes.ts";
import { startProgram } from "./processes.ts";
import { inNamespace, runIp, runNft, runTool } from "./net_commands.ts";

/** A subnet as hosts see it: the same number in its addresses and in the name of its bridge. */
export interface Subnet {
  readonly name: string;
  /** From 1: IPv4 10.77.N.0/24, IPv6 fd77:0:0:N::/64, router at .254 and ::fe, bridge brN. */
  readonly number: number;
  readonly multicast: boolean;
  readonly nat: boolean;
}

/** Somewhere that was dialled or sent a datagram. */
export interface Destination {
  readonly address: string;
  readonly protocol: "tcp" | "udp";
  readonly port: number;
}

/** What went over a cable so far, counted by the host. */
export interface Traffic {
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
}

/** Number of the router in each subnet. */
export const ROUTER = 254;

export function addressIn(subnet: Subnet, number: number): string {
  return `10.77.${subnet.number}.${number}`;
}

export function address6In(subnet: Subnet, number: number): string {
  return `fd77:0:0:${subnet.number}::${number.toString(16)}`;
}

/** The rules that note where packets go, but for those to addresses in `except`; for one namespace. */
export function recordingRules(
  hook: "output" | "prerouting",
  except: { readonly ipv4: string; readonly ipv6: string },
): string {
  return `table inet recorded {
  set ipv4 { type ipv4_addr . inet_proto . inet_service; flags dynamic; size 65535; }
  set ipv6 { type ipv6_addr . inet_proto . inet_service; flags dynamic; size 65535; }
  chain packets {
    type filter hook ${hook} priority -300;
    tcp flags & (syn | ack) != syn accept;
    meta l4proto { tcp, udp } ip daddr != { ${except.ipv4} } update @ipv4 { ip daddr . meta l4proto . th dport };
    meta l4proto { tcp, udp } ip6 daddr != { ${except.ipv6} } update @ipv6 { ip6 daddr . meta l4proto . th dport };
  }
}
`;
}

/** What `recordingRules` noted so far. */
export async function recordedIn(namespace: string): Promise<Destination[]> {
  const destinations: Destination[] = [];
  for (const set of ["ipv4", "ipv6"]) {
    const list = ["nft", "-j", "list", "set", "inet", "recorded", set];
    const { nftables } = JSON.parse(await runTool([...inNamespace(namespace), ...list]));
    for (const part of nftables) {
      for (const { concat: [address, protocol, port] } of part.set?.elem ?? []) {
        destinations.push({ address, protocol, port });
      }
    }
  }
  return destinations;
}

/** A cable between a host and a bridge, and the host's addresses at its end. */
export class Cable {
  /** The host's end, such as "eth0". */
  readonly device: string;
  readonly #host: string;
  readonly #switch: string;
  /** The end in the switch. */
  readonly #port: string;
  /** Whether the host's default route goes through here. */
  readonly #isDefault: boolean;
  #subnet: Subnet;
  #number: number;
  #lossPercent = 0;
  #isFiltered = false;

  constructor(options: {
    host: string;
    switch: string;
    port: string;
    device: string;
    subnet: Subnet;
    number: number;
  }) {
    this.device = options.device;
    this.#host = options.host;
    this.#switch = options.switch;
    this.#port = options.port;
    this.#isDefault = options.device === "eth0";
    this.#subnet = options.subnet;
    this.#number = options.number;
  }

  get subnet(): string {
    return this.#subnet.name;
  }

  /** IPv4 address. */
  get address(): string {
    return addressIn(this.#subnet, this.#number);
  }

  /** IPv6 address, a unique local one. */
  get address6(): string {
    return address6In(this.#subnet, this.#number);
  }

  /** Lay it. Once. */
  async plugIn(): Promise<void> {
    const peer = `type veth peer name ${this.device} netns ${this.#host}`;
    await runIp(this.#switch, [
      `link add ${this.#port} ${peer}`,
      `link set ${this.#port} master br${this.#subnet.number} up`,
    ]);
    await runIp(this.#host, [`link set ${this.device} up`, ...this.#addressLines()]);
    if (!this.#subnet.multicast) await this.#filter();
  }

  #addressLines(): string[] {
    const { device } = this;
    const lines = [
      `addr add ${this.address}/24 brd + dev ${device}`,
      // Without duplicate detection it can be used at once.
      `addr add ${this.address6}/64 dev ${device} nodad`,
    ];
    if (this.#isDefault) {
      // What an ordinary host has. Multicast goes where the default route goes.
      lines.push(
        `route replace default via ${addressIn(this.#subnet, ROUTER)} dev ${device}`,
        `route replace default via ${address6In(this.#subnet, ROUTER)} dev ${device}`,
      );
    }
    return lines;
  }

  /** Give the host other addresses here, in this subnet or another one. Connections get no notice. */
  async move({ subnet = this.#subnet, number }: { subnet?: Subnet; number: number }) {
    const isOther = subnet !== this.#subnet;
    this.#subnet = subnet;
    this.#number = number;
    const bridge = `br${subnet.number}`;
    if (isOther) await runIp(this.#switch, [`link set ${this.#port} master ${bridge}`]);
    await runIp(this.#host, [
      `addr flush dev ${this.device} scope global`,
      ...this.#addressLines(),
    ]);
    if (isOther && (this.#isFiltered || !subnet.multicast)) await this.#filter();
  }

  /** Pull it out of the switch. The host keeps its addresses and sees that there is no carrier. */
  async cut(): Promise<void> {
    await runIp(this.#switch, [`link set ${this.#port} down`]);
  }

  /** Undo `cut`. */
  async restore(): Promise<void> {
    await runIp(this.#switch, [`link set ${this.#port} up`]);
  }

  /** From now on lose so many packets in each direction, in percent. Needs nftables. */
  async lose(percent: number): Promise<void> {
    this.#lossPercent = percent;
    await this.#filter();
  }

  /** Put the rules in force that fit subnet and loss: on arrival, the one hook every kernel has. */
  async #filter(): Promise<void> {
    this.#isFiltered = true;
    const loss = `numgen random mod 1000 < ${Math.round(10 * this.#lossPercent)} drop;`;
    const deaf = "ip daddr 224.0.0.0/4 drop; ip6 daddr ff02::fb drop;";
    const rules = (device: string, lines: string) => {
      const table = `netdev cable_${this.#port}`;
      const hook = `type filter hook ingress device ${device} priority 0;`;
      // Made so that it can be deleted, whether it was there or not.
      return `table ${table}\ndelete table ${table}\ntable ${table} { chain in { ${hook} ${lines} }; }\n`;
    };
    const toSwitch = this.#subnet.multicast ? loss : deaf + loss;
    await runNft(this.#switch, rules(this.#port, toSwitch));
    await runNft(this.#host, rules(this.device, loss));
  }

  async traffic(): Promise<Traffic> {
    const list = ["ip", "-n", this.#host, "-j", "-s", "link", "show", "dev", this.device];
    const [{ stats64: { rx, tx } }] = JSON.parse(await runTool(list));
    return {
      sentPackets: tx.packets,
      sentBytes: tx.bytes,
      receivedPackets: rx.packets,
      receivedBytes: rx.bytes,
    };
  }
}

export class LabHost {
  readonly name: string;
  readonly namespace: string;
  /** One for each subnet it is in, in the order of the plan. The first is its way out. */
  readonly cables: readonly Cable[];

  constructor(name: string, namespace: string, cables: readonly Cable[]) {
    this.name = name;
    this.namespace = namespace;
    this.cables = cables;
  }

  get cable(): Cable {
    return this.cables[0];
  }

  /** IPv4 address at the first cable. */
  get address(): string {
    return this.cable.address;
  }

  /** IPv6 address at the first cable. */
  get address6(): string {
    return this.cable.address6;
  }

  /** What to put in front of a command so that it runs on this host, for `wrapper` of `trove` and `peer`. */
  get wrapper(): readonly string[] {
    return inNamespace(this.namespace);
  }

  /** Start a program on this host. */
  spawn(
    command: readonly string[],
    options: { home: string; cwd?: string; env?: Record<string, string>; stdin?: "piped" | "null" },
  ): Promise<Process> {
    const name = `${command.join(" ")} on ${this.name}`;
    return startProgram(name, command, { stdin: "null", ...options, wrapper: this.wrapper });
  }

  /** Run a program on this host to its end, which has to be a good one. Gives its stdout. */
  run(command: readonly string[]): Promise<string> {
    return runTool([...this.wrapper, ...command]);
  }

  /** From now on note where this host sends to, itself excepted. Once. Needs nftables. */
  async recordDestinations(): Promise<void> {
    const except = { ipv4: "127.0.0.0/8", ipv6: "::1" };
    await runNft(this.namespace, recordingRules("output", except));
  }

  /** Where it dialled and sent datagrams to since `recordDestinations`, each place once. */
  destinations(): Promise<Destination[]> {
    return recordedIn(this.namespace);
  }
}
