import assert from "node:assert/strict";
import { LinkMeters } from "../../src/app/link_meters.ts";

function data(bytes: number) {
  return { type: "data", index: 0, value: new Uint8Array(bytes), nodes: [] } as const;
}

Deno.test("links are measured by the blocks that went over each, and all of them together", () => {
  const meters = new LinkMeters();
  const open = [
    { peer: 1, address: "192.0.2.7:1", roundTripMs: 12 },
    { peer: 2, address: "192.0.2.8:1" },
    { peer: 3, address: "192.0.2.9:1" },
  ];
  meters.count("down", 1, data(1000), 0);
  meters.count("down", 1, data(3000), 500);
  meters.count("up", 2, data(500), 500);
  meters.count("down", 3, { type: "unhave", start: 0, length: 1 }, 500);
  meters.count("down", 3, { type: "data", index: 0, nodes: [] }, 500);
  assert.deepEqual(meters.figures(open, 1000), {
    links: [
      { address: "192.0.2.7:1", downRate: 4000, upRate: 0, roundTripMs: 12 },
      { address: "192.0.2.8:1", downRate: 0, upRate: 1000, roundTripMs: undefined },
      { address: "192.0.2.9:1", downRate: 0, upRate: 0, roundTripMs: undefined },
    ],
    downRate: 4000,
    upRate: 1000,
  });
});

Deno.test("a link that is quiet comes to nothing, and one that is gone still counts for all", () => {
  const meters = new LinkMeters();
  meters.count("down", 1, data(1000), 0);
  meters.forget(1);
  assert.deepEqual(meters.figures([], 1000), { links: [], downRate: 1000, upRate: 0 });
  assert.equal(meters.figures([], 10_000).downRate, 0);
});
