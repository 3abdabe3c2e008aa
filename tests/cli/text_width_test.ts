import assert from "node:assert/strict";
import fc from "fast-check";
import { cutEnd, cutMiddle, cutStart, padText, textWidth } from "../../src/cli/text_width.ts";

const WIDTHS: readonly (readonly [text: string, columns: number])[] = [
  ["", 0],
  ["photos", 6],
  ["写真", 4],
  ["ﾊﾝｶｸ", 4],
  ["ＡＢ", 4],
  ["한글", 4],
  ["é", 1],
  ["e\u0301", 1],
  ["Ω…", 2],
  ["🎉", 2],
  ["❤\ufe0f", 2],
  ["👩\u200d🚀", 4],
  ["𠀀", 2],
];

for (const [text, columns] of WIDTHS) {
  Deno.test(`textWidth(${JSON.stringify(text)}) is ${columns}`, () => {
    assert.equal(textWidth(text), columns);
  });
}

const CUTS: readonly (readonly [string, number, end: string, start: string, middle: string])[] = [
  ["photos", 6, "photos", "photos", "photos"],
  ["2024/photos", 8, "2024/...", "...hotos", "202...os"],
  ["写真の名前", 8, "写真...", "...名前", "写...前"],
  ["photos", 4, "p...", "...s", "p..."],
  ["photos", 2, "..", "..", ".."],
  ["photos", 0, "", "", ""],
];

for (const [text, width, end, start, middle] of CUTS) {
  Deno.test(`${JSON.stringify(text)} is cut to ${width} columns at either end`, () => {
    assert.deepEqual([cutEnd, cutStart, cutMiddle].map((cut) => cut(text, width)), [
      end,
      start,
      middle,
    ]);
  });
}

Deno.test("no cut text is wider than it may be, and what fits is left as it is", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), fc.nat(30), (text, width) => {
    for (const cut of [cutEnd, cutStart, cutMiddle]) {
      const short = cut(text, width);
      assert.ok(textWidth(short) <= width);
      if (textWidth(text) <= width) assert.equal(short, text);
    }
    assert.equal(textWidth(padText(text, 40)), Math.max(40, textWidth(text)));
  }));
});
