/** All ways of finding peers, made as the options say. */
import type { DiscoveryOptions } from "./discovery.ts";
import type { SourceName } from "./source.ts";

/** Servers and nodes, as `host` or `host:port`; an empty list is nobody. */
export type Bootstrap = Partial<Record<Exclude<SourceName, "mdns">, readonly string[]>>;

export interface SourceOptions {
  /** Whom to ask instead of the usual ones. */
  readonly bootstrap?: Bootstrap;
  /** Where nodes of the DHTs are remembered between runs; nowhere if left out. */
  readonly stateDir?: string;
}

export function openSources(
  names: readonly SourceName[],
  _options: SourceOptions,
): DiscoveryOptions["sources"] {
  const all: DiscoveryOptions["sources"] = {};
  return Object.fromEntries(names.map((name) => [name, all[name]]));
}
