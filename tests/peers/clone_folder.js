/**
 * A real peer that clones a whole archive into a folder and leaves.
 *
 * clone_folder.js KEY HOST:PORT DIR [--gen 6|7] [--timeout SECONDS] [--stay]
 *
 * Says `synced` with its figures and exits with 0. With `--stay` it keeps the connection and says
 * `synced` again after each later version.
 */
import process from "node:process";
import {
  call,
  dial,
  endWithParent,
  fail,
  openFolder,
  peakRssBytes,
  readArguments,
  replicate,
  say,
} from "./common.js";

const { positionals: [key, address, dir], values } = readArguments({
  gen: { type: "string", default: "7" },
  timeout: { type: "string", default: "120" },
  stay: { type: "boolean", default: false },
});

try {
  const started = performance.now();
  const drive = await openFolder(dir, { gen: values.gen, key });
  const metadata = drive.metadata;
  let blocks = 0;
  let bytes = 0;
  const count = (feed) =>
    feed.on("download", (_index, block) => {
      blocks++;
      bytes += block.length;
    });
  count(metadata);
  if (drive.content) count(drive.content);
  else drive.once("content", () => count(drive.content));

  // What the sharer says of its length goes back to 0 when we have all of it: keep the largest.
  let remoteLength = 0;
  let syncedVersion = -1;
  let saidVersion = -1;
  const look = async () => {
    remoteLength = Math.max(remoteLength, metadata.remoteLength);
    const upToDate = remoteLength > 0 && metadata.length >= remoteLength;
    if (!upToDate || syncedVersion !== drive.version || saidVersion === syncedVersion) return;
    saidVersion = syncedVersion;
    const seconds = (performance.now() - started) / 1000;
    const figures = { version: saidVersion, blocks, bytes, seconds, peakRssBytes: peakRssBytes() };
    if (values.stay) return say("synced", figures);
    clearTimeout(deadline);
    await call(drive, "close");
    say("synced", figures);
    process.exit(0);
  };
  drive.on("sync", () => {
    syncedVersion = drive.version;
    look().catch(fail);
  });
  metadata.on("remote-update", () => look().catch(fail));

  const deadline = setTimeout(() => fail("Cannot clone in time"), 1000 * Number(values.timeout));
  if (values.stay) {
    clearTimeout(deadline);
    endWithParent();
  }
  const options = { live: true, upload: true, download: true };
  await replicate(dial(address), drive, options, (error) => {
    // The last block may have come just before the end: give it time to reach the disk.
    setTimeout(() => fail(`Disconnected: ${error?.message ?? "closed"}`), 500);
  });
} catch (error) {
  fail(error);
}
