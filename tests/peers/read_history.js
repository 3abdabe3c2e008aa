/**
 * A real peer that opens the archive of a folder whose `.dat` keeps the content of every version,
 * checks every block, and reads files as they were.
 *
 * read_history.js DIR [--gen 6|7] VERSION:PATH...
 *
 * Says `opened`, `audit` for both feeds, `file` with its text for each VERSION:PATH, and `done`.
 */
import { join } from "node:path";
import process from "node:process";
import { call, fail, load, loadHyperdrive, readArguments, say } from "./common.js";

const { positionals: [dir, ...wanted], values } = readArguments({
  gen: { type: "string", default: "7" },
});

try {
  const hyperdrive = await loadHyperdrive(values.gen);
  const file = await load("random-access-file");
  // The names that dat-storage uses, with `content.data` a file like the others.
  const storage = (feed) => (name) => file(join(dir, ".dat", `${feed}.${name}`));
  const drive = hyperdrive({ metadata: storage("metadata"), content: storage("content") });
  await call(drive, "ready");
  if (drive.content === null) await new Promise((resolve) => drive.once("content", resolve));
  say("opened", { key: drive.key.toString("hex"), version: drive.version });
  say("audit", {
    metadata: await call(drive.metadata, "audit"),
    content: await call(drive.content, "audit"),
  });
  for (const item of wanted) {
    const colon = item.indexOf(":");
    const [version, path] = [Number(item.slice(0, colon)), item.slice(colon + 1)];
    const text = await call(drive.checkout(version), "readFile", path, "utf8");
    say("file", { version, path, text });
  }
  say("done");
  await call(drive, "close");
  process.exit(0);
} catch (error) {
  fail(error);
}
