import assert from "node:assert/strict";
import { StorageError } from "../../src/base/errors.ts";
import { HandleCache, storageError } from "../../src/io/handle_cache.ts";
import { tempFolder } from "../support/temp.ts";

/** A cache that is emptied at the end of the block, so that no handle outlives the test. */
class Cache extends HandleCache implements Disposable {
  [Symbol.dispose](): void {
    this.closeAll();
  }
}

function isOpen(file: Deno.FsFile): boolean {
  try {
    file.statSync();
    return true;
  } catch {
    return false;
  }
}

Deno.test("HandleCache gives the same handle again, one for each kind of access", () => {
  using temp = tempFolder();
  using cache = new Cache();
  const path = temp.join("file");
  const writing = cache.open(path, "write")!;
  const reading = cache.open(path, "read")!;
  assert.notEqual(reading, writing);
  assert.equal(cache.open(path, "write"), writing);
  assert.equal(cache.open(path, "read"), reading);
});

Deno.test("HandleCache makes a missing file for writing only", () => {
  using temp = tempFolder();
  using cache = new Cache();
  assert.equal(cache.open(temp.join("file"), "read"), undefined);
  assert.throws(() => Deno.statSync(temp.join("file")), Deno.errors.NotFound);
  cache.open(temp.join("file"), "write");
  assert.equal(Deno.statSync(temp.join("file")).size, 0);
});

Deno.test("HandleCache gives nothing to read where there is no regular file", () => {
  using temp = tempFolder();
  using cache = new Cache();
  Deno.writeTextFileSync(temp.join("file"), "x");
  assert.ok(new Deno.Command("mkfifo", { args: [temp.join("fifo")] }).outputSync().success);
  Deno.symlinkSync("nowhere", temp.join("dangling"));
  for (
    const path of [temp.path, temp.join("fifo"), temp.join("file", "below"), temp.join("dangling")]
  ) {
    assert.equal(cache.open(path, "read"), undefined, path);
  }
});

Deno.test("HandleCache says why a file cannot be opened", () => {
  using temp = tempFolder();
  using cache = new Cache();
  Deno.symlinkSync("loop", temp.join("loop"));
  for (const [path, access] of [[temp.join("loop"), "read"], [temp.path, "write"]] as const) {
    assert.throws(
      () => cache.open(path, access),
      (error) =>
        error instanceof StorageError && error.message.includes(`"${path}"`) &&
        /: \S/.test(error.message) && error.cause instanceof Error,
    );
  }
});

Deno.test("HandleCache keeps a bounded number of files open, those used last", () => {
  using temp = tempFolder();
  using cache = new Cache();
  const first = cache.open(temp.join("first"), "write")!;
  const files = [];
  for (let n = 0; n < 300; n++) {
    files.push(cache.open(temp.join(`${n}`), "write")!);
    assert.equal(cache.open(temp.join("first"), "write"), first, "used all along");
  }
  const open = files.filter(isOpen);
  assert.ok(open.length < 100, `${open.length} open`);
  assert.deepEqual(open, files.slice(-open.length));
  assert.ok(isOpen(first));
  // One that was closed is opened again when it is asked for.
  assert.ok(isOpen(cache.open(temp.join("0"), "write")!));
});

Deno.test("HandleCache lets go of a path, and of all", () => {
  using temp = tempFolder();
  using cache = new Cache();
  const path = temp.join("file");
  const [write, read] = [cache.open(path, "write")!, cache.open(path, "read")!];
  const other = cache.open(temp.join("other"), "write")!;
  cache.close(path);
  assert.deepEqual([write, read, other].map(isOpen), [false, false, true]);
  cache.close(path);
  cache.closeAll();
  assert.ok(!isOpen(other));
  assert.ok(isOpen(cache.open(path, "read")!));
});

Deno.test("storageError() tells a full disk and a missing permission in plain words", () => {
  const full = storageError("Cannot write", new Error("No space left on device (os error 28)"));
  assert.equal(full.message, "Cannot write: the disk is full");
  assert.match(full.hint!, /room/);
  for (const text of ["Disk quota exceeded (os error 122)", "File too large (os error 27)"]) {
    assert.match(storageError("Cannot write", new Error(text)).message, /full/);
  }
  const denied = storageError("Cannot write", new Deno.errors.PermissionDenied("os error 13"));
  assert.equal(denied.message, "Cannot write: permission denied");
  const other = new Error("Input/output error (os error 5)");
  assert.equal(storageError("Cannot read", other).message, `Cannot read: ${other.message}`);
  assert.equal(storageError("Cannot read", other).cause, other);
});

Deno.test("storageError() does not take os error 280 or 2 for a full disk", () => {
  for (const text of ["odd (os error 280)", "No such file or directory (os error 2)"]) {
    assert.doesNotMatch(storageError("Cannot", new Error(text)).message, /full/);
  }
});

Deno.test("all caches together keep a bounded number of files open, the least used is closed first", () => {
  using temp = tempFolder();
  using stack = new DisposableStack();
  const path = (n: number) => temp.join(`${n}`);
  const caches = Array.from({ length: 7 }, () => stack.use(new Cache()));
  const before = HandleCache.openHandles;
  const first = caches[0].open(path(0), "write")!;
  const second = caches[0].open(path(1), "write")!;
  for (const [c, cache] of caches.entries()) {
    for (let n = 0; n < 45; n++) {
      cache.open(path(100 * c + n), "write");
      caches[0].open(path(0), "write"); // used all the time
    }
  }
  assert.equal(before, 0);
  assert.ok(HandleCache.openHandles <= 256);
  assert.ok(isOpen(first));
  assert.ok(!isOpen(second));
  const again = caches[0].open(path(1), "write")!;
  assert.ok(isOpen(again));
  stack.dispose();
  assert.equal(HandleCache.openHandles, 0);
});
