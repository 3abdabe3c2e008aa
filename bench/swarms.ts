/**
 * Simulated swarms: what each shape costs undisturbed, and how many random ones survive what
 * disturbs them.
 *
 * deno run bench/swarms.ts [--from N] [--count N] [--nodes N] [--only shapes|disturbed]
 *
 *   --from   number of the first random swarm, which is its seed; --count how many (0, 200)
 *   --nodes  the most nodes of a random swarm (12)
 */
import { parseArgs } from "node:util";
import { disturb } from "../tests/sim/disturbed.ts";
import { spread, TOPOLOGIES } from "../tests/sim/topologies.ts";

const SHAPES = [
  { nodes: 24, blocks: 200, blockBytes: 8192 },
  { nodes: 100, blocks: 60, blockBytes: 2000 },
];

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "0" },
    count: { type: "string", default: "200" },
    nodes: { type: "string", default: "12" },
    only: { type: "string" },
  },
});
if (values.only !== "disturbed") shapes();
if (values.only !== "shapes") disturbed();

function shapes(): void {
  for (const topology of TOPOLOGIES) {
    for (const size of SHAPES) {
      const start = performance.now();
      const { copies, overhead, seconds, watch } = spread({ topology, ...size, seed: "shapes" });
      console.log(
        `${topology}, ${size.nodes} nodes, ${size.blocks} blocks of ${size.blockBytes} bytes: ` +
          `${copies.toFixed(4)} of the least block data, frames ${overhead.toFixed(3)} of that, ` +
          `${seconds.toFixed(1)} virtual s, ${watch.steps} steps in ${realSeconds(start)}`,
      );
    }
  }
}

function disturbed(): void {
  const first = Number(values.from);
  for (const liars of [false, true]) {
    const start = performance.now();
    const copies: number[] = [];
    let [failed, slowest] = [0, 0];
    for (let seed = first; seed < first + Number(values.count); seed++) {
      try {
        const result = disturb({ seed: `${seed}`, nodes: Number(values.nodes), liars });
        copies.push(result.copies);
        slowest = Math.max(slowest, result.secondsToConverge);
      } catch (error) {
        failed++;
        console.log((error as Error).message);
      }
    }
    copies.sort((a, b) => a - b);
    console.log(
      `${values.count} disturbed swarms ${liars ? "with" : "without"} liars: ${failed} failed, ` +
        `median ${copies[copies.length >> 1]?.toFixed(3)} of the least block data, slowest ` +
        `${slowest.toFixed(1)} virtual s until all was equal, ${realSeconds(start)}`,
    );
  }
}

function realSeconds(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}
