/** Every reader of foreign bytes, with input that makes no sense: the short form of campaign:fuzz. */
import assert from "node:assert/strict";
import { UsageError } from "../../src/base/errors.ts";
import { compileIgnore } from "../../src/core/archive/ignore_rules.ts";
import { feedsTarget, FilesTarget } from "./file_targets.ts";
import { CaseRandom, mutate } from "./mutate.ts";
import { fuzzParser } from "./parser_fuzz.ts";
import { PARSER_TARGETS } from "./parser_targets.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const CASES = 4000;
/** Some touch files, or take their time. */
const FEW_CASES = 600;

for (const [name, make] of Object.entries(PARSER_TARGETS)) {
  Deno.test(`${name}: ${CASES} inputs that make no sense are taken or refused`, async () => {
    const target = make();
    assert.ok(target.samples.length > 0);
    for (let seed = 0; seed < CASES; seed++) await fuzzParser(target, seed);
  });
}

Deno.test("feeds that were damaged open as far as they are proven, or are refused", async () => {
  const target = feedsTarget();
  for (let seed = 0; seed < FEW_CASES; seed++) await fuzzParser(target, seed);
});

Deno.test("small files of any content are taken or refused", async () => {
  using target = new FilesTarget();
  for (let seed = 0; seed < FEW_CASES; seed++) await fuzzParser(target, seed);
});

Deno.test("the same number makes the same input", () => {
  const { samples, maxBytes } = PARSER_TARGETS.frames();
  for (let seed = 0; seed < 50; seed++) {
    const [a, b] = [0, 1].map(() => mutate(new CaseRandom(seed), samples, maxBytes));
    assertSameBytes(a, b);
  }
});

Deno.test("a reader that throws something else is told with its number", () => {
  const target = {
    name: "broken",
    samples: [Uint8Array.of(1)],
    maxBytes: 9,
    run: () => {
      throw new TypeError("undefined is not a function");
    },
  };
  assert.throws(() => fuzzParser(target, 7), /^Error: broken, seed 7: TypeError/);
});

Deno.test("a pattern that would take for ever is refused", () => {
  const compile = (datignore: string) =>
    compileIgnore({ datignore, isDirectory: () => false, ignoreHidden: true });
  for (const pattern of ["a**".repeat(40), "**/".repeat(5) + "x", "*a*b*c*", "x".repeat(2000)]) {
    assert.throws(() => compile(pattern), UsageError, pattern);
  }
  for (const pattern of ["**/*.log", "*/*/*/*/*.txt", "**/a*b*c*/**"]) compile(pattern);
});
