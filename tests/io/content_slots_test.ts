import assert from "node:assert/strict";
import fc from "fast-check";
import type { ContentFile } from "../../src/io/content_files.ts";
import { ContentRows } from "../../src/io/content_rows.ts";
import { ContentSlots, type Slot } from "../../src/io/content_slots.ts";

const DIR = "/somewhere/archive";

function fileAt(offset: number, name: string, blocks = 2): ContentFile {
  return {
    target: `${DIR}/${name}`,
    ...{ offset, blocks, byteOffset: offset * 65_536, size: blocks * 65_536 - 7 },
    ...{ mode: 0o100644, mtime: 1_700_000_000_123 },
  };
}

Deno.test("ContentRows gives back what it was given, in the order of the blocks", () => {
  const files: ContentFile[] = [
    { ...fileAt(20, "b/\u65e5\u672c\u8a9e \u{1F980}"), before: null },
    { ...fileAt(2 ** 40, "large", 2 ** 35), size: 2 ** 51, byteOffset: 2 ** 52 },
    { ...fileAt(4, "a"), before: { dev: 1, ino: 2, size: 3, mtime: 4 } as ContentFile["before"] },
    fileAt(20, "a copy"),
    fileAt(0, "x".repeat(5000)),
  ];
  const rows = new ContentRows(DIR);
  for (const file of files) rows.push(file, false);
  rows.seal();
  const found = Array.from({ length: rows.count }, (_, row) => rows.file(row));
  assert.deepEqual(found, [files[4], files[2], files[0], files[3], files[1]]);
});

/** What is done to the slots; numbers choose a place among a few thousand. */
type Action =
  | { readonly kind: "put" | "delete" | "settle"; readonly place: number }
  | { readonly kind: "copy"; readonly place: number; readonly name: number };

const PLACES = 6000;

function actions(): fc.Arbitrary<Action[]> {
  const place = fc.integer({ min: 0, max: PLACES - 1 });
  return fc.array(
    fc.oneof(
      fc.record({ kind: fc.constantFrom("put" as const, "delete", "settle"), place }),
      fc.record({ kind: fc.constant("copy" as const), place, name: fc.nat(3) }),
    ),
    { maxLength: 60 },
  );
}

function apply(action: Action, slots: ContentSlots, model: Map<number, Slot>): void {
  const offset = action.place * 3;
  const before = model.get(offset);
  if (action.kind === "delete") {
    slots.delete(offset);
    model.delete(offset);
  } else if (action.kind === "settle") {
    if (before === undefined) return;
    slots.settle(offset);
    model.set(offset, { ...before, place: "final" });
  } else {
    const file = before?.file ?? fileAt(offset, `new-${action.place}`);
    const copies = !("name" in action)
      ? []
      : [...before?.copies ?? [], fileAt(offset, `copy-${action.name}`)];
    const slot = { file, copies, place: before?.place ?? "staged" as const };
    slots.put(slot);
    model.set(offset, slot);
  }
}

function isLike(slots: ContentSlots, model: ReadonlyMap<number, Slot>): void {
  const expected = [...model].sort(([a], [b]) => a - b).map(([, slot]) => slot);
  assert.deepEqual([...slots], expected);
}

Deno.test("ContentSlots is like a plain map, whatever comes and goes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40 }), actions(), (count, list) => {
      const slots = new ContentSlots(DIR);
      const model = new Map<number, Slot>();
      const files = Array.from(
        { length: count },
        (_, n) => fileAt(3 * (n * 7 % count), `file-${n}`),
      );
      slots.set(files, ({ offset }) => offset % 2 === 0 ? "final" : "staged");
      for (const file of files) {
        const same = model.get(file.offset);
        const place = file.offset % 2 === 0 ? "final" : "staged";
        if (same === undefined) model.set(file.offset, { file, copies: [], place });
        else model.set(file.offset, { ...same, copies: [...same.copies, file] });
      }
      for (const action of list) apply({ ...action, place: action.place % 50 }, slots, model);
      isLike(slots, model);
      for (let block = 0; block < 160; block++) {
        const slot = model.get(block - block % 3);
        assert.deepEqual(slots.find(block), block % 3 < 2 ? slot : undefined);
        assert.deepEqual(slots.at(block), block % 3 === 0 ? slot : undefined);
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("ContentSlots puts many changes among the others", () => {
  const slots = new ContentSlots(DIR);
  const model = new Map<number, Slot>();
  for (let n = 0; n < PLACES; n++) {
    apply({ kind: "put", place: n * 7 % PLACES }, slots, model);
    if (n % 3 === 0) apply({ kind: "copy", place: n, name: 0 }, slots, model);
    if (n % 4 === 0) apply({ kind: "settle", place: n }, slots, model);
    if (n % 5 === 0) apply({ kind: "delete", place: n * 2 % PLACES }, slots, model);
  }
  isLike(slots, model);
});

Deno.test("ContentSlots forgets nothing when what it is to take fails", () => {
  const slots = new ContentSlots(DIR);
  slots.set([fileAt(0, "a")], () => "final");
  assert.throws(() => {
    slots.set(
      function* () {
        yield fileAt(0, "b");
        throw new Error("not all is here");
      }(),
      () => "final",
    );
  });
  assert.deepEqual(slots.at(0), { file: fileAt(0, "a"), copies: [], place: "final" });
});
