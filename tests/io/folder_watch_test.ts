/** When a folder is to be looked at, and what of it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  type FolderChanges,
  FolderWatch,
  type FolderWatchOptions,
  WATCH_LIMITS,
} from "../../src/io/folder_watch.ts";
import { tempFolder } from "../support/temp.ts";
import { TestTimers, TestWatcher } from "../support/test_watcher.ts";

const { quietMs, longestMs, names, rescanMs, unwatchedMs, pauseFactor } = WATCH_LIMITS;
const DIR = "/some/folder";
const at = (path: string) => `${DIR}/${path}`;

class Watched implements AsyncDisposable {
  readonly timers = new TestTimers();
  readonly watchers: TestWatcher[] = [];
  readonly failures: unknown[] = [];
  readonly watch: FolderWatch;

  constructor(options: Partial<FolderWatchOptions> = {}) {
    this.watch = new FolderWatch(DIR, {
      timers: this.timers,
      open: () => {
        const watcher = new TestWatcher();
        this.watchers.push(watcher);
        return watcher;
      },
      onFailure: (reason) => this.failures.push(reason),
      ...options,
    });
  }

  get watcher(): TestWatcher {
    return this.watchers.at(-1)!;
  }

  /** What is to be looked at, if there are news. */
  take(): FolderChanges | undefined {
    return this.watch.news.tryReceive() === undefined ? undefined : this.watch.take();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watch[Symbol.asyncDispose]();
    assert.equal(this.timers.size, 0, "no timer is left");
    assert.ok(this.watchers.every(({ closed }) => closed), "no watcher is left");
  }
}

const some = (...paths: string[]) => ({ all: false, paths: new Set(paths) });

Deno.test("a burst of changes is told once, when nothing came for a while", async () => {
  await using watched = new Watched();
  const { timers, watcher } = watched;
  for (const path of ["a", "b/c", "a"]) {
    await watcher.say("modify", at(path));
    timers.pass(quietMs - 1);
  }
  assert.equal(watched.take(), undefined);
  timers.pass(1);
  assert.deepEqual(watched.take(), some("a", "b/c"));
  timers.pass(longestMs);
  assert.equal(watched.take(), undefined, "nothing is told twice");
  await watcher.say("rename", at("a"), at("d"));
  timers.pass(quietMs);
  assert.deepEqual(watched.take(), some("a", "d"));
});

Deno.test("a folder that never rests is told of all the same", async () => {
  await using watched = new Watched();
  const { timers, watcher } = watched;
  let toldAt: number | undefined;
  while (toldAt === undefined && timers.now() < 10 * longestMs) {
    await watcher.say("modify", at("log"));
    timers.pass(quietMs / 2);
    if (watched.take() !== undefined) toldAt = timers.now();
  }
  assert.equal(toldAt, longestMs);
});

Deno.test("what comes while somebody looks is told afterwards, and once", async () => {
  await using watched = new Watched();
  const { timers, watcher } = watched;
  for (const path of ["a", "b", "c"]) {
    await watcher.say("create", at(path));
    timers.pass(longestMs);
  }
  assert.deepEqual(watched.take(), some("a", "b", "c"));
  assert.equal(watched.take(), undefined);
});

Deno.test("changes in .dat and of ignored names are no news, but the end of .dat is", async () => {
  await using watched = new Watched({ ignores: (relative) => relative.startsWith("tmp") });
  const { timers, watcher } = watched;
  for (const path of [".dat", ".dat/content.tree", "tmp", "tmp/x"]) {
    await watcher.say("modify", at(path));
  }
  timers.pass(longestMs);
  assert.equal(watched.take(), undefined);
  await watcher.say("modify", at(".data"), at("tmp/y"));
  timers.pass(longestMs);
  assert.deepEqual(watched.take(), some(".data"));
  await watcher.say("remove", at(".dat"));
  timers.pass(longestMs);
  assert.equal(watched.take()?.all, true);
});

Deno.test("where it is not known what changed, everything is to be looked at", async () => {
  await using watched = new Watched();
  const { timers, watcher } = watched;
  const events = [
    { kind: "other", paths: [], flag: "rescan" },
    { kind: "modify", paths: [DIR] },
    { kind: "modify", paths: ["/elsewhere/x"] },
    { kind: "modify", paths: Array.from({ length: names + 1 }, (_, n) => at(`file-${n}`)) },
  ] as const;
  for (const event of events) {
    await watcher.sayEvent({ flag: undefined, ...event, paths: [...event.paths] } as never);
    timers.pass(quietMs);
    const changes = watched.take()!;
    assert.equal(changes.all, true, JSON.stringify(event).slice(0, 100));
    assert.ok(changes.paths.size <= names);
  }
  watched.watch.suspect();
  timers.pass(quietMs);
  assert.equal(watched.take()?.all, true);
});

Deno.test("what a watcher loses is found by looking now and then, less often where that is slow", async () => {
  await using watched = new Watched();
  const { timers, watch } = watched;
  timers.pass(rescanMs - 1);
  assert.equal(watched.take(), undefined);
  timers.pass(1);
  assert.equal(watched.take()?.all, true);
  timers.pass(10 * rescanMs);
  assert.equal(watched.take(), undefined, "not before somebody looked");
  const slow = 2 * rescanMs / pauseFactor;
  watch.looked(slow);
  timers.pass(2 * rescanMs - 1);
  assert.equal(watched.take(), undefined);
  timers.pass(1);
  assert.equal(watched.take()?.all, true);
  watch.failed(1);
  timers.pass(unwatchedMs);
  assert.equal(watched.take()?.all, true, "a failure is tried again soon");
});

Deno.test("a folder that cannot be watched is looked at every few seconds", async () => {
  const reason = new Error("no more watches");
  await using watched = new Watched({
    open: () => {
      throw reason;
    },
  });
  assert.deepEqual(watched.failures, [reason]);
  assert.equal(watched.watch.watching, false);
  for (let look = 0; look < 3; look++) {
    watched.timers.pass(unwatchedMs);
    assert.equal(watched.take()?.all, true);
    watched.watch.looked(1);
  }
});

Deno.test("a watcher that breaks is given up, and can be had anew", async () => {
  await using watched = new Watched();
  const { timers, watch } = watched;
  await watched.watcher.fail(new Error("the disk went away"));
  assert.equal(watched.failures.length, 1);
  assert.deepEqual([watch.watching, watched.watchers[0].closed], [false, true]);
  timers.pass(unwatchedMs);
  assert.equal(watched.take()?.all, true);
  watch.reopen();
  await watched.watcher.say("create", at("a"));
  timers.pass(quietMs);
  assert.deepEqual(watched.take(), some("a"));
  assert.equal(watched.watchers.length, 2);
});

Deno.test("a real folder: its changes are heard of, and nothing is left open", async () => {
  using temp = tempFolder();
  await using watch = new FolderWatch(temp.path, {
    onFailure: (reason) => assert.fail(String(reason)),
  });
  Deno.mkdirSync(temp.join("sub"));
  Deno.writeTextFileSync(temp.join("sub", "file"), "x");
  const seen = new Set<string>();
  while (!seen.has("sub")) {
    assert.deepEqual(await watch.news.receive(), { done: false, value: "look" });
    const { all, paths } = watch.take();
    for (const path of all ? ["sub"] : paths) seen.add(path);
  }
  await watch[Symbol.asyncDispose]();
  assert.deepEqual(await watch.news.receive(), { done: true });
  Deno.writeTextFileSync(join(temp.path, "later"), "x");
});
