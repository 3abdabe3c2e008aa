import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { LocalProtocolError, StorageError } from "../../src/base/errors.ts";
import { openFile } from "../../src/io/random_access.ts";
import { tempFolder } from "../support/temp.ts";

function readAll(path: string, offset: number, count: number): number[] {
  const file = openFile(path, { access: "read" });
  const into = new Uint8Array(count);
  const done = file.readInto(into, offset);
  file.close();
  return [...into.subarray(0, done)];
}

for (const access of ["read", "write"] as const) {
  Deno.test(`openFile() reads a missing file as empty and does not make it, access ${access}`, () => {
    using temp = tempFolder();
    const path = temp.join("file");
    const file = openFile(path, { access });
    assert.equal(file.name, path);
    assert.equal(file.size(), 0);
    assert.equal(file.readInto(new Uint8Array(10), 5), 0);
    file.sync();
    file.close();
    assert.equal(existsSync(path), false);
  });
}

Deno.test("openFile() creates the file with the first write and reads back what it wrote", () => {
  using temp = tempFolder();
  const file = openFile(temp.join("file"), { access: "write" });
  file.write(Uint8Array.of(1, 2, 3), 5);
  assert.equal(file.size(), 8);
  file.write(Uint8Array.of(9), 6);
  file.write(Uint8Array.of(4, 5), 8);
  const into = new Uint8Array(20).fill(7);
  assert.equal(file.readInto(into, 0), 10);
  assert.deepEqual([...into.subarray(0, 11)], [0, 0, 0, 0, 0, 1, 9, 3, 4, 5, 7]);
  assert.equal(file.readInto(into.subarray(0, 2), 6), 2);
  assert.deepEqual([...into.subarray(0, 2)], [9, 3]);
  assert.equal(file.readInto(into, 10), 0);
  assert.equal(file.readInto(into, 100), 0);
  file.sync();
  file.close();
});

Deno.test("openFile() keeps what is there, and finds a file that came later", () => {
  using temp = tempFolder();
  const path = temp.join("file");
  const reader = openFile(path, { access: "read" });
  assert.equal(reader.size(), 0);
  Deno.writeFileSync(path, Uint8Array.of(1, 2, 3));
  assert.equal(reader.size(), 3);
  const writer = openFile(path, { access: "write" });
  writer.write(Uint8Array.of(8), 1);
  writer.close();
  const into = new Uint8Array(3);
  assert.equal(reader.readInto(into, 0), 3);
  assert.deepEqual([...into], [1, 8, 3]);
  reader.close();
});

Deno.test("openFile() truncates", () => {
  using temp = tempFolder();
  const path = temp.join("file");
  const file = openFile(path, { access: "write" });
  file.write(Uint8Array.of(1, 2, 3, 4), 0);
  file.truncate(2);
  assert.equal(file.size(), 2);
  file.write(Uint8Array.of(5), 3);
  file.close();
  assert.deepEqual(readAll(path, 0, 10), [1, 2, 0, 5]);
});

Deno.test("openFile() for reading refuses to change anything", () => {
  using temp = tempFolder();
  const path = temp.join("file");
  const file = openFile(path, { access: "read" });
  assert.throws(() => file.write(Uint8Array.of(1), 0), LocalProtocolError);
  assert.throws(() => file.truncate(0), LocalProtocolError);
  file.close();
  assert.equal(existsSync(path), false);
});

Deno.test("openFile() refuses to be used after close()", () => {
  using temp = tempFolder();
  const file = openFile(temp.join("file"), { access: "write" });
  file.write(Uint8Array.of(1), 0);
  file.close();
  assert.throws(() => file.write(Uint8Array.of(1), 0), LocalProtocolError);
  assert.throws(() => file.readInto(new Uint8Array(1), 0), LocalProtocolError);
});

Deno.test("openFile() says where and why when the disk is full", () => {
  const file = openFile("/dev/full", { access: "write" });
  assert.throws(() => file.write(new Uint8Array(10), 4096), (error) => {
    assert.ok(error instanceof StorageError);
    assert.match(error.message, /^Cannot write "\/dev\/full" at byte 4096: the disk is full$/);
    assert.ok(error.hint);
    assert.ok(error.cause);
    return true;
  });
  file.close();
});

Deno.test("openFile() names the file when it cannot be opened", () => {
  using temp = tempFolder();
  const path = temp.join("missing", "file");
  const file = openFile(path, { access: "write" });
  assert.throws(() => file.write(Uint8Array.of(1), 0), (error) => {
    assert.ok(error instanceof StorageError);
    assert.ok(error.message.includes(path));
    assert.ok(error.cause);
    return true;
  });
  const folder = openFile(temp.path, { access: "read" });
  assert.throws(() => folder.readInto(new Uint8Array(1), 0), StorageError);
  folder.close();
});
