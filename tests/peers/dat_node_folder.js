/**
 * dat-node 3 itself: make an archive of a folder, or take on the one that is there, and import.
 *
 * dat_node_folder.js DIR [--must-exist]
 *
 * Says `imported` with the key and what was put, and exits. Secret keys go to the home directory.
 */
import process from "node:process";
import { call, fail, load, readArguments, say } from "./common.js";

const { positionals: [dir], values } = readArguments({
  "must-exist": { type: "boolean", default: false },
});

try {
  const datNode = await load("dat-node");
  const dat = await new Promise((resolve, reject) => {
    const options = { createIfMissing: !values["must-exist"] };
    datNode(dir, options, (error, opened) => error ? reject(error) : resolve(opened));
  });
  const before = dat.version;
  const importer = await new Promise((resolve, reject) => {
    const run = dat.importFiles((error) => error ? reject(error) : resolve(run));
  });
  say("imported", {
    key: dat.key.toString("hex"),
    writable: dat.writable,
    resumed: dat.resumed,
    before,
    version: dat.version,
    ...importer.putDone,
  });
  await call(dat, "close");
  process.exit(0);
} catch (error) {
  fail(error);
}
