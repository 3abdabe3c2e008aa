/** A connection that is cut again and again costs little, and nothing of the tree. */
import assert from "node:assert/strict";
import { CuttingProxy } from "../support/cutting_proxy.ts";
import { Random } from "../support/random.ts";
import { cloneWithTrove, shareWithTrove } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";
import { assertSameTree, digestTree, manyFiles, writeTree } from "../support/trees.ts";

const CUTS = 100;
const SEED = "cuts 3";
/**
 * Bytes of the one large file; the rest is small.
 *
 * The protocol sends and proves whole blocks, so what came of one before a cut is of no use: of a block
 * of 64 KiB that is half of it on the average, and 3 kB for the greeting and the proof come on top.
 * That makes 36 kB a cut at least, and 100 cuts cannot cost less than 2% below 180 MB.
 */
const LARGE = 320_000_000;
/** Of all bytes, that the cuts may cost. Counted is what was sent to the one who clones, read or not. */
const MOST_EXTRA = 0.02;

Deno.test(`${CUTS} resets during one clone leave the exact tree and cost less than ${100 * MOST_EXTRA}%`, async () => {
  using temp = tempFolder();
  const [folder, copy] = [temp.folder("folder"), temp.folder("copy")];
  const files = [...manyFiles(50, { seed: SEED, largest: 20_000 }), { path: "large", size: LARGE }];
  writeTree(folder, files, SEED);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home") });

  const random = new Random(SEED);
  const cuts = new Set<number>();
  while (cuts.size < CUTS) cuts.add(1 + random.below(bytes));
  await using proxy = await CuttingProxy.listen(sharer.address, [...cuts]);
  const { link } = sharer;
  const exit = await cloneWithTrove(
    [{ link, address: proxy.address }],
    copy,
    { home: temp.folder("home-of-cloner") },
    ["--timeout", "5m"],
  );
  assert.equal(exit.code, 0, exit.stderr);
  assert.equal(proxy.cutsMade, CUTS);
  assertSameTree(digestTree(copy), digestTree(folder));
  const extra = proxy.bytesDown / bytes - 1;
  console.log(`${(100 * extra).toFixed(2)}% more bytes than the files have`);
  assert.ok(extra < MOST_EXTRA, `${(100 * extra).toFixed(2)}% more bytes than the files have`);
});
