/**
 * A bare hypercore in memory, served on 127.0.0.1.
 *
 * share_feed.js BATCHES [--gen 6|7] [--no-live]
 *
 * BATCHES is a JSON file: a list of batches, each a list of blocks in hex; each batch is one append.
 * Says `listening` with the key and the SHA-256 of all blocks in a row.
 */
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import {
  call,
  endWithParent,
  fail,
  listen,
  load,
  readArguments,
  replicate,
  say,
  sha256,
} from "./common.js";

const { positionals: [batches], values } = readArguments({
  gen: { type: "string", default: "7" },
  "no-live": { type: "boolean", default: false },
});

try {
  const hypercore = await load(values.gen === "6" ? "hypercore6" : "hypercore7");
  const feed = hypercore(await load("random-access-memory"));
  await call(feed, "ready");
  const blocks = [];
  for (const batch of JSON.parse(readFileSync(batches, "utf8"))) {
    const bytes = batch.map((block) => Buffer.from(block, "hex"));
    await call(feed, "append", bytes);
    blocks.push(...bytes);
  }
  const port = await listen(0, async (socket) => {
    await replicate(socket, feed, { live: !values["no-live"] }, () => {});
  });
  const key = feed.key.toString("hex");
  say("listening", { key, port, blocks: feed.length, sha256: sha256(Buffer.concat(blocks)) });
  endWithParent();
} catch (error) {
  fail(error);
}
