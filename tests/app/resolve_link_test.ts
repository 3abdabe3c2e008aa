import assert from "node:assert/strict";
import { createArchive } from "../../src/app/open_archive.ts";
import { resolveLink } from "../../src/app/resolve_link.ts";
import { toHex } from "../../src/base/bytes.ts";
import { StorageError, UsageError } from "../../src/base/errors.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";

const HEX = "0123456789abcdef".repeat(4);

const LINKS: readonly (readonly [string, number | undefined])[] = [
  [HEX, undefined],
  [HEX.toUpperCase(), undefined],
  [`dat://${HEX}`, undefined],
  [`dat://${HEX}+12`, 12],
  [`${HEX}+3`, 3],
  [`dat://${HEX}/some/path`, undefined],
  [`https://example.org/${HEX}`, undefined],
];

for (const [text, version] of LINKS) {
  Deno.test(`resolveLink() reads ${text.replace(HEX, "<key>")}`, () => {
    using temp = tempFolder();
    const link = resolveLink(text, new TestWorld(temp));
    assert.equal(toHex(link.key), HEX);
    assert.equal(link.version, version);
  });
}

Deno.test("resolveLink() takes 64 digits for a link even where a folder has that name", () => {
  using temp = tempFolder();
  temp.folder(HEX);
  assert.equal(toHex(resolveLink(HEX, new TestWorld(temp)).key), HEX);
});

Deno.test("resolveLink() takes the key of the archive in a folder, before that of its dat.json", () => {
  using temp = tempFolder();
  const world = new TestWorld(temp);
  const dir = temp.folder("folder");
  Deno.writeTextFileSync(temp.join("folder", "dat.json"), JSON.stringify({ url: `dat://${HEX}` }));
  assert.equal(toHex(resolveLink("folder", world).key), HEX, "relative to the world's folder");
  using archive = createArchive(dir, world);
  for (const text of ["folder", "./folder", dir]) {
    assert.deepEqual(resolveLink(text, world).key, archive.metadata.publicKey);
  }
});

const MANIFESTS: ReadonlyMap<string, string> = new Map([
  ["a url", JSON.stringify({ title: "x", url: `dat://${HEX}` })],
  ["a bare key", JSON.stringify({ url: HEX })],
  ["a byte order mark", `\ufeff${JSON.stringify({ url: HEX })}`],
]);

for (const [what, text] of MANIFESTS) {
  Deno.test(`resolveLink() takes a dat.json with ${what}`, () => {
    using temp = tempFolder();
    Deno.writeTextFileSync(temp.join("dat.json"), text);
    const world = new TestWorld(temp);
    for (const given of ["dat.json", ".", temp.join("dat.json")]) {
      assert.equal(toHex(resolveLink(given, world).key), HEX);
    }
  });
}

const REFUSED = new Map<string, (temp: TempFolder) => string>([
  ["nothing", () => ""],
  ["a word", () => "nonsense"],
  ["too few digits", () => "dat://abcdef"],
  ["too many digits", () => `${HEX}0`],
  ["a version that is none", () => `${HEX}+x`],
  ["an empty folder", (temp) => temp.folder("empty")],
  ["a dat.json that is no JSON", (temp) => write(temp, "{")],
  ["a dat.json without url", (temp) => write(temp, "{}")],
  ["a dat.json that is null", (temp) => write(temp, "null")],
  ["a dat.json whose url is a number", (temp) => write(temp, '{"url":5}')],
  ["a dat.json whose url is no link", (temp) => write(temp, '{"url":"dat://nobody"}')],
  ["a name", () => "example.org"],
  ["a name with a scheme", () => "dat://example.org/path"],
  ["a file that is not text", (temp) => {
    Deno.writeFileSync(temp.join("binary"), Uint8Array.of(0xff, 0xfe));
    return temp.join("binary");
  }],
]);

function write(temp: TempFolder, text: string): string {
  Deno.writeTextFileSync(temp.join("dat.json"), text);
  return temp.path;
}

for (const [what, make] of REFUSED) {
  Deno.test(`resolveLink() refuses ${what}`, () => {
    using temp = tempFolder();
    assert.throws(() => resolveLink(make(temp), new TestWorld(temp)), UsageError);
  });
}

Deno.test("resolveLink() says so when a dat.json cannot be read", () => {
  using temp = tempFolder();
  temp.folder("dat.json");
  assert.throws(() => resolveLink(".", new TestWorld(temp)), StorageError);
});
