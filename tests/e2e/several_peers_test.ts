/** One sharer and several cloners, one cloner and several sharers. */
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { runPeer } from "../support/processes.ts";
import { cloneWithTrove, shareWithPeer, shareWithTrove } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import {
  assertSameTree,
  digestTree,
  manyFiles,
  withoutEmptyFiles,
  withoutModes,
  writeTree,
} from "../support/trees.ts";

const FILES = [
  ...manyFiles(150, { seed: "several peers", largest: 9000 }),
  { path: "long.bin", size: 3_000_000 },
];

Deno.test("four cloners, real ones and troves, are served at once", async () => {
  using temp = tempFolder();
  const folder = temp.folder("folder");
  writeTree(folder, FILES, "several cloners");
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home") });
  const real = (gen: string) =>
    runPeer(
      "clone_folder",
      [sharer.key, sharer.address, temp.folder(`real-${gen}`), "--gen", gen],
      { home: temp.folder(`home-${gen}`) },
    );
  const ours = (name: string) =>
    cloneWithTrove([sharer], temp.folder(name), { home: temp.folder(`home-${name}`) });
  const [, , ...exits] = await Promise.all([real("6"), real("7"), ours("one"), ours("two")]);
  for (const exit of exits) assert.equal(exit.code, 0, exit.stderr);
  const expected = digestTree(folder);
  for (const name of ["one", "two"]) assertSameTree(digestTree(temp.join(name)), expected);
  for (const name of ["real-6", "real-7"]) {
    const tree = withoutModes(digestTree(temp.join(name)));
    assertSameTree(tree, withoutModes(withoutEmptyFiles(expected)));
  }
});

Deno.test("trove clone fetches from several peers what none of them has alone", async () => {
  using temp = tempFolder();
  const folder = temp.folder("folder");
  const home = temp.folder("home");
  writeTree(folder, FILES, "several sharers");
  const blocks = await importWithPeer(folder, home);
  const half = Math.floor(blocks / 2);
  // Two copies of one archive, each without the half that the other has.
  const twin = temp.join("twin");
  await cp(folder, twin, { recursive: true, preserveTimestamps: true });
  const options = ["--no-import", "--trace"];
  await using first = await shareWithPeer(
    "share_folder",
    [folder, "--withhold", `0-${half - 1}`, "--gen", "6", ...options],
    { home },
  );
  await using second = await shareWithPeer(
    "share_folder",
    [twin, "--withhold", `${half}-${blocks - 1}`, "--gen", "7", ...options],
    { home },
  );
  assert.equal(first.key, second.key);

  const copy = temp.folder("copy");
  const exit = await cloneWithTrove([first, second], copy, { home: temp.folder("other-home") });
  assert.equal(exit.code, 0, exit.stderr);
  assertSameTree(digestTree(copy), digestTree(folder));
  const uploads = [first, second].map(({ process }) =>
    process.lines.filter((line) => line.event === "uploaded" && line.feed === "content").length
  );
  assert.deepEqual(uploads, [blocks - half, half], "each content block came exactly once");
});

/** Import a folder with a real peer. Gives the length of the content feed. */
async function importWithPeer(folder: string, home: string): Promise<number> {
  const lines = await runPeer("own_folder", [folder, "--import", "--no-list"], { home });
  return lines.at(-1)!.contentBlocks;
}

Deno.test("a clone goes on with the other peers when one of them goes away", async () => {
  using temp = tempFolder();
  const folder = temp.folder("folder");
  const home = temp.folder("home");
  writeTree(folder, FILES, "one goes away");
  await importWithPeer(folder, home);
  const twin = temp.join("twin");
  await cp(folder, twin, { recursive: true, preserveTimestamps: true });
  const options = ["--no-import", "--trace", "--rate", "2000000"];
  await using first = await shareWithPeer("share_folder", [folder, ...options], { home });
  await using second = await shareWithPeer("share_folder", [twin, ...options], { home });
  const copy = temp.folder("copy");
  const cloning = cloneWithTrove([first, second], copy, { home: temp.folder("other-home") });
  await first.process.event("uploaded", { matches: (line) => line.feed === "content" });
  first.process.signal("SIGKILL");
  const exit = await cloning;
  assert.equal(exit.code, 0, exit.stderr);
  assertSameTree(digestTree(copy), digestTree(folder));
});
