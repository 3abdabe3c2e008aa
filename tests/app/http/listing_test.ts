import assert from "node:assert/strict";
import { matchesTag } from "../../../src/app/http/etag.ts";
import {
  chooseFormat,
  escapeHtml,
  formatListing,
  type ListedItem,
} from "../../../src/app/http/listing.ts";
import { mediaType } from "../../../src/app/http/media_types.ts";

const list = (path: string, items: readonly ListedItem[]) => ({
  ...{ key: "ab".repeat(32), version: 3, path, items },
});

Deno.test("a listing holds nothing of a name that a browser would take for something else", () => {
  const name = `<img src=x onerror="alert('1')">&\u202e\n.txt`;
  const html = formatListing(list(`/${name}`, [{ name, type: "file", size: 1, mtime: 0 }]), "html");
  assert.ok(!html.includes("<img"));
  assert.ok(!html.includes("\u202e"));
  assert.ok(!/onerror="/.test(html));
  const [, href] = /href="(\.\/[^"]+)"/.exec(html)!;
  assert.equal(decodeURIComponent(href.replaceAll("&#39;", "'")), `./${name}`);
});

Deno.test("a listing of a folder leads upwards, and that of the root does not", () => {
  assert.ok(formatListing(list("/a", []), "html").includes('href="../"'));
  assert.ok(!formatListing(list("/", []), "html").includes('href="../"'));
});

Deno.test("a listing has a form for programs and one for pipes", () => {
  const items: ListedItem[] = [{ name: "sub", type: "folder" }, {
    name: "a",
    type: "file",
    size: 5,
  }];
  const { entries, version, path } = JSON.parse(formatListing(list("/", items), "json"));
  assert.deepEqual([entries, version, path], [items, 3, "/"]);
  assert.equal(formatListing(list("/", items), "text"), "sub/\na\n");
});

Deno.test("chooseFormat() goes by what a request accepts, and shows HTML to the rest", () => {
  for (
    const [accept, format] of [
      [null, "html"],
      ["*/*", "html"],
      ["application/json", "json"],
      ["text/plain", "text"],
      ["text/html,application/json", "html"],
      ["image/png", "html"],
    ] as const
  ) assert.equal(chooseFormat(accept), format);
});

Deno.test("escapeHtml() is for text and for attributes", () => {
  assert.equal(escapeHtml(`<a b="c" d='e'>&`), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
});

Deno.test("mediaType() goes by the extension, and by nothing else", () => {
  for (
    const [path, type] of [
      ["/a.html", "text/html; charset=utf-8"],
      ["/a.JPG", "image/jpeg"],
      ["/a.tar.gz", "application/gzip"],
      ["/html", "application/octet-stream"],
      ["/a.b/c", "application/octet-stream"],
      ["/a.constructor", "application/octet-stream"],
      ["/a.__proto__", "application/octet-stream"],
    ]
  ) assert.equal(mediaType(path), type, path);
});

Deno.test("matchesTag() tells weak from strong", () => {
  const strong = { weak: false };
  const weak = { weak: true };
  assert.ok(matchesTag('"a"', '"a"', strong));
  assert.ok(matchesTag('"b", W/"a"', '"a"', weak));
  assert.ok(matchesTag("*", '"a"', strong));
  assert.ok(!matchesTag('W/"a"', '"a"', strong));
  assert.ok(!matchesTag('"b"', '"a"', weak));
  assert.ok(!matchesTag("a", '"a"', weak));
  // A date never is a tag.
  assert.ok(!matchesTag("Sat, 28 Nov 2026 19:11:34 GMT", '"a"', strong));
});
