/** The files of one feed, byte for byte, as bare hypercores of both generations write them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fromHex, toHex } from "../../src/base/bytes.ts";
import { keyPair } from "../../src/crypto/sign.ts";
import { DataFile } from "../../src/io/data_file.ts";
import { FeedStore } from "../../src/io/feed_store.ts";
import { openFile } from "../../src/io/random_access.ts";
import { runPeer } from "../support/processes.ts";
import { Random } from "../support/random.ts";
import { GENERATIONS } from "../support/sharing.ts";
import { tempFolder } from "../support/temp.ts";

const FILES = ["tree", "signatures", "bitfield", "data"] as const;

/** Batches of blocks in hex: single ones, large ones, blocks without bytes. */
function someBatches(seed: string): string[][] {
  const random = new Random(seed);
  return Array.from(
    { length: 12 },
    () =>
      Array.from(
        { length: 1 + random.below(random.below(4) === 0 ? 900 : 5) },
        () => toHex(random.bytes(random.below(30))),
      ),
  );
}

function appendAll(folder: string, seed: string, batches: readonly string[][]): void {
  const file = (name: string) => openFile(join(folder, name), { access: "write" });
  const { publicKey, secretKey } = keyPair(fromHex(seed));
  const feed = FeedStore.open({
    files: {
      tree: file("tree"),
      signatures: file("signatures"),
      bitfield: file("bitfield"),
      blocks: new DataFile(file("data")),
    },
    publicKey,
    secretKey,
    access: "write",
  });
  for (const batch of batches) {
    feed.append(batch.map(fromHex));
    feed.commit();
  }
  feed.close();
}

for (const gen of GENERATIONS) {
  Deno.test(`a feed has the files that hypercore ${gen} writes for the same appends`, async () => {
    for (let round = 1; round <= 3; round++) {
      using temp = tempFolder();
      const batches = someBatches(`feed files ${gen} ${round}`);
      const seed = toHex(new Random(`key ${round}`).bytes(32));
      const [theirs, ours] = [temp.folder("theirs"), temp.folder("ours")];
      Deno.writeTextFileSync(temp.join("batches"), JSON.stringify(batches));
      const args = [theirs, "--gen", gen, "--seed", seed, "--batches", temp.join("batches")];
      const [written] = await runPeer("write_feed", args, { home: temp.path });
      assert.equal(written.blocks, batches.flat().length);

      appendAll(ours, seed, batches);
      for (const name of FILES) {
        const wanted = Deno.readFileSync(join(theirs, name));
        const got = Deno.readFileSync(join(ours, name));
        const same = got.length === wanted.length && got.every((byte, at) => byte === wanted[at]);
        assert.ok(same, `${name} differs in round ${round}`);
      }
    }
  });
}
