/** Names, asked of web servers on this machine. */
import assert from "node:assert/strict";
import { toHex } from "../../src/base/bytes.ts";
import { DatNames, type NameOptions } from "../../src/discovery/dat_names.ts";
import { httpsGet } from "../../src/io/https_get.ts";
import { realTimers } from "../../src/io/timers.ts";
import { type HttpsServer, startHttps, startRawHttps, TEST_CERT } from "../support/https_server.ts";

const KEY = "c1feb82a2b3ba065ffed9f6addcf19ac250793bcab748986a1b4272c62da20e6";

/** A resolver for which every web server's usual port is that of the test's. */
function resolver(web: HttpsServer, options: NameOptions): DatNames {
  return new DatNames({
    timers: realTimers({ monotonic: () => performance.now() }),
    wall: () => Date.now(),
    random: () => 0,
    caCerts: [TEST_CERT],
    get: (url, about) => {
      const target = new URL(url);
      if (target.port === "") target.port = String(web.port);
      return httpsGet(target, about);
    },
    ...options,
  });
}

Deno.test("a record is found through a server that answers DNS questions", async () => {
  await using doh = startHttps((request) => {
    assert.equal(request.headers.get("accept"), "application/dns-json");
    const { pathname, searchParams } = new URL(request.url);
    assert.deepEqual([pathname, `${searchParams}`], ["/q", "name=example.org.&type=TXT"]);
    return Response.json({ Status: 0, Answer: [{ type: 16, TTL: 9, data: `"datkey=${KEY}"` }] });
  });
  const names = resolver(doh, { doh: [`${doh.origin}/q`] });
  const { key, from, ttl } = await names.resolveName("example.org");
  assert.deepEqual([toHex(key), from, ttl], [KEY, "dns", 9]);
});

Deno.test("the file of a web server is read", async () => {
  await using web = startHttps((request) =>
    new URL(request.url).pathname === "/.well-known/dat"
      ? new Response(`dat://${KEY}/\r\nTTL=77\r\n`)
      : new Response("not here", { status: 404 })
  );
  const { key, from, ttl } = await resolver(web, { allowPrivate: true }).resolveName("localhost");
  assert.deepEqual([toHex(key), from, ttl], [KEY, "file", 77]);
});

const REFUSED: Record<string, readonly [() => HttpsServer, RegExp]> = {
  "redirects": [
    () => startHttps(() => Response.redirect("https://localhost/elsewhere")),
    /redirect, which is not followed/,
  ],
  "has a huge file": [
    () => startHttps(() => new Response(`dat://${KEY}\n${"x".repeat(5000)}`)),
    /more than 4096 bytes/,
  ],
  "has an endless file": [
    () => startRawHttps(["HTTP/1.1 200 OK\r\n\r\n", ...Array(100).fill("x".repeat(1000))]),
    /more than 4096 bytes/,
  ],
  "is silent": [() => startRawHttps(null), /no answer in 2 s/],
};
for (const [what, [start, message]] of Object.entries(REFUSED)) {
  Deno.test(`a web server that ${what} has no name to give`, async () => {
    await using web = start();
    await assert.rejects(resolver(web, { allowPrivate: true }).resolveName("localhost"), message);
  });
}

Deno.test("a web server with a certificate that nobody trusts has no name to give", async () => {
  await using web = startHttps(() => new Response(`dat://${KEY}`));
  const names = resolver(web, { allowPrivate: true, caCerts: [] });
  await assert.rejects(names.resolveName("localhost"), /certificate/);
});
