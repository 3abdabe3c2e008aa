import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, toHex, toUtf8 } from "../../src/base/bytes.ts";
import {
  type NameAnswer,
  readDnsAnswer,
  readNameFile,
  recordsFor,
  ttlOf,
} from "../../src/discovery/name_records.ts";

const HEX = "c1feb82a2b3ba065ffed9f6addcf19ac250793bcab748986a1b4272c62da20e6";
const LOW = "0123456789abcdef".repeat(4);

function shown(answer: NameAnswer): string {
  if (answer.kind !== "found") return answer.kind;
  return `${answer.keys.map((key) => toHex(key).slice(0, 4)).join(" ")} for ${answer.ttl}`;
}

const dns = (answer: unknown) => shown(readDnsAnswer(toUtf8(JSON.stringify(answer))));
const txt = (data: unknown, TTL: unknown = 300, type = 16) => ({ type, TTL, data });
const answer = (...Answer: unknown[]) => dns({ Status: 0, Answer });

const RECORDS: readonly (readonly [data: string, shown: string])[] = [
  [`"datkey=${HEX}"`, "c1fe for 300"],
  [`datkey=${HEX}`, "c1fe for 300"],
  [`"DATKEY=${HEX.toUpperCase()}"`, "c1fe for 300"],
  [`"v=1; datkey=${HEX}; more"`, "c1fe for 300"],
  [`"datkey=${HEX.slice(0, 30)}" "${HEX.slice(30)}"`, "c1fe for 300"],
  [`"say \\"datkey=${HEX}\\""`, "c1fe for 300"],
  [`"datkey\\061${HEX}"`, "c1fe for 300"],
  [`"datkey=${HEX} datkey=${LOW}"`, "c1fe 0123 for 300"],
  [`"datkey=${HEX}0"`, "none"],
  [`"datkey=${HEX.slice(1)}"`, "none"],
  [`"datkey=${HEX.slice(0, 30)}" "x" "${HEX.slice(30)}"`, "none"],
  [`"v=spf1 -all"`, "none"],
  [`"`, "none"],
  ["", "none"],
];
for (const [data, shown] of RECORDS) {
  Deno.test(`of the TXT record ${data.slice(0, 30)} (${data.length}) comes: ${shown}`, () => {
    assert.equal(answer(txt(data)), shown);
  });
}

Deno.test("of several records the last one by the alphabet comes first, with its own time", () => {
  assert.equal(answer(txt(`datkey=${LOW}`, 7), txt(`datkey=${HEX}`, 8)), "c1fe 0123 for 8");
  assert.equal(answer(txt(`datkey=${HEX}`, 8), txt(`datkey=${LOW}`, 7)), "c1fe 0123 for 8");
  assert.equal(
    answer(txt(`datkey=${HEX}`, 8), txt(`datkey=${HEX.toUpperCase()}`, 5)),
    "c1fe for 5",
  );
});

Deno.test("records of other types, and those that make no sense, are passed over", () => {
  assert.equal(answer(txt(`datkey=${HEX}`, 300, 5), txt(5), null, "x", []), "none");
  assert.equal(answer(txt("x.example.", 300, 5), txt(`datkey=${HEX}`)), "c1fe for 300");
});

Deno.test("a DNS answer is an answer when its status says so", () => {
  assert.equal(dns({ Status: 0 }), "none");
  assert.equal(dns({ Status: 3 }), "none");
  assert.equal(dns({ Status: 2, Answer: [txt(`datkey=${HEX}`)] }), "failed");
  assert.equal(dns({ Answer: [txt(`datkey=${HEX}`)] }), "failed");
  for (const text of ["", "[]", "null", "{", "<html>", '{"Status":"0"}']) {
    assert.equal(shown(readDnsAnswer(toUtf8(text))), "failed", text);
  }
  assert.equal(shown(readDnsAnswer(Uint8Array.of(0xff, 0xfe))), "failed");
});

for (
  const [value, seconds] of [
    [0, 0],
    [1, 1],
    [604_800, 604_800],
    [604_801, 604_800],
    [2 ** 53, 3600],
    [-1, 3600],
    [1.5, 3600],
    ["60", 3600],
    [undefined, 3600],
    [null, 3600],
    [Infinity, 3600],
  ] as const
) {
  Deno.test(`a time to live of ${value} means ${seconds} s`, () =>
    assert.equal(ttlOf(value), seconds));
}

const file = (text: string) => shown(readNameFile(toUtf8(text)));

const FILES: readonly (readonly [text: string, shown: string])[] = [
  [`dat://${HEX}`, "c1fe for 3600"],
  [`dat://${HEX}/`, "c1fe for 3600"],
  [`dat://${HEX}\nTTL=60`, "c1fe for 60"],
  [`dat://${HEX}/\r\nttl=60\r\n`, "c1fe for 60"],
  [`DAT://${HEX.toUpperCase()} and more\nTTL=0\n`, "c1fe for 0"],
  [`dat://${HEX}\nTTL=999999999\n`, "c1fe for 604800"],
  [`dat://${HEX}\nTTL=${"9".repeat(30)}\n`, "c1fe for 3600"],
  [`dat://${HEX}\nTTL=-1\n`, "c1fe for 3600"],
  [`dat://${HEX}\nTTL=60 \n`, "c1fe for 3600"],
  [`dat://${HEX}\n\nTTL=60\n`, "c1fe for 3600"],
  [`dat://${HEX}0`, "failed"],
  [`dat://${HEX.slice(1)}`, "failed"],
  [` dat://${HEX}`, "failed"],
  [`${HEX}`, "failed"],
  [`\ndat://${HEX}`, "failed"],
  ["<html>", "failed"],
  ["", "failed"],
];
for (const [text, shown] of FILES) {
  Deno.test(`of a file with ${JSON.stringify(text.replace(HEX, "<key>"))} comes: ${shown}`, () => {
    assert.equal(file(text), shown);
  });
}

Deno.test("a file that is no text is none", () => {
  assert.equal(shown(readNameFile(Uint8Array.of(0xff, ...toUtf8(`dat://${HEX}`)))), "failed");
});

Deno.test("what is to be published is what is found then", () => {
  const { txt: record, file: text } = recordsFor(fromHex(HEX));
  assert.equal(answer(txt(`"${record}"`)), "c1fe for 300");
  assert.equal(file(text), "c1fe for 3600");
});

Deno.test("no answer of whatever form upsets the reader, and no key comes out of nothing", () => {
  fc.assert(fc.property(fc.json(), (text) => {
    assert.notEqual(readDnsAnswer(toUtf8(text)).kind, "found");
  }));
  const data = fc.array(fc.constantFrom('"', "\\", " ", "datkey=", HEX, "0", "\\065"), {
    maxLength: 8,
  }).map((parts) => parts.join(""));
  fc.assert(fc.property(data, (data) => {
    const found = readDnsAnswer(toUtf8(JSON.stringify({ Status: 0, Answer: [txt(data)] })));
    if (found.kind !== "found") return;
    for (const key of found.keys) assert.equal(toHex(key), HEX);
  }));
  fc.assert(fc.property(fc.uint8Array(), (bytes) => {
    assert.notEqual(readNameFile(bytes).kind, "found");
  }));
});
