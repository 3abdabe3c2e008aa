/** `mirror` in this process, over loopback: how each kind of run ends, and what it reports. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { copyTree } from "../support/archives.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import {
  type JsonLine,
  type Ran,
  runIn,
  type Shared,
  shareIn,
  TestWorld,
} from "../support/test_world.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";

const FILES = [
  { path: "a", size: 200_000 },
  { path: "b/c", size: 7 },
  { path: "b/d", size: 70_000 },
  { path: "empty", size: 0 },
];

/** A folder that is shared now and then, and what a job mirrors of it. */
class Scene {
  readonly dir: string;
  readonly copy: string;
  readonly report: string;
  #runs = 0;

  constructor(readonly temp: TempFolder) {
    this.dir = temp.folder("folder");
    this.copy = temp.join("copy");
    this.report = temp.join("report.json");
    writeTree(this.dir, FILES, "first");
  }

  share(...extra: string[]): Promise<Shared> {
    this.#runs++;
    const owner = new TestWorld(this.temp, { seed: `run ${this.#runs}` });
    owner.clock.wallMs += this.#runs * 60_000;
    return shareIn(owner, this.dir, ...extra);
  }

  /** What the job runs, on a machine that may be another one each time. */
  async mirror(
    { link, address }: Pick<Shared, "link" | "address">,
    extra: readonly string[] = [],
    world = this.job(),
  ): Promise<Ran & { report: JsonLine }> {
    const args = ["mirror", link, this.copy, "--peer", address, "--report", this.report];
    const ran = await runIn(world, ...args, ...["--timeout", "20s", "--json"], ...extra);
    const report = JSON.parse(Deno.readTextFileSync(this.report));
    assert.equal(report.exitCode, ran.code);
    return Object.assign(ran, { report });
  }

  job(env: Record<string, string> = {}): TestWorld {
    return new TestWorld(this.temp, { home: "home of job", running: true, env });
  }

  /** Turn a byte of a file, and leave its size and time as they were. */
  damage(file: string, at: number): void {
    const path = join(this.copy, file);
    const { mtime } = Deno.statSync(path);
    const bytes = Deno.readFileSync(path);
    bytes[at] ^= 0x10;
    Deno.writeFileSync(path, bytes);
    Deno.utimeSync(path, mtime!, mtime!);
  }
}

/** What the system knows of every file below a folder: a write cannot hide from it. */
function traces(folder: string, below = ""): string[] {
  return [...Deno.readDirSync(join(folder, below))].flatMap(({ name, isDirectory }) => {
    const path = join(below, name);
    if (isDirectory) return traces(folder, path);
    const { ino, size, mtime, ctime } = Deno.lstatSync(join(folder, path));
    return [`${path} ${ino} ${size} ${mtime?.getTime()} ${ctime?.getTime()}`];
  }).sort();
}

const codes = ({ json }: Ran) =>
  json.filter(({ event }) => event === "warning").map(({ code }) => code);

Deno.test("a mirror is made, left as it is, brought up to date and mended, and tells", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  let link: string;
  {
    await using shared = await scene.share();
    link = shared.link;
    const first = await scene.mirror(shared);
    assert.equal(first.code, 0, first.stderr);
    assertSameTree(digestTree(scene.copy), digestTree(scene.dir));
    const { report } = first;
    assert.deepEqual(
      [report.link, report.dir, report.versionBefore, report.version, report.files, report.bytes],
      [shared.link, scene.copy, undefined, 4, 4, 270_007],
    );
    assert.deepEqual([report.changed.added, report.changed.list[1]], [
      4,
      { type: "added", path: "/b/c" },
    ]);
    assert.ok(report.downloadedBytes >= 270_007);
    assert.deepEqual([report.peers, report.attempts, report.verifiedBlocks], [1, 1, 5 + 7]);
    const { event, time: _time, ...told } = first.json.at(-1)!;
    assert.equal(event, "mirrored");
    assert.deepEqual({ ...told, exitCode: 0, time: report.time }, report);

    const before = traces(scene.copy);
    const idle = await scene.mirror(shared);
    assert.deepEqual(traces(scene.copy), before, "nothing was written");
    assert.equal(idle.code, 0);
    assert.deepEqual(
      [idle.report.versionBefore, idle.report.version, idle.report.downloadedBytes],
      [4, 4, 0],
    );
    assert.deepEqual(idle.report.changed, { added: 0, changed: 0, deleted: 0, list: [] });

    scene.damage("a", 70_000);
    const mended = await scene.mirror(shared);
    assert.equal(mended.code, 0, mended.stderr);
    assertSameTree(digestTree(scene.copy), digestTree(scene.dir));
    assert.deepEqual([mended.report.repaired, mended.report.repairedFiles], [1, ["/a"]]);
    assert.equal(mended.report.downloadedBytes, 65_536, "only what was damaged came again");
    assert.ok(codes(mended).includes("damaged"));
    assert.throws(() => Deno.lstatSync(join(scene.copy, ".dat/trove.kept")), Deno.errors.NotFound);
  }
  writeTree(scene.dir, [{ path: "a", size: 100 }, { path: "new", size: 10 }], "second");
  Deno.removeSync(join(scene.dir, "b/d"));
  await using shared = await scene.share();
  assert.equal(shared.link, link);
  const next = await scene.mirror(shared);
  assert.equal(next.code, 0, next.stderr);
  assertSameTree(digestTree(scene.copy), digestTree(scene.dir));
  assert.deepEqual([next.report.versionBefore, next.report.version], [4, 7]);
  assert.deepEqual(next.report.changed, {
    ...{ added: 1, changed: 1, deleted: 1 },
    list: [
      { type: "changed", path: "/a" },
      { type: "deleted", path: "/b/d" },
      { type: "added", path: "/new" },
    ],
  });
});

Deno.test("damaged hashes of a cached mirror are mended before it is brought up to date", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  {
    await using shared = await scene.share();
    assert.equal((await scene.mirror(shared)).code, 0);
  }
  writeTree(scene.dir, [{ path: "new", size: 10 }], "second");
  await using shared = await scene.share();
  for (const file of ["metadata.tree", "content.tree", "metadata.data"]) {
    const bytes = Deno.readFileSync(join(scene.copy, ".dat", file));
    bytes.fill(0xff, 32 + 40, 32 + 120);
    Deno.writeFileSync(join(scene.copy, ".dat", file), bytes);
  }
  const { code, stderr, report } = await scene.mirror(shared);
  assert.equal(code, 0, stderr);
  assertSameTree(digestTree(scene.copy), digestTree(scene.dir));
  assert.ok(report.repaired > 0);
  assert.equal((await runIn(scene.job(), "verify", scene.copy)).code, 0);
});

Deno.test("damage is no other history, and what is mended leaves local changes alone", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  await using shared = await scene.share();
  assert.equal((await scene.mirror(shared)).code, 0);
  for (const at of [32, 40, 72]) {
    scene.damage(".dat/metadata.tree", at);
    const { code, stderr, report } = await scene.mirror(shared);
    assert.equal(code, 0, stderr);
    assert.ok(report.repaired > 0, `byte ${at}`);
  }
  for (const file of ["metadata.tree", "metadata.data"]) {
    for (const size of [0, 33]) {
      Deno.truncateSync(join(scene.copy, ".dat", file), size);
      const { code, stderr, report } = await scene.mirror(shared);
      assert.equal(code, 0, `${file} cut off at ${size}: ${stderr}`);
      assert.ok(report.repaired > 0);
    }
  }
  Deno.writeTextFileSync(join(scene.copy, "b/c"), "mine");
  scene.damage(".dat/metadata.data", 3);
  scene.damage("b/d", 0);
  const { code, stderr, report } = await scene.mirror(shared, ["--keep-local"]);
  assert.deepEqual([code, report.kept], [0, 1], stderr);
  assert.equal(Deno.readTextFileSync(join(scene.copy, "b/c")), "mine");
  assert.deepEqual(
    Deno.readFileSync(join(scene.copy, "b/d")),
    Deno.readFileSync(join(scene.dir, "b/d")),
    "that one only rotted",
  );
});

Deno.test("what nobody can mend ends with 5, and the damaged file is not touched", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  {
    await using shared = await scene.share();
    assert.equal((await scene.mirror(shared)).code, 0);
  }
  Deno.removeSync(join(scene.dir, "a"));
  await using shared = await scene.share("--no-import");
  scene.damage("a", 5);
  const damaged = digestTree(scene.copy);
  const { code, report, json } = await scene.mirror(shared, ["--timeout", "3s"]);
  assert.deepEqual([code, report.error.code, json.at(-1)!.code], [
    5,
    ...["verification", "verification"],
  ]);
  assert.match(report.error.message, /"a" is damaged: 1 of its 4 blocks differs/);
  assertSameTree(digestTree(scene.copy), damaged);
  assert.equal(report.changed, undefined);
});

Deno.test("a mirror ends at the version that was asked for, or fails", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  await using shared = await scene.share();
  const { link } = shared;
  const at = (version: string, ...extra: string[]) =>
    scene.mirror({ ...shared, link: `${link}${version}`, address: shared.address }, extra);
  const contradiction = await at("+3", "--version", "4");
  assert.deepEqual([contradiction.code, contradiction.report.error.code], [2, "usage"]);
  assert.throws(() => Deno.lstatSync(scene.copy), Deno.errors.NotFound);

  const passed = await at("+3");
  assert.deepEqual([passed.code, passed.report.error.code], [9, "not-found"]);
  assert.match(passed.report.error.message, /version 3 .* newest one is 4/);
  const early = await at("", "--version", "5", "--timeout", "2s");
  assert.deepEqual([early.code, early.report.error.code], [4, "incomplete"]);
  assert.match(early.report.error.message, /newest one that peers have is 4/);
  assert.deepEqual([...digestTree(scene.copy).keys()], [], "no content was fetched");

  const exact = await at("+4", "--version", "4");
  assert.deepEqual([exact.code, exact.report.version], [0, 4], exact.stderr);
  assertSameTree(digestTree(scene.copy), digestTree(scene.dir));
  assert.equal((await at("+3", "--timeout", "2s")).code, 9, "known without asking anybody");
});

Deno.test("a run waits for the version that it was told to end at", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  let address: string;
  {
    await using shared = await scene.share();
    address = shared.address;
  }
  const { port } = new URL(`tcp://${address}`);
  await using shared = await scene.share("--port", port);
  const world = scene.job();
  const running = scene.mirror(shared, ["--version", "5"], world);
  await world.stdout.event("peer");
  await shared[Symbol.asyncDispose]();
  writeTree(scene.dir, [{ path: "new", size: 10 }], "second");
  await using _again = await scene.share("--port", port);
  const { code, report } = await running;
  assert.deepEqual([code, report.version], [0, 5], world.stderr.text);
  assertSameTree(digestTree(scene.copy), digestTree(scene.dir));
});

Deno.test("nobody there is 3 at the deadline, and a folder of another archive is refused", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const nobody = { link: `dat://${"a".repeat(64)}`, address: "127.0.0.1:1" };
  const startedAt = performance.now();
  const lonely = await scene.mirror(nobody, ["--timeout", "1s"]);
  assert.deepEqual([lonely.code, lonely.report.error.code], [3, "no-peers"]);
  assert.equal(lonely.report.link, nobody.link);
  assert.ok(performance.now() - startedAt < 4000, "the deadline covers everything");
  await using shared = await scene.share();
  assert.equal((await scene.mirror(shared)).code, 0);
  const before = digestTree(scene.copy);
  const other = await scene.mirror(nobody, ["--timeout", "1s"]);
  assert.deepEqual([other.code, other.report.error.code], [2, "usage"]);
  assertSameTree(digestTree(scene.copy), before);
  const late = await scene.mirror({ ...shared, link: shared.link, address: "127.0.0.1:1" }, [
    ...["--timeout", "1s"],
  ]);
  assert.deepEqual([late.code, late.report.versionBefore, late.report.peers], [3, 4, 0]);
});

Deno.test("another signed history ends with 8 and changes nothing", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  {
    await using _shared = await scene.share();
  }
  const fork = temp.join("fork");
  copyTree(scene.dir, fork);
  copyTree(temp.join("home"), temp.join("home of fork"));
  writeTree(scene.dir, [{ path: "ours", size: 100 }], "ours");
  writeTree(fork, [{ path: "theirs", size: 100 }, { path: "more", size: 100 }], "theirs");
  {
    await using shared = await scene.share();
    assert.equal((await scene.mirror(shared)).code, 0);
  }
  const before = traces(scene.copy);
  await using forked = await shareIn(new TestWorld(temp, { home: "home of fork" }), fork);
  const { code, report } = await scene.mirror(forked);
  assert.deepEqual([code, report.error.code], [8, "fork"]);
  assert.deepEqual(traces(scene.copy), before);
});

Deno.test("a run that lost every peer is begun again while there is time", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  await using shared = await scene.share();
  const { hostname, port } = new URL(`tcp://${shared.address}`);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${listener.addr.port}`;
  const passed: Promise<unknown>[] = [];
  const serving = (async () => {
    let isFirst = true;
    for await (const conn of listener) {
      if (isFirst) {
        isFirst = false;
        // Nothing that a peer would say: its address is not dialled again.
        passed.push(conn.write(new Uint8Array(4096).fill(0xff)).finally(() => conn.close()));
        continue;
      }
      const target = await Deno.connect({ hostname, port: Number(port) });
      passed.push(conn.readable.pipeTo(target.writable).catch(() => {}));
      passed.push(target.readable.pipeTo(conn.writable).catch(() => {}));
    }
  })();
  const { code, report, json } = await scene.mirror({ link: shared.link, address });
  listener.close();
  await Promise.all([serving, ...passed]);
  assert.equal(code, 0, JSON.stringify(json.at(-1)));
  assert.equal(report.attempts, 2);
  assert.ok(json.some(({ event, code }) => event === "warning" && code === "retry"));
  assertSameTree(digestTree(scene.copy), digestTree(scene.dir));
});

Deno.test("SIGTERM in a pause ends a run at once, with its report", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const refusing = (async () => {
    for await (const conn of listener) {
      await conn.write(new Uint8Array(4096).fill(0xff));
      conn.close();
    }
  })();
  const world = scene.job();
  const link = `dat://${"a".repeat(64)}`;
  const address = `127.0.0.1:${listener.addr.port}`;
  const running = scene.mirror({ link, address }, [], world);
  await world.stdout.waitFor(({ text }) => text.includes('"code":"retry"') || undefined);
  world.raise("SIGTERM");
  const { code, report } = await running;
  assert.deepEqual([code, report.error.code], [143, "interrupted"]);
  listener.close();
  await refusing;
});

Deno.test("--dry-run tells what would change and leaves everything as it is", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  await using shared = await scene.share();
  const { code, report, json } = await scene.mirror(shared, ["--dry-run"]);
  assert.equal(code, 0);
  assert.throws(() => Deno.lstatSync(scene.copy), Deno.errors.NotFound);
  assert.equal(json.filter(({ event }) => event === "change").length, 4);
  assert.equal(json.some(({ event }) => event === "mirrored"), false);
  assert.deepEqual([report.dryRun, report.planned.added, report.changed], [true, 4, undefined]);
});

Deno.test("a selection is mirrored, and a local change is put back or left", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  await using shared = await scene.share();
  const some = await scene.mirror(shared, ["--select", "b"]);
  assert.deepEqual([some.code, some.report.files], [0, 2], some.stderr);
  assert.deepEqual([...digestTree(scene.copy).keys()], ["b/c", "b/d"]);
  Deno.writeTextFileSync(join(scene.copy, "b/c"), "mine");
  const kept = await scene.mirror(shared, ["--keep-local"]);
  assert.deepEqual([kept.code, kept.report.kept], [0, 1]);
  assert.equal(Deno.readTextFileSync(join(scene.copy, "b/c")), "mine");
  const back = await scene.mirror(shared);
  assert.deepEqual([back.code, back.report.changed.list], [0, [{ type: "changed", path: "/b/c" }]]);
});

Deno.test("GitHub Actions gets outputs and a page, and no name in them can be taken for more", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  const names = ["x\nversion=9", "<b>&bold</b>", "```", "</pre><script>", "| a | b |"];
  names.forEach((path) =>
    Deno.writeTextFileSync(join(scene.dir, path.replaceAll("/", "\u2215")), "x")
  );
  await using shared = await scene.share();
  const [outputs, page] = [temp.join("outputs"), temp.join("page.md")];
  Deno.writeTextFileSync(outputs, "before=1\n");
  const world = scene.job({ GITHUB_OUTPUT: outputs, GITHUB_STEP_SUMMARY: page });
  assert.equal((await scene.mirror(shared, [], world)).code, 0, world.stderr.text);
  const text = Deno.readTextFileSync(outputs);
  const values = Object.fromEntries(
    [...text.matchAll(/^([a-z-]+)<<(end-[0-9a-f]{32})\n([^\n]*)\n\2$/gm)]
      .map(([, name, , value]) => [name, value]),
  );
  assert.deepEqual(Object.keys(values), [
    ...["link", "version", "files", "bytes", "changed", "changed-files"],
  ]);
  assert.deepEqual([values.link, values.version, values.changed], [shared.link, "9", "true"]);
  assert.equal(text.trimEnd().split("\n").length, 1 + 6 * 3, "and not a line more");
  assert.ok(JSON.parse(values["changed-files"]).includes("x\nversion=9"));
  const shown = Deno.readTextFileSync(page);
  assert.match(shown, /^\+ x\\u000aversion=9$/m);
  assert.match(shown, /^<pre>\+ &#60;b&#62;&#38;bold&#60;\u2215b&#62;$/m);
  assert.equal(shown.match(/<\/?pre>/g)?.length, 2);
  const failed = scene.job({ GITHUB_OUTPUT: outputs, GITHUB_STEP_SUMMARY: page });
  await scene.mirror({ ...shared, link: shared.link, address: "127.0.0.1:1" }, [
    ...["--timeout", "1s"],
  ], failed);
  assert.equal(Deno.readTextFileSync(outputs), text, "no outputs of a run that failed");
  assert.match(Deno.readTextFileSync(page).slice(shown.length), /Exit code 3 \(no-peers\)/);
});

Deno.test("people get a table, and a report that cannot be written is a failure", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  await using shared = await scene.share();
  const args = ["mirror", shared.link, scene.copy, "--peer", shared.address, "--timeout", "20s"];
  const { code, stdout } = await runIn(scene.job(), ...args);
  assert.equal(code, 0);
  const lines = stdout.trimEnd().split("\n");
  assert.deepEqual(lines.slice(0, 4), [
    `Link            ${shared.link}`,
    "Version         4",
    "Files           4 (270 kB)",
    "Changed         4 added, 0 changed, 0 deleted",
  ]);
  const unwritable = await runIn(scene.job(), ...args, "--report", join(scene.dir, "a/report"));
  assert.equal(unwritable.code, 6);
  assert.match(unwritable.stderr, /Cannot write/);
});

Deno.test("with --history the content of every version is mirrored, too", async () => {
  using temp = tempFolder();
  const scene = new Scene(temp);
  {
    await using _made = await scene.share("--history");
  }
  writeTree(scene.dir, [{ path: "a", size: 100 }], "second");
  await using shared = await scene.share();
  const { code, report, stderr } = await scene.mirror(shared, ["--history"]);
  assert.deepEqual([code, report.missingBlocks], [0, undefined], stderr);
  assertSameTree(digestTree(scene.copy), digestTree(scene.dir));
  assert.equal(report.verifiedBlocks, 6 + 8, "the old content as well");
  const before = traces(scene.copy);
  assert.equal((await scene.mirror(shared)).code, 0);
  assert.deepEqual(traces(scene.copy), before);
});
