/** What `trove inspect` says, as records. */
import assert from "node:assert/strict";
import { type JsonLine, runIn, type TestWorld } from "./test_world.ts";

/** Run `trove inspect` and give its records, which must be a success. */
export async function inspect(world: TestWorld, ...args: readonly string[]): Promise<JsonLine[]> {
  const { code, stdout, json } = await runIn(world, "inspect", ...args, "--json");
  assert.equal(code, 0, stdout);
  for (const line of json) assert.equal(line.event, "inspect");
  return json;
}
