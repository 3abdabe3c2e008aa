/**
 * Finding peers through dat's own discovery servers, which speak DNS over UDP: they are told which
 * archives we have, and say who else has them. Source: dns-discovery 6.2.3 `index.js`; spec of
 * discovery, sections 2 and 4.
 */
import { listed } from "../base/format.ts";
import { reachOf } from "./candidates.ts";
import { JITTER_MS, REFRESH_MS, type ResolveHost } from "./dns_contact.ts";
import { type Address, DnsExchanges } from "./dns_exchanges.ts";
import { decodePeers, encodeReceipt } from "./dns_packets.ts";
import { DnsServer } from "./dns_server.ts";
import { DNS_SERVERS, type DnsServerAddress } from "./dns_server_address.ts";
import type { DiscoverySource, Interest, SourceContext, SourceState } from "./source.ts";
import type { Topic } from "./topic.ts";
import { type OpenUdp, openUdp, type UdpSocket } from "./udp_socket.ts";

/** What archives are called there. Source: dat-swarm-defaults 1.0.3. */
const DOMAIN = "dat.local";

/** More than anybody has use for. */
const MAX_SERVERS = 16;

/**
 * Packets a minute for an archive and a server that answers: a question and its answer, every 65 s
 * on average; and one such pair every five minutes when its token changes. One that is silent gets five packets a port every minute, however many archives.
 */
export const DNS_PACKETS_PER_MINUTE = 2 * 60_000 / (REFRESH_MS + JITTER_MS / 2);

/** For withdrawing what was announced, at the end. */
const CLOSE_MS = 1800;

export interface DnsServersOptions {
  /** Those of dat if left out. */
  readonly servers?: readonly DnsServerAddress[];
  readonly openSocket?: OpenUdp;
  readonly resolveHost?: ResolveHost;
}

interface Joined {
  readonly topic: Topic;
  interest: Interest;
  cancelRefresh: () => void;
}

export class DnsServersSource implements DiscoverySource {
  readonly name = "dns";
  readonly #context: SourceContext;
  readonly #openSocket: OpenUdp;
  readonly #exchanges: DnsExchanges;
  readonly #servers: readonly DnsServer[];
  /** By label. */
  readonly #topics = new Map<string, Joined>();
  #socket: UdpSocket | undefined;
  #socketFailure: string | undefined;
  #closed = false;

  constructor(context: SourceContext, options: DnsServersOptions = {}) {
    const { servers = DNS_SERVERS, openSocket = openUdp, resolveHost = resolveByDns } = options;
    const { timers, random, randomBytes } = context;
    this.#context = context;
    this.#openSocket = openSocket;
    const send = (bytes: Uint8Array, to: Address) => this.#send(bytes, to);
    const exchanges = this.#exchanges = new DnsExchanges({ timers, randomBytes, send });
    const domain = DOMAIN;
    this.#servers = servers.slice(0, MAX_SERVERS).map((server) =>
      new DnsServer(server, {
        ...{ timers, random, domain, exchanges, resolveHost },
        named: (label, peers, { contact }) => {
          for (const peer of decodePeers(peers)) this.#found(label, peer, contact.address!.host);
        },
        changed: (label) => this.#changed(label),
      })
    );
  }

  /**
   * Where the servers see our UDP packets come from: known when one of them told, and then without a
   * port (0); with a port when two say the same. What is announced to them is the TCP port as it is,
   * for what a router does to UDP says nothing about TCP.
   */
  get publicAddress(): Address | undefined {
    const seen = this.#servers.flatMap(({ contact: { publicAddress, address } }) =>
      publicAddress === undefined ? [] : [{ ...publicAddress, by: address!.host }]
    );
    if (seen.length === 0) return undefined;
    const [{ host, port, by }] = seen;
    if (seen.some((other) => other.host !== host)) return undefined;
    const agree = seen.some((other) => other.by !== by) &&
      seen.every((other) => other.port === port);
    return { host, port: agree ? port : 0 };
  }

  join(topic: Topic, interest: Interest): void {
    if (this.#closed) return;
    const joined = this.#topics.get(topic.label);
    if (joined !== undefined) {
      joined.interest = interest;
      joined.cancelRefresh();
      this.#ask(joined);
      return;
    }
    const added = { topic, interest, cancelRefresh: () => {} };
    this.#topics.set(topic.label, added);
    this.#ask(added);
  }

  leave({ label }: Topic): void {
    this.#topics.get(label)?.cancelRefresh();
    if (!this.#topics.delete(label)) return;
    for (const server of this.#servers) server.leave(label);
  }

  stateOf({ label }: Topic): SourceState {
    if (this.#socketFailure !== undefined) return { state: "failed", message: this.#socketFailure };
    const count = counted(this.#servers.length);
    const answered = this.#servers.filter((server) => server.hasAnswered(label)).length;
    if (answered > 0) return { state: "working", message: `asked ${count}, ${answered} answered` };
    const contacts = this.#servers.map(({ contact }) => contact);
    if (!contacts.every(({ failure }) => failure !== undefined)) {
      return { state: "waiting", message: `asked ${count}, none answered yet` };
    }
    const unresolved = contacts.filter(({ failure }) => failure === "unresolved");
    const clauses = unresolved.length === 0
      ? []
      : [`cannot resolve ${listed(unresolved.map(({ name }) => name))}`];
    const silent = contacts.filter(({ failure }) => failure === "silent");
    if (silent.length > 0) {
      const seconds = Math.max(...silent.map(({ patienceMs }) => patienceMs)) / 1000;
      clauses.unshift(`asked ${counted(silent.length)}, none answered in ${seconds} s`);
    }
    return { state: "failed", message: clauses.join(", ") || "there are no servers to ask" };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const { cancelRefresh } of this.#topics.values()) cancelRefresh();
    this.#topics.clear();
    const { promise: tooLate, resolve } = Promise.withResolvers<void>();
    const cancel = this.#context.timers.after(CLOSE_MS, resolve);
    await Promise.race([Promise.all(this.#servers.map((server) => server.end())), tooLate]);
    cancel();
    for (const server of this.#servers) server.close();
    this.#exchanges.clear();
    await this.#socket?.close();
  }

  /** Ask every server now, and again in a while. */
  #ask(joined: Joined): void {
    const { timers, random } = this.#context;
    joined.cancelRefresh = timers.after(REFRESH_MS + random() * JITTER_MS, () => this.#ask(joined));
    for (const server of this.#servers) server.ask(joined.topic.label, joined.interest);
  }

  #send(bytes: Uint8Array, to: Address): void {
    this.#socket ??= this.#openSocket({
      received: (bytes, from) => this.#received(bytes, from),
      failed: (error) => {
        this.#socket = undefined; // and another one for the next packet
        this.#socketFailure = `cannot use UDP: ${error.message}`;
        this.#changed();
      },
    });
    this.#socket.send(bytes, to);
  }

  #received(bytes: Uint8Array, from: Address): void {
    if (!this.#servers.some(({ contact }) => contact.isAt(from))) return;
    if (this.#socketFailure !== undefined) {
      this.#socketFailure = undefined;
      this.#changed();
    }
    const packet = this.#exchanges.receive(bytes, from);
    if (packet?.type !== "query") return;
    // A push: a server tells of somebody new, and does so again until it has its answer.
    this.#send(encodeReceipt(packet.id), from);
    for (const record of [...packet.answers, ...packet.additionals]) {
      if (record.type !== "SRV" || !record.name.endsWith(`.${DOMAIN}`)) continue;
      const label = record.name.slice(0, -DOMAIN.length - 1);
      this.#found(label, { host: record.target, port: record.port }, from.host);
    }
  }

  #found(label: string, { host, port }: Address, from: string): void {
    const joined = this.#topics.get(label);
    if (joined === undefined) return;
    const peer = { host: host === "0.0.0.0" ? from : host, port };
    const isOurs = port === joined.interest.announce &&
      this.#servers.some(({ contact }) => contact.publicAddress?.host === peer.host);
    if (!isOurs) this.#context.found(joined.topic, peer, from);
  }

  #changed(label?: string): void {
    if (this.#closed) return;
    if (label === undefined) this.#context.changed();
    const joined = label === undefined ? undefined : this.#topics.get(label);
    if (joined !== undefined) this.#context.changed(joined.topic);
  }
}

function counted(servers: number): string {
  return servers === 1 ? "1 server" : `${servers} servers`;
}

/** Asks the system's own servers, after the file of hosts. */
async function resolveByDns(name: string, signal: AbortSignal): Promise<string> {
  const addresses = await Deno.resolveDns(name, "A", { signal });
  const usable = addresses.find((address) => reachOf(address) !== "none");
  if (usable === undefined) throw new Error(`No address for ${name}`);
  return usable;
}
