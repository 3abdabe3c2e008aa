/**
 * A real peer that keeps nothing and reads single files, the way a browser does.
 *
 * read_files.js KEY HOST:PORT [--gen 6|7] PATH...
 *
 * Says `file` with size and SHA-256 of each path in order, then `done` with how many content blocks
 * came over the wire and how many the archive has.
 */
import process from "node:process";
import {
  call,
  dial,
  fail,
  keyBytes,
  load,
  loadHyperdrive,
  readArguments,
  replicate,
  say,
  sha256,
} from "./common.js";

const { positionals: [key, address, ...paths], values } = readArguments({
  gen: { type: "string", default: "7" },
});

try {
  const hyperdrive = await loadHyperdrive(values.gen);
  const memory = await load("random-access-memory");
  const drive = hyperdrive(memory, keyBytes(key), { sparse: true, sparseMetadata: true });
  await call(drive, "ready");
  await replicate(dial(address), drive, { live: true, upload: false, download: true }, fail);
  await call(drive.metadata, "update");
  for (const path of paths) {
    const bytes = await call(drive, "readFile", path);
    say("file", { path, size: bytes.length, sha256: sha256(bytes) });
  }
  const content = drive.content;
  let downloaded = 0;
  for (let block = 0; block < content.length; block++) if (content.has(block)) downloaded++;
  say("done", { version: drive.version, downloaded, contentBlocks: content.length });
  process.exit(0);
} catch (error) {
  fail(error);
}
