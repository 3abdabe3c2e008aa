/** One live connection under load, and with a remote that means no good, over loopback sockets. */
import assert from "node:assert/strict";
import { LocalProtocolError, RemoteProtocolError, TroveError } from "../../src/base/errors.ts";
import type { Message } from "../../src/core/wire/messages.ts";
import type { Outgoing, Session } from "../../src/core/wire/session.ts";
import { Channel } from "../../src/csp/channel.ts";
import { type Inbound, PeerLink } from "../../src/io/peer_link.ts";
import { asConnection, memoryPair, tcpPair } from "../support/connections.ts";
import { Random } from "../support/random.ts";
import { SessionPair } from "../support/session_pair.ts";

const PEER = 7;

/** A link on the accepting side, and the bare connection and session of the remote. */
class Hosted implements AsyncDisposable {
  readonly inbound = new Channel<Inbound>(8);
  readonly encoded: Message[] = [];
  readonly pair = new SessionPair();
  readonly link: PeerLink;
  readonly remote: Deno.TcpConn;
  readonly ended: Promise<unknown>;

  constructor([remote, conn]: [Deno.TcpConn, Deno.TcpConn], session?: Session) {
    this.remote = remote;
    const { inbound } = this;
    const onEncoded = (message: Message) => void this.encoded.push(message);
    this.link = new PeerLink(PEER, {
      conn: asConnection(conn),
      session: session ?? this.pair.accepting,
      inbound,
      onEncoded,
    });
    this.ended = this.link.run().then(() => undefined, (error) => error);
  }

  /** The remote says this. */
  async say(...outgoing: Outgoing[]): Promise<void> {
    await this.write(this.pair.dialling.encode(outgoing).slice());
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.remote.write(rest));
  }

  async next<K extends Inbound["kind"]>(kind: K): Promise<Extract<Inbound, { kind: K }>> {
    for (;;) {
      const received = await this.inbound.receive();
      if (received.done) throw new Error(`The channel was closed before "${kind}"`);
      const { value } = received;
      if (value.kind === kind) return value as Extract<Inbound, { kind: K }>;
      if (value.kind === "received") value.release();
    }
  }

  /** The remote and the link greet each other; what the remote hears is thrown away. */
  async greet(): Promise<void> {
    await this.say(...this.pair.greeting());
    await this.next("received");
    for (const outgoing of this.pair.greeting()) this.link.send(outgoing, 64);
    await this.next("flushed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.link.abort();
    this.inbound.close();
    try {
      this.remote.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
    await this.ended;
  }
}

async function host(): Promise<Hosted> {
  return new Hosted(await tcpPair());
}

function data(index: number, value: Uint8Array): Outgoing {
  return { channel: 0, message: { type: "data", index, value, nodes: [] } };
}

Deno.test("blocks stay as they are until they are released, while others pour in behind them", async () => {
  await using hosted = await host();
  const random = new Random("pour");
  const blocks = Array.from({ length: 300 }, () => random.bytes(1 + random.below(100_000)).slice());
  const saying = (async () => {
    await hosted.say(...hosted.pair.greeting());
    for (let at = 0; at < blocks.length; at += 10) {
      await hosted.say(...blocks.slice(at, at + 10).map((block, i) => data(at + i, block)));
    }
  })();
  // A few pieces are held at any time, as between two commits.
  const held: Extract<Inbound, { kind: "received" }>[] = [];
  let count = 0;
  const check = (piece: Extract<Inbound, { kind: "received" }>) => {
    for (const { message } of piece.messages) {
      if (message.type !== "data") continue;
      assert.deepEqual(message.value, blocks[message.index], `block ${message.index}`);
      count++;
    }
    piece.release();
  };
  while (count < blocks.length) {
    const received = await hosted.inbound.receive();
    assert.ok(!received.done && received.value.kind === "received");
    held.push(received.value);
    const all = held.reduce((sum, { messages }) => sum + messages.length, 0) + count;
    while (held.length > 5 || (all >= blocks.length && held.length > 0)) check(held.shift()!);
  }
  await saying;
});

Deno.test("each message is told once it is encoded, and its buffer may change from then on", async () => {
  await using hosted = await host();
  await hosted.greet();
  const blocks = Array.from({ length: 200 }, (_, i) => new Random(`b${i}`).bytes(50_000).slice());
  const lent = blocks.map((block) => block.slice());
  for (const [index, block] of lent.entries()) hosted.link.send(data(index, block), block.length);
  const spoiling = (async () => {
    for (let flushed = 0; flushed < 200 * 50_000;) {
      flushed += (await hosted.next("flushed")).bytes;
      for (const message of hosted.encoded) {
        if (message.type === "data") message.value!.fill(0xee);
      }
    }
  })();
  const received: Message[] = [];
  const piece = new Uint8Array(256 * 1024);
  while (received.length < 202) {
    const count = await hosted.remote.read(piece);
    assert.ok(count !== null);
    for (const { message } of hosted.pair.dialling.receive(piece.slice(0, count))) {
      received.push(message);
    }
  }
  await spoiling;
  for (const [index, message] of received.slice(2).entries()) {
    assert.ok(message.type === "data" && message.index === index);
    assert.deepEqual(message.value, blocks[index]);
  }
  const told = hosted.encoded.filter(({ type }) => type === "data");
  assert.equal(told.length, 200);
  assert.equal(new Set(told).size, 200);
});

Deno.test("what is told as flushed adds up to what was sent, keepalives counting nothing", async () => {
  await using hosted = await host();
  await hosted.greet();
  let sent = 0;
  for (let i = 0; i < 500; i++) {
    hosted.link.send(i % 3 === 0 ? "keepalive" : data(i, new Uint8Array(i)), i % 3 === 0 ? 0 : i);
    sent += i % 3 === 0 ? 0 : i;
  }
  let flushed = 0;
  while (flushed < sent) flushed += (await hosted.next("flushed")).bytes;
  assert.equal(flushed, sent);
});

Deno.test("a remote that reads nothing holds up the writer, and abort() ends it all the same", async () => {
  await using hosted = await host();
  await hosted.greet();
  for (let i = 0; i < 400; i++) hosted.link.send(data(i, new Uint8Array(100_000)), 100_000);
  const first = await hosted.next("flushed"); // what the system's buffers take
  assert.ok(first.bytes < 400 * 100_000);
  hosted.link.abort();
  assert.equal((await hosted.next("unlinked")).reason, "closed");
  assert.ok(hosted.encoded.length < 400, "the rest was never encoded");
});

Deno.test("bytes at random end the link as the remote's fault", async () => {
  for (let seed = 0; seed < 10; seed++) {
    await using hosted = await host();
    // Some begin well and go on badly.
    if (seed % 2 === 0) await hosted.say(...hosted.pair.greeting());
    const junk = new Random(`junk ${seed}`).bytes(200_000).slice();
    // The link may be gone before all of it is out.
    await hosted.write(junk).catch(() => {});
    hosted.remote.closeWrite().catch(() => {});
    const { reason } = await hosted.next("unlinked");
    assert.ok(reason instanceof RemoteProtocolError, `seed ${seed}: ${reason}`);
  }
});

Deno.test("a stream with any one bit flipped ends or goes on, and never throws", async () => {
  const pair = new SessionPair();
  const messages: Outgoing[] = [
    ...pair.greeting(),
    { channel: 0, message: { type: "want", start: 0, length: 8192 } },
    data(3, Uint8Array.of(1, 2, 3)),
    { channel: 0, message: { type: "request", index: 5, bytes: 0, hash: false, nodes: 3 } },
  ];
  const bytes = pair.dialling.encode(messages).slice();
  for (let bit = 0; bit < bytes.length * 8; bit += 37) {
    const spoiled = bytes.slice();
    spoiled[bit >> 3] ^= 1 << (bit & 7);
    await using hosted = await host();
    await hosted.write(spoiled).catch(() => {});
    hosted.remote.closeWrite().catch(() => {});
    const { reason } = await hosted.next("unlinked");
    assert.ok(
      reason === "closed" || reason instanceof TroveError,
      `bit ${bit}: ${reason}`,
    );
    assert.equal(await hosted.ended, undefined);
  }
});

Deno.test("a stream cut anywhere gives the whole messages before the cut", async () => {
  const pair = new SessionPair();
  const all = [...pair.greeting(), data(1, new Uint8Array(40)), data(2, new Uint8Array(40))];
  const frames: Uint8Array[] = [];
  for (const item of all) frames.push(pair.dialling.encode([item]).slice());
  const ends = frames.map((_, n) => frames.slice(0, n + 1).reduce((sum, f) => sum + f.length, 0));
  const bytes = new Uint8Array(ends.at(-1)!);
  for (const [n, frame] of frames.entries()) bytes.set(frame, ends[n] - frame.length);
  for (let cut = 1; cut <= bytes.length; cut += 11) {
    await using hosted = await host();
    await hosted.write(bytes.slice(0, cut));
    await hosted.remote.closeWrite();
    let count = 0;
    for (;;) {
      const received = await hosted.inbound.receive();
      assert.ok(!received.done);
      const { value } = received;
      if (value.kind === "received") count += value.messages.length;
      if (value.kind !== "unlinked") continue;
      assert.equal(value.reason instanceof TroveError, !ends.includes(cut), `cut ${cut}`);
      break;
    }
    assert.equal(count, ends.filter((end) => end <= cut).length, `cut ${cut}`);
  }
});

Deno.test("a flood of keepalives is the remote's fault, an hour's worth is not", async () => {
  for (const [count, fault] of [[100_000, true], [900, false]] as const) {
    await using hosted = await host();
    await hosted.say(...hosted.pair.greeting());
    const bytes = hosted.pair.dialling.encode(Array<Outgoing>(count).fill("keepalive")).slice();
    const flood = hosted.write(bytes).catch(() => {});
    if (!fault) {
      await flood;
      await hosted.remote.closeWrite();
    }
    const { reason } = await hosted.next("unlinked");
    assert.equal(reason instanceof RemoteProtocolError, fault, `${reason}`);
    await flood;
  }
});

Deno.test("a flood of small messages comes in pieces of bounded size", async () => {
  await using hosted = await host();
  const want: Outgoing = { channel: 0, message: { type: "want", start: 0, length: 8192 } };
  const count = 60_000;
  const saying = (async () => {
    await hosted.say(...hosted.pair.greeting());
    for (let said = 0; said < count; said += 10_000) {
      await hosted.say(...Array<Outgoing>(10_000).fill(want));
    }
  })();
  let most = 0;
  for (let seen = 0; seen < count;) {
    const { messages, release } = await hosted.next("received");
    seen += messages.filter(({ message }) => message.type === "want").length;
    most = Math.max(most, messages.length);
    release();
  }
  await saying;
  assert.ok(most <= 64 * 1024 / 6 + 1, `${most} messages in one piece`);
});

Deno.test("a peer has its turn before much of another one's flood is worked off", async () => {
  const inbound = new Channel<Inbound>(8);
  const links = [1, 2].map((peer) => {
    const [remote, conn] = memoryPair({ capacity: 4 * 1024 * 1024 });
    const pair = new SessionPair().greet();
    const link = new PeerLink(peer, { conn, session: pair.accepting, inbound, onEncoded() {} });
    return {
      link,
      ended: link.run(),
      say: (all: Outgoing[]) => remote.write(pair.dialling.encode(all)),
    };
  });
  const settle = () => new Promise((resolve) => setTimeout(resolve, 5));
  const want: Outgoing = { channel: 0, message: { type: "want", start: 0, length: 8192 } };
  for (let n = 0; n < 10; n++) await links[0].say(Array<Outgoing>(10_000).fill(want));
  await settle(); // whatever may wait of the flood waits now
  await links[1].say([want]);
  await settle();
  let before = 0;
  for (;;) {
    const received = await inbound.receive();
    assert.ok(!received.done && received.value.kind === "received");
    if (received.value.peer === 2) break;
    before += received.value.messages.length;
    received.value.release();
    await settle();
  }
  assert.ok(before > 0 && before <= 2560, `${before} messages of the flood`);
  for (const { link } of links) link.abort();
  inbound.close();
  await Promise.all(links.map(({ ended }) => ended));
});

Deno.test("something we must not send ends the link and surfaces from run()", async () => {
  await using hosted = await host();
  await hosted.greet();
  hosted.link.send({
    channel: 0,
    message: { type: "handshake", live: true, extensions: [], ack: false },
  }, 64);
  await hosted.next("unlinked");
  assert.ok(await hosted.ended instanceof LocalProtocolError);
});

Deno.test("a remote that resets the connection is gone without anybody's fault", async () => {
  await using hosted = await host();
  await hosted.greet();
  // Closing with bytes unread makes the system reset instead of ending in good order.
  hosted.link.send(data(0, new Uint8Array(10_000)), 10_000);
  await hosted.next("flushed");
  hosted.remote.close();
  for (let i = 0; i < 50; i++) hosted.link.send(data(i, new Uint8Array(10_000)), 10_000);
  const { reason } = await hosted.next("unlinked");
  assert.equal(reason instanceof RemoteProtocolError, false);
  assert.equal(await hosted.ended, undefined);
});
