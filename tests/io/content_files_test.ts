import assert from "node:assert/strict";
import { dirname } from "node:path";
import { StorageError, TroveError } from "../../src/base/errors.ts";
import type { BlockSpan } from "../../src/core/feed/block_store.ts";
import { type ContentFile, ContentFiles } from "../../src/io/content_files.ts";
import { dress, markOf } from "../../src/io/finish_file.ts";
import { Random } from "../support/random.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { assertSameBytes } from "../support/same_bytes.ts";

const BLOCK = 64 * 1024;
const MTIME = Date.UTC(2020, 1, 2);

/** Files one after the other in the feed, of these sizes. */
function layOut(temp: TempFolder, sizes: Readonly<Record<string, number>>): ContentFile[] {
  let [offset, byteOffset] = [0, 0];
  return Object.entries(sizes).map(([path, size]) => {
    const blocks = Math.ceil(size / BLOCK);
    const target = temp.join("dir", path);
    const file = { target, offset, blocks, byteOffset, size, mode: 0o100644, mtime: MTIME };
    offset += blocks;
    byteOffset += size;
    return file;
  });
}

/** The places of all blocks of a file. */
function spansOf({ offset, blocks, byteOffset, size }: ContentFile): BlockSpan[] {
  return Array.from({ length: blocks }, (_, n) => ({
    block: offset + n,
    byteOffset: byteOffset + n * BLOCK,
    size: Math.min(BLOCK, size - n * BLOCK),
  }));
}

const bytesOf = ({ block, size }: BlockSpan): Uint8Array =>
  new Random(`${block}`).bytes(size).slice();

const wholeOf = (file: ContentFile): Uint8Array =>
  new Uint8Array(spansOf(file).flatMap((span) => [...bytesOf(span)]));

/** What a feed may answer about its blocks: those that are final, and those that are staged. */
function holding(
  isFinal: (block: number) => boolean,
  isStaged: (block: number) => boolean = () => false,
) {
  const nextHeld = (from: number, to: number) => {
    for (let block = from; block < to; block++) if (isFinal(block) || isStaged(block)) return block;
    return -1;
  };
  return { hasFinal: isFinal, hasStaged: isStaged, nextHeld };
}

const NOTHING = holding(() => false);
const ALL_FINAL = holding(() => true);
const ALL_STAGED = holding(() => false, () => true);

class Store extends ContentFiles implements Disposable {
  constructor(temp: TempFolder) {
    super({ dir: temp.folder("dir"), staging: temp.join("dir", ".dat", "staging") });
  }

  writeAll(file: ContentFile): ("final" | "staged")[] {
    return spansOf(file).map((span) => this.write(span, bytesOf(span)));
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

Deno.test("ContentFiles gives a file its name, mode and time when it is complete", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [one, two] = layOut(temp, { "sub/one": 2 * BLOCK + 5, "two": 9 });
  store.setFiles([two, { ...one, mode: 0o100755 }], NOTHING);
  const [first, ...rest] = spansOf(one);
  assert.equal(store.write(first, bytesOf(first)), "staged");
  store.flush();
  assert.deepEqual(store.settle(), []);
  assert.throws(() => Deno.lstatSync(one.target), Deno.errors.NotFound);
  assert.deepEqual(store.read(first)!, bytesOf(first));
  for (const span of rest.reverse()) store.write(span, bytesOf(span));
  store.writeAll(two);
  store.flush();
  assert.deepEqual(store.settle(), [{ start: 0, end: 3 }, { start: 3, end: 4 }]);
  assertSameBytes(Deno.readFileSync(one.target), wholeOf(one));
  assert.equal(Deno.statSync(one.target).mode! & 0o777, 0o755);
  assert.equal(Deno.statSync(one.target).mtime!.getTime(), MTIME);
  assert.deepEqual(store.settle(), []);
  for (const span of [...spansOf(one), ...spansOf(two)]) {
    assert.deepEqual(store.read(span)!, bytesOf(span));
  }
});

Deno.test("ContentFiles reads what was written before it is flushed", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [file] = layOut(temp, { file: 3 * BLOCK });
  store.setFiles([file], NOTHING);
  const [, middle] = spansOf(file);
  store.write(middle, bytesOf(middle));
  assert.deepEqual(store.read(middle)!, bytesOf(middle));
});

Deno.test("ContentFiles reads nothing that is not there in full", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [file] = layOut(temp, { file: 2 * BLOCK });
  const [first, second] = spansOf(file);
  assert.equal(store.read(first), undefined, "no files are known");
  store.setFiles([file], ALL_FINAL);
  assert.equal(store.read(first), undefined, "no file");
  Deno.writeFileSync(file.target, wholeOf(file).subarray(0, BLOCK + 5));
  assert.deepEqual(store.read(first)!, bytesOf(first));
  assert.equal(store.read(second), undefined, "cut short");
  assert.equal(store.read({ ...second, size: BLOCK + 1 }), undefined, "beyond the file");
  assert.equal(store.read({ ...first, byteOffset: -1 }), undefined, "before the file");
  assert.equal(
    store.read({ block: 2, byteOffset: 2 * BLOCK, size: 1 }),
    undefined,
    "another block",
  );
});

Deno.test("ContentFiles refuses bytes that have no place, and names the block", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [file] = layOut(temp, { file: 2 * BLOCK });
  store.setFiles([file], NOTHING);
  const [first, second] = spansOf(file);
  for (
    const span of [
      { block: 2, byteOffset: 2 * BLOCK, size: 1 },
      { ...second, byteOffset: second.byteOffset + 1 },
      { ...first, byteOffset: -1 },
    ]
  ) {
    assert.throws(
      () => store.write(span, new Uint8Array(span.size)),
      (error) => error instanceof TroveError && error.message.includes(`block ${span.block}`),
    );
  }
  assert.throws(() => Deno.lstatSync(temp.join("dir", ".dat")), Deno.errors.NotFound);
});

Deno.test("ContentFiles goes on in the file itself where some blocks are final", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [file] = layOut(temp, { "sub/file": 3 * BLOCK });
  Deno.mkdirSync(dirname(file.target));
  const [, second] = spansOf(file);
  Deno.writeFileSync(file.target, new Uint8Array(3 * BLOCK));
  store.setFiles([file], holding((block) => block === 0 || block === 2));
  assert.equal(store.write(second, bytesOf(second)), "final");
  store.flush();
  assert.deepEqual(store.settle(), [], "no bits change their place");
  assertSameBytes(Deno.readFileSync(file.target).subarray(BLOCK, 2 * BLOCK), bytesOf(second));
  assert.equal(Deno.statSync(file.target).mtime!.getTime(), MTIME);
});

Deno.test("ContentFiles names what was complete and had no name yet", () => {
  using temp = tempFolder();
  const [file] = layOut(temp, { file: 2 * BLOCK });
  {
    using store = new Store(temp);
    store.setFiles([file], NOTHING);
    store.writeAll(file);
    store.flush();
  }
  using store = new Store(temp);
  store.setFiles([file], ALL_STAGED);
  assert.deepEqual(store.settle(), [{ start: 0, end: 2 }]);
  assertSameBytes(Deno.readFileSync(file.target), wholeOf(file));
  // And once more, as if the bits had not been written in time.
  using again = new Store(temp);
  again.setFiles([file], ALL_STAGED);
  assert.deepEqual(again.settle(), [{ start: 0, end: 2 }]);
  assertSameBytes(Deno.readFileSync(file.target), wholeOf(file));
});

Deno.test("ContentFiles gives the same blocks to every file that has them", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [file] = layOut(temp, { file: BLOCK + 1 });
  const twin = { ...file, target: temp.join("dir", "sub", "twin"), mode: 0o100600 };
  store.setFiles([file, twin], NOTHING);
  store.writeAll(file);
  store.flush();
  assert.deepEqual(store.settle(), [{ start: 0, end: 2 }]);
  for (const { target } of [file, twin]) assertSameBytes(Deno.readFileSync(target), wholeOf(file));
  assert.equal(Deno.statSync(twin.target).mode! & 0o777, 0o600);
});

Deno.test("ContentFiles replaces an older file as a whole", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [file] = layOut(temp, { file: 10 });
  Deno.writeTextFileSync(file.target, "an older and much longer file");
  store.setFiles([file], NOTHING);
  store.writeAll(file);
  store.flush();
  assert.equal(Deno.readTextFileSync(file.target), "an older and much longer file");
  store.settle();
  assertSameBytes(Deno.readFileSync(file.target), wholeOf(file));
});

Deno.test("ContentFiles writes through no link on the way", () => {
  using temp = tempFolder();
  const outside = temp.folder("outside");
  using store = new Store(temp);
  const [file] = layOut(temp, { "sub/file": 10 });
  Deno.symlinkSync(outside, temp.join("dir", "sub"));
  store.setFiles([file], NOTHING);
  store.writeAll(file);
  store.flush();
  assert.throws(() => store.settle(), StorageError);
  assert.deepEqual([...Deno.readDirSync(outside)], []);
});

Deno.test("ContentFiles replaces a link that has the file's own name, not what it points at", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [file] = layOut(temp, { file: 10 });
  Deno.writeTextFileSync(temp.join("outside"), "precious");
  Deno.symlinkSync(temp.join("outside"), file.target);
  store.setFiles([file], NOTHING);
  store.writeAll(file);
  store.flush();
  store.settle();
  assert.equal(Deno.readTextFileSync(temp.join("outside")), "precious");
  assert.ok(Deno.lstatSync(file.target).isFile);
});

Deno.test("ContentFiles says that the disk is full", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [file] = layOut(temp, { file: BLOCK });
  store.setFiles([file], NOTHING);
  store.writeAll(file);
  const { writeSync } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.writeSync = () => {
    throw new Error("No space left on device (os error 28)");
  };
  try {
    assert.throws(() => store.flush(), (error) => {
      return error instanceof StorageError && /the disk is full/.test(error.message) &&
        error.hint !== undefined;
    });
  } finally {
    Deno.FsFile.prototype.writeSync = writeSync;
  }
});

Deno.test("ContentFiles writes through no link in its private folder", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [file, copy] = layOut(temp, { file: BLOCK, copy: BLOCK });
  const outside = temp.folder("outside");
  Deno.writeTextFileSync(temp.join("outside", "0"), "precious");
  const staging = temp.join("dir", ".dat", "staging");
  const same = { ...copy, offset: file.offset, byteOffset: file.byteOffset };
  store.setFiles([file, same], NOTHING);
  store.writeAll(file);
  const assertUntouched = (operation: () => void) => {
    assert.throws(operation, StorageError);
    assert.deepEqual([...Deno.readDirSync(outside)].map(({ name }) => name), ["0"]);
    assert.equal(Deno.readTextFileSync(temp.join("outside", "0")), "precious");
    assert.equal(Deno.statSync(temp.join("outside", "0")).mode! & 0o777, 0o600);
  };
  Deno.chmodSync(temp.join("outside", "0"), 0o600);

  // The folder itself, then the file in it.
  Deno.mkdirSync(temp.join("dir", ".dat"));
  Deno.symlinkSync(outside, staging);
  assertUntouched(() => store.flush());
  Deno.removeSync(staging);
  Deno.mkdirSync(staging);
  Deno.symlinkSync(temp.join("outside", "0"), store.stagingPath(0));
  assertUntouched(() => store.flush());

  // Between the bytes and the name.
  Deno.removeSync(store.stagingPath(0));
  store.flush();
  Deno.renameSync(store.stagingPath(0), temp.join("aside"));
  Deno.symlinkSync(temp.join("outside", "0"), store.stagingPath(0));
  assertUntouched(() => store.settle());
});

Deno.test("ContentFiles makes a copy anew, whatever lies in its place", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [file, copy] = layOut(temp, { file: BLOCK, copy: BLOCK });
  Deno.writeTextFileSync(temp.join("outside"), "precious");
  store.setFiles([file, { ...copy, offset: file.offset, byteOffset: 0 }], NOTHING);
  store.writeAll(file);
  store.flush();
  Deno.symlinkSync(temp.join("outside"), temp.join("dir", ".dat", "staging", "0.copy"));
  store.settle();
  assert.equal(Deno.readTextFileSync(temp.join("outside")), "precious");
  for (const { target } of [file, copy]) assertSameBytes(Deno.readFileSync(target), wholeOf(file));
});

Deno.test("ContentFiles replaces what stood there when it was told, and nothing newer", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [file, other] = layOut(temp, { file: 5, other: 5 });
  Deno.writeTextFileSync(file.target, "old");
  const before = markOf(Deno.lstatSync(file.target));
  store.setFiles([{ ...file, before }, { ...other, before: null }], NOTHING);
  store.writeAll(file);
  store.flush();
  Deno.writeTextFileSync(file.target, "newer");
  assert.throws(() => store.settle(), /somebody else wrote there/);
  assert.equal(Deno.readTextFileSync(file.target), "newer");
  Deno.writeTextFileSync(other.target, "new");
  store.writeAll(other);
  store.flush();
  assert.throws(() => store.settle(), /somebody else wrote there/);
  assert.equal(Deno.readTextFileSync(other.target), "new");
});

Deno.test("ContentFiles with many files in progress keeps few of them open", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const sizes = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`f${n}`, BLOCK + 1 + n]));
  const files = layOut(temp, sizes);
  store.setFiles(files, NOTHING);
  for (const half of [0, 1]) {
    for (const file of files) {
      const span = spansOf(file)[half];
      store.write(span, bytesOf(span));
    }
    store.flush();
    if (Deno.build.os === "linux") {
      const open = [...Deno.readDirSync("/proc/self/fd")].length;
      assert.ok(open < 150, `${open} handles`);
    }
  }
  assert.equal(store.settle().length, 200);
  for (const file of files) assertSameBytes(Deno.readFileSync(file.target), wholeOf(file));
});

Deno.test("ContentFiles gives every file its mode, whatever the system would take away", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const modes = [0o100666, 0o100755, 0o100600, 0o100444, 0o100200, 0o104777, 0];
  const sizes = Object.fromEntries(modes.map((mode) => [`mode ${mode.toString(8)}`, BLOCK + 3]));
  const files = layOut(temp, sizes).map((file, n) => ({ ...file, mode: modes[n] }));
  store.setFiles(files, NOTHING);
  const umask = Deno.umask(0o077);
  try {
    for (const file of files) store.writeAll(file);
    store.flush();
    assert.equal(store.settle().length, files.length);
  } finally {
    Deno.umask(umask);
  }
  for (const { target, mode } of files) {
    const info = Deno.lstatSync(target);
    assert.equal(info.mode! & 0o7777, (mode & 0o777) || 0o644);
    assert.equal(info.mtime!.getTime(), MTIME);
  }
});

Deno.test("dress() takes permission bits and no others, and times that there are", () => {
  using temp = tempFolder();
  const path = temp.join("file");
  Deno.writeTextFileSync(path, "x");
  const modes = [[0o104755, 0o755], [0o100000, 0o644], [0, 0o644], [0o100400, 0o400], [
    0o777,
    0o777,
  ]];
  for (const [mode, expected] of modes) {
    dress(path, { mode, mtime: MTIME });
    assert.equal(Deno.statSync(path).mode! & 0o7777, expected);
    assert.equal(Deno.statSync(path).mtime!.getTime(), MTIME);
  }
  dress(path, { mode: 0o644, mtime: Number.MAX_SAFE_INTEGER });
  assert.equal(Deno.statSync(path).mtime!.getTime(), MTIME, "beyond what a date can be");
  assert.throws(() => dress(temp.join("nowhere"), { mode: 0o644, mtime: 0 }), StorageError);
});

Deno.test("files that go, come and change names are read from where they are by then", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [a, b, c, d] = layOut(temp, { a: BLOCK + 5, b: 7, c: 100, a2: 9 });
  const write = (target: string, file: ContentFile) =>
    Deno.writeFileSync(target, wholeOf(file), { create: true });
  const reads = (file: ContentFile) => spansOf(file).map((span) => store.read(span));
  const blocksOf = (file: ContentFile) => spansOf(file).map(bytesOf);
  for (const file of [a, b]) write(file.target, file);
  store.setFiles([b, a], ALL_FINAL);
  assert.deepEqual([...reads(a), ...reads(b)], [...blocksOf(a), ...blocksOf(b)]);

  // A file is replaced by another one of its name: what is open is the old one.
  const next: ContentFile = { ...d, target: a.target };
  Deno.writeFileSync(temp.join("dir", "new"), wholeOf(next));
  Deno.renameSync(temp.join("dir", "new"), a.target);
  write(c.target, c);
  store.changeFiles({ gone: [a], come: [next, c] }, ALL_FINAL);
  assert.deepEqual(reads(a), [undefined, undefined]);
  assert.deepEqual([...reads(b), ...reads(c)], [...blocksOf(b), ...blocksOf(c)]);
  assert.deepEqual(reads(next), blocksOf(next));

  // The same blocks under another name, and under a second one that goes again.
  const [moved, twin] = ["moved", "twin"].map((name) => ({ ...b, target: temp.join("dir", name) }));
  Deno.renameSync(b.target, moved.target);
  store.changeFiles({ gone: [b], come: [moved, twin] }, ALL_FINAL);
  assert.deepEqual(reads(moved), blocksOf(b));
  Deno.renameSync(moved.target, twin.target);
  store.changeFiles({ gone: [moved], come: [] }, ALL_FINAL);
  assert.deepEqual(reads(twin), blocksOf(b));
  store.changeFiles({ gone: [twin, c], come: [] }, ALL_FINAL);
  assert.deepEqual([...reads(b), ...reads(c)], [undefined, undefined]);
});

Deno.test("files go and come while others are being fetched, and those are left alone", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [gone, stays, later, whole] = layOut(temp, {
    ...{ gone: 2 * BLOCK, stays: 2 * BLOCK, later: BLOCK, whole: 5 },
  });
  store.setFiles([gone, stays], NOTHING);
  const [first, second] = spansOf(stays);
  store.write(spansOf(gone)[0], bytesOf(spansOf(gone)[0]));
  store.write(first, bytesOf(first));
  const isStaged = (block: number) => block === whole.offset;
  Deno.mkdirSync(dirname(store.stagingPath(whole.offset)), { recursive: true });
  Deno.writeFileSync(store.stagingPath(whole.offset), wholeOf(whole));
  store.changeFiles(
    { gone: [gone], come: [later, whole] },
    holding(() => false, isStaged),
  );
  assert.equal(store.read(spansOf(gone)[0]), undefined);
  assert.throws(() => store.write(spansOf(gone)[1], new Uint8Array(BLOCK)), TroveError);
  store.write(second, bytesOf(second));
  store.writeAll(later);
  store.flush();
  const settled = store.settle();
  assert.deepEqual(settled.map(({ start }) => start).sort(), [2, 4, 5]);
  for (const file of [stays, later, whole]) {
    assertSameBytes(Deno.readFileSync(file.target), wholeOf(file));
  }
});

Deno.test("of files with the same blocks one may go and one may come before these are here", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [one] = layOut(temp, { one: BLOCK + 5 });
  const [twin, third] = ["twin", "third"].map((name) => ({
    ...one,
    target: temp.join("dir", name),
  }));
  const [first, second] = spansOf(one);
  store.setFiles([one, twin], NOTHING);
  store.write(first, bytesOf(first));
  store.changeFiles({ gone: [one], come: [third] }, NOTHING);
  store.write(second, bytesOf(second));
  // Complete, and not named yet when another one of them goes.
  store.changeFiles({ gone: [twin], come: [] }, NOTHING);
  store.flush();
  assert.deepEqual(store.settle(), [{ start: 0, end: 2 }]);
  for (const { target } of [one, twin]) {
    assert.throws(() => Deno.lstatSync(target), Deno.errors.NotFound);
  }
  assertSameBytes(Deno.readFileSync(third.target), wholeOf(one));
});

Deno.test("ContentFiles tells of a name that somebody took, and names the other files", () => {
  using temp = tempFolder();
  using store = new Store(temp);
  const [one, two] = layOut(temp, { one: 9, two: 10 });
  const told: string[] = [];
  store.onObstacle = (file, error) => told.push(`${error.name} ${file.target}`);
  store.setFiles([{ ...one, before: null }, two], NOTHING);
  Deno.writeTextFileSync(one.target, "mine");
  for (const file of [one, two]) store.writeAll(file);
  store.flush();
  assert.deepEqual(store.settle(), [{ start: 1, end: 2 }]);
  assert.deepEqual(told, [`ObstacleError ${one.target}`]);
  assert.equal(Deno.readTextFileSync(one.target), "mine");
  assert.deepEqual(store.read(spansOf(one)[0])!, wholeOf(one));
  assert.deepEqual(store.settle(), []);
});
