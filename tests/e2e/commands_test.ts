/** The commands as processes: what people and programs get to read, and how they end. */
import assert from "node:assert/strict";
import { runTrove, trove } from "../support/processes.ts";
import { cloneArguments, cloneWithTrove, shareWithTrove } from "../support/sharing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import {
  assertSameTree,
  digestTree,
  manyFiles,
  withoutModes,
  writeTree,
} from "../support/trees.ts";

const FILES = [
  ...manyFiles(30, { seed: "commands", smallest: 1, largest: 5000 }),
  { path: "long.bin", size: 500_000 },
];
const BYTES = FILES.reduce((sum, { size }) => sum + size, 0);

function someFolder(temp: TempFolder): string {
  const folder = temp.folder("folder");
  writeTree(folder, FILES, "commands");
  return folder;
}

Deno.test("--version prints the version of deno.json", async () => {
  using temp = tempFolder();
  const { version } = JSON.parse(
    Deno.readTextFileSync(new URL("../../deno.json", import.meta.url)),
  );
  const exit = await runTrove(["--version"], { home: temp.path });
  assert.equal(exit.code, 0);
  assert.ok(exit.stdout.includes(version), exit.stdout);
  assert.equal(exit.stdout.trim().split("\n").length, 1);
});

Deno.test("--help names every command, and each command has a help of its own", async () => {
  using temp = tempFolder();
  const options = { home: temp.path };
  const help = await runTrove(["--help"], options);
  assert.equal(help.code, 0);
  for (const command of ["share", "clone", "status"]) {
    assert.match(help.stdout, new RegExp(`^ +${command}\\b`, "m"));
    const own = await runTrove([command, "--help"], options);
    assert.equal(own.code, 0);
    assert.match(own.stdout, new RegExp(`trove ${command}`));
    assert.match(own.stdout, /--json/);
  }
});

Deno.test("with --json every line of stdout is an object with event and time", async () => {
  using temp = tempFolder();
  const folder = someFolder(temp);
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home") });
  const cloned = await cloneWithTrove([sharer], temp.folder("copy"), {
    home: temp.folder("other"),
  });
  assert.equal(cloned.code, 0, cloned.stderr);
  sharer.process.signal("SIGTERM");
  const shared = await sharer.process.ended(0);
  for (const { stdout, lines } of [cloned, shared]) {
    assert.equal(stdout.trimEnd().split("\n").length, lines.length);
    for (const { event, time } of lines) {
      assert.match(event, /^[a-z]+$/);
      assert.equal(new Date(time).toISOString(), time);
    }
  }
  const events = (lines: readonly { event: string }[]) => lines.map(({ event }) => event);
  for (const event of ["archive", "imported", "listening", "peer"]) {
    assert.ok(events(shared.lines).includes(event), event);
  }
  for (const event of ["archive", "peer", "synced"]) {
    assert.ok(events(cloned.lines).includes(event), event);
  }
});

Deno.test("the events of share and clone carry the figures of what happened", async () => {
  using temp = tempFolder();
  const folder = someFolder(temp);
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home") });
  const imported = await sharer.process.event("imported");
  assert.equal(imported.put, FILES.length);
  assert.equal(imported.deleted, 0);
  assert.equal(imported.bytes, BYTES);
  assert.equal(imported.version, FILES.length);
  const archive = await sharer.process.event("archive");
  assert.match(archive.link, /^dat:\/\/[0-9a-f]{64}$/);
  assert.match(archive.discoveryKey, /^[0-9a-f]{64}$/);
  assert.equal(archive.writable, true);
  assert.equal(archive.dir, folder);

  const copy = temp.folder("copy");
  const exit = await cloneWithTrove([sharer], copy, { home: temp.folder("other") });
  const synced = exit.lines.find(({ event }) => event === "synced");
  assert.equal(synced?.version, FILES.length);
  assert.equal(synced?.files, FILES.length);
  assert.equal(synced?.bytes, BYTES);
  assert.ok(synced?.downloadedBytes >= BYTES);
  const connected = exit.lines.find(({ event }) => event === "peer");
  assert.equal(connected?.state, "connected");
  assert.equal(connected?.address, sharer.address);
  await sharer.process.event("uploaded", { matches: ({ version }) => version === FILES.length });
});

Deno.test("a clone that has everything fetches nothing when it is run again", async () => {
  using temp = tempFolder();
  const folder = someFolder(temp);
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home") });
  const copy = temp.folder("copy");
  const home = temp.folder("other");
  assert.equal((await cloneWithTrove([sharer], copy, { home })).code, 0);
  const again = await cloneWithTrove([sharer], copy, { home });
  assert.equal(again.code, 0, again.stderr);
  const synced = again.lines.find(({ event }) => event === "synced");
  assert.equal(synced?.downloadedBytes, 0);
  assertSameTree(digestTree(copy), digestTree(folder));
});

Deno.test("a second run of clone brings what the owner has added, changed and deleted", async () => {
  using temp = tempFolder();
  const folder = someFolder(temp);
  const copy = temp.folder("copy");
  const [owner, home] = [temp.folder("home"), temp.folder("other")];
  {
    await using sharer = await shareWithTrove(folder, { home: owner });
    assert.equal((await cloneWithTrove([sharer], copy, { home })).code, 0);
  }
  writeTree(folder, [{ path: "added/file", size: 70_000 }, { path: "long.bin", size: 9 }], "later");
  Deno.removeSync(`${folder}/${FILES[0].path}`);
  await using sharer = await shareWithTrove(folder, { home: owner });
  const exit = await cloneWithTrove([sharer], copy, { home });
  assert.equal(exit.code, 0, exit.stderr);
  assertSameTree(withoutModes(digestTree(copy)), withoutModes(digestTree(folder)));
});

Deno.test("clone prints for people how it went, and only the link with --quiet", async () => {
  using temp = tempFolder();
  const folder = someFolder(temp);
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home") });
  const run = (name: string, extra: readonly string[]) => {
    const args = cloneArguments(sharer.link, temp.folder(name), [sharer.address]);
    const forPeople = args.filter((arg) => arg !== "--json");
    return runTrove([...forPeople, ...extra], { home: temp.folder("other") });
  };
  const said = await run("said", []);
  assert.equal(said.code, 0, said.stderr);
  assert.equal(said.stdout, `${sharer.link}\n`);
  assert.match(said.stderr, new RegExp(`\\b${FILES.length} files\\b`));
  assert.ok(!(said.stdout + said.stderr).includes("\x1b"), "no colour codes with NO_COLOR");
  const quiet = await run("quiet", ["--quiet"]);
  assert.equal(quiet.code, 0, quiet.stderr);
  assert.equal(quiet.stdout, `${sharer.link}\n`);
  assert.equal(quiet.stderr, "");
});

Deno.test("share prints the link for people and ends with 0 on Ctrl-C", async () => {
  using temp = tempFolder();
  const folder = someFolder(temp);
  const args = ["share", folder, "--port", "0", "--host", "127.0.0.1", "--no-watch"];
  await using sharer = await trove(args, { home: temp.folder("home") });
  await sharer.says(/dat:\/\/[0-9a-f]{64}/);
  await sharer.says(/127\.0\.0\.1 port \d+/);
  sharer.signal("SIGINT");
  await sharer.ended(0);
});

Deno.test("share keeps the link of the folder from run to run", async () => {
  using temp = tempFolder();
  const folder = someFolder(temp);
  const home = temp.folder("home");
  const links = [];
  for (let run = 1; run <= 2; run++) {
    await using sharer = await shareWithTrove(folder, { home });
    links.push(sharer.link);
    const imported = await sharer.process.event("imported");
    assert.equal(imported.put, run === 1 ? FILES.length : 0);
    assert.equal(imported.same, run === 1 ? 0 : FILES.length);
  }
  assert.equal(links[0], links[1]);
});

Deno.test("the secret key is in the home directory, for its owner's eyes only", async () => {
  using temp = tempFolder();
  const home = temp.folder("home");
  await using sharer = await shareWithTrove(someFolder(temp), { home });
  const { discoveryKey } = await sharer.process.event("archive");
  const folder = `${home}/.dat/secret_keys/${discoveryKey.slice(0, 2)}`;
  const { mode, size } = Deno.statSync(`${folder}/${discoveryKey.slice(2)}`);
  assert.equal(size, 64);
  assert.equal(mode! & 0o777, 0o600);
  assert.equal(Deno.statSync(folder).mode! & 0o777, 0o700);
});

Deno.test("status tells what is in a folder, of the owner and of a clone", async () => {
  using temp = tempFolder();
  const folder = someFolder(temp);
  const copy = temp.folder("copy");
  const [owner, other] = [temp.folder("home"), temp.folder("other")];
  await using sharer = await shareWithTrove(folder, { home: owner });
  assert.equal((await cloneWithTrove([sharer], copy, { home: other })).code, 0);
  for (const [dir, home, writable] of [[folder, owner, true], [copy, other, false]] as const) {
    const exit = await runTrove(["status", dir, "--json"], { home });
    assert.equal(exit.code, 0, exit.stderr);
    const [status] = exit.lines;
    assert.equal(status.link, sharer.link);
    assert.equal(status.version, FILES.length);
    assert.equal(status.files, FILES.length);
    assert.equal(status.bytes, BYTES);
    assert.equal(status.writable, writable);
    assert.equal(status.blocks, status.blocksTotal);
    const read = await runTrove(["status", dir], { home });
    assert.ok(read.stdout.includes(sharer.link), read.stdout);
  }
});

Deno.test("status of a folder without an archive is not found", async () => {
  using temp = tempFolder();
  const exit = await runTrove(["status", temp.path, "--json"], { home: temp.path });
  assert.equal(exit.code, 9);
  assert.equal(exit.lines.at(-1)?.code, "not-found");
});
