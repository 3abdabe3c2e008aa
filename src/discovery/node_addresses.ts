/** Names of the nodes through which a DHT is entered, and their addresses. IPv4 only, as the DHTs are. */
import { isIPv4 } from "node:net";
import { formatAddress, type HostPort, parseAddress } from "../io/peer_address.ts";
import type { Timers } from "../io/timers.ts";

/** The IPv4 addresses of a name. */
export type Resolve = (name: string, signal: AbortSignal) => Promise<readonly string[]>;

/** What became of a list of names. */
export interface Resolved {
  readonly addresses: readonly HostPort[];
  /** Names that led nowhere, in time. */
  readonly unknown: readonly string[];
}

/** A name server that has not answered by then is as good as none. */
const RESOLVE_MS = 5_000;

/** Nodes to enter by. Whoever keeps a list of his own needs a few, and each is asked every time. */
const MAX_NAMES = 16;

/** Addresses taken of one name. */
const MAX_PER_NAME = 4;

/**
 * Read `host:port` each; without a port it is the usual one of the DHT.
 *
 * @throws {UsageError}
 */
export function parseNodes(texts: readonly string[], usualPort: number): HostPort[] {
  return texts.slice(0, MAX_NAMES).map((text) =>
    parseAddress(/:\d+$/.test(text) ? text : `${text}:${usualPort}`)
  );
}

/** The addresses of nodes, each once. Takes five seconds at most and does not throw. */
export async function resolveNodes(
  nodes: readonly HostPort[],
  { resolve = resolveName, timers, signal }: {
    readonly resolve?: Resolve;
    readonly timers: Timers;
    readonly signal: AbortSignal;
  },
): Promise<Resolved> {
  const late = new AbortController();
  const cancel = timers.after(RESOLVE_MS, () => late.abort());
  const limit = AbortSignal.any([signal, late.signal]);
  try {
    const results = await Promise.all(
      nodes.map(({ host }) => isIPv4(host) ? [host] : addressesOf(host, resolve, limit)),
    );
    const addresses = new Map<string, HostPort>();
    const unknown = new Set<string>();
    for (const [i, hosts] of results.entries()) {
      if (hosts.length === 0) unknown.add(nodes[i].host);
      for (const host of hosts.slice(0, MAX_PER_NAME)) {
        const address = { host, port: nodes[i].port };
        addresses.set(formatAddress(address), address);
      }
    }
    return { addresses: [...addresses.values()], unknown: [...unknown] };
  } finally {
    cancel();
  }
}

/** None if the name has none, or if time is up. */
async function addressesOf(
  name: string,
  resolve: Resolve,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    const hosts = await new Promise<readonly string[]>((settle, fail) => {
      signal.addEventListener("abort", () => settle([]), { once: true });
      if (signal.aborted) settle([]);
      else resolve(name, signal).then(settle, fail);
    });
    return hosts.filter((host) => isIPv4(host));
  } catch {
    return [];
  }
}

function resolveName(name: string, signal: AbortSignal): Promise<string[]> {
  return Deno.resolveDns(name, "A", { signal });
}
