/** `share` with a secret key that the job brings: used, and neither kept nor shown. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { toHex } from "../../src/base/bytes.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, type Shared, shareIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

/** An archive that its owner shared, mirrored into `job`, and the key as it is exported. */
async function mirrored(temp: TempFolder): Promise<{ link: string; hex: string; job: string }> {
  const dir = temp.folder("folder");
  writeTree(dir, [{ path: "a", size: 70_000 }, { path: "b", size: 10 }], "first");
  const owner = new TestWorld(temp);
  const job = temp.join("job");
  {
    await using shared = await shareIn(owner, dir);
    const args = ["mirror", shared.link, job, "--peer", shared.address, "--timeout", "20s"];
    assert.equal((await runIn(runner(temp), ...args)).code, 0);
  }
  const { stdout } = await runIn(owner, "keys", "export", dir);
  const { stdout: link } = await runIn(owner, "keys", dir, "--json");
  return { link: JSON.parse(link).link, hex: stdout.trim(), job };
}

/** A machine that has no key. */
function runner(temp: TempFolder, env: Record<string, string> = {}): TestWorld {
  const world = new TestWorld(temp, { home: "home of job", running: true, env });
  world.clock.wallMs += 60_000;
  return world;
}

/** Every file below a folder that has these bytes, or these digits, in it. */
function filesWith(folder: string, secrets: readonly string[]): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    if (isDirectory) return filesWith(path, secrets);
    const bytes = Deno.readFileSync(path);
    const texts = [toHex(bytes), new TextDecoder().decode(bytes).toLowerCase()];
    return secrets.some((secret) => texts.some((text) => text.includes(secret))) ? [path] : [];
  });
}

async function assertReads(temp: TempFolder, shared: Shared, link: string, job: string) {
  assert.equal(shared.link, link);
  const copy = temp.join("copy");
  const args = ["mirror", link, copy, "--peer", shared.address, "--timeout", "20s"];
  const reader = new TestWorld(temp, { home: "home of reader", running: true });
  const { code, stderr } = await runIn(reader, ...args);
  assert.equal(code, 0, stderr);
  assertSameTree(digestTree(copy), digestTree(job));
}

Deno.test("a job publishes with the key from its environment, which stays there alone", async () => {
  using temp = tempFolder();
  const { link, hex, job } = await mirrored(temp);
  writeTree(job, [{ path: "a", size: 100_000 }, { path: "new", size: 5 }], "second");
  const world = runner(temp, { TROVE_SECRET_KEY: `  ${hex.toUpperCase()}\n` });
  {
    await using shared = await shareIn(world, job);
    const [imported] = world.stdout.json.filter(({ event }) => event === "imported");
    assert.deepEqual([imported.put, imported.version], [2, 4]);
    await assertReads(temp, shared, link, job);
  }
  // The first half alone is the seed of all.
  const secrets = [hex.slice(0, 64)];
  for (const folder of [job, temp.join("home of job"), temp.join("copy")]) {
    assert.deepEqual(filesWith(folder, secrets), []);
  }
  assert.equal((world.stdout.text + world.stderr.text).toLowerCase().includes(secrets[0]), false);
  const without = await shareIn(runner(temp), job);
  await without[Symbol.asyncDispose]();
  assert.equal(without.world.stdout.json.find(({ event }) => event === "archive")!.writable, false);
});

Deno.test("--key-file is taken before the environment", async () => {
  using temp = tempFolder();
  const { link, hex, job } = await mirrored(temp);
  Deno.writeTextFileSync(join(job, "new"), "new");
  const file = temp.join("key");
  Deno.writeTextFileSync(file, `${hex}\n`);
  await using shared = await shareIn(
    runner(temp, { TROVE_SECRET_KEY: "nonsense" }),
    job,
    ...["--key-file", file],
  );
  await assertReads(temp, shared, link, job);
});

Deno.test("a key that cannot be used is refused, and nothing of it is shown", async () => {
  using temp = tempFolder();
  const { hex, job } = await mirrored(temp);
  const before = digestTree(job);
  const other = temp.folder("other");
  const stranger = new TestWorld(temp, { home: "home of stranger" });
  assert.equal((await runIn(stranger, "create", other, "--no-input")).code, 0);
  const { stdout } = await runIn(stranger, "keys", "export", other);
  const empty = temp.folder("empty");
  const cases: [key: string, dir: string, says: RegExp][] = [
    [stdout.trim(), job, /Cannot share with this secret key: it is for dat:/],
    [`${hex.slice(0, 127)}${hex.endsWith("0") ? 1 : 0}`, job, /two halves/],
    [" ", job, /in TROVE_SECRET_KEY: it is empty/],
    [hex.slice(1), job, /it has 127 hex digits.*from TROVE_SECRET_KEY/],
    [hex, empty, /no archive is there; fetch the archive into it first/],
  ];
  for (const [key, dir, says] of cases) {
    const world = runner(temp, { TROVE_SECRET_KEY: key });
    const { code, stdout, stderr } = await runIn(
      world,
      ...["share", dir, "--host", "127.0.0.1", "--port", "0", "--json"],
    );
    assert.equal(code, 2, stderr);
    assert.match(stderr, says);
    assert.equal((stdout + stderr).includes(hex.slice(1, 60)), false);
  }
  assertSameTree(digestTree(job), before);
  assert.deepEqual([...Deno.readDirSync(empty)], []);
});

Deno.test("a mirror of some files cannot be published from", async () => {
  using temp = tempFolder();
  const { hex, job } = await mirrored(temp);
  const rules = { select: ["b"], exclude: [] };
  Deno.writeTextFileSync(join(job, ".dat/trove.select"), JSON.stringify(rules));
  const { code, stderr } = await runIn(
    runner(temp, { TROVE_SECRET_KEY: hex }),
    ...["share", job, "--host", "127.0.0.1", "--port", "0"],
  );
  assert.equal(code, 2);
  assert.match(stderr, /selected files/);
});
