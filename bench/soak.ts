/**
 * A day of a swarm in virtual time, and what the process that simulates it holds meanwhile.
 *
 * deno run --v8-flags=--expose-gc bench/soak.ts [--hours N] [--seed S] [--nodes N]
 */
import { parseArgs } from "node:util";
import { soak } from "../tests/sim/soak.ts";

const MIB = 1024 * 1024;

const { values } = parseArgs({
  options: {
    hours: { type: "string", default: "24" },
    seed: { type: "string", default: "1" },
    nodes: { type: "string", default: "6" },
  },
});
const start = performance.now();
console.log(`seed ${values.seed}`);
soak({
  seed: values.seed,
  hours: Number(values.hours),
  nodes: Number(values.nodes),
  onHour: ({ hour, blocks, guests, links, entries, mostAddresses, mostDials, steps }) => {
    // Without the flag the figures have what the collector has not taken yet.
    (globalThis as { gc?: () => void }).gc?.();
    const heap = (Deno.memoryUsage().heapUsed / MIB).toFixed(1);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(
      `hour ${hour}: ${blocks} blocks, ${guests} guests so far, ${links} links, ${entries} entries, ` +
        `${mostAddresses} addresses at most, ${mostDials} dials a minute at most, ${steps} steps, ` +
        `heap ${heap} MiB, ${seconds} s`,
    );
  },
});
