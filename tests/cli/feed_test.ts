/** `clone --feed`, and what else works on a feed by itself, in this process over loopback. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { toHex } from "../../src/base/bytes.ts";
import { openOwnFeed, shareFeedIn } from "../support/bare_feed.ts";
import { Random } from "../support/random.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";

const cloner = (temp: TempFolder) => new TestWorld(temp, { home: "cloner", running: true });
const server = (temp: TempFolder, seed = "") => new TestWorld(temp, { seed, running: true });

/** A feed of so many blocks; gives its key. */
function makeFeed(dir: string, blocks: number, seed = "feed"): string {
  using feed = openOwnFeed(dir, seed);
  const random = new Random(`${seed} blocks`);
  feed.append(Array.from({ length: blocks }, () => random.bytes(random.below(2000))));
  return toHex(feed.publicKey);
}

const bytesOf = (dir: string, name: string) => toHex(Deno.readFileSync(join(dir, name)));
const namesIn = (dir: string) => [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
const FEED_FILES = ["bitfield", "data", "key", "signatures", "tree"];

Deno.test("clone --feed makes the folder of a hypercore, and follows the feed when run again", async () => {
  using temp = tempFolder();
  const [from, copy] = [temp.join("from"), temp.join("copy")];
  const key = makeFeed(from, 40);
  const world = cloner(temp);
  const clone = (address: string) =>
    runIn(world, ...[
      "clone",
      copy,
      "--feed",
      key,
      "--peer",
      address,
      "--timeout",
      "20s",
      "--json",
    ]);
  {
    await using shared = await shareFeedIn(server(temp), from);
    const { code, json } = await clone(shared.address);
    assert.equal(code, 0, world.stderr.text);
    assert.deepEqual([json[0].event, json[0].key, json[0].blocks], ["feed", key, 0]);
    assert.deepEqual([json.at(-1)!.event, json.at(-1)!.blocks], ["synced", 40]);
    assert.deepEqual(namesIn(copy), FEED_FILES);
    for (const name of FEED_FILES) assert.equal(bytesOf(copy, name), bytesOf(from, name), name);
    const again = await clone(shared.address);
    assert.deepEqual([again.code, again.json.at(-1)!.downloadedBytes], [0, 0]);
  }
  using feed = openOwnFeed(from, "feed");
  feed.append([new Uint8Array(10)]);
  feed.close();
  await using shared = await shareFeedIn(server(temp, "later"), from);
  const { code, json } = await clone(shared.address);
  assert.deepEqual([code, json.at(-1)!.blocks, json.at(-1)!.downloadedBytes], [0, 41, 10]);
  assert.equal(bytesOf(copy, "data"), bytesOf(from, "data"));
  assert.match((await runIn(world, "verify", copy)).stdout, /^feed +41 blocks .* good$/m);
  const [inspected] = (await runIn(world, "inspect", copy, "--json")).json;
  assert.deepEqual([inspected.feed, inspected.length, inspected.held], ["feed", 41, 41]);
});

Deno.test("a feed that nobody has all of is told at once, and goes on later", async () => {
  using temp = tempFolder();
  const [from, half, copy] = [temp.join("from"), temp.join("half"), temp.join("copy")];
  const key = makeFeed(from, 30);
  makeFeed(half, 30);
  {
    using feed = openOwnFeed(half, "feed");
    feed.clear({ start: 5, end: 9 });
  }
  const world = cloner(temp);
  const clone = async (dir: string) => {
    await using shared = await shareFeedIn(server(temp, dir), dir);
    return await runIn(
      world,
      ...["clone", copy, "--feed", `dat://${key}`, "--peer", shared.address, "--json"],
    );
  };
  const { code, json } = await clone(half);
  assert.equal(code, 4, world.stderr.text);
  assert.match(json.at(-1)!.message, /no peer has the missing 4 blocks of 30/);
  assert.equal((await runIn(world, "verify", copy)).code, 0, "what is here is right");
  const done = await clone(from);
  assert.equal(done.code, 0, world.stderr.text);
  assert.equal(bytesOf(copy, "data"), bytesOf(from, "data"));
});

Deno.test("clone --feed leaves what is not its own alone, and nothing behind", async () => {
  using temp = tempFolder();
  const [from, other, user] = [temp.join("from"), temp.join("other"), temp.folder("user")];
  const key = makeFeed(from, 3);
  makeFeed(other, 3, "another");
  const own = temp.join("own");
  makeFeed(own, 3);
  Deno.writeFileSync(join(own, "secret_key"), new Uint8Array(64));
  Deno.writeTextFileSync(join(user, "data"), "mine");
  Deno.writeTextFileSync(join(user, "notes"), "mine");
  await using shared = await shareFeedIn(server(temp), from);
  const world = cloner(temp);
  const peer = ["--peer", shared.address, "--timeout", "20s", "--json"];
  const refused: readonly (readonly [RegExp, readonly string[]])[] = [
    [/it is not empty/, [user, "--feed", key]],
    [/it holds another one/, [other, "--feed", key]],
    [/where it is written/, [own, "--feed", key]],
    [/two folders/, [temp.join("a"), temp.join("b"), "--feed", key]],
    [/--keep-local with --feed/, [temp.join("a"), "--feed", key, "--keep-local"]],
    [/--select with --feed/, [temp.join("a"), "--feed", key, "--select", "x"]],
    [/without a link/, []],
    [/dat link/, [temp.join("a"), "--feed", "abc"]],
  ];
  for (const [message, args] of refused) {
    const { code, json } = await runIn(world, "clone", ...args, ...peer);
    assert.deepEqual([code, json.at(-1)!.code], [2, "usage"], String(message));
    assert.match(json.at(-1)!.message, message);
  }
  assert.deepEqual(namesIn(user), ["data", "notes"]);
  // Nobody has this one.
  const missing = ["clone", temp.join("a"), "--feed", "0".repeat(64), "--peer", "127.0.0.1:1"];
  missing.push("--timeout", "500ms", "--json");
  assert.equal((await runIn(world, ...missing)).code, 3);
  assert.ok(!namesIn(temp.path).includes("a"));
  const empty = temp.folder("empty");
  missing[1] = empty;
  assert.equal((await runIn(world, ...missing)).code, 3);
  assert.deepEqual(namesIn(empty), []);
});

Deno.test("verify tells a damaged feed, and another history is refused before it is fetched", async () => {
  using temp = tempFolder();
  const [from, copy, forked] = [temp.join("from"), temp.join("copy"), temp.join("forked")];
  const key = makeFeed(from, 20);
  const world = cloner(temp);
  const clone = (address: string) =>
    runIn(world, ...[
      "clone",
      copy,
      "--feed",
      key,
      "--peer",
      address,
      "--timeout",
      "20s",
      "--json",
    ]);
  {
    await using shared = await shareFeedIn(server(temp), from);
    assert.equal((await clone(shared.address)).code, 0);
  }
  {
    using feed = openOwnFeed(forked, "feed");
    feed.append(Array.from({ length: 25 }, (_, at) => new Uint8Array([at])));
  }
  const before = FEED_FILES.map((name) => bytesOf(copy, name));
  {
    await using shared = await shareFeedIn(server(temp, "forked"), forked);
    const { code, json } = await clone(shared.address);
    assert.deepEqual([code, json.at(-1)!.code], [8, "fork"]);
  }
  assert.deepEqual(FEED_FILES.map((name) => bytesOf(copy, name)), before);
  {
    using data = Deno.openSync(join(copy, "data"), { write: true });
    data.writeSync(new Uint8Array([1, 2, 3]));
  }
  const { code, json } = await runIn(world, "verify", copy, "--json");
  assert.equal(code, 5);
  const [problem] = json.filter(({ event }) => event === "problem");
  assert.deepEqual([problem.kind, problem.feed, problem.index], ["block", "feed", 0]);
});
