/**
 * A real peer that imports a folder and serves it, or serves a clone as it is.
 *
 * share_folder.js DIR [--gen 6|7] [--port N] [--no-import] [--withhold FIRST-LAST] [--trace]
 *                     [--rate BYTES] [--fault wrong-block=N | oversized-frame]
 *
 * Says `listening` with the key once peers can connect, then `connected` and `disconnected`; with
 * `--trace` also `uploaded` for each block sent. `--rate` sends so many bytes a second on each
 * connection, so that a clone takes long enough to be interrupted.
 * `--withhold` claims not to have these content blocks, so that no cloner can be content with this
 * peer alone. The faults make it a peer that lies: one content block with a wrong byte, or a frame
 * of more than 8 MiB after the first block.
 */
import { Buffer } from "node:buffer";
import {
  endWithParent,
  fail,
  importFolder,
  listen,
  openFolder,
  peakRssBytes,
  readArguments,
  replicateThrough,
  say,
  slowDown,
} from "./common.js";

/** Length prefix of a frame of 8 MiB and one byte. */
const OVERSIZED_FRAME = Buffer.from([0x81, 0x80, 0x80, 0x04]);

const { positionals: [dir], values } = readArguments({
  gen: { type: "string", default: "7" },
  port: { type: "string", default: "0" },
  "no-import": { type: "boolean", default: false },
  withhold: { type: "string" },
  trace: { type: "boolean", default: false },
  rate: { type: "string" },
  fault: { type: "string" },
});

/** Forget that these blocks are here, in memory only. */
function withhold(content, range) {
  const [first, last] = range.split("-").map(Number);
  for (let block = first; block <= last; block++) content.bitfield.set(block, false);
}

/** Say which blocks go out. */
function trace(feed, name) {
  feed.on("upload", (block) => say("uploaded", { feed: name, block }));
}

/** Send block `wrong` with one bit flipped, and the proof of the true one. */
function corruptBlock(content, wrong) {
  const honest = content._getBuffer;
  content._getBuffer = function (block, callback) {
    honest.call(content, block, (error, bytes) => {
      if (error || block !== wrong) return callback(error, bytes);
      const lie = Buffer.from(bytes);
      lie[0] ^= 1;
      callback(null, lie);
    });
  };
}

try {
  const drive = await openFolder(dir, { gen: values.gen });
  const started = performance.now();
  const writable = drive.metadata.writable;
  const put = writable && !values["no-import"] ? await importFolder(drive, dir) : null;
  const importSeconds = (performance.now() - started) / 1000;
  if (values.withhold) withhold(drive.content, values.withhold);
  if (values.trace) {
    trace(drive.metadata, "metadata");
    trace(drive.content, "content");
  }
  if (values.fault?.startsWith("wrong-block=")) {
    corruptBlock(drive.content, Number(values.fault.slice("wrong-block=".length)));
  }
  const port = await listen(Number(values.port), async (socket) => {
    say("connected", { address: `${socket.remoteAddress}:${socket.remotePort}` });
    const options = { live: true, upload: true, download: false };
    const filters = values.rate ? [slowDown(Number(values.rate))] : [];
    const stream = await replicateThrough(filters, socket, drive, options, (error) => {
      say("disconnected", { reason: error?.message ?? null });
    });
    if (values.fault === "oversized-frame") {
      drive.metadata.once("upload", () => stream._push(Buffer.from(OVERSIZED_FRAME)));
    }
  });
  say("listening", {
    key: drive.key.toString("hex"),
    port,
    version: drive.version,
    writable,
    contentBlocks: drive.content.length,
    contentBytes: drive.content.byteLength,
    putFiles: put?.files ?? 0,
    putBytes: put?.bytes ?? 0,
    importSeconds,
    peakRssBytes: peakRssBytes(),
  });
  endWithParent();
} catch (error) {
  fail(error);
}
