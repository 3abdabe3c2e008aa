/**
 * A real peer that imports a folder and serves it, or serves a clone as it is.
 *
 * share_folder.js DIR [--gen 6|7] [--port N] [--no-import] [--withhold FIRST-LAST] [--trace]
 *                     [--pace MS] [--fault wrong-block=N | oversized-frame]
 *
 * Says `listening` with the key once peers can connect, then `connected` and `disconnected`; with
 * `--trace` also `uploaded` for each block sent. `--pace` sends content blocks one at a time, with
 * a pause before each, so that a clone takes long enough to be interrupted.
 * `--withhold` claims not to have these content blocks, so that no cloner can be content with this
 * peer alone. The faults make it a peer that lies: one content block with a wrong byte, or a frame
 * of more than 8 MiB right after the handshake.
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
  replicate,
  say,
} from "./common.js";

/** Length prefix of a frame of 8 MiB and one byte. */
const OVERSIZED_FRAME = Buffer.from([0x81, 0x80, 0x80, 0x04]);

const { positionals: [dir], values } = readArguments({
  gen: { type: "string", default: "7" },
  port: { type: "string", default: "0" },
  "no-import": { type: "boolean", default: false },
  withhold: { type: "string" },
  trace: { type: "boolean", default: false },
  pace: { type: "string" },
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

/** Read content blocks one after the other, `ms` milliseconds apart. */
function pace(content, ms) {
  const read = content._getBuffer;
  let last = Promise.resolve();
  content._getBuffer = function (block, callback) {
    last = last.then(() => new Promise((resolve) => setTimeout(resolve, ms)));
    last.then(() => read.call(content, block, callback));
  };
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
  if (values.pace) pace(drive.content, Number(values.pace));
  if (values.fault?.startsWith("wrong-block=")) {
    corruptBlock(drive.content, Number(values.fault.slice("wrong-block=".length)));
  }
  const port = await listen(Number(values.port), async (socket) => {
    say("connected", { address: `${socket.remoteAddress}:${socket.remotePort}` });
    const options = { live: true, upload: true, download: false };
    const stream = await replicate(socket, drive, options, (error) => {
      say("disconnected", { reason: error?.message ?? null });
    });
    if (values.fault === "oversized-frame") {
      stream.once("handshake", () => stream._push(Buffer.from(OVERSIZED_FRAME)));
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
