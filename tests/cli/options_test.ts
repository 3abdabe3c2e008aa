import assert from "node:assert/strict";
import { UsageError } from "../../src/base/errors.ts";
import {
  collectPeer,
  parseDuration,
  parseHost,
  parsePort,
  parseRate,
  splitPeers,
} from "../../src/cli/options.ts";

const DURATIONS: readonly (readonly [string, number])[] = [
  ["30s", 30_000],
  ["10m", 600_000],
  ["1.5h", 5_400_000],
  ["250ms", 250],
  ["7", 7000],
  ["0.5", 500],
  [" 2s ", 2000],
  ["2147483647ms", 2 ** 31 - 1],
];

for (const [text, ms] of DURATIONS) {
  Deno.test(`parseDuration("${text}") is ${ms} ms`, () => assert.equal(parseDuration(text), ms));
}

for (
  const text of [
    "",
    "0",
    "0s",
    "-1s",
    "soon",
    "1d",
    "1 m",
    "1e3",
    "s",
    "2147483648ms",
    "999h",
    "Infinity",
  ]
) {
  Deno.test(`parseDuration() refuses "${text}"`, () => {
    assert.throws(() => parseDuration(text), (error) => {
      return error instanceof UsageError && error.message.includes(`"${text}"`);
    });
  });
}

Deno.test("parsePort() takes 0 to 65535", () => {
  for (const port of [0, 1, 3282, 65535]) assert.equal(parsePort(String(port)), port);
  for (const text of ["", "-1", "65536", "1.5", "0x10", "1e3", "x", " 1", "99999999999999999999"]) {
    assert.throws(() => parsePort(text), UsageError, text);
  }
});

const RATES: readonly (readonly [string, number])[] = [
  ["500kb", 512_000],
  ["2mb", 2 * 1024 ** 2],
  ["1.5M", 1.5 * 1024 ** 2],
  ["1gb/s", 1024 ** 3],
  ["1024", 1024],
  [" 100000b ", 100_000],
];

for (const [text, rate] of RATES) {
  Deno.test(`parseRate("${text}") is ${rate} bytes a second`, () => {
    assert.equal(parseRate(text), rate);
  });
}

Deno.test("parseRate() refuses what is no rate, and what nobody would wait for", () => {
  for (
    const text of ["", "0", "1023", "0.5kb", "-1mb", "fast", "1tb", "1 mb", "1e6", "9999999gb"]
  ) {
    assert.throws(() => parseRate(text), (error) => {
      return error instanceof UsageError && error.message.includes(`"${text}"`);
    });
  }
});

Deno.test("parseHost() takes addresses as they are, and sockets with a path", () => {
  for (const text of ["127.0.0.1", "::", "unix:/a b"]) assert.equal(parseHost(text), text);
  assert.throws(() => parseHost("unix:"), UsageError);
});

Deno.test("collectPeer() gathers addresses in order, in one way of writing", () => {
  let peers = collectPeer("192.0.2.7");
  peers = collectPeer("[::1]:5", peers);
  peers = collectPeer("WS://h/a", peers);
  peers = collectPeer("unix:/a", peers);
  assert.deepEqual(peers, ["192.0.2.7:3282", "[::1]:5", "ws://h:80/a", "unix:/a"]);
  assert.throws(() => collectPeer("host:x", peers), UsageError);
});

Deno.test("splitPeers() reads addresses between commas and blanks", () => {
  assert.deepEqual(splitPeers(" a:1, b:2\n,c "), ["a:1", "b:2", "c:3282"]);
  assert.deepEqual(splitPeers(" , "), []);
  assert.throws(() => splitPeers("a:1,b:x"), UsageError);
});
