import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, equalBytes, toHex } from "../../../src/base/bytes.ts";
import { LocalProtocolError, RemoteProtocolError } from "../../../src/base/errors.ts";
import { varintSize, writeVarint } from "../../../src/base/varint.ts";
import { MAX_FIRST_FRAME_BYTES, MAX_FRAME_BYTES } from "../../../src/core/wire/frame.ts";
import { FrameWriter, type Outgoing } from "../../../src/core/wire/frame_writer.ts";
import type { Data, Message } from "../../../src/core/wire/messages.ts";
import { MAX_STRIKES, type Received, Session } from "../../../src/core/wire/session.ts";
import { discoveryKey } from "../../../src/crypto/hash.ts";
import { type Keystream, openKeystream } from "../../../src/crypto/keystream.ts";
import { largestAllocation } from "../../support/allocations.ts";
import { anyMessage } from "../../support/messages.ts";
import { SessionPair } from "../../support/session_pair.ts";
import {
  cutIntoChunks,
  type EncryptedDirection,
  encryptedDirections,
} from "../../support/wire_vectors.ts";

const directions = encryptedDirections();

/** The side that received what `direction` recorded, as the one that dialled. */
function dialler({ publicKey, otherNonce }: EncryptedDirection): Session {
  const session = new Session({ nonce: otherNonce });
  session.open(publicKey);
  return session;
}

/** The same side, as the one that accepted. */
function accepter({ publicKey, otherNonce }: EncryptedDirection): Session {
  const key = discoveryKey(publicKey);
  return new Session({
    nonce: otherNonce,
    lookup: (wanted) => equalBytes(wanted, key) ? publicKey : undefined,
  });
}

function receiveAll(session: Session, chunks: readonly Uint8Array[]): Received[] {
  return chunks.flatMap((chunk) => session.receive(chunk));
}

for (const direction of directions) {
  const { name, bytes, plain, frames, chunkLengths, oddCutLengths } = direction;
  const expected = frames.map(({ item }) => item).filter((item) => item !== "keepalive");
  const keepalives = frames.length - expected.length;
  const cuts: [how: string, lengths: readonly number[]][] = [
    ["as it was emitted", chunkLengths],
    ["at odd cuts", oddCutLengths],
    ["byte by byte", [1]],
    ["in one piece", [bytes.length]],
  ];
  for (const [how, lengths] of cuts) {
    Deno.test(`${name}: received ${how}, it gives the recorded messages and plain bytes`, () => {
      for (const session of [dialler(direction), accepter(direction)]) {
        const chunks = cutIntoChunks(bytes, lengths);
        assert.deepEqual(receiveAll(session, chunks), expected);
        assert.deepEqual(concat(chunks), plain);
        assert.equal(session.keepalivesReceived, keepalives);
        assert.equal(session.phase, "open");
        assert.equal(session.end(), false);
      }
    });
  }

  if (direction.messagesAfterFeed !== undefined) {
    Deno.test(`${name}: as many messages come besides Feeds as an existing peer read`, () => {
      const received = receiveAll(dialler(direction), cutIntoChunks(bytes, oddCutLengths));
      const messages = received.filter(({ message }) => message.type !== "feed");
      assert.equal(messages.length, direction.messagesAfterFeed);
    });
  }

  Deno.test(`${name}: the same messages are encoded to the recorded bytes`, () => {
    const items = frames.map(({ item }) => item);
    const sender = () => {
      const session = new Session({ nonce: direction.nonce });
      session.open(direction.publicKey);
      return session;
    };
    assert.deepEqual(sender().encode(items), bytes);
    const oneByOne = sender();
    assert.deepEqual(concat(items.map((item) => oneByOne.encode([item]).slice())), bytes);
  });
}

Deno.test("A session gives the same messages for every split", () => {
  const splits = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.nat(directions.length - 1), splits, (which, lengths) => {
      const direction = directions[which];
      const whole = receiveAll(dialler(direction), [direction.bytes.slice()]);
      const chunks = cutIntoChunks(direction.bytes, lengths);
      assert.deepEqual(receiveAll(dialler(direction), chunks), whole);
    }),
    { seed: 1, numRuns: 60 },
  );
});

/** Nothing but RemoteProtocolError may come out, and no buffer much larger than what went in. */
function receiveHostile(session: Session, chunks: readonly Uint8Array[]): void {
  const largest = largestAllocation(() => {
    try {
      receiveAll(session, chunks);
      session.end();
    } catch (error) {
      assert.ok(error instanceof RemoteProtocolError, String(error));
      assert.equal(session.phase, "closed");
    }
  });
  assert.ok(largest <= 128 * 1024, `${largest} bytes`);
}

Deno.test("A session survives any flipped bit", () => {
  fc.assert(
    fc.property(fc.nat(directions.length - 1), fc.nat(), fc.nat(200), (which, bit, cut) => {
      const direction = directions[which];
      const bytes = direction.bytes.slice();
      const at = bit % (bytes.length * 8);
      bytes[at >> 3] ^= 1 << (at & 7);
      receiveHostile(accepter(direction), cutIntoChunks(bytes, [cut + 1]));
    }),
    { seed: 2, numRuns: 600 },
  );
});

Deno.test("A session survives each flipped bit in the first frames", () => {
  const [direction] = directions;
  for (let at = 0; at < 120 * 8; at++) {
    const bytes = direction.bytes.slice();
    bytes[at >> 3] ^= 1 << (at & 7);
    receiveHostile(accepter(direction), [bytes]);
  }
});

Deno.test("A session survives random bytes, in clear and encrypted", () => {
  const [direction] = directions;
  const clear = direction.frames[0].bytes;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (noise, greeted) => {
      receiveHostile(accepter(direction), greeted ? [clear.slice(), noise] : [noise]);
    }),
    { seed: 3, numRuns: 500 },
  );
});

Deno.test("A session knows whether the bytes ended inside a frame", () => {
  fc.assert(
    fc.property(fc.nat(directions.length - 1), fc.nat(), (which, cut) => {
      const { bytes, frames } = directions[which];
      const length = cut % (bytes.length + 1);
      let left = length;
      for (const frame of frames) {
        if (frame.bytes.length > left) break;
        left -= frame.bytes.length;
      }
      const session = dialler(directions[which]);
      session.receive(bytes.slice(0, length));
      assert.equal(session.partialBytes, left);
      assert.equal(session.end(), left > 0);
      assert.equal(session.phase, "closed");
    }),
    { seed: 4, numRuns: 100 },
  );
});

// Two sessions back to back.

const WANT: Message = { type: "want", start: 0, length: 8192 };

Deno.test("The phases of a session follow the remote's Feed and Handshake", () => {
  const pair = new SessionPair();
  assert.equal(pair.accepting.publicKey, undefined);
  const [feed, handshake] = pair.greeting();
  const phases = [pair.accepting.phase];
  for (const item of [feed, handshake]) {
    pair.toAccepting(item);
    phases.push(pair.accepting.phase);
  }
  pair.accepting.end();
  assert.deepEqual([...phases, pair.accepting.phase], ["greeting", "keyed", "open", "closed"]);
  assert.deepEqual(pair.accepting.publicKey, pair.publicKey);
});

Deno.test("What one session sends, the other receives", () => {
  const pair = new SessionPair().greet();
  const sendable = anyMessage().filter(({ type }) =>
    type !== "feed" && type !== "handshake" && type !== "extension"
  );
  fc.assert(
    fc.property(fc.array(sendable, { maxLength: 10 }), fc.boolean(), (messages, forth) => {
      const items = messages.map((message) => ({ channel: 0, message }));
      const received = forth ? pair.toAccepting(...items) : pair.toDialling(...items);
      assert.deepEqual(received, items);
    }),
    { seed: 5 },
  );
});

Deno.test("Both sides number the same feed as they like", () => {
  const pair = new SessionPair().greet();
  const key = new Uint8Array(32).fill(5);
  const feed = (channel: number) => ({
    channel,
    message: { type: "feed", discoveryKey: key } as const,
  });
  assert.deepEqual(pair.toAccepting(feed(9), { channel: 9, message: WANT }), [
    feed(9),
    { channel: 9, message: WANT },
  ]);
  assert.deepEqual(pair.toDialling(feed(3)), [feed(3)]);
});

Deno.test("Only the first frame of a direction can be read without the key", () => {
  const pair = new SessionPair();
  const sent = pair.dialling.encode([...pair.greeting(), { channel: 0, message: WANT }]).slice();
  const plain = new FrameWriter().encode(pair.greeting().slice(1));
  assert.ok(toHex(sent).includes(toHex(pair.discoveryKey)));
  assert.ok(!toHex(sent).includes(toHex(plain)));
  assert.ok(!toHex(sent).includes(toHex(pair.publicKey)));
});

Deno.test("Keepalives are counted and not delivered", () => {
  const pair = new SessionPair().greet();
  assert.deepEqual(pair.toAccepting("keepalive", { channel: 0, message: WANT }, "keepalive"), [
    { channel: 0, message: WANT },
  ]);
  assert.equal(pair.accepting.keepalivesReceived, 2);
});

Deno.test("An extension is delivered if the remote's Handshake named it", () => {
  const remote = new Remote();
  const extension = (id: number): Message => ({
    type: "extension",
    id,
    payload: new Uint8Array(1),
  });
  assert.deepEqual(remote.send(remote.feed(), extension(0)).slice(1), []);
  remote.send(remote.handshake(["a", "b"]));
  assert.deepEqual(remote.send(extension(1), extension(2)).map(({ message }) => message), [
    extension(1),
  ]);
  assert.equal(remote.session.ignoredReceived, 2);
});

Deno.test("After the Feed a frame may be as large as 8 MiB", () => {
  const pair = new SessionPair().greet();
  const value = new Uint8Array(MAX_FRAME_BYTES - 8).fill(1);
  const message: Message = { type: "data", index: 0, value, nodes: [] };
  assert.ok(
    equalBytes((pair.toAccepting({ channel: 0, message })[0].message as Data).value!, value),
  );
});

Deno.test("The values of a received message stay as they are", () => {
  const pair = new SessionPair().greet();
  const data = (byte: number): Outgoing => ({
    channel: 0,
    message: { type: "data", index: byte, value: new Uint8Array(500).fill(byte), nodes: [] },
  });
  const first = pair.toAccepting(data(1))[0].message as Data;
  pair.toAccepting(data(2));
  assert.deepEqual(first.value, new Uint8Array(500).fill(1));
});

/** A peer that sends whatever it likes, to a session that accepted its connection. */
class Remote {
  readonly nonce = new Uint8Array(24).fill(0x33);
  readonly publicKey = new Uint8Array(32).fill(7);
  readonly session: Session;
  #keystream: Keystream | undefined;

  constructor() {
    const key = discoveryKey(this.publicKey);
    this.session = new Session({
      nonce: new Uint8Array(24).fill(0x44),
      lookup: (wanted) => equalBytes(wanted, key) ? this.publicKey : undefined,
    });
  }

  feed(): Message {
    return { type: "feed", discoveryKey: discoveryKey(this.publicKey), nonce: this.nonce };
  }

  handshake(extensions: string[] = []): Message {
    return { type: "handshake", live: false, extensions, ack: false };
  }

  greet(): this {
    this.send(this.feed(), this.handshake());
    return this;
  }

  /** Messages on channel 0. */
  send(...messages: Message[]): Received[] {
    return messages.flatMap((message) => this.sendOn(0, message));
  }

  sendOn(channel: number, message: Message): Received[] {
    return this.sendBytes(new FrameWriter().encode([{ channel, message }]).slice());
  }

  /** A frame with this header and payload. */
  sendFrame(header: number, ...payload: number[]): Received[] {
    const size = varintSize(header) + payload.length;
    const frame = new Uint8Array(varintSize(size) + size);
    frame.set(payload, writeVarint(frame, writeVarint(frame, 0, size), header));
    return this.sendBytes(frame);
  }

  /** The first bytes go in clear. */
  sendBytes(bytes: Uint8Array): Received[] {
    this.#keystream?.apply(bytes);
    this.#keystream ??= openKeystream(this.publicKey, this.nonce);
    return this.session.receive(bytes);
  }
}

const OTHER_FEED: Message = { type: "feed", discoveryKey: new Uint8Array(32).fill(9) };

const FATAL: [what: string, (remote: Remote) => void][] = [
  ["a first message that is not a Feed", (remote) => remote.send(WANT)],
  [
    "a first Feed without a nonce",
    (remote) => remote.send({ type: "feed", discoveryKey: discoveryKey(remote.publicKey) }),
  ],
  [
    "a first Feed that is not known here",
    (remote) => remote.send({ ...OTHER_FEED, nonce: remote.nonce } as Message),
  ],
  [
    "its own nonce",
    (remote) => remote.send({ ...remote.feed(), nonce: new Uint8Array(24).fill(0x44) } as Message),
  ],
  ["a malformed first Feed", (remote) => remote.sendFrame(0x00, 0x0a, 0x01, 0x01)],
  ["a malformed later Feed", (remote) => remote.greet().sendFrame(0x10, 0x0a, 0x01, 0x01)],
  ["a message on a channel that was not opened", (remote) => remote.greet().sendOn(1, WANT)],
  ["an unassigned type on such a channel", (remote) => remote.greet().sendFrame(0x1a, 1)],
  ["a channel above 255", (remote) => remote.greet().sendFrame(0x1000, 0x08, 0x00)],
  [
    "a header past the end of its frame",
    (remote) => remote.greet().sendBytes(Uint8Array.of(2, 0x80, 0x80)),
  ],
  [
    "a frame above 8 MiB",
    (remote) => remote.greet().sendBytes(Uint8Array.of(0x81, 0x80, 0x80, 0x04)),
  ],
  [
    "a large first frame",
    (remote) => remote.sendBytes(Uint8Array.of(0x81, MAX_FIRST_FRAME_BYTES >> 7)),
  ],
  ["more Feeds than there are channels", (remote) => {
    remote.greet();
    for (let channel = 1; channel < 256; channel++) remote.sendOn(channel, OTHER_FEED);
    remote.sendOn(255, OTHER_FEED);
  }],
];

for (const [what, send] of FATAL) {
  Deno.test(`A session refuses ${what}, and delivers nothing after it`, () => {
    const remote = new Remote();
    assert.throws(() => send(remote), RemoteProtocolError);
    assert.equal(remote.session.phase, "closed");
    assert.deepEqual(remote.session.receive(new Uint8Array(100)), []);
  });
}

Deno.test("A session refuses the Feed of another archive than the one it dialled for", () => {
  const pair = new SessionPair();
  const other = new SessionPair(new Uint8Array(32).fill(8));
  const greeting = other.dialling.encode(other.greeting());
  const dialled = new Session({ nonce: new Uint8Array(24) });
  dialled.open(pair.publicKey);
  assert.throws(() => dialled.receive(greeting), (error: Error) => {
    assert.ok(error instanceof RemoteProtocolError);
    assert.match(error.message, /another archive/);
    return true;
  });
});

Deno.test("A first Feed with unknown fields is accepted up to 4 KiB", () => {
  const accepts = (bytes: number) => {
    const direction = directions[0];
    const feed = direction.frames[0].bytes;
    // Field 3, length-delimited, fills the frame up.
    const fill = bytes - (feed.length - 1) - 3;
    const payload = [...feed.slice(2), 0x1a, (fill & 0x7f) | 0x80, fill >> 7, ...Array(fill)];
    const length = [(bytes & 0x7f) | 0x80, bytes >> 7];
    const session = dialler(direction);
    session.receive(Uint8Array.from([...length, 0, ...payload]));
    return session.phase === "keyed";
  };
  assert.ok(accepts(MAX_FIRST_FRAME_BYTES));
  assert.throws(() => accepts(MAX_FIRST_FRAME_BYTES + 1), RemoteProtocolError);
});

Deno.test("Malformed messages are dropped, and one too many ends the session", () => {
  const remote = new Remote().greet();
  for (let i = 1; i < MAX_STRIKES; i++) {
    assert.deepEqual(remote.sendFrame(0x05, 0x10, i), []); // a Want without start
    assert.deepEqual(remote.send(WANT), [{ channel: 0, message: WANT }]);
  }
  assert.throws(() => remote.sendFrame(0x05, 0x10, 0x01), RemoteProtocolError);
  assert.equal(remote.session.phase, "closed");
});

Deno.test("Breaches that others find count too", () => {
  const { session } = new Remote().greet();
  for (let i = 1; i < MAX_STRIKES; i++) session.strike("asked for a block that is not there");
  assert.equal(session.phase, "open");
  assert.throws(() => session.strike("and again"), /and again/);
  assert.equal(session.phase, "closed");
});

Deno.test("A channel number may go to another feed twice, after that it is a breach", () => {
  const remote = new Remote().greet();
  for (let i = 0; i < 3; i++) assert.equal(remote.sendOn(1, OTHER_FEED).length, 1);
  for (let i = 1; i < MAX_STRIKES; i++) remote.sendOn(1, OTHER_FEED);
  assert.throws(() => remote.sendOn(1, OTHER_FEED), RemoteProtocolError);
});

Deno.test("Frames without payload, unassigned types and later Handshakes are skipped", () => {
  const remote = new Remote();
  assert.deepEqual(remote.session.receive(Uint8Array.of(1, 0x05)), []);
  remote.greet();
  assert.deepEqual(remote.sendBytes(Uint8Array.of(1, 0x80)), []);
  for (const type of [10, 11, 12, 13, 14]) assert.deepEqual(remote.sendFrame(type, 1, 2), []);
  assert.deepEqual(remote.send(remote.handshake(["late"])), []);
  assert.equal(remote.session.ignoredReceived, 8);
  assert.deepEqual(remote.send(WANT).length, 1);
});

Deno.test("A session with a wrong message to send says so and closes", () => {
  const pair = new SessionPair();
  assert.throws(() => pair.dialling.encode([{ channel: 0, message: WANT }]), LocalProtocolError);
  assert.equal(pair.dialling.phase, "closed");
  assert.throws(() => pair.dialling.encode([]), LocalProtocolError);
});

Deno.test("A session that accepted sends nothing before it knows the feed", () => {
  const pair = new SessionPair();
  assert.throws(() => pair.accepting.encode(pair.greeting()), LocalProtocolError);
});

Deno.test("A session does not send a nonce that is not its own", () => {
  const pair = new SessionPair();
  const [{ channel, message }] = pair.greeting() as { channel: number; message: Message }[];
  const nonce = new Uint8Array(24).fill(0x55);
  assert.throws(
    () => pair.dialling.encode([{ channel, message: { ...message, nonce } as Message }]),
    LocalProtocolError,
  );
});

Deno.test("The feed of a connection is named once, with a nonce of 24 bytes", () => {
  const pair = new SessionPair();
  assert.throws(() => pair.dialling.open(pair.publicKey), LocalProtocolError);
  assert.throws(() => new Session({ nonce: new Uint8Array(23) }), RangeError);
});
