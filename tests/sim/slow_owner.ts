/** Many that fetch from an owner with a slow line, and from one another. */
import { emptyCopy } from "../support/core_driver.ts";
import { type Node, Swarm } from "../support/swarm.ts";
import { addressOf, edgesOf, feedOf, hasAll } from "./topologies.ts";

const OWNER_BYTES_PER_SECOND = 250_000;
const LINE = { upBytesPerSecond: 5_000_000, downBytesPerSecond: 20_000_000 };

export interface Relief {
  /** Until everybody had everything, over the time that the owner takes to send it once. */
  readonly times: number;
  /** Block data on the wire over one copy for each node but the owner. */
  readonly copies: number;
}

/** Everybody is linked with everybody, and all begin at once. */
export function relieve(
  { clones, blocks, blockBytes, seed }: {
    readonly clones: number;
    readonly blocks: number;
    readonly blockBytes: number;
    readonly seed: string;
  },
): Relief {
  const swarm = new Swarm(`slow owner ${seed}`);
  const { random } = swarm;
  const source = feedOf(random, blocks, blockBytes);
  const nodes: Node[] = [];
  for (let n = 0; n <= clones; n++) {
    const isOwner = n === 0;
    const line = isOwner ? { ...LINE, upBytesPerSecond: OWNER_BYTES_PER_SECOND } : LINE;
    const feed = isOwner ? source : emptyCopy(source);
    const rest = { live: true, persistent: true, forgetful: true, follow: !isOwner };
    nodes.push(swarm.add(`node ${n}`, { ...line, ...rest, feed, address: addressOf(n) }));
  }
  swarm.shapeOf = () => ({ delayMs: 2 + random.below(30), jitterMs: 3 });
  for (const [a, b] of edgesOf("full mesh", clones + 1, random)) {
    swarm.give(nodes[a], { kind: "found", address: addressOf(b), primary: 0 });
  }
  const isDone = swarm.run(3_600_000, () => nodes.every((node) => hasAll(node, source)));
  const onceMs = blocks * blockBytes / OWNER_BYTES_PER_SECOND * 1000;
  const times = isDone ? swarm.now / onceMs : Infinity;
  swarm.run(10_000); // what comes twice may come late
  return { times, copies: swarm.traffic.blockBytes / (clones * blocks * blockBytes) };
}
