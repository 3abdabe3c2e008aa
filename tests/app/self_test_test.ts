/** `trove doctor --self-test`: what works is said to work, and what does not is seen. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import type { Check } from "../../src/app/doctor.ts";
import { runSelfTest, type SelfTestOptions } from "../../src/app/self_test.ts";
import type { CryptoBackend } from "../../src/crypto/backend.ts";
import { nobleBackend } from "../../src/crypto/noble.ts";
import { tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";

async function test(
  world: TestWorld,
  options: Partial<SelfTestOptions> = {},
): Promise<{ works: boolean; checks: Check[] }> {
  const checks: Check[] = [];
  const { signal } = new AbortController();
  const onCheck = (check: Check) => void checks.push(check);
  const works = await runSelfTest({ world, signal, onCheck, ...options });
  return { works, checks };
}

const names = (checks: readonly Check[]) => checks.map(({ check, state }) => `${check} ${state}`);

/** Where the test worked: it has to be gone. */
function folderOf(checks: readonly Check[]): string {
  return /written: (.*)$/.exec(checks.find(({ check }) => check === "folder")!.message)![1];
}

Deno.test("a self-test tries crypto, storage and loopback, and leaves nothing behind", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp, { running: true });
  const { works, checks } = await test(world);
  assert.ok(works, JSON.stringify(checks));
  assert.deepEqual(names(checks), [
    ...["crypto ok", "crypto ok", "signatures ok", "signatures ok"],
    ...["folder ok", "storage ok", "loopback ok"],
  ]);
  assert.equal(existsSync(folderOf(checks)), false);
  assert.deepEqual([...Deno.readDirSync(world.homeFolder!)], []);
});

/** A backend that is right but for what the test makes of it. */
function broken(change: Partial<CryptoBackend>): CryptoBackend {
  return { ...nobleBackend, ...change };
}

const flip = (bytes: Uint8Array) => bytes.map((byte, at) => at === 0 ? byte ^ 1 : byte);

const BROKEN: Readonly<Record<string, [CryptoBackend, RegExp]>> = {
  "plain hashes": [
    broken({
      hash: (pieces, options) =>
        options === undefined
          ? flip(nobleBackend.hash(pieces))
          : nobleBackend.hash(pieces, options),
    }),
    /the hash of an empty block and the keystream or the hash of 65536 bytes wrong$/,
  ],
  "keyed hashes": [
    broken({ hash: (pieces) => nobleBackend.hash(pieces) }),
    /gets the hash with a key and the hash that derives a key wrong$/,
  ],
  "a keystream that begins anew with each piece": [
    broken({
      keystream: (key, nonce) => ({
        apply: (bytes) => nobleBackend.keystream(key, nonce).apply(bytes),
      }),
    }),
    /gets the keystream or the hash of 65536 bytes wrong$/,
  ],
};

for (const [what, [backend, said]] of Object.entries(BROKEN)) {
  Deno.test(`a self-test notices ${what}`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp, { running: true });
    const { works, checks } = await test(world, { backends: [backend, nobleBackend] });
    assert.equal(works, false);
    assert.deepEqual(names(checks).slice(0, 2), ["crypto problem", "crypto ok"]);
    assert.match(checks[0].message, said);
    assert.match(checks[0].hint!, /do not use trove on this machine/);
    assert.equal(names(checks).at(-1), "loopback ok", "the rest is tried all the same");
  });
}

Deno.test({
  name: "where loopback is forbidden that is the one problem, and the exit code 1",
  permissions: { net: false, read: true, write: true, sys: true, env: true },
  fn: async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp, { running: true });
    const { code, stdout, stderr } = await runIn(world, "doctor", "--self-test");
    assert.equal(code, 1);
    const states = stdout.split("\n").flatMap((line) =>
      /^(ok|note|problem) /.exec(line)?.[1] ?? []
    );
    assert.deepEqual(states, ["ok", "ok", "ok", "ok", "ok", "ok", "problem"]);
    assert.match(stdout, /\n +look for a firewall/);
    assert.match(stderr, /^error: Cannot work as it should on this machine; see /);
  },
});

Deno.test({
  name: "where no temporary folder can be made that is told, and nothing else is tried",
  permissions: { net: true, read: true, write: false, sys: true, env: true },
  fn: async () => {
    const { works, checks } = await test(new WorldWithoutFiles());
    assert.equal(works, false);
    assert.deepEqual(names(checks).slice(4), ["folder problem"]);
  },
});

/** For a test that may not make folders. */
class WorldWithoutFiles extends TestWorld {
  constructor() {
    super({ path: "/", folder: () => "/" } as unknown as ReturnType<typeof tempFolder>);
  }
}

Deno.test("doctor --self-test prints a record for each check, and takes no link", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp, { running: true });
  const { code, json } = await runIn(world, "doctor", "--self-test", "--json");
  assert.equal(code, 0);
  assert.equal(json.length, 7);
  assert.ok(json.every(({ event, state }) => event === "check" && state === "ok"));
  assert.equal((await runIn(world, "doctor", "--self-test", "ab".repeat(32))).code, 2);
});
