import assert from "node:assert/strict";
import fc from "fast-check";
import {
  count,
  formatBytes,
  formatMode,
  formatRate,
  formatSeconds,
  formatTime,
  printable,
} from "../../src/base/format.ts";

const BYTES: readonly (readonly [number, string])[] = [
  [0, "0 B"],
  [1, "1 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [1049, "1.0 kB"],
  [1050, "1.1 kB"],
  [9499, "9.5 kB"],
  [9949, "9.9 kB"],
  [9950, "10 kB"],
  [12_345, "12 kB"],
  [999_499, "999 kB"],
  [999_500, "1.0 MB"],
  [268_435_456, "268 MB"],
  [1e9, "1.0 GB"],
  [5e12, "5.0 TB"],
  [7e15, "7.0 PB"],
  [Number.MAX_SAFE_INTEGER, "9.0 PB"],
];

for (const [bytes, text] of BYTES) {
  Deno.test(`formatBytes(${bytes}) is ${text}`, () => assert.equal(formatBytes(bytes), text));
}

Deno.test("formatRate() is bytes per second", () => {
  assert.equal(formatRate(0), "0 B/s");
  assert.equal(formatRate(2_500_000), "2.5 MB/s");
});

const SECONDS: readonly (readonly [number, string])[] = [
  [0, "0.0 s"],
  [0.04, "0.0 s"],
  [0.25, "0.3 s"],
  [9.94, "9.9 s"],
  [9.96, "10 s"],
  [59.4, "59 s"],
  [59.6, "1 m 00 s"],
  [185, "3 m 05 s"],
  [3599.6, "1 h 00 m"],
  [7800, "2 h 10 m"],
  [100 * 3600, "100 h 00 m"],
];

for (const [seconds, text] of SECONDS) {
  Deno.test(`formatSeconds(${seconds}) is ${text}`, () => {
    assert.equal(formatSeconds(seconds), text);
  });
}

Deno.test("count() puts all numbers but one into the plural", () => {
  assert.equal(count(0, "file"), "0 files");
  assert.equal(count(1, "file"), "1 file");
  assert.equal(count(2, "file"), "2 files");
});

Deno.test("printable() shows what would act on a terminal as escapes and leaves the rest alone", () => {
  assert.equal(printable("caf\u00e9 \u65e5\u672c \u{1F980}"), "caf\u00e9 \u65e5\u672c \u{1F980}");
  assert.equal(printable("a\nb\rc\td"), "a\\u000ab\\u000dc\\u0009d");
  assert.equal(printable("\u001b[31mred\u009b0m\u007f"), "\\u001b[31mred\\u009b0m\\u007f");
  assert.equal(printable("\u202etxt.exe\u2066\u200f\u061c"), "\\u202etxt.exe\\u2066\\u200f\\u061c");
  assert.equal(printable("\u2028\u2029"), "\\u2028\\u2029");
});

Deno.test("printable() keeps the meaning of JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      assert.deepEqual(JSON.parse(printable(text)), JSON.parse(text));
    }),
    { seed: 1, numRuns: 300 },
  );
});

Deno.test("printable() leaves no control character in any text", () => {
  const anyText = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(anyText, (text) => {
      assert.doesNotMatch(
        printable(text),
        /\p{Cc}|[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/u,
      );
    }),
    { seed: 2, numRuns: 500 },
  );
});

const MODES: readonly (readonly [number, string])[] = [
  [0, "----------"],
  [0o644, "-rw-r--r--"],
  [0o100644, "-rw-r--r--"],
  [0o100755, "-rwxr-xr-x"],
  [0o040755, "drwxr-xr-x"],
  [0o120777, "lrwxrwxrwx"],
  [0o010600, "prw-------"],
  [0o140600, "srw-------"],
  [0o060660, "brw-rw----"],
  [0o020620, "crw--w----"],
  [0o104755, "-rwsr-xr-x"],
  [0o106644, "-rwSr-Sr--"],
  [0o041777, "drwxrwxrwt"],
  [0o041776, "drwxrwxrwT"],
];

for (const [mode, text] of MODES) {
  Deno.test(`formatMode(0o${mode.toString(8)}) is ${text}`, () => {
    assert.equal(formatMode(mode), text);
  });
}

Deno.test("formatTime() is minutes in UTC, and nothing for what is no time", () => {
  assert.equal(formatTime(0), "1970-01-01 00:00");
  assert.equal(formatTime(Date.UTC(2024, 4, 1, 13, 45, 59, 999)), "2024-05-01 13:45");
  assert.equal(formatTime(Date.UTC(12024, 4, 1)), "+012024-05-01 00:00");
  assert.equal(formatTime(Number.MAX_SAFE_INTEGER), "-");
});
