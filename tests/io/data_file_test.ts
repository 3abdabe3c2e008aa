import assert from "node:assert/strict";
import { StorageError } from "../../src/base/errors.ts";
import type { BlockSpan } from "../../src/core/feed/block_store.ts";
import { DataFile } from "../../src/io/data_file.ts";
import { largestAllocation } from "../support/allocations.ts";
import { MemoryDisk } from "../support/memory_access.ts";

/** Blocks of these sizes, back to back, filled with their number plus one. */
function blocksOf(sizes: readonly number[]): { span: BlockSpan; bytes: Uint8Array }[] {
  let byteOffset = 0;
  return sizes.map((size, block) => {
    const span = { block, byteOffset, size };
    byteOffset += size;
    return { span, bytes: new Uint8Array(size).fill(block + 1) };
  });
}

function fileOn(disk: MemoryDisk): DataFile {
  return new DataFile(disk.open("data"));
}

Deno.test("DataFile reads blocks before and after they are flushed", () => {
  const disk = new MemoryDisk();
  const data = fileOn(disk);
  const blocks = blocksOf([3, 0, 20_000, 5]);
  for (const { span, bytes } of blocks) {
    assert.equal(data.read(span)?.length, span.size === 0 ? 0 : undefined);
    assert.equal(data.write(span, bytes), "final");
    assert.deepEqual(data.read(span), bytes);
  }
  assert.equal(disk.changes, 0);
  data.flush();
  for (const file of [data, fileOn(disk)]) {
    for (const { span, bytes } of blocks) assert.deepEqual(file.read(span), bytes);
  }
});

Deno.test("DataFile makes no room for a block that the file is too short for", () => {
  const disk = new MemoryDisk();
  disk.open("data").fill(new Uint8Array(70_000));
  const data = fileOn(disk);
  const read = (size: number) => data.read({ block: 0, byteOffset: 0, size });
  assert.equal(read(70_000)?.length, 70_000);
  const largest = largestAllocation(() => {
    for (const size of [70_001, 262_175, 2 ** 40]) assert.equal(read(size), undefined);
  });
  assert.equal(largest, 0);
});

Deno.test("DataFile puts each block at its offset, whatever the order, and leaves holes", () => {
  const disk = new MemoryDisk();
  const data = fileOn(disk);
  const [, second, , fourth] = blocksOf([2, 2, 2, 2]);
  data.write(fourth.span, fourth.bytes);
  data.write(second.span, second.bytes);
  data.flush();
  assert.deepEqual([...disk.open("data").bytes()], [0, 0, 2, 2, 0, 0, 4, 4]);
  assert.equal(data.read({ block: 4, byteOffset: 8, size: 1 }), undefined);
  assert.equal(data.read({ block: 3, byteOffset: 7, size: 2 }), undefined);
});

Deno.test("DataFile writes small neighbours together and large blocks as they are", () => {
  const disk = new MemoryDisk();
  const data = fileOn(disk);
  const blocks = blocksOf([10, 20, 30, 65_536, 65_536, 40, 50]);
  for (const { span, bytes } of blocks) data.write(span, bytes);
  data.flush();
  assert.equal(disk.changes, 4);
  for (const { span, bytes } of blocks) assert.deepEqual(fileOn(disk).read(span), bytes);
});

Deno.test("DataFile does not let written blocks pile up in memory", () => {
  const disk = new MemoryDisk();
  const data = fileOn(disk);
  const blocks = blocksOf(Array(20).fill(1024 * 1024));
  for (const { span, bytes } of blocks) data.write(span, bytes);
  assert.ok(disk.changes >= 8);
  for (const { span, bytes } of blocks) assert.equal(data.read(span)![0], bytes[0]);
});

Deno.test("DataFile keeps blocks that could not be written, and tells at flush()", () => {
  const disk = new MemoryDisk();
  const data = fileOn(disk);
  const blocks = blocksOf(Array(12).fill(1024 * 1024));
  disk.failAfter(3);
  for (const { span, bytes } of blocks) data.write(span, bytes);
  assert.throws(() => data.flush(), StorageError);
  for (const { span, bytes } of blocks) assert.equal(data.read(span)![0], bytes[0]);
  disk.failAfter(Infinity);
  data.flush();
  for (const { span, bytes } of blocks) assert.equal(fileOn(disk).read(span)![0], bytes[0]);
});

Deno.test("DataFile.clear() cuts the file off only if the range reaches its end", () => {
  const disk = new MemoryDisk();
  const data = fileOn(disk);
  for (const { span, bytes } of blocksOf([4, 4, 4])) data.write(span, bytes);
  data.flush();
  data.clear({ start: 0, end: 1 }, 0, 4);
  data.clear({ start: 1, end: 1 }, 4, 4);
  assert.equal(disk.open("data").size(), 12);
  data.clear({ start: 2, end: 3 }, 8, 12);
  assert.equal(disk.open("data").size(), 8);
  data.clear({ start: 2, end: 3 }, 8, 12);
  assert.equal(disk.open("data").size(), 8);
  data.clear({ start: 0, end: 3 }, 0, 12);
  assert.equal(disk.open("data").size(), 0);
});

Deno.test("DataFile does not reserve memory for a size that the file cannot hold", () => {
  assert.equal(
    fileOn(new MemoryDisk()).read({ block: 0, byteOffset: 0, size: 2 ** 45 }),
    undefined,
  );
});
