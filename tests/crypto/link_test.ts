import assert from "node:assert/strict";
import fc from "fast-check";
import { UsageError } from "../../src/base/errors.ts";
import { formatLink, hasKey, parseLink } from "../../src/crypto/link.ts";

const KEY = Uint8Array.from({ length: 32 }, (_, at) => (37 * at + 5) % 256);
const DIGITS = formatLink(KEY).slice("dat://".length);

const LINKS: Record<string, string> = {
  "bare digits": DIGITS,
  "digits in upper case": DIGITS.toUpperCase(),
  "a dat link": `dat://${DIGITS}`,
  "a dat link in upper case": `DAT://${DIGITS.toUpperCase()}`,
  "a dat link with a slash": `dat://${DIGITS}/`,
  "a dat link with a path": `dat://${DIGITS}/some/file.txt`,
  "a path with a plus sign": `dat://${DIGITS}/c++3`,
  "a path with a hash in it": `dat://${DIGITS}/${"ab".repeat(32)}`,
  "an https URL": `https://example.org/${DIGITS}`,
  "an http URL with more behind": `http://example.org:8080/${DIGITS}/file?x=1#top`,
  "a host name": `https://${DIGITS}.example.org/`,
  "shorter hex before it": `https://cafe.example/${DIGITS}`,
  "a longer run before it": `https://example.org/${"0".repeat(65)}/${DIGITS}`,
  "blanks around": `  ${DIGITS}\n`,
};
for (const [what, text] of Object.entries(LINKS)) {
  Deno.test(`parseLink() finds the key in ${what}`, () => {
    assert.deepEqual(parseLink(text), { key: KEY });
    assert.ok(hasKey(text));
  });
}

const VERSIONS: [string, number][] = [
  [`dat://${DIGITS}+3`, 3],
  [`${DIGITS}+0`, 0],
  [`dat://${DIGITS}+12/path/file`, 12],
  [`https://example.org/${DIGITS}+9007199254740991?a`, Number.MAX_SAFE_INTEGER],
];
for (const [text, version] of VERSIONS) {
  Deno.test(`parseLink() finds version ${version} behind the key`, () => {
    assert.deepEqual(parseLink(text), { key: KEY, version });
  });
}

for (const after of ["+", "+x", "+1x", "+-1", "+1.5", "+/file", "+9007199254740992"]) {
  Deno.test(`parseLink() refuses "${after}" as a version`, () => {
    assert.throws(() => parseLink(DIGITS + after), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /version/);
      assert.ok(error.message.includes(after));
      return true;
    });
  });
}

const UNREADABLE: [string, RegExp][] = [
  ["", /no hex digits/],
  ["zzz", /no hex digits/],
  [DIGITS.slice(1), /63 hex digits/],
  [`dat://${DIGITS}0`, /65 hex digits/],
  [`dat://${DIGITS}${DIGITS}`, /128 hex digits/],
  [`dat://${DIGITS.slice(0, 32)}-${DIGITS.slice(32)}`, /32 hex digits/],
  [`${"z".repeat(10_000)}${DIGITS.slice(1)}`, /63 hex digits/],
];
for (const [text, found] of UNREADABLE) {
  Deno.test(`parseLink() finds no key in ${text.length} characters, and says ${found.source}`, () => {
    assert.ok(!hasKey(text));
    assert.throws(() => parseLink(text), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, found);
      assert.match(error.message, /64 would be fine/);
      assert.ok(error.message.length < 300);
      return true;
    });
  });
}

Deno.test("parseLink() undoes formatLink()", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
      const link = formatLink(key);
      assert.match(link, /^dat:\/\/[0-9a-f]{64}$/);
      assert.deepEqual(parseLink(link), { key });
    }),
    { seed: 40, numRuns: 100 },
  );
});
