/** `share --until-synced`: it ends when readers have everything, and not a moment sooner. */
import assert from "node:assert/strict";
import { CuttingProxy } from "../support/cutting_proxy.ts";
import { peer, trove } from "../support/processes.ts";
import {
  cloneArguments,
  cloneWithTrove,
  GENERATIONS,
  HYPERDRIVE,
  shareWithTrove,
} from "../support/sharing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { assertSameTree, digestTree, writeTree } from "../support/trees.ts";
import { untilSameTree } from "../support/trees_in_time.ts";

const FILES = [
  { path: "large", size: 3_000_000 },
  { path: "b/small", size: 10 },
  { path: "empty", size: 0 },
];

function sharedFolder(temp: TempFolder): string {
  const folder = temp.folder("folder");
  writeTree(folder, FILES, "until synced");
  return folder;
}

Deno.test("share ends with 0 when two of trove's readers have everything, and not after one", async () => {
  using temp = tempFolder();
  const folder = sharedFolder(temp);
  await using sharer = await shareWithTrove(folder, { home: temp.folder("owner") }, [
    ...["--until-synced", "2", "--timeout", "30s"],
  ]);
  const [one, two] = [temp.join("one"), temp.join("two")];
  const first = await cloneWithTrove([sharer], one, { home: temp.folder("home 1") });
  assert.equal(first.code, 0, first.stderr);
  const { peers, wanted, version } = await sharer.process.event("confirmed");
  assert.deepEqual([peers, wanted, version], [1, 2, 3]);
  const second = await cloneWithTrove([sharer], two, { home: temp.folder("home 2") });
  assert.equal(second.code, 0, second.stderr);
  await sharer.process.ended(0);
  for (const copy of [one, two]) assertSameTree(digestTree(copy), digestTree(folder));
});

const readers = GENERATIONS.map((gen) => HYPERDRIVE[gen]).join(" and ");

Deno.test(`share ends with 0 when ${readers} have everything`, async () => {
  using temp = tempFolder();
  const folder = sharedFolder(temp);
  await using sharer = await shareWithTrove(folder, { home: temp.folder("owner") }, [
    ...["--until-synced", "2", "--timeout", "30s"],
  ]);
  await using peers = new AsyncDisposableStack();
  for (const gen of GENERATIONS) {
    const args = [sharer.key, sharer.address, temp.folder(gen), "--gen", gen, "--stay"];
    peers.use(await peer("clone_folder", args, { home: temp.folder(`home ${gen}`) }));
  }
  await sharer.process.ended(0);
  // There is nobody left whom they could get anything from.
  for (const gen of GENERATIONS) {
    await untilSameTree(temp.join(gen), folder, { onlyContent: true });
  }
});

Deno.test("with one real reader complete, and another half way, share does not end", async () => {
  using temp = tempFolder();
  const folder = sharedFolder(temp);
  await using sharer = await shareWithTrove(folder, { home: temp.folder("owner") }, [
    ...["--until-synced", "2", "--timeout", "60s"],
  ]);
  const read = (gen: "6" | "7", address: string, ...extra: string[]) => {
    const args = [sharer.key, address, temp.folder(gen), "--gen", gen, ...extra];
    return peer("clone_folder", args, { home: temp.folder(`home ${gen}`) });
  };
  await using _first = await read("7", sharer.address, "--stay");
  assert.equal((await sharer.process.event("confirmed")).peers, 1);
  // The other one's link breaks a block before its end: it holds all but that for as long as it likes.
  await using proxy = await CuttingProxy.listen(sharer.address, [2_900_000]);
  {
    await using second = await read("6", proxy.address);
    await second.exit;
  }
  assert.equal(proxy.cutsMade, 1);
  // Twice as long as it takes to ask readers what they have.
  await new Promise((resolve) => setTimeout(resolve, 4000));
  assert.ok(sharer.process.peakRssBytes() > 0, "it still runs");
  assert.equal(sharer.process.lines.filter(({ event }) => event === "confirmed").length, 1);
  await using _again = await read("6", sharer.address, "--stay");
  const { lines } = await sharer.process.ended(0);
  assert.deepEqual(
    lines.filter(({ event }) => event === "confirmed").map(({ peers }) => peers),
    [1, 2],
  );
  for (const gen of GENERATIONS) {
    await untilSameTree(temp.join(gen), folder, { onlyContent: true });
  }
});

Deno.test("a killed reader and one without content do not count, and the deadline ends with 4", async () => {
  using temp = tempFolder();
  const folder = sharedFolder(temp);
  await using sharer = await shareWithTrove(folder, { home: temp.folder("owner") }, [
    ...["--until-synced", "1", "--timeout", "7s", "--up", "500kb"],
  ]);
  const args = cloneArguments(sharer.link, temp.join("killed"), [sharer.address]);
  await using killed = await trove(args, { home: temp.folder("home 1") });
  await killed.event("progress", { matches: ({ bytes }) => bytes > 1_000_000 });
  killed.signal("SIGKILL");
  const reader = [sharer.key, sharer.address, "/b/small", "--gen", "7"];
  await using metadataOnly = await peer("read_files", reader, { home: temp.folder("home 2") });
  await metadataOnly.ended();
  const exit = await sharer.process.ended(4);
  assert.deepEqual(exit.lines.filter(({ event }) => event === "confirmed"), []);
  assert.match(exit.lines.at(-1)!.message, /1 peer confirm version 3 within 7.0 s: 0 did/);
});

Deno.test("SIGTERM before anybody has everything is no success", async () => {
  using temp = tempFolder();
  await using sharer = await shareWithTrove(sharedFolder(temp), { home: temp.folder("owner") }, [
    ...["--until-synced", "1"],
  ]);
  sharer.process.signal("SIGTERM");
  await sharer.process.ended(143);
});

Deno.test("a reader whose link broke near the end counts when it has the rest", async () => {
  using temp = tempFolder();
  const folder = sharedFolder(temp);
  await using sharer = await shareWithTrove(folder, { home: temp.folder("owner") }, [
    ...["--until-synced", "1", "--timeout", "30s"],
  ]);
  await using proxy = await CuttingProxy.listen(sharer.address, [2_800_000]);
  const copy = temp.join("copy");
  const from = { link: sharer.link, address: proxy.address };
  const exit = await cloneWithTrove([from], copy, { home: temp.folder("home") });
  assert.equal(exit.code, 0, exit.stderr);
  assert.equal(proxy.cutsMade, 1);
  await sharer.process.ended(0);
  assertSameTree(digestTree(copy), digestTree(folder));
});
