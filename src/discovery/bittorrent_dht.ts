/** The mainline BitTorrent DHT, where dat 13 and older look for peers: the source `dht`. */
import { type DhtOptions, DhtSource } from "./dht_source.ts";
import { KrpcNode } from "./krpc_node.ts";
import { parseNodes } from "./node_addresses.ts";
import type { DiscoverySource, SourceContext } from "./source.ts";

const USUAL_PORT = 6881;

/**
 * Nodes to enter by: those of dat (source: spec of discovery, section 2), of which it is unknown
 * whether they still run, and those that BitTorrent programs use.
 */
export const BITTORRENT_BOOTSTRAP: readonly string[] = [
  "bootstrap1.datprotocol.com:6881",
  "bootstrap2.datprotocol.com:6881",
  "bootstrap3.datprotocol.com:6881",
  "bootstrap4.datprotocol.com:6881",
  "router.bittorrent.com:6881",
  "dht.transmissionbt.com:6881",
  "router.utorrent.com:6881",
];

/** Source: spec of discovery, section 5. */
const PERIOD = { least: 10 * 60_000, spread: 5 * 60_000 };

/** @throws {UsageError} If a bootstrap node is not `host:port`. */
export function bittorrentDht(
  options: DhtOptions = {},
): (context: SourceContext) => DiscoverySource {
  const entries = parseNodes(options.bootstrap ?? BITTORRENT_BOOTSTRAP, USUAL_PORT);
  const { host } = options;
  return (context) => {
    const { timers, randomBytes } = context;
    const open = () => KrpcNode.open({ host, now: () => timers.now(), randomBytes });
    const targetOf = ({ infoHash }: { infoHash: Uint8Array }) => infoHash;
    return new DhtSource(
      { ...options, name: "dht", entries, open, targetOf, period: PERIOD },
      context,
    );
  };
}
