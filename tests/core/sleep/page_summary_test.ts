import assert from "node:assert/strict";
import fc from "fast-check";
import { PageSummary } from "../../../src/core/sleep/page_summary.ts";

const HALF = 4096;

/** The joints by the rule of the spec, from nothing but the counts. */
function jointsOf(counts: readonly (readonly [number, number])[]): number[] {
  const summary = new PageSummary(0);
  for (const [page, [low, high]] of counts.entries()) summary.setHeld(page, low, high);
  summary.joinAll(counts.length);
  return counts.map((_, page) => summary.joint(page));
}

Deno.test("PageSummary knows nothing of old pages until they are counted", () => {
  const summary = new PageSummary(3);
  assert.deepEqual([0, 2, 3, 5000].map((page) => summary.held(page)), [-1, -1, 0, 0]);
  summary.setHeld(2, 10, 5);
  assert.deepEqual([0, 2, 3].map((page) => summary.held(page)), [-1, 15, 0]);
  summary.change(2, false, 1);
  summary.change(2, true, -1);
  summary.change(2, true, -1);
  assert.equal(summary.held(2), 14);
});

Deno.test("PageSummary joins pages as the examples of the spec say", () => {
  // 8193 blocks; storage, section 8.
  assert.deepEqual(jointsOf([[HALF, HALF], [1, 0]]), [0xf4, 0xd0]);
  // Pages 0 to 2 full: the joint over the place of page 3, which is not there, counts as empty.
  assert.deepEqual(jointsOf([[HALF, HALF], [HALF, HALF], [HALF, HALF]]), [0xff, 0xfc, 0xf0]);
});

Deno.test("PageSummary.nextOccupied() skips holes of any width", () => {
  const summary = new PageSummary(0);
  const far = 2 ** 38;
  summary.setHeld(7, 1, 0);
  summary.setHeld(far, 1, 0);
  assert.equal(summary.nextOccupied(0, far + 1), 7);
  assert.equal(summary.nextOccupied(7, far + 1), far);
  assert.equal(summary.nextOccupied(far, far + 1), far + 1);
  assert.equal(summary.nextOccupied(7, 20), 20);
});

Deno.test("PageSummary keeps joints up to date while pages change and are added", () => {
  const count = fc.constantFrom(0, 1, HALF);
  const step = fc.record({ page: fc.nat(40), low: count, high: count });
  fc.assert(
    fc.property(fc.array(fc.array(step, { minLength: 1 }), { maxLength: 20 }), (rounds) => {
      const summary = new PageSummary(0);
      const counts: [number, number][] = [];
      const joints: number[] = [];
      for (const round of rounds) {
        const before = counts.length;
        for (const { page, low, high } of round) {
          while (counts.length <= page) counts.push([0, 0]);
          counts[page] = [low, high];
          summary.setHeld(page, low, high);
        }
        const changed = new Set<number>();
        summary.joinGrown(before, counts.length, (page) => changed.add(page));
        for (const { page } of round) {
          summary.joinAbove(page, counts.length, (page) => changed.add(page));
        }
        const expected = jointsOf(counts);
        assert.deepEqual(counts.map((_, page) => summary.joint(page)), expected);
        for (const [page, joint] of expected.entries()) {
          // Whoever writes pages must hear of every joint that is different now.
          if (joint !== (joints[page] ?? 0)) assert.ok(changed.has(page), `page ${page}`);
          joints[page] = joint;
        }
      }
    }),
    { seed: 1, numRuns: 300 },
  );
});
