/** `trove share` that follows its folder, in this process. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openArchive } from "../../src/app/open_archive.ts";
import { shareArchive } from "../../src/app/share_folder.ts";
import { listenForPeers } from "../../src/io/net.ts";
import { liveFiles, put } from "../support/importing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { type JsonLine, runIn, TestWorld } from "../support/test_world.ts";
import { assertSameTree, digestTree } from "../support/trees.ts";

const WHERE = ["--host", "127.0.0.1", "--port", "0"];

/** A share that runs until it is told to stop. */
class Sharing implements AsyncDisposable {
  readonly world: TestWorld;
  readonly code: Promise<number>;

  constructor(temp: TempFolder, dir: string, ...extra: readonly string[]) {
    this.world = new TestWorld(temp, { running: true });
    this.code = this.world.run("share", dir, ...WHERE, "--json", ...extra);
  }

  /** The first line that fits. */
  line(matches: (line: JsonLine) => boolean): Promise<JsonLine> {
    return this.world.stdout.waitFor(({ text }) =>
      text.split("\n").slice(0, -1).map((line): JsonLine => JSON.parse(line)).find(matches)
    );
  }

  /** Told of an import that came to this version. */
  version(version: number): Promise<JsonLine> {
    return this.line((line) => line.event === "imported" && line.version >= version);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.world.raise("SIGINT");
    assert.equal(await this.code, 0, this.world.stderr.text);
    assert.ok(!this.world.listens);
  }
}

Deno.test("an empty folder that is shared gets files, and clones have them", async () => {
  using temp = tempFolder();
  const dir = temp.folder("folder");
  await using sharing = new Sharing(temp, dir);
  const { link } = await sharing.line(({ event }) => event === "archive");
  const { port } = await sharing.line(({ event }) => event === "listening");
  const clone = async (version: number) => {
    const world = new TestWorld(temp, { home: `cloner ${version}`, running: true });
    const copy = temp.join(`copy ${version}`);
    const args = ["clone", link, copy, "--peer", `127.0.0.1:${port}`, "--json"];
    const { code, json, stderr } = await runIn(world, ...args);
    assert.equal(code, 0, stderr);
    assert.equal(json.at(-1)!.version, version);
    assertSameTree(digestTree(copy), digestTree(dir));
  };
  put(dir, "a", 100_000);
  put(dir, "b/c", 10);
  await sharing.version(2);
  await clone(2);
  Deno.removeSync(join(dir, "a"));
  Deno.renameSync(join(dir, "b"), join(dir, "d"));
  await sharing.version(5);
  await clone(5);
});

Deno.test("--no-watch and --no-import watch nothing, and it is no failure if nothing can be", async () => {
  const watchFs = Deno.watchFs;
  using restore = new DisposableStack();
  restore.defer(() => void (Deno.watchFs = watchFs));
  Deno.watchFs = () => {
    throw new Error("there is no watcher");
  };
  for (const option of ["--no-watch", "--no-import", "--ignore-hidden"]) {
    using temp = tempFolder();
    const world = new TestWorld(temp, { running: true });
    const args = ["share", temp.folder("folder"), ...WHERE, "--timeout", "1ms", "--json", option];
    const { code, json } = await runIn(world, ...args);
    assert.equal(code, 0);
    const warnings = json.filter(({ event }) => event === "warning").map(({ code }) => code);
    assert.deepEqual(warnings, option === "--ignore-hidden" ? ["not-watched"] : []);
  }
});

Deno.test("a share that is stopped in the middle of an import keeps what it has, with code 0", async () => {
  using temp = tempFolder();
  const dir = temp.folder("folder");
  const world = new TestWorld(temp, { running: true });
  world.stderr.isTerminal = true;
  // Progress is told after half a second by this clock, in which a fast machine imports everything.
  world.clock.monotonic = () => 50 * performance.now();
  const code = world.run("share", dir, ...WHERE);
  await world.stderr.waitFor(({ text }) => /are followed/.test(text) || undefined);
  // Made elsewhere, and moved there as a whole.
  const made = temp.folder("made");
  for (let n = 0; n < 100; n++) put(made, `file-${String(n).padStart(2, "0")}`, 500_000);
  Deno.renameSync(made, join(dir, "made"));
  await world.stderr.waitFor(({ text }) => /\d+ files?, \d/.test(text) || undefined);
  world.raise("SIGINT");
  assert.equal(await code, 0, world.stderr.text);
  const { json } = await runIn(new TestWorld(temp, { running: true }), "verify", dir, "--json");
  assert.ok(json.length > 0 && json.every(({ bad }) => bad === undefined || bad.length === 0));
});

Deno.test("an open archive is shared without signals until its time is over", async () => {
  using temp = tempFolder();
  const dir = temp.folder("folder");
  const world = new TestWorld(temp);
  await runIn(world, "create", dir);
  put(dir, "first", 10);
  using archive = openArchive(dir, { world, access: "write" });
  const imported: number[] = [];
  using listener = await listenForPeers({ host: "127.0.0.1", port: 0, exact: false });
  await shareArchive(archive, listener, {
    ...{ world, peers: [], timeoutMs: 1000 },
    emit: (event) => {
      if (event.event === "listening") put(dir, "second", 10);
      if (event.event !== "imported") return;
      imported.push(event.version);
      if (event.version === 2) world.clock.monotonicMs! += 1000;
    },
  });
  assert.deepEqual(imported, [1, 2]);
  assert.deepEqual(Object.keys(liveFiles(archive)), ["/first", "/second"]);
});
