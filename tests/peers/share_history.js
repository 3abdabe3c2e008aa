/**
 * A real peer whose archive keeps the content of every version, served on 127.0.0.1.
 *
 * share_history.js [--gen 6|7] FILE
 *
 * FILE is a JSON list of [PATH, TEXT] to put and [PATH] to delete, one version each. Says
 * `listening` with the key.
 */
import { readFileSync } from "node:fs";
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

const { positionals: [file], values } = readArguments({ gen: { type: "string", default: "7" } });

try {
  const hyperdrive = await loadHyperdrive(values.gen);
  const drive = hyperdrive(await load("random-access-memory"));
  await call(drive, "ready");
  for (const [path, text] of JSON.parse(readFileSync(file, "utf8"))) {
    if (text === undefined) await call(drive, "unlink", path);
    else await call(drive, "writeFile", path, text);
  }
  const port = await listen(0, async (socket) => {
    await replicate(socket, drive, { live: true, upload: true, download: false }, () => {});
  });
  say("listening", { key: drive.key.toString("hex"), port, version: drive.version });
  endWithParent();
} catch (error) {
  fail(error);
}
