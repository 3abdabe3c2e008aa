import assert from "node:assert/strict";
import fc from "fast-check";
import { UsageError } from "../../src/base/errors.ts";
import { isName, parseName } from "../../src/discovery/name_text.ts";

const HEX = "0123456789abcdef".repeat(4);

const NAMES: readonly (readonly [text: string, host: string, version?: number])[] = [
  ["example.org", "example.org"],
  ["dat://example.org", "example.org"],
  ["dat://Example.ORG/path/to?x#y", "example.org"],
  ["DAT://example.org/", "example.org"],
  ["example.org.", "example.org"],
  ["example.org/some/path+3", "example.org"],
  ["example.org+12", "example.org", 12],
  ["dat://example.org+12/path", "example.org", 12],
  ["dat://example.org:3282/path", "example.org"],
  ["dat://example.org:3282+4", "example.org", 4],
  ["dat://user:word@example.org/", "example.org"],
  ["https://example.org/x", "example.org"],
  ["bücher.example", "xn--bcher-kva.example"],
  ["dat://BÜCHER.example/", "xn--bcher-kva.example"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ["例え.テスト", "xn--r8jz45g.xn--zckzah"],
  ["a_b.example.org", "a_b.example.org"],
];

for (const [text, host, version] of NAMES) {
  Deno.test(`parseName() reads ${text}`, () => {
    assert.ok(isName(text));
    assert.deepEqual(parseName(text), { host, version, isPrivate: false });
  });
}

const REFUSED: readonly string[] = [
  "dat://localhost/",
  "dat://a.localhost",
  "dat://printer.local",
  "dat://db.internal/",
  "dat://abc.onion",
  "dat://PRINTER.LOCAL.",
  "dat://10.0.0.1/",
  "dat://8.8.8.8",
  "dat://0x7f.1/",
  "dat://2130706433.",
  "dat://0177.0.0.1",
];

for (const text of REFUSED) {
  Deno.test(`parseName() refuses ${text}`, () => {
    assert.ok(isName(text));
    assert.throws(() => parseName(text), UsageError);
  });
}

for (
  const text of [
    ...[
      "",
      "photos",
      "dat://",
      "dat://nobody",
      "a..example.org",
      ".example.org",
      "a b.example.org",
    ],
    ...["-a.example.org", `${"a".repeat(64)}.example.org`, `${"a.".repeat(130)}org`, "[::1]"],
    ...["dat://[::1]/", "dat://a%2eb.org", "dat://ex!ample.org", `dat://${HEX}0.example.org`],
  ]
) {
  Deno.test(`parseName() refuses "${text.slice(0, 40)}"`, () => {
    assert.throws(() => parseName(text), UsageError);
  });
}

for (
  const text of ["photos", HEX, `dat://${HEX}`, "./photos.old", "../a.org", "v1.2.3", "a/b.org", ""]
) {
  Deno.test(`"${text.slice(0, 20)}" is not meant as a name`, () => assert.ok(!isName(text)));
}

Deno.test("names of private networks can be allowed, and nowhere cannot", () => {
  const allowed = { allowPrivate: true };
  for (const text of ["localhost", "dat://db.internal/", "10.0.0.1", "127.0.0.1", "nas"]) {
    assert.equal(parseName(text, allowed).isPrivate, true, text);
  }
  assert.equal(parseName("example.org", allowed).isPrivate, false);
  assert.throws(() => parseName("0.0.0.0", allowed), UsageError);
  assert.throws(() => parseName("255.255.255.255", allowed), UsageError);
});

Deno.test("a name is a host that can stand in a URL, or it is refused", () => {
  const piece = fc.constantFrom(
    ..."aB0-_.:/@+#?%[]é ß\\\n\u3002".split(""),
    "dat://",
    ".org",
    "..",
  );
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
  fc.assert(fc.property(fc.oneof(text, fc.string()), (text) => {
    isName(text);
    let host: string;
    try {
      host = parseName(text).host;
    } catch (error) {
      assert.ok(error instanceof UsageError);
      return;
    }
    assert.match(host, /^[a-z0-9_-]+(\.[a-z0-9_-]+)+$/);
    assert.equal(new URL(`https://${host}/.well-known/dat`).hostname, host);
    assert.equal(parseName(host).host, host);
  }));
});
