/** Bare feeds between trove and hypercore of both generations, and the folders that both open. */
import assert from "node:assert/strict";
import { toHex } from "../../src/base/bytes.ts";
import { shareFeedIn } from "../support/bare_feed.ts";
import { type JsonLine, peer, runPeer } from "../support/processes.ts";
import { Random } from "../support/random.ts";
import { GENERATIONS } from "../support/sharing.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { runIn, TestWorld } from "../support/test_world.ts";

/** Blocks of many sizes, empty ones too, in a few appends. */
function writeBatches(temp: TempFolder, seed: string): string {
  const random = new Random(seed);
  const sizes = [[5], [0, 70_000, 3], Array.from({ length: 150 }, () => random.below(300))];
  const batches = sizes.map((batch) => batch.map((size) => toHex(random.bytes(size))));
  Deno.writeTextFileSync(temp.join("batches"), JSON.stringify(batches));
  return temp.join("batches");
}

for (const gen of GENERATIONS) {
  for (const live of [true, false]) {
    const flags = ["--gen", gen, ...live ? [] : ["--no-live"]];
    const how = `hypercore ${gen}${live ? "" : ", not live"}`;
    Deno.test(`clone --feed gets a feed of ${how}, which gets it back`, async () => {
      using temp = tempFolder();
      const home = temp.folder("home");
      const dir = temp.join("copy");
      await using sharer = await peer("share_feed", [writeBatches(temp, how), ...flags], { home });
      const { key, port, blocks, sha256 } = await sharer.event("listening");
      const world = new TestWorld(temp, { running: true });
      const from = ["--peer", `127.0.0.1:${port}`, "--timeout", "20s", "--json"];
      const { code, json } = await runIn(world, "clone", dir, "--feed", key, ...from);
      assert.equal(code, 0, world.stderr.text);
      assert.equal(json.at(-1)!.blocks, blocks);

      const audit = { valid: blocks, invalid: 0 };
      const all: JsonLine = { event: "done", key, writable: false, blocks, sha256, audit };
      if (live) {
        const opened = await runPeer("clone_feed", ["--dir", dir, "--gen", gen], { home });
        assert.deepEqual(opened, [all]);
      }
      await using shared = await shareFeedIn(new TestWorld(temp, { running: true }), dir);
      const cloned = await runPeer("clone_feed", [key, shared.address, ...flags], { home });
      assert.deepEqual(cloned, [all]);
    });
  }
}
