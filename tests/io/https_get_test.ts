import assert from "node:assert/strict";
import { TroveError } from "../../src/base/errors.ts";
import { httpsGet, type HttpsGetOptions, UnreachableError } from "../../src/io/https_get.ts";
import { type HttpsServer, startHttps, startRawHttps, TEST_CERT } from "../support/https_server.ts";

const here = () => Promise.resolve(["127.0.0.1"]);

async function get(
  server: Pick<HttpsServer, "origin">,
  options: Partial<HttpsGetOptions> = {},
): Promise<string> {
  const { status, body } = await httpsGet(new URL(`${server.origin}/a?b=c`), {
    signal: AbortSignal.timeout(5000),
    maxBytes: 1000,
    caCerts: [TEST_CERT],
    ...options,
  });
  return `${status} ${new TextDecoder().decode(body)}`;
}

Deno.test("httpsGet() asks for a path, and takes the answer", async () => {
  await using server = startHttps((request) => {
    const { pathname, search } = new URL(request.url);
    const fields = ["host", "accept", "accept-encoding"].map((name) => request.headers.get(name));
    return new Response(`${request.method} ${pathname}${search} ${fields}`);
  });
  assert.equal(
    await get(server, { accept: "application/dns-json" }),
    `200 GET /a?b=c localhost:${server.port},application/dns-json,identity`,
  );
});

Deno.test("httpsGet() follows no redirect, and reads no body but that of a 200", async () => {
  await using server = startHttps(() =>
    new Response("elsewhere", { status: 302, headers: { location: "https://example.org/" } })
  );
  assert.equal(await get(server), "302 ");
});

const GOOD: Record<string, readonly string[]> = {
  "with a length": ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more"],
  "without a length": ["HTTP/1.1 200 OK\r\n\r\nhel", "lo"],
  "of HTTP/1.0": ["HTTP/1.0 200 \r\n\r\nhello"],
  "in pieces": ["HTT", "P/1.1 20", "0 OK\r\nContent-Le", "ngth: 5\r", "\n\r\n", "h", "ello"],
  "in chunks": [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r",
    "\n2;x=y\r\nlo\r\n0\r\n\r\n",
  ],
  "after an interim one": [
    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  ],
};
for (const [what, pieces] of Object.entries(GOOD)) {
  Deno.test(`httpsGet() takes an answer ${what}`, async () => {
    await using server = startRawHttps(pieces);
    assert.equal(await get(server), "200 hello");
  });
}

const BAD: Record<string, readonly [readonly string[], RegExp]> = {
  "nothing": [[], /no web server/],
  "something else": [["SSH-2.0-OpenSSH\r\n\r\n"], /no web server/],
  "an endless head": [["HTTP/1.1 200 OK\r\n", `X: ${"x".repeat(20_000)}\r\n\r\n`], /no web server/],
  "interim answers without end": [["HTTP/1.1 103 \r\n\r\n".repeat(10)], /no web server/],
  "a length above the limit": [
    ["HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"],
    /more than 1000/,
  ],
  "an absurd length": [
    [`HTTP/1.1 200 OK\r\nContent-Length: ${"9".repeat(40)}\r\n\r\n`],
    /no sense/,
  ],
  "a negative length": [["HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"], /no sense/],
  "a body above the limit": [["HTTP/1.1 200 OK\r\n\r\n", "x".repeat(1001)], /more than 1000/],
  "chunks above the limit": [
    [
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "1f4\r\n" + "x".repeat(500) + "\r\n3e8\r\n",
    ],
    /more than 1000/,
  ],
  "a chunk above all limits": [
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"],
    /more than 1000/,
  ],
  "chunks of no size": [
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"],
    /no sense/,
  ],
  "an endless line": [
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x".repeat(5000)],
    /no sense/,
  ],
  "a body cut off": [["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"], /cut off/],
  "another encoding": [["HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nhello"], /gzip, unasked/],
};
for (const [what, [pieces, message]] of Object.entries(BAD)) {
  Deno.test(`httpsGet() refuses ${what}`, async () => {
    await using server = startRawHttps(pieces);
    await assert.rejects(get(server), (error) => {
      assert.ok(error instanceof TroveError && !(error instanceof UnreachableError));
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("httpsGet() waits no longer than it is told to", async () => {
  await using server = startRawHttps(null);
  const stop = new AbortController();
  const asked = get(server, { signal: stop.signal });
  setTimeout(() => stop.abort(new Error("enough")), 50);
  await assert.rejects(asked, /enough/);
});

Deno.test("httpsGet() trusts no certificate of others, nor one for another name", async () => {
  await using server = startHttps(() => new Response("hello"));
  await assert.rejects(get(server, { caCerts: [] }), /certificate/);
  const { port } = server;
  const other = { origin: `https://other.example.org:${port}` };
  await assert.rejects(get(other, { resolveHost: here }), /certificate/);
});

Deno.test("httpsGet() connects to allowed addresses only, whatever the name", async () => {
  await using server = startHttps(() => new Response("hello"));
  const asked: string[] = [];
  const resolveHost = (name: string) => {
    asked.push(name);
    return Promise.resolve(["10.0.0.1", "127.0.0.1"]);
  };
  const allow = (address: string) => (host: string) => host === address;
  assert.equal(await get(server, { resolveHost, isAllowed: allow("127.0.0.1") }), "200 hello");
  await assert.rejects(
    get(server, { resolveHost, isAllowed: allow("8.8.8.8") }),
    /leads to 10\.0\.0\.1, which is not a public address/,
  );
  assert.deepEqual(asked, ["localhost", "localhost"]);
  const literal = { origin: `https://127.0.0.1:${server.port}` };
  assert.equal(await get(literal), "200 hello");
  await assert.rejects(get(literal, { isAllowed: () => false }), /not a public address/);
});

Deno.test("httpsGet() tries the next address of a host, and tells when none answers", async () => {
  await using server = startHttps(() => new Response("hello"));
  // Nobody listens at that port on the first ones.
  const resolveHost = () => Promise.resolve(["127.0.0.3", "127.0.0.2", "127.0.0.1"]);
  assert.equal(await get(server, { resolveHost }), "200 hello");
  const nobody = () => Promise.resolve(["127.0.0.2"]);
  await assert.rejects(get(server, { resolveHost: nobody }), UnreachableError);
  await assert.rejects(get(server, { resolveHost: () => Promise.resolve([]) }), UnreachableError);
});

Deno.test("httpsGet() comes back to an address that was slow, if no other one answers", async () => {
  await using server = startHttps(() => new Response("hello"));
  // The first connection is answered after it was passed over; at the second address is nobody.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const relaying = (async () => {
    const passedOver = await listener.accept();
    using _ = passedOver;
    const conn = await listener.accept();
    const target = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await Promise.allSettled([
      conn.readable.pipeTo(target.writable),
      target.readable.pipeTo(conn.writable),
    ]);
  })();
  const { port } = listener.addr as Deno.NetAddr;
  const resolveHost = () => Promise.resolve(["127.0.0.1", "127.0.0.2"]);
  assert.equal(await get({ origin: `https://localhost:${port}` }, { resolveHost }), "200 hello");
  await relaying;
});
