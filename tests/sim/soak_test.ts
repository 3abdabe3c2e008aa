/** A few hours of virtual time; `bench/soak.ts` runs a day of it. */
import assert from "node:assert/strict";
import { soak } from "./soak.ts";

for (const seed of ["1", "2"]) {
  Deno.test(`a swarm holds as much after three hours as after one (seed ${seed})`, () => {
    const hours = soak({ seed, hours: 3 });
    assert.equal(hours.length, 3);
    assert.ok(hours[2].blocks > 60 && hours[2].guests > 20);
  });
}
