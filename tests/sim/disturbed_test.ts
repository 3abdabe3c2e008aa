/** Swarms that are disturbed for minutes and then left alone: everybody honest ends up the same. */
import assert from "node:assert/strict";
import { disturb, type DisturbedOptions } from "./disturbed.ts";

const KINDS: readonly [string, number, Omit<DisturbedOptions, "seed">][] = [
  ["swarm", 16, {}],
  ["swarm with liars", 24, { liars: true }],
  ["swarm of two", 6, { nodes: 2, everyMs: 1500 }],
  ["large swarm with liars", 2, { nodes: 40, liars: true, everyMs: 1000, minutes: 1 }],
];

for (const [what, count, options] of KINDS) {
  for (let seed = 0; seed < count; seed++) {
    Deno.test(`a ${what} recovers from whatever disturbs it (seed ${seed})`, () => {
      const { disturbances } = disturb({ seed: `${seed}`, ...options });
      assert.ok(disturbances > 10);
    });
  }
}
