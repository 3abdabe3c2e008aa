import assert from "node:assert/strict";
import { TroveError, UsageError } from "../../src/base/errors.ts";
import { dialPeer, formatAddress, listenForPeers, parseAddress } from "../../src/io/net.ts";

const LOOPBACK = "127.0.0.1";

const ADDRESSES: readonly (readonly [string, string, number])[] = [
  ["192.0.2.7:3282", "192.0.2.7", 3282],
  ["192.0.2.7", "192.0.2.7", 3282],
  ["localhost:1", "localhost", 1],
  ["some-host.example:65535", "some-host.example", 65535],
  ["[2001:db8::1]:80", "2001:db8::1", 80],
  ["[2001:db8::1]", "2001:db8::1", 3282],
  ["2001:db8::1", "2001:db8::1", 3282],
  ["::1", "::1", 3282],
  ["::", "::", 3282],
  ["[fe80::1%eth0]:99", "fe80::1%eth0", 99],
  ["::ffff:192.0.2.7", "::ffff:192.0.2.7", 3282],
];

for (const [text, host, port] of ADDRESSES) {
  Deno.test(`parseAddress("${text}") is ${host} and port ${port}`, () => {
    assert.deepEqual(parseAddress(text), { host, port });
    assert.deepEqual(parseAddress(formatAddress({ host, port })), { host, port });
  });
}

for (
  const text of [
    ...["", ":3282", "host:", "host:0", "host:65536", "host:x", "host:-1", "a b:1", "host:1:2"],
    ...["[::1", "::1]:5", "[]:5", "[host]:5", "http://host:80", "host:1 ", "host:1/"],
  ]
) {
  Deno.test(`parseAddress() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseAddress(text), (error) => {
      return error instanceof UsageError && error.message.includes(`"${text}"`) &&
        error.hint !== undefined;
    });
  });
}

Deno.test("dialPeer() opens a connection to a listener", async () => {
  using listener = listenForPeers({ host: LOOPBACK, port: 0, exact: false });
  const { port } = listener.addr as Deno.NetAddr;
  const { signal } = new AbortController();
  const [accepted, dialled] = await Promise.all([
    listener.accept(),
    dialPeer({ host: LOOPBACK, port }, { signal }),
  ]);
  using _accepted = accepted;
  using conn = dialled;
  assert.equal((conn.remoteAddr as Deno.NetAddr).port, port);
});

Deno.test("dialPeer() says in plain words that nobody listens", async () => {
  const closed = listenForPeers({ host: LOOPBACK, port: 0, exact: false });
  const { port } = closed.addr as Deno.NetAddr;
  closed.close();
  await assert.rejects(
    dialPeer({ host: LOOPBACK, port }, { signal: new AbortController().signal }),
    (error) => error instanceof TroveError && error.message === "connection refused",
  );
});

Deno.test("dialPeer() says in plain words that a host does not exist", async () => {
  await assert.rejects(
    dialPeer({ host: "no-such-host.invalid", port: 1 }, { signal: new AbortController().signal }),
    (error) => error instanceof TroveError && !/os error/.test(error.message),
  );
});

Deno.test("dialPeer() ends when it is told to", async () => {
  const stop = new AbortController();
  stop.abort();
  await assert.rejects(
    dialPeer({ host: LOOPBACK, port: 9 }, { signal: stop.signal }),
    TroveError,
  );
});

Deno.test("listenForPeers() takes another port unless this one was asked for", () => {
  using taken = listenForPeers({ host: LOOPBACK, port: 0, exact: true });
  const { port } = taken.addr as Deno.NetAddr;
  {
    using other = listenForPeers({ host: LOOPBACK, port, exact: false });
    assert.notEqual((other.addr as Deno.NetAddr).port, port);
  }
  assert.throws(() => listenForPeers({ host: LOOPBACK, port, exact: true }), (error) => {
    return error instanceof UsageError && error.message.includes(String(port)) &&
      /--port/.test(error.hint!);
  });
});

Deno.test("listenForPeers() refuses a host that is not ours", () => {
  for (const exact of [true, false]) {
    assert.throws(() => listenForPeers({ host: "192.0.2.7", port: 0, exact }), UsageError);
  }
});
