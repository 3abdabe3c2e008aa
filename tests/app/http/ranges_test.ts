import assert from "node:assert/strict";
import { parseRange } from "../../../src/app/http/ranges.ts";

const part = (start: number, end: number) => ({ start, end });

/** Of a file of 10 bytes. Source: spec of serving, section 2.3. */
const RANGES: readonly (readonly [string | null, ReturnType<typeof parseRange>])[] = [
  ["bytes=2-4", part(2, 5)],
  ["bytes=0-0", part(0, 1)],
  ["BYTES=7-", part(7, 10)],
  ["bytes=-3", part(7, 10)],
  ["bytes=7-99", part(7, 10)],
  ["bytes=-30", part(0, 10)],
  ["bytes=20-30", "unsatisfiable"],
  ["bytes=10-", "unsatisfiable"],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=0-1,2-5", part(0, 6)],
  ["bytes=4-5, 0-3", part(0, 6)],
  ["bytes=0-1,40-", part(0, 2)],
  ["bytes=0-1,4-5", undefined],
  ["items=0-1", undefined],
  ["bytes", undefined],
  ["bytes=", undefined],
  ["bytes=-", undefined],
  ["bytes=a-b", undefined],
  ["bytes=4-2", undefined],
  [`bytes=${"0-0,".repeat(17)}`, undefined],
  [null, undefined],
];

for (const [header, expected] of RANGES) {
  Deno.test(`parseRange("${header}") of 10 bytes`, () => {
    assert.deepEqual(parseRange(header, 10), expected);
  });
}

Deno.test("parseRange() finds nothing in an empty file", () => {
  for (const header of ["bytes=0-", "bytes=-1", "bytes=0-0"]) {
    assert.equal(parseRange(header, 0), "unsatisfiable");
  }
});
