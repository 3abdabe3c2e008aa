import assert from "node:assert/strict";
import fc from "fast-check";
import { RangeSet } from "../../src/base/ranges.ts";

const LIMIT = 200;
const position = fc.integer({ min: 0, max: LIMIT });
const change = fc.record({ add: fc.boolean(), a: position, b: position });

Deno.test("RangeSet agrees with a plain set and keeps its runs apart", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), position, (changes, at) => {
      const ranges = new RangeSet();
      const model = new Uint8Array(LIMIT);
      for (const { add, a, b } of changes) {
        const [start, end] = a < b ? [a, b] : [b, a];
        if (add) ranges.add(start, end);
        else ranges.remove(start, end);
        model.fill(add ? 1 : 0, start, end);
      }
      const rebuilt = new Uint8Array(LIMIT);
      let last = -1;
      for (const { start, end } of ranges) {
        assert.ok(start > last && end > start, "runs are sorted and do not touch");
        rebuilt.fill(1, start, end);
        last = end;
      }
      assert.deepEqual(rebuilt, model);
      assert.equal(ranges.size, model.reduce((sum, bit) => sum + bit, 0));
      assert.equal(ranges.end, model.lastIndexOf(1) + 1);
      assert.equal(ranges.isEmpty, !model.includes(1));
      assert.equal(ranges.next(at), model.indexOf(1, at));
      const absent = model.indexOf(0, at);
      assert.equal(ranges.nextAbsent(at), absent === -1 ? LIMIT : absent);
      assert.equal(ranges.has(at), model[at] === 1);
      const run = ranges.runFrom(at);
      assert.equal(run === undefined, model.indexOf(1, at) === -1);
      if (run !== undefined) assert.ok(run.end > at && model[run.start] === 1);
    }),
    { seed: 11, numRuns: 500 },
  );
});
