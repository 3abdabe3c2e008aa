/** What is to be served, as arguments, list files and folders of archives say. */
import assert from "node:assert/strict";
import { basename } from "node:path";
import { createArchive } from "../../src/app/open_archive.ts";
import { LIST_MS, LOOKUP_MS } from "../../src/app/seed_limits.ts";
import { SeedLists } from "../../src/app/seed_lists.ts";
import { NotFoundError, UsageError } from "../../src/base/errors.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { TestWorld } from "../support/test_world.ts";

const KEY = "ab".repeat(32);

class Listing {
  readonly world: TestWorld;
  readonly broken: string[] = [];
  readonly lists: SeedLists;

  constructor(
    readonly temp: TempFolder,
    options: { places?: string[]; lists?: string[]; store?: string },
  ) {
    this.world = new TestWorld(temp);
    const { places = [], lists = [], store } = options;
    const onBroken = ({ message }: Error, at?: string) => {
      this.broken.push(at === undefined ? message : `${basename(at)}: ${message}`);
    };
    this.lists = new SeedLists({ world: this.world, places, lists, store, onBroken });
  }

  begin(): string[] {
    return this.lists.begin().map(({ dir }) => basename(dir));
  }

  /** What is to be served after so long, or undefined if that is the same. */
  next(ms: number = LIST_MS): string[] | undefined {
    this.world.clock.monotonicMs! += ms;
    return this.lists.next()?.map(({ dir }) => basename(dir));
  }
}

function makeArchive(temp: TempFolder, ...path: string[]): void {
  createArchive(temp.folder(...path), new TestWorld(temp, { seed: path.join() }))
    [Symbol.dispose]();
}

Deno.test("folders, a .dat, and links in every form are what they name", () => {
  using temp = tempFolder();
  for (const name of ["one", "two"]) makeArchive(temp, name);
  const places = ["one", "two/.dat", KEY, `dat://${"cd".repeat(32)}/path`];
  const listing = new Listing(temp, { places, store: "store" });
  assert.deepEqual(listing.begin(), ["one", "two", KEY, "cd".repeat(32)]);
  assert.deepEqual(listing.broken, []);
});

Deno.test("what cannot be served among others is told, and is an error where there is nothing else", () => {
  using temp = tempFolder();
  makeArchive(temp, "one");
  temp.folder("plain");
  const places = ["plain", "nowhere", KEY, `dat://${KEY}+3`, "one"];
  const listing = new Listing(temp, { places });
  assert.deepEqual(listing.begin(), ["one"]);
  assert.equal(listing.broken.length, 4);
  for (
    const [n, pattern] of [/no archive/, /no such folder/, /not said where/, /alone/].entries()
  ) {
    assert.match(listing.broken[n], pattern);
  }
  assert.throws(() => new Listing(temp, { places: ["nowhere", "plain"] }).begin(), NotFoundError);
  assert.throws(() => new Listing(temp, { places: [KEY] }).begin(), UsageError);
  assert.throws(() => new Listing(temp, { lists: ["nowhere"] }).begin(), NotFoundError);
});

Deno.test("an archive that is named twice is served once", () => {
  using temp = tempFolder();
  makeArchive(temp, "one");
  const link = Deno.readFileSync(temp.join("one", ".dat", "metadata.key")).toHex();
  const listing = new Listing(temp, { places: ["one", link, "./one"], store: "store" });
  assert.deepEqual(listing.begin(), ["one"]);
  assert.equal(listing.broken.length, 1);
  assert.match(listing.broken[0], /as well/);
});

Deno.test("a list file is read again when it changes; a broken line is told with its number, once", () => {
  using temp = tempFolder();
  for (const name of ["one", "two", "later"]) makeArchive(temp, "sub", name);
  const list = temp.join("sub", "list");
  Deno.writeTextFileSync(list, "# comment\r\n\n  one  \nnowhere\n");
  const listing = new Listing(temp, { lists: ["sub/list"] });
  assert.deepEqual(listing.begin(), ["one"]);
  assert.match(listing.broken[0], /^list line 4: Cannot serve "nowhere"/);
  assert.equal(listing.next(), undefined);
  Deno.writeTextFileSync(list, "two\none\nstore\nnowhere");
  assert.equal(listing.next(LIST_MS - 1), undefined, "not looked at yet");
  assert.deepEqual(listing.next(), ["two", "one"]);
  assert.deepEqual(listing.broken.length, 2);
  makeArchive(temp, "sub", "store");
  assert.deepEqual(listing.next(LOOKUP_MS), ["two", "one", "store"]);
  Deno.removeSync(list);
  assert.equal(listing.next(), undefined, "what it named is served on");
  assert.equal(listing.next(), undefined);
  assert.equal(listing.broken.length, 3);
  Deno.writeTextFileSync(list, "later\n");
  assert.deepEqual(listing.next(), ["later"]);
});

Deno.test("a folder that went away stays named, and is looked at again when in doubt", () => {
  using temp = tempFolder();
  for (const name of ["one", "other"]) makeArchive(temp, name);
  const listing = new Listing(temp, { places: ["one", "other"] });
  listing.begin();
  Deno.removeSync(temp.join("one"), { recursive: true });
  listing.lists.doubt(temp.join("one"));
  assert.deepEqual(listing.next(LOOKUP_MS), ["one", "other"]);
  Deno.renameSync(temp.join("other"), temp.join("one"));
  listing.lists.doubt(temp.join("one"));
  listing.lists.doubt(temp.join("other"));
  assert.deepEqual(listing.next(LOOKUP_MS), ["one"]);
});

Deno.test("a folder of archives: those in it come and go, also when they are named like keys", () => {
  using temp = tempFolder();
  makeArchive(temp, "all", KEY);
  temp.folder("all", "plain");
  Deno.writeTextFileSync(temp.join("all", "file"), "x");
  const listing = new Listing(temp, { lists: ["all"] });
  assert.deepEqual(listing.begin(), [KEY]);
  makeArchive(temp, "all", "another");
  makeArchive(temp, "all", "plain");
  assert.deepEqual(listing.next(LOOKUP_MS), [KEY, "another", "plain"]);
  Deno.removeSync(temp.join("all", "another"), { recursive: true });
  assert.deepEqual(listing.next(LOOKUP_MS), [KEY, "plain"]);
  assert.deepEqual(listing.broken, []);
});
