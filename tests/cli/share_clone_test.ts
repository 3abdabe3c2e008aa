/** `share` and `clone` in this process, over loopback: two worlds, two homes, one archive. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createArchive, openClone } from "../../src/app/open_archive.ts";
import { parseLink } from "../../src/crypto/link.ts";
import {
  archiveBytes,
  type ArchiveVector,
  borrowArchive,
  copyTree,
  vectorArchives,
  vectorFeedFolders,
} from "../support/archives.ts";
import { NO_PRIVILEGES } from "../support/failures.ts";
import { runTrove } from "../support/processes.ts";
import { shareWithTrove } from "../support/sharing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, type Shared, shareIn, TestWorld } from "../support/test_world.ts";
import { readVector } from "../support/vectors.ts";
import { assertSameTree, AWKWARD_FILES, digestTree, writeTree } from "../support/trees.ts";

const SOME_LINK = `dat://${"ab".repeat(32)}`;

const cloner = (temp: TempFolder) => new TestWorld(temp, { home: "home of cloner", running: true });

function cloneIn(world: TestWorld, shared: Shared, dir: string, ...extra: readonly string[]) {
  return runIn(world, "clone", shared.link, dir, "--peer", shared.address, "--json", ...extra);
}

/** A folder with some files. */
function someFolder(temp: TempFolder): string {
  const dir = temp.folder("folder");
  writeTree(
    dir,
    [{ path: "a", size: 200_000 }, { path: "b/c", size: 7 }, { path: "e", size: 0 }],
    "x",
  );
  return dir;
}

Deno.test("a clone of awkward files is the same tree, and all that is said is JSON", async () => {
  using temp = tempFolder();
  const dir = temp.folder("folder");
  writeTree(dir, AWKWARD_FILES, "awkward");
  const owner = new TestWorld(temp);
  const world = cloner(temp);
  {
    await using shared = await shareIn(owner, dir);
    const { code, stderr, json } = await cloneIn(world, shared, "copy");
    assert.deepEqual([code, stderr], [0, ""]);
    assertSameTree(digestTree(temp.join("copy")), digestTree(dir));
    const synced = json.at(-1)!;
    assert.equal(synced.event, "synced");
    assert.equal(synced.files, AWKWARD_FILES.length);
    assert.equal(synced.bytes, AWKWARD_FILES.reduce((sum, { size }) => sum + size, 0));
    assert.equal(synced.version, AWKWARD_FILES.length);
    assert.ok(synced.downloadedBytes > synced.bytes, "metadata is counted as well");
    assert.equal(json[0].event, "archive");
    assert.equal(json[0].link, shared.link);
    assert.equal(json[0].writable, false);

    const again = await cloneIn(world, shared, "copy");
    assert.equal(again.code, 0);
    assert.equal(again.json.at(-1)!.downloadedBytes, 0);
  }
  assert.equal(owner.stderr.text, "");
  for (const line of [...owner.stdout.json, ...world.stdout.json]) {
    assert.equal(typeof line.event, "string");
    assert.ok(!Number.isNaN(Date.parse(line.time)));
  }
  assert.ok(owner.stdout.json.some(({ event }) => event === "uploaded"));
  assert.ok(!owner.listens && !world.listens, "no handler of signals is left");
});

Deno.test("a clone follows what the owner changed between two shares", async () => {
  using temp = tempFolder();
  const dir = someFolder(temp);
  const [owner, world] = [new TestWorld(temp), cloner(temp)];
  {
    await using shared = await shareIn(owner, dir);
    assert.equal((await cloneIn(world, shared, "copy")).code, 0);
  }
  owner.clock.wallMs += 60_000;
  Deno.removeSync(join(dir, "b"), { recursive: true });
  writeTree(dir, [{ path: "a/now/a/folder", size: 10 }, { path: "e", size: 70_000 }].slice(1), "y");
  Deno.removeSync(join(dir, "a"));
  writeTree(dir, [{ path: "a/now/a/folder", size: 10 }], "y");
  const second = new TestWorld(temp, { seed: "another run" });
  second.clock.wallMs = owner.clock.wallMs;
  await using shared = await shareIn(second, dir);
  assert.equal((await cloneIn(world, shared, "copy")).code, 0);
  assertSameTree(digestTree(temp.join("copy")), digestTree(dir));
});

Deno.test("a clone serves others, as its folder when it is shared does", async () => {
  using temp = tempFolder();
  const dir = someFolder(temp);
  const world = cloner(temp);
  let link = "";
  {
    await using shared = await shareIn(new TestWorld(temp), dir);
    link = shared.link;
    assert.equal((await cloneIn(world, shared, "copy")).code, 0);
  }
  const server = new TestWorld(temp, { home: "home of cloner", seed: "server" });
  await using shared = await shareIn(server, temp.join("copy"));
  assert.equal(shared.link, link);
  const [archive, warning] = server.stdout.json;
  assert.equal(archive.writable, false);
  assert.equal(warning.code, "read-only");
  const third = new TestWorld(temp, { home: "third home", running: true });
  assert.equal((await cloneIn(third, shared, "third copy")).code, 0);
  assertSameTree(digestTree(temp.join("third copy")), digestTree(dir));
});

Deno.test("a clone with --port tells where it listens, and others can have it from there", async () => {
  using temp = tempFolder();
  const dir = someFolder(temp);
  const waiting = cloner(temp);
  const running = waiting.run(
    ...["clone", SOME_LINK, "copy", "--port", "0", "--host", "127.0.0.1", "--json"],
  );
  const { host, port } = await waiting.stdout.event("listening");
  assert.equal(host, "127.0.0.1");
  using _conn = await Deno.connect({ hostname: host, port });
  waiting.raise("SIGINT");
  assert.equal(await running, 130);
  assert.equal(waiting.stdout.json.at(-1)!.code, "interrupted");
  assert.ok(Deno.statSync(dir).isDirectory);
});

Deno.test("nobody there is exit code 3, and what was made is gone on with later", async () => {
  using temp = tempFolder();
  const dir = someFolder(temp);
  const world = cloner(temp);
  const owner = new TestWorld(temp);
  const { link } = (() => {
    using archive = createArchive(dir, owner);
    return { link: archive.link };
  })();
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = closed.addr as Deno.NetAddr;
  closed.close();
  const args = ["clone", link, "copy", "--peer", `127.0.0.1:${port}`, "--json", "--timeout", "1s"];
  const { code, json } = await runIn(world, ...args);
  assert.equal(code, 3);
  assert.ok(json.some(({ event, code }) => event === "warning" && code === "peer-failed"));
  assert.match(json.at(-1)!.message, /refused/);
  await using shared = await shareIn(owner, dir);
  assert.equal((await cloneIn(world, shared, "copy")).code, 0);
});

Deno.test("a peer with another archive is exit code 3", async () => {
  using temp = tempFolder();
  await using shared = await shareIn(new TestWorld(temp), someFolder(temp));
  const args = ["clone", SOME_LINK, "copy", "--peer", shared.address, "--json", "--timeout", "2s"];
  const { code, json } = await runIn(cloner(temp), ...args);
  assert.equal(code, 3);
  assert.equal(json.at(-1)!.code, "no-peers");
});

Deno.test("a foreign file in the way is exit code 2 and is left as it is", async () => {
  using temp = tempFolder();
  await using shared = await shareIn(new TestWorld(temp), someFolder(temp));
  temp.folder("copy", "b");
  Deno.writeTextFileSync(temp.join("copy", "b", "c"), "precious");
  const { code, json } = await cloneIn(cloner(temp), shared, "copy");
  assert.equal(code, 2);
  assert.match(json.at(-1)!.message, /"b\/c"/);
  assert.equal(Deno.readTextFileSync(temp.join("copy", "b", "c")), "precious");
});

Deno.test("cloning into the archive's own folder is refused", async () => {
  using temp = tempFolder();
  const dir = someFolder(temp);
  const world = new TestWorld(temp, { running: true });
  const { link } = (() => {
    using archive = createArchive(dir, world);
    return { link: archive.link };
  })();
  const before = archiveBytes(dir);
  const { code, json } = await runIn(world, "clone", link, dir, "--peer", "127.0.0.1:1", "--json");
  assert.deepEqual([code, json.at(-1)!.code], [2, "usage"]);
  assert.deepEqual(archiveBytes(dir), before);
});

Deno.test("a folder in use by another process is exit code 7 and names that process", async () => {
  using temp = tempFolder();
  const dir = someFolder(temp);
  await using other = await shareWithTrove(dir, { home: temp.folder("home") });
  const world = new TestWorld(temp, { running: true });
  const { code, json } = await runIn(world, "share", dir, "--json", "--port", "0");
  assert.deepEqual([code, json.at(-1)!.code], [7, "locked"]);
  assert.ok(json.at(-1)!.message.includes(`process ${other.process.pid} `), json.at(-1)!.message);
  const status = await runIn(world, "status", dir, "--json");
  assert.equal(status.code, 0, "reading beside a writer");
  assert.equal(status.json[0].files, 3);
});

Deno.test("a note of a process that was killed does not lock", async () => {
  using temp = tempFolder();
  const dir = someFolder(temp);
  {
    await using other = await shareWithTrove(dir, { home: temp.folder("home") });
    other.process.signal("SIGKILL");
    await other.process.exit;
  }
  assert.ok(Deno.statSync(join(dir, ".dat", "trove.lock")).isFile, "the note was left");
  await using _shared = await shareIn(new TestWorld(temp), dir);
});

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`${signal} during an import ends in ${code} and the next share goes on`, async () => {
    using temp = tempFolder();
    const dir = temp.folder("folder");
    writeTree(dir, Array.from({ length: 20 }, (_, n) => ({ path: `${n}`, size: 1_500_000 })), "i");
    const owner = new TestWorld(temp, { running: true });
    const running = owner.run("share", dir, "--port", "0", "--host", "127.0.0.1", "--json");
    await owner.stdout.event("archive");
    owner.raise(signal);
    assert.equal(await running, code);
    assert.equal(owner.stdout.json.at(-1)!.code, "interrupted");
    assert.ok(!owner.stdout.json.some(({ event }) => event === "listening"));
    const next = new TestWorld(temp, { seed: "next" });
    await using _shared = await shareIn(next, dir);
    const imported = await next.stdout.event("imported");
    assert.equal(imported.put + imported.same, 20);
  });
}

Deno.test("a share that is asked to stop ends well, whoever is connected", async () => {
  using temp = tempFolder();
  const owner = new TestWorld(temp);
  const shared = await shareIn(owner, someFolder(temp));
  const port = Number(shared.address.split(":")[1]);
  using _silent = await Deno.connect({ hostname: "127.0.0.1", port });
  owner.raise("SIGINT");
  assert.equal(await shared.code, 0);
});

Deno.test("people see a link on stdout and little else", async () => {
  using temp = tempFolder();
  const dir = someFolder(temp);
  Deno.writeTextFileSync(join(dir, "evil\u001b[2J\nname"), "x");
  Deno.symlinkSync("nowhere", join(dir, "gone\u001b[2J"));
  const world = new TestWorld(temp, { running: true });
  world.stderr.isTerminal = world.stdout.isTerminal = true;
  world.environment.set("NO_COLOR", "1");
  const running = world.run("share", dir, "--port", "0", "--host", "127.0.0.1");
  await world.stderr.waitFor(({ text }) => text.includes("Press Ctrl-C") ? true : undefined);
  assert.equal(world.guards, 1, "the cursor is hidden");
  world.raise("SIGINT");
  assert.equal(await running, 0);
  assert.equal(world.guards, 0);
  assert.match(world.stdout.text, /^dat:\/\/[0-9a-f]{64}\n$/);
  assert.match(world.stderr.text, /Imported: 4 files added or changed/);
  assert.match(world.stderr.text, /Changes of the folder are followed\n/);
  assert.match(world.stderr.text, /Skipped "gone\\u001b\[2J"/);
  // deno-lint-ignore no-control-regex -- what the view is drawn with
  const ours = world.stderr.text.replace(/[\r\n]|\u001b\[(J|K|\d+A|\?25[hl])/g, "");
  assert.doesNotMatch(ours, /\p{Cc}/u);
});

Deno.test("--no-watch says that nothing is followed, and --quiet nothing but the link", async () => {
  using temp = tempFolder();
  const dir = someFolder(temp);
  const world = new TestWorld(temp, { running: true });
  const args = ["share", dir, "--port", "0", "--host", "127.0.0.1", "--timeout", "1ms"];
  assert.match((await runIn(world, ...args, "--no-watch")).stderr, /are not followed: run this/);
  const { stdout, stderr } = await runIn(world, ...args, "--quiet");
  assert.match(stdout, /^dat:\/\/[0-9a-f]{64}\n$/);
  assert.equal(stderr, "");
});

Deno.test("sharing what is not there is exit code 9, and a file is exit code 2", async () => {
  using temp = tempFolder();
  Deno.writeTextFileSync(temp.join("file"), "x");
  const world = new TestWorld(temp, { running: true });
  for (const [dir, expected] of [["nowhere", 9], ["file", 2]] as const) {
    const { code, json } = await runIn(world, "share", dir, "--json");
    assert.deepEqual([code, json.length], [expected, 1]);
    assert.ok(json[0].message.includes(temp.join(dir)));
  }
});

Deno.test("sharing a clone that was only begun says so and does not touch it", async () => {
  using temp = tempFolder();
  const world = cloner(temp);
  const publicKey = parseLink(SOME_LINK).key;
  openClone(temp.join("copy"), { world, publicKey })[Symbol.dispose]();
  await using shared = await shareIn(
    new TestWorld(temp, { home: "home of cloner" }),
    temp.join("copy"),
  );
  assert.equal(shared.link, SOME_LINK);
});

for (const name of vectorArchives({ owned: true })) {
  Deno.test(`the archive ${name} of another program is shared under its link and cloned`, async () => {
    using temp = tempFolder();
    const owner = new TestWorld(temp);
    const { dir, expected } = borrowArchive(name, temp, owner);
    await using shared = await shareIn(owner, dir);
    assert.equal(shared.link, `dat://${expected.key}`);
    const { code, stderr } = await cloneIn(cloner(temp), shared, "copy");
    assert.equal(code, 0, stderr);
    const [cloned, original] = [digestTree(temp.join("copy")), digestTree(dir)];
    assert.ok(cloned.size > 0);
    for (const [path, { sha256 }] of cloned) assert.equal(sha256, original.get(path)?.sha256, path);
  });
}

for (const [name, from] of vectorFeedFolders()) {
  Deno.test(`${name}, feeds without working files, is served as it is and not imported`, async () => {
    using temp = tempFolder();
    const dir = temp.folder("folder");
    copyTree(from, dir);
    const owner = new TestWorld(temp);
    const expected = readVector<ArchiveVector>(`archives/${name}.json`);
    await using shared = await shareIn(owner, dir);
    const { code, json } = await cloneIn(cloner(temp), shared, "copy");
    assert.deepEqual([code, json.at(-1)!.version], [0, expected.version]);
    assert.ok(owner.stdout.json.some((line) => line.code === "read-only"));
    assert.ok(!owner.stdout.json.some((line) => line.event === "imported"));
    const files = [...readdirSync(temp.join("copy"))].filter((file) => file !== ".dat");
    assert.ok(files.length > 0);
  });
}

Deno.test("what cannot be read of a folder keeps nothing else out, and is not deleted", async () => {
  using temp = tempFolder();
  const dir = someFolder(temp);
  writeTree(dir, [{ path: "closed/inside", size: 10 }, { path: "private", size: 10 }], "p");
  const options = { home: temp.folder("home"), wrapper: NO_PRIVILEGES };
  const args = ["share", dir, "--json", "--port", "0", "--host", "127.0.0.1", "--timeout", "1ms"];
  assert.equal((await runTrove(args, options)).code, 0);
  Deno.chmodSync(join(dir, "closed"), 0o000);
  Deno.chmodSync(join(dir, "private"), 0o000);
  const later = new Date(Date.now() + 1000);
  Deno.utimeSync(join(dir, "private"), later, later);
  writeTree(dir, [{ path: "new", size: 10 }], "n");
  const { code, lines, stderr } = await runTrove(args, options);
  Deno.chmodSync(join(dir, "closed"), 0o755);
  assert.equal(code, 0, stderr);
  const imported = lines.find(({ event }) => event === "imported")!;
  assert.deepEqual([imported.put, imported.deleted, imported.skipped], [1, 0, 2]);
  const warnings = lines.filter(({ event }) => event === "warning").map(({ message }) => message);
  for (const name of ["closed", "private"]) {
    assert.ok(warnings.some((text) => text.includes(`"${name}"`) && /denied/.test(text)), name);
  }
});
