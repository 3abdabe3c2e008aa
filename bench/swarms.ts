/**
 * Simulated swarms: what each shape costs undisturbed, and how many random ones survive what
 * disturbs them.
 *
 * deno run bench/swarms.ts [--from N] [--count N] [--nodes N] [--only shapes|meshes|slow|disturbed]
 *
 *   --from   number of the first random swarm, which is its seed; --count how many (0, 200)
 *   --nodes  the most nodes of a random swarm (12)
 */
import { parseArgs } from "node:util";
import { disturb } from "../tests/sim/disturbed.ts";
import { relieve } from "../tests/sim/slow_owner.ts";
import { spread, TOPOLOGIES } from "../tests/sim/topologies.ts";

const SHAPES = [
  { nodes: 24, blocks: 200, blockBytes: 8192 },
  { nodes: 100, blocks: 60, blockBytes: 2000 },
];

/** Where everybody asks everybody, with large blocks on slow lines. */
const MESHES = [
  { nodes: 24, blocks: 60, blockBytes: 65_536 },
  { nodes: 40, blocks: 50, blockBytes: 65_536 },
  { nodes: 60, blocks: 50, blockBytes: 65_536 },
  { nodes: 50, blocks: 100, blockBytes: 16_384 },
];
const MESH_SEEDS = ["m0", "m1", "x2", "x3", "x4"];

/** What clones of a slow owner fetch. */
const RELIEVED = [
  { clones: 4, blocks: 20, blockBytes: 65_536 },
  { clones: 4, blocks: 92, blockBytes: 65_536 },
  { clones: 30, blocks: 20, blockBytes: 65_536 },
  { clones: 30, blocks: 200, blockBytes: 65_536 },
  { clones: 10, blocks: 500, blockBytes: 4096 },
];

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "0" },
    count: { type: "string", default: "200" },
    nodes: { type: "string", default: "12" },
    only: { type: "string" },
  },
});
const parts = { shapes, meshes, slow, disturbed };
for (const [name, run] of Object.entries(parts)) {
  if (values.only === undefined || values.only === name) run();
}

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

function meshes(): void {
  for (const size of MESHES) {
    for (const seed of MESH_SEEDS) {
      const { copies, overhead, seconds } = spread({ topology: "full mesh", ...size, seed });
      console.log(
        `full mesh, ${size.nodes} nodes, ${size.blocks} blocks of ${size.blockBytes} bytes, seed ${seed}: ` +
          `${copies.toFixed(4)} of the least block data, frames ${overhead.toFixed(3)} of that, ` +
          `${seconds.toFixed(1)} virtual s`,
      );
    }
  }
}

function slow(): void {
  for (const size of RELIEVED) {
    for (const seed of ["a", "b"]) {
      const { times, copies } = relieve({ ...size, seed });
      console.log(
        `${size.clones} clones of ${size.blocks} blocks of ${size.blockBytes} bytes, slow owner, seed ${seed}: ` +
          `${times.toFixed(2)} times as long as one copy takes, ${
            copies.toFixed(4)
          } of the least block data`,
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
