import assert from "node:assert/strict";
import { RemoteProtocolError, TroveError } from "../../src/base/errors.ts";
import type { Message } from "../../src/core/wire/messages.ts";
import { type Batch, sessionStream } from "../../src/io/session_stream.ts";
import { SessionPair } from "../support/session_pair.ts";

const WANT: Message = { type: "want", start: 0, length: 8192 };

/** Everything that comes out of the accepting session, until the chunks end. */
function readAll(pair: SessionPair, chunks: readonly Uint8Array[]): Promise<Batch[]> {
  const readable = ReadableStream.from(chunks).pipeThrough(sessionStream(pair.accepting));
  return Array.fromAsync(readable);
}

Deno.test("sessionStream() gives one batch for each chunk, also when it completes nothing", async () => {
  const pair = new SessionPair();
  const bytes = pair.dialling.encode([...pair.greeting(), { channel: 0, message: WANT }]).slice();
  const batches = await readAll(pair, [
    bytes.slice(0, 1),
    bytes.slice(1, 10),
    bytes.slice(10, -2),
    bytes.slice(-2),
  ]);
  assert.deepEqual(
    batches.map(({ messages, chunk, partialBytes }) => ({
      bytes: chunk.length,
      partialBytes,
      types: messages.map((m) => m.message.type),
    })),
    [
      { bytes: 1, partialBytes: 1, types: [] },
      { bytes: 9, partialBytes: 10, types: [] },
      { bytes: bytes.length - 12, partialBytes: 5, types: ["feed", "handshake"] },
      { bytes: 2, partialBytes: 0, types: ["want"] },
    ],
  );
  assert.equal(pair.accepting.phase, "closed");
});

Deno.test("sessionStream() fails when the bytes end inside a frame", async () => {
  const pair = new SessionPair();
  const bytes = pair.dialling.encode(pair.greeting()).slice(0, -1);
  await assert.rejects(readAll(pair, [bytes]), (error: Error) => {
    assert.ok(error instanceof TroveError && !(error instanceof RemoteProtocolError));
    assert.match(error.message, /ended \d+ bytes into it/);
    return true;
  });
});

Deno.test("sessionStream() delivers what came before a chunk that breaks the protocol", async () => {
  const pair = new SessionPair();
  const good = pair.dialling.encode(pair.greeting()).slice();
  // Four keepalives with every bit flipped are a length that does not end.
  const bad = pair.dialling.encode(Array(4).fill("keepalive")).map((byte) => byte ^ 0xff);
  const readable = ReadableStream.from([good, bad, good])
    .pipeThrough(sessionStream(pair.accepting));
  const reader = readable.getReader();
  const first = await reader.read();
  assert.equal(first.value?.messages.length, 2);
  await assert.rejects(reader.read(), RemoteProtocolError);
  assert.equal(pair.accepting.phase, "closed");
});

Deno.test("sessionStream() ends quietly when the session was closed before", async () => {
  const pair = new SessionPair();
  const bytes = pair.dialling.encode(pair.greeting()).slice();
  pair.accepting.receive(bytes.slice(0, 5));
  pair.accepting.end();
  const chunk = bytes.slice(5);
  assert.deepEqual(await readAll(pair, [chunk]), [{ messages: [], chunk, partialBytes: 5 }]);
});
