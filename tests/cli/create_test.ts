/** `trove create`: what is made, what is asked, and what is refused. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { secretKeyFile } from "../support/archives.ts";
import { importInto } from "../support/imported.ts";
import { tempFolder } from "../support/temp.ts";
import { type JsonLine, runIn, TestWorld } from "../support/test_world.ts";

function readJson(...path: string[]): JsonLine {
  return JSON.parse(Deno.readTextFileSync(join(...path)));
}

Deno.test("create makes an empty archive and says where its secret key is", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const { code, stdout, stderr } = await runIn(world, "create", "photos/2024");
  assert.equal(code, 0);
  assert.match(stdout, /^dat:\/\/[0-9a-f]{64}\n$/);
  const dir = temp.join("photos", "2024");
  assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), [".dat"]);
  const [status] = (await runIn(world, "status", dir, "--json")).json;
  assert.deepEqual([status.version, status.files, status.history], [0, 0, false]);
  assert.equal(status.writable, true);
  const key = secretKeyFile(world, status.discoveryKey);
  assert.ok(existsSync(key) && stderr.includes(key), stderr);
  assert.equal((await runIn(world, "create", "quiet", "-q")).stderr, "");
});

Deno.test("create --json tells what was made in one line", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  world.workFolder = temp.folder("here");
  const { code, json } = await runIn(world, "init", "--json", "--history");
  assert.equal(code, 0);
  const [{ link, discoveryKey, time: _, ...record }] = json;
  assert.match(link, /^dat:\/\/[0-9a-f]{64}$/);
  assert.deepEqual(record, {
    ...{ event: "archive", dir: temp.join("here"), writable: true, version: 0 },
    secretKeyFile: secretKeyFile(world, discoveryKey),
  });
  assert.equal((await runIn(world, "status", "--json")).json[0].history, true);
});

for (const mode of [[], ["--history"]]) {
  Deno.test(`create ${mode.join()} puts a dat.json with title and description as one entry`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const args = ["create", "-d", "photos", "--title", "Our “photos”", ...mode, "--json"];
    const made = await runIn(world, ...args);
    assert.deepEqual([made.code, made.json[0].version], [0, 1]);
    const text = Deno.readTextFileSync(temp.join("photos", "dat.json"));
    // As dat writes it.
    const { link } = made.json[0];
    const fields = { title: "Our “photos”", description: null, url: link };
    assert.equal(text, JSON.stringify(fields, null, 2));
    const printed = world.stdout.bytes.length;
    assert.equal((await runIn(world, "cat", "photos/dat.json")).code, 0);
    assert.equal(new TextDecoder().decode(world.stdout.bytes.subarray(printed)), text);
    const log = (await runIn(world, "log", "photos", "--json")).json;
    assert.deepEqual(log.map(({ type, path }) => [type, path]), [["put", "/dat.json"]]);
    assert.equal((await runIn(world, "diff", "--exit-code", "-d", "photos")).code, 0);
    // The first import takes it for what it is.
    const { put, same } = await importInto(temp.join("photos"), world);
    assert.deepEqual([put, same], [0, 1]);
  });
}

Deno.test("create keeps what else a dat.json says, and its own link is the one that counts", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = temp.folder("site");
  const before = { web_root: "/public", title: "Old", url: "dat://other", description: "About" };
  Deno.writeTextFileSync(join(dir, "dat.json"), JSON.stringify(before));
  const { json } = await runIn(world, "create", dir, "--title", "New", "--json");
  assert.deepEqual(Object.entries(readJson(dir, "dat.json")), [
    ["title", "New"],
    ["description", "About"],
    ["url", json[0].link],
    ["web_root", "/public"],
  ]);
});

Deno.test("create leaves a dat.json alone where nothing is said about it", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = temp.folder("site");
  Deno.writeTextFileSync(join(dir, "dat.json"), "{ not json");
  const { code, json } = await runIn(world, "create", dir, "--json");
  assert.deepEqual([code, json[0].version], [0, 0]);
  assert.equal(Deno.readTextFileSync(join(dir, "dat.json")), "{ not json");
});

Deno.test("create refuses a dat.json that would be lost, and makes nothing then", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  for (const text of ["{ not json", "[]", "null", "\xff"]) {
    const dir = temp.folder(`site ${text.length}`);
    Deno.writeTextFileSync(join(dir, "dat.json"), text);
    const { code, stderr } = await runIn(world, "create", dir, "--title", "T");
    assert.equal(code, 2);
    assert.match(stderr, /^error: Cannot use "[^\n]*dat.json": it is not [^\n]+\n$/);
    assert.equal(existsSync(join(dir, ".dat")), false);
    Deno.removeSync(dir, { recursive: true });
  }
  Deno.mkdirSync(temp.join("folder", "dat.json"), { recursive: true });
  assert.equal((await runIn(world, "create", "folder", "--title", "T")).code, 2);
});

Deno.test("create refuses a second archive, a file, and two folders", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const first = await runIn(world, "create", "photos");
  const again = await runIn(world, "create", "photos", "--title", "x");
  assert.equal(again.code, 2);
  assert.match(again.stderr, /it holds one; trove status/);
  assert.equal(existsSync(temp.join("photos", "dat.json")), false);
  assert.equal((await runIn(world, "status", "photos")).stdout.split("\n")[0] + "\n", first.stdout);
  Deno.writeTextFileSync(temp.join("file"), "x");
  assert.equal((await runIn(world, "create", "file")).code, 2);
  assert.equal((await runIn(world, "create", "a", "--dir", "b")).code, 2);
  assert.equal(existsSync(temp.join("a")) || existsSync(temp.join("b")), false);
});

Deno.test("create asks for title and description on a terminal, and takes what is there", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  world.stdin.isTerminal = world.stderr.isTerminal = true;
  world.stdin.answers = ["  Title  ", ""];
  assert.equal((await runIn(world, "create", "one")).code, 0);
  assert.deepEqual(world.stdin.prompts, ["Title: ", "Description: "]);
  const { title, description } = readJson(temp.join("one", "dat.json"));
  assert.deepEqual([title, description], ["Title", null]);

  world.stdin.prompts.length = 0;
  temp.folder("two");
  Deno.writeTextFileSync(temp.join("two", "dat.json"), '{"title":"Old\\u001b[2J","description":5}');
  world.stdin.answers = ["", "D"];
  assert.equal((await runIn(world, "create", "two")).code, 0);
  assert.deepEqual(world.stdin.prompts, ["Title (Old\\u001b[2J): ", "Description: "]);
  assert.equal(readJson(temp.join("two", "dat.json")).title, "Old\u001b[2J");

  // Nothing is answered: an archive without a dat.json.
  world.stdin.answers = [];
  assert.equal((await runIn(world, "create", "three")).code, 0);
  assert.equal(existsSync(temp.join("three", "dat.json")), false);

  // What is given is not asked for.
  world.stdin.prompts.length = 0;
  assert.equal((await runIn(world, "create", "four", "--title", "T")).code, 0);
  assert.deepEqual(world.stdin.prompts, ["Description: "]);

  // An archive that cannot be made needs no title.
  world.stdin.prompts.length = 0;
  assert.equal((await runIn(world, "create", "four")).code, 2);
  for (const option of ["--yes", "-y", "--no-input", "--json"]) {
    assert.equal((await runIn(world, "create", `with${option}`, option)).code, 0);
  }
  assert.deepEqual(world.stdin.prompts, []);
});
