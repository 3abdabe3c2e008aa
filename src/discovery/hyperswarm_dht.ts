/** The DHT of hyperswarm 2, where dat 14 looks for peers: the source `hyperswarm`. */
import { type DhtOptions, DhtSource } from "./dht_source.ts";
import { HyperdhtNode } from "./hyperdht_node.ts";
import { parseNodes } from "./node_addresses.ts";
import type { DiscoverySource, SourceContext } from "./source.ts";

const USUAL_PORT = 49737;

/** Source: spec of discovery, section 7. */
export const HYPERSWARM_BOOTSTRAP: readonly string[] = [
  "bootstrap1.hyperdht.org:49737",
  "bootstrap2.hyperdht.org:49737",
  "bootstrap3.hyperdht.org:49737",
];

/** Nodes forget an announcement after 12 minutes. Source: spec of discovery, section 7. */
const PERIOD = { least: 5 * 60_000, spread: 5 * 60_000 };

/** @throws {UsageError} If a bootstrap node is not `host:port`. */
export function hyperswarmDht(
  options: DhtOptions = {},
): (context: SourceContext) => DiscoverySource {
  const entries = parseNodes(options.bootstrap ?? HYPERSWARM_BOOTSTRAP, USUAL_PORT);
  const { host } = options;
  return (context) => {
    const { timers, randomBytes } = context;
    const open = () => HyperdhtNode.open({ host, now: () => timers.now(), randomBytes });
    const targetOf = ({ discoveryKey }: { discoveryKey: Uint8Array }) => discoveryKey;
    return new DhtSource(
      { ...options, name: "hyperswarm", entries, open, targetOf, period: PERIOD },
      context,
    );
  };
}
