/**
 * As little as can be between one file and its copy: what trove is measured against. Encrypted TCP,
 * every block compared with its hash on both sides, before it is sent and before it is written, with
 * trove's own crypto module. No requests, no tree, no signatures, nothing that could be gone on with.
 *
 *     bare_pipeline.ts share FOLDER        the one file in it; prints lines as trove does
 *     bare_pipeline.ts clone LINK FOLDER --peer HOST:PORT
 *
 * The link holds the hash of the list of hashes, and is the key of the stream. The stream: 24 bytes of
 * nonce, then encrypted the length of a header of JSON (4 bytes), the header, the list, the blocks.
 */
import { concat, equalBytes, fromHex, fromUtf8, toHex, toUtf8 } from "../src/base/bytes.ts";
import { cryptoBackend } from "../src/crypto/backend.ts";
import { HASH_BYTES, leafHash } from "../src/crypto/hash.ts";
import { type Keystream, NONCE_BYTES, openKeystream } from "../src/crypto/keystream.ts";
import { ROOM_BYTES } from "../src/crypto/rooms.ts";

const BLOCK_BYTES = 64 * 1024;
/** Bytes in one write to the connection. */
const SEND_BYTES = 4 * BLOCK_BYTES;

function say(event: string, fields: Record<string, unknown>): void {
  console.log(JSON.stringify({ event, ...fields }));
}

/** A buffer that the module works in without copies, as trove has for what it reads. */
function takeRoom(): Uint8Array {
  return cryptoBackend().rooms?.take() ?? new Uint8Array(ROOM_BYTES);
}

function blocksOf(bytes: Uint8Array): Uint8Array[] {
  const count = Math.ceil(bytes.length / BLOCK_BYTES);
  return Array.from(
    { length: count },
    (_, n) => bytes.subarray(n * BLOCK_BYTES, (n + 1) * BLOCK_BYTES),
  );
}

function checkBlock(block: Uint8Array, number: number, hashes: Uint8Array): void {
  const expected = hashes.subarray(number * HASH_BYTES, (number + 1) * HASH_BYTES);
  if (!equalBytes(leafHash(block), expected)) throw new Error(`Cannot use block ${number}`);
}

function fill(file: Deno.FsFile, bytes: Uint8Array): Uint8Array {
  let filled = 0;
  while (filled < bytes.length) {
    const count = file.readSync(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

async function sendAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

async function share(folder: string): Promise<void> {
  const [{ name }] = Deno.readDirSync(folder);
  const path = `${folder}/${name}`;
  const began = performance.now();
  const leaves: Uint8Array[] = [];
  {
    using file = Deno.openSync(path);
    const room = takeRoom();
    for (let piece = fill(file, room); piece.length > 0; piece = fill(file, room)) {
      leaves.push(...blocksOf(piece).map(leafHash));
    }
    cryptoBackend().rooms?.give(room);
  }
  const hashes = concat(leaves);
  const key = leafHash(hashes);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  say("archive", { link: `dat://${toHex(key)}` });
  say("imported", { seconds: (performance.now() - began) / 1000 });
  say("listening", { host: listener.addr.hostname, port: listener.addr.port });
  for await (const conn of listener) await send(conn, { path, name, key, hashes });
}

async function send(
  conn: Deno.TcpConn,
  { path, name, key, hashes }: {
    path: string;
    name: string;
    key: Uint8Array;
    hashes: Uint8Array;
  },
): Promise<void> {
  using _conn = conn;
  conn.setNoDelay(true);
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const keystream = openKeystream(key, nonce);
  using file = Deno.openSync(path);
  const { size, mtime } = file.statSync();
  const header = toUtf8(JSON.stringify({ name, size, mtime: mtime!.getTime() }));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, header.length);
  const front = concat([length, header, hashes]);
  keystream.apply(front);
  await sendAll(conn, concat([nonce, front]));
  const rooms = [takeRoom(), takeRoom()];
  let sending: Promise<void> | undefined;
  for (let block = 0, turn = 0; block * BLOCK_BYTES < size; turn++) {
    const piece = fill(file, rooms[turn % 2].subarray(0, SEND_BYTES));
    for (const one of blocksOf(piece)) checkBlock(one, block++, hashes);
    keystream.apply(piece);
    await sending; // what was made ready meanwhile follows at once
    sending = sendAll(conn, piece);
  }
  await sending;
  for (const room of rooms) cryptoBackend().rooms?.give(room);
}

/** Reads so many bytes in clear, at the start of a connection. */
async function receiveFront(
  conn: Deno.Conn,
  count: number,
  keystream?: Keystream,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  for (let filled = 0; filled < count;) {
    const read = await conn.read(bytes.subarray(filled));
    if (read === null) throw new Error("Cannot read on: the connection ended");
    filled += read;
  }
  keystream?.apply(bytes);
  return bytes;
}

async function clone(link: string, folder: string, address: string): Promise<void> {
  say("archive", { link });
  const began = performance.now();
  const key = fromHex(link.slice("dat://".length));
  const [hostname, port] = address.split(":");
  using conn = await Deno.connect({ hostname, port: Number(port) });
  const keystream = openKeystream(key, await receiveFront(conn, NONCE_BYTES));
  const length = new DataView((await receiveFront(conn, 4, keystream)).buffer).getUint32(0);
  const { name, size, mtime } = JSON.parse(fromUtf8(await receiveFront(conn, length, keystream)));
  const hashBytes = Math.ceil(size / BLOCK_BYTES) * HASH_BYTES;
  const hashes = await receiveFront(conn, hashBytes, keystream);
  if (!equalBytes(leafHash(hashes), key)) throw new Error("Cannot use the list of hashes");

  Deno.mkdirSync(folder, { recursive: true });
  const staged = `${folder}/.part`;
  {
    using file = Deno.openSync(staged, { write: true, createNew: true });
    const room = takeRoom();
    let filled = 0;
    for (let block = 0, at = 0; at < size;) {
      const count = await conn.read(room.subarray(filled));
      if (count === null) throw new Error("Cannot read on: the connection ended");
      keystream.apply(room.subarray(filled, filled + count));
      filled += count;
      const isLast = at + filled >= size;
      const whole = room.subarray(0, isLast ? filled : filled - filled % BLOCK_BYTES);
      for (const one of blocksOf(whole)) checkBlock(one, block++, hashes);
      for (let written = 0; written < whole.length;) {
        written += file.writeSync(whole.subarray(written));
      }
      room.copyWithin(0, whole.length, filled);
      filled -= whole.length;
      at += whole.length;
    }
    file.utimeSync(Date.now() / 1000, mtime / 1000);
  }
  Deno.renameSync(staged, `${folder}/${name}`);
  say("synced", { seconds: (performance.now() - began) / 1000 });
}

const [command, first, second, , address] = Deno.args;
if (command === "share") await share(first);
else await clone(first, second, address);
