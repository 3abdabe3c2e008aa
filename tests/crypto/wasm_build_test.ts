import assert from "node:assert/strict";
import { compileModule, MODULE, sourceOf } from "../../tools/wasm.ts";

Deno.test("the module in the repository is the one that its source gives", async () => {
  assert.ok(Deno.readTextFileSync(MODULE) === sourceOf(await compileModule()));
});
