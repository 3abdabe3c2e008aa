/** Following a folder: what is looked at when, and what becomes of imports that fail. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { StorageError } from "../../src/base/errors.ts";
import type { TroveEvent } from "../../src/app/events.ts";
import { LiveImport } from "../../src/app/live_import.ts";
import { type Archive, createArchive } from "../../src/app/open_archive.ts";
import { WATCH_LIMITS } from "../../src/io/folder_watch.ts";
import { liveFiles, put } from "../support/importing.ts";
import { tempFolder } from "../support/temp.ts";
import { TestTimers, TestWatcher } from "../support/test_watcher.ts";
import { TestWorld } from "../support/test_world.ts";

/** A folder that is followed, with changes that are heard of only where the test says them. */
class Followed implements AsyncDisposable {
  readonly #temp = tempFolder();
  readonly world = new TestWorld(this.#temp, { running: true });
  readonly dir = this.#temp.folder("folder");
  readonly timers = new TestTimers();
  readonly events: TroveEvent[] = [];
  readonly archive: Archive;
  readonly live: LiveImport;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  watcher!: TestWatcher;
  commits = 0;
  onEvent: (event: TroveEvent) => void = () => {};
  /** Settled by the next event. */
  #next = Promise.withResolvers<void>();

  constructor(options: { withoutWatcher?: boolean; history?: boolean } = {}) {
    this.archive = createArchive(this.dir, this.world, options);
    this.live = new LiveImport(this.archive, {
      world: this.world,
      emit: (event) => {
        this.events.push(event);
        this.onEvent(event);
        this.#next.resolve();
        this.#next = Promise.withResolvers();
      },
      onCommit: () => void this.commits++,
      watching: {
        timers: this.timers,
        open: () => {
          if (options.withoutWatcher) throw new Error("none to be had");
          return this.watcher = new TestWatcher();
        },
      },
    });
    this.#running = this.live.run(this.#ended.signal);
  }

  /** Say that these names changed, and let the burst settle. */
  async changed(...paths: string[]): Promise<void> {
    await this.watcher.say("modify", ...paths.map((path) => join(this.dir, path)));
    this.timers.pass(WATCH_LIMITS.quietMs);
  }

  /** The first event of a kind from the `from`th on. */
  async event<K extends TroveEvent["event"]>(
    kind: K,
    from: number,
  ): Promise<TroveEvent & { event: K }> {
    for (;;) {
      const found = this.events.slice(from).find(({ event }) => event === kind);
      if (found !== undefined) return found as TroveEvent & { event: K };
      await this.#next.promise;
    }
  }

  /** Let something happen, and give the event that it leads to. */
  async expect<K extends TroveEvent["event"]>(
    kind: K,
    cause: () => Promise<void> | void,
  ): Promise<TroveEvent & { event: K }> {
    const from = this.events.length;
    await cause();
    return await this.event(kind, from);
  }

  /** Let it end, and wait until it has. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  get warnings(): string[] {
    return this.events.flatMap((event) => event.event === "warning" ? [event.code] : []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.live[Symbol.asyncDispose]();
    this.archive[Symbol.dispose]();
    this.#temp[Symbol.dispose]();
  }
}

Deno.test("what changes is imported, in an archive that was empty at first", async () => {
  await using followed = new Followed();
  const { dir, archive } = followed;
  put(dir, "a", "one");
  put(dir, "b/c", "two");
  const first = await followed.expect("imported", () => followed.changed("a", "b"));
  assert.deepEqual([first.put, first.deleted, first.version], [2, 0, 2]);
  Deno.renameSync(join(dir, "b"), join(dir, "d"));
  Deno.writeTextFileSync(join(dir, "a"), "another");
  const second = await followed.expect("imported", () => followed.changed("a", "b", "d"));
  assert.deepEqual([second.put, second.deleted, second.version], [2, 1, 5]);
  assert.deepEqual(liveFiles(archive), { "/a": 7, "/d/c": 3 });
  assert.equal(followed.commits, 2);
});

Deno.test("a change that was not heard of is found by the next look at everything", async () => {
  await using followed = new Followed();
  const { dir, archive, timers } = followed;
  put(dir, "lost/news", "x");
  put(dir, "heard", "x");
  await followed.expect("imported", () => followed.changed("heard"));
  assert.deepEqual(liveFiles(archive), { "/heard": 1 }, "only what is named is looked at");
  await followed.expect("imported", () => timers.pass(WATCH_LIMITS.rescanMs));
  assert.deepEqual(liveFiles(archive), { "/heard": 1, "/lost/news": 1 });
});

Deno.test("where there is no watcher, looking does it", async () => {
  await using followed = new Followed({ withoutWatcher: true });
  put(followed.dir, "a", "x");
  await followed.expect("imported", () => followed.timers.pass(WATCH_LIMITS.unwatchedMs));
  assert.deepEqual(liveFiles(followed.archive), { "/a": 1 });
  assert.deepEqual(followed.warnings, ["not-watched"]);
});

Deno.test("a look that finds nothing says nothing, and warnings are given once", async () => {
  await using followed = new Followed();
  const { dir, timers } = followed;
  put(dir, "bad\\name", "x");
  await followed.expect("warning", () => timers.pass(WATCH_LIMITS.rescanMs));
  put(dir, "good", "x");
  const from = followed.events.length;
  for (let look = 0; look < 3; look++) {
    await followed.changed("bad\\name");
    timers.pass(WATCH_LIMITS.rescanMs);
  }
  await followed.event("imported", from);
  assert.deepEqual(followed.warnings, ["skipped"]);
  assert.equal(followed.events.filter(({ event }) => event === "imported").length, 1);
});

Deno.test("other rules of what is left out mean a look at everything", async () => {
  await using followed = new Followed();
  const { dir, archive } = followed;
  put(dir, ".datignore", "*.tmp\n");
  put(dir, "a.tmp", "x");
  put(dir, "b", "x");
  await followed.expect("imported", () => followed.changed("a.tmp", "b"));
  assert.deepEqual(liveFiles(archive), { "/b": 1 });
  Deno.removeSync(join(dir, ".datignore"));
  await followed.expect("imported", () => followed.changed(".datignore"));
  assert.deepEqual(liveFiles(archive), { "/a.tmp": 1, "/b": 1 });
});

Deno.test("what is seen through a link changes with what it leads to", async () => {
  await using followed = new Followed();
  const { dir, archive } = followed;
  put(dir, "real/file", "x");
  Deno.symlinkSync("real", join(dir, "link"));
  Deno.symlinkSync("real/file", join(dir, "name"));
  await followed.expect("imported", () => followed.changed("real", "link", "name"));
  put(dir, "real/file", "longer");
  await followed.expect("imported", () => followed.changed("real/file"));
  assert.deepEqual(liveFiles(archive), { "/link/file": 6, "/name": 6, "/real/file": 6 });
});

Deno.test("a failure is told once and tried again, and what it left is brought to disk", async () => {
  await using followed = new Followed();
  const { dir, archive, timers } = followed;
  const { metadata } = archive;
  put(dir, "a", "x");
  const commit = metadata.commit;
  const tries = [1, 2, 3].map(() => Promise.withResolvers<void>());
  let tried = 0;
  metadata.commit = () => {
    tries[tried++].resolve();
    throw new StorageError("Cannot write metadata: the disk is full");
  };
  await followed.expect("warning", () => followed.changed("a"));
  put(dir, "b", "x");
  await followed.changed("b");
  await tries[1].promise;
  timers.pass(WATCH_LIMITS.unwatchedMs);
  await tries[2].promise;
  assert.equal(followed.commits, 0, "what is not on disk is not published");
  metadata.commit = commit;
  const imported = await followed.expect(
    "imported",
    () => timers.pass(WATCH_LIMITS.unwatchedMs),
  );
  assert.deepEqual([imported.put, imported.bytes, imported.version], [2, 2, 2]);
  assert.deepEqual(liveFiles(archive), { "/a": 1, "/b": 1 });
  assert.deepEqual(followed.warnings, ["storage"]);
  assert.ok(followed.commits >= 1);
});

Deno.test("a folder that goes away takes nothing out of the archive, and comes back", async () => {
  await using followed = new Followed();
  const { dir, archive, timers } = followed;
  put(dir, "a", "x");
  await followed.expect("imported", () => followed.changed("a"));
  Deno.renameSync(dir, `${dir} elsewhere`);
  assert.equal((await followed.expect("warning", () => followed.changed("a"))).code, "folder-gone");
  Deno.mkdirSync(join(dir, ".dat"), { recursive: true });
  put(dir, "stranger", "x");
  const replaced = await followed.expect("warning", () => timers.pass(WATCH_LIMITS.unwatchedMs));
  assert.equal(replaced.code, "folder-replaced");
  assert.deepEqual(liveFiles(archive), { "/a": 1 });

  Deno.removeSync(dir, { recursive: true });
  Deno.renameSync(`${dir} elsewhere`, dir);
  put(dir, "b", "x");
  const from = followed.events.length;
  timers.pass(WATCH_LIMITS.unwatchedMs);
  await followed.event("warning", from);
  timers.pass(WATCH_LIMITS.quietMs);
  await followed.event("imported", from);
  assert.deepEqual(liveFiles(archive), { "/a": 1, "/b": 1 });
  assert.deepEqual(followed.warnings, ["folder-gone", "folder-replaced", "folder-back"]);
});

Deno.test("an import that is stopped in its middle keeps what it did", async () => {
  const stopped = Promise.withResolvers<void>();
  await using followed = new Followed();
  const { dir, archive, world } = followed;
  for (let n = 0; n < 50; n++) put(dir, `file-${n}`, 100_000);
  let ms = 0;
  world.clock.monotonic = () => ms += 100;
  followed.onEvent = (event) => {
    if (event.event === "importing" && event.files >= 7) {
      followed.stop().then(stopped.resolve, stopped.reject);
    }
  };
  await followed.changed(...Array.from({ length: 50 }, (_, n) => `file-${n}`));
  await stopped.promise;
  assert.ok(archive.version >= 7 && archive.version < 50, `version ${archive.version}`);
  assert.equal(Object.keys(liveFiles(archive)).length, archive.version);
  assert.deepEqual(followed.warnings, []);
});
