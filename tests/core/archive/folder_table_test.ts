import assert from "node:assert/strict";
import * as fc from "fast-check";
import { fromHex, toHex } from "../../../src/base/bytes.ts";
import { LocalProtocolError, NotFoundError, TroveError } from "../../../src/base/errors.ts";
import { decodeChildren } from "../../../src/core/archive/children.ts";
import { decodeEntry, decodeStat } from "../../../src/core/archive/entry.ts";
import { FolderTable } from "../../../src/core/archive/folder_table.ts";
import { findFile } from "../../../src/core/archive/lookup.ts";
import { type LoadEntry, runItems, runLookup } from "../../../src/core/archive/steps.ts";
import { walkFiles } from "../../../src/core/archive/walk.ts";
import { compareWalked, operations, pathsOf, statOf, writeHistory } from "./histories.ts";
import { loaderOf, type RecordedBlock, recordedEntries, recordedMetadata } from "./recorded.ts";

/** Write a recorded entry anew; undefined for a delete of something that is not there. */
function rewrite(table: FolderTable, block: Required<RecordedBlock>): string | undefined {
  const { name, stat, seq } = block;
  if (stat !== null) return toHex(table.put(name, decodeStat(fromHex(stat.bytes)), seq));
  if (table.file(name) !== undefined) return toHex(table.delete(name, seq));
  assert.throws(() => table.delete(name, seq), NotFoundError);
  return undefined;
}

/** Files that were there before entry `seq`, are not what it is about, and cannot be found now. */
function lostFiles(seq: number, names: Iterable<string>, load: LoadEntry): string[] {
  const isThere = (version: number, name: string) =>
    runLookup(findFile(version, name), load) !== undefined;
  const { path } = load(seq)!;
  return [...new Set(names)].filter((name) =>
    name !== path && isThere(seq - 1, name) && !isThere(seq, name)
  );
}

for (const recorded of recordedMetadata()) {
  Deno.test(`replaying the operations of ${recorded.name} writes the same metadata`, () => {
    const load = loaderOf(recorded);
    const entries = recordedEntries(recorded);
    let table = new FolderTable();
    for (const block of entries) {
      const written = rewrite(table, block);
      if (written === block.bytes) continue;
      // Deletes of nothing are not written here. And the original has a defect: a delete can make
      // other files vanish. Only then may the bytes differ, and the history goes on from its own.
      const isDelete = block.stat === null;
      const lost = lostFiles(block.seq, entries.map((entry) => entry.name), load);
      assert.ok(isDelete && (written === undefined || lost.length > 0), `entry ${block.seq}`);
      table = runLookup(FolderTable.load(block.seq), load);
    }
    assert.equal(table.head, entries.length);
  });

  Deno.test(`a table loaded from any version of ${recorded.name} writes the next entry`, () => {
    const load = loaderOf(recorded);
    const entries = recordedEntries(recorded);
    let running = new FolderTable();
    for (const block of entries) {
      const loaded = runLookup(FolderTable.load(block.seq - 1), load);
      const written = rewrite(loaded, block);
      assert.equal(written, rewrite(running, block), `entry ${block.seq}`);
      if (written !== block.bytes) running = runLookup(FolderTable.load(block.seq), load);
    }
  });
}

// Entry number, operation, name, lists. Source: spec of the drive, sections 4 and 6; entry 9 there
// deletes what does not exist, and here is a put whose lists are the same.
const WORKED: readonly [number, "put" | "del", string, number[][]][] = [
  [1, "put", "/a", [[1], [1]]],
  [2, "put", "/b/c", [[1, 2], [2], [2]]],
  [3, "put", "/b/d/e", [[1, 3], [2, 3], [3], [3]]],
  [4, "put", "/b/c", [[1, 4], [3, 4], [4]]],
  [5, "put", "/m", [[1, 4, 5], [5]]],
  [6, "put", "/m/f", [[1, 4, 6], [5, 6], [6]]],
  [7, "del", "/b/d/e", [[1, 6, 7], [4]]],
  [8, "del", "/b/c", [[1, 6]]],
  [10, "put", "/b/c", [[1, 6, 10], [10], [10]]],
  [11, "del", "/m/f", [[1, 10, 11], [5]]],
  [12, "del", "/m", [[1, 10]]],
  [13, "del", "/a", [[10]]],
  [14, "del", "/b/c", [[]]],
  [15, "put", "/z", [[15], [15]]],
];
Deno.test("FolderTable writes the worked example of the spec", () => {
  const table = new FolderTable();
  for (const [seq, op, path, lists] of WORKED) {
    const block = op === "put" ? table.put(path, statOf(seq), seq) : table.delete(path, seq);
    const entry = decodeEntry(block, seq);
    assert.equal(entry.path, path);
    assert.equal(entry.stat?.size, op === "put" ? seq : undefined);
    assert.deepEqual(decodeChildren(entry.paths, seq), lists, `entry ${seq}`);
  }
});

Deno.test("a folder whose children are listed through a delete only does not vanish", () => {
  // append-tree 2.4.4 loses /b/x/y here.
  const { blocks, load } = writeHistory([
    { op: "put", path: "/b/c" },
    { op: "put", path: "/b/x/y" },
    { op: "put", path: "/b/x/z" },
    { op: "del", path: "/b/x/z" },
    { op: "del", path: "/b/c" },
  ]);
  const files = [...runItems(walkFiles(blocks.length - 1), load)];
  assert.deepEqual(files.map((file) => file.path), ["/b/x/y"]);
});

Deno.test("a loaded table answers and writes as the one that wrote the archive", () => {
  const next = fc.array(fc.constantFrom("a", "b", "é"), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(operations(), next, (ops, names) => {
      const { blocks, table, load } = writeHistory(ops);
      const seq = blocks.length;
      const loaded = runLookup(FolderTable.load(seq - 1), load);
      for (const path of pathsOf(ops)) {
        assert.deepEqual(loaded.list(path), table.list(path));
        assert.equal(loaded.file(path), table.file(path));
      }
      const path = "/" + names.join("/");
      const write = (table: FolderTable) =>
        toHex(table.file(path) ? table.delete(path, seq) : table.put(path, statOf(seq), seq));
      assert.equal(write(loaded), write(table));
    }),
    { seed: 1 },
  );
});

Deno.test("file(), list() and filesBelow() agree with a plain map", () => {
  fc.assert(
    fc.property(operations(), (ops) => {
      const { versions, table } = writeHistory(ops);
      const model = versions[versions.length - 1];
      for (const path of pathsOf(ops)) {
        assert.equal(table.file(path), model.live.get(path));
        const base = path === "/" ? "" : path;
        const items = model.children(path).sort().map((name) => ({
          name,
          file: model.live.get(`${base}/${name}`),
          folder: model.hasBelow(`${base}/${name}`),
        }));
        assert.deepEqual(table.list(path), items);
        const below = [...model.live.keys()].filter((file) => file.startsWith(base + "/"));
        assert.deepEqual(table.filesBelow(path), below.sort(compareWalked));
      }
    }),
    { seed: 2 },
  );
});

Deno.test("delete() refuses what is not a file, and changes nothing", () => {
  const { table } = writeHistory([{ op: "put", path: "/a/b" }]);
  for (const path of ["/", "/a", "/b", "/a/b/c", "/a/c"]) {
    assert.throws(() => table.delete(path, 2), NotFoundError);
  }
  assert.equal(table.head, 1);
  assert.equal(table.file("/a/b"), 1);
});

Deno.test("entries have to be written in order", () => {
  const { table } = writeHistory([{ op: "put", path: "/a" }, { op: "put", path: "/b" }]);
  for (const seq of [0, 1, 2]) {
    assert.throws(() => table.put("/c", statOf(seq), seq), LocalProtocolError);
    assert.throws(() => table.delete("/a", seq), LocalProtocolError);
  }
  assert.equal(table.put("/c", statOf(3), 3).length > 0, true);
});

Deno.test("an entry too large for a block is refused, and the table is as before", () => {
  const { table } = writeHistory([{ op: "put", path: "/a/b" }]);
  const path = "/" + "x".repeat(8 * 1024 * 1024);
  assert.throws(() => table.put(path, statOf(2), 2), TroveError);
  assert.deepEqual([table.head, table.list("/").map((item) => item.name)], [1, ["a"]]);
});

Deno.test("putting thousands of files into one folder takes the format's bytes, and no longer", () => {
  const count = 4000;
  const table = new FolderTable();
  const blocks = [new Uint8Array(0) as Uint8Array];
  for (let seq = 1; seq <= count; seq++) {
    blocks.push(table.put(`/file-${seq % count}`, statOf(seq), seq));
  }
  const load = (seq: number) => decodeEntry(blocks[seq], seq);
  const last = load(count);
  assert.equal(last.paths.length, 1 + 2 + (count - 1) + 1);
  assert.equal([...runItems(walkFiles(count), load)].length, count);
});
