/** Connections inside of WebSockets: with ourselves, with the platform's, and with rude ones. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { concat, fromUtf8, toUtf8 } from "../../src/base/bytes.ts";
import { RemoteProtocolError, TroveError } from "../../src/base/errors.ts";
import { type Connection, writeAll } from "../../src/io/connection.ts";
import { dialPeer, listenForPeers } from "../../src/io/net.ts";
import type { PeerListener } from "../../src/io/peer_listener.ts";
import { parsePeer } from "../../src/io/peer_address.ts";
import { WsConnection } from "../../src/io/ws_connection.ts";
import { askForWebSocket } from "../../src/io/ws_handshake.ts";
import { asConnection, memoryPair } from "../support/connections.ts";
import { Random } from "../support/random.ts";

const { signal } = new AbortController();
const dial = (url: string, options: { caCerts?: string[] } = {}) =>
  dialPeer(parsePeer(url), { signal, ...options });

/** A listener for WebSockets, and the connections that came. */
class Listening implements AsyncDisposable {
  readonly #came: Connection[] = [];
  readonly #serving: Promise<void>;
  #wake = () => {};

  private constructor(readonly listener: PeerListener) {
    this.#serving = listener.serve((connection) => {
      this.#came.push(connection);
      this.#wake();
    });
  }

  static async open(): Promise<Listening> {
    return new Listening(await listenForPeers({ host: "127.0.0.1", exact: false, ws: 0 }));
  }

  get url(): string {
    const { transport, hostname, port } = this.listener.addr;
    assert.equal(transport, "ws");
    return `ws://${hostname}:${port}`;
  }

  async next(): Promise<Connection> {
    while (this.#came.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    return this.#came.shift()!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.listener.close();
    await this.#serving;
    for (const connection of this.#came) connection.close();
  }
}

async function readAll(connection: Connection, size = 5000): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (const piece = new Uint8Array(size);;) {
    const count = await connection.read(piece);
    if (count === null) return concat(pieces);
    pieces.push(piece.slice(0, count));
  }
}

Deno.test("bytes travel both ways, and each side ends in good order", async () => {
  await using listening = await Listening.open();
  using client = await dial(`${listening.url}/some/path?x=1`);
  using server = await listening.next();
  assert.equal(client.remote, `${listening.url}/some/path?x=1`);
  assert.match(server.remote, /^127\.0\.0\.1:\d+$/);
  const [up, down] = ["up", "down"].map((seed) => new Random(seed).bytes(1_000_000).slice());
  const [atServer, atClient] = await Promise.all([
    readAll(server, 70_000),
    (async () => {
      const bytes = new Uint8Array(down.length);
      for (let at = 0; at < bytes.length;) at += (await client.read(bytes.subarray(at)))!;
      await client.closeWrite();
      assert.equal(await client.read(new Uint8Array(10)), null, "the Close is answered");
      return bytes;
    })(),
    writeAll(client, up),
    writeAll(server, down),
  ]);
  assert.deepEqual(atServer, up);
  assert.deepEqual(atClient, down);
  await assert.rejects(client.write(Uint8Array.of(1)), TroveError);
});

Deno.test("the platform's WebSocket client understands us, and we it", async () => {
  await using listening = await Listening.open();
  const socket = new WebSocket(listening.url);
  socket.binaryType = "arraybuffer";
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  const heard: Uint8Array[] = [];
  const all = Promise.withResolvers<void>();
  socket.onmessage = ({ data }) => {
    heard.push(new Uint8Array(data));
    if (concat(heard).length === sent.length) all.resolve();
  };
  const sent = new Random("sent").bytes(300_000).slice();
  await new Promise((resolve) => socket.onopen = resolve);
  using server = await listening.next();
  for (let at = 0; at < sent.length; at += 70_000) socket.send(sent.slice(at, at + 70_000));
  const got = new Uint8Array(sent.length);
  for (let at = 0; at < got.length;) at += (await server.read(got.subarray(at)))!;
  assert.deepEqual(got, sent);
  await writeAll(server, sent);
  await all.promise;
  assert.deepEqual(concat(heard), sent);
  socket.close(4000, "bye");
  await assert.rejects(server.read(got), /code 4000/);
  const { code, wasClean } = await closed;
  assert.deepEqual([code, wasClean], [4000, true]);
});

Deno.test("the platform's WebSocket server understands us, and text ends it", async () => {
  const closed = Promise.withResolvers<number>();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => {
        socket.send(data);
        if (data.byteLength === 1) socket.send("text");
      };
      socket.onclose = ({ code }) => closed.resolve(code);
      return response;
    },
  );
  using client = await dial(`ws://127.0.0.1:${server.addr.port}/`);
  const sent = new Random("echo").bytes(100_000).slice();
  const got = new Uint8Array(sent.length);
  const writing = writeAll(client, sent);
  for (let at = 0; at < got.length;) at += (await client.read(got.subarray(at)))!;
  await writing;
  assert.deepEqual(got, sent);
  await client.write(Uint8Array.of(1));
  await assert.rejects(
    async () => {
      while (await client.read(got) !== null);
    },
    (error) => error instanceof RemoteProtocolError && /text/.test(error.message),
  );
  assert.equal(await closed.promise, 1003);
});

Deno.test("wss:// goes over TLS, to who has the certificate for that name", async () => {
  const [cert, key] = ["crt", "key"].map((end) =>
    Deno.readTextFileSync(
      fileURLToPath(new URL(`../support/tls/localhost.${end}`, import.meta.url)),
    )
  );
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
  const serving = (async () => {
    for await (const conn of listener) {
      const server = WsConnection.asServer(asConnection(conn));
      try {
        const piece = new Uint8Array(100);
        const count = await server.read(piece);
        if (count !== null) await server.write(piece.subarray(0, count).reverse());
      } catch {
        // Who does not trust us leaves in the middle.
      }
      server.close();
    }
  })();
  const { port } = listener.addr;
  {
    using client = await dial(`wss://localhost:${port}/`, { caCerts: [cert] });
    await client.write(Uint8Array.of(1, 2));
    const piece = new Uint8Array(10);
    assert.equal(await client.read(piece), 2);
    assert.deepEqual([...piece.subarray(0, 2)], [2, 1]);
  }
  await assert.rejects(dial(`wss://localhost:${port}/`), TroveError);
  listener.close();
  await serving;
});

Deno.test("a reader that stops reading stops the remote, in both directions", async () => {
  await using listening = await Listening.open();
  using client = await dial(listening.url);
  using server = await listening.next();
  for (const [from, to] of [[client, server], [server, client]]) {
    let written = 0;
    const bytes = new Uint8Array(64 * 1024);
    const total = 32 * 1024 * 1024; // more than the system's buffers hold
    const writing = (async () => {
      while (written < total) written += await from.write(bytes);
    })();
    let before = -1;
    // Until a whole turn brings nothing more; nobody reads, so that comes.
    while (written !== before) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.ok(written < total);
    const piece = new Uint8Array(256 * 1024);
    for (let read = 0; read < total;) read += (await to.read(piece))!;
    await writing;
  }
});

/** A server's end with a client that says whatever the test wants. */
async function rude() {
  const [theirs, ours] = memoryPair();
  const server = WsConnection.asServer(ours);
  const early = await askForWebSocket(theirs, { host: "h", path: "/" });
  assert.equal(early.length, 0);
  return { theirs, server };
}

Deno.test("pings are answered between frames, the last one of many", async () => {
  const { theirs, server } = await rude();
  const ping = (byte: number) => Uint8Array.of(0x89, 0x81, 0, 0, 0, 0, byte);
  await writeAll(
    theirs,
    concat([ping(1), ping(2), ping(3), Uint8Array.of(0x82, 0x80, 0, 0, 0, 0)]),
  );
  await writeAll(theirs, Uint8Array.of(0x82, 0x81, 0, 0, 0, 0, 9));
  assert.equal(await server.read(new Uint8Array(100)), 1);
  const heard = new Uint8Array(100);
  assert.equal(await theirs.read(heard), 3);
  assert.deepEqual([...heard.subarray(0, 3)], [0x8a, 1, 3]);
  theirs.close();
  assert.equal(await server.read(heard), null, "a remote that is gone is the end");
  server.close();
});

Deno.test("a breach of the framing is told with a code before the end", async () => {
  const { theirs, server } = await rude();
  await writeAll(theirs, Uint8Array.of(0x82, 0x01, 0));
  await assert.rejects(server.read(new Uint8Array(100)), RemoteProtocolError);
  const heard = new Uint8Array(100);
  assert.equal(await theirs.read(heard), 4);
  assert.deepEqual([...heard.subarray(0, 4)], [0x88, 2, 1002 >> 8, 1002 & 0xff]);
  server.close();
  theirs.close();
});

const UPGRADE = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

const REQUESTS: readonly (readonly [string, string, RegExp])[] = [
  ["a plain request", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", /^HTTP\/1.1 426 .*trove peer/s],
  ["a request for the head", "HEAD / HTTP/1.1\r\n\r\n", /^HTTP\/1.1 426 .*\r\n\r\n$/s],
  ["a post", `POST / HTTP/1.1\r\n${UPGRADE}Sec-WebSocket-Version: 13\r\n\r\n`, /^HTTP\/1.1 426/],
  [
    "another version of WebSocket",
    `GET / HTTP/1.1\r\n${UPGRADE}Sec-WebSocket-Version: 8\r\n\r\n`,
    /^HTTP\/1.1 426 .*Sec-WebSocket-Version: 13/s,
  ],
  ["no HTTP", "hello\r\n\r\n", /^$/],
  ["a field without a colon", "GET / HTTP/1.1\r\nwhat\r\n\r\n", /^$/],
  ["a head without an end", `GET / HTTP/1.1\r\nA: ${"x".repeat(9000)}`, /^$/],
  ["the end of the stream", "GET / HT", /^$/],
];

for (const [what, request, answer] of REQUESTS) {
  Deno.test(`${what} gets no WebSocket`, async () => {
    const [theirs, ours] = memoryPair();
    const server = WsConnection.asServer(ours);
    await writeAll(theirs, toUtf8(request));
    await theirs.closeWrite();
    assert.equal(await server.read(new Uint8Array(100)), null);
    server.close();
    assert.match(fromUtf8(await readAll(theirs)), answer);
  });
}

Deno.test("the answer to a request is that of the standard's example", async () => {
  const [theirs, ours] = memoryPair();
  using server = WsConnection.asServer(ours);
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  await writeAll(
    theirs,
    toUtf8(
      `GET /chat HTTP/1.1\r\nhost: server.example.com\r\nUPGRADE: WebSocket\r\n` +
        `connection: upgrade\r\nsec-websocket-key: ${key}\r\nOrigin: http://example.com\r\n` +
        `sec-websocket-protocol: chat\r\nsec-websocket-version: 13\r\n\r\n`,
    ),
  );
  // What comes right behind the request counts.
  await writeAll(theirs, Uint8Array.of(0x82, 0x81, 0, 0, 0, 0, 9));
  assert.equal(await server.read(new Uint8Array(1)), 1);
  const piece = new Uint8Array(1000);
  const text = fromUtf8(piece.subarray(0, (await theirs.read(piece))!));
  assert.match(text, /^HTTP\/1.1 101 .*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/s);
});

const ANSWERS: readonly (readonly [string, string, RegExp])[] = [
  ["hangs up", "", /no web server/],
  ["speaks something else", "SSH-2.0-x\r\n\r\n", /no web server/],
  ["has a page there", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", /status 200/],
  ["redirects", "HTTP/1.1 302 Found\r\nLocation: ws://h/\r\n\r\n", /status 302/],
  ["upgrades to something else", "HTTP/1.1 101 \r\nUpgrade: h2c\r\n\r\n", /another protocol/],
  [
    "answers to another request",
    "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    /not to our request/,
  ],
  ["never ends its head", `HTTP/1.1 101 \r\nA: ${"x".repeat(9000)}`, /no web server/],
];

for (const [what, answer, reason] of ANSWERS) {
  Deno.test(`a server that ${what} is no peer`, async () => {
    const [ours, theirs] = memoryPair();
    await writeAll(theirs, toUtf8(answer));
    await theirs.closeWrite();
    await assert.rejects(askForWebSocket(ours, { host: "h", path: "/" }), (error) => {
      return error instanceof TroveError && reason.test(error.message);
    });
    ours.close();
  });
}
