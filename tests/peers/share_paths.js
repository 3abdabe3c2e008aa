/**
 * A validly signed archive whose entries have any names at all, served on 127.0.0.1.
 *
 * share_paths.js [--gen 6|7] ENTRIES
 *
 * ENTRIES is a JSON list of texts NAME=CONTENT. The names go into the metadata as they are: the
 * check that hyperdrive makes of its own caller is passed by. Says `listening` with the key.
 */
import { Buffer } from "node:buffer";
import {
  call,
  endWithParent,
  fail,
  listen,
  load,
  loadHyperdrive,
  readArguments,
  replicate,
  say,
} from "./common.js";

const { positionals: [entries], values } = readArguments({ gen: { type: "string", default: "7" } });

try {
  const hyperdrive = await loadHyperdrive(values.gen);
  const drive = hyperdrive(await load("random-access-memory"));
  await call(drive, "ready");
  for (const entry of JSON.parse(entries)) {
    const equals = entry.indexOf("=");
    const bytes = Buffer.from(entry.slice(equals + 1));
    const offset = drive.content.length;
    const byteOffset = drive.content.byteLength;
    await call(drive.content, "append", bytes);
    const time = Date.now();
    await call(drive.tree, "put", entry.slice(0, equals), {
      mode: 0o100644,
      uid: 0,
      gid: 0,
      size: bytes.length,
      blocks: 1,
      offset,
      byteOffset,
      mtime: time,
      ctime: time,
    });
  }
  const port = await listen(0, async (socket) => {
    await replicate(socket, drive, { live: true, upload: true, download: false }, () => {});
  });
  say("listening", { key: drive.key.toString("hex"), port, version: drive.version });
  endWithParent();
} catch (error) {
  fail(error);
}
