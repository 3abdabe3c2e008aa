import assert from "node:assert/strict";
import { toHex } from "../../src/base/bytes.ts";
import { nobleBackend } from "../../src/crypto/noble.ts";
import { compileModule, MODULE } from "../../tools/wasm.ts";

Deno.test("the module in the repository is the one that its source gives", async () => {
  const hash = (bytes: Uint8Array) => toHex(nobleBackend.hash([bytes]));
  assert.equal(hash(Deno.readFileSync(MODULE)), hash(await compileModule()));
});
