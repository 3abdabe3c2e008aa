import assert from "node:assert/strict";
import * as fc from "fast-check";
import { IncompleteError } from "../../../src/base/errors.ts";
import { ArchiveError } from "../../../src/core/archive/archive_error.ts";
import { encodeChildren } from "../../../src/core/archive/children.ts";
import { decodeEntry, type Entry } from "../../../src/core/archive/entry.ts";
import { FolderTable } from "../../../src/core/archive/folder_table.ts";
import {
  findFile,
  findStat,
  readFolder,
  readHistory,
  traceEntry,
} from "../../../src/core/archive/lookup.ts";
import { changedFiles, diffVersions } from "../../../src/core/archive/diff_versions.ts";
import { type LoadEntry, runItems, runLookup } from "../../../src/core/archive/steps.ts";
import { walkFiles } from "../../../src/core/archive/walk.ts";
import { operations, pathsOf, statOf, writeHistory } from "./histories.ts";
import { loaderOf, plainStat, recordedArchives, recordedTrees } from "./recorded.ts";

function namesIn(version: number, path: string, load: LoadEntry): string[] | undefined {
  return runLookup(readFolder(version, path), load)?.map((item) => item.name);
}

for (const tree of recordedTrees()) {
  Deno.test(`every path of ${tree.name} reads as recorded`, () => {
    const load = loaderOf(tree);
    const version = tree.metadata.length - 1;
    for (const [path, { readdir, get, lookupPath }] of Object.entries(tree.finalReads)) {
      assert.deepEqual(runLookup(traceEntry(version, path), load).chain, lookupPath, path);
      const file = runLookup(findFile(version, path), load);
      assert.deepEqual(plainStat(file?.stat), get, path);
      assert.deepEqual(namesIn(version, path, load)?.sort() ?? null, readdir, path);
    }
  });
}

for (const archive of recordedArchives()) {
  Deno.test(`readHistory() of ${archive.name} is as recorded`, () => {
    const history = [...runItems(readHistory(1, archive.version), loaderOf(archive))];
    const expected = archive.history.map(({ version, type, path, ...stat }) =>
      type === "del" ? { type, path, seq: version } : { type, path, seq: version, stat }
    );
    assert.deepEqual(
      history.map((item) => item.stat ? { ...item, stat: plainStat(item.stat) } : item),
      expected,
    );
  });

  Deno.test(`findFile() finds what every version of ${archive.name} lists, and nothing else`, () => {
    const load = loaderOf(archive);
    const paths = new Set(archive.history.map((item) => item.path));
    for (const { version, tree } of archive.versions) {
      const listed = new Map(tree.map((item) => [item.path, item.seq]));
      for (const path of paths) {
        const found = runLookup(findFile(version, path), load);
        assert.equal(found?.seq, listed.get(path), `${path} at version ${version}`);
      }
    }
  });
}

Deno.test("findFile() and readFolder() agree with a plain map, for every version", () => {
  fc.assert(
    fc.property(operations(), (ops) => {
      const { versions, load } = writeHistory(ops);
      for (const [version, model] of versions.entries()) {
        for (const path of pathsOf(ops)) {
          const found = runLookup(findFile(version, path), load);
          assert.equal(found?.seq, model.live.get(path), `${path} at version ${version}`);
          const names = model.children(path);
          const isThere = path === "/" || names.length > 0 || model.live.has(path);
          assert.deepEqual(namesIn(version, path, load), isThere ? names : undefined);
        }
      }
    }),
    { seed: 1 },
  );
});

Deno.test("readFolder() tells files from folders, and what is both", () => {
  fc.assert(
    fc.property(operations(), (ops) => {
      const { versions, load } = writeHistory(ops);
      const model = versions[versions.length - 1];
      const visible = new Map(model.visible());
      for (const folder of pathsOf(ops)) {
        const base = folder === "/" ? "" : folder;
        for (const item of runLookup(readFolder(versions.length - 1, folder), load) ?? []) {
          const path = `${base}/${item.name}`;
          assert.equal(item.stat?.size, visible.get(path), path);
          if (item.stat !== undefined) assert.equal(item.seq, visible.get(path), path);
          assert.equal(item.folder, model.hasBelow(path), path);
        }
      }
    }),
    { seed: 2 },
  );
});

Deno.test("findStat() makes up a directory for what has files below it, and for the root", () => {
  const { load } = writeHistory([{ op: "put", path: "/a/b" }, { op: "put", path: "/c" }]);
  const stat = (version: number, path: string) => runLookup(findStat(version, path), load);
  assert.equal(stat(2, "/a")?.mode, 16877);
  assert.equal(stat(2, "/")?.mode, 16877);
  assert.equal(stat(0, "/")?.mtime, 0);
  assert.deepEqual(stat(2, "/a/b"), statOf(1));
  assert.equal(stat(2, "/a/b/c"), undefined);
  assert.equal(stat(2, "/nope"), undefined);
  assert.equal(stat(1, "/c"), undefined);
  assert.equal(stat(0, "/a"), undefined);
});

// A file and a folder of one name, as append-tree 2.4.4 answers.
Deno.test("a file stays findable after others were put below its path", () => {
  const { load } = writeHistory([
    { op: "put", path: "/a" },
    { op: "put", path: "/a/below" },
    { op: "del", path: "/a/below" },
    { op: "del", path: "/a" },
  ]);
  const at = (version: number) => [
    runLookup(findFile(version, "/a"), load)?.seq,
    namesIn(version, "/", load),
    namesIn(version, "/a", load),
  ];
  assert.deepEqual(at(2), [1, ["a"], ["below"]]);
  assert.deepEqual(at(3), [1, ["a"], []]);
  assert.deepEqual(at(4), [undefined, [], undefined]);
});

Deno.test("files stay findable after their folder's path was put", () => {
  const { load } = writeHistory([
    { op: "put", path: "/a/x" },
    { op: "put", path: "/a" },
    { op: "del", path: "/a/x" },
    { op: "put", path: "/a/x" },
    { op: "del", path: "/a" },
  ]);
  const at = (version: number) => [
    runLookup(findFile(version, "/a"), load)?.seq,
    runLookup(findFile(version, "/a/x"), load)?.seq,
    namesIn(version, "/a", load),
  ];
  assert.deepEqual(at(2), [2, 1, ["x"]]);
  assert.deepEqual(at(3), [2, undefined, []]);
  assert.deepEqual(at(4), [2, 4, ["x"]]);
  assert.deepEqual(at(5), [undefined, 4, ["x"]]);
});

Deno.test("readFolder() leaves out children called . and ..", () => {
  const table = new FolderTable();
  const blocks = ["/a", "/./x", "/../y"].map((path, i) => table.put(path, statOf(1), i + 1));
  assert.deepEqual(namesIn(3, "/", (seq) => decodeEntry(blocks[seq - 1], seq)), ["a"]);
});

Deno.test("a lookup names the entry it misses, unless the answer is in another one", () => {
  const { load } = writeHistory([
    { op: "put", path: "/a" },
    { op: "put", path: "/b" },
    { op: "put", path: "/c" },
  ]);
  const holding = (...held: number[]): LoadEntry => (seq) =>
    held.includes(seq) ? load(seq) : undefined;
  assert.equal(runLookup(findFile(3, "/b"), holding(2, 3))?.seq, 2);
  assert.throws(() => runLookup(findFile(3, "/a"), holding(2, 3)), {
    name: IncompleteError.name,
    message: /entry 1\b/,
  });
  assert.throws(() => runLookup(findFile(3, "/a"), holding(1, 2)), IncompleteError);
  assert.throws(() => runLookup(readFolder(3, "/"), holding(1, 3)), IncompleteError);
  assert.throws(() => [...runItems(walkFiles(3), holding(1, 3))], IncompleteError);
  assert.throws(() => [...runItems(readHistory(1, 3), holding(1, 3))], IncompleteError);
});

/** Every lookup there is; how many entries it asked for, or undefined if it gave up. */
function askedFor(version: number, paths: readonly string[], load: LoadEntry): number[] {
  let count = 0;
  const counting = (seq: number) => {
    count++;
    return load(seq);
  };
  const lookups = [
    ...paths.map((path) => () => runLookup(findFile(version, path), counting)),
    ...paths.map((path) => () => runLookup(readFolder(version, path), counting)),
    () => [...runItems(walkFiles(version), counting)],
    () => [...runItems(changedFiles(version >> 1, version), counting)],
    () => [...runItems(diffVersions(version >> 1, version), counting)],
    () => runLookup(FolderTable.load(version), counting),
  ];
  return lookups.map((lookup) => {
    count = 0;
    try {
      lookup();
    } catch (error) {
      assert.ok(error instanceof ArchiveError, String(error));
    }
    return count;
  });
}

Deno.test("no child lists make a lookup throw anything unexpected or ask without end", () => {
  const path = fc.array(fc.constantFrom("a", "b", ""), { maxLength: 4 })
    .map((names) => "/" + names.join("/"));
  const entries = fc.array(fc.tuple(path, fc.boolean()), { minLength: 1, maxLength: 12 });
  const hostile = entries.chain((list) =>
    fc.tuple(...list.map(([path, isPut], i) => {
      const child = fc.integer({ min: 0, max: i + 2 });
      const sorted = fc.uniqueArray(child, { maxLength: 8 })
        .map((numbers) => numbers.sort((a, b) => a - b));
      const lists = fc.array(sorted, { maxLength: 5 }).map((all) => encodeChildren(all, i + 1));
      const paths = fc.oneof({ weight: 9, arbitrary: lists }, fc.uint8Array({ maxLength: 12 }));
      return paths.map((paths): Entry => ({
        seq: i + 1,
        path,
        stat: isPut ? statOf(i + 1) : undefined,
        paths,
      }));
    }))
  );
  fc.assert(
    fc.property(hostile, (entries) => {
      const paths = ["/", "/a", "/a/b", "/b/a/a", "//"];
      for (const asked of askedFor(entries.length, paths, (seq) => entries[seq - 1])) {
        assert.ok(asked <= 4 * entries.length, `asked for ${asked} of ${entries.length} entries`);
      }
    }),
    { seed: 3, numRuns: 2000 },
  );
});

Deno.test("a walk through entries that all list each other ends soon", () => {
  // Each entry lists all older ones at each of 12 depths, under a name they all share.
  const count = 300;
  const all = Array.from({ length: count }, (_, i) => i + 1);
  const entries = all.map((seq): Entry => ({
    seq,
    path: "/a".repeat(12) + `/${seq}`,
    stat: statOf(seq),
    paths: encodeChildren(Array.from({ length: 13 }, () => all.slice(0, seq)), seq),
  }));
  for (const asked of askedFor(count, ["/a/a/x"], (seq) => entries[seq - 1])) {
    assert.ok(asked <= 4 * count, `asked for ${asked}`);
  }
});

Deno.test("a name with a million components is walked in time proportional to it", () => {
  const depth = 1_000_000;
  const path = "/a".repeat(depth);
  const entry: Entry = {
    seq: 1,
    path,
    stat: statOf(1),
    paths: encodeChildren(Array.from({ length: depth + 1 }, () => [1]), 1),
  };
  const files = [...runItems(walkFiles(1), () => entry)];
  assert.deepEqual(files.map((file) => file.path.length), [path.length]);
  assert.equal(runLookup(findFile(1, path), () => entry)?.seq, 1);
});

Deno.test("an entry listed where its name does not belong is passed over", () => {
  // Entry 3 has /x/z and /w among the children of /a.
  const lists = [[[1], [1], [1]], [[2], [2]], [[2, 3], [1, 2, 3], [3]]];
  const entries = ["/x/z", "/w", "/a/c"].map((path, i): Entry => ({
    seq: i + 1,
    path,
    stat: statOf(i + 1),
    paths: encodeChildren(lists[i], i + 1),
  }));
  const load = (seq: number) => entries[seq - 1];
  const files = [...runItems(walkFiles(3), load)];
  assert.deepEqual(files.map((file) => file.path), ["/a/c", "/w"]);
  assert.deepEqual(namesIn(3, "/a", load), ["c"]);
});
