import assert from "node:assert/strict";
import { RemoteProtocolError, TroveError } from "../../src/base/errors.ts";
import type { Message } from "../../src/core/wire/messages.ts";
import type { Received } from "../../src/core/wire/session.ts";
import { Channel } from "../../src/csp/channel.ts";
import type { Connection } from "../../src/io/connection.ts";
import { type Inbound, PeerLink } from "../../src/io/peer_link.ts";
import { asConnection, memoryPair, tcpPair } from "../support/connections.ts";
import { Random } from "../support/random.ts";
import { SessionPair } from "../support/session_pair.ts";

const BLOCK = 64 * 1024;

/** Both ends of a connection over loopback. */
async function connect(): Promise<[Connection, Connection]> {
  const [one, other] = await tcpPair();
  return [asConnection(one), asConnection(other)];
}

/** A link that runs, and what it has put into its channel. */
class Side implements AsyncDisposable {
  readonly link: PeerLink;
  readonly inbound: Channel<Inbound>;
  readonly encoded: Message[] = [];
  readonly #run: Promise<void>;

  constructor(conn: Connection, session: SessionPair["dialling"], capacity: number) {
    this.inbound = new Channel<Inbound>(capacity);
    const { inbound } = this;
    const onEncoded = (message: Message) => void this.encoded.push(message);
    this.link = new PeerLink(1, { conn, session, inbound, onEncoded });
    this.#run = this.link.run();
  }

  /** The next news of this kind; others are passed over, and buffers given back. */
  async next<K extends Inbound["kind"]>(kind: K): Promise<Extract<Inbound, { kind: K }>> {
    for (;;) {
      const received = await this.inbound.receive();
      if (received.done) throw new Error(`The channel was closed before "${kind}"`);
      const { value } = received;
      if (value.kind === kind) return value as Extract<Inbound, { kind: K }>;
      if (value.kind === "received") value.release();
    }
  }

  /** The next `count` messages, in copies. */
  async messages(count: number): Promise<Received[]> {
    const found: Received[] = [];
    while (found.length < count) {
      const { messages, release } = await this.next("received");
      found.push(...structuredClone(messages));
      release();
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.link.abort();
    this.inbound.close();
    await this.#run;
  }
}

class Sides implements AsyncDisposable {
  constructor(readonly a: Side, readonly b: Side, readonly pair: SessionPair) {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.a[Symbol.asyncDispose]();
    await this.b[Symbol.asyncDispose]();
  }
}

/** Two links that have greeted each other. */
async function linked(
  { capacity = 8, ends }: { capacity?: number; ends?: [Connection, Connection] } = {},
): Promise<Sides> {
  const pair = new SessionPair();
  const [one, other] = ends ?? await connect();
  const a = new Side(one, pair.dialling, capacity);
  const b = new Side(other, pair.accepting, capacity);
  for (const outgoing of pair.greeting()) a.link.send(outgoing, 64);
  // The accepting side learns from the first message which feed this is about.
  const first = await b.messages(1);
  for (const outgoing of pair.greeting()) b.link.send(outgoing, 64);
  await Promise.all([a.messages(2), b.messages(2 - first.length)]);
  return new Sides(a, b, pair);
}

const data = (index: number, value: Uint8Array): { channel: number; message: Message } => ({
  channel: 0,
  message: { type: "data", index, value, nodes: [] },
});

Deno.test("messages arrive whole and in order, however large, and are told when they are sent", async () => {
  await using sides = await linked();
  const { a, b } = sides;
  const values = Array.from({ length: 100 }, (_, n) => new Random(`${n}`).bytes(n * 997 + 1));
  values.push(new Random("large").bytes(3 * 1024 * 1024));
  for (const [index, value] of values.entries()) a.link.send(data(index, value), value.length);
  const sent = values.reduce((sum, { length }) => sum + length, 0);
  const flushed = (async () => {
    let bytes = 0;
    while (bytes < sent) bytes += (await a.next("flushed")).bytes;
    return bytes;
  })();
  const received = await b.messages(values.length);
  for (const [index, { message }] of received.entries()) {
    assert.ok(message.type === "data" && message.index === index);
    assert.deepEqual(message.value, values[index]);
  }
  assert.ok(await flushed >= sent);
  assert.equal(a.encoded.filter(({ type }) => type === "data").length, values.length);
});

Deno.test("messages arrive whole and in order however the bytes are cut and however few fit", async () => {
  for (const [seed, capacity] of [["a", 1], ["b", 7], ["c", 5000]] as const) {
    const random = new Random(seed);
    const mostAtOnce = () => 1 + random.below(capacity);
    await using sides = await linked({
      capacity: 10_000,
      ends: memoryPair({ capacity, mostAtOnce }),
    });
    const { a, b } = sides;
    const values = Array.from({ length: 20 }, (_, n) => random.bytes(1 + n * 13).slice());
    for (const [n, value] of values.entries()) {
      a.link.send(data(n, value), value.length);
      b.link.send(data(n, value), value.length);
    }
    for (const side of [b, a]) {
      const received = await side.messages(values.length);
      for (const [n, { message }] of received.entries()) {
        assert.ok(message.type === "data");
        assert.deepEqual(message.value, values[n]);
      }
    }
    a.link.finish();
    assert.equal((await b.next("unlinked")).reason, "closed");
  }
});

Deno.test("a reader whose news nobody takes stops reading, and loses nothing", async () => {
  await using sides = await linked({ capacity: 1 });
  const { a, b } = sides;
  const count = 256; // 16 MiB: more than the system's buffers hold
  for (let n = 0; n < count; n++) a.link.send(data(n, new Uint8Array(BLOCK).fill(n)), BLOCK);
  let flushed = 0;
  const flushing = (async () => {
    while (flushed < count * BLOCK) flushed += (await a.next("flushed")).bytes;
  })();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(flushed < count * BLOCK, "back-pressure reaches the sender");
  const received = await b.messages(count);
  assert.ok(
    received.every(({ message }, n) => message.type === "data" && message.value![0] === n % 256),
  );
  await flushing;
});

Deno.test("finish() sends what is queued, ends our side, and waits for the other", async () => {
  await using sides = await linked();
  const { a, b } = sides;
  a.link.send(data(0, new Uint8Array(500_000)), 500_000);
  a.link.finish();
  a.link.send(data(1, new Uint8Array(5)), 5); // too late
  const [{ message }] = await b.messages(1);
  assert.ok(message.type === "data" && message.value!.length === 500_000);
  assert.equal((await b.next("unlinked")).reason, "closed");
  b.link.finish();
  assert.equal((await a.next("unlinked")).reason, "closed");
  assert.equal(a.encoded.filter(({ type }) => type === "data").length, 1);
});

Deno.test("abort() ends a link at once and on both sides, and twice is no harm", async () => {
  await using sides = await linked();
  const { a, b } = sides;
  a.link.abort();
  a.link.abort();
  assert.equal((await a.next("unlinked")).reason, "closed");
  await b.next("unlinked");
  a.link.send(data(0, new Uint8Array(5)), 5);
  assert.equal(a.encoded.filter(({ type }) => type === "data").length, 0);
});

Deno.test("a peer that breaks the protocol is told as its fault", async () => {
  const pair = new SessionPair();
  const [one, other] = await connect();
  await using side = new Side(other, pair.accepting, 8);
  using _open = one;
  await one.write(Uint8Array.of(0xff, 0xff, 0xff, 0x7f)); // a first frame of 256 MiB
  assert.ok((await side.next("unlinked")).reason instanceof RemoteProtocolError);
});

Deno.test("a stream that ends inside a frame was cut, and that is no breach; one between frames just ended", async () => {
  for (const [cut, wasCut] of [[5, true], [0, false]] as const) {
    const pair = new SessionPair();
    const [one, other] = await connect();
    await using side = new Side(other, pair.accepting, 8);
    const bytes = pair.dialling.encode(pair.greeting());
    await one.write(bytes.subarray(0, bytes.length - cut));
    one.close();
    const { reason } = await side.next("unlinked");
    assert.equal(reason instanceof TroveError, wasCut, String(reason));
    assert.equal(reason instanceof RemoteProtocolError, false, String(reason));
  }
});

Deno.test("bytes that complete nothing are told now and then, with how many there are", async () => {
  const pair = new SessionPair();
  const [one, other] = await connect();
  await using side = new Side(other, pair.accepting, 8);
  using open = one;
  const greeting = pair.dialling.encode(pair.greeting()).slice();
  const frame = pair.dialling.encode([data(0, new Uint8Array(900))]).slice();
  await open.write(greeting);
  await side.messages(2);
  // News of the greeting are half a second old before there are others without a message.
  await new Promise((resolve) => setTimeout(resolve, 600));
  await open.write(frame.subarray(0, 300));
  const { messages, partialBytes, release } = await side.next("received");
  assert.deepEqual(messages, []);
  assert.ok(partialBytes > 250 && partialBytes <= 300, `${partialBytes}`);
  release();
  await open.write(frame.subarray(300));
  const [{ message }] = await side.messages(1);
  assert.equal(message.type, "data");
});
