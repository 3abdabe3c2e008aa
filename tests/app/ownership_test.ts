/** One secret key on two machines: what `share` does before it appends. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { archiveBytes, copyTree } from "../support/archives.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, shareIn, TestWorld } from "../support/test_world.ts";

const SERVE = ["--host", "127.0.0.1", "--port", "0", "--no-watch"];

interface Machine {
  readonly dir: string;
  /** A new world of the same home: each command is a process of its own. */
  world(): TestWorld;
}

function machine(temp: TempFolder, name: string): Machine {
  const dir = temp.folder(`folder ${name}`);
  return { dir, world: () => new TestWorld(temp, { home: `home ${name}`, running: true }) };
}

/** Write a file that is old enough to be taken in at once. */
function write({ dir }: Machine, name: string, text: string): void {
  Deno.writeTextFileSync(join(dir, name), text);
}

/** Import what changed, and stop serving at once. */
async function importAlone(machine: Machine): Promise<void> {
  await using _shared = await shareIn(machine.world(), machine.dir);
}

/** An owner's folder with its key, and a second machine that both were copied to. */
async function twoOwners(temp: TempFolder): Promise<[Machine, Machine]> {
  const [a, b] = [machine(temp, "a"), machine(temp, "b")];
  write(a, "first", "the first file");
  write(a, "second", "the second file");
  await importAlone(a);
  copyTree(a.dir, b.dir);
  copyTree(a.world().homeFolder!, b.world().homeFolder!);
  return [a, b];
}

/** Share `machine` with a peer until it ends by itself. */
function shareWith(machine: Machine, address: string) {
  return runIn(machine.world(), "share", machine.dir, "--peer", address, "--json", ...SERVE);
}

Deno.test("an owner whose copy went on elsewhere appends nothing, and is told to pull", async () => {
  using temp = tempFolder();
  const [a, b] = await twoOwners(temp);
  write(a, "of-a", "only on a");
  write(a, "more-of-a", "also on a only");
  await using shared = await shareIn(a.world(), a.dir);
  write(b, "of-b", "only on b");
  const before = archiveBytes(b.dir);

  const { code, json } = await shareWith(b, shared.address);
  assert.equal(code, 8);
  const error = json.at(-1)!;
  assert.deepEqual([error.event, error.code, error.exitCode], ["error", "fork", 8]);
  assert.match(error.message, /has 2 newer versions, signed elsewhere with the same secret key/);
  assert.match(error.message, new RegExp(shared.address));
  assert.deepEqual(archiveBytes(b.dir), before);
  assert.equal(Deno.readTextFileSync(join(b.dir, "of-b")), "only on b");
  assert.deepEqual(shared.world.stdout.json.filter(({ event }) => event === "uploaded"), []);

  const words = await runIn(b.world(), "share", b.dir, "--peer", shared.address, ...SERVE);
  assert.equal(words.code, 8);
  assert.match(words.stderr, /^error: Cannot add to this archive: .*; run trove pull first/m);
});

Deno.test("two owners that both went on are told that there are two histories", async () => {
  using temp = tempFolder();
  const [a, b] = await twoOwners(temp);
  for (const [one, name] of [[a, "of-a"], [b, "of-b"]] as const) {
    write(one, name, `only in ${name}`);
    await importAlone(one);
  }
  await using shared = await shareIn(a.world(), a.dir);
  for (const more of [undefined, "more-of-b"]) {
    if (more !== undefined) {
      write(b, more, "makes b longer");
      await importAlone(b);
    }
    write(b, "later", "is never signed");
    const before = archiveBytes(b.dir);
    const { code, json } = await shareWith(b, shared.address);
    assert.equal(code, 8);
    const [there, here] = more === undefined ? [3, 3] : [3, 5];
    const { message } = json.at(-1)!;
    assert.match(message, /another history/);
    assert.match(message, new RegExp(`version ${there} there, ${here} here`));
    assert.deepEqual(archiveBytes(b.dir), before);
  }
  assert.ok(!shared.world.stdout.json.some(({ event }) => event === "error"), "a is left in peace");
});

for (const [what, change] of [["the same", undefined], ["an older", "newer-on-b"]] as const) {
  Deno.test(`an owner goes on beside a peer with ${what} version`, async () => {
    using temp = tempFolder();
    const [a, b] = await twoOwners(temp);
    if (change !== undefined) {
      write(b, change, "a is behind");
      await importAlone(b);
    }
    await using shared = await shareIn(a.world(), a.dir);
    write(b, "added", "on b");
    await using second = await shareIn(b.world(), b.dir, "--peer", shared.address);
    const events = second.world.stdout.json;
    const imported = events.find(({ event }) => event === "imported")!;
    assert.equal(imported.put, 1);
    assert.equal(imported.version, change === undefined ? 3 : 4);
    assert.deepEqual(events.filter(({ event }) => event === "warning"), []);
    // Now it is the other one that learns of versions it never signed.
    const { message } = await shared.world.stdout.event("error");
    assert.match(message, /newer block.*signed elsewhere/);
    assert.equal(await shared.code, 8);
  });
}

Deno.test("an owner goes on where no peer can be reached, with a warning", async () => {
  using temp = tempFolder();
  const [a] = await twoOwners(temp);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  listener.close();
  write(a, "third", "the third file");
  await using shared = await shareIn(a.world(), a.dir, "--peer", address);
  const warning = shared.world.stdout.json.find(({ code }) => code === "not-compared")!;
  assert.match(warning.message, /Could not compare this archive with peer/);
  assert.match(warning.message, new RegExp(address));
  assert.equal(shared.world.stdout.json.find(({ event }) => event === "imported")!.version, 3);
});

Deno.test("a peer that lies cannot keep an owner from going on", async () => {
  using temp = tempFolder();
  const [a, b] = [machine(temp, "a"), machine(temp, "b")];
  write(a, "first", "the first file");
  write(b, "another", "archive");
  await importAlone(a);
  await using other = await shareIn(b.world(), b.dir);
  write(a, "third", "the third file");
  // A peer of another archive hangs up in the greeting; that counts as not reached.
  await using shared = await shareIn(a.world(), a.dir, "--peer", other.address);
  const events = shared.world.stdout.json;
  assert.ok(events.some(({ code }) => code === "not-compared"));
  assert.equal(events.find(({ event }) => event === "imported")!.version, 2);
});

Deno.test("a new archive is compared with nobody", async () => {
  using temp = tempFolder();
  const [a, b] = [machine(temp, "a"), machine(temp, "b")];
  await using other = await shareIn(b.world(), b.dir);
  write(a, "first", "the first file");
  const world = a.world();
  await using shared = await shareIn(world, a.dir, "--peer", other.address);
  assert.ok(!shared.world.stdout.json.some(({ code }) => code === "not-compared"));
});
