/** What can be said of the ways of finding peers: who answers, and with a link, who is found. */
import type { World } from "../base/world.ts";
import { formatSeconds } from "../base/format.ts";
import { Discovery, type SourceNews } from "../discovery/discovery.ts";
import type { SourceName } from "../discovery/source.ts";
import { openSources } from "../discovery/sources.ts";
import { Topic } from "../discovery/topic.ts";
import { discoveryKey, HASH_BYTES } from "../crypto/hash.ts";
import { delay } from "../io/pause.ts";
import { formatAddress } from "../io/peer_address.ts";
import type { PeerNetwork } from "../io/peer_network.ts";
import { realTimers } from "../io/timers.ts";
import type { Check } from "./doctor.ts";
import { type Greeting, greetPeer } from "./greet_peer.ts";
import { CALLED, chosenSources, type DiscoveryChoice, randomOf } from "./peer_search.ts";

export interface LookOptions {
  readonly world: World;
  readonly network: PeerNetwork;
  readonly publicKey?: Uint8Array;
  readonly timeoutMs: number;
  /** Names of servers cannot be looked up, which has been told. */
  readonly namesFail: boolean;
  readonly signal: AbortSignal;
  readonly tell: (check: Check) => boolean;
}

/** Found addresses that are tried. */
const MAX_GREETED = 32;

/** How often it is looked whether everything has been said. */
const LOOK_MS = 100;

/** Once somebody has the archive, whoever else has it is waited for so long. */
const MORE_MS = 2000;

/** What to do about a source that failed. */
const HINTS: Record<SourceName, string> = {
  mdns: "see that no program keeps UDP port 5353 to itself, and let it through the firewall",
  dns: "check the server that --bootstrap names, and whether UDP gets there",
  dht: "let UDP through the firewall, or name nodes with --bootstrap dht=HOST:PORT",
  hyperswarm: "let UDP through the firewall, or name nodes with --bootstrap hyperswarm=HOST:PORT",
};

/**
 * Ask every source for the archive, or for one that nobody has; try what is found.
 *
 * @returns Whether a source works, and whether a peer answered that has something of the archive.
 */
export async function lookAround(
  choice: DiscoveryChoice,
  options: LookOptions,
): Promise<{ works: boolean; answered: boolean }> {
  const { world, publicKey, tell, timeoutMs, signal } = options;
  const topic = new Topic(
    publicKey === undefined ? world.randomBytes(HASH_BYTES) : discoveryKey(publicKey),
  );
  const greetings = new Map<string, { sources: Set<SourceName>; done: Promise<Greeting> }>();
  let answeredAt = Infinity;
  const names = chosenSources(choice).filter((name) => publicKey !== undefined || name !== "mdns");
  const discovery = new Discovery({
    timers: realTimers(world.clock),
    random: () => randomOf(world),
    randomBytes: (length) => world.randomBytes(length),
    sources: openSources(names, choice),
    allowPrivate: choice.allowPrivate,
    onFound({ host, port, source }) {
      const address = formatAddress({ host, port });
      const known = greetings.get(address);
      if (known !== undefined) return void known.sources.add(source);
      if (publicKey === undefined || greetings.size >= MAX_GREETED) return;
      const done = greetPeer(address, publicKey, options);
      greetings.set(address, { sources: new Set([source]), done });
      done.then(({ result }) => {
        if (result === "has") answeredAt = Math.min(answeredAt, world.clock.monotonic());
      }, () => {});
    },
  });
  const startedAt = world.clock.monotonic();
  try {
    discovery.join(topic, { lookup: true, announce: undefined });
    for (;;) {
      await delay(LOOK_MS, signal);
      signal.throwIfAborted();
      const now = world.clock.monotonic();
      const isSettled = discovery.newsOf(topic)
        .every(({ source, state }) => state !== "waiting" || source === "mdns");
      if (now - startedAt >= timeoutMs) break;
      if (isSettled && (publicKey === undefined || now - answeredAt >= MORE_MS)) break;
    }
    signal.throwIfAborted();
    const news = discovery.newsOf(topic);
    for (const one of news) tell(checkSource(one, choice, options));
    let answered = false;
    for (const { sources, done } of greetings.values()) {
      const greeting = await done;
      tell(checkFound(greeting, sources));
      if (greeting.result === "has") answered = true;
    }
    if (publicKey !== undefined && greetings.size === 0) tell(nobody(timeoutMs));
    return { works: news.some(isWorking), answered };
  } finally {
    await discovery.close();
  }
}

function isWorking({ source, state }: SourceNews): boolean {
  return state === "working" && source !== "mdns";
}

function checkSource(
  { source, state, message }: SourceNews,
  { bootstrap = {} }: DiscoveryChoice,
  { namesFail }: LookOptions,
): Check {
  const check = source;
  const text = `${CALLED[source]}: ${message}`;
  if (state === "working") return { check, state: "ok", message: text };
  if (source === "mdns" && state === "waiting") return { check, state: "note", message: text };
  const isUsual = source === "mdns" || bootstrap[source] === undefined;
  if (source === "dns" && isUsual) {
    const hint = "most of dat's own servers are gone; the other ways do without them";
    return { check, state: "note", message: text, hint };
  }
  const hint = isUsual && namesFail
    ? "names cannot be looked up, as said above; name nodes by number with " +
      `--bootstrap ${source}=HOST:PORT`
    : HINTS[source];
  return { check, state: "problem", message: text, hint };
}

function checkFound(
  { address, result, connected, message }: Greeting,
  by: Iterable<SourceName>,
): Check {
  const named = [...by].map((source) => CALLED[source]).join(", ");
  const check = { check: "found", message: `Found ${address} (${named}): ${message}` };
  if (result === "has") return { ...check, state: "ok" };
  const hint = result === "empty"
    ? "it may be waiting for somebody who has it, too"
    : connected
    ? "another program may be there now"
    : "it may be gone, or behind a router or firewall that lets nobody in";
  return { ...check, state: "note", hint };
}

function nobody(timeoutMs: number): Check {
  return {
    check: "found",
    state: "problem",
    message: `Nobody announces this archive, as far as could be learnt in ${
      formatSeconds(timeoutMs / 1000)
    }`,
    hint: "see that somebody shares it now, and what trove doctor says over there",
  };
}
