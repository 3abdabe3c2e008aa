/**
 * What every peer program needs: its arguments, JSON lines out, an end, and the published packages.
 *
 * The programs run in Deno (the tests, JavaScript crypto) and in Node (the bench, native crypto).
 * Packages are imported by name at run time, so that neither type checking nor the lock file of
 * the project itself ever meets them.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { EventEmitter } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import net from "node:net";
import process from "node:process";
import { Transform } from "node:stream";
import { parseArgs } from "node:util";

// Several streams listen on one feed by design; the warning about it is noise.
EventEmitter.defaultMaxListeners = 0;

/** Pauses shorter than this are put together: timers are no finer. */
const SHORTEST_PAUSE_MS = 5;

/** The default export of a package by the name that package.json gives it. */
export async function load(name) {
  return (await import(name)).default;
}

/** Positional arguments and `--name value` options; names not given in `options` are an error. */
export function readArguments(options) {
  return parseArgs({ options, allowPositionals: true });
}

/** One JSON line on stdout. */
export function say(event, fields = {}) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
}

/** Say what went wrong and leave with exit code 1. */
export function fail(error) {
  say("error", { message: error instanceof Error ? error.message : String(error) });
  process.exit(1);
}

/** Call a function whose last argument is a Node callback. */
export function call(target, method, ...rest) {
  return new Promise((resolve, reject) => {
    target[method](...rest, (error, value) => error ? reject(error) : resolve(value));
  });
}

/** Leave when the parent closes stdin or sends SIGTERM, with a last line of figures. */
export function endWithParent() {
  const leave = () => {
    say("closing", { peakRssBytes: peakRssBytes() });
    process.exit(0);
  };
  process.on("SIGTERM", leave);
  process.stdin.on("end", leave);
  process.stdin.on("error", leave);
  process.stdin.resume();
}

/** Highest resident set so far. From the kernel: getrusage is inherited across exec. */
export function peakRssBytes() {
  try {
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
  } catch {
    return null; // not Linux
  }
}

export function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The hyperdrive of a generation: "7" is 9.16.0 on hypercore 7.7.1, "6" is 9.14.5 on 6.26.0. */
export function loadHyperdrive(gen = "7") {
  return load(gen === "6" ? "hyperdrive914" : "hyperdrive");
}

/**
 * Open the archive of a folder in the layout of the dat command: content is the working files.
 * Without a key it is opened as its owner would, and created if there is none.
 */
export async function openFolder(dir, { gen, key } = {}) {
  const hyperdrive = await loadHyperdrive(gen);
  const datStorage = await load("dat-storage");
  mkdirSync(dir, { recursive: true });
  const options = { latest: true, indexing: !key };
  const drive = hyperdrive(datStorage(dir), key ? keyBytes(key) : null, options);
  await call(drive, "ready");
  return drive;
}

/** Import a folder with dat-node's own import code. Gives the files and bytes it put. */
export async function importFolder(drive, dir) {
  const importFiles = await load("dat-node/lib/import-files.js");
  return await new Promise((resolve, reject) => {
    const run = importFiles(drive, dir, { indexing: true }, (error) => {
      if (error) reject(error);
      else resolve(run.putDone);
    });
  });
}

/** Join a socket and a replication stream. `onEnd` gets the error, or null after a clean end. */
export function replicate(socket, drive, options, onEnd) {
  return replicateThrough([], socket, drive, options, onEnd);
}

/** The same, with what goes out passing through the streams of `filters`. */
export async function replicateThrough(filters, socket, drive, options, onEnd) {
  const pump = await load("pump");
  const stream = drive.replicate(options);
  socket.setNoDelay(true);
  pump(socket, stream, ...filters, socket, (error) => onEnd(error ?? null));
  return stream;
}

/** A stream that lets `rate` bytes a second through. */
export function slowDown(rate) {
  let debtMs = 0;
  return new Transform({
    transform(chunk, _encoding, callback) {
      debtMs += 1000 * chunk.length / rate;
      if (debtMs < SHORTEST_PAUSE_MS) return callback(null, chunk);
      setTimeout(callback, debtMs, null, chunk);
      debtMs = 0;
    },
  });
}

/** Serve on 127.0.0.1; gives the port. `onSocket` gets each connection. */
export function listen(port, onSocket) {
  const server = net.createServer(onSocket);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server.address().port));
  });
}

/** Dial HOST:PORT. Errors reach the replication stream the socket is joined to. */
export function dial(address) {
  const colon = address.lastIndexOf(":");
  return net.connect(Number(address.slice(colon + 1)), address.slice(0, colon));
}

/** 32 bytes of 64 hex digits, with or without `dat://` before them. */
export function keyBytes(link) {
  return Buffer.from(link.replace(/^dat:\/\//, ""), "hex");
}

/** Every file of a drive below `dir`, as [path, stat], in the order the drive lists them. */
export async function listFiles(drive, dir = "/") {
  const files = [];
  for (const name of await call(drive, "readdir", dir)) {
    const path = dir === "/" ? `/${name}` : `${dir}/${name}`;
    const stat = await call(drive, "stat", path);
    if (stat.isDirectory()) files.push(...await listFiles(drive, path));
    else files.push([path, stat]);
  }
  return files;
}
