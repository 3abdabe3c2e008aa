/**
 * A real hyperdrive on an archive whose `.dat` keeps every version in `content.data`.
 *
 * read_versions.js DIR [--gen 6|7]
 *
 * Says `audit` for both feeds, `file` for every file of every version whose blocks are all here, with
 * the SHA-256 of what it reads, `missing` for the others, and `done`.
 */
import { join } from "node:path";
import process from "node:process";
import {
  call,
  fail,
  listFiles,
  load,
  loadHyperdrive,
  readArguments,
  say,
  sha256,
} from "./common.js";

const { positionals: [dir], values } = readArguments({ gen: { type: "string", default: "7" } });

try {
  const hyperdrive = await loadHyperdrive(values.gen);
  const file = await load("random-access-file");
  const storage = {
    metadata: (name) => file(join(dir, ".dat", `metadata.${name}`)),
    content: (name) => file(join(dir, ".dat", `content.${name}`)),
  };
  const drive = hyperdrive(storage, null, { latest: false });
  await call(drive, "ready");
  say("audit", {
    metadata: await call(drive.metadata, "audit"),
    content: await call(drive.content, "audit"),
  });
  for (let version = 1; version <= drive.version; version++) {
    const old = drive.checkout(version);
    await call(old, "ready");
    for (const [path, stat] of await listFiles(old)) {
      const blocks = Array.from({ length: stat.blocks }, (_, n) => stat.offset + n);
      if (!blocks.every((block) => drive.content.has(block))) {
        say("missing", { version, path });
        continue;
      }
      // Reading an empty file waits for content where there is none.
      const bytes = stat.blocks === 0 ? new Uint8Array(0) : await call(old, "readFile", path);
      say("file", { version, path, size: stat.size, sha256: sha256(bytes) });
    }
  }
  say("done", { version: drive.version, contentBlocks: drive.content.length });
  process.exit(0);
} catch (error) {
  fail(error);
}
