import assert from "node:assert/strict";
import fc from "fast-check";
import { holds, NameCache } from "../../src/discovery/name_cache.ts";
import { tempFolder } from "../support/temp.ts";

const KEY = "0123456789abcdef".repeat(4);
const KNOWN = { key: KEY, found: 1, until: 2 };

Deno.test("what one cache is told another one reads, and nobody else", () => {
  using temp = tempFolder();
  const path = temp.join("new/trove/names.json");
  const cache = new NameCache(path);
  assert.equal(cache.get("a.org"), undefined);
  cache.set("a.org", KNOWN);
  new NameCache(path).set("b.org", { failure: { kind: "none", why: "x", until: 5 } });
  assert.deepEqual(cache.get("b.org"), { failure: { kind: "none", why: "x", until: 5 } });
  assert.deepEqual(new NameCache(path).get("a.org"), KNOWN);
  assert.deepEqual([...Deno.readDirSync(temp.join("new/trove"))].map(({ name }) => name), [
    "names.json",
  ]);
  if (Deno.build.os !== "windows") {
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    assert.equal(Deno.statSync(temp.join("new/trove")).mode! & 0o777, 0o700);
  }
});

Deno.test("of many names those that were written last are kept", () => {
  using temp = tempFolder();
  const path = temp.join("names.json");
  const names = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`n${n}.org`, KNOWN]));
  Deno.writeTextFileSync(path, JSON.stringify({ names }));
  const cache = new NameCache(path);
  cache.set("n0.org", KNOWN);
  cache.set("new.org", KNOWN);
  assert.equal(cache.get("n1.org"), undefined);
  assert.deepEqual(cache.get("n0.org"), KNOWN);
  assert.equal(Object.keys(JSON.parse(Deno.readTextFileSync(path)).names).length, 1000);
});

const BROKEN: Record<string, string> = {
  "nothing": "",
  "half of it": '{"names":{"a.org":{"key":"01',
  "something else": "[]",
  "no names": '{"names":null}',
  "a name with no key": '{"names":{"a.org":{"key":"xyz","found":1,"until":2}}}',
  "a time that is none": `{"names":{"a.org":{"key":"${KEY}","found":"x","until":2}}}`,
  "a failure of an unknown kind": '{"names":{"a.org":{"failure":{"kind":"x","why":"","until":1}}}}',
  "too much": `{"names":{"a.org":{}}}${" ".repeat(1024 * 1024)}`,
};
for (const [what, text] of Object.entries(BROKEN)) {
  Deno.test(`a file with ${what} says nothing, and is replaced`, () => {
    using temp = tempFolder();
    const path = temp.join("names.json");
    Deno.writeTextFileSync(path, text);
    const cache = new NameCache(path);
    assert.equal(cache.get("a.org"), undefined);
    cache.set("a.org", KNOWN);
    assert.deepEqual(new NameCache(path).get("a.org"), KNOWN);
  });
}

Deno.test("no JSON upsets the cache", () => {
  using temp = tempFolder();
  const path = temp.join("names.json");
  const known = fc.record({ key: fc.anything(), failure: fc.jsonValue(), until: fc.jsonValue() }, {
    requiredKeys: [],
  });
  fc.assert(fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(fc.string(), known)), (names) => {
    Deno.writeTextFileSync(path, JSON.stringify({ names }) ?? "");
    assert.equal(new NameCache(path).get("a.org")?.key, undefined);
  }));
});

Deno.test("an answer holds until its time, and no longer than a week, should a clock go back", () => {
  assert.ok(holds(1000, 999));
  assert.ok(!holds(1000, 1000));
  assert.ok(!holds(undefined, 0));
  assert.ok(holds(604_800_000, 0));
  assert.ok(!holds(604_800_001, 0));
});
