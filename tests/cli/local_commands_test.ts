/** The commands that read an archive on disk: what people see, and what goes wrong how. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createArchive, openArchive, openClone } from "../../src/app/open_archive.ts";
import { CraftedArchive, CraftedCopy } from "../support/crafted_archive.ts";
import { fetchBlock } from "../support/open_feed.ts";
import { importInto } from "../support/imported.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";
import { writeTree } from "../support/trees.ts";

const COMMANDS = ["status", "log", "ls", "cat", "diff", "create"];

/** A world whose current folder has an archive in `photos`, of three versions and then two more. */
async function photos(temp: TempFolder): Promise<TestWorld> {
  const world = new TestWorld(temp, { running: true });
  writeTree(
    temp.join("photos"),
    [
      { path: "2024/summer/beach.jpg", size: 150_000 },
      { path: "2024/notes.txt", size: 1200 },
      { path: "run.sh", size: 10, mode: 0o755 },
    ],
    "photos",
  );
  await importInto(temp.join("photos"), world);
  Deno.writeTextFileSync(temp.join("photos", "2024", "notes.txt"), "shorter");
  Deno.removeSync(temp.join("photos", "run.sh"));
  await importInto(temp.join("photos"), world);
  return world;
}

/** Without the columns that tell times. */
function withoutTimes(text: string): string {
  return text.replace(/\d{4}-\d\d-\d\d \d\d:\d\d/g, "<time>");
}

for (const command of COMMANDS) {
  Deno.test(`trove ${command} --help fits a screen and gives examples`, async () => {
    using temp = tempFolder();
    const { code, stdout } = await runIn(new TestWorld(temp), command, "--help");
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`Examples?:\n +trove ${command}`));
    assert.match(stdout, /-d, --dir/);
    assert.ok(stdout.split("\n").length <= 25, `${stdout.split("\n").length} lines`);
    assert.ok(stdout.split("\n").every((line) => line.length <= 80));
  });
}

Deno.test("ls prints mode, size, time and name in columns, and a sum", async () => {
  using temp = tempFolder();
  const world = await photos(temp);
  const top = await runIn(world, "ls", "photos");
  assert.equal(top.code, 0);
  assert.equal(withoutTimes(top.stdout), "d---------        -  -                 2024/\n");
  assert.equal(top.stderr, "0 files (0 B), 1 folder\n");
  const old = await runIn(world, "ls", "-r", "photos", "--version", "3");
  assert.equal(
    withoutTimes(old.stdout),
    "-rw-r--r--   1.2 kB  <time>  2024/notes.txt\n" +
      "-rw-r--r--   150 kB  <time>  2024/summer/beach.jpg\n" +
      "-rwxr-xr-x     10 B  <time>  run.sh\n",
  );
  assert.equal(old.stderr, "3 files (151 kB), the bytes of 2 are not here\n");
  const one = await runIn(world, "ls", "photos/2024/notes.txt");
  assert.equal(withoutTimes(one.stdout), "-rw-r--r--      7 B  <time>  2024/notes.txt\n");
  assert.equal((await runIn(world, "ls", "photos", "--quiet")).stderr, "");
});

Deno.test("log prints one line a change, the newest last, and what it comes to", async () => {
  using temp = tempFolder();
  const world = await photos(temp);
  const all = await runIn(world, "log", "photos");
  assert.equal(
    withoutTimes(all.stdout),
    "1  <time>  put   1.2 kB     1 block  2024/notes.txt\n" +
      "2  <time>  put   150 kB    3 blocks  2024/summer/beach.jpg\n" +
      "3  <time>  put     10 B     1 block  run.sh\n" +
      "4  -                 del        -           -  run.sh\n" +
      "5  <time>  put      7 B     1 block  2024/notes.txt\n",
  );
  assert.match(
    all.stderr,
    /^5 changes: 4 puts, 1 delete\nVersion 5: 2 files, 150 kB\nMetadata: \d+ B in 6 blocks\nContent: 151 kB in 6 blocks\n$/,
  );
  const some = await runIn(world, "log", "photos", "--since", "3", "--version", "4");
  assert.match(some.stdout, /^4 [^\n]+\n$/);
  assert.match(some.stderr, /^1 change: 0 puts, 1 delete\nVersion 4: 2 files/);
});

Deno.test("diff prints what came, went and changed between versions, and a sum", async () => {
  using temp = tempFolder();
  const world = await photos(temp);
  const { code, stdout, stderr } = await runIn(world, "diff", "photos", "3", "5");
  assert.equal(code, 0);
  assert.equal(stdout, "~      7 B  2024/notes.txt  (was 1.2 kB)\n-     10 B  run.sh\n");
  assert.equal(stderr, "1 removed, 1 changed; 1.2 kB less\n");
  const back = await runIn(world, "diff", "5", "3", "--dir", "photos");
  assert.equal(back.stdout, "~   1.2 kB  2024/notes.txt  (was 7 B)\n+     10 B  run.sh\n");
  const none = await runIn(world, "diff", "5", "5", "--dir", "photos", "--exit-code");
  assert.deepEqual([none.code, none.stdout], [0, ""]);
  assert.equal(none.stderr, "Version 5 and version 5 are the same\n");
});

Deno.test("diff --exit-code ends in 1 where something differs, with its records before that", async () => {
  using temp = tempFolder();
  const world = await photos(temp);
  const { code, json } = await runIn(world, "diff", "photos", "3", "4", "--exit-code", "--json");
  assert.equal(code, 1);
  assert.deepEqual(json.map(({ event }) => event), ["diff", "error"]);
  assert.equal(json[1].exitCode, 1);
});

Deno.test("a record of diff tells of both sides of what was replaced", async () => {
  using temp = tempFolder();
  const world = await photos(temp);
  const { json } = await runIn(world, "diff", "photos", "4", "5", "--json");
  const common = { event: "diff", path: "/2024/notes.txt", change: "changed" };
  assert.deepEqual(json.map(({ time: _, ...record }) => record), [
    { ...common, type: "del", size: 1200, mode: 0o100644, version: 1 },
    {
      ...{ ...common, type: "put", size: 7, mode: 0o100644, version: 5 },
      ...{ oldSize: 1200, oldMode: 0o100644 },
    },
  ]);
});

Deno.test("diff tells a change of the mode, and the same bytes put again, from other bytes", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp);
  const world = new TestWorld(temp, { home: "owner-home" });
  const bytes = new Uint8Array(150_000);
  const { size, blocks, offset, byteOffset } = owner.put("/file", bytes);
  owner.put("/file", bytes);
  owner.putStat("/file", { size, blocks, offset, byteOffset, mode: 0o100755 });
  owner.put("/file", bytes.fill(1, 149_999));
  owner.putStat("/file", { mode: 0o040755 });
  const run = (...args: string[]) => runIn(world, "diff", ...args, "--dir", "owner");
  for (
    const [from, to, change, line, sum] of [
      ["1", "2", "touched", "(same bytes)", "1 put again with the same bytes"],
      ["1", "3", "mode", "(same bytes; was -rw-r--r--, is -rwxr-xr-x)", "1 with another mode"],
      ["2", "3", "mode", "(same bytes; was -rw-r--r--, is -rwxr-xr-x)", "1 with another mode"],
      ["1", "4", "changed", "(was 150 kB)", "1 changed"],
    ]
  ) {
    const { stdout, stderr } = await run(from, to);
    assert.deepEqual([stdout, stderr], [`~   150 kB  file  ${line}\n`, `${sum}\n`]);
    const { json } = await run(from, to, "--json");
    assert.deepEqual(json.map(({ type }) => type), ["del", "put"]);
    assert.ok(json.every((record) => record.change === change), change);
  }
  const folder = await run("4", "5");
  assert.equal(folder.stdout, "~      0 B  file  (was -rw-r--r--, is drwxr-xr-x)\n");
  assert.equal(folder.stderr, "1 changed; 150 kB less\n");
});

Deno.test("cat prints one file after the other, byte for byte", async () => {
  using temp = tempFolder();
  const world = await photos(temp);
  const paths = ["photos/2024/summer/beach.jpg", "photos/2024/notes.txt"];
  const { code, stderr } = await runIn(world, "cat", ...paths);
  assert.deepEqual([code, stderr], [0, ""]);
  const wanted = paths.flatMap((path) => [...Deno.readFileSync(temp.join(path))]);
  assert.deepEqual([...world.stdout.bytes], wanted);
});

Deno.test("cat prints nothing where one of several files cannot be had", async () => {
  using temp = tempFolder();
  const world = await photos(temp);
  const good = "photos/2024/notes.txt";
  for (
    const [bad, code, mentions] of [
      ["photos/2024", 2, /"2024": it is a folder/],
      ["photos", 2, /folder/],
      ["photos/nowhere", 9, /"nowhere" in version 5/],
      ["photos/run.sh", 9, /"run.sh" in version 5/],
      ["nowhere", 9, /archive/],
    ] as const
  ) {
    const ran = await runIn(world, "cat", good, bad);
    assert.equal(ran.code, code, bad);
    assert.match(ran.stderr, mentions);
    assert.equal(world.stdout.bytes.length, 0);
  }
  const old = await runIn(world, "cat", good, "photos/run.sh", "--version", "3");
  assert.equal(old.code, 9);
  assert.match(old.stderr, /1 content block of it is not here \(0\); .*--history/);
});

Deno.test("cat does not print a block that was changed on disk", async () => {
  using temp = tempFolder();
  const world = await photos(temp);
  using file = Deno.openSync(temp.join("photos/2024/summer/beach.jpg"), { write: true });
  file.seekSync(70_000, Deno.SeekMode.Start);
  file.writeSync(new TextEncoder().encode("changed"));
  const { code, stderr } = await runIn(world, "cat", "photos/2024/summer/beach.jpg");
  assert.equal(code, 5);
  assert.match(stderr, /content block 2 does not match/);
  assert.equal(world.stdout.bytes.length, 65536, "what came before was right");
});

Deno.test("the archive is found from any folder inside it", async () => {
  using temp = tempFolder();
  const world = await photos(temp);
  world.workFolder = temp.join("photos", "2024", "summer");
  assert.match((await runIn(world, "ls")).stdout, / beach\.jpg\n$/);
  assert.match((await runIn(world, "ls", "..")).stdout, / notes\.txt\n.* summer\/\n$/);
  assert.equal((await runIn(world, "log", "--json")).json.length, 5);
  assert.equal((await runIn(world, "diff", "3", "5", "--json")).json.length, 3);
  assert.equal((await runIn(world, "cat", "../notes.txt")).code, 0);
  // One that is not on disk any more.
  assert.equal((await runIn(world, "cat", "../../run.sh", "--version", "3")).code, 9);
  assert.equal((await runIn(world, "ls", "../../run.sh", "--version", "3")).code, 0);
  const [{ dir, version }] = (await runIn(world, "status", "--json")).json;
  assert.deepEqual([dir, version], [temp.join("photos"), 5]);
  // The feeds' own folder stands for the archive around it.
  world.workFolder = temp.join("photos", ".dat");
  assert.equal((await runIn(world, "status", "--json")).json[0].dir, temp.join("photos"));
});

/** Command lines in a folder with an archive `photos` of version 5, and how they end. */
const REFUSED: readonly (readonly [readonly string[], number, RegExp])[] = [
  [["ls", "photos", "--version", "6"], 9, /version 6: the newest known here is 5/],
  [["ls", "photos", "--version", "x"], 2, /"x" as a version/],
  [["ls", "photos", "--version", "-1"], 2, /"-1" as a version/],
  [["ls", "photos", "--version", "99999999999999999999"], 2, /as a version/],
  [["ls", "photos/nowhere"], 9, /"nowhere" in version 5/],
  [["ls", "photos", "--version", "3", "--dir", "photos"], 9, /"photos" in version 3/],
  [["ls"], 9, /archive/],
  [["log", "photos", "--since", "6"], 9, /version 6/],
  [["log", "photos", "--since", "4", "--version", "3"], 2, /after version 4 up to version 3/],
  [["log", "photos", "--since", "1.5"], 2, /"1.5" as a version/],
  [["log", "nowhere"], 9, /no such folder/],
  [["log", "photos/nowhere"], 9, /no such folder/],
  [["log", "photos/2024/notes.txt"], 2, /it is a file/],
  [["log", "photos", "--dir", "photos"], 2, /two folders/],
  [["cat"], 2, /path/],
  [["cat", "photos/2024/notes.txt", "--version", "6"], 9, /version 6/],
  [["diff", "photos", "6"], 9, /version 6/],
  [["diff", "photos", "1", "6"], 9, /version 6/],
  [["diff", "photos", "1", "2", "3"], 2, /argument/i],
  [["diff", "1", "2", "3"], 2, /more than two/],
  [["diff", "photos", "5x"], 2, /"5x" as a version/],
  [["diff", "5x", "--dir", "photos"], 2, /"5x" as a version/],
  [["diff", "-1", "--dir", "photos"], 2, /-1/],
  [["diff", "photos", "--as-dat"], 2, /two versions/],
  [["status", "photos/nowhere"], 9, /no such folder/],
];

Deno.test("what cannot be done is one line that says why, and ends in the right code", async () => {
  using temp = tempFolder();
  const world = await photos(temp);
  for (const [args, code, mentions] of REFUSED) {
    const ran = await runIn(world, ...args);
    assert.equal(ran.code, code, `${args.join(" ")}: ${ran.stderr}`);
    assert.match(ran.stderr, mentions);
    assert.match(ran.stderr, /^error: [A-Z][^\n]+\n$/, args.join(" "));
    assert.equal(ran.stdout, "");
    const { json } = await runIn(world, ...args, "--json");
    assert.deepEqual([json.length, json[0].event, json[0].exitCode], [1, "error", code]);
  }
});

Deno.test("names that would do something to the terminal are shown as escapes", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp, { running: true });
  const names = ["a\u001b[2Jb", "line\nbreak", "\u202eturned", "\u009b31m"];
  for (const name of names) {
    Deno.mkdirSync(temp.join("photos", name), { recursive: true });
    Deno.writeTextFileSync(temp.join("photos", name, name), "x");
  }
  await importInto(temp.join("photos"), world);
  Deno.writeTextFileSync(temp.join("photos", names[0], names[0]), "xy");
  // deno-lint-ignore no-control-regex -- what must not be printed
  const harmful = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;
  for (
    const args of [
      ["ls", "photos"],
      ["ls", "-r", "photos"],
      ["log", "photos"],
      [
        "diff",
        "photos",
        "0",
        "4",
      ],
      ["diff", "photos"],
      ["cat", `photos/${names[0]}`],
      ["cat", `photos/${names[1]}x`],
    ]
  ) {
    for (const json of [[], ["--json"]]) {
      const { stdout, stderr } = await runIn(world, ...args, ...json);
      assert.doesNotMatch(stdout + stderr, harmful, args.join(" "));
    }
  }
  const { stdout, json } = await runIn(world, "ls", "-r", "photos", "--json");
  assert.equal(stdout.split("\n").length, names.length + 1, "one line each");
  assert.deepEqual(json.map(({ path }) => path).sort(), names.map((n) => `/${n}/${n}`).sort());
});

Deno.test("colours are for terminals, and NO_COLOR switches them off", async () => {
  using temp = tempFolder();
  const world = await photos(temp);
  const commands = [["ls", "photos"], ["log", "photos"], ["diff", "photos", "1", "5"], [
    "status",
    "photos",
  ]];
  for (const args of commands) {
    assert.ok(!(await runIn(world, ...args)).stdout.includes("\u001b["), args[0]);
    world.stdout.isTerminal = world.stderr.isTerminal = true;
    assert.ok((await runIn(world, ...args)).stdout.includes("\u001b["), args[0]);
    world.environment.set("NO_COLOR", "1");
    assert.ok(!(await runIn(world, ...args)).stdout.includes("\u001b["), args[0]);
    world.environment.delete("NO_COLOR");
    world.stdout.isTerminal = world.stderr.isTerminal = false;
  }
});

const DRAWN: readonly (readonly [readonly string[], Record<string, string>, boolean])[] = [
  [[], {}, true],
  [[], { NO_COLOR: "1" }, true],
  [[], { TERM: "dumb" }, false],
  [["--quiet"], {}, false],
  [["--json"], {}, false],
];

for (const [options, env, isDrawn] of DRAWN) {
  const how = `${options.join(" ")} ${JSON.stringify(env)}`;
  Deno.test(`long work is ${isDrawn ? "" : "not "}drawn on a terminal: ${how}`, async () => {
    using temp = tempFolder();
    const world = await photos(temp);
    for (const [name, value] of Object.entries(env)) world.environment.set(name, value);
    world.stdout.isTerminal = world.stderr.isTerminal = true;
    let now = 0;
    world.clock.monotonic = () => now += 1000;
    const { code, stderr } = await runIn(world, "verify", "photos", ...options);
    assert.equal(code, 0);
    assert.equal(stderr.includes("\u001b[J"), isDrawn, stderr);
    assert.equal(stderr.includes("\u001b[32m"), isDrawn && env.NO_COLOR === undefined);
    if (!isDrawn) assert.ok(!stderr.includes("\u001b"));
  });
}

Deno.test("when nobody reads any more a command stops and is content", async () => {
  using temp = tempFolder();
  const world = await photos(temp);
  const write = world.stdout.write.bind(world.stdout);
  for (const args of [["ls", "-r"], ["log"], ["diff", "0", "5"], ["diff", "0"]]) {
    for (const json of [[], ["--json"]]) {
      const from = world.stdout.lines.length;
      world.stdout.write = (text) => write(text) && false;
      const dir = args[0] === "ls" || args[0] === "log" ? ["photos"] : ["--dir", "photos"];
      const { code, stderr } = await runIn(world, ...args, ...dir, ...json);
      assert.deepEqual([code, stderr], [0, ""], args.join(" "));
      assert.equal(world.stdout.lines.length, from + 1);
    }
  }
  let pieces = 0;
  world.stdout.writeBytes = () => ++pieces < 2;
  const { code } = await runIn(world, "cat", ...Array(5).fill("photos/2024/summer/beach.jpg"));
  assert.deepEqual([code, pieces], [0, 2]);
});

/** A copy of `owner` that holds the metadata entries `held` and no content. */
function partialCopy(
  temp: TempFolder,
  owner: CraftedArchive,
  held: (block: number) => boolean,
): CraftedCopy {
  const copy = new CraftedCopy(temp, owner);
  const { metadata } = owner.archive;
  using archive = openClone(copy.dir, { world: copy.world, publicKey: metadata.publicKey });
  // The newest first: its proof tells how long the feed is.
  for (let block = metadata.length - 1; block >= 0; block--) {
    if (!held(block)) continue;
    const value = metadata.readVerified(block)!.slice();
    archive.metadata.put(fetchBlock(metadata, archive.metadata, { block, value }));
  }
  archive.metadata.commit();
  archive.openContent();
  return copy;
}

Deno.test("with part of the metadata, what can be told is told and the rest is an error", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp);
  for (const path of ["/a", "/b/c", "/b/d", "/e"]) owner.put(path, path);
  const { world } = partialCopy(temp, owner, (block) => block !== 2);
  const run = (...args: string[]) => runIn(world, ...args, "--dir", "copy", "--json");
  const status = (await run("status")).json[0];
  assert.deepEqual([status.version, status.files, status.blocks], [4, undefined, 4]);
  const log = await run("log");
  assert.equal(log.code, 4);
  assert.deepEqual(log.json.map(({ event }) => event), ["log", "error"]);
  assert.match(log.json[1].message, /entry 2: it is not here/);
  assert.equal((await run("log", "--since", "2")).json.length, 2);
  // What it takes is here.
  assert.deepEqual((await run("ls", "--version", "1")).json.map(({ path }) => path), ["/a"]);
  assert.equal((await run("ls", "-r")).code, 4);
  assert.equal((await run("diff", "1", "4")).code, 4);
  const file = await run("cat", "/e");
  assert.equal(file.code, 9);
  assert.match(file.json[0].message, /content block of it is not here \(3\)/);
  const people = await runIn(world, "status", "copy");
  assert.match(people.stdout, /unknown: the metadata is not complete/);
});

Deno.test("an empty archive has nothing in it, and that is no error", async () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  createArchive(temp.join("empty"), world)[Symbol.dispose]();
  for (const args of [["ls"], ["ls", "-r"], ["log"], ["diff"], ["diff", "0"], ["diff", "0", "0"]]) {
    const { code, stdout } = await runIn(world, ...args, "--dir", "empty");
    assert.deepEqual([code, stdout], [0, ""], args.join(" "));
  }
  const log = await runIn(world, "log", "empty");
  assert.match(log.stderr, /^0 changes: 0 puts, 0 deletes\nVersion 0: 0 files, 0 B\n/);
});

Deno.test("a folder that was made on purpose is listed as one, and empty", async () => {
  using temp = tempFolder();
  using owner = new CraftedArchive(temp);
  owner.putStat("/made", { mode: 0o040755 });
  owner.put("/file", "x");
  const world = new TestWorld(temp, { home: "owner-home" });
  const top = await runIn(world, "ls", "owner");
  assert.match(top.stdout, /drwxr-xr-x +- {2}\S+ \S+ {2}made\/\n$/);
  assert.match(top.stderr, /^1 file \(1 B\), 1 folder\n/);
  assert.deepEqual((await runIn(world, "ls", "/made", "--dir", "owner")).stdout, "");
  assert.equal((await runIn(world, "cat", "/made", "--dir", "owner")).code, 2);
});

Deno.test("reading needs no lock and changes nothing", async () => {
  using temp = tempFolder();
  const world = await photos(temp);
  const dat = temp.join("photos", ".dat");
  const digest = () =>
    [...Deno.readDirSync(dat)].map(({ name }) => {
      const { mtime, size } = Deno.statSync(join(dat, name));
      return `${name} ${mtime?.getTime()} ${size}`;
    }).sort();
  using _writer = openArchive(temp.join("photos"), { world, access: "write" });
  const before = digest();
  for (const command of ["status", "log", "ls", "diff"]) {
    assert.equal((await runIn(world, command, "--dir", "photos")).code, 0, command);
  }
  assert.equal((await runIn(world, "cat", "photos/2024/notes.txt")).code, 0);
  assert.deepEqual(digest(), before);
});
