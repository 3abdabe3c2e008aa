/** Swarms of many shapes and sizes, undisturbed: everybody gets everything, and little more moves. */
import assert from "node:assert/strict";
import { spread, TOPOLOGIES } from "./topologies.ts";

/** Block data may exceed one copy for each node by so much. */
const MOST_COPIES = 1.05;

const SIZES = [
  { nodes: 2, blocks: 40, blockBytes: 4000 },
  { nodes: 7, blocks: 90, blockBytes: 1000 },
  { nodes: 24, blocks: 50, blockBytes: 1000 },
];

for (const topology of TOPOLOGIES) {
  for (const size of SIZES) {
    Deno.test(`${size.nodes} nodes in the shape "${topology}" move each block to each node once`, () => {
      const { copies } = spread({ topology, ...size, seed: `${size.nodes}` });
      assert.ok(copies >= 1 && copies <= MOST_COPIES, `${copies} copies`);
    });
  }
}

// Everybody asks everybody here, so lines are busy for many and answers late: it must not be asked twice
// for what is only late.
for (
  const size of [
    { nodes: 60, blocks: 30, blockBytes: 2000 },
    { nodes: 16, blocks: 40, blockBytes: 65_536 },
    { nodes: 24, blocks: 60, blockBytes: 65_536 },
  ]
) {
  const { nodes, blocks, blockBytes } = size;
  Deno.test(`${nodes} nodes that are all linked move ${blocks} blocks of ${blockBytes} bytes to each node once`, () => {
    for (const seed of ["1", "2"]) {
      const { copies } = spread({ topology: "full mesh", ...size, seed });
      assert.ok(copies >= 1 && copies <= MOST_COPIES, `${copies} copies (seed ${seed})`);
    }
  });
}

for (const topology of ["star", "line", "random"] as const) {
  Deno.test(`100 nodes in the shape "${topology}" move each block to each node once`, () => {
    const { copies } = spread({ topology, nodes: 100, blocks: 25, blockBytes: 500, seed: "100" });
    assert.ok(copies >= 1 && copies <= MOST_COPIES, `${copies} copies`);
  });
}
