import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  type ArchivedItem,
  type LocalItem,
  planDirectory,
} from "../../../src/core/archive/diff_folder.ts";
import { decodeEntry } from "../../../src/core/archive/entry.ts";
import { FolderTable } from "../../../src/core/archive/folder_table.ts";
import { runItems } from "../../../src/core/archive/steps.ts";
import { walkFiles } from "../../../src/core/archive/walk.ts";
import { type Operation, operations, statOf, writeHistory } from "./histories.ts";

const file = (name: string, size = 1, mtime = 100, mode = 0o100644): LocalItem => ({
  name,
  kind: "file",
  size,
  mtime,
  mode,
});
const folder = (name: string): LocalItem => ({
  ...{ name, kind: "directory", size: 0, mtime: 100, mode: 0o040755 },
});
const other = (name: string): LocalItem => ({ name, kind: "other", size: 0, mtime: 100, mode: 0 });
const stored = (name: string, size = 1, mtime = 100, mode = 0o100644): ArchivedItem => ({
  name,
  stat: { mode, size, mtime },
  folder: false,
});
/** The same file on both sides, with these permission bits on disk and in the archive. */
const modes = (onDisk: number, inArchive: number): [LocalItem[], ArchivedItem[]] => [
  [file("a", 5, 1, 0o100000 | onDisk)],
  [stored("a", 5, 2, 0o100000 | inArchive)],
];
const made = (name: string): ArchivedItem => ({
  name,
  stat: { mode: 0o040755, size: 0, mtime: 100 },
  folder: false,
});
const below = (item: ArchivedItem | string): ArchivedItem =>
  typeof item === "string" ? { name: item, folder: true } : { ...item, folder: true };

const ROWS: readonly [string, LocalItem[], ArchivedItem[], string[]][] = [
  ["nothing on either side", [], [], []],
  [
    "new files and folders, by name",
    [folder("sub"), file("empty.txt", 0), file("a.txt"), file("B")],
    [],
    ["put B", "put a.txt", "put empty.txt", "enter sub"],
  ],
  ["an unchanged file", [file("a", 5, 99)], [stored("a", 5, 99)], ["same a"]],
  ["a file older than its import", [file("a", 5, 98)], [stored("a", 5, 99)], ["same a"]],
  ["a touched file", [file("a", 5, 100)], [stored("a", 5, 99)], ["compare a"]],
  ["a file touched within a millisecond", [file("a", 5, 99.5)], [stored("a", 5, 99)], [
    "compare a",
  ]],
  [
    "a file of the time with which it was imported, whatever that was",
    [file("a", 5, 500)],
    [{ ...stored("a", 5, 99), fileTime: 500 }],
    ["same a"],
  ],
  [
    "a file of another time than that, an older one",
    [file("a", 5, 10)],
    [{ ...stored("a", 5, 99), fileTime: 11 }],
    ["compare a"],
  ],
  ["a file of another size", [file("a", 4, 1)], [stored("a", 5, 99)], ["put a"]],
  [
    "deletions first, in descending order",
    [file("n")],
    [stored("a"), stored("z"), below("m"), stored("n")],
    ["delete z", "delete-below m", "delete a", "same n"],
  ],
  ["what is gone and was both", [], [below(stored("a"))], ["delete-below a", "delete a"]],
  ["a file that became a folder", [folder("a")], [stored("a")], ["delete a", "enter a"]],
  ["a folder that became a file", [file("a")], [below("a")], ["delete-below a", "put a"]],
  [
    "a file that was put over a folder before",
    [file("a")],
    [below(stored("a"))],
    ["delete-below a", "put a"],
  ],
  [
    "a folder with a file left over in its place",
    [folder("a")],
    [below(stored("a"))],
    ["delete a", "enter a"],
  ],
  ["a folder made on purpose", [folder("a")], [below(made("a"))], ["enter a"]],
  ["a file in place of such a folder", [file("a", 0, 1)], [made("a")], ["put a"]],
  ["a file that can be run from now on", ...modes(0o755, 0o644), ["put a"]],
  ["a file for fewer eyes", ...modes(0o600, 0o644), ["put a"]],
  ["the permissions that it had", ...modes(0o640, 0o640), ["same a"]],
  ["an entry without permissions", ...modes(0o644, 0), ["same a"]],
  ["an entry made on Windows", ...modes(0o644, 0o666), ["same a"]],
  ["an entry made on Windows, of a file not to be written", ...modes(0o644, 0o444), ["same a"]],
  ["a pipe, or a link to nothing", [other("p"), other("q")], [stored("q")], []],
];
for (const [what, local, archived, expected] of ROWS) {
  Deno.test(`planDirectory() with ${what}`, () => {
    const steps = planDirectory(local, archived, { hasModes: true });
    assert.deepEqual(steps.map(({ kind, name }) => `${kind} ${name}`), expected);
  });
}

Deno.test("planDirectory() does not compare permissions where a disk has none", () => {
  const steps = planDirectory(...modes(0o666, 0o755), { hasModes: false });
  assert.deepEqual(steps, [{ kind: "same", name: "a" }]);
});

/** A tree on disk: a file's size, or a folder. */
interface Disk {
  [name: string]: number | Disk;
}

/** Carry out the plans for a whole tree. Returns how many entries were written. */
function importTree(disk: Disk, table: FolderTable, blocks: Uint8Array[]): number {
  const before = blocks.length;
  const put = (path: string, size: number) =>
    blocks.push(table.put(path, { ...statOf(blocks.length), size }, blocks.length));
  const remove = (path: string) => blocks.push(table.delete(path, blocks.length));
  const enter = (folder: Disk, base: string) => {
    const local = Object.entries(folder).map(([name, value]): LocalItem =>
      typeof value === "number"
        ? { name, kind: "file", size: value, mtime: 0, mode: 0o100644 }
        : { name, kind: "directory", size: 0, mtime: 0, mode: 0o040755 }
    );
    const archived = table.list(base === "" ? "/" : base).map(({ name, file, folder }) => ({
      name,
      stat: file === undefined ? undefined : decodeEntry(blocks[file], file).stat,
      folder,
    }));
    for (const { kind, name } of planDirectory(local, archived, { hasModes: true })) {
      const path = `${base}/${name}`;
      if (kind === "put" || kind === "compare") put(path, folder[name] as number);
      else if (kind === "enter") enter(folder[name] as Disk, path);
      else if (kind === "delete") remove(path);
      else if (kind === "delete-below") table.filesBelow(path).forEach(remove);
    }
  };
  enter(disk, "");
  return blocks.length - before;
}

function filesOn(disk: Disk, base = ""): [string, number][] {
  const names = Object.keys(disk).sort();
  return names.flatMap((name) => {
    const value = disk[name];
    return typeof value === "number"
      ? [[`${base}/${name}`, value]]
      : filesOn(value, `${base}/${name}`);
  });
}

const { disk } = fc.letrec<{ disk: Disk; value: number | Disk }>((tie) => ({
  disk: fc.dictionary(fc.constantFrom("a", "b", "é"), tie("value"), { noNullPrototype: true }),
  value: fc.oneof({ maxDepth: 3 }, fc.nat(3), tie("disk")),
}));

Deno.test("importing makes the archive list what is on disk, and again changes nothing", () => {
  fc.assert(
    fc.property(operations(), disk, disk, (ops: Operation[], first, second) => {
      const history = writeHistory(ops);
      const blocks = [...history.blocks];
      for (const tree of [first, second]) {
        importTree(tree, history.table, blocks);
        const walk = walkFiles(blocks.length - 1);
        const files = [...runItems(walk, (seq) => decodeEntry(blocks[seq], seq))];
        assert.deepEqual(files.map(({ path, stat }) => [path, stat.size]), filesOn(tree));
        assert.equal(importTree(tree, history.table, blocks), 0);
      }
    }),
    { seed: 1, numRuns: 300 },
  );
});

Deno.test("a first import writes files depth first, each folder where its name belongs", () => {
  const blocks: Uint8Array[] = [new Uint8Array(0)];
  const tree = { "sub": { "deep": { "c.txt": 1 }, "b.txt": 1 }, "empty.txt": 0, "a.txt": 1 };
  importTree(tree, new FolderTable(), blocks);
  const paths = blocks.slice(1).map((block, i) => decodeEntry(block, i + 1).path);
  assert.deepEqual(paths, ["/a.txt", "/empty.txt", "/sub/b.txt", "/sub/deep/c.txt"]);
});
