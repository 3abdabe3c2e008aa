import assert from "node:assert/strict";
import { nameClashes, portabilityFault } from "../../../src/core/archive/portable_names.ts";

const FAULTS: readonly [string, RegExp | undefined][] = [
  ["plain.txt", undefined],
  ["käse", undefined],
  ["a\u0001b", /reserved/],
  ["a:b", /reserved/],
  ["aux.txt", /device name "aux.txt"/],
  ["auxiliary", undefined],
  ["end.", /ends in a dot/],
  ["end ", /ends in a dot or a space/],
];
for (const [name, fault] of FAULTS) {
  Deno.test(`portabilityFault(${JSON.stringify(name)})`, () => {
    const found = portabilityFault(name);
    if (fault === undefined) assert.equal(found, undefined);
    else {
      assert.match(found!, fault);
      assert.match(found!, /cannot be written on Windows$/);
    }
  });
}

Deno.test("nameClashes() pairs names that differ in case or normalisation only", () => {
  const names = ["a", "B", "b", "caf\u00e9", "cafe\u0301", "CAFE\u0301", "c"];
  assert.deepEqual([...nameClashes(names)].sort(), [
    ["B", "b"],
    ["CAFE\u0301", "caf\u00e9"],
    ["b", "B"],
    ["cafe\u0301", "caf\u00e9"],
    ["caf\u00e9", "cafe\u0301"],
  ]);
});
