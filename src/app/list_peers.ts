/** Who can be found that has an archive, and who of them answers. */
import type { World } from "../base/world.ts";
import { Discovery } from "../discovery/discovery.ts";
import { openSources } from "../discovery/sources.ts";
import { Topic } from "../discovery/topic.ts";
import { discoveryKey } from "../crypto/hash.ts";
import { delay } from "../io/pause.ts";
import { formatAddress } from "../io/peer_address.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import { realTimers } from "../io/timers.ts";
import { type Greeting, greetPeer } from "./greet_peer.ts";
import { CALLED, chosenSources, type DiscoveryChoice, randomOf } from "./peer_search.ts";

/** Found addresses that are told, and tried. */
const MAX_PEERS = 64;

/** How often it is looked whether everything has been said. */
const LOOK_MS = 100;

/** Nobody else was found for so long, and every source has answered. */
const QUIET_MS = 2000;

/** A peer that is said to have the archive, and what came of asking it. */
export interface ListedPeer extends Greeting {
  /** Who named it, as people call that. */
  readonly from: string;
}

export interface ListPeersOptions {
  readonly world: World;
  readonly network: PeerNetwork;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Addresses that are known already, and who named them. */
  readonly known: ReadonlyMap<string, string>;
  readonly discovery?: DiscoveryChoice;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Told of each as soon as it answered, or did not. */
  readonly onPeer: (peer: ListedPeer) => void;
}

/** Look until the time is over, or nobody else is to be expected; gives how many answered. */
export async function listPeers(options: ListPeersOptions): Promise<number> {
  const { world, publicKey, known, discovery, timeoutMs, signal, onPeer } = options;
  const asked = new Map<string, Promise<void>>();
  let answered = 0;
  let newsAt = world.clock.monotonic();
  const ask = (address: string, from: string) => {
    if (asked.has(address) || asked.size >= MAX_PEERS) return;
    newsAt = world.clock.monotonic();
    const done = greetPeer(address, publicKey, options).then((greeting) => {
      if (greeting.result !== "silent") answered++;
      onPeer({ ...greeting, from });
    });
    done.catch(() => {}); // awaited below
    asked.set(address, done);
  };
  for (const [address, from] of known) ask(address, from);
  if (discovery !== undefined) {
    const found = new Discovery({
      timers: realTimers(world.clock),
      random: () => randomOf(world),
      randomBytes: (length) => world.randomBytes(length),
      sources: openSources(chosenSources(discovery), discovery),
      allowPrivate: discovery.allowPrivate,
      onFound: ({ host, port, source }) => ask(formatAddress({ host, port }), CALLED[source]),
    });
    try {
      const topic = new Topic(discoveryKey(publicKey));
      found.join(topic, { lookup: true, announce: undefined });
      const startedAt = world.clock.monotonic();
      const isOver = () => {
        const now = world.clock.monotonic();
        const isSettled = found.newsOf(topic)
          .every(({ source, state }) => state !== "waiting" || source === "mdns");
        return now - startedAt >= timeoutMs || isSettled && now - newsAt >= QUIET_MS;
      };
      do await delay(LOOK_MS, signal); while (!signal.aborted && !isOver());
    } finally {
      await found.close();
    }
  }
  await Promise.all(asked.values());
  signal.throwIfAborted();
  return answered;
}
