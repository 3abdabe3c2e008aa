/**
 * A bare hypercore that gets all blocks of another: from HOST:PORT into memory, or out of its folder.
 *
 * clone_feed.js KEY HOST:PORT [--gen 6|7] [--no-live]
 * clone_feed.js --dir DIR [--gen 6|7]
 *
 * Says `done` with the key, the length, the SHA-256 of all blocks in a row, and what an audit finds.
 */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import process from "node:process";
import {
  call,
  dial,
  fail,
  keyBytes,
  load,
  readArguments,
  replicate,
  say,
  sha256,
} from "./common.js";

const { positionals: [key, address], values } = readArguments({
  dir: { type: "string" },
  gen: { type: "string", default: "7" },
  "no-live": { type: "boolean", default: false },
});

try {
  const hypercore = await load(values.gen === "6" ? "hypercore6" : "hypercore7");
  // Given a folder, hypercore would lock it through a native addon: give it plain files instead.
  const file = await load("random-access-file");
  const storage = values.dir === undefined
    ? await load("random-access-memory")
    : (name) => file(join(values.dir, name));
  const feed = hypercore(storage, key === undefined ? null : keyBytes(key));
  await call(feed, "ready");
  if (address !== undefined) {
    await replicate(dial(address), feed, { live: !values["no-live"] }, () => {});
    await call(feed, "update");
  }
  const blocks = [];
  for (let block = 0; block < feed.length; block++) blocks.push(await call(feed, "get", block));
  say("done", {
    key: feed.key.toString("hex"),
    writable: feed.writable,
    blocks: feed.length,
    sha256: sha256(Buffer.concat(blocks)),
    audit: await call(feed, "audit"),
  });
  process.exit(0);
} catch (error) {
  fail(error);
}
