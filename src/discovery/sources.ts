/** All ways of finding peers, made as the options say. */
import { BITTORRENT_BOOTSTRAP, bittorrentDht } from "./bittorrent_dht.ts";
import type { DiscoveryOptions } from "./discovery.ts";
import { DNS_SERVERS, parseDnsServer } from "./dns_server_address.ts";
import { DnsServersSource } from "./dns_servers.ts";
import { HYPERSWARM_BOOTSTRAP, hyperswarmDht } from "./hyperswarm_dht.ts";
import { MdnsSource } from "./mdns.ts";
import { localMulticast } from "./mdns_socket.ts";
import { parseAddress } from "../io/peer_address.ts";
import type { SourceName } from "./source.ts";

/** Servers and nodes, as `host` or `host:port`; an empty list is nobody. */
export type Bootstrap = Partial<Record<Exclude<SourceName, "mdns">, readonly string[]>>;

export interface SourceOptions {
  /** Whom to ask instead of the usual ones. */
  readonly bootstrap?: Bootstrap;
  /** Where nodes of the DHTs are remembered between runs; nowhere if left out. */
  readonly stateDir?: string;
}

/** @throws {UsageError} If an address is none. */
export function openSources(
  names: readonly SourceName[],
  { bootstrap = {}, stateDir: folder }: SourceOptions,
): DiscoveryOptions["sources"] {
  const servers = bootstrap.dns?.map(parseDnsServer);
  const all: DiscoveryOptions["sources"] = {
    mdns: (context) => new MdnsSource(context, localMulticast),
    dns: (context) => new DnsServersSource(context, { servers }),
    dht: bittorrentDht({ bootstrap: bootstrap.dht, folder }),
    hyperswarm: hyperswarmDht({ bootstrap: bootstrap.hyperswarm, folder }),
  };
  return Object.fromEntries(names.map((name) => [name, all[name]]));
}

/** The hosts that these sources would ask, by name or number. */
export function hostsAsked(
  names: readonly SourceName[],
  { bootstrap = {} }: SourceOptions,
): string[] {
  const hosts: Partial<Record<SourceName, readonly string[]>> = {
    dns: (bootstrap.dns?.map(parseDnsServer) ?? DNS_SERVERS).map(({ host }) => host),
    dht: (bootstrap.dht ?? BITTORRENT_BOOTSTRAP).map(hostOf),
    hyperswarm: (bootstrap.hyperswarm ?? HYPERSWARM_BOOTSTRAP).map(hostOf),
  };
  return names.flatMap((name) => hosts[name] ?? []);
}

function hostOf(address: string): string {
  return parseAddress(address).host;
}
