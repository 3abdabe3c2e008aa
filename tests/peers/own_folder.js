/**
 * A real peer that opens a folder as it lies on disk, checks every block and lists every file.
 *
 * own_folder.js DIR [--gen 6|7] [--import] [--write PATH=TEXT]... [--no-list]
 *
 * `--write` puts a file into the folder first and appends it, as an owner's program would; `--import`
 * takes in whatever changed. Says `opened`, `audit` for both feeds, `file` for each file with the
 * SHA-256 of what the archive reads for it, and `done`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import {
  call,
  fail,
  importFolder,
  listFiles,
  openFolder,
  readArguments,
  say,
  sha256,
} from "./common.js";

const { positionals: [dir], values } = readArguments({
  gen: { type: "string", default: "7" },
  import: { type: "boolean", default: false },
  "no-list": { type: "boolean", default: false },
  write: { type: "string", multiple: true, default: [] },
});

try {
  const drive = await openFolder(dir, { gen: values.gen });
  say("opened", {
    key: drive.key.toString("hex"),
    writable: drive.metadata.writable && drive.content.writable,
    version: drive.version,
    metadataBlocks: drive.metadata.length,
    contentBlocks: drive.content.length,
  });
  for (const assignment of values.write) {
    const equals = assignment.indexOf("=");
    const path = assignment.slice(0, equals);
    const text = assignment.slice(equals + 1);
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
    await call(drive, "writeFile", path, text, { indexing: true });
  }
  if (values.import) {
    const put = await importFolder(drive, dir);
    say("imported", { ...put, version: drive.version });
  }
  say("audit", {
    metadata: await call(drive.metadata, "audit"),
    content: await call(drive.content, "audit"),
  });
  for (const [path, stat] of values["no-list"] ? [] : await listFiles(drive)) {
    const bytes = await call(drive, "readFile", path);
    say("file", { path, size: stat.size, mode: stat.mode, sha256: sha256(bytes) });
  }
  say("done", { version: drive.version, contentBlocks: drive.content.length });
  await call(drive, "close");
  process.exit(0);
} catch (error) {
  fail(error);
}
