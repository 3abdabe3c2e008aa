import assert from "node:assert/strict";
import { UsageError } from "../../src/base/errors.ts";
import {
  formatAddress,
  formatPeer,
  parseAddress,
  parsePeer,
  parseProxy,
  parseUnix,
} from "../../src/io/peer_address.ts";

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

const PEERS: readonly (readonly [string, string, object])[] = [
  ["192.0.2.7", "192.0.2.7:3282", { kind: "tcp", host: "192.0.2.7", port: 3282 }],
  ["unix:/run/a b.sock", "unix:/run/a b.sock", { kind: "unix", path: "/run/a b.sock" }],
  ["unix:x", "unix:x", { kind: "unix", path: "x" }],
  ["ws://h.example", "ws://h.example:80/", {
    ...{ kind: "ws", secure: false, host: "h.example", port: 80, path: "/" },
  }],
  ["WSS://H.example/a/b?c=d", "wss://h.example:443/a/b?c=d", {
    ...{ kind: "ws", secure: true, host: "h.example", port: 443, path: "/a/b?c=d" },
  }],
  ["ws://[::1]:8080/x", "ws://[::1]:8080/x", {
    ...{ kind: "ws", secure: false, host: "::1", port: 8080, path: "/x" },
  }],
];

for (const [text, formatted, target] of PEERS) {
  Deno.test(`parsePeer("${text}") is ${formatted}`, () => {
    assert.deepEqual(parsePeer(text), target);
    assert.equal(formatPeer(parsePeer(text)), formatted);
    assert.deepEqual(parsePeer(formatted), target);
  });
}

for (
  const text of [
    ...["unix:", "unix:a\0b", "ws://", "ws://:80", "ws://h:0", "ws://h:99999", "ws://u:p@h/"],
    ...["ws://h/#x", "ws://h/a b", "http://h:80", "wss:/h", "ws:h\n:1"],
  ]
) {
  Deno.test(`parsePeer() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parsePeer(text), (error) => {
      return error instanceof UsageError && error.hint !== undefined;
    });
  });
}

Deno.test("parseUnix() leaves everything else alone", () => {
  assert.equal(parseUnix("127.0.0.1"), undefined);
  assert.equal(parseUnix("unix:/a"), "/a");
});

const PROXIES: readonly (readonly [string, object])[] = [
  ["socks5://127.0.0.1", { host: "127.0.0.1", port: 1080 }],
  ["socks5h://p.example:80", { host: "p.example", port: 80 }],
  ["socks5://p.example:9050/", { host: "p.example", port: 9050 }],
  ["socks5://[::1]:9050", { host: "::1", port: 9050 }],
  ["socks5://me:s%3Acret@p:1", { host: "p", port: 1, user: "me", password: "s:cret" }],
  ["socks5://me@p:1", { host: "p", port: 1, user: "me", password: "" }],
];

for (const [text, proxy] of PROXIES) {
  Deno.test(`parseProxy("${text}")`, () => assert.deepEqual(parseProxy(text), proxy));
}

for (
  const text of [
    ...["", "p:1080", "http://p:1", "socks4://p", "socks5://", "socks5://p:0", "socks5://p:99999"],
    ...["socks5://p/path", "socks5://p?x", "socks5://p#x", `socks5://${"u".repeat(256)}:s@p`],
  ]
) {
  Deno.test(`parseProxy() refuses "${text.slice(0, 20)}", and repeats nothing of it`, () => {
    assert.throws(() => parseProxy(text), (error) => {
      return error instanceof UsageError && !error.message.includes("socks5://");
    });
  });
}
