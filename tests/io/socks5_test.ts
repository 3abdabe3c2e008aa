/** Through a proxy, and with proxies that mean no good. */
import assert from "node:assert/strict";
import { concat, toUtf8 } from "../../src/base/bytes.ts";
import { TroveError } from "../../src/base/errors.ts";
import { writeAll } from "../../src/io/connection.ts";
import { dialPeer } from "../../src/io/net.ts";
import { connectThrough } from "../../src/io/socks5.ts";
import { memoryPair } from "../support/connections.ts";
import { SocksServer } from "../support/socks_server.ts";

const TO = { host: "h.example", port: 0x1234 };
const NAME = [3, 9, ...toUtf8("h.example"), 0x12, 0x34];
const DONE = [5, 0, 0, 1, 127, 0, 0, 1, 9, 9];
const CREDENTIALS = { user: "me", password: "geheim ß" };

interface Script {
  /** What the proxy answers, all at once. */
  readonly says: readonly number[];
  readonly with?: { user?: string; password?: string };
  readonly to?: { host: string; port: number };
}

/** Let the proxy say this and then end, one byte at a time. Gives what it heard. */
async function connect({ says, with: options = {}, to = TO }: Script): Promise<number[]> {
  const [ours, theirs] = memoryPair({ mostAtOnce: () => 1 });
  await writeAll(theirs, Uint8Array.from(says));
  await theirs.closeWrite();
  try {
    await connectThrough(ours, options, to);
  } finally {
    await ours.closeWrite();
  }
  const heard: Uint8Array[] = [];
  for (const piece = new Uint8Array(100);;) {
    const count = await theirs.read(piece);
    if (count === null) break;
    heard.push(piece.slice(0, count));
  }
  return [...concat(heard)];
}

const ASKED: readonly (readonly [string, Script, readonly number[]])[] = [
  ["a name", { says: [5, 0, ...DONE] }, [5, 1, 0, 5, 1, 0, ...NAME]],
  ["an IPv4 address", { says: [5, 0, ...DONE], to: { host: "192.0.2.7", port: 80 } }, [
    ...[5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 7, 0, 80],
  ]],
  ["what only looks like one", { says: [5, 0, ...DONE], to: { host: "1.2.3.999", port: 80 } }, [
    ...[5, 1, 0, 5, 1, 0, 3, 9, ...toUtf8("1.2.3.999"), 0, 80],
  ]],
  ["an IPv6 address", { says: [5, 0, ...DONE], to: { host: "2001:db8::1:2", port: 80 } }, [
    ...[5, 1, 0, 5, 1, 0, 4, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 80],
  ]],
  ["an IPv6 address in full", { says: [5, 0, ...DONE], to: { host: "1:2:3:4:5:6:7:8", port: 1 } }, [
    ...[5, 1, 0, 5, 1, 0, 4, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 1],
  ]],
  ["an IPv4 address in IPv6", { says: [5, 0, ...DONE], to: { host: "::ffff:1.2.3.4", port: 1 } }, [
    ...[5, 1, 0, 5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4, 0, 1],
  ]],
  ["user and password", { says: [5, 2, 1, 0, ...DONE], with: CREDENTIALS }, [
    ...[5, 2, 0, 2, 1, 2, ...toUtf8("me"), 9, ...toUtf8("geheim ß"), 5, 1, 0, ...NAME],
  ]],
  ["a proxy that does not want them", { says: [5, 0, ...DONE], with: CREDENTIALS }, [
    ...[5, 2, 0, 2, 5, 1, 0, ...NAME],
  ]],
  ["an answer with an IPv6 address", { says: [5, 0, 5, 0, 0, 4, ...Array(18).fill(7)] }, [
    ...[5, 1, 0, 5, 1, 0, ...NAME],
  ]],
  ["an answer with a name of no bytes", { says: [5, 0, 5, 0, 0, 3, 0, 1, 1] }, [
    ...[5, 1, 0, 5, 1, 0, ...NAME],
  ]],
];

for (const [what, script, heard] of ASKED) {
  Deno.test(`a proxy is asked in the right bytes for ${what}`, async () => {
    assert.deepEqual(await connect(script), heard);
  });
}

const REFUSED: readonly (readonly [string, Script, RegExp])[] = [
  ["hangs up at once", { says: [] }, /hung up/],
  ["says half of its choice", { says: [5] }, /hung up/],
  ["is a web server", { says: [...toUtf8("HTTP/1.1 400 Bad Request\r\n\r\n")] }, /SOCKS 5/],
  ["speaks SOCKS 4", { says: [4, 0] }, /SOCKS 5/],
  ["wants a password where there is none", { says: [5, 0xff] }, /wants a user/],
  ["accepts nothing", { says: [5, 0xff], with: CREDENTIALS }, /neither/],
  ["chooses what was not offered", { says: [5, 2] }, /unasked/],
  ["chooses GSSAPI", { says: [5, 1], with: CREDENTIALS }, /unasked/],
  ["refuses the password", { says: [5, 2, 1, 1], with: CREDENTIALS }, /refused/],
  ["answers nonsense to it", { says: [5, 2, 5, 0], with: CREDENTIALS }, /no sense/],
  ["hangs up after the request", { says: [5, 0] }, /hung up/],
  ["hangs up within its answer", { says: [5, 0, ...DONE.slice(0, 9)] }, /hung up/],
  ["hangs up within a long name", { says: [5, 0, 5, 0, 0, 3, 255, 1, 2, 3] }, /hung up/],
  ["answers in another version", { says: [5, 0, 4, 0, 0, 1] }, /not of SOCKS 5/],
  ["answers with another kind of address", { says: [5, 0, 5, 0, 0, 9] }, /kind 9/],
  ["finds no host", { says: [5, 0, 5, 4, 0, 1] }, /host unreachable .*proxy/],
  ["is refused itself", { says: [5, 0, 5, 5, 0, 1] }, /connection refused/],
  ["fails in a way of its own", { says: [5, 0, 5, 77, 0, 1] }, /says 77/],
  ["cannot be told a zone", { says: [5, 0], to: { host: "fe80::1%eth0", port: 1 } }, /address/],
  ["cannot be told a name so long", {
    says: [5, 0],
    to: { host: "x".repeat(256), port: 1 },
  }, /255 bytes/],
];

for (const [what, script, reason] of REFUSED) {
  Deno.test(`a proxy that ${what} is no way to a peer`, async () => {
    await assert.rejects(connect(script), (error) => {
      return error instanceof TroveError && reason.test(error.message);
    });
  });
}

Deno.test("nothing of what follows the proxy's answer is lost", async () => {
  const [ours, theirs] = memoryPair();
  await writeAll(theirs, Uint8Array.of(5, 0, ...DONE, 42, 43));
  await connectThrough(ours, {}, TO);
  const piece = new Uint8Array(10);
  assert.deepEqual([await ours.read(piece), piece[0], piece[1]], [2, 42, 43]);
});

Deno.test("dialPeer() goes through the proxy, which looks the name up", async () => {
  using target = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const names = new Map([["nowhere.invalid", target.addr.port]]);
  await using server = new SocksServer({ ...CREDENTIALS, names });
  const proxy = { host: "127.0.0.1", port: server.port, ...CREDENTIALS };
  const { signal } = new AbortController();
  const peer = { kind: "tcp", host: "nowhere.invalid", port: 3282 } as const;
  {
    using conn = await dialPeer(peer, { signal, proxy });
    using accepted = await target.accept();
    assert.equal(conn.remote, "nowhere.invalid:3282");
    await accepted.write(Uint8Array.of(1, 2, 3));
    const piece = new Uint8Array(10);
    assert.equal(await conn.read(piece), 3);
  }
  const wrong = { ...proxy, password: "?" };
  await assert.rejects(dialPeer(peer, { signal, proxy: wrong }), /refused user and password/);
  const elsewhere = { ...peer, host: "elsewhere.invalid" };
  await assert.rejects(dialPeer(elsewhere, { signal, proxy }), /host unreachable/);
  assert.deepEqual(server.asked, ["nowhere.invalid:3282", "elsewhere.invalid:3282"]);
});

Deno.test("a proxy that says nothing, or is not there, is given up", async () => {
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const proxy = { host: "127.0.0.1", port: silent.addr.port };
  const stop = new AbortController();
  const dialling = dialPeer({ kind: "tcp", ...TO }, { signal: stop.signal, proxy });
  using _accepted = await silent.accept();
  stop.abort();
  await assert.rejects(dialling, TroveError);
  silent.close();
  const { signal } = new AbortController();
  await assert.rejects(dialPeer({ kind: "tcp", ...TO }, { signal, proxy }), (error) => {
    return error instanceof TroveError && /the proxy at .*: connection refused/.test(error.message);
  });
});
