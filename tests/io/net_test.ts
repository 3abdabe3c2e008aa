/** Dialling and listening over TCP. */
import assert from "node:assert/strict";
import { TroveError, UsageError } from "../../src/base/errors.ts";
import type { Connection } from "../../src/io/connection.ts";
import { dialPeer, listenForPeers, type ListenOptions } from "../../src/io/net.ts";

const LOOPBACK = "127.0.0.1";
const dial = (host: string, port: number, signal = new AbortController().signal) =>
  dialPeer({ kind: "tcp", host, port }, { signal });
const listen = (port = 0, options: Partial<ListenOptions> = {}) =>
  listenForPeers({ host: LOOPBACK, port, exact: false, ...options });

Deno.test("dialPeer() opens a connection to a listener, which says who comes", async () => {
  const listener = await listen();
  const { hostname, port } = listener.addr;
  assert.equal(hostname, LOOPBACK);
  const { promise, resolve } = Promise.withResolvers<Connection>();
  const serving = listener.serve(resolve);
  using conn = await dial(LOOPBACK, port);
  using accepted = await promise;
  assert.equal(conn.remote, `${LOOPBACK}:${port}`);
  assert.match(accepted.remote, /^127\.0\.0\.1:\d+$/);
  await conn.write(Uint8Array.of(7));
  const piece = new Uint8Array(10);
  assert.deepEqual([await accepted.read(piece), piece[0]], [1, 7]);
  listener.close();
  listener.close();
  await serving;
});

Deno.test("a listener on all addresses takes peers of both families, each in its own form", async () => {
  using listener = await listen(0, { host: "::" });
  const came: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const serving = listener.serve((connection) => {
    came.push(connection.remote.replace(/:\d+$/, ""));
    connection.close();
    if (came.length === hosts.length) resolve();
  });
  const { hostname, port } = listener.addr;
  // A machine without IPv6 has one family only.
  const hosts = hostname === "::" ? [LOOPBACK, "::1"] : [LOOPBACK];
  for (const host of hosts) (await dial(host, port)).close();
  await promise;
  assert.deepEqual(came.sort(), hosts.map((host) => host === "::1" ? "[::1]" : host).sort());
  listener.close();
  await serving;
});

Deno.test("dialPeer() says in plain words that nobody listens", async () => {
  const closed = await listen();
  const { port } = closed.addr;
  closed.close();
  await assert.rejects(
    dial(LOOPBACK, port),
    (error) => error instanceof TroveError && error.message === "connection refused",
  );
});

Deno.test("dialPeer() says in plain words that a host does not exist", async () => {
  await assert.rejects(
    dial("no-such-host.invalid", 1),
    (error) => error instanceof TroveError && !/os error/.test(error.message),
  );
});

Deno.test("dialPeer() ends when it is told to", async () => {
  const stop = new AbortController();
  stop.abort();
  await assert.rejects(dial(LOOPBACK, 9, stop.signal), TroveError);
});

Deno.test("listenForPeers() takes another port unless this one was asked for", async () => {
  using taken = await listen(0, { exact: true });
  const { port } = taken.addr;
  {
    using other = await listen(port);
    assert.notEqual(other.addr.port, port);
  }
  await assert.rejects(listen(port, { exact: true }), (error) => {
    return error instanceof UsageError && error.message.includes(String(port)) &&
      /--port/.test(error.hint!);
  });
  // What was opened before the one that fails is closed again.
  await assert.rejects(listen(0, { ws: port }), (error) => {
    return error instanceof UsageError && /--ws/.test(error.hint!);
  });
});

Deno.test("listenForPeers() refuses a host that is not ours", async () => {
  for (const exact of [true, false]) {
    await assert.rejects(listen(0, { host: "192.0.2.7", exact }), UsageError);
  }
});
