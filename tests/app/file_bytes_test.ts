/** Parts of files, whatever the sizes of their blocks. */
import assert from "node:assert/strict";
import type { BlockOrder } from "../../src/app/archive_source.ts";
import { ArchiveView } from "../../src/app/archive_view.ts";
import { type ByteRange, fileBytes } from "../../src/app/file_bytes.ts";
import { concat } from "../../src/base/bytes.ts";
import { ProofError } from "../../src/base/errors.ts";
import type { Range } from "../../src/base/ranges.ts";
import type { Stat } from "../../src/core/archive/entry.ts";
import { CraftedArchive } from "../support/crafted_archive.ts";
import { Random } from "../support/random.ts";
import { assertSameBytes } from "../support/same_bytes.ts";
import { tempFolder } from "../support/temp.ts";

/** Everything is here; remembers what was asked for. */
class Orders implements BlockOrder {
  readonly ranges: Range[] = [];

  need(range: Range): Promise<void> {
    this.ranges.push(range);
    return Promise.resolve();
  }

  [Symbol.dispose](): void {}
}

async function read(view: ArchiveView, path: string, range?: ByteRange) {
  const order = new Orders();
  const pieces: Uint8Array[] = [];
  for await (const piece of fileBytes(view, view.find(path)!, order, range)) {
    pieces.push(piece.slice());
  }
  return { bytes: concat(pieces), order };
}

/** Put a file whose blocks have these bytes, after others. */
function putBlocks(crafted: CraftedArchive, blocks: Uint8Array[], changes: Partial<Stat> = {}) {
  const { length: offset, byteLength: byteOffset } = crafted.content;
  crafted.content.append(blocks);
  crafted.content.commit();
  const size = blocks.reduce((sum, { length }) => sum + length, 0);
  crafted.put("/odd", "", { offset, byteOffset, size, blocks: blocks.length, ...changes });
}

Deno.test("fileBytes() finds every part of a file, whatever the sizes of its blocks", async () => {
  const random = new Random("file bytes");
  for (const sizes of [[1], [5, 1, 300, 2, 70_000, 1, 9], [100, 100, 100], [65_536, 65_536, 4]]) {
    using temp = tempFolder();
    using crafted = new CraftedArchive(temp, { history: true });
    crafted.put("/before", random.bytes(70_001));
    const blocks = sizes.map((size) => random.bytes(size).slice());
    putBlocks(crafted, blocks);
    crafted.put("/after", random.bytes(10));
    const view = new ArchiveView(crafted.archive);
    const all = concat(blocks);
    assertSameBytes((await read(view, "/odd")).bytes, all);
    for (let turn = 0; turn < 60; turn++) {
      const [start, end] = [random.below(all.length + 1), random.below(all.length + 1)].sort((
        a,
        b,
      ) => a - b);
      const { bytes } = await read(view, "/odd", { start, end });
      assertSameBytes(bytes, all.subarray(start, end));
    }
  }
});

Deno.test("fileBytes() asks for the blocks of the part, and no others", async () => {
  using temp = tempFolder();
  using crafted = new CraftedArchive(temp, { history: true });
  crafted.put("/large", new Uint8Array(100 * 65_536));
  const view = new ArchiveView(crafted.archive);
  const range = { start: 50 * 65_536 + 1, end: 51 * 65_536 };
  const { order } = await read(view, "/large", range);
  assert.deepEqual(order.ranges, [{ start: 50, end: 51 }]);
  const across = { start: 50 * 65_536 - 1, end: 51 * 65_536 + 1 };
  assert.deepEqual((await read(view, "/large", across)).order.ranges, [
    { start: 49, end: 52 },
    { start: 50, end: 52 },
    { start: 51, end: 52 },
  ]);
  assert.deepEqual((await read(view, "/large")).order.ranges[0], { start: 0, end: 16 });
});

Deno.test("fileBytes() does not end well for an entry that is not true", async () => {
  const blocks = [10, 20, 30].map((size) => new Uint8Array(size).fill(size));
  for (const changes of [{ size: 59 }, { size: 61 }, { blocks: 2 }, { size: 20, blocks: 2 }]) {
    using temp = tempFolder();
    using crafted = new CraftedArchive(temp, { history: true });
    putBlocks(crafted, blocks, changes);
    const view = new ArchiveView(crafted.archive);
    await assert.rejects(() => read(view, "/odd"), ProofError, JSON.stringify(changes));
  }
});
