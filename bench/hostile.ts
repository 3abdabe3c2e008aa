/**
 * What strangers cost: a sharer is flooded with connections that are mostly garbage, and then read
 * from very slowly, while an honest peer clones from it. Prints how much its memory grew and how
 * much longer the honest peer took.
 *
 *     deno run -A bench/hostile.ts [--attempts N] [--readers N] [--seconds N]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fromHex } from "../src/base/bytes.ts";
import { type Outgoing, Session } from "../src/core/wire/session.ts";
import { discoveryKey } from "../src/crypto/hash.ts";
import { cloneWithTrove, type Sharer, shareWithTrove } from "../tests/support/sharing.ts";
import { Random } from "../tests/support/random.ts";
import { tempFolder } from "../tests/support/temp.ts";
import { writeTree } from "../tests/support/trees.ts";

const BYTES = 64_000_000;

/** Strangers at the door at the same time. */
const AT_ONCE = 64;

/** How long one that is not hung up on stays. */
const STAY_MS = 1000;

/** Bytes a second that a slow reader takes. */
const SLOW_RATE = 1000;

/** Silent peers are given up: a slow reader says something this often. */
const KEEPALIVE_MS = 3000;

const { values: options } = parseArgs({
  options: {
    attempts: { type: "string", default: "5000" },
    readers: { type: "string", default: "8" },
    seconds: { type: "string", default: "60" },
  },
});

/** Resident memory of a process, in bytes, looked at now and then. */
class Memory implements Disposable {
  #peak = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(readonly pid: number) {
    this.#timer = setInterval(() => this.#look(), 20);
  }

  #look(): number {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    const now = 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)![1]);
    this.#peak = Math.max(this.#peak, now);
    return now;
  }

  /** The most since the last call. */
  takePeak(): number {
    this.#look();
    const peak = this.#peak;
    this.#peak = 0;
    return peak;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

const random = new Random("hostile");

/** What strangers say first. */
const GREETINGS: readonly (() => Uint8Array)[] = [
  () => random.bytes(3000).slice(),
  () => new Uint8Array(0),
  () => Uint8Array.of(0x81, 0x80, 0x80, 0x04),
  () => Uint8Array.of(0xa0, 0x1f, 0x00, 0x0a, 0x20),
  () => new Uint8Array(3000),
  () => strangersGreeting(random.bytes(32).slice()).slice(),
];

/** Feed and Handshake of an archive that is not there. */
function strangersGreeting(publicKey: Uint8Array): Uint8Array {
  const session = new Session({ nonce: random.bytes(24).slice() });
  session.open(publicKey);
  return session.encode(greeting(publicKey));
}

function greeting(publicKey: Uint8Array): Outgoing[] {
  const id = random.bytes(32).slice();
  return [
    { channel: 0, message: { type: "feed", discoveryKey: discoveryKey(publicKey) } },
    { channel: 0, message: { type: "handshake", id, live: true, extensions: [], ack: false } },
  ];
}

async function dial({ address }: Sharer): Promise<Deno.TcpConn> {
  const [hostname, port] = address.split(":");
  return await Deno.connect({ hostname, port: Number(port) });
}

async function visit(sharer: Sharer, what: number): Promise<void> {
  try {
    using conn = await dial(sharer);
    await conn.write(GREETINGS[what % GREETINGS.length]());
    const patience = setTimeout(() => conn.close(), STAY_MS);
    try {
      const piece = new Uint8Array(4096);
      while (await conn.read(piece) !== null);
    } finally {
      clearTimeout(patience);
    }
  } catch {
    // Hung up on, or refused: both are fine.
  }
}

/** So many visits, some at once. Answers how many there were when it was told to end. */
async function flood(sharer: Sharer, attempts: number): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < attempts) await visit(sharer, next++);
  }));
}

/** Ask for all blocks and take next to nothing, for so long. Answers how long it was let. */
async function readSlowly(
  sharer: Sharer,
  contentKey: Uint8Array,
  seconds: number,
): Promise<number> {
  const began = performance.now();
  using conn = await dial(sharer);
  const publicKey = fromHex(sharer.key);
  const session = new Session({ nonce: random.bytes(24).slice() });
  session.open(publicKey);
  const requests = Array.from({ length: 250 }, (_, index): Outgoing => ({
    channel: 1,
    message: { type: "request", index, bytes: 0, hash: false, nodes: 0 },
  }));
  const content = discoveryKey(contentKey);
  await conn.write(session.encode([
    ...greeting(publicKey),
    { channel: 1, message: { type: "feed", discoveryKey: content } },
    ...requests,
  ]));
  let saidAt = began;
  try {
    const piece = new Uint8Array(SLOW_RATE / 10);
    while (performance.now() - began < 1000 * seconds) {
      if (await conn.read(piece) === null) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (performance.now() - saidAt < KEEPALIVE_MS) continue;
      saidAt = performance.now();
      await conn.write(session.encode(["keepalive"]).slice());
    }
  } catch {
    // Given up by the sharer.
  }
  return (performance.now() - began) / 1000;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

if (import.meta.main) {
  using temp = tempFolder();
  const folder = temp.folder("folder");
  writeTree(folder, [{ path: "large", size: BYTES }, { path: "small", size: 100 }], "hostile");
  await using sharer = await shareWithTrove(folder, { home: temp.folder("home") });
  const contentKey = Deno.readFileSync(join(folder, ".dat", "content.key"));
  using memory = new Memory(sharer.process.pid);
  let clones = 0;
  const clone = async () => {
    const began = performance.now();
    const copy = temp.join(`copy${++clones}`);
    const exit = await cloneWithTrove([sharer], copy, { home: temp.folder("reader") });
    if (exit.code !== 0) throw new Error(exit.stderr);
    Deno.removeSync(copy, { recursive: true });
    return (performance.now() - began) / 1000;
  };

  // The first one warms it up, and sets what is usual.
  await clone();
  const usual = await clone();
  const before = memory.takePeak();
  console.log(`honest peer alone: ${usual.toFixed(1)} s, sharer's peak ${megabytes(before)}`);

  const attempts = Number(options.attempts);
  const flooding = flood(sharer, attempts);
  const flooded = await clone();
  await flooding;
  const afterFlood = memory.takePeak();
  console.log(
    `during ${attempts} connections of garbage: ${flooded.toFixed(1)} s ` +
      `(${(flooded / usual).toFixed(1)} times), sharer's peak ` +
      `${afterFlood >= before ? "+" : ""}${megabytes(afterFlood - before)}`,
  );

  const [readers, seconds] = [Number(options.readers), Number(options.seconds)];
  const reading = Promise.all(
    Array.from({ length: readers }, () => readSlowly(sharer, contentKey, seconds)),
  );
  const slowed = await clone();
  const stayed = await reading;
  const afterReaders = memory.takePeak();
  console.log(
    `with ${readers} peers that read 1 kB/s, cut after ${Math.max(...stayed).toFixed(0)} s at ` +
      `most: ${slowed.toFixed(1)} s (${(slowed / usual).toFixed(1)} times), sharer's peak ` +
      `${afterReaders >= before ? "+" : ""}${megabytes(afterReaders - before)}`,
  );
}
