/** Shapes of swarms, and what it costs to bring a feed to everybody in one. */
import assert from "node:assert/strict";
import { emptyCopy } from "../support/core_driver.ts";
import { MemoryFeed } from "../support/memory_feed.ts";
import type { Random } from "../support/random.ts";
import { type Node, Swarm } from "../support/swarm.ts";
import { Watch } from "./watch.ts";

export const TOPOLOGIES = ["star", "line", "ring", "full mesh", "random"] as const;
export type Topology = typeof TOPOLOGIES[number];

/** Pairs of node numbers that are linked; everybody is reached from node 0. */
export function edgesOf(topology: Topology, nodes: number, random: Random): [number, number][] {
  const others = Array.from({ length: nodes - 1 }, (_, n) => n + 1);
  switch (topology) {
    case "star":
      return others.map((n) => [n, 0]);
    case "line":
      return others.map((n) => [n, n - 1]);
    case "ring": {
      const line = edgesOf("line", nodes, random);
      return nodes > 2 ? [...line, [0, nodes - 1]] : line;
    }
    case "full mesh":
      return others.flatMap((n) => Array.from({ length: n }, (_, m): [number, number] => [n, m]));
    case "random": {
      const edges = new Set<string>();
      for (const n of others) {
        for (let more = 1 + random.below(3); more > 0; more--) edges.add(`${n} ${random.below(n)}`);
      }
      return [...edges].map((edge) => edge.split(" ").map(Number) as [number, number]);
    }
  }
}

export interface SpreadOptions {
  readonly topology: Topology;
  readonly nodes: number;
  readonly blocks: number;
  readonly blockBytes: number;
  readonly seed: string;
}

/** What it took to bring a feed to all nodes. */
export interface Spread {
  /** Block data on the wire over the least possible: one copy for each node but the owner. */
  readonly copies: number;
  /** All bytes of frames over that of the block data in them. */
  readonly overhead: number;
  /** Until the last node had everything, in virtual time. */
  readonly seconds: number;
  readonly watch: Watch;
}

/** A feed of random blocks of one size. */
export function feedOf(random: Random, blocks: number, blockBytes: number): MemoryFeed {
  const feed = MemoryFeed.owned(1);
  return feed.append(...Array.from({ length: blocks }, () => random.bytes(blockBytes)));
}

/** Nothing goes wrong; lines differ in latency and bandwidth. */
export function spread(
  { topology, nodes: count, blocks, blockBytes, seed }: SpreadOptions,
): Spread {
  const swarm = new Swarm(`${topology} ${seed}`);
  const { random } = swarm;
  const source = feedOf(random, blocks, blockBytes);
  const watch = new Watch(swarm, new Map([[0, source]]));
  const nodes: Node[] = [];
  for (let n = 0; n < count; n++) {
    const upBytesPerSecond = (1 + random.below(10)) * 250_000;
    const downBytesPerSecond = 4 * upBytesPerSecond;
    const common = {
      upBytesPerSecond,
      downBytesPerSecond,
      live: true,
      persistent: true,
      forgetful: true,
    };
    const feed = n === 0 ? source : emptyCopy(source);
    nodes.push(swarm.add(`node ${n}`, { ...common, feed, follow: n > 0, address: addressOf(n) }));
  }
  swarm.shapeOf = () => ({ delayMs: 2 + random.below(80), jitterMs: 5 });
  for (const [a, b] of edgesOf(topology, count, random)) {
    swarm.give(nodes[a], { kind: "found", address: addressOf(b), primary: 0 });
  }
  const done = () => nodes.every((node) => hasAll(node, source));
  assert.ok(swarm.run(3_600_000, done), `${topology} ${seed}: not everybody has everything`);
  const seconds = swarm.now / 1000;
  swarm.run(10_000);
  const least = (count - 1) * blocks * blockBytes;
  const { blockBytes: moved, bytes } = swarm.traffic;
  return { copies: moved / least, overhead: bytes / moved, seconds, watch };
}

/** An address of its own for each node number. */
export function addressOf(n: number): string {
  return `10.0.${n >> 8}.${n & 255}:3282`;
}

/** Whether a node holds as much as the owner. */
export function hasAll(node: Node, source: MemoryFeed): boolean {
  return node.feed.length === source.length && node.feed.blocks.size === source.length;
}
