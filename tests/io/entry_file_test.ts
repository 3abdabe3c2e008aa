import assert from "node:assert/strict";
import fc from "fast-check";
import { StorageError } from "../../src/base/errors.ts";
import { EntryFile } from "../../src/io/entry_file.ts";
import { MemoryDisk } from "../support/memory_access.ts";

const ENTRY_BYTES = 4;
const OPTIONS = { entryBytes: ENTRY_BYTES, entriesPerChunk: 8, maxChunks: 3 };

function entryOf(value: number): Uint8Array {
  return new Uint8Array(ENTRY_BYTES).fill(value);
}

Deno.test("EntryFile agrees with a plain map through edits, flushes and evictions", () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant("edit" as const), entry: fc.nat(100), value: fc.nat(255) }),
    fc.record({ kind: fc.constant("view" as const), entry: fc.nat(120) }),
    fc.record({ kind: fc.constantFrom("flush" as const, "reopen" as const) }),
    fc.record({ kind: fc.constant("truncate" as const), entry: fc.nat(100) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const disk = new MemoryDisk();
      let entries = new EntryFile(disk.open("file"), OPTIONS);
      const model = new Map<number, number>();
      const last = { kind: "reopen" as const };
      for (const action of [...actions, last]) {
        switch (action.kind) {
          case "edit":
            entries.edit(action.entry).fill(action.value);
            model.set(action.entry, action.value);
            break;
          case "view":
            assert.deepEqual(entries.view(action.entry), entryOf(model.get(action.entry) ?? 0));
            break;
          case "flush":
            entries.flush();
            assert.equal(entries.dirty, false);
            break;
          case "reopen":
            entries.flush();
            entries = new EntryFile(disk.open("file"), OPTIONS);
            break;
          case "truncate":
            entries.truncate(action.entry);
            for (const entry of model.keys()) if (entry >= action.entry) model.delete(entry);
            break;
        }
      }
      for (let entry = 0; entry <= 120; entry++) {
        assert.deepEqual(entries.view(entry), entryOf(model.get(entry) ?? 0));
        assert.equal(entries.isBlank(entry), (model.get(entry) ?? 0) === 0);
      }
      const top = Math.max(-1, ...model.keys());
      assert.ok(entries.count() >= top + 1);
    }),
    { seed: 1, numRuns: 300 },
  );
});

Deno.test("EntryFile writes the entries of a chunk in one piece, up to the last that changed", () => {
  const disk = new MemoryDisk();
  const entries = new EntryFile(disk.open("file"), OPTIONS);
  for (const entry of [1, 2, 3, 5]) entries.edit(entry).fill(entry);
  entries.flush();
  assert.equal(disk.changes, 1);
  assert.equal(entries.count(), 6);
  entries.flush();
  assert.equal(disk.changes, 1);
});

Deno.test("EntryFile keeps what could not be written for the next flush", () => {
  const disk = new MemoryDisk();
  const entries = new EntryFile(disk.open("file"), OPTIONS);
  entries.edit(0).fill(1);
  entries.edit(20).fill(2);
  disk.failAfter(1);
  assert.throws(() => entries.flush(), StorageError);
  assert.equal(entries.dirty, true);
  disk.failAfter(Infinity);
  entries.flush();
  const again = new EntryFile(disk.open("file"), OPTIONS);
  assert.deepEqual([again.view(0)[0], again.view(20)[0]], [1, 2]);
});

Deno.test("EntryFile takes a fragment at the end of the file for nothing", () => {
  const disk = new MemoryDisk(
    new Map([["file", new Uint8Array(32 + 2 * ENTRY_BYTES + 3).fill(9)]]),
  );
  const entries = new EntryFile(disk.open("file"), OPTIONS);
  assert.equal(entries.count(), 2);
  assert.equal(entries.isBlank(1), false);
  assert.equal(entries.isBlank(2), true);
});

Deno.test("EntryFile refuses entries that have no place in a file", () => {
  const entries = new EntryFile(new MemoryDisk().open("file"), OPTIONS);
  assert.throws(() => entries.view(2 ** 53 - 1), StorageError);
});
