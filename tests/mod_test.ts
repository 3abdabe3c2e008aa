/** trove as a library, in this process over loopback. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  type ArchiveEvent,
  clone,
  cloneFeed,
  InterruptedError,
  NoPeersError,
  NotFoundError,
  open,
  pull,
  share,
  type ShareOptions,
} from "../src/mod.ts";
import { toHex } from "../src/base/bytes.ts";
import { openOwnFeed } from "./support/bare_feed.ts";
import { type TempFolder, tempFolder } from "./support/temp.ts";
import { TestWorld } from "./support/test_world.ts";
import { assertSameTree, digestTree, writeTree } from "./support/trees.ts";

const FILES = [{ path: "a", size: 150_000 }, { path: "b/c", size: 20 }, { path: "empty", size: 0 }];

/** Keeps events, and resolves when one comes. */
class Events {
  readonly all: ArchiveEvent[] = [];
  #wake = () => {};

  readonly take = (event: ArchiveEvent) => {
    this.all.push(event);
    this.#wake();
  };

  of<K extends ArchiveEvent["event"]>(name: K): Extract<ArchiveEvent, { event: K }>[] {
    return this.all.filter((event) => event.event === name) as never;
  }

  async first<K extends ArchiveEvent["event"]>(
    name: K,
  ): Promise<Extract<ArchiveEvent, { event: K }>> {
    while (this.of(name).length === 0) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.of(name)[0];
  }
}

/** A folder that the library shares until the result is disposed. */
async function shareIn(dir: string, world: TestWorld, options: ShareOptions = {}) {
  const events = new Events();
  const stop = new AbortController();
  const listen = { host: "127.0.0.1", port: 0, exact: false };
  const onEvent = events.take;
  const sharing = share(dir, { world, listen, signal: stop.signal, onEvent, ...options });
  const { host, port } = await Promise.race([events.first("listening"), sharing as Promise<never>]);
  return {
    events,
    address: `${host}:${port}`,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await sharing;
    },
  };
}

const owner = (temp: TempFolder) => new TestWorld(temp, { running: true });
const cloner = (temp: TempFolder) => new TestWorld(temp, { home: "cloner", running: true });

Deno.test("share, clone, pull and open work without a command, and tell what they do", async () => {
  using temp = tempFolder();
  const [dir, copy] = [temp.folder("folder"), temp.join("copy")];
  writeTree(dir, FILES, "library");
  const worlds = [owner(temp), cloner(temp)];
  await using shared = await shareIn(dir, worlds[0], { watch: false });
  const [opened] = shared.events.of("opened");
  assert.deepEqual([opened.dir, opened.writable, opened.version], [dir, true, 0]);
  assert.deepEqual(shared.events.of("appended").map(({ version, put }) => [version, put]), [[
    3,
    3,
  ]]);

  const events = new Events();
  const { link } = shared.events.of("archive")[0];
  const options = { world: worlds[1], peers: [shared.address], timeoutMs: 20_000 };
  await clone(link, copy, { ...options, onEvent: events.take });
  assertSameTree(digestTree(copy), digestTree(dir));
  const steps = events.of("downloaded").map(({ feed, block }) => `${feed} ${block}`);
  const verified = events.of("verified").map(({ feed, block }) => `${feed} ${block}`);
  assert.deepEqual(verified, steps);
  const wanted = [0, 1, 2, 3].map((block) => [`metadata ${block}`, `content ${block}`]).flat();
  assert.deepEqual(steps.toSorted(), wanted.toSorted());
  assert.deepEqual(events.of("peer-added").map(({ address }) => address), [shared.address]);
  await shared.events.first("peer-removed");
  assert.equal(events.of("synced")[0].version, 3);
  for (const world of worlds) {
    assert.ok(!world.listens, "nobody listens to signals");
    assert.equal(world.stdout.text + world.stderr.text, "", "nothing is printed");
  }

  Deno.removeSync(join(copy, "b"), { recursive: true });
  await pull(join(copy), options);
  using archive = open(join(copy, "b"), options);
  assert.deepEqual([archive.link, archive.writable, archive.version], [link, false, 3]);
  assert.deepEqual([...archive.files()].map(({ path, size }) => [path, size]), [
    ...[["/a", 150_000], ["/b/c", 20], ["/empty", 0]],
  ]);
  const bytes = [...archive.read("b/c")].map(toHex).join("");
  assert.equal(bytes, toHex(Deno.readFileSync(join(dir, "b/c"))));
  assert.throws(() => [...archive.read("/b")], NotFoundError);
  assert.deepEqual([...archive.files({ path: "b", version: 1 })], []);
});

Deno.test("an AbortSignal ends a clone, also one that was aborted before, and leaves nothing", async () => {
  using temp = tempFolder();
  const world = cloner(temp);
  const link = `dat://${"a".repeat(64)}`;
  const stop = new AbortController();
  const nobody = { world, peers: ["127.0.0.1:1"], signal: stop.signal };
  const cloning = clone(link, temp.join("copy"), {
    ...nobody,
    onEvent: ({ event }) => event === "opened" && stop.abort(),
  });
  await assert.rejects(cloning, InterruptedError);
  await assert.rejects(clone(link, temp.join("copy"), nobody), InterruptedError);
  const late = { world, peers: nobody.peers, timeoutMs: 100 };
  await assert.rejects(clone(link, temp.join("copy"), late), NoPeersError);
  assert.throws(() => Deno.lstatSync(temp.join("copy")), Deno.errors.NotFound);
});

Deno.test("signals end it only where that was asked for", async () => {
  using temp = tempFolder();
  const world = owner(temp);
  const events = new Events();
  const dir = temp.folder("folder");
  const listen = { host: "127.0.0.1", port: 0, exact: false };
  const sharing = share(dir, { world, listen, signals: true, onEvent: events.take });
  await events.first("listening");
  assert.ok(world.listens);
  world.raise("SIGTERM");
  await sharing;
  assert.ok(!world.listens);
});

Deno.test("cloneFeed and share know a feed by itself", async () => {
  using temp = tempFolder();
  const from = temp.join("from");
  const key = (() => {
    using feed = openOwnFeed(from, "library");
    feed.append([1, 2, 3].map((byte) => new Uint8Array([byte])));
    return toHex(feed.publicKey);
  })();
  await using shared = await shareIn(from, owner(temp));
  const events = new Events();
  await cloneFeed(key, temp.join("copy"), {
    ...{ world: cloner(temp), peers: [shared.address], timeoutMs: 20_000 },
    onEvent: events.take,
  });
  assert.deepEqual(events.of("downloaded").map(({ feed }) => feed), ["feed", "feed", "feed"]);
  assert.equal(events.of("synced")[0].blocks, 3);
});
