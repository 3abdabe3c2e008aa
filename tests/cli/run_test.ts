/** The command line in this process: what is understood, and what is printed for it. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createArchive, openClone } from "../../src/app/open_archive.ts";
import { parseLink } from "../../src/crypto/link.ts";
import { tempFolder } from "../support/temp.ts";
import { runIn, TEST_VERSION, TestWorld } from "../support/test_world.ts";
import { archiveBytes, secretKeyFile } from "../support/archives.ts";
import { writeTree } from "../support/trees.ts";

const LINK = `dat://${"ab".repeat(32)}`;
const COMMANDS = ["share", "clone", "status"];

Deno.test("--version is the version and nothing else", async () => {
  using temp = tempFolder();
  const { code, stdout, stderr } = await runIn(new TestWorld(temp), "--version");
  assert.deepEqual([code, stdout, stderr], [0, `${TEST_VERSION}\n`, ""]);
});

for (const args of [["--help"], ["-h"], ["help"]]) {
  Deno.test(`trove ${args} is on stdout and names every command`, async () => {
    using temp = tempFolder();
    const { code, stdout, stderr } = await runIn(new TestWorld(temp), ...args);
    assert.deepEqual([code, stderr], [0, ""]);
    for (const command of COMMANDS) assert.match(stdout, new RegExp(`^ +${command} `, "m"));
  });
}

for (const command of COMMANDS) {
  Deno.test(`trove ${command} --help tells its options and gives an example`, async () => {
    using temp = tempFolder();
    for (const args of [[command, "--help"], [command, "-h"], ["help", command]]) {
      const { code, stdout, stderr } = await runIn(new TestWorld(temp), ...args);
      assert.deepEqual([code, stderr], [0, ""]);
      for (const option of ["--json", "--quiet", "--verbose", "--color", "--no-input"]) {
        assert.ok(stdout.includes(option), option);
      }
      assert.match(stdout, /Examples?:\n +trove /);
      const meetsPeers = command !== "status";
      for (const option of ["--peer", "--port", "--host", "--timeout"]) {
        assert.equal(stdout.includes(option), meetsPeers, option);
      }
    }
  });
}

/** Command lines that make no sense, and what the message mentions. */
const USAGE: readonly (readonly [readonly string[], RegExp])[] = [
  [[], /no command/],
  [["shear"], /share/],
  [["--jsn"], /--jsn/],
  [["share", "--prot", "1"], /--port/],
  [["share", "a", "b"], /argument/i],
  [["share", "--port"], /--port/],
  [["share", "--port", "70000"], /"70000" as a port/],
  [["share", "--port", "80x"], /"80x" as a port/],
  [["share", "--timeout", "soon"], /"soon" as a duration/],
  [["share", "--peer", "host:x"], /"host:x" as a peer/],
  [["share", "--color", "red"], /auto, always, never/],
  [["clone"], /link/],
  [["clone", LINK], /peer/],
  [["clone", `${LINK}+5`, "--peer", "127.0.0.1:1", "--live"], /version 5/],
  [["clone", `${LINK}+5`, "--peer", "127.0.0.1:1", "--version", "4"], /version 4 and version 5/],
  [["clone", "%%%", "--peer", "127.0.0.1:1"], /%%%/],
  [["clone", "\u001b[2J", "--peer", "127.0.0.1:1"], /\\u001b\[2J/],
];

for (const [args, mentions] of USAGE) {
  Deno.test(`trove ${JSON.stringify(args.join(" "))} is a usage error and makes nothing`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp);
    const { code, stdout, stderr } = await runIn(world, ...args);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    const last = stderr.trimEnd().split("\n").at(-1)!;
    assert.match(last, mentions);
    assert.match(last, /^error: [A-Z]/);
    if (args.length > 0) assert.equal(stderr.trimEnd(), last, "one line");
    assert.deepEqual([...Deno.readDirSync(temp.path)].map(({ name }) => name), ["home"]);
    assert.ok(!world.listens, "no handler of signals is left");
  });
}

Deno.test("with --json a usage error is a line of JSON, wherever the flag stands", async () => {
  using temp = tempFolder();
  for (
    const args of [["share", "--json", "--prot"], ["share", "--prot", "1", "--json"], [
      "shear",
      "--json",
    ]]
  ) {
    const { code, json } = await runIn(new TestWorld(temp), ...args);
    assert.equal(code, 2);
    assert.equal(json.length, 1);
    const [{ event, exitCode, message, time }] = json;
    assert.deepEqual([event, exitCode, json[0].code], ["error", 2, "usage"]);
    assert.ok(message.length > 0 && !Number.isNaN(Date.parse(time)));
  }
});

const VARIABLES: readonly (readonly [string, string])[] = [
  ["TROVE_PORT", "x"],
  ["TROVE_TIMEOUT", "soon"],
  ["TROVE_PEER", "a:1,b:x"],
];

for (const [name, value] of VARIABLES) {
  Deno.test(`a value of ${name} that makes no sense is a usage error that says where it is from`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp, { env: { [name]: value } });
    const { code, stderr } = await runIn(world, "clone", LINK, "copy");
    assert.equal(code, 2);
    assert.ok(stderr.includes(name), stderr);
    // Nobody asks for it where it does not matter.
    assert.equal((await runIn(world, "status")).code, 9);
  });
}

Deno.test("a flag wins over its environment variable", async () => {
  using temp = tempFolder();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const world = new TestWorld(temp, {
    running: true,
    env: { TROVE_PORT: String(port), TROVE_HOST: "127.0.0.1", TROVE_TIMEOUT: "1ms" },
  });
  const dir = temp.folder("folder");
  const asked = await runIn(world, "share", dir, "--json");
  assert.equal(asked.code, 2, "the variable asks for a port that is taken");
  assert.ok(asked.json.at(-1)!.message.includes(String(port)));
  const { code, json } = await runIn(world, "share", dir, "--json", "--port", "0");
  assert.equal(code, 0);
  const listening = json.find(({ event }) => event === "listening")!;
  assert.equal(listening.host, "127.0.0.1");
  assert.notEqual(listening.port, port);
});

Deno.test("an empty environment variable is none", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp, { env: { TROVE_PORT: "", TROVE_PEER: "" } });
  const { code, stderr } = await runIn(world, "clone", LINK, "copy");
  assert.equal(code, 2);
  assert.match(stderr, /without a peer/);
});

Deno.test("status tells people and programs what is here, and changes nothing", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp, { running: true });
  const dir = temp.folder("folder");
  writeTree(
    dir,
    [{ path: "a", size: 100_000 }, { path: "b/c", size: 5 }, { path: "e", size: 0 }],
    "s",
  );
  await runIn(world, "share", dir, "--port", "0", "--host", "127.0.0.1", "--timeout", "1ms");
  const before = archiveBytes(dir);
  const { code, stderr, json } = await runIn(world, "status", dir, "--json");
  assert.deepEqual([code, stderr], [0, ""]);
  const [{ link, discoveryKey, time, ...status }] = json;
  assert.match(link, /^dat:\/\/[0-9a-f]{64}$/);
  assert.match(discoveryKey, /^[0-9a-f]{64}$/);
  assert.ok(!Number.isNaN(Date.parse(time)));
  assert.deepEqual(status, {
    ...{ event: "status", version: 3, files: 3, bytes: 100_005, writable: true },
    ...{ blocks: 7, blocksTotal: 7, history: false, dir },
  });
  world.workFolder = dir;
  const people = await runIn(world, "status");
  assert.equal(people.code, 0);
  assert.equal(people.stdout.split("\n")[0], link);
  assert.match(people.stdout, /3 files \(100 kB\)/);
  assert.match(people.stdout, /yours/);
  assert.deepEqual(archiveBytes(dir), before);
});

Deno.test("status of a clone that has nothing yet does not call it complete", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp, { running: true });
  const publicKey = parseLink(LINK).key;
  openClone(join(world.cwd(), "copy"), { world, publicKey })[Symbol.dispose]();
  const { code, stdout } = await runIn(world, "status", "copy");
  assert.equal(code, 0);
  assert.match(stdout, /not complete/);
  const [status] = (await runIn(world, "status", "copy", "--json")).json;
  assert.deepEqual([status.version, status.blocks, status.files], [0, 0, undefined]);
  assert.equal(status.writable, false);
});

Deno.test("a clone that learnt nothing leaves the folder as it was", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp, { running: true });
  const args = ["--peer", "127.0.0.1:1", "--timeout", "1ms"];
  assert.equal((await runIn(world, "clone", LINK, "new", ...args)).code, 3);
  assert.equal(existsSync(join(world.cwd(), "new")), false);
  const dir = join(world.cwd(), "own");
  writeTree(dir, [{ path: "file", size: 10 }], "own");
  assert.equal((await runIn(world, "clone", LINK, "own", ...args)).code, 3);
  assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), ["file"]);
});

Deno.test("status says what is wrong with the secret key, and --quiet does not", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = temp.folder("folder");
  const { discoveryKey } = (() => {
    using archive = createArchive(dir, world);
    return { discoveryKey: archive.discoveryKey };
  })();
  Deno.chmodSync(secretKeyFile(world, discoveryKey), 0o644);
  const exposed = await runIn(world, "status", dir);
  assert.match(exposed.stderr, /^warning: .*chmod 600/);
  assert.equal((await runIn(world, "status", dir, "--quiet")).stderr, "");
  Deno.removeSync(join(world.homeFolder!, ".dat"), { recursive: true });
  const { code, json, stderr } = await runIn(world, "status", dir, "--json");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.deepEqual(json.map(({ event }) => event), ["warning", "status"]);
  assert.match(json[0].message, /missing/);
  assert.equal(json[1].writable, false);
});

Deno.test("status of what is no archive ends in the right code", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  Deno.writeTextFileSync(temp.join("file"), "x");
  temp.folder("old", ".dat");
  Deno.writeTextFileSync(temp.join("old", ".dat", "LOG"), "x".repeat(100));
  for (const [dir, code] of [["nowhere", 9], ["home", 9], ["file", 2], ["old", 2]] as const) {
    const ran = await runIn(world, "status", dir, "--json");
    assert.equal(ran.code, code, dir);
    assert.equal(ran.json.at(-1)!.exitCode, code);
    assert.ok(ran.json.at(-1)!.message.includes(temp.join(dir)));
  }
});

const COLOURS: readonly (readonly [readonly string[], Record<string, string>, boolean, boolean])[] =
  [
    // arguments, environment, on a terminal, coloured
    [[], {}, true, true],
    [[], {}, false, false],
    [[], { NO_COLOR: "1" }, true, false],
    [[], { NO_COLOR: "" }, true, true],
    [[], { TERM: "dumb" }, true, false],
    [["--color", "never"], {}, true, false],
    [["--color", "always"], { NO_COLOR: "1" }, false, true],
    [["--color", "always", "--json"], {}, true, false],
  ];

for (const [args, env, isTerminal, coloured] of COLOURS) {
  const how = `${args.join(" ")} ${JSON.stringify(env)}${isTerminal ? " on a terminal" : ""}`;
  Deno.test(`an error is ${coloured ? "" : "not "}coloured: ${how}`, async () => {
    using temp = tempFolder();
    const world = new TestWorld(temp, { env });
    world.stdout.isTerminal = world.stderr.isTerminal = isTerminal;
    const { code, stderr } = await runIn(world, "status", "nowhere", ...args);
    assert.equal(code, 9);
    assert.equal(stderr.includes("\u001b["), coloured);
  });
}

Deno.test("--verbose shows where an error happened", async () => {
  using temp = tempFolder();
  const { stderr } = await runIn(new TestWorld(temp), "status", "nowhere", "--verbose");
  assert.match(stderr, /^error: [^\n]+\nNotFoundError: [^]+\n +at /);
});
