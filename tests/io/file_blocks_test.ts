import assert from "node:assert/strict";
import { InterruptedError, StorageError } from "../../src/base/errors.ts";
import { leafHash } from "../../src/crypto/hash.ts";
import { BLOCK_BYTES, fileMatches, FileReader } from "../../src/io/file_blocks.ts";
import { Random } from "../support/random.ts";
import { tempFolder } from "../support/temp.ts";

const MIB = 1024 * 1024;

function leavesOf(bytes: Uint8Array): { hash: Uint8Array; size: number }[] {
  const leaves = [];
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    leaves.push({ hash: leafHash(block), size: block.length });
  }
  return leaves;
}

const SIZES = [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, MIB - 1, MIB, MIB + 1, 2 * MIB];

for (const size of SIZES) {
  Deno.test(`FileReader cuts ${size} bytes into blocks of 64 KiB`, async () => {
    using temp = tempFolder();
    const bytes = new Random("file").bytes(size);
    Deno.writeFileSync(temp.join("file"), bytes);
    let told = 0;
    const read = await new FileReader().read(temp.join("file"), {
      keepBlocks: true,
      onBytes: (count) => void (told += count),
    });
    assert.ok(read.stable);
    assert.equal(read.size, size);
    assert.equal(told, size);
    assert.deepEqual(read.leaves, leavesOf(bytes));
    assert.deepEqual(
      new Uint8Array(await new Blob([...read.blocks] as BlobPart[]).arrayBuffer()),
      bytes,
    );
  });
}

Deno.test("FileReader keeps blocks only where they are asked for, each in memory of its own", async () => {
  using temp = tempFolder();
  const [one, two] = ["one", "two"].map((seed) => new Random(seed).bytes(3 * BLOCK_BYTES));
  Deno.writeFileSync(temp.join("one"), one);
  Deno.writeFileSync(temp.join("two"), two);
  const reader = new FileReader();
  const first = await reader.read(temp.join("one"), { keepBlocks: true, onBytes: () => {} });
  const second = await reader.read(temp.join("two"), { keepBlocks: false, onBytes: () => {} });
  assert.deepEqual(first.blocks[2], one.subarray(2 * BLOCK_BYTES));
  assert.deepEqual(second.blocks, []);
  assert.equal(second.leaves.length, 3);
});

const CHANGES: ReadonlyMap<string, (path: string) => void> = new Map([
  ["grows", (path: string) => Deno.writeTextFileSync(path, "more", { append: true })],
  ["shrinks", (path: string) => Deno.truncateSync(path, 10)],
  ["is touched", (path: string) => Deno.utimeSync(path, 5, 5)],
  ["is replaced by one of the same size and time", (path: string) => {
    const { size, mtime } = Deno.statSync(path);
    Deno.writeFileSync(`${path}.new`, new Uint8Array(size));
    Deno.utimeSync(`${path}.new`, mtime!, mtime!);
    Deno.renameSync(`${path}.new`, path);
  }],
]);

for (const [what, change] of CHANGES) {
  Deno.test(`FileReader notices a file that ${what} meanwhile`, async () => {
    using temp = tempFolder();
    const path = temp.join("file");
    Deno.writeFileSync(path, new Uint8Array(3 * MIB).fill(1));
    Deno.utimeSync(path, 1, 1);
    let changed = false;
    const onBytes = () => {
      if (!changed) change(path);
      changed = true;
    };
    const reader = new FileReader();
    assert.ok(!(await reader.read(path, { keepBlocks: false, onBytes })).stable);
    assert.ok((await reader.read(path, { keepBlocks: false, onBytes: () => {} })).stable);
  });
}

Deno.test("FileReader says what cannot be read, and never opens a FIFO", async () => {
  using temp = tempFolder();
  assert.ok(new Deno.Command("mkfifo", { args: [temp.join("fifo")] }).outputSync().success);
  temp.folder("folder");
  for (const name of ["fifo", "folder", "nowhere"]) {
    const reading = new FileReader().read(temp.join(name), {
      keepBlocks: false,
      onBytes: () => {},
    });
    await assert.rejects(reading, (error) => {
      return error instanceof StorageError && error.message.includes(`"${temp.join(name)}": `);
    });
  }
});

Deno.test("FileReader lets through what its listener throws, and lets go of the file", async () => {
  using temp = tempFolder();
  Deno.writeFileSync(temp.join("file"), new Uint8Array(10));
  const stop = new InterruptedError("Stopped", "SIGINT");
  const onBytes = () => Promise.reject(stop);
  await assert.rejects(
    new FileReader().read(temp.join("file"), { keepBlocks: false, onBytes }),
    (error) => error === stop,
  );
});

Deno.test("fileMatches() compares every byte", async () => {
  using temp = tempFolder();
  const path = temp.join("file");
  const bytes = new Random("match").bytes(2 * BLOCK_BYTES + 3);
  const leaves = leavesOf(bytes);
  const expected = { size: bytes.length, blocks: 3, leaf: (n: number) => leaves[n] };
  assert.equal(await fileMatches(path, expected), false, "missing");
  Deno.writeFileSync(path, bytes);
  assert.equal(await fileMatches(path, expected), true);
  assert.equal(await fileMatches(path, { ...expected, leaf: () => undefined }), false);
  assert.equal(await fileMatches(path, { ...expected, blocks: 2 }), false);
  assert.equal(await fileMatches(path, { ...expected, size: 5 }), false);
  for (const at of [0, BLOCK_BYTES, bytes.length - 1]) {
    bytes[at] ^= 1;
    Deno.writeFileSync(path, bytes);
    assert.equal(await fileMatches(path, expected), false, `byte ${at}`);
    bytes[at] ^= 1;
  }
  Deno.writeFileSync(path, bytes);
  Deno.symlinkSync("file", temp.join("link"));
  assert.equal(await fileMatches(temp.join("link"), expected), false, "a link");
  assert.equal(await fileMatches(temp.path, expected), false, "a folder");
});

Deno.test("fileMatches() of an empty file needs no hashes", async () => {
  using temp = tempFolder();
  Deno.writeFileSync(temp.join("empty"), new Uint8Array());
  const expected = { size: 0, blocks: 0, leaf: () => undefined };
  assert.equal(await fileMatches(temp.join("empty"), expected), true);
});
