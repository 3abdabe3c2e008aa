/** Where dat's own discovery servers are. Source: dat-swarm-defaults 1.0.3; dns-discovery 6.2.3. */
import { UsageError } from "../base/errors.ts";

/** Where a server is: a name or an IPv4 address, and the ports to try, in their order. */
export interface DnsServerAddress {
  readonly host: string;
  readonly ports: readonly number[];
}

/** Where servers listen if not told otherwise. */
const DEFAULT_PORTS = [5300, 53];

/** The servers that dat knows. */
export const DNS_SERVERS: readonly DnsServerAddress[] = [
  { host: "discovery1.datprotocol.com", ports: DEFAULT_PORTS },
  { host: "discovery2.datprotocol.com", ports: DEFAULT_PORTS },
];

/**
 * A server as people write it: `host`, `host:port`, or `host:port,port` where the second port is
 * tried when the first is silent.
 *
 * @throws {UsageError}
 */
export function parseDnsServer(text: string): DnsServerAddress {
  const match = /^([a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?)\.?(?::(\d{1,5})(?:,(\d{1,5}))?)?$/i.exec(
    text,
  );
  const ports = match?.slice(2).filter((port) => port !== undefined).map(Number) ?? [];
  if (match === null || match[1].length > 253 || ports.some((port) => port < 1 || port > 65535)) {
    throw new UsageError(`Cannot read "${text}" as the address of a discovery server`, {
      hint: "give a name or an IPv4 address, and maybe a port: discovery.example.org:5300",
    });
  }
  return { host: match[1], ports: ports.length === 0 ? DEFAULT_PORTS : ports };
}
