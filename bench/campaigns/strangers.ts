/** What hostile peers do to somebody who shares, each until it is told to stop. */
import { fromHex } from "../../src/base/bytes.ts";
import type { Message } from "../../src/core/wire/messages.ts";
import { type Outgoing, Session } from "../../src/core/wire/session.ts";
import { discoveryKey } from "../../src/crypto/hash.ts";
import { Random } from "../../tests/support/random.ts";

/** Whom they trouble: the address, and the link, which any reader of an archive knows. */
export interface Victim {
  readonly address: string;
  /** 64 hex digits. */
  readonly key: string;
  readonly contentKey: Uint8Array;
}

/** Do it until the signal says stop; answers how many connections or messages there were. */
export type Attack = (victim: Victim, signal: AbortSignal) => Promise<number>;

/** Strangers at the door at the same time. */
const AT_ONCE = 64;
/** How long one that is not hung up on stays. */
const STAY_MS = 1000;
/** Messages handed over at once. */
const BATCH = 500;
/** Those that are left besides the first two. */
const CHANNELS = 254;
/** Bytes a second that a slow reader takes. */
const SLOW_RATE = 1000;
const KEEPALIVE_MS = 3000;
const HUGE = Number.MAX_SAFE_INTEGER;

const random = new Random("hostile");

export async function dial(address: string): Promise<Deno.TcpConn> {
  const colon = address.lastIndexOf(":");
  const hostname = address.slice(0, colon);
  return await Deno.connect({ hostname, port: Number(address.slice(colon + 1)) });
}

export function greeting(publicKey: Uint8Array): Outgoing[] {
  const id = random.bytes(32).slice();
  return [
    { channel: 0, message: { type: "feed", discoveryKey: discoveryKey(publicKey) } },
    { channel: 0, message: { type: "handshake", id, live: true, extensions: [], ack: false } },
  ];
}

/** Wait, but not longer than until the signal. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = () => {
    clearTimeout(timer);
    resolve();
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  return promise;
}

/** So many at once, each again and again, whatever becomes of it. */
async function again(
  count: number,
  signal: AbortSignal,
  visit: () => Promise<number>,
): Promise<number> {
  let sum = 0;
  await Promise.all(Array.from({ length: count }, async () => {
    while (!signal.aborted) {
      try {
        sum += await visit();
      } catch {
        // Hung up on, or refused: both are fine.
        await pause(20, signal);
      }
    }
  }));
  return sum;
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // It is closed.
  }
}

/** Read until the other side ends it, or for so long. */
async function listen(conn: Deno.TcpConn, ms: number, signal: AbortSignal): Promise<void> {
  const piece = new Uint8Array(65536);
  const end = () => close(conn);
  const timer = setTimeout(end, ms);
  signal.addEventListener("abort", end, { once: true });
  try {
    while (await conn.read(piece) !== null);
  } catch {
    // Closed, by one of the two.
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    end();
  }
}

/** What strangers say first. */
const GREETINGS: readonly (() => Uint8Array)[] = [
  () => random.bytes(3000).slice(),
  () => new Uint8Array(0),
  () => Uint8Array.of(0x81, 0x80, 0x80, 0x04),
  () => Uint8Array.of(0xa0, 0x1f, 0x00, 0x0a, 0x20),
  () => new Uint8Array(3000),
  () => strangersGreeting(random.bytes(32).slice()),
];

/** Feed and Handshake of an archive that is not there. */
function strangersGreeting(publicKey: Uint8Array): Uint8Array {
  const session = new Session({ nonce: random.bytes(24).slice() });
  session.open(publicKey);
  return session.encode(greeting(publicKey)).slice();
}

/** Connections of garbage, so many in all. */
export const garbage = (attempts: number): Attack => async ({ address }, signal) => {
  let visits = 0;
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  await again(AT_ONCE, both, async () => {
    if (visits >= attempts) {
      stop.abort();
      return 0;
    }
    const conn = await dial(address);
    await conn.write(GREETINGS[visits++ % GREETINGS.length]());
    await listen(conn, STAY_MS, both);
    return 1;
  });
  return visits;
};

/** So many connections that are opened and say nothing. */
export const halfOpen = (count: number): Attack => async ({ address }, signal) => {
  const conns: Deno.TcpConn[] = [];
  for (let n = 0; n < count && !signal.aborted; n++) {
    try {
      conns.push(await dial(address));
    } catch {
      await pause(5, signal);
    }
  }
  while (!signal.aborted) await pause(1000, signal);
  for (const conn of conns) conn.close();
  return conns.length;
};

/** A good greeting, one byte every tenth of a second. */
export const slowLoris: Attack = (victim, signal) =>
  again(AT_ONCE, signal, async () => {
    using conn = await dial(victim.address);
    for (const byte of strangersGreeting(fromHex(victim.key))) {
      await conn.write(Uint8Array.of(byte));
      await pause(100, signal);
      if (signal.aborted) break;
    }
    return 1;
  });

/** A good greeting, and then whatever comes is sent back as it is. */
export const reflection: Attack = (victim, signal) =>
  again(8, signal, async () => {
    using conn = await dial(victim.address);
    await conn.write(strangersGreeting(fromHex(victim.key)));
    const piece = new Uint8Array(65536);
    for (let count = await conn.read(piece); count !== null && !signal.aborted;) {
      await conn.write(piece.subarray(0, count));
      count = await conn.read(piece);
    }
    return 1;
  });

/** Of a reader who knows the link: greet, and say the same kind of thing without end. */
export const flood =
  (make: (n: number) => Message, { reads = true } = {}): Attack => (victim, signal) =>
    again(4, signal, async () => {
      const publicKey = fromHex(victim.key);
      const session = new Session({ nonce: random.bytes(24).slice() });
      session.open(publicKey);
      const content = discoveryKey(victim.contentKey);
      const conn = await dial(victim.address);
      const listening = reads ? listen(conn, 3_600_000, signal) : undefined;
      let said = 0;
      try {
        await conn.write(
          session.encode([
            ...greeting(publicKey),
            { channel: 1, message: { type: "feed", discoveryKey: content } },
          ]).slice(),
        );
        while (!signal.aborted) {
          const isFeed = make(0).type === "feed";
          // Each takes a channel for good: whoever has used them all comes again.
          const batch = Array.from({ length: isFeed ? CHANNELS : BATCH }, (_, n): Outgoing => ({
            channel: isFeed ? 2 + n : 1,
            message: make(said + n),
          }));
          await conn.write(session.encode(batch).slice());
          said += batch.length;
          if (isFeed) break;
          await pause(0, signal);
        }
      } catch {
        // Hung up on.
      } finally {
        if (!reads || make(0).type === "feed") close(conn);
        await listening;
      }
      return said;
    });

export const FLOODS: Readonly<Record<string, Attack>> = {
  "Want flood": flood((n) => ({ type: "want", start: 8192 * n % HUGE, length: 8192 })),
  "Request flood": flood((n) => ({
    type: "request",
    index: n % 900,
    bytes: 0,
    hash: false,
    nodes: 0,
  })),
  "Request flood, nothing read": flood(
    (n) => ({ type: "request", index: n % 900, bytes: 0, hash: false, nodes: 0 }),
    { reads: false },
  ),
  "Cancel flood": flood((n) => ({ type: "cancel", index: n % 900, bytes: 0, hash: false })),
  "Feed flood": flood(() => ({ type: "feed", discoveryKey: random.bytes(32).slice() })),
  "Have of 2^53 blocks": flood((n) => ({ type: "have", start: n, length: HUGE - n, ack: false })),
  "lying bitfields": flood(() => ({
    type: "have",
    start: 0,
    length: 1,
    // A run of ones that stands for two million blocks.
    bitfield: Uint8Array.of(0x83, 0x80, 0x40),
    ack: false,
  })),
  "Data unasked": flood((n) => ({
    type: "data",
    index: n,
    value: new Uint8Array(100),
    nodes: [],
    signature: new Uint8Array(64),
  })),
};

/** Ask for all blocks and take next to nothing. */
export const slowReaders: Attack = (victim, signal) =>
  again(8, signal, async () => {
    using conn = await dial(victim.address);
    const publicKey = fromHex(victim.key);
    const session = new Session({ nonce: random.bytes(24).slice() });
    session.open(publicKey);
    const requests = Array.from({ length: 250 }, (_, index): Outgoing => ({
      channel: 1,
      message: { type: "request", index, bytes: 0, hash: false, nodes: 0 },
    }));
    await conn.write(
      session.encode([
        ...greeting(publicKey),
        { channel: 1, message: { type: "feed", discoveryKey: discoveryKey(victim.contentKey) } },
        ...requests,
      ]).slice(),
    );
    let saidAt = performance.now();
    const piece = new Uint8Array(SLOW_RATE / 10);
    while (!signal.aborted && await conn.read(piece) !== null) {
      await pause(100, signal);
      // Silent peers are given up: a slow reader says something now and then.
      if (performance.now() - saidAt < KEEPALIVE_MS) continue;
      saidAt = performance.now();
      await conn.write(session.encode(["keepalive"]).slice());
    }
    return 1;
  });
