/**
 * A real peer that serves an archive and changes it as it is told.
 *
 * change_files.js [--gen 6|7] [--port N] [DIR]
 *
 * With DIR the archive is that folder, as the dat command has it, and is made if there is none;
 * without, it is in memory and keeps every version. Says `listening` with the key. Then each line of
 * stdin is a JSON list: ["put", PATH, SIZE, TEXT] writes a file of SIZE bytes that repeat TEXT,
 * ["delete", PATH] deletes one, and ["tell"] says `told` with the version.
 */
import { Buffer } from "node:buffer";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import {
  call,
  fail,
  listen,
  listFiles,
  load,
  loadHyperdrive,
  openFolder,
  readArguments,
  replicate,
  say,
} from "./common.js";

const { positionals: [dir], values } = readArguments({
  gen: { type: "string", default: "7" },
  port: { type: "string", default: "0" },
});

async function openInMemory() {
  const hyperdrive = await loadHyperdrive(values.gen);
  const drive = hyperdrive(await load("random-access-memory"));
  await call(drive, "ready");
  return drive;
}

/** The files of a folder are its content, so they change first: the drive only takes note of it. */
async function perform(drive, [what, path, size, text]) {
  if (what === "put") {
    const bytes = Buffer.alloc(size, text);
    if (dir) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), bytes);
    }
    await call(drive, "writeFile", path, bytes);
  } else if (what === "delete") {
    if (dir) rmSync(join(dir, path), { force: true });
    await call(drive, "unlink", path).catch((error) => {
      // append-tree 2 may lose a file when another of its folder is deleted.
      if (!error.notFound) throw error;
    });
  } else if (what === "tell") {
    const paths = (await listFiles(drive)).map(([path]) => path);
    say("told", { version: drive.version, paths });
  } else throw new Error(`Cannot ${what}`);
}

try {
  const drive = dir ? await openFolder(dir, { gen: values.gen }) : await openInMemory();
  const port = await listen(Number(values.port), async (socket) => {
    await replicate(socket, drive, { live: true, upload: true, download: false }, (error) => {
      say("disconnected", { reason: error?.message ?? null });
    });
  });
  process.on("SIGTERM", () => process.exit(0));
  say("listening", { key: drive.key.toString("hex"), port, version: drive.version });
  for await (const line of createInterface({ input: process.stdin })) {
    await perform(drive, JSON.parse(line));
  }
  process.exit(0); // the parent is gone
} catch (error) {
  fail(error);
}
