/** Those who fetch from one another take the load off an owner with a slow line. */
import assert from "node:assert/strict";
import { relieve } from "./slow_owner.ts";

// Alone, an owner would take as many times as long as there are clones.
for (
  const { most, ...swarm } of [
    { clones: 4, blocks: 20, blockBytes: 65_536, most: 2 },
    { clones: 4, blocks: 92, blockBytes: 65_536, most: 1.5 },
    { clones: 30, blocks: 20, blockBytes: 65_536, most: 7 },
    { clones: 10, blocks: 500, blockBytes: 4096, most: 2 },
  ]
) {
  const { clones, blocks, blockBytes } = swarm;
  Deno.test(`${clones} that fetch ${blocks} blocks of ${blockBytes} bytes ask a slow owner for little more than one copy`, () => {
    for (const seed of ["a", "b"]) {
      const { times, copies } = relieve({ ...swarm, seed });
      assert.ok(times <= most, `${times} times as long as one copy (seed ${seed})`);
      assert.ok(copies <= 1.03, `${copies} copies (seed ${seed})`);
    }
  });
}
