/**
 * A bare hypercore with a given key, to compare the files it writes.
 *
 * write_feed.js DIR --seed HEX --batches FILE [--gen 6|7]
 *
 * FILE is a JSON list of batches, each a list of blocks in hex; each batch is one append.
 * Says `written` with the key and the length.
 */
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { call, fail, load, readArguments, say } from "./common.js";

const { positionals: [dir], values } = readArguments({
  gen: { type: "string", default: "7" },
  seed: { type: "string" },
  batches: { type: "string" },
});

try {
  const hypercore = await load(values.gen === "6" ? "hypercore6" : "hypercore7");
  const crypto = await load("hypercore-crypto");
  const { publicKey, secretKey } = crypto.keyPair(Buffer.from(values.seed, "hex"));
  // Given a folder, hypercore would lock it through a native addon: give it plain files instead.
  const file = await load("random-access-file");
  const feed = hypercore((name) => file(join(dir, name)), publicKey, { secretKey });
  await call(feed, "ready");
  for (const batch of JSON.parse(readFileSync(values.batches, "utf8"))) {
    await call(feed, "append", batch.map((block) => Buffer.from(block, "hex")));
  }
  say("written", { key: publicKey.toString("hex"), blocks: feed.length, bytes: feed.byteLength });
  await call(feed, "close");
  process.exit(0);
} catch (error) {
  fail(error);
}
