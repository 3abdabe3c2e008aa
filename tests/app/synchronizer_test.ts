/** The loop itself: feeds over loopback sockets, and the ways in which it ends. */
import assert from "node:assert/strict";
import { InterruptedError, StorageError } from "../../src/base/errors.ts";
import type { StopSignal } from "../../src/base/world.ts";
import { type Director, Synchronizer } from "../../src/app/synchronizer.ts";
import { loopbackListener } from "../support/connections.ts";
import { answerFor } from "../support/core_driver.ts";
import type { Report } from "../../src/core/sync/inputs.ts";
import type { Message } from "../../src/core/wire/messages.ts";
import { Session } from "../../src/core/wire/session.ts";
import { Channel } from "../../src/csp/channel.ts";
import type { FeedStore } from "../../src/io/feed_store.ts";
import { MemoryDisk } from "../support/memory_access.ts";
import { MemoryFeed } from "../support/memory_feed.ts";
import { openOn, openOwn, TEST_KEYS } from "../support/open_feed.ts";
import { Random } from "../support/random.ts";
import { tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const FEED = 0;

/** Keeps what it is told, and wakes whoever waits for it. */
class Listening implements Director {
  readonly reports: Report[] = [];
  onEach: (report: Report, sync: Synchronizer) => void = () => {};
  #watchers = new Set<() => void>();

  onReport(report: Report, sync: Synchronizer): void {
    this.reports.push(report);
    this.onEach(report, sync);
    for (const watcher of [...this.#watchers]) watcher();
  }

  async until(done: (reports: readonly Report[]) => boolean): Promise<void> {
    while (!done(this.reports)) {
      await new Promise<void>((resolve) => {
        const watcher = () => {
          this.#watchers.delete(watcher);
          resolve();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  count(kind: Report["kind"]): number {
    return this.reports.filter((report) => report.kind === kind).length;
  }
}

/** A synchronizer with one feed, listening on loopback, and its run. */
class Running implements AsyncDisposable {
  readonly director = new Listening();
  readonly signals = new Channel<StopSignal>(1);
  readonly sync: Synchronizer;
  readonly store: FeedStore;
  readonly address: string;
  readonly port: number;
  readonly #temp = tempFolder();
  #run: Promise<void> | undefined;

  constructor(name: string, store: FeedStore, options: { live?: boolean } = {}) {
    const world = new TestWorld(this.#temp, { seed: name, running: true });
    const listener = loopbackListener();
    this.port = listener.addr.port;
    this.address = `127.0.0.1:${this.port}`;
    this.store = store;
    const { director, signals } = this;
    const { live = true } = options;
    this.sync = new Synchronizer({ world, director, live, persistent: true, listener, signals });
    this.sync.join(FEED, store, FEED);
  }

  get run(): Promise<void> {
    return this.#run ??= this.sync.run();
  }

  start(): this {
    this.run.catch(() => {}); // looked at when it is awaited
    return this;
  }

  follow(...others: readonly Running[]): this {
    this.sync.input({ kind: "follow", feed: FEED });
    for (const { address } of others) this.sync.input({ kind: "found", address, primary: FEED });
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.sync.stop();
    await this.run.catch(() => {});
    this.store.close();
    this.#temp[Symbol.dispose]();
  }
}

/** A feed of our own with blocks as they come in archives. */
function filled(blocks: number, bytes = 64 * 1024): { store: FeedStore; values: Uint8Array[] } {
  const store = openOwn(new MemoryDisk());
  const random = new Random(`values ${blocks} ${bytes}`);
  const values = Array.from({ length: blocks }, () => random.bytes(bytes).slice());
  for (let at = 0; at < blocks; at += 50) store.append(values.slice(at, at + 50));
  store.commit();
  return { store, values };
}

function assertHolds(store: FeedStore, values: readonly Uint8Array[]): void {
  for (const [block, value] of values.entries()) {
    assertSameBytes(store.readBlock(block), value, `block ${block}`);
  }
}

/** A remote that says just what a test wants. */
class Scripted implements Disposable {
  readonly session = new Session({ nonce: new Uint8Array(24).fill(5) });
  readonly #waiting: Message[] = [];

  constructor(readonly conn: Deno.TcpConn) {
    this.session.open(TEST_KEYS.publicKey);
  }

  static async dial({ port }: Running): Promise<Scripted> {
    return new Scripted(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async greet(store: FeedStore): Promise<void> {
    await this.say(
      { type: "feed", discoveryKey: store.discoveryKey },
      { type: "handshake", id: new Uint8Array(32), live: true, extensions: [], ack: false },
    );
  }

  /** All in one write. */
  async say(...messages: Message[]): Promise<void> {
    const bytes = this.session.encode(messages.map((message) => ({ channel: 0, message }))).slice();
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.conn.write(rest));
  }

  /** The next message of this type; others are passed over. */
  async next<T extends Message["type"]>(type: T): Promise<Extract<Message, { type: T }>> {
    for (;;) {
      for (let found = this.#waiting.shift(); found; found = this.#waiting.shift()) {
        if (found.type === type) return found as Extract<Message, { type: T }>;
      }
      const piece = new Uint8Array(256 * 1024);
      const count = await this.conn.read(piece);
      assert.ok(count !== null, "the connection is still there");
      const received = this.session.receive(piece.subarray(0, count));
      this.#waiting.push(...received.map(({ message }) => message));
    }
  }

  [Symbol.dispose](): void {
    this.conn.close();
  }
}

Deno.test("blocks go from one to the next to the next, each as it was, through buffers used again", async () => {
  const { store, values } = filled(150);
  await using first = new Running("first", store).start();
  await using second = new Running("second", openOn(new MemoryDisk())).start();
  await using third = new Running("third", openOn(new MemoryDisk())).start();
  second.follow(first);
  third.follow(second);
  await third.director.until((reports) =>
    reports.filter(({ kind }) => kind === "downloaded").length === 150
  );
  await second.director.until((reports) => reports.some(({ kind }) => kind === "complete"));
  for (const running of [second, third]) {
    assert.equal(running.director.count("downloaded"), 150);
    assert.equal(running.director.count("peer-failed"), 0);
  }
  third.sync.stop();
  await third.run;
  assertHolds(second.store, values);
  assertHolds(third.store, values);
});

Deno.test("a block that is asked for in the moment it comes is on disk before it is read", async () => {
  const store = openOn(new MemoryDisk());
  // Until it is, it lies in a buffer that is about to be used for other bytes.
  const unsafe = new Set<number>();
  const early: number[] = [];
  const { put, commit, readVerified } = store;
  store.put = (block) => {
    put.call(store, block);
    unsafe.add(block.block);
  };
  store.commit = () => {
    commit.call(store);
    unsafe.clear();
  };
  store.readVerified = (block) => {
    if (unsafe.has(block)) early.push(block);
    return readVerified.call(store, block);
  };
  await using running = new Running("moment", store).start().follow();
  const source = new MemoryFeed(TEST_KEYS.publicKey, TEST_KEYS.secretKey);
  const random = new Random("moment");
  const blocks = 16; // all of them are asked for before the first answer
  source.append(...Array.from({ length: blocks }, () => random.bytes(4000).slice()));
  using remote = await Scripted.dial(running);
  await remote.greet(store);
  await remote.next("want");
  await remote.say({ type: "have", start: 0, length: blocks, ack: false });
  const copy = new MemoryFeed(TEST_KEYS.publicKey);
  for (let block = 0; block < blocks; block++) {
    const request = { type: "request", index: block, bytes: 0, hash: false, nodes: 0 } as const;
    await remote.next("request");
    await remote.say(answerFor(source, copy, block), request);
  }
  for (let block = 0; block < blocks; block++) {
    const given = await remote.next("data");
    assertSameBytes(given.value, source.block(given.index));
  }
  assert.deepEqual(early, []);
});

Deno.test("a block that cannot be read is refused and told as damaged, and the rest is served", async () => {
  const { store, values } = filled(3);
  const read = store.readVerified.bind(store);
  store.readVerified = (block) => {
    if (block === 1) throw new StorageError("Cannot read");
    return read(block);
  };
  await using running = new Running("broken disk", store).start();
  using remote = await Scripted.dial(running);
  await remote.greet(store);
  for (const index of [1, 2]) {
    await remote.say({ type: "request", index, bytes: 0, hash: false, nodes: 0 });
  }
  assert.equal((await remote.next("unhave")).start, 1);
  const hashes = await remote.next("data");
  assert.deepEqual([hashes.index, hashes.value], [1, undefined]);
  assertSameBytes((await remote.next("data")).value, values[2]);
  assert.deepEqual(
    running.director.reports.filter(({ kind }) => kind === "damaged"),
    [{ kind: "damaged", feed: FEED, block: 1 }],
  );
});

Deno.test("run() returns at once when stop() came before it", async () => {
  await using running = new Running("early", openOn(new MemoryDisk()));
  running.sync.stop();
  await running.run;
});

Deno.test("run() throws the first failure that stop() was given", async () => {
  await using running = new Running("failing", openOn(new MemoryDisk())).start();
  const first = new Error("first");
  running.sync.stop(first);
  running.sync.stop(new Error("second"));
  running.sync.stop();
  await assert.rejects(running.run, first);
});

Deno.test("a signal ends the loop, with links of every kind open", async () => {
  const { store } = filled(3);
  await using running = new Running("signal", store).start();
  using open = await Scripted.dial(running);
  await open.greet(store);
  await open.next("handshake");
  using silent = await Scripted.dial(running);
  using half = await Scripted.dial(running);
  await half.conn.write(Uint8Array.of(0x3d));
  running.signals.trySend("SIGTERM");
  await assert.rejects(running.run, InterruptedError);
  assert.notEqual(silent, half);
});

Deno.test("strangers who keep coming do not keep the loop from ending", async () => {
  const { store } = filled(3);
  await using running = new Running("crowd", store).start();
  let ended = false;
  const coming = (async () => {
    const conns: Deno.Conn[] = [];
    while (!ended) {
      try {
        conns.push(await Deno.connect({ hostname: "127.0.0.1", port: running.port }));
      } catch {
        break; // nobody listens any more
      }
    }
    for (const conn of conns) conn.close();
  })();
  using open = await Scripted.dial(running);
  await open.greet(store);
  await open.next("handshake");
  running.sync.stop();
  await running.run;
  ended = true;
  await coming;
});

Deno.test("whoever hears the reports may throw, and run() throws that", async () => {
  const { store } = filled(3);
  await using running = new Running("thrower", store).start();
  running.director.onEach = (report) => {
    if (report.kind === "peer-opened") throw new RangeError("Cannot bear it");
  };
  using remote = await Scripted.dial(running);
  await remote.greet(store);
  await assert.rejects(running.run, RangeError);
});

Deno.test("whoever hears the reports may call back in the middle of things", async () => {
  const { store, values } = filled(20);
  await using sharer = new Running("sharer", store).start();
  await using cloner = new Running("cloner", openOn(new MemoryDisk()), { live: false }).start();
  cloner.director.onEach = (report, sync) => {
    if (report.kind === "peer-opened") sync.input({ kind: "want", feed: FEED, ranges: [] });
    if (report.kind === "complete") sync.stop();
  };
  cloner.follow(sharer);
  await cloner.run;
  assertHolds(cloner.store, values);
  await sharer.director.until((reports) => reports.some(({ kind }) => kind === "peer-closed"));
  assert.equal(sharer.director.count("peer-finished"), 1);
});

Deno.test("a disk that is full ends the loop with the reason, and no peer is blamed", async () => {
  const { store } = filled(20);
  await using sharer = new Running("sharer", store).start();
  const disk = new MemoryDisk();
  await using cloner = new Running("cloner", openOn(disk)).start();
  disk.failAfter(3);
  cloner.follow(sharer);
  await assert.rejects(cloner.run);
  assert.equal(cloner.director.count("peer-failed"), 0);
  disk.failAfter(Infinity);
});

Deno.test("files that fail cost their archive only, where its director takes the failure", async () => {
  const { store, values } = filled(20);
  await using sharer = new Running("sharer", store).start();
  const disk = new MemoryDisk();
  const failing = openOn(disk);
  await using cloner = new Running("cloner", failing).start();
  const failures: unknown[] = [];
  const left = Promise.withResolvers<void>();
  cloner.sync.direct(FEED, {
    onReport: (report, sync) => cloner.director.onReport(report, sync),
    onStorageFailure(error, sync) {
      failures.push(error);
      if (failures.length === 1) sync.leave(FEED, left.resolve);
    },
  });
  disk.failAfter(3);
  cloner.follow(sharer);
  await left.promise;
  assert.ok(failures.every((error) => error instanceof StorageError));
  disk.failAfter(Infinity);
  // The loop goes on: another copy of the archive can take part.
  using other = openOn(new MemoryDisk());
  const metadata = cloner.sync.newFeeds().content;
  cloner.sync.direct(metadata, cloner.director);
  cloner.sync.join(metadata, other, metadata);
  cloner.sync.input({ kind: "follow", feed: metadata });
  cloner.sync.input({ kind: "found", address: sharer.address, primary: metadata });
  await cloner.director.until((reports) => reports.some(({ kind }) => kind === "complete"));
  cloner.sync.stop();
  await cloner.run;
  assertHolds(other, values);
});

Deno.test("a peer that breaks the protocol costs nothing but its link", async () => {
  const { store, values } = filled(40);
  await using sharer = new Running("sharer", store).start();
  const bad = await Promise.all(Array.from({ length: 10 }, async (_, i) => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: sharer.port });
    await conn.write(new Random(`bad ${i}`).bytes(5000)).catch(() => {});
    return conn;
  }));
  await using cloner = new Running("cloner", openOn(new MemoryDisk())).start().follow(sharer);
  await cloner.director.until((reports) => reports.some(({ kind }) => kind === "complete"));
  assertHolds(cloner.store, values);
  for (const conn of bad) conn.close();
});
