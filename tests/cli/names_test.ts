/** Names on the command line. What was found about them before is in a file, so nobody is asked. */
import assert from "node:assert/strict";
import { DOH_SERVERS } from "../../src/discovery/doh_servers.ts";
import { writeTree } from "../support/trees.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, shareIn, START_MS, TestWorld } from "../support/test_world.ts";

const OTHER = "c1feb82a2b3ba065ffed9f6addcf19ac250793bcab748986a1b4272c62da20e6";
const UNTIL = START_MS + 1000;

/** Put something into the cache of the world's user. */
function know(world: TestWorld, names: object): void {
  Deno.mkdirSync(`${world.homeFolder}/.cache/trove`, { recursive: true });
  const path = `${world.homeFolder}/.cache/trove/names.json`;
  Deno.writeTextFileSync(path, JSON.stringify({ names }));
}

const knownKey = (key: string) => ({ key, found: START_MS, until: UNTIL });
const cloner = (temp: TempFolder) => new TestWorld(temp, { home: "cloner", running: true });

function someFolder(temp: TempFolder): string {
  const dir = temp.folder("folder");
  writeTree(dir, [{ path: "a", size: 1000 }], "names");
  return dir;
}

Deno.test("clone takes a name, with a path or without", async () => {
  using temp = tempFolder();
  await using shared = await shareIn(new TestWorld(temp), someFolder(temp));
  const world = cloner(temp);
  know(world, { "example.org": knownKey(shared.link.slice(6)) });
  for (const [n, text] of ["dat://Example.org", "example.org/a", "dat://example.org./"].entries()) {
    const args = ["clone", text, `copy${n}`, "--peer", shared.address];
    const { code, json } = await runIn(world, ...args, "--json");
    assert.equal(code, 0, text);
    const [resolved, archive] = json;
    assert.deepEqual(
      [resolved.event, resolved.name, resolved.link, resolved.from, resolved.ttl],
      ["resolved", "example.org", shared.link, "cache", 1],
    );
    assert.equal(archive.link, shared.link);
    assert.equal(Deno.statSync(temp.join(`copy${n}/a`)).size, 1000);
  }
  const { stderr } = await runIn(world, "clone", "example.org", "c", "--peer", shared.address);
  assert.match(stderr, new RegExp(`^The name example\\.org leads to ${shared.link}\n`));
});

Deno.test("a folder keeps the archive that it has when a name leads to another one", async () => {
  using temp = tempFolder();
  await using shared = await shareIn(new TestWorld(temp), someFolder(temp));
  const world = cloner(temp);
  const clone = () => runIn(world, "clone", "example.org", "copy", "--peer", shared.address);
  know(world, { "example.org": knownKey(shared.link.slice(6)) });
  assert.equal((await clone()).code, 0);
  know(world, { "example.org": knownKey(OTHER) });
  const { code, stderr } = await clone();
  assert.equal(code, 2);
  assert.match(stderr, /another archive/);
  assert.match((await runIn(world, "status", "copy")).stdout, new RegExp(shared.link));
});

Deno.test("a name that cannot be taken for a link ends with a code that says why", async () => {
  using temp = tempFolder();
  const world = cloner(temp);
  const failure = (kind: string) => ({ failure: { kind, why: "it says so", until: UNTIL } });
  know(world, { "none.org": failure("none"), "failed.org": failure("failed") });
  const outcomes = {
    "none.org": [9, /Cannot find an archive under the name "none\.org": it says so; check/],
    "failed.org": [1, /Cannot look up the name "failed\.org": it says so; try again later/],
    "dat://localhost/": [2, /it is a name of a private network/],
    "dat://10.0.0.1/": [2, /it is an address/],
    "dat://a..b.org": [2, /Cannot read "dat:\/\/a\.\.b\.org" as a name/],
  } as const;
  for (const [text, [expected, message]] of Object.entries(outcomes)) {
    const { code, stderr } = await runIn(world, "clone", text, "copy", "--peer", "127.0.0.1:1");
    assert.deepEqual([code, text], [expected, text]);
    assert.match(stderr, message);
  }
});

Deno.test("a version of a name is looked for at its peers", async () => {
  using temp = tempFolder();
  const world = cloner(temp);
  know(world, { "example.org": knownKey(OTHER) });
  const { code, stderr } = await runIn(
    world,
    "clone",
    "example.org+3",
    "c",
    "--peer",
    "[::1]:1",
    "--timeout",
    "1s",
  );
  assert.equal(code, 3);
  assert.match(stderr, /Cannot reach a peer/);
});

Deno.test("a folder with the name of an archive is that folder", async () => {
  using temp = tempFolder();
  const world = cloner(temp);
  know(world, { "example.org": knownKey(OTHER) });
  temp.folder("example.org");
  const { code, stderr } = await runIn(world, "clone", "example.org", "c", "--peer", "[::1]:1");
  assert.equal(code, 2);
  assert.match(stderr, /Cannot find a link in the folder "example\.org"/);
});

Deno.test("commands that work without a network take no names", async () => {
  using temp = tempFolder();
  const world = cloner(temp);
  know(world, { "example.org": knownKey(OTHER) });
  Deno.writeFileSync(temp.join("capture"), new Uint8Array(9));
  const { code, stderr } = await runIn(
    world,
    "inspect",
    "wire",
    "capture",
    "--link",
    "example.org",
  );
  assert.equal(code, 2);
  assert.match(stderr, /Cannot take the name "example\.org" for a link/);
});

Deno.test("share --name shows what to publish, and warns of where the name leads so far", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  know(world, { "example.org": knownKey(OTHER) });
  await using shared = await shareIn(world, someFolder(temp), "--name", "dat://Example.org/");
  const key = shared.link.slice(6);
  const { name, txt, file } = await world.stdout.event("name");
  assert.deepEqual([name, txt, file], [
    "example.org",
    `datkey=${key}`,
    `dat://${key}\nTTL=3600\n`,
  ]);
  const { code, message } = await world.stdout.event("warning");
  assert.equal(code, "name");
  assert.equal(message, `The name example.org leads to dat://${OTHER} so far`);
});

Deno.test("share --name tells people the same, and refuses what is no name", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp, { running: true });
  know(world, { "example.org": { failure: { kind: "none", why: "x", until: UNTIL } } });
  const dir = someFolder(temp);
  const share = (name: string) =>
    runIn(
      world,
      "share",
      dir,
      "--host",
      "127.0.0.1",
      "--port",
      "0",
      "--timeout",
      "1",
      "--name",
      name,
    );
  const { code, stdout, stderr } = await share("example.org");
  assert.equal(code, 0);
  const [key] = /[0-9a-f]{64}/.exec(stdout)!;
  const lines = stderr.split("\n");
  const at = lines.indexOf("To have example.org lead here, publish a TXT record of example.org:");
  assert.deepEqual(lines.slice(at + 1, at + 5), [
    `  datkey=${key}`,
    "or a file at https://example.org/.well-known/dat:",
    `  dat://${key}`,
    "  TTL=3600",
  ]);
  assert.doesNotMatch(stderr, /so far/);
  assert.equal((await share("nobody")).code, 2);
});

Deno.test("who answers DNS questions is chosen by the option, or by the environment", async () => {
  using temp = tempFolder();
  const world = cloner(temp);
  know(world, { "example.org": { failure: { kind: "none", why: "x", until: UNTIL } } });
  const clone = (...more: string[]) =>
    runIn(world, "clone", "example.org", "copy", "--peer", "127.0.0.1:1", ...more);
  assert.match((await clone("--doh", "http://a.org/")).stderr, /Cannot use "http:\/\/a\.org\/" as/);
  assert.equal((await clone("--doh", DOH_SERVERS[0])).code, 9);
  world.environment.set("TROVE_DOH", "nonsense");
  const { code, stderr } = await clone();
  assert.equal(code, 2);
  assert.match(stderr, /\(from TROVE_DOH\)/);
  assert.equal((await clone("--doh", "off")).code, 9);
});
