/** What a change of the selection does to a folder and its bits, without a network. */
import assert from "node:assert/strict";
import { readSelection } from "../../src/app/selection_note.ts";
import { CraftedArchive, CraftedCopy } from "../support/crafted_archive.ts";
import { Random } from "../support/random.ts";
import { tempFolder } from "../support/temp.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const BLOCK = 64 * 1024;

function testPair(
  name: string,
  body: (pair: { owner: CraftedArchive; copy: CraftedCopy }) => Promise<void>,
): void {
  Deno.test(name, async () => {
    using temp = tempFolder();
    using owner = new CraftedArchive(temp);
    await body({ owner, copy: new CraftedCopy(temp, owner) });
  });
}

const bytes = (size: number, seed: string): Uint8Array => new Random(seed).bytes(size);

/** From now on pulls are with these patterns. */
function select(copy: CraftedCopy, select: string[], exclude: string[] = []): void {
  copy.choices = { ...copy.choices, selection: { select, exclude } };
}

/** The blocks that count as held, in their final place and in the private one. */
async function heldBlocks(copy: CraftedCopy): Promise<{ final: number[]; staged: number[] }> {
  return await copy.open(({ content }) => {
    const all = Array.from({ length: content!.length }, (_, block) => block);
    return {
      final: all.filter((block) => content!.hasFinal(block)),
      staged: all.filter((block) => content!.hasStaged(block)),
    };
  });
}

testPair("half of a file is given up when it leaves the selection", async ({ owner, copy }) => {
  owner.put("/a/large", bytes(3 * BLOCK, "large"));
  owner.put("/b", "b");
  await copy.open(async (archive) => {
    copy.fetch(archive, await copy.plan(archive), (block) => block !== 1);
  });
  assert.deepEqual(await heldBlocks(copy), { final: [3], staged: [0, 2] });
  select(copy, ["b"]);
  assert.deepEqual(await copy.pull(), []);
  assert.deepEqual(await heldBlocks(copy), { final: [3], staged: [] });
  assert.deepEqual(Object.keys(copy.files()), ["b"]);
  select(copy, ["**"]);
  assert.deepEqual(await copy.pull(), [0, 1, 2]);
});

testPair("blocks of two names stay while one of them is selected", async ({ owner, copy }) => {
  const large = bytes(2 * BLOCK, "large");
  const { offset, blocks, byteOffset, size } = owner.put("/one", large);
  owner.putStat("/two", { offset, blocks, byteOffset, size });
  select(copy, ["two"]);
  assert.deepEqual(await copy.pull(), [0, 1]);
  assert.deepEqual(Object.keys(copy.files()), ["two"]);
  await copy.pull();
  assert.deepEqual((await heldBlocks(copy)).final, [0, 1]);
  select(copy, ["one"]);
  assert.deepEqual(await copy.pull(), [], "they are copied from the other one");
  assertSameBytes(Deno.readFileSync(copy.path("one")), large);
  Deno.removeSync(copy.path("two"));
  await copy.pull();
  assert.deepEqual((await heldBlocks(copy)).final, [0, 1]);
});

testPair("what is wrong with files that are not selected is nobody's concern", async (pair) => {
  const { owner, copy } = pair;
  const { offset, byteOffset } = owner.put("/fine", bytes(3 * BLOCK, "fine"));
  const next = { offset: offset + 1, blocks: 2, byteOffset: byteOffset + BLOCK, size: 2 * BLOCK };
  owner.putStat("/overlapping", next);
  owner.put("/../outside", "hostile");
  owner.put("/x".repeat(9000), "too long");
  select(copy, ["fine"]);
  await copy.pull();
  assert.deepEqual([Object.keys(copy.files()), copy.warnings], [["fine"], []]);
  select(copy, ["**"]);
  await copy.open(async (archive) => assert.equal((await copy.plan(archive)).refused, 3));
});

testPair("a selection that is refused or only tried out is not remembered", async (pair) => {
  const { owner, copy } = pair;
  owner.put("/a", "a");
  owner.put("/b", "b");
  select(copy, ["a"]);
  await copy.pull();
  Deno.writeTextFileSync(copy.path("b"), "the user's");
  select(copy, ["b"]);
  await assert.rejects(copy.pull(), { name: "UsageError" });
  select(copy, [], ["b"]);
  copy.choices = { ...copy.choices, dryRun: true };
  await copy.open((archive) => copy.plan(archive));
  const { paths } = await copy.open((archive) => archive);
  assert.deepEqual(readSelection(paths), { select: ["a"], exclude: [] });
});

testPair("a .datdownload that came with the archive selects nothing", async ({ owner, copy }) => {
  owner.put("/.datdownload", "a\n");
  owner.put("/a", "a");
  owner.put("/b", "b");
  await copy.pull();
  owner.put("/c", "c");
  await copy.pull();
  assert.deepEqual(Object.keys(copy.files()), [".datdownload", "a", "b", "c"]);
});

testPair("folders made on purpose are selected like files", async ({ owner, copy }) => {
  for (const path of ["/a", "/a/b", "/c", "/d"]) owner.putStat(path, { mode: 0o040755 });
  select(copy, ["a/**", "d/"]);
  await copy.pull();
  assert.deepEqual(Object.keys(copy.files()), ["a/", "a/b/", "d/"]);
});

testPair("--keep-local does not take what was never selected for deleted", async (pair) => {
  const { owner, copy } = pair;
  owner.put("/a", "a");
  owner.put("/b", "b");
  owner.put("/empty", "");
  select(copy, ["a"]);
  await copy.pull();
  Deno.removeSync(copy.path("a"));
  copy.choices = { keepLocal: true };
  select(copy, ["**"]);
  await copy.pull();
  assert.deepEqual(Object.keys(copy.files()), ["b", "empty"]);
});
